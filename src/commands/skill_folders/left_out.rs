//! What is left out of a folder of skills, for one warning.

use std::path::Path;

use crate::output::escape;

/// How many are named.
const NAMED: usize = 10;

/// Paths that are left out, each with the reason.
#[derive(Debug, Default)]
pub(super) struct LeftOut(Vec<String>);

impl LeftOut {
    /// Notes one. `path` is relative to the folder of skills.
    pub(super) fn add(&mut self, path: &Path, why: &str) {
        self.0.push(format!("{} ({why})", escape(&path.display().to_string())));
    }

    /// The warning, if anything was left out.
    pub(super) fn warning(&self, folder: &Path) -> Option<String> {
        (!self.0.is_empty())
            .then(|| format!("left out of the skills in {}: {}", folder.display(), self.listed()))
    }

    /// The same for the end of a message; empty where nothing was left out.
    pub(super) fn in_brackets(&self) -> String {
        if self.0.is_empty() { String::new() } else { format!(" (left out: {})", self.listed()) }
    }

    fn listed(&self) -> String {
        let mut list = self.0[..self.0.len().min(NAMED)].join(", ");
        if self.0.len() > NAMED {
            list += &format!(" and {} more", self.0.len() - NAMED);
        }
        list
    }
}
