//! What has become of a merge, from the record and from what git says: a person may have finished or aborted it by hand, and a command
//! may have been cut short anywhere.

use crate::environment::CurrentMerge;

/// What git says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// HEAD's commit.
    pub(super) head: String,
    /// The commits that git is merging; `None`: it is merging nothing.
    pub(super) heads: Option<Vec<String>>,
    /// HEAD has the commit that the record says is merged.
    pub(super) has_source: bool,
    /// HEAD has the commit that the record says HEAD was about to be moved to.
    pub(super) has_commit: bool,
}

/// What has become of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// There is none. `forget`: the record has one that is over without a result.
    Idle {
        /// The record has one.
        forget: bool,
    },
    /// A command was cut short while it wrote the files.
    Interrupted(CurrentMerge),
    /// It is in progress. `None`: execenv did not begin it.
    Merging(Option<CurrentMerge>, Vec<String>),
    /// It is committed, and that is not recorded yet.
    Committed(CurrentMerge, String),
}

/// Decides what has become of the merge that the record has.
pub(super) fn judge(current: Option<CurrentMerge>, seen: &Seen) -> State {
    let Some(current) = current else {
        return seen.heads.clone().map_or(State::Idle { forget: false }, |heads| State::Merging(None, heads));
    };
    if seen.has_commit || seen.has_source {
        let commit = current.commit.clone().filter(|_| seen.has_commit);
        return State::Committed(current, commit.unwrap_or_else(|| seen.head.clone()));
    }
    match &seen.heads {
        Some(heads) if heads.contains(&current.source) => State::Merging(Some(current), heads.clone()),
        Some(heads) => State::Merging(None, heads.clone()),
        None if !current.begun && seen.head == current.orig_head => State::Interrupted(current),
        None => State::Idle { forget: true },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_a_merge_is_told_apart() {
        let current = |begun, commit: Option<&str>| CurrentMerge {
            source: "s".into(),
            orig_head: "o".into(),
            begun,
            commit: commit.map(str::to_owned),
            ..CurrentMerge::default()
        };
        let seen = |head: &str, heads: Option<&str>, has_source, has_commit| Seen {
            head: head.into(),
            heads: heads.map(|head| vec![head.to_owned()]),
            has_source,
            has_commit,
        };
        let s = || vec!["s".to_owned()];
        for (record, seen, expected) in [
            (None, seen("o", None, false, false), State::Idle { forget: false }),
            (None, seen("o", Some("s"), false, false), State::Merging(None, s())),
            // Killed before, while and after the files were written.
            (
                Some(current(false, None)),
                seen("o", None, false, false),
                State::Interrupted(current(false, None)),
            ),
            (
                Some(current(false, None)),
                seen("o", Some("s"), false, false),
                State::Merging(Some(current(false, None)), s()),
            ),
            (
                Some(current(true, None)),
                seen("o", Some("s"), false, false),
                State::Merging(Some(current(true, None)), s()),
            ),
            // Killed before HEAD was moved, and after it.
            (
                Some(current(true, Some("c"))),
                seen("o", Some("s"), false, false),
                State::Merging(Some(current(true, Some("c"))), s()),
            ),
            (
                Some(current(true, Some("c"))),
                seen("c", Some("s"), false, true),
                State::Committed(current(true, Some("c")), "c".into()),
            ),
            // By hand: committed, aborted, another merge begun, moved on.
            (
                Some(current(true, None)),
                seen("h", None, true, false),
                State::Committed(current(true, None), "h".into()),
            ),
            (Some(current(true, None)), seen("o", None, false, false), State::Idle { forget: true }),
            (
                Some(current(true, None)),
                seen("o", Some("x"), false, false),
                State::Merging(None, vec!["x".into()]),
            ),
            (Some(current(false, None)), seen("h", None, false, false), State::Idle { forget: true }),
        ] {
            assert_eq!(judge(record.clone(), &seen), expected, "{record:?} {seen:?}");
        }
    }
}
