//! Whether all is merged that is to be, and what is left out on purpose.

use anyhow::Result;
use serde_json::Map;

use super::branches::{Counted, Standing, TaskBranch, choose};
use super::desk::Desk;
use crate::environment::{Durability, Meta, SkippedBranch};

/// The branches of tasks by what has become of them.
#[derive(Debug, Default)]
pub struct Completeness {
    /// Merged.
    pub merged: Vec<TaskBranch>,
    /// Left out on purpose.
    pub skipped: Vec<TaskBranch>,
    /// Still to be merged.
    pub unmerged: Vec<TaskBranch>,
    /// Neither, but there before the environment: they do not count.
    pub older: Vec<TaskBranch>,
}

impl Completeness {
    /// Sorts branches by what has become of them.
    pub fn of(branches: Vec<TaskBranch>) -> Completeness {
        let mut all = Completeness::default();
        for branch in branches {
            match (&branch.standing, branch.counted) {
                (Standing::Unmerged, Counted::Older) => &mut all.older,
                (_, Counted::Older) => continue,
                (Standing::Merged(_), _) => &mut all.merged,
                (Standing::Skipped(_), _) => &mut all.skipped,
                (Standing::Unmerged, _) => &mut all.unmerged,
            }
            .push(branch);
        }
        all
    }

    /// Whether nothing is left to be merged.
    pub fn is_complete(&self) -> bool {
        self.unmerged.is_empty()
    }
}

impl Desk<'_> {
    /// Leaves the branch of a task out, for a reason; without one it is to be merged again. `key`: the environment that `text`
    /// names. Needs no lock on the environment: only the record changes.
    ///
    /// # Errors
    /// As [`Desk::chosen`].
    pub fn skip(&mut self, text: &str, key: Option<&str>, reason: Option<&str>) -> Result<TaskBranch> {
        let mut branches = self.task_branches()?;
        let name = self.only(choose(branches.iter().map(|it| it.name.as_str()), text, key), text)?.to_owned();
        let (below, now) = (self.place.below().to_owned(), self.now);
        let skipped = reason.map(|reason| SkippedBranch {
            repository: below.clone(),
            branch: name.clone(),
            reason: reason.to_owned(),
            at: Some(now),
            other: Map::new(),
        });
        let meta = Meta::change_own(&self.env.env.tree, Durability::Synced, |_, own| {
            own.merge.skipped.retain(|it| (&it.repository, &it.branch) != (&below, &name));
            own.merge.skipped.extend(skipped);
        })?;
        self.record = meta.own.map(|own| own.merge).unwrap_or_default();
        branches.retain(|branch| branch.name == name);
        Ok(branches.remove(0))
    }
}
