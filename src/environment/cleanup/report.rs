//! What a clean-up is asked for, and what it tells.

use std::path::PathBuf;

use serde::Serialize;

use crate::environment::homes::RenewedLogins;
use crate::environment::setup::Teardown;
use crate::failure::{Code, Failure};
use crate::formats::path_text;
use crate::git::{Reason, Unsaved, UnsavedKind};

/// What a clean-up removes.
#[derive(Clone, Copy, Debug, Default)]
pub struct CleanupOptions {
    /// The whole env root, `output/` and `logs/` too.
    pub all: bool,
    /// Put what goes into the trash instead of deleting it.
    pub trash: bool,
    /// Go on in spite of unsaved work: what belongs to a repository elsewhere is written into it first, and what only a repository
    /// has that goes is put into the trash with it.
    pub force: bool,
    /// The branch of a worktree stays.
    pub keep_branch: bool,
    /// With `all`: go on although sidecars stay in a user folder, and drop the record of them.
    pub forget: bool,
    /// What becomes of a login that the agent has renewed in its home.
    pub renewed_logins: RenewedLogins,
    /// Of an environment that was just prepared: what its setup commands have written is no work, unless a run has begun there.
    pub undoes: bool,
}

/// How a clean-up ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CleanupOutcome {
    /// It is gone, or was gone already.
    Removed,
    /// It lies in the trash.
    Trashed,
    /// It holds uncommitted changes of a git repository.
    RetainedDirty,
    /// It holds commits that are on no remote.
    RetainedUnpushed,
    /// A live process holds its lock.
    RetainedLive,
    /// Its state cannot be read, so nothing was touched.
    RetainedUnreadable,
    /// It was changed or removed during the clean-up.
    Raced,
    /// Something that was to be removed could not be removed.
    Failed,
}

/// Something that was kept, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Kept {
    /// Where it is.
    #[serde(serialize_with = "path_text::serialize")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub path: PathBuf,
    /// Why it is still there.
    pub why: String,
    /// The same for unsaved work, reason by reason.
    pub unsaved: Vec<Reason>,
}

impl Kept {
    pub(super) fn new(path: PathBuf, why: impl Into<String>) -> Kept {
        Kept { path, why: why.into(), unsaved: Vec::new() }
    }
}

/// What a clean-up did.
#[derive(Clone, Debug)]
pub struct CleanupReport {
    /// The env root.
    pub root_dir: PathBuf,
    /// How it ended.
    pub outcome: CleanupOutcome,
    /// What was removed or put back.
    pub removed: Vec<PathBuf>,
    /// What was kept.
    pub kept: Vec<Kept>,
    /// What went wrong.
    pub errors: Vec<String>,
    /// Bytes that were freed or moved to the trash.
    pub bytes: u64,
    /// What became of the teardown of what the setup has started.
    pub teardown: Teardown,
    /// What a person should know besides.
    pub notices: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// A signal ended it before everything was removed; the last of `kept` says how far it came.
    pub is_stopped: bool,
}

impl CleanupReport {
    /// The report on an environment at which nothing has been done.
    pub fn nothing_to_do(root_dir: PathBuf) -> CleanupReport {
        CleanupReport {
            root_dir,
            outcome: CleanupOutcome::Removed,
            removed: Vec::new(),
            kept: Vec::new(),
            errors: Vec::new(),
            bytes: 0,
            teardown: Teardown::default(),
            notices: Vec::new(),
            hint: None,
            is_stopped: false,
        }
    }

    /// The report for an environment whose record cannot be read.
    pub(super) fn unreadable(mut self, error: &anyhow::Error) -> CleanupReport {
        self.outcome = CleanupOutcome::RetainedUnreadable;
        self.failed(error)
    }

    /// The report where nothing could be taken back out of a user folder.
    pub(super) fn not_taken_back(mut self, error: &anyhow::Error) -> CleanupReport {
        self.outcome = match Failure::code_of(error) {
            Code::PathBusy => CleanupOutcome::RetainedLive,
            _ => CleanupOutcome::RetainedUnreadable,
        };
        self.failed(error)
    }

    pub(super) fn failed(mut self, error: &anyhow::Error) -> CleanupReport {
        self.errors.push(format!("{error:#}"));
        self.hint = Failure::hint_of(error);
        self
    }
}

/// What unsaved work means for a removal; `None`: nothing is in its way.
pub(crate) fn retained_for(unsaved: &[Unsaved]) -> Option<CleanupOutcome> {
    let has = |kind| unsaved.iter().any(|unsaved| unsaved.kind == kind);
    match unsaved {
        [] => None,
        _ if has(UnsavedKind::Dirty) => Some(CleanupOutcome::RetainedDirty),
        _ if has(UnsavedKind::Unpushed) => Some(CleanupOutcome::RetainedUnpushed),
        _ => Some(CleanupOutcome::RetainedUnreadable),
    }
}
