//! How many runs are on at once, over all processes that use a workspaces root.
//!
//! A slot is a lock file: it is free if its lock can be taken, so that nothing is left of it when its run dies. Slots are counted
//! under a lock of their own, whatever limit their takers had. The guard of a run keeps its slots until the agent is gone.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::environment::{root_busy, root_lock};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sys::lock::{FileLock, IfMissing, NotLocked, Share, lock_within, try_lock};
use crate::sys::tree::Tree;
use crate::task::hex;

/// The longest wait for another process that counts.
const COUNTING: Duration = Duration::from_secs(10);

/// Limits on runs that are on at once; 0: no limit, and the run takes no slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotLimits {
    /// Of the workspaces root.
    pub all: u32,
    /// The group of the run, and its limit.
    pub group: Option<(String, u32)>,
    /// The run waits for others, and is counted apart from them: else it could keep them from ever starting (decision D13).
    pub coordinates: bool,
}

/// The slots of a run, until this is dropped.
#[derive(Debug, Default)]
pub struct Slots {
    group: Option<Slot>,
    all: Option<Slot>,
}

#[derive(Debug)]
struct Slot {
    number: u32,
    lock: FileLock,
}

/// A limit that is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reached {
    limit: u32,
    group: Option<String>,
}

impl Slots {
    /// Takes the slots of a run, without a wait.
    ///
    /// # Errors
    /// A [`Code::NoSlot`] failure that names the limit; as the system reports them.
    pub fn take(root: &Tree, limits: &SlotLimits) -> Result<Slots> {
        let group = limits.group.as_ref().filter(|(_, limit)| *limit > 0);
        if group.is_none() && limits.all == 0 {
            return Ok(Slots::default());
        }
        let file = root_lock(root, names::SLOTS_LOCK)?;
        let _counting = lock_within(root, &file, IfMissing::Create, Share::Alone, COUNTING, &|| false)
            .map_err(|why| root_busy(root, &file, why))?;
        let mut taken = Slots::default();
        // The group first: whoever has none of its slots shall not keep others from a slot of the root's.
        if let Some((name, limit)) = group {
            let reached = Reached { limit: *limit, group: Some(name.clone()) };
            taken.group = Some(
                slot(root, &prefix(limits, &hex(&Sha256::digest(name.as_bytes()))[..16]), *limit)?
                    .ok_or_else(|| reached.failure())?,
            );
        }
        if limits.all > 0 {
            let reached = Reached { limit: limits.all, group: None };
            taken.all =
                Some(slot(root, &prefix(limits, "all"), limits.all)?.ok_or_else(|| reached.failure())?);
        }
        Ok(taken)
    }

    /// The number of the root's slot, from 0; the agent learns it, to share out things such as GPUs.
    pub fn number(&self) -> Option<u32> {
        self.all.as_ref().or(self.group.as_ref()).map(|slot| slot.number)
    }

    /// Second handles on the locks, for the guard of the run.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn handles(&self) -> io::Result<Vec<File>> {
        [&self.group, &self.all].into_iter().flatten().map(|slot| slot.lock.file().try_clone()).collect()
    }
}

impl Reached {
    fn failure(&self) -> Failure {
        let limit = self.limit;
        let (what, option) = match &self.group {
            Some(group) => (format!("the group `{}`", group.escape_debug()), "--max-per-group"),
            None => ("this workspaces root".to_owned(), "--max-concurrent"),
        };
        let runs = if limit == 1 { "one run is".to_owned() } else { format!("{limit} runs are") };
        Failure::new(Code::NoSlot, format!("{runs} on in {what}, as many as `{option}` allows"))
            .hint("`--wait-slot 10m` waits for the end of one; `execenv list` shows them")
    }
}

/// What the names of slots begin with: those of all runs, or of a group.
fn prefix(limits: &SlotLimits, of: &str) -> String {
    let apart = if limits.coordinates { "lead-" } else { "" };
    format!("{}{apart}{of}-", names::SLOT)
}

/// Takes the lowest free slot; `None`: as many as the limit are taken.
fn slot(root: &Tree, prefix: &str, limit: u32) -> Result<Option<Slot>> {
    let folder = PathBuf::from(names::LOCKS);
    let names =
        root.names(&folder).with_context(|| format!("list {}", root.path().join(&folder).display()))?;
    let mut taken = Vec::new();
    for number in names.iter().filter_map(|name| name.to_str()?.strip_prefix(prefix)?.parse::<u32>().ok()) {
        match try_lock(root, &folder.join(format!("{prefix}{number}")), IfMissing::Fail, Share::Alone) {
            Ok(_) | Err(NotLocked::Missing) => {}
            Err(NotLocked::Busy) => taken.push(number),
            Err(why) => return Err(root_busy(root, &folder.join(format!("{prefix}{number}")), why)),
        }
    }
    if taken.len() >= limit as usize {
        return Ok(None);
    }
    let number = (0..).find(|number| !taken.contains(number)).unwrap_or_default();
    let file = folder.join(format!("{prefix}{number}"));
    let lock =
        try_lock(root, &file, IfMissing::Create, Share::Alone).map_err(|why| root_busy(root, &file, why))?;
    Ok(Some(Slot { number, lock }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(all: u32, group: Option<(&str, u32)>) -> SlotLimits {
        SlotLimits { all, group: group.map(|(name, limit)| (name.to_owned(), limit)), coordinates: false }
    }

    #[test]
    fn slots_are_counted_whatever_limit_their_takers_had() {
        let tmp = tempfile::tempdir().unwrap();
        let root = Tree::open(tmp.path()).unwrap();
        let take = |limits: SlotLimits| Slots::take(&root, &limits);
        let code = |taken: Result<Slots>| Failure::code_of(&taken.unwrap_err());

        assert_eq!(take(limits(0, None)).unwrap().number(), None);
        assert!(root.names(std::path::Path::new("")).unwrap().is_empty(), "no limit needs no file");
        let mut held: Vec<Slots> = (0..3).map(|_| take(limits(3, None)).unwrap()).collect();
        assert_eq!(held.iter().map(|slots| slots.number().unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(code(take(limits(3, None))), Code::NoSlot);
        assert_eq!(code(take(limits(2, None))), Code::NoSlot, "those of a larger limit count");
        drop(held.remove(1));
        assert_eq!(take(limits(3, None)).unwrap().number(), Some(1), "the lowest that is free");

        // Groups do not know each other; one that is full takes nothing of the root's.
        let _a = take(limits(0, Some(("a", 1)))).unwrap();
        assert_eq!(code(take(limits(3, Some(("a", 1))))), Code::NoSlot);
        let _b = take(limits(3, Some(("b", 1)))).unwrap();
        // The root is full again: the group's slot is given back.
        assert_eq!(code(take(limits(3, Some(("c", 1))))), Code::NoSlot);
        assert!(take(limits(0, Some(("c", 1)))).is_ok());

        // Whoever waits for others does not keep them from starting.
        let lead = || take(SlotLimits { coordinates: true, ..limits(1, Some(("a", 1))) });
        let _lead = lead().unwrap();
        assert_eq!(code(lead()), Code::NoSlot);
    }
}
