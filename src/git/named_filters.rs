//! Which filters a repository names itself.

use anyhow::Result;

use super::command::Repository;
use super::filters::FiltersOff;

/// More filters than this in one repository are no honest configuration.
const MOST_FILTERS: usize = 500;

impl Repository<'_> {
    /// Asks the repository which filters it names itself, to switch them off.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output); when it names too many.
    pub fn filters_off(&self) -> Result<FiltersOff> {
        // `git lfs` is a filter of the user's that runs what a repository calls an extension of it.
        let keys = r"^(filter\..*\.(clean|smudge|process|required)|lfs\.extension\..*)$";
        let listed = self
            .look(["config", "--includes", "--show-scope", "--name-only", "-z", "--get-regexp", keys])
            .answer()?
            .unwrap_or_default();
        let mut names: Vec<&[u8]> = Vec::new();
        let mut words = listed.split(|byte| *byte == 0);
        while let (Some(scope), Some(key)) = (words.next(), words.next()) {
            let name = match key.strip_prefix(b"filter.") {
                _ if matches!(scope, b"system" | b"global") => continue,
                Some(rest) => rest.rsplitn(2, |byte| *byte == b'.').last().unwrap_or(rest),
                None => b"lfs",
            };
            if !names.contains(&name) {
                names.push(name);
            }
            anyhow::ensure!(names.len() <= MOST_FILTERS, "{} names too many filters", self.dir().display());
        }
        Ok(FiltersOff::of(&names))
    }
}
