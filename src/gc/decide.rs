//! What becomes of one environment: a pure function, so that every row of the table is a test.
//!
//! In this order, the first that applies: what protects it (a lock, a lease), what its parent's state says (or, where
//! nobody can be asked, its age), what a folder of the user's needs, what can be built again.

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;

use super::facts::{Facts, LockState, MetaState};
use crate::environment::Status;
use crate::server::Parent;

/// The ages that a cycle goes by. All comparisons are strict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// After how long an environment goes whose parent is done, or that has ended and has no parent to ask about.
    pub ttl: Duration,
    /// After how long an environment goes that nobody has used and nobody can be asked about.
    pub orphan_ttl: Duration,
    /// After how long any environment with an ended run goes; `None`: that alone is no reason.
    pub completed_ttl: Option<Duration>,
    /// How long after its run an environment keeps what can be built again; `None`: as long as it stands.
    pub artifact_ttl: Option<Duration>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Leave it.
    Skip,
    /// It has done its work: remove it.
    Clean,
    /// Nobody knows of it any more: remove it.
    Orphan,
    /// Remove folders in it that can be built again.
    Artifacts,
    /// Remove only what an agent CLI copies into its home by itself.
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

    /// Whether the environment as a whole goes.
    pub fn removes(self) -> bool {
        matches!(self, Action::Clean | Action::Orphan)
    }
}

macro_rules! reasons {
    ($($name:ident $word:literal $meaning:literal)*) => {
        /// Why: a stable word.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "snake_case")]
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

            /// What it means, as the end of a sentence that begins with "because".
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Reason::$name => $meaning,)*
                }
            }
        }
    };
}

reasons! {
    InUse "in_use" "a live process holds it"
    LockUnknown "lock_unknown" "the file system does not say whether a process holds it"
    Leased "leased" "prepare or reuse promised it to somebody until a time that is yet to come"
    LocalDirectory "local_directory" "the record of work in a user's own folder stays"
    ParentDone "parent_done" "the server says that what it was for is done: an issue or chat longer ago than --ttl, a run at all"
    ParentGone "parent_gone" "the server does not know what it was for, and nobody has used it for longer than --orphan-ttl; a deleted chat goes at once"
    ParentOpen "parent_open" "the server says that what it is for goes on"
    ParentUnknown "parent_unknown" "the server gave no answer that can be relied upon"
    NoParent "no_parent" "its record names no parent, and nobody has used it for longer than --orphan-ttl"
    UnknownKind "unknown_kind" "its record is of a kind of tomorrow, and nobody has used it for longer than --orphan-ttl"
    Completed "completed" "its run ended longer ago than --completed-ttl, and nobody has used it since"
    Ended "ended" "a task without a parent ended, or was cleaned up, longer ago than --ttl"
    Unused "unused" "nobody has used it for longer than --orphan-ttl"
    NoMeta "no_meta" "it has no record and is older than --orphan-ttl"
    UnreadableMeta "unreadable_meta" "its record makes no sense and it is older than --orphan-ttl"
    Rebuildable "rebuildable" "its run ended longer ago than --artifact-ttl: what can be built again goes"
    ManagedCache "managed_cache" "a copy of the agent CLI in it can be made again"
    OverMaxTotal "over_max_total" "the root takes more than --max-total, and this one is next"
    OverMaxCount "over_max_count" "there are more environments than --max-count, and this one is next"
    UnderMinFree "under_min_free" "the disk has less free than --min-free, and this one is next"
    ToFree "to_free" "--free asks for space, and this one is next"
    TooYoung "too_young" "its time has not come"
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

/// Decides. A clock that was set back only delays.
pub fn decide(facts: &Facts, parent: &Parent, policy: &Policy, now: DateTime<Utc>) -> Decision {
    if let Some(reason) = protection(facts, now) {
        return to(Action::Skip, reason);
    }
    let mut decision = by_parent(facts, parent, policy, now);
    if facts.local_directory {
        decision = spare_the_record(decision, facts, policy);
    }
    if decision.action == Action::Skip && cache_may_go(facts, policy, now) {
        decision = to(Action::Managed, Reason::ManagedCache);
    }
    decision
}

/// What nobody may touch, whatever else is known; before the server is asked.
pub(super) fn protection(facts: &Facts, now: DateTime<Utc>) -> Option<Reason> {
    match facts.lock {
        LockState::Unknown => Some(Reason::LockUnknown),
        LockState::Held => Some(Reason::InUse),
        _ if facts.lease_until.is_some_and(|until| until > now) => Some(Reason::Leased),
        _ => None,
    }
}

fn by_parent(facts: &Facts, parent: &Parent, policy: &Policy, now: DateTime<Utc>) -> Decision {
    let older_than = |at: Option<DateTime<Utc>>, ttl: Duration| at.is_some_and(|at| now - at > ttl);
    let orphan = |reason| {
        let is_old = older_than(facts.last_used, policy.orphan_ttl);
        if is_old { to(Action::Orphan, reason) } else { to(Action::Skip, Reason::TooYoung) }
    };
    // Reused since its run, an environment of ours is somebody's again. Of a stranger's only the end is known.
    let is_unused = |ttl| facts.is_foreign || older_than(facts.last_used, ttl);
    let completed =
        |ttl: Option<Duration>| ttl.is_some_and(|ttl| older_than(facts.completed_at, ttl) && is_unused(ttl));
    let has_artifacts = completed(policy.artifact_ttl) && !facts.is_swept();
    match facts.meta {
        MetaState::Missing => return orphan(Reason::NoMeta),
        MetaState::Unreadable => return orphan(Reason::UnreadableMeta),
        MetaState::Read => {}
    }
    // Without a server age decides; with one, only of what has no parent to ask about.
    let by_age = |unused: Reason| {
        let is_plain = facts.kind.is_empty() && !facts.is_foreign;
        // A chat goes on in its folder: only its end says that anything in it is not needed.
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
    if facts.status == Status::Cleaned && older_than(facts.last_used, policy.ttl) {
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
            // Without a time nobody knows how long it has been done.
            Stage::Done if at.is_none() => to(Action::Skip, Reason::ParentUnknown),
            Stage::Over => to(Action::Clean, Reason::ParentDone),
            stage if facts.kind == "issue" => match stage {
                Stage::Done | Stage::Open if completed(policy.completed_ttl) => {
                    to(Action::Clean, Reason::Completed)
                }
                // Whatever its state: a follow-up would build them again.
                _ if has_artifacts => to(Action::Artifacts, Reason::Rebuildable),
                stage => to(Action::Skip, stage.keeps()),
            },
            stage => to(Action::Skip, stage.keeps()),
        },
    }
}

/// How far a parent is, by the words of the multica server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It goes on.
    Open,
    /// It is done, and may be taken up again: its time counts.
    Done,
    /// It is over: nothing will ever use the environment again.
    Over,
    /// A word that this version does not know: nothing follows from it.
    Strange,
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
            _ => Stage::Strange,
        }
    }

    /// Why an environment stays whose parent is that far.
    fn keeps(self) -> Reason {
        match self {
            Stage::Open => Reason::ParentOpen,
            Stage::Done | Stage::Over => Reason::TooYoung,
            Stage::Strange => Reason::ParentUnknown,
        }
    }
}

/// Its output and logs are the record of work in a folder of the user's: never the whole of it.
fn spare_the_record(decision: Decision, facts: &Facts, policy: &Policy) -> Decision {
    let reads = facts.meta == MetaState::Read && policy.artifact_ttl.is_some();
    match decision.action {
        Action::Clean if reads && !facts.is_swept() => to(Action::Artifacts, decision.reason),
        Action::Orphan if reads && facts.has_cache => to(Action::Managed, Reason::ManagedCache),
        Action::Skip => decision,
        Action::Artifacts | Action::Managed if reads => decision,
        _ => to(Action::Skip, Reason::LocalDirectory),
    }
}

/// A copy of an agent CLI may go from every kind, whatever its parent says: it is made again on need.
fn cache_may_go(facts: &Facts, policy: &Policy, now: DateTime<Utc>) -> bool {
    let Some(ttl) = policy.artifact_ttl.filter(|_| facts.has_cache && facts.meta == MetaState::Read) else {
        return false;
    };
    match facts.completed_at {
        Some(at) => now - at > ttl,
        // A folder's own time says nothing of what goes on deeper in it; the record's does.
        None => facts.meta_written.is_some_and(|at| now - at > policy.orphan_ttl) && facts.kind == "issue",
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
