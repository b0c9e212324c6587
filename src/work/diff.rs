//! What an environment's work differs in.

use anyhow::Result;

use super::base::{Prefer, base};
use super::ours::ours;
use super::place::Place;
use crate::environment::FoundEnv;
use crate::failure::{Code, Failure};
use crate::git::{Bounds, Changes, Checkout, Head, Objects, Picture, TooMuch, empty_tree};
use crate::sys::child::Sink;

/// More than this is no work of an agent's, but build output.
pub(super) const BOUNDS: Bounds = Bounds { files: 50_000, bytes: 500 << 20 };

/// What is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compared {
    /// The base of the work, and the working files.
    #[default]
    SinceBase,
    /// The last commit, and the working files.
    Uncommitted,
    /// The last commit, and what is staged.
    Staged,
}

/// A difference.
#[derive(Debug)]
pub struct Difference<'a> {
    picture: Picture<'a>,
    from: String,
    /// The commit that it is the difference from; `None`: from nothing.
    pub base: Option<String>,
}

/// The form of a difference as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffForm {
    /// A patch.
    Patch,
    /// Lines that were added and removed, file by file.
    Stat,
}

/// Compares. Neither the repository nor its files are changed.
///
/// # Errors
/// As git reports them; a [`Code::Failed`] failure where there is too much.
pub fn diff<'c>(
    found: &FoundEnv,
    place: &Place,
    checkout: &'c Checkout,
    compared: Compared,
) -> Result<Difference<'c>> {
    let head = checkout.head()?;
    let ours = ours(found, place)?;
    let picture = match compared {
        Compared::Staged => checkout.staged_picture(&ours),
        Compared::SinceBase | Compared::Uncommitted => {
            checkout.picture(&ours, BOUNDS, Objects::Dropped).map_err(|error| too_much(error, place))
        }
    }?;
    picture.warn_of_special_files();
    let base = match compared {
        Compared::SinceBase => base(checkout, &head, found, Prefer::Base)?,
        Compared::Uncommitted | Compared::Staged => head.commit.clone(),
    };
    let Head { .. } = head;
    let from = base.clone().unwrap_or_else(|| empty_tree(picture.tree()).to_owned());
    Ok(Difference { picture, from, base })
}

/// Says what helps where there is too much to save or to compare.
pub(super) fn too_much(error: anyhow::Error, place: &Place) -> anyhow::Error {
    let Some(TooMuch { first, .. }) = error.downcast_ref() else { return error };
    let first = first.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let hint = format!(
        "it may be build output: name it in {}, for example by a line `/{}`",
        place.path().join(".gitignore").display(),
        first.unwrap_or_default()
    );
    let message = format!("there is too much in {} to take it in", place.path().display());
    error.context(Failure::new(Code::Failed, message).hint(hint))
}

impl Difference<'_> {
    /// Which files and how many lines.
    ///
    /// # Errors
    /// As git reports it.
    pub fn changes(&self) -> Result<Changes> {
        self.picture.changes_since(&self.from)
    }

    /// Passes the text on.
    ///
    /// # Errors
    /// As git reports it, and those of the sink.
    pub fn pass_on(&self, form: DiffForm, sink: &mut Sink<'_>) -> Result<()> {
        match form {
            DiffForm::Patch => self.picture.diff_since(&self.from, sink),
            DiffForm::Stat => self.picture.stat_since(&self.from, sink),
        }
    }
}
