//! The user's git, and what every call to it shares.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;

use super::noting::CommitNotes;
use crate::progress::Progress;

/// The user's git.
#[derive(Clone, Debug)]
pub struct Git {
    pub(super) program: Option<PathBuf>,
    /// The variables of this process without git's own.
    pub(super) env: Vec<(OsString, OsString)>,
    /// Git's own variables of this process, of which each profile takes what it needs.
    pub(super) own: Vec<(OsString, OsString)>,
    stop: Arc<AtomicBool>,
    /// Locks that each call which writes holds, too.
    pub(super) locks: Vec<Arc<File>>,
    /// Where it is said how far a call has come.
    pub(super) progress: Arc<Progress>,
    /// Who learns of the commits that are made; `None`: no one.
    pub(super) notes: Option<Arc<dyn CommitNotes>>,
}

impl Git {
    /// `program` is git's path, `None` where git is not installed; `inherited` the variables of this process.
    pub fn new(program: Option<PathBuf>, inherited: &[(OsString, OsString)]) -> Git {
        let is_gits = |(name, _): &(OsString, OsString)| name.as_encoded_bytes().starts_with(b"GIT_");
        let (own, env) = inherited.iter().cloned().partition(is_gits);
        let (stop, progress) = (Arc::default(), Arc::default());
        Git { program, env, own, stop, locks: Vec::new(), progress, notes: None }
    }

    /// The same git for a command that may be cut short anywhere: once `stop` is set, a call ends as a failed one.
    #[must_use]
    pub fn until(self, stop: Arc<AtomicBool>) -> Git {
        Git { stop, ..self }
    }

    /// The same git under a lock. A call that writes holds it to its own end, even where this process is killed before: until then
    /// no other command has the lock. Calls that talk to a remote do not, because they may leave helpers behind.
    #[must_use]
    pub fn holding(mut self, lock: File) -> Git {
        self.locks.push(Arc::new(lock));
        self
    }

    /// The same git, which says in `progress` how far a call has come, if that is shown.
    #[must_use]
    pub fn watched(self, progress: Arc<Progress>) -> Git {
        Git { progress, ..self }
    }

    /// The same git, whose commits are noted.
    #[must_use]
    pub fn noting(self, notes: Arc<dyn CommitNotes>) -> Git {
        Git { notes: Some(notes), ..self }
    }

    /// Notes a commit that was made.
    pub(super) fn note(&self, commit: String) -> Result<String> {
        if let Some(notes) = &self.notes {
            notes.made(&commit)?;
        }
        Ok(commit)
    }

    /// Set when calls have to end.
    pub(super) fn stop(&self) -> &AtomicBool {
        &self.stop
    }
}
