//! A pass over an environment that measures it, and tells of each folder in it what it holds.

use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::io::Errno;

use super::{Artifacts, Patterns, Survey};
use crate::order;
use crate::sys::tree::Tree;
use crate::sys::walk::{Place, Size, Visitor};

/// Takes the name of a folder of the env root, its bytes, and those of the artifacts in it.
pub type Told<'a> = dyn FnMut(&OsStr, u64, u64) + 'a;

/// Measures a whole environment, and the artifacts in it, in one pass; `told` gets each folder of the env root. Changes nothing.
pub fn weigh_folders(env: &Tree, patterns: &Patterns, told: &mut Told<'_>) -> (Size, Artifacts) {
    let mut survey = Survey::new(env.path(), patterns);
    survey.weighs = true;
    let mut pass = ByFolder { survey, before: (0, 0), told };
    if env.walk(&mut pass).is_err() {
        pass.survey.size.unreadable += 1;
    }
    let Survey { size, mut found, .. } = pass.survey;
    order::sort(&mut found.kept);
    (size, found)
}

struct ByFolder<'a, 'b> {
    survey: Survey<'a>,
    /// What was counted before the folder that it is in.
    before: (u64, u64),
    told: &'b mut Told<'b>,
}

impl ByFolder<'_, '_> {
    fn counted(&self) -> (u64, u64) {
        (self.survey.size.bytes, self.survey.found.bytes)
    }

    /// A folder has been visited; where it is one of the env root, what it holds is told.
    fn left(&mut self, path: &Path) {
        if self.survey.depth == 0 {
            let ((bytes, artifacts), (bytes_before, artifacts_before)) = (self.counted(), self.before);
            (self.told)(path.as_os_str(), bytes - bytes_before, artifacts - artifacts_before);
        }
    }
}

impl Visitor for ByFolder<'_, '_> {
    fn enter(&mut self, place: Place<'_>, handle: BorrowedFd<'_>) -> bool {
        if self.survey.depth == 0 {
            self.before = self.counted();
        }
        self.survey.enter(place, handle)
    }

    fn leave(&mut self, place: Place<'_>) {
        let path = place.path;
        self.survey.leave(place);
        self.left(path);
    }

    fn lost(&mut self, path: &Path) {
        self.survey.lost(path);
        self.left(path);
    }

    fn entry(&mut self, name: &OsStr, len: Option<u64>) {
        self.survey.entry(name, len);
    }

    fn special(&mut self, name: &OsStr) {
        self.survey.special(name);
    }

    fn closed(&mut self, path: &Path, error: Errno) {
        self.survey.closed(path, error);
    }

    fn unreadable(&mut self) {
        self.survey.unreadable();
    }

    fn wants_lengths(&self) -> bool {
        self.survey.wants_lengths()
    }
}
