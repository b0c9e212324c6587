//! Decides what to do with one environment: a pure function, so that every row of the table is a test.
//!
//! The first rule that applies decides: what protects it (a lock, a lease); its parent's state or, without a server, its
//! age; what work in a user's folder needs; build artifacts.

use chrono::{DateTime, Duration, Utc};

use super::facts::{GcFacts, LockState, MetaState};
use crate::environment::EnvStatus;
use crate::server::Parent;

/// The age limits of a cycle. An environment has to be older than a limit, not as old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Environments are removed this long after their parent was done or, without a parent to ask about, after their
    /// run ended.
    pub ttl: Duration,
    /// Environments whose parent is unknown are removed when they have been unused for this long.
    pub orphan_ttl: Duration,
    /// Any environment is removed this long after its run ended; `None`: this rule is off.
    pub completed_ttl: Option<Duration>,
    /// Build artifacts are removed this long after the run; `None`: never.
    pub artifact_ttl: Option<Duration>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Keep it.
    Skip,
    /// It is finished: remove it.
    Clean,
    /// Its parent is unknown, and it is unused: remove it.
    Orphan,
    /// Remove its build artifacts.
    Artifacts,
    /// Remove only what an agent CLI copies into its home by itself (Codex: `codex-home/.sandbox-bin`).
    Managed,
}

impl Action {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Action::Skip => "skip",
            Action::Clean => "clean",
            Action::Orphan => "orphan",
            Action::Artifacts | Action::Managed => "clean_artifacts",
        }
    }

    /// Whether the whole environment is removed.
    pub fn removes(self) -> bool {
        matches!(self, Action::Clean | Action::Orphan)
    }
}

macro_rules! reasons {
    ($($name:ident $word:literal $meaning:literal)*) => {
        /// The reason of a decision. Its words are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason {
            $(#[doc = $meaning] $name,)*
        }

        impl Reason {
            /// All reasons with what they mean, for the manual page.
            pub const ALL: &'static [(Reason, &'static str, &'static str)] =
                &[$((Reason::$name, $word, $meaning),)*];

            /// The stable word.
            pub fn word(self) -> &'static str {
                match self {
                    $(Reason::$name => $word,)*
                }
            }

            /// What it means, for a person.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Reason::$name => $meaning,)*
                }
            }
        }
    };
}

reasons! {
    InUse "in_use" "a running process holds it"
    LockUnknown "lock_unknown" "the file system does not say whether a process holds it"
    Leased "leased" "it is reserved until its lease ends (`prepare --lease`, `reuse --lease`)"
    LocalDirectory "local_directory" "it records work in a folder of yours that was not cleaned up: only `execenv cleanup --all` removes it"
    ParentDone "parent_done" "the server says that its issue or chat was closed longer ago than --ttl, or that its run has ended"
    ParentGone "parent_gone" "the server does not know its parent, and it was last used longer ago than --orphan-ttl (a deleted chat: at once)"
    ParentOpen "parent_open" "the server says that its parent is open"
    ParentUnknown "parent_unknown" "the server's answer about its parent is missing or unclear"
    NoParent "no_parent" "its record names no parent, and it was last used longer ago than --orphan-ttl"
    UnknownKind "unknown_kind" "its record has a kind that this version does not know, and it was last used longer ago than --orphan-ttl"
    Completed "completed" "its run ended longer ago than --completed-ttl, and it has not been used since"
    Ended "ended" "a task without a parent ended, or was cleaned up, longer ago than --ttl"
    Unused "unused" "it was last used longer ago than --orphan-ttl"
    NoMeta "no_meta" "it has no record and is older than --orphan-ttl"
    UnreadableMeta "unreadable_meta" "its record cannot be read, and it is older than --orphan-ttl"
    Rebuildable "rebuildable" "its run ended longer ago than --artifact-ttl: its build artifacts are removed"
    ManagedCache "managed_cache" "it contains a copy of the agent CLI, which the CLI makes again"
    OverMaxTotal "over_max_total" "the root takes more than --max-total, and this is the next environment to remove"
    OverMaxCount "over_max_count" "there are more environments than --max-count, and this is the next one to remove"
    UnderMinFree "under_min_free" "less than --min-free is free on the disk, and this is the next environment to remove"
    ToFree "to_free" "--free asks for space, and this is the next environment to remove"
    TooYoung "too_young" "it has not reached an age limit"
}

/// The decision on one environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to do.
    pub action: Action,
    /// Why.
    pub reason: Reason,
}

const fn to(action: Action, reason: Reason) -> Decision {
    Decision { action, reason }
}

/// Decides. A clock that was set back only delays a removal.
pub fn decide(facts: &GcFacts, parent: &Parent, policy: &Policy, now: DateTime<Utc>) -> Decision {
    if let Some(reason) = protection(facts, now) {
        return to(Action::Skip, reason);
    }
    let mut decision = by_parent(facts, parent, policy, now);
    if facts.local_directory && !facts.folder_restored {
        decision = keep_users_record(decision, facts, policy);
    }
    if decision.action == Action::Skip && cache_may_go(facts, policy, now) {
        decision = to(Action::Managed, Reason::ManagedCache);
    }
    decision
}

/// Why an environment must not be touched, whatever else is known. Known before the server is asked.
pub(super) fn protection(facts: &GcFacts, now: DateTime<Utc>) -> Option<Reason> {
    match facts.lock {
        LockState::Unknown => Some(Reason::LockUnknown),
        LockState::Held => Some(Reason::InUse),
        _ if facts.lease_until.is_some_and(|until| until > now) => Some(Reason::Leased),
        _ => None,
    }
}

fn by_parent(facts: &GcFacts, parent: &Parent, policy: &Policy, now: DateTime<Utc>) -> Decision {
    let older_than = |at: Option<DateTime<Utc>>, ttl: Duration| at.is_some_and(|at| now - at > ttl);
    let orphan = |reason| {
        let is_old = older_than(facts.last_used, policy.orphan_ttl);
        if is_old { to(Action::Orphan, reason) } else { to(Action::Skip, Reason::TooYoung) }
    };
    // An environment of ours that was reused since its run is in use again. Another tool records only the end.
    let is_unused = |ttl| facts.is_foreign || older_than(facts.last_used, ttl);
    let completed =
        |ttl: Option<Duration>| ttl.is_some_and(|ttl| older_than(facts.completed_at, ttl) && is_unused(ttl));
    let has_artifacts = completed(policy.artifact_ttl) && !facts.is_swept();
    match facts.meta {
        MetaState::Missing => return orphan(Reason::NoMeta),
        MetaState::Unreadable => return orphan(Reason::UnreadableMeta),
        MetaState::Read => {}
    }
    // Without a server age decides; with one, only for environments without a parent to ask about.
    let by_age = |unused: Reason| {
        let is_plain = facts.kind.is_empty() && !facts.is_foreign;
        // A chat continues in its folder: only its end says that its artifacts are not needed.
        let keeps_artifacts = facts.kind == "chat";
        match () {
            () if completed(policy.completed_ttl) => to(Action::Clean, Reason::Completed),
            () if is_plain && facts.completed_at.is_some() && older_than(facts.last_used, policy.ttl) => {
                to(Action::Clean, Reason::Ended)
            }
            () if older_than(facts.last_used, policy.orphan_ttl) => to(Action::Orphan, unused),
            () if has_artifacts && !keeps_artifacts => to(Action::Artifacts, Reason::Rebuildable),
            () => to(Action::Skip, Reason::TooYoung),
        }
    };
    if facts.status == EnvStatus::Cleaned && older_than(facts.last_used, policy.ttl) {
        return to(Action::Clean, Reason::Ended);
    }
    match parent {
        Parent::Offline | Parent::None => by_age(Reason::Unused),
        Parent::Nameless => orphan(Reason::NoParent),
        Parent::UnknownKind => orphan(Reason::UnknownKind),
        Parent::Unknown { .. } | Parent::Unaskable { .. } => to(Action::Skip, Reason::ParentUnknown),
        // Deleting a chat means that its files go with it (decision D5).
        Parent::Gone { certain: true } if facts.kind == "chat" => to(Action::Clean, Reason::ParentGone),
        Parent::Gone { .. } => orphan(Reason::ParentGone),
        Parent::Found { status, at } => match Stage::of(&facts.kind, status) {
            Stage::Done if older_than(*at, policy.ttl) => to(Action::Clean, Reason::ParentDone),
            // Without a time it is unknown how long it has been done.
            Stage::Done if at.is_none() => to(Action::Skip, Reason::ParentUnknown),
            Stage::Over => to(Action::Clean, Reason::ParentDone),
            stage if facts.kind == "issue" => match stage {
                Stage::Done | Stage::Open if completed(policy.completed_ttl) => {
                    to(Action::Clean, Reason::Completed)
                }
                // Whatever its state: a follow-up builds them again.
                _ if has_artifacts => to(Action::Artifacts, Reason::Rebuildable),
                stage => to(Action::Skip, stage.keeps()),
            },
            stage => to(Action::Skip, stage.keeps()),
        },
    }
}

/// How far a parent is, by the words of the multica server for each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It is open.
    Open,
    /// It is done and may be opened again: how long ago counts.
    Done,
    /// It is over: nothing uses the environment again.
    Over,
    /// A word that this version does not know: nothing follows from it.
    Unknown,
}

impl Stage {
    fn of(kind: &str, status: &str) -> Stage {
        match (kind, status) {
            ("issue", "done" | "cancelled") | ("chat", "archived") => Stage::Done,
            ("issue", "backlog" | "todo" | "in_progress" | "in_review" | "blocked") => Stage::Open,
            ("chat", "active") => Stage::Open,
            ("autopilot_run", "pending" | "running") => Stage::Open,
            ("autopilot_run", "completed" | "failed" | "skipped" | "issue_created") => Stage::Over,
            ("quick_create", "queued" | "dispatched" | "running" | "waiting_local_directory") => Stage::Open,
            ("quick_create", "completed" | "failed" | "cancelled") => Stage::Over,
            _ => Stage::Unknown,
        }
    }

    /// Why an environment with such a parent is kept.
    fn keeps(self) -> Reason {
        match self {
            Stage::Open => Reason::ParentOpen,
            Stage::Done | Stage::Over => Reason::TooYoung,
            Stage::Unknown => Reason::ParentUnknown,
        }
    }
}

/// The environment of a user's folder knows what execenv wrote there, so it stays as a whole until that was taken back.
fn keep_users_record(decision: Decision, facts: &GcFacts, policy: &Policy) -> Decision {
    let reads = facts.meta == MetaState::Read && policy.artifact_ttl.is_some();
    match decision.action {
        Action::Clean if reads && !facts.is_swept() => to(Action::Artifacts, decision.reason),
        Action::Orphan if reads && facts.has_cache => to(Action::Managed, Reason::ManagedCache),
        Action::Skip => decision,
        Action::Artifacts | Action::Managed if reads => decision,
        _ => to(Action::Skip, Reason::LocalDirectory),
    }
}

/// Whether a copy of an agent CLI may be removed: from every kind, whatever its parent says, because the CLI makes it
/// again.
fn cache_may_go(facts: &GcFacts, policy: &Policy, now: DateTime<Utc>) -> bool {
    let Some(ttl) = policy.artifact_ttl.filter(|_| facts.has_cache && facts.meta == MetaState::Read) else {
        return false;
    };
    match facts.completed_at {
        Some(at) => now - at > ttl,
        // A folder's own time says nothing about use deeper in it; the record's time does.
        None => facts.meta_written.is_some_and(|at| now - at > policy.orphan_ttl) && facts.kind == "issue",
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
