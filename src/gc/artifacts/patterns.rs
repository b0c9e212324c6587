//! Which folders are build artifacts, by their names.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use anyhow::Result;

use crate::failure::{Code, Failure};
use crate::layout;
use crate::order;

/// The default patterns.
const DEFAULT_PATTERNS: &str = "node_modules,.next,.turbo";
pub(super) const GIT: &str = ".git";

/// Names of folders that are build artifacts, by default none. A name has to match completely, including its case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns(BTreeSet<String>);

impl Patterns {
    /// Reads a list with commas. Blank text stands for `DEFAULT_PATTERNS`; a list of which nothing can be used is
    /// an empty one.
    ///
    /// # Errors
    /// A [`Code::BadConfig`] failure for a name that execenv, an agent CLI or git keeps things under.
    pub fn parse(text: &str) -> Result<Patterns> {
        let text = if text.trim().is_empty() { DEFAULT_PATTERNS } else { text };
        let words = text.split(',').map(str::trim);
        let usable = words.filter(|word| !word.is_empty() && !word.contains(['/', '\\']));
        let patterns = order::set(usable.map(str::to_owned));
        match patterns.iter().find_map(|pattern| Some((pattern, kept_under(pattern)?))) {
            None => Ok(Patterns(patterns)),
            Some((pattern, what)) => Err(Failure::new(
                Code::BadConfig,
                format!("`{pattern}` cannot be an artifact pattern: it is the name of {what}"),
            )
            .hint(format!("name folders that a build creates (default: {DEFAULT_PATTERNS})"))
            .into()),
        }
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn find(&self, name: &OsStr) -> Option<&str> {
        self.0.get(name.to_str()?).map(String::as_str)
    }
}

/// What a name stands for that must not be removed; `None`: nothing.
fn kept_under(name: &str) -> Option<&'static str> {
    if name == GIT { Some("a repository") } else { layout::reserved(name).map(|row| row.what) }
}

/// Matches nothing: only the managed cache is left.
pub(in crate::gc) static NO_PATTERNS: Patterns = Patterns(BTreeSet::new());
