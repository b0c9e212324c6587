//! What a cycle is asked to do.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Duration, Utc};

use super::artifacts::{NO_PATTERNS, Patterns};
use super::bounds::Bounds;
use super::decide::{Action, Policy};
use crate::environment::WorkspacesRoot;
use crate::git::Git;
use crate::layout::{self, StoreKind};
use crate::repos::RepoPolicy;
use crate::server::Connection;

/// What a cycle is to do.
#[derive(Debug)]
pub struct GcRequest<'a> {
    /// The root.
    pub root: &'a WorkspacesRoot,
    /// The ages to go by.
    pub policy: Policy,
    /// What can be built again.
    pub patterns: Patterns,
    /// The bounds to keep the root within.
    pub bounds: Bounds,
    /// What becomes of repository caches; `None`: they are left alone.
    pub repos: Option<RepoPolicy>,
    /// How long agents' stores are kept that nobody uses; `None`: they are left alone.
    pub stores: Option<StorePolicy>,
    /// Whom to ask about parents; `None`: age decides.
    pub server: Option<Connection>,
    /// How many questions may be under way at a time.
    pub jobs: usize,
    /// How long the trash keeps things; zero: what goes, goes at once.
    pub trash_ttl: Duration,
    /// Decide and report, change nothing.
    pub dry_run: bool,
    /// Only this workspace.
    pub workspace: Option<String>,
    /// The present time.
    pub now: DateTime<Utc>,
    /// Asked about work that would be lost.
    pub git: &'a Git,
    /// Set when somebody asks the cycle to end.
    pub stop: &'a AtomicBool,
}

/// How long unused stores are kept, by what they hold. `None`: for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorePolicy {
    /// Conversations.
    pub session_ttl: Option<Duration>,
    /// What an agent remembers from one conversation to the next.
    pub memory_ttl: Option<Duration>,
}

impl StorePolicy {
    /// What is not known stays.
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

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
