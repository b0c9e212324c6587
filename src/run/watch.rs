//! What a run looks after while its agent works: that its work dir is still there, and that its work is saved.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::heartbeat::Heart;
use crate::protocol::Event;
use crate::supervise::{Watch, WorkDirGone};
use crate::sys::silent;

/// How often it is looked whether the work dir is there.
const EVERY: Duration = Duration::from_secs(2);

/// Looks after the work of one run.
pub(super) struct WorkWatch<'a, 'scope> {
    work_dir: PathBuf,
    /// The work dir's device and inode at the beginning; `None`: it could not be asked, and is not watched.
    identity: Option<(u64, u64)>,
    /// Whether it was a repository or a worktree at the beginning.
    is_repository: bool,
    looked: Instant,
    pub(super) heart: Option<Heart<'scope>>,
    now: &'a dyn Fn() -> DateTime<Utc>,
}

impl<'a, 'scope> WorkWatch<'a, 'scope> {
    /// Begins to watch a work dir.
    pub(super) fn begin(
        work_dir: PathBuf,
        heart: Option<Heart<'scope>>,
        now: &'a dyn Fn() -> DateTime<Utc>,
    ) -> WorkWatch<'a, 'scope> {
        // It was opened a moment ago: its disk answers.
        let identity = work_dir.metadata().ok().map(|there| (there.dev(), there.ino()));
        let is_repository = work_dir.join(".git").symlink_metadata().is_ok();
        WorkWatch { work_dir, identity, is_repository, looked: Instant::now(), heart, now }
    }

    /// Why the agent cannot go on. A disk that does not answer is no reason.
    fn gone(&self) -> Option<WorkDirGone> {
        let before = self.identity?;
        let path = self.work_dir.display();
        let error = match silent::identity(&self.work_dir) {
            Some(None) => format!("the work dir {path} is gone"),
            Some(Some(now)) if now != before => format!("the work dir {path} was replaced by another folder"),
            Some(_) if self.is_repository && silent::is_missing(&self.work_dir.join(".git")) => {
                format!("the work dir {path} is no repository any more: its .git is gone")
            }
            _ => return None,
        };
        Some(WorkDirGone { error })
    }
}

impl Watch for WorkWatch<'_, '_> {
    fn look(&mut self, at: Instant, tell: &mut dyn FnMut(Event<'_>)) -> Option<WorkDirGone> {
        if let Some(heart) = &mut self.heart {
            heart.look(at, self.now, tell);
        }
        if at.duration_since(self.looked) < EVERY {
            return None;
        }
        self.looked = at;
        self.gone()
    }
}
