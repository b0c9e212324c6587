//! Changes of the marks on what agents in a sandbox have written.
//!
//! Where there is no place for the list, or none can be made there, nothing can be trusted, and so no commands of a repository
//! run: then nothing is marked, and that is no error. A list that is there and cannot be changed is one.

use std::path::Path;

use anyhow::Result;

use super::marks::{Marks, OpenRun, Reviewed};
use super::trusted::TrustedFile;
use crate::sys::tree::is_never_writable;

impl TrustedFile {
    /// Marks a folder of the user's, given without links.
    ///
    /// # Errors
    /// As [`TrustedFile::add`], but for a list that is not there and cannot be made.
    pub fn mark_folder(&self, folder: &Path) -> Result<()> {
        self.mark(|marks| marks.add_folder(folder))
    }

    /// Marks commits.
    ///
    /// # Errors
    /// As [`TrustedFile::mark_folder`].
    pub fn mark_commits(&self, commits: &[String]) -> Result<()> {
        self.mark(|marks| marks.add_commits(commits))
    }

    /// Notes that a run begins.
    pub(in crate::environment) fn begin_run(&self, run: OpenRun) -> Result<()> {
        self.mark(|marks| marks.begin(run))
    }

    /// Notes that a run has ended, and the first commits that its agent has made.
    pub(in crate::environment) fn end_run(&self, run: &OpenRun, commits: &[String]) -> Result<()> {
        self.mark(|marks| marks.end(run, commits))
    }

    /// Takes marks off: the user has looked.
    ///
    /// # Errors
    /// As [`TrustedFile::add`].
    pub fn clear(&self, reviewed: &Reviewed) -> Result<()> {
        self.change(|stored| stored.sandboxed.clear(reviewed)).map(drop)
    }

    fn mark(&self, change: impl FnOnce(&mut Marks) -> bool) -> Result<()> {
        if !self.has_place() {
            return Ok(());
        }
        match self.change(|stored| change(&mut stored.sandboxed)) {
            Err(error) if is_never_writable(&error) && !self.is_there() => {
                log::info!("nothing can be trusted here, so nothing is marked: {error:#}");
                Ok(())
            }
            done => done.map(drop),
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests make their own fixtures")]
mod tests {
    use super::*;

    #[test]
    fn without_a_place_for_the_list_nothing_is_marked_and_a_list_that_cannot_be_changed_is_an_error() {
        let nowhere = TrustedFile::new(None);
        nowhere.mark_folder(Path::new("/p")).unwrap();
        assert!(nowhere.marks().unwrap().is_empty());
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("trusted.json");
        let list = TrustedFile::new(Some(path.clone()));
        list.mark_folder(Path::new("/p")).unwrap();
        assert_eq!(list.marks().unwrap().folders, [Path::new("/p")]);
        std::fs::write(&path, "{").unwrap();
        assert!(list.mark_folder(Path::new("/q")).is_err() && list.marks().is_err());
    }

    #[test]
    fn a_full_list_takes_no_mark_more_and_stays_as_it_is() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("trusted.json");
        let list = TrustedFile::new(Some(path.clone()));
        let ids = |from: u32, to: u32| (from..to).map(|number| format!("{number:040x}")).collect::<Vec<_>>();
        list.change(|stored| {
            stored.sandboxed.commits = ids(0, 80_000);
            true
        })
        .unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = list.mark_commits(&ids(80_000, 90_000)).unwrap_err();
        assert!(format!("{error:#}").contains("is full"), "{error:#}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}
