//! What a cycle is asked to do.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Duration, Utc};

use super::artifacts::{NO_PATTERNS, Patterns};
use super::bounds::Bounds;
use super::decide::{Action, Policy};
use crate::environment::{Hooks, KeyFile, Occupants, Trust, WorkspacesRoot};
use crate::git::Git;
use crate::layout::{self, StoreKind};
use crate::repos::RepoPolicy;
use crate::server::Connection;

/// What a cycle is asked to do.
#[derive(Debug)]
pub struct GcRequest<'a> {
    /// The root.
    pub root: &'a WorkspacesRoot,
    /// The key that proves which user folder an environment works in.
    pub keys: &'a KeyFile,
    /// What teardown commands are started with.
    pub hooks: &'a Hooks,
    /// The age limits.
    pub policy: Policy,
    /// The names of build artifacts.
    pub patterns: Patterns,
    /// The bounds to keep the root within.
    pub bounds: Bounds,
    /// How repository caches are looked after; `None`: they are left alone.
    pub repos: Option<RepoPolicy>,
    /// How long unused stores of agents are kept; `None`: they are left alone.
    pub stores: Option<StorePolicy>,
    /// Where runs have their folders for temporary files: those of dead runs go.
    pub run_folders: Vec<PathBuf>,
    /// The server to ask about parents; `None`: age decides.
    pub server: Option<Connection>,
    /// The most concurrent requests to the server.
    pub jobs: usize,
    /// How long the trash keeps environments; zero: they are deleted at once.
    pub trash_ttl: Duration,
    /// Decide and report, change nothing.
    pub dry_run: bool,
    /// Only this workspace.
    pub workspace: Option<String>,
    /// The present time.
    pub now: DateTime<Utc>,
    /// Finds unsaved work.
    pub git: &'a Git,
    /// Tells who works in an environment.
    pub occupants: Occupants,
    /// Set when the cycle is asked to stop.
    pub stop: &'a AtomicBool,
}

/// How long stores of agents are kept that no environment uses, by what they hold. `None`: for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorePolicy {
    /// Conversations.
    pub session_ttl: Option<Duration>,
    /// Memories: what an agent keeps from one conversation to the next.
    pub memory_ttl: Option<Duration>,
    /// The folder of Claude Code's conversations: those with environments that are gone go. `None`: they are left alone.
    pub claude_projects: Option<PathBuf>,
}

impl StorePolicy {
    /// How long a store is kept; an unknown one for ever.
    pub(super) fn ttl(&self, store: &Path) -> Option<Duration> {
        match layout::store_kind(store.iter().next()?.to_str()?)? {
            StoreKind::Conversations => self.session_ttl,
            StoreKind::Memories => self.memory_ttl,
            StoreKind::Cache => None,
        }
    }
}

impl GcRequest<'_> {
    /// The patterns that a decision for build artifacts asks for.
    pub(super) fn patterns(&self, action: Action) -> &Patterns {
        if action == Action::Artifacts { &self.patterns } else { &NO_PATTERNS }
    }

    /// What a record can be proved with.
    pub(super) fn trust(&self) -> Trust<'_> {
        Trust { keys: self.keys, local_dir: None, hooks: self.hooks }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
