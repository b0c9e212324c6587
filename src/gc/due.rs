//! When a kept environment will be removed. Pure; it asks [`decide`] itself, so that the two cannot differ.

use chrono::{DateTime, Duration, Utc};

use super::decide::{Policy, decide};
use super::facts::GcFacts;
use crate::server::Parent;

/// When an environment will be removed, if it is not used until then and its parent does not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The earliest time.
    pub at: DateTime<Utc>,
    /// The age limit that is reached then, by its flag's name without dashes, and its length; `None`: the lease ends, and
    /// an age limit was reached before.
    pub limit: Option<(&'static str, Duration)>,
}

/// When it will be removed. `None`: it is due now, or never becomes due by its age.
pub fn due(facts: &GcFacts, parent: &Parent, policy: &Policy, now: DateTime<Utc>) -> Option<Due> {
    let goes = |at: DateTime<Utc>| decide(facts, parent, policy, at).action.removes();
    // The limits are strict; one as long as the calendar is never reached.
    let reached = |since: Option<DateTime<Utc>>, ttl: Duration| {
        since?.checked_add_signed(ttl)?.checked_add_signed(Duration::nanoseconds(1))
    };
    let parent_at = match parent {
        Parent::Found { at, .. } => *at,
        _ => None,
    };
    let mut moments = vec![(facts.lease_until, None)];
    for (limit, ttl, since) in [
        ("ttl", Some(policy.ttl), parent_at),
        ("ttl", Some(policy.ttl), facts.last_used),
        ("orphan-ttl", Some(policy.orphan_ttl), facts.last_used),
        ("completed-ttl", policy.completed_ttl, facts.completed_at),
        ("completed-ttl", policy.completed_ttl, facts.last_used),
    ] {
        moments.extend(ttl.map(|ttl| (reached(since, ttl), Some((limit, ttl)))));
    }
    let yet_to_come = moments.into_iter().filter_map(|(at, limit)| Some(Due { at: at?, limit }));
    yet_to_come.filter(|due| due.at > now && goes(due.at)).min_by_key(|due| due.at).filter(|_| !goes(now))
}
