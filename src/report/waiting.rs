//! Calls of tools that have not been answered: found by their ids, and no more of them than are worth waiting for.

use std::collections::{BTreeMap, HashMap};

use crate::protocol::prefix;

/// The most calls that are waited for at once.
const MOST: usize = 1024;
/// So much of an id is compared, in bytes.
const LONGEST_ID: usize = 512;

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Its lane of the timeline.
    pub(super) lane: usize,
    /// Where it begins.
    pub(super) from: u64,
    /// The number of its entry: later calls have higher ones.
    pub(super) entry: u64,
}

/// The calls.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    calls: HashMap<String, Call>,
    /// Their ids, by the numbers of their entries: the first one waits longest.
    ids: BTreeMap<u64, String>,
}

impl Waiting {
    /// Waits for the answer of a call. Returns one that is not waited for any more: a call with the same id, or the one that has waited
    /// longest.
    pub(super) fn begin(&mut self, id: &str, call: Call) -> Option<Call> {
        let id = prefix(id, LONGEST_ID);
        let mut given_up = self.end(id);
        if self.calls.len() >= MOST
            && let Some((_, oldest)) = self.ids.pop_first()
        {
            given_up = self.calls.remove(&oldest);
        }
        self.ids.insert(call.entry, id.to_owned());
        self.calls.insert(id.to_owned(), call);
        given_up
    }

    /// The call with this id, which is answered.
    pub(super) fn end(&mut self, id: &str) -> Option<Call> {
        let call = self.calls.remove(prefix(id, LONGEST_ID))?;
        self.ids.remove(&call.entry);
        Some(call)
    }

    /// The calls that were never answered, the oldest first.
    pub(super) fn rest(&mut self) -> Vec<Call> {
        let Waiting { mut calls, ids } = std::mem::take(self);
        ids.values().filter_map(|id| calls.remove(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(entry: u64) -> Call {
        Call { lane: 0, from: entry, entry }
    }

    #[test]
    fn a_call_is_found_once_and_one_with_its_id_takes_its_place() {
        let mut waiting = Waiting::default();
        assert_eq!(waiting.begin("a", call(1)), None);
        assert_eq!(waiting.begin("b", call(2)), None);
        assert_eq!(waiting.begin("a", call(3)), Some(call(1)));
        assert_eq!((waiting.end("a"), waiting.end("a"), waiting.end("c")), (Some(call(3)), None, None));
        assert_eq!(waiting.rest(), [call(2)]);
        assert_eq!(waiting.rest(), []);
    }

    #[test]
    fn of_too_many_the_oldest_is_given_up() {
        let mut waiting = Waiting::default();
        let most = MOST as u64;
        for n in 0..200_000 {
            assert_eq!(waiting.begin(&n.to_string(), call(n)), n.checked_sub(most).map(call));
        }
        assert_eq!((waiting.calls.len(), waiting.ids.len()), (MOST, MOST));
        assert_eq!(waiting.begin("199999", call(200_000)), Some(call(199_999)), "one with the same id");
        assert_eq!(waiting.rest().first(), Some(&call(200_000 - most)));
    }
}
