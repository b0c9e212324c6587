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
    /// The worktree's folder; `None`: it says none.
    pub(super) path: Option<PathBuf>,
    /// Whether somebody other than a checkout of ours asked git to keep it.
    pub(super) is_locked: bool,
    /// Whether the folder is there, or nobody can tell.
    pub(super) is_there: bool,
    /// Whether it lies below the workspaces root, where what is gone is gone.
    pub(super) is_below_root: bool,
    /// Whether it lies in the trash instead.
    pub(super) is_in_trash: bool,
    /// The commit that it stands at without a branch.
    pub(super) detached: Option<String>,
    /// How long nothing in it has changed.
    pub(super) age: Duration,
}
