//! Which bounds on free space cannot be met, whatever is removed: nothing is removed for those.

use super::bounds::{Account, Bound, Bounds, Candidate};
use super::effects::TrashItem;
use super::state::Cycle;
use crate::environment::Meta;
use crate::environment::{FoundEnv, unsaved_in_trash, unsaved_work};
use crate::gc::hold::open_root;
use crate::repos::IdleRepo;

/// The bounds on free space that everything together cannot meet, each with what could be freed, in bytes.
///
/// Sizes are asked first; only where they would be enough is git asked what may go, in the order of removal.
pub(super) fn out_of_reach(
    cycle: &Cycle<'_>,
    bounds: &Bounds,
    account: &Account,
    (trash, repos): (&[TrashItem], &[IdleRepo]),
    candidates: &[Candidate],
) -> Vec<(Bound, u64)> {
    let missing = bounds.missing_space(account);
    let Some(most) = missing.iter().map(|(_, bytes)| *bytes).max() else { return Vec::new() };
    let items: Vec<(Item<'_>, u64)> = trash
        .iter()
        .map(Item::Trash)
        .chain(repos.iter().map(Item::Repo))
        .chain(candidates.iter().map(Item::Env))
        .map(|item| (item, item.bytes(cycle)))
        .collect();
    let all: u64 = items.iter().map(|(_, bytes)| bytes).sum();
    let mut possible = 0;
    if missing.iter().any(|(_, bytes)| *bytes <= all) {
        for (item, bytes) in items {
            if possible >= most || cycle.request.is_stopped() {
                break;
            }
            if bytes > 0 && item.may_go(cycle) {
                possible += bytes;
            }
        }
    } else {
        possible = all;
    }
    missing.into_iter().filter(|(_, bytes)| *bytes > possible).map(|(bound, _)| (bound, possible)).collect()
}

/// Something that a bound might take.
#[derive(Clone, Copy)]
enum Item<'a> {
    Trash(&'a TrashItem),
    Repo(&'a IdleRepo),
    Env(&'a Candidate),
}

impl Item<'_> {
    fn bytes(self, cycle: &Cycle<'_>) -> u64 {
        match self {
            Item::Trash(item) => item.bytes(cycle.request.root),
            Item::Repo(repo) => repo.bytes,
            Item::Env(candidate) => cycle.effects.env_bytes(&candidate.root_dir(cycle.tree)),
        }
    }

    /// Whether it holds no unsaved work.
    fn may_go(self, cycle: &Cycle<'_>) -> bool {
        let (root, git) = (cycle.request.root, cycle.request.git);
        match self {
            Item::Trash(TrashItem::WouldBe { .. }) | Item::Repo(_) => true,
            Item::Trash(TrashItem::Entry(entry)) => unsaved_in_trash(root, cycle.tree, entry, git).is_empty(),
            Item::Env(candidate) => {
                open_root(&candidate.root_dir(cycle.tree)).ok().flatten().is_some_and(|env| {
                    let meta = Meta::load(&env.tree).ok().flatten();
                    unsaved_work(&FoundEnv::new(env, meta), true, git).is_empty()
                })
            }
        }
    }
}
