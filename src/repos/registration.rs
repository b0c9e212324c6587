//! What is known of the registration of a worktree.

use std::path::PathBuf;

use chrono::Duration;

/// Where git keeps registrations.
pub(super) const WORKTREES: &str = "worktrees";

/// What is known of a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registration {
    /// Its name in [`WORKTREES`].
    pub(super) id: String,
    /// The worktree's folder; `None`: it names none.
    pub(super) path: Option<PathBuf>,
    /// Whether git was asked to keep it, other than by a checkout of ours.
    pub(super) is_locked: bool,
    /// Whether the folder is there, or may be.
    pub(super) is_there: bool,
    /// Whether it lies below the workspaces root, where a missing folder was removed.
    pub(super) is_below_root: bool,
    /// Whether it lies in the trash instead.
    pub(super) is_in_trash: bool,
    /// The commit that is checked out without a branch.
    pub(super) detached: Option<String>,
    /// How long nothing in it has changed.
    pub(super) age: Duration,
}
