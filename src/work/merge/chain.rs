//! Tasks that go on with the work of another one (`prepare --continue-from`): the later one begins with all files of the earlier one.
//! So the branch of the earlier one is merged when that of the later one is, also where that was squashed or the work was not
//! committed.
//!
//! Which environment continues which one is in their records, which an agent can write. What it can get by that is a branch that
//! counts as merged; nothing is deleted for it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::branches::{By, Standing, TaskBranch, is_of_task};
use super::desk::Desk;
use crate::environment::FoundEnv;

/// The task that another one continues.
struct Earlier {
    key: String,
    /// When the later one was made: it does not have what was committed after that.
    until: DateTime<Utc>,
}

impl Desk<'_> {
    /// Marks the branches of tasks whose work is in a later one that is merged. What this environment itself continues is older than it,
    /// and not counted.
    pub(super) fn follow_chains(&self, branches: &mut [TaskBranch]) {
        let is_merged = |branch: &&TaskBranch| matches!(branch.standing, Standing::Merged(_));
        let mut later: Vec<String> = branches.iter().filter(is_merged).map(|it| it.key.clone()).collect();
        let mut seen = HashSet::new();
        while let Some(key) = later.pop() {
            let Some(earlier) = self.continued(&key) else { continue };
            if !seen.insert(earlier.key.clone()) {
                continue;
            }
            let mut is_whole = true;
            for branch in branches.iter_mut().filter(|it| is_of_task(&it.name, &earlier.key)) {
                if branch.standing == Standing::Unmerged {
                    match branch.committed_at {
                        Some(at) if at <= earlier.until => branch.standing = Standing::Merged(By::Chain),
                        _ => is_whole = false,
                    }
                }
            }
            if is_whole {
                later.push(earlier.key);
            }
        }
    }

    /// The task that the task of a key continues, as the record of its environment says.
    fn continued(&self, key: &str) -> Option<Earlier> {
        // A number follows where the name of a branch was taken.
        let key = key.split('-').next()?;
        let workspace = self.env.env.path.parent()?;
        let own = FoundEnv::open(&workspace.join(key)).ok()?.meta?.own?;
        let repository = own.repository?;
        let earlier = repository.continued_from.rsplit('/').next()?;
        let is_key = !earlier.is_empty() && earlier.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Some(Earlier { key: is_key.then(|| earlier.to_owned())?, until: own.prepared_at? })
    }
}
