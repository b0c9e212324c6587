//! What becomes of one environment: a pure function, so that every row of the table is a test.

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;

use super::facts::{Facts, MetaState};
use crate::environment::Status;

/// The ages that a cycle goes by. All comparisons are strict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// After how long an ended environment goes that has no parent to ask about.
    pub ttl: Duration,
    /// After how long an environment goes that nobody has used and nobody can be asked about.
    pub orphan_ttl: Duration,
    /// After how long any environment with an ended run goes; `None`: that alone is no reason.
    pub completed_ttl: Option<Duration>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Leave it.
    Skip,
    /// It has done its work: remove it.
    Clean,
    /// Nobody knows of it any more: remove it.
    Orphan,
}

/// Why: a stable word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A live process has it.
    InUse,
    /// Nobody can tell whether a process has it.
    LockUnknown,
    /// It is promised to somebody for a while yet.
    Leased,
    /// Its output and logs are the record of work in a user's own folder.
    LocalDirectory,
    /// Its run ended, and `--completed-ttl` has passed.
    Completed,
    /// Its run ended or it was cleaned up, it has no parent, and `--ttl` has passed.
    Ended,
    /// Nobody has used it for `--orphan-ttl`.
    Unused,
    /// It has no record and is older than `--orphan-ttl`.
    NoMeta,
    /// Its record makes no sense, and it is older than `--orphan-ttl`.
    UnreadableMeta,
    /// Its time has not come.
    TooYoung,
}

impl Reason {
    /// All reasons with what they mean, for the manual page.
    pub const ALL: [(Reason, &'static str, &'static str); 10] = [
        (Reason::InUse, "in_use", "a live process holds it"),
        (Reason::LockUnknown, "lock_unknown", "the file system does not say whether a process holds it"),
        (
            Reason::Leased,
            "leased",
            "prepare or reuse promised it to somebody until a time that is yet to come",
        ),
        (Reason::LocalDirectory, "local_directory", "the record of work in a user's own folder stays"),
        (Reason::Completed, "completed", "its run ended longer ago than --completed-ttl"),
        (Reason::Ended, "ended", "a task without a parent ended, or was cleaned up, longer ago than --ttl"),
        (Reason::Unused, "unused", "nobody has used it for longer than --orphan-ttl"),
        (Reason::NoMeta, "no_meta", "it has no record and is older than --orphan-ttl"),
        (
            Reason::UnreadableMeta,
            "unreadable_meta",
            "its record makes no sense and it is older than --orphan-ttl",
        ),
        (Reason::TooYoung, "too_young", "its time has not come"),
    ];

    /// The stable word.
    pub fn word(self) -> &'static str {
        Reason::ALL.iter().find(|row| row.0 == self).map_or("too_young", |row| row.1)
    }
}

/// The decision on one environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to do.
    pub action: Action,
    /// Why.
    pub reason: Reason,
}

/// Decides offline. A clock that was set back only delays.
pub fn decide(facts: &Facts, policy: &Policy, now: DateTime<Utc>) -> Decision {
    let older_than = |at: Option<DateTime<Utc>>, ttl: Duration| at.is_some_and(|at| now - at > ttl);
    let unused = older_than(facts.last_used, policy.orphan_ttl);
    let ended = facts.kind.is_empty() && facts.completed_at.is_some() || facts.status == Status::Cleaned;
    let (action, reason) = match facts.meta {
        _ if facts.lock == super::LockState::Unknown => (Action::Skip, Reason::LockUnknown),
        _ if facts.is_held() => (Action::Skip, Reason::InUse),
        MetaState::Missing | MetaState::Unreadable if facts.local_directory => {
            (Action::Skip, Reason::LocalDirectory)
        }
        MetaState::Missing if unused => (Action::Orphan, Reason::NoMeta),
        MetaState::Unreadable if unused => (Action::Orphan, Reason::UnreadableMeta),
        MetaState::Missing | MetaState::Unreadable => (Action::Skip, Reason::TooYoung),
        MetaState::Read if facts.lease_until.is_some_and(|until| until > now) => {
            (Action::Skip, Reason::Leased)
        }
        MetaState::Read if facts.local_directory => (Action::Skip, Reason::LocalDirectory),
        MetaState::Read if policy.completed_ttl.is_some_and(|ttl| older_than(facts.completed_at, ttl)) => {
            (Action::Clean, Reason::Completed)
        }
        MetaState::Read if ended && older_than(facts.last_used, policy.ttl) => (Action::Clean, Reason::Ended),
        MetaState::Read if unused => (Action::Orphan, Reason::Unused),
        MetaState::Read => (Action::Skip, Reason::TooYoung),
    };
    Decision { action, reason }
}

#[cfg(test)]
mod tests {
    use super::super::LockState;
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-06-01T00:00:00Z".parse().unwrap()
    }

    fn facts(kind: &str, hours_ago: i64) -> Facts {
        let at = Some(now() - Duration::hours(hours_ago));
        Facts {
            root_dir: "/r/w/k".into(),
            meta: MetaState::Read,
            kind: kind.into(),
            status: Status::Completed,
            local_directory: false,
            completed_at: at,
            last_used: at,
            by_folder: false,
            lease_until: None,
            lock: LockState::Free,
        }
    }

    fn policy() -> Policy {
        Policy { ttl: Duration::hours(24), orphan_ttl: Duration::hours(72), completed_ttl: None }
    }

    #[test]
    fn every_row_of_the_table() {
        use Reason::*;
        let base = facts("", 25);
        let issue = facts("issue", 73);
        let rows: Vec<(Facts, Action, Reason)> = vec![
            (base.clone(), Action::Clean, Ended),
            (facts("", 24), Action::Skip, TooYoung),
            (facts("", 23), Action::Skip, TooYoung),
            (Facts { completed_at: None, status: Status::Prepared, ..base.clone() }, Action::Skip, TooYoung),
            (Facts { completed_at: None, status: Status::Prepared, ..facts("", 73) }, Action::Orphan, Unused),
            (
                Facts { status: Status::Cleaned, completed_at: None, ..facts("issue", 25) },
                Action::Clean,
                Ended,
            ),
            (facts("issue", 71), Action::Skip, TooYoung),
            (issue.clone(), Action::Orphan, Unused),
            (facts("chat", 73), Action::Orphan, Unused),
            (facts("kind-of-tomorrow", 73), Action::Orphan, Unused),
            (Facts { lock: LockState::Held, ..issue.clone() }, Action::Skip, InUse),
            (Facts { lock: LockState::Unknown, ..issue.clone() }, Action::Skip, LockUnknown),
            (Facts { lock: LockState::None, ..issue.clone() }, Action::Orphan, Unused),
            (
                Facts { lease_until: Some(now() + Duration::seconds(1)), ..issue.clone() },
                Action::Skip,
                Leased,
            ),
            (Facts { lease_until: Some(now()), ..issue.clone() }, Action::Orphan, Unused),
            (Facts { local_directory: true, ..facts("issue", 10_000) }, Action::Skip, LocalDirectory),
            (Facts { meta: MetaState::Missing, ..issue.clone() }, Action::Orphan, NoMeta),
            (Facts { meta: MetaState::Unreadable, ..issue.clone() }, Action::Orphan, UnreadableMeta),
            (
                Facts { meta: MetaState::Missing, local_directory: true, ..issue.clone() },
                Action::Skip,
                LocalDirectory,
            ),
            (Facts { meta: MetaState::Missing, ..facts("", 72) }, Action::Skip, TooYoung),
            (Facts { meta: MetaState::Unreadable, last_used: None, ..issue.clone() }, Action::Skip, TooYoung),
            (facts("issue", -50), Action::Skip, TooYoung),
        ];
        for (facts, action, reason) in rows {
            assert_eq!(decide(&facts, &policy(), now()), Decision { action, reason }, "{facts:?}");
        }
    }

    #[test]
    fn completed_ttl_applies_to_every_kind_but_never_to_a_local_directory() {
        let policy = Policy { completed_ttl: Some(Duration::hours(1)), ..policy() };
        for kind in ["", "issue", "chat", "autopilot_run", "quick_create"] {
            assert_eq!(decide(&facts(kind, 2), &policy, now()).reason, Reason::Completed, "{kind}");
        }
        let local = Facts { local_directory: true, ..facts("issue", 2) };
        assert_eq!(decide(&local, &policy, now()).reason, Reason::LocalDirectory);
    }

    #[test]
    fn age_alone_never_turns_a_removal_back_into_a_skip() {
        for kind in ["", "issue"] {
            let mut removed = false;
            for hours in 0..200 {
                let action = decide(&facts(kind, hours), &policy(), now()).action;
                assert!(!removed || action != Action::Skip, "{kind} at {hours} h");
                removed |= action != Action::Skip;
            }
            assert!(removed);
        }
    }
}
