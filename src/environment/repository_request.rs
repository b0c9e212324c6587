//! Which repository a work dir is asked to have.

use std::path::PathBuf;

use crate::git::{Base, Source};

/// Begins what stands for a new repository in place of a path.
pub const NEW: &str = "new://";

/// The repository of a work dir.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryRequest {
    /// Where it comes from.
    pub from: RepositoryFrom,
    /// The file with patterns of ignored files to bring along; `None`: `.worktreeinclude` of the checkout.
    pub include: Option<PathBuf>,
}

impl RepositoryRequest {
    /// Whether the work dir is to be a repository of its own.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.from, RepositoryFrom::New { .. })
    }
}

/// Where the repository of a work dir comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryFrom {
    /// The work dir is a worktree of one that exists.
    Existing {
        /// A folder in it.
        path: PathBuf,
        /// The ref or commit to begin from; `None`: the default branch.
        base: Option<String>,
    },
    /// The work dir is a worktree of the shared clone of an address, which the caller has locked.
    Shared {
        /// The address, without secrets.
        address: PathBuf,
        /// The clone.
        source: Source,
        /// The commit to begin from.
        base: Base,
        /// Folders that are checked out; empty: all of them.
        sparse: Vec<String>,
    },
    /// The work dir is a worktree of another environment's repository, which has no files until they are copied.
    Continued {
        /// That environment's work dir.
        path: PathBuf,
        /// Its key.
        key: String,
        /// The repository.
        source: Source,
        /// The commit that is checked out there.
        base: Base,
        /// The user has named the repository, for that environment or for one that it continues.
        is_proved: bool,
    },
    /// The work dir is a new repository.
    New {
        /// Its name, for people; it may be empty.
        name: String,
    },
    /// The work dir is a worktree with the present state of a checkout, uncommitted changes too.
    Folder {
        /// The folder in the checkout in which the agent would work otherwise.
        path: PathBuf,
    },
}
