//! What a command did besides its answer: who cannot read the answer learns of it by the failure.

use std::io;

use crate::failure::{Code, Failure};

/// Puts back what a command made, and returns what became of it, in words.
type Undo<'a> = Box<dyn FnOnce() -> String + 'a>;

/// What a command did, for when its answer cannot be printed.
#[derive(Default)]
pub enum Deed<'a> {
    /// It only looked.
    #[default]
    Nothing,
    /// It stays.
    Stays {
        /// What was done, as the end of a sentence.
        what: String,
        /// How to learn the rest.
        hint: String,
    },
    /// It is taken back, because no caller knows of it.
    TakenBack(Undo<'a>),
}

impl Deed<'_> {
    /// The failure of an answer that could not be printed. What is taken back is taken back here.
    pub(super) fn unprinted(self, error: anyhow::Error) -> anyhow::Error {
        // Only its text where something was done: a reader that has gone is no quiet success then.
        let why = error.root_cause();
        let failed = |what: String| {
            Failure::new(Code::Failed, format!("the answer could not be printed ({why}); {what}"))
        };
        match self {
            Deed::Nothing => error.context("write the answer to standard output"),
            Deed::Stays { what, hint } => failed(what).hint(hint).into(),
            Deed::TakenBack(undo) => failed(undo()).into(),
        }
    }
}

impl std::fmt::Debug for Deed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Deed::Nothing => "Nothing",
            Deed::Stays { what, .. } => what,
            Deed::TakenBack(_) => "TakenBack",
        })
    }
}

/// Whether the error means that the reader of standard output has closed it.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
