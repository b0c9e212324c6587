//! Every row of the table of decisions, with upstream's ages: collected after 5 days, orphaned after 30, artifacts after
//! 12 hours.

use super::super::facts::LockState;
use super::Action::*;
use super::Reason::*;
use super::*;

fn now() -> DateTime<Utc> {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn ago(hours: i64) -> Option<DateTime<Utc>> {
    Some(now() - Duration::hours(hours))
}

const DAY: i64 = 24;

/// An upstream record of this kind: no end, the folder touched just now.
fn record(kind: &str) -> GcFacts {
    GcFacts {
        root_dir: "/r/w/k".into(),
        workspace_id: String::new(),
        workspace: "w".into(),
        meta: MetaState::Read,
        kind: kind.into(),
        parent_id: "p".into(),
        is_foreign: true,
        status: EnvStatus::Unknown,
        local_directory: false,
        folder_restored: false,
        completed_at: None,
        last_used: Some(now()),
        by_folder: true,
        lease_until: None,
        artifacts_swept_at: None,
        has_cache: false,
        meta_written: None,
        lock: LockState::None,
    }
}

/// One of our own, whose run ended so long ago.
fn own(kind: &str, hours: i64) -> GcFacts {
    GcFacts {
        is_foreign: false,
        by_folder: false,
        status: EnvStatus::Completed,
        completed_at: ago(hours),
        last_used: ago(hours),
        lock: LockState::Free,
        ..record(kind)
    }
}

fn completed(facts: GcFacts, hours: i64) -> GcFacts {
    GcFacts { completed_at: ago(hours), ..facts }
}

fn folder(facts: GcFacts, hours: i64) -> GcFacts {
    GcFacts { last_used: ago(hours), ..facts }
}

fn found(status: &str, hours: i64) -> Parent {
    Parent::Found { status: status.into(), at: ago(hours) }
}

fn timeless(status: &str) -> Parent {
    Parent::Found { status: status.into(), at: None }
}

fn gone(certain: bool) -> Parent {
    Parent::Gone { certain }
}

fn error() -> Parent {
    Parent::Unknown { why: "status 500".into() }
}

fn policy() -> Policy {
    Policy {
        ttl: Duration::days(5),
        orphan_ttl: Duration::days(30),
        completed_ttl: None,
        artifact_ttl: Some(Duration::hours(12)),
    }
}

type Row = (&'static str, GcFacts, Parent, Action, Reason);

#[track_caller]
fn check(policy: &Policy, rows: Vec<Row>) {
    for (name, facts, parent, action, reason) in rows {
        let decision = decide(&facts, &parent, policy, now());
        assert_eq!(decision, Decision { action, reason }, "{name}: {facts:?}, {parent:?}");
    }
}

#[test]
fn issues() {
    let issue = || record("issue");
    check(
        &policy(),
        vec![
            ("done, 10 d", issue(), found("done", 10 * DAY), Clean, ParentDone),
            ("cancelled, 6 d", issue(), found("cancelled", 6 * DAY), Clean, ParentDone),
            ("done, exactly at its time", issue(), found("done", 5 * DAY), Skip, TooYoung),
            (
                "in progress, just completed",
                completed(issue(), 0),
                found("in_progress", 30 * DAY),
                Skip,
                ParentOpen,
            ),
            ("done, 1 d, just completed", completed(issue(), 0), found("done", DAY), Skip, TooYoung),
            ("done without a time", issue(), timeless("done"), Skip, ParentUnknown),
            ("server error", folder(issue(), 900 * DAY), error(), Skip, ParentUnknown),
            ("not found, young", issue(), gone(false), Skip, TooYoung),
            ("not found, old", folder(issue(), 31 * DAY), gone(false), Orphan, ParentGone),
            ("not found for certain means no more here", issue(), gone(true), Skip, TooYoung),
            ("no id, young", issue(), Parent::Nameless, Skip, TooYoung),
            ("no id, old", folder(issue(), 400 * DAY), Parent::Nameless, Orphan, NoParent),
            (
                "open, completed 24 h",
                completed(issue(), DAY),
                found("in_progress", 0),
                Artifacts,
                Rebuildable,
            ),
            (
                "done but young, completed 13 h",
                completed(issue(), 13),
                found("done", 1),
                Artifacts,
                Rebuildable,
            ),
            (
                "a status of tomorrow, completed 13 h",
                completed(issue(), 13),
                found("parked", 1),
                Artifacts,
                Rebuildable,
            ),
            ("a status of tomorrow", issue(), found("parked", 900 * DAY), Skip, ParentUnknown),
            ("upstream's other spelling", issue(), found("canceled", 900 * DAY), Skip, ParentUnknown),
        ],
    );
    let off = Policy { artifact_ttl: None, ..policy() };
    check(
        &off,
        vec![(
            "artifacts off, completed 100 d",
            completed(issue(), 100 * DAY),
            found("todo", 0),
            Skip,
            ParentOpen,
        )],
    );
    let swept = GcFacts { artifacts_swept_at: ago(1), ..own("issue", 13) };
    let again = GcFacts { artifacts_swept_at: ago(14), ..own("issue", 13) };
    check(
        &policy(),
        vec![
            ("swept since its last run", swept, found("todo", 0), Skip, ParentOpen),
            ("run again since", again, found("todo", 0), Artifacts, Rebuildable),
        ],
    );
}

#[test]
fn chats() {
    let chat = || record("chat");
    check(
        &policy(),
        vec![
            ("active", chat(), found("active", 10 * DAY), Skip, ParentOpen),
            (
                "active, however old",
                folder(completed(chat(), 200 * DAY), 200 * DAY),
                found("active", 900 * DAY),
                Skip,
                ParentOpen,
            ),
            ("archived, 10 d", chat(), found("archived", 10 * DAY), Clean, ParentDone),
            ("archived, 1 h", chat(), found("archived", 1), Skip, TooYoung),
            ("archived without a time", chat(), timeless("archived"), Skip, ParentUnknown),
            ("deleted", chat(), gone(true), Clean, ParentGone),
            ("any 404, young", chat(), gone(false), Skip, TooYoung),
            ("any 404, old", folder(chat(), 31 * DAY), gone(false), Orphan, ParentGone),
            ("server error", folder(chat(), 900 * DAY), error(), Skip, ParentUnknown),
            ("another status", chat(), found("paused", 900 * DAY), Skip, ParentUnknown),
            ("no id", folder(chat(), 400 * DAY), Parent::Nameless, Orphan, NoParent),
        ],
    );
}

#[test]
fn runs_and_quick_creates_go_at_once_when_they_are_over() {
    let mut rows: Vec<Row> = Vec::new();
    for status in ["completed", "failed", "skipped", "issue_created"] {
        rows.push(("over", record("autopilot_run"), found(status, 1), Clean, ParentDone));
        rows.push(("over, no time", record("autopilot_run"), timeless(status), Clean, ParentDone));
    }
    for status in ["pending", "running"] {
        rows.push(("goes on", record("autopilot_run"), found(status, 900 * DAY), Skip, ParentOpen));
    }
    for status in ["completed", "failed", "cancelled"] {
        rows.push(("over", record("quick_create"), found(status, 1), Clean, ParentDone));
    }
    for status in ["queued", "dispatched", "running", "waiting_local_directory"] {
        rows.push(("goes on", record("quick_create"), found(status, 900 * DAY), Skip, ParentOpen));
    }
    for kind in ["autopilot_run", "quick_create"] {
        rows.push(("404, young", record(kind), gone(false), Skip, TooYoung));
        rows.push(("404, old", folder(record(kind), 31 * DAY), gone(false), Orphan, ParentGone));
        rows.push(("error", folder(record(kind), 900 * DAY), error(), Skip, ParentUnknown));
        rows.push(("no id", folder(record(kind), 400 * DAY), Parent::Nameless, Orphan, NoParent));
    }
    rows.push(("an unknown kind, young", record("swarm"), Parent::UnknownKind, Skip, TooYoung));
    rows.push((
        "an unknown kind, old",
        folder(record("swarm"), 31 * DAY),
        Parent::UnknownKind,
        Orphan,
        UnknownKind,
    ));
    check(&policy(), rows);
}

#[test]
fn what_is_held_leased_or_without_a_record() {
    let mut rows: Vec<Row> = Vec::new();
    let due: Vec<(GcFacts, Parent)> = vec![
        (completed(record("issue"), 30 * DAY), found("todo", 0)),
        (record("issue"), found("done", 30 * DAY)),
        (folder(record("issue"), 400 * DAY), gone(false)),
        (GcFacts { meta: MetaState::Missing, ..folder(record(""), 400 * DAY) }, Parent::None),
        (record("chat"), gone(true)),
        (GcFacts { has_cache: true, ..completed(record("chat"), 30 * DAY) }, found("active", 0)),
    ];
    for (facts, parent) in due {
        let held = GcFacts { lock: LockState::Held, ..facts.clone() };
        let doubtful = GcFacts { lock: LockState::Unknown, ..facts.clone() };
        let leased = GcFacts { lease_until: Some(now() + Duration::seconds(1)), ..facts };
        rows.push(("held", held, parent.clone(), Skip, InUse));
        rows.push(("lock not known", doubtful, parent.clone(), Skip, LockUnknown));
        rows.push(("leased", leased, parent, Skip, Leased));
    }
    let missing = GcFacts { meta: MetaState::Missing, ..record("") };
    let damaged = GcFacts { meta: MetaState::Unreadable, ..record("") };
    for parent in [Parent::None, Parent::Offline] {
        rows.extend([
            ("no record, young", missing.clone(), parent.clone(), Skip, TooYoung),
            ("no record, old", folder(missing.clone(), 31 * DAY), parent.clone(), Orphan, NoMeta),
            ("damaged record, young", damaged.clone(), parent.clone(), Skip, TooYoung),
            ("damaged record, old", folder(damaged.clone(), 31 * DAY), parent, Orphan, UnreadableMeta),
        ]);
    }
    let lease_over = GcFacts { lease_until: Some(now()), ..record("issue") };
    rows.push(("a lease that ran out", lease_over, found("done", 10 * DAY), Clean, ParentDone));
    check(&policy(), rows);
}

#[test]
fn the_record_of_a_users_folder_is_spared() {
    let local = |facts: GcFacts| GcFacts { local_directory: true, ..facts };
    let done = || local(record("issue"));
    let ended = || local(own("issue", 30 * DAY));
    check(
        &policy(),
        vec![
            ("done 30 d", done(), found("done", 30 * DAY), Artifacts, ParentDone),
            ("chat deleted", local(record("chat")), gone(true), Artifacts, ParentGone),
            ("404, old", folder(done(), 400 * DAY), gone(false), Skip, LocalDirectory),
            (
                "404, old, with a cache",
                GcFacts { has_cache: true, ..folder(done(), 400 * DAY) },
                gone(false),
                Managed,
                ManagedCache,
            ),
            ("open", ended(), found("todo", 0), Artifacts, Rebuildable),
            (
                "swept already",
                GcFacts { artifacts_swept_at: ago(0), ..ended() },
                found("done", 900),
                Skip,
                LocalDirectory,
            ),
            (
                "without a readable record",
                GcFacts { meta: MetaState::Unreadable, ..folder(done(), 400 * DAY) },
                Parent::None,
                Skip,
                LocalDirectory,
            ),
        ],
    );
    let off = Policy { artifact_ttl: None, completed_ttl: Some(Duration::hours(1)), ..policy() };
    check(
        &off,
        vec![
            ("artifacts off", ended(), found("done", 30 * DAY), Skip, LocalDirectory),
            ("completed, artifacts off", ended(), found("todo", 0), Skip, LocalDirectory),
            ("offline", ended(), Parent::Offline, Skip, LocalDirectory),
        ],
    );
}

#[test]
fn the_copy_of_an_agent_cli_may_go_from_every_kind() {
    let cached = |facts: GcFacts| GcFacts { has_cache: true, ..facts };
    let since = |hours| GcFacts { meta_written: ago(hours), ..cached(folder(record("issue"), 900 * DAY)) };
    let mut rows: Vec<Row> = Vec::new();
    for (kind, parent) in [
        ("chat", found("active", 0)),
        ("autopilot_run", found("running", 0)),
        ("quick_create", found("queued", 0)),
        ("issue", error()),
        ("chat", error()),
    ] {
        rows.push(("old", cached(completed(record(kind), 13)), parent.clone(), Managed, ManagedCache));
        rows.push(("fresh", cached(completed(record(kind), 11)), parent.clone(), Skip, reason_of(&parent)));
        rows.push(("no cache", completed(record(kind), 13), parent.clone(), Skip, reason_of(&parent)));
    }
    rows.push(("never completed, record of 31 d", since(31 * DAY), error(), Managed, ManagedCache));
    rows.push(("never completed, fresh record", since(1), error(), Skip, ParentUnknown));
    check(&policy(), rows);
    let off = Policy { artifact_ttl: None, ..policy() };
    check(&off, vec![("off", cached(completed(record("chat"), 900)), error(), Skip, ParentUnknown)]);
}

fn reason_of(parent: &Parent) -> Reason {
    if matches!(parent, Parent::Found { .. }) { ParentOpen } else { ParentUnknown }
}

#[test]
fn completed_ttl_needs_a_status_that_is_known() {
    let policy = Policy { completed_ttl: Some(Duration::hours(1)), artifact_ttl: None, ..policy() };
    let two_hours = || completed(record("issue"), 2);
    let mut rows: Vec<Row> = vec![
        ("a status of tomorrow", two_hours(), found("parked", 0), Skip, ParentUnknown),
        ("never completed", record("issue"), found("todo", 0), Skip, ParentOpen),
        ("server error", two_hours(), error(), Skip, ParentUnknown),
        ("not found", two_hours(), gone(false), Skip, TooYoung),
        ("an active chat", completed(record("chat"), 2), found("active", 0), Skip, ParentOpen),
    ];
    for status in ["backlog", "todo", "in_progress", "in_review", "done", "blocked", "cancelled"] {
        rows.push(("known", two_hours(), found(status, 0), Clean, Completed));
    }
    check(&policy, rows);
}

#[test]
fn offline_age_decides() {
    use Parent::Offline;
    let prepared = |hours| GcFacts { completed_at: None, status: EnvStatus::Prepared, ..own("", hours) };
    let cleaned = |kind| GcFacts { status: EnvStatus::Cleaned, completed_at: None, ..own(kind, 6 * DAY) };
    let no_artifacts = Policy { artifact_ttl: None, ..policy() };
    check(
        &no_artifacts,
        vec![
            ("a plain one that ended", own("", 6 * DAY), Offline, Clean, Ended),
            ("exactly at its time", own("", 5 * DAY), Offline, Skip, TooYoung),
            ("never run", prepared(6 * DAY), Offline, Skip, TooYoung),
            ("never run, unused", prepared(31 * DAY), Offline, Orphan, Unused),
            ("cleaned up", cleaned("issue"), Offline, Clean, Ended),
            ("cleaned up, parent open", cleaned("issue"), found("todo", 0), Clean, Ended),
            ("an issue's", own("issue", 6 * DAY), Offline, Skip, TooYoung),
            ("an issue's, unused", own("issue", 31 * DAY), Offline, Orphan, Unused),
            ("a chat's, unused", own("chat", 31 * DAY), Offline, Orphan, Unused),
            ("an unknown kind", own("swarm", 31 * DAY), Offline, Orphan, Unused),
            ("a plain one, with a server", own("", 6 * DAY), Parent::None, Clean, Ended),
            ("a clock set back", own("issue", -50), Offline, Skip, TooYoung),
            ("another tool's without a parent", completed(record(""), 6 * DAY), Offline, Skip, TooYoung),
        ],
    );
    check(
        &policy(),
        vec![
            ("artifacts", own("", 13), Offline, Artifacts, Rebuildable),
            ("artifacts of an issue's", own("issue", 13), Offline, Artifacts, Rebuildable),
            ("a chat keeps them", own("chat", 13), Offline, Skip, TooYoung),
        ],
    );
    let soon = Policy { completed_ttl: Some(Duration::hours(1)), ..policy() };
    for kind in ["", "issue", "chat", "autopilot_run", "quick_create"] {
        check(&soon, vec![("completed", own(kind, 2), Offline, Clean, Completed)]);
    }
}

#[test]
fn age_alone_never_turns_a_removal_back_into_a_skip() {
    for parent in [Parent::Offline, found("done", 200), gone(false), found("archived", 200)] {
        for kind in ["", "issue", "chat", "autopilot_run", "quick_create", "swarm"] {
            let mut removed = false;
            for hours in 0..1_000 {
                let action = decide(&own(kind, hours), &parent, &policy(), now()).action;
                assert!(!removed || action.removes(), "{kind} at {hours} h, {parent:?}");
                removed |= action.removes();
            }
        }
    }
}

#[test]
fn reasons_are_words_of_their_own() {
    let words: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|row| row.1).collect();
    assert_eq!(words.len(), Reason::ALL.len());
    for (reason, word, meaning) in Reason::ALL {
        assert_eq!((reason.word(), reason.meaning()), (*word, *meaning));
        let spelt: String = format!("{reason:?}").chars().fold(String::new(), |mut text, letter| {
            if letter.is_uppercase() && !text.is_empty() {
                text.push('_');
            }
            text.extend(letter.to_lowercase());
            text
        });
        assert_eq!(spelt, *word);
    }
}

#[test]
fn when_what_stays_would_go() {
    use super::super::due::{Due, due};
    let hours = |policy: &mut Policy, hours| policy.completed_ttl = Some(Duration::hours(hours));
    let leased = |facts: GcFacts, hours: i64| GcFacts { lease_until: ago(-hours), ..facts };
    let plain = |hours| GcFacts { completed_at: None, ..own("", hours) };
    let mut short = policy();
    hours(&mut short, 6);
    // in so many hours (strictly more), by which limit
    for (name, facts, parent, policy, expected) in [
        ("never run", plain(1), Parent::Offline, policy(), Some((719, "orphan-ttl"))),
        ("ended", own("", 1), Parent::Offline, policy(), Some((119, "ttl"))),
        ("of a parent", own("issue", 1), Parent::Offline, policy(), Some((719, "orphan-ttl"))),
        ("ended, short", own("issue", 1), Parent::Offline, short.clone(), Some((5, "completed-ttl"))),
        ("done", own("issue", 1), found("done", 20), policy(), Some((100, "ttl"))),
        ("open", own("issue", 1), found("todo", 20), policy(), None),
        ("open, short", own("issue", 1), found("todo", 20), short, Some((5, "completed-ttl"))),
        ("not shown", own("issue", 1), gone(false), policy(), Some((719, "orphan-ttl"))),
        ("unknown", own("issue", 1), error(), policy(), None),
        ("leased", leased(own("", 200), 3), Parent::Offline, policy(), Some((3, ""))),
        ("leased for longer", leased(own("", 1), 3), Parent::Offline, policy(), Some((119, "ttl"))),
        ("held", GcFacts { lock: LockState::Held, ..own("", 1) }, Parent::Offline, policy(), None),
        ("a user's folder", GcFacts { local_directory: true, ..own("", 1) }, Parent::Offline, policy(), None),
        ("goes now", own("", 121), Parent::Offline, policy(), None),
    ] {
        let found = due(&facts, &parent, &policy, now());
        let in_hours = |due: &Due| ((due.at - now()).num_hours(), due.limit.map_or("", |(limit, _)| limit));
        assert_eq!(found.as_ref().map(in_hours), expected, "{name}: {found:?}");
    }
    let for_ever = Policy { orphan_ttl: Duration::MAX, ..policy() };
    assert_eq!(due(&plain(1), &Parent::Offline, &for_ever, now()), None);
}
