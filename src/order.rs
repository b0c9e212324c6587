//! What is put in order: by one sort for all types.
//!
//! Each type that std sorts brings a sort of its own, of 4 to 7 KB, and so does each kind of set or map that is collected, as
//! `collect` sorts first. What is sorted here are the names and records that one command has found: their places are sorted,
//! and a pointer to a function says which comes first.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Puts items in their own order.
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// Puts items in the order of a key. Those of the same key keep theirs.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |one, other| key(one).cmp(&key(other)));
}

/// Puts items in an order. Those that are equal keep theirs.
pub fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut sources = sorted_places(items.len(), &|one, other| compare(&items[one], &items[other]));
    for first in 0..sources.len() {
        // Each place gets its item, and the one that was there goes on to where that item comes from, until the circle is closed.
        let mut place = first;
        loop {
            let source = std::mem::replace(&mut sources[place], place);
            if source == first {
                break;
            }
            items.swap(place, source);
            place = source;
        }
    }
}

/// A set, filled one by one. A set of paths is collected: there may be as many as a repository has files, and git sorts them.
pub fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

/// A map, filled one by one.
pub fn map<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(entries);
    map
}

/// For each place, where its item is now.
fn sorted_places(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|one, other| compare(*one, *other));
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn as_std_does(items in proptest::collection::vec((0..20_u8, 0..3_u8), 0..80)) {
            let (mut ours, mut theirs) = (items.clone(), items.clone());
            sort_by_key(&mut ours, |(key, _)| *key);
            theirs.sort_by_key(|(key, _)| *key);
            prop_assert_eq!(&ours, &theirs);
            sort(&mut ours);
            theirs.sort();
            prop_assert_eq!(&ours, &theirs);
            prop_assert_eq!(set(items.clone()), items.iter().copied().collect::<BTreeSet<_>>());
            prop_assert_eq!(map(items.clone()), items.into_iter().collect::<BTreeMap<_, _>>());
        }
    }
}
