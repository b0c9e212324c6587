//! Disk usage of environments, by the names of multica's disk-usage report, and of what lies beside them.
//!
//! Everything here is arithmetic on what [`look()`] and [`outside()`] found on the disk.

mod look;
mod outside;
mod parts;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

pub use look::{count_tasks, look};
pub use outside::{Outside, Places, outside};
pub use parts::PartUsage;

use super::artifacts::{MANAGED, Patterns};

use crate::order;

/// One environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TaskUsage {
    /// The workspace's id, as `list` shows it: from the environment's files, else the folder's name.
    pub workspace_id: String,
    /// The workspace's folder name.
    #[serde(skip)]
    pub workspace: String,
    /// The same, short.
    pub workspace_short: String,
    /// The environment's folder name.
    pub task_short: String,
    /// Its path.
    pub path: String,
    /// Upstream's kind, or `unknown`.
    pub kind: String,
    /// Its status, as `list` shows it.
    pub status: &'static str,
    /// What the server says of its parent; empty without one.
    pub parent_status: String,
    /// The parent's id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub parent_id: String,
    /// Time since it was last used, as far as that is known.
    pub age_seconds: u64,
    /// The size of all regular files, including repositories.
    pub size_bytes: u64,
    /// Of these, build artifacts.
    pub artifact_size_bytes: u64,
    /// What it consists of, the largest first; only with `du --tree`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartUsage>,
}

/// One workspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WorkspaceUsage {
    /// Its id, as its environments name it, else its folder name.
    pub workspace_id: String,
    /// Its folder name.
    #[serde(skip)]
    pub workspace: String,
    /// The same, short.
    pub workspace_short: String,
    /// How many environments it has.
    pub task_count: u64,
    /// Their size.
    pub size_bytes: u64,
    /// Of these, build artifacts.
    pub artifact_size_bytes: u64,
    /// Artifacts as a part of all.
    pub artifact_ratio: f64,
    /// The age of its oldest environment.
    pub oldest_age_seconds: u64,
}

/// Sums over a whole scan, even if only a part of it is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Totals {
    /// Environments.
    #[serde(rename = "total_task_count")]
    pub tasks: u64,
    /// Workspaces with at least one.
    #[serde(rename = "total_workspace_count")]
    pub workspaces: u64,
    /// The size of the environments.
    #[serde(rename = "total_size_bytes")]
    pub size_bytes: u64,
    /// Of these, build artifacts.
    #[serde(rename = "total_artifact_size_bytes")]
    pub artifact_size_bytes: u64,
    /// Artifacts as a part of all.
    #[serde(rename = "total_artifact_ratio")]
    pub artifact_ratio: f64,
}

/// What a root holds besides environments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stores {
    /// The shared bare repositories.
    pub repo_cache_size_bytes: u64,
    /// How many there are.
    pub repo_cache_count: u64,
    /// The trash.
    pub trash_size_bytes: u64,
    /// How many entries it has.
    pub trash_count: u64,
    /// Stores: sessions and memories of agents, which outlive environments.
    pub stores_size_bytes: u64,
    /// How many stores there are.
    pub stores_count: u64,
    /// The root's marker and locks, staging folders, and whatever else lies beside environments.
    pub other_size_bytes: u64,
}

impl Stores {
    /// All of it.
    pub fn size_bytes(&self) -> u64 {
        self.repo_cache_size_bytes + self.trash_size_bytes + self.stores_size_bytes + self.other_size_bytes
    }

    fn and(self, more: &Stores) -> Stores {
        Stores {
            repo_cache_size_bytes: self.repo_cache_size_bytes + more.repo_cache_size_bytes,
            repo_cache_count: self.repo_cache_count + more.repo_cache_count,
            trash_size_bytes: self.trash_size_bytes + more.trash_size_bytes,
            trash_count: self.trash_count + more.trash_count,
            stores_size_bytes: self.stores_size_bytes + more.stores_size_bytes,
            stores_count: self.stores_count + more.stores_count,
            other_size_bytes: self.other_size_bytes + more.other_size_bytes,
        }
    }
}

/// A part of all bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Share {
    /// The part.
    pub bytes: u64,
    /// The part by all; 0 of nothing.
    pub fraction: f64,
}

/// Where the bytes are. All = tasks + trash + repositories + stores + other + outside; artifacts are a part of the tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shares {
    /// Environments, including their artifacts.
    pub tasks: Share,
    /// Their build artifacts.
    pub artifacts: Share,
    /// The trash.
    pub trash: Share,
    /// The shared bare repositories.
    pub repositories: Share,
    /// Stores of agents.
    pub stores: Share,
    /// Everything else below the root.
    pub other: Share,
    /// What lies outside of all roots.
    pub outside: Share,
}

/// The report on one root.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// Version of this object.
    pub schema: u32,
    /// The root.
    pub workspaces_root: String,
    /// When the report was made.
    pub generated_at: DateTime<Utc>,
    /// The patterns in force, sorted.
    pub artifact_patterns: Vec<String>,
    /// Artifacts at one exact place.
    pub managed_artifact_subpaths: Vec<&'static str>,
    /// The environments, largest first.
    pub tasks: Vec<TaskUsage>,
    /// The workspaces, largest first.
    pub workspaces: Vec<WorkspaceUsage>,
    /// Sums.
    #[serde(flatten)]
    pub totals: Totals,
    /// Besides environments.
    #[serde(flatten)]
    pub stores: Stores,
    /// What belongs to environments and lies outside of the root. For several roots it is in their common report.
    pub outside: Vec<Outside>,
    /// Where the bytes are.
    pub shares: Shares,
}

/// One root among several.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProfileReport {
    /// The profile's name.
    pub profile: String,
    /// Its root.
    pub report: Report,
}

/// The report on several roots.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Aggregate {
    /// Version of this object.
    pub schema: u32,
    /// When the report was made.
    pub generated_at: DateTime<Utc>,
    /// The patterns in force, sorted.
    pub artifact_patterns: Vec<String>,
    /// Artifacts at one exact place.
    pub managed_artifact_subpaths: Vec<&'static str>,
    /// The roots, in the order they were named.
    pub roots: Vec<ProfileReport>,
    /// Sums over all.
    #[serde(flatten)]
    pub totals: Totals,
    /// Besides environments, over all.
    #[serde(flatten)]
    pub stores: TotalStores,
    /// What belongs to environments and lies outside of all roots.
    pub outside: Vec<Outside>,
    /// Where the bytes are.
    pub shares: Shares,
}

/// [`Stores`] of several roots, by multica's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TotalStores {
    /// The shared repositories.
    pub total_repo_cache_size_bytes: u64,
    /// How many there are.
    pub total_repo_cache_count: u64,
    /// The trash.
    pub total_trash_size_bytes: u64,
    /// Its entries.
    pub total_trash_count: u64,
    /// Conversations and memories of agents.
    pub total_stores_size_bytes: u64,
    /// How many stores there are.
    pub total_stores_count: u64,
    /// Marker files, locks, leftovers.
    pub total_other_size_bytes: u64,
}

/// The version of the reports.
const SCHEMA: u32 = 1;

/// What was found in a root, not yet summed up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scan {
    /// The environments, in any order.
    pub tasks: Vec<TaskUsage>,
    /// Besides them.
    pub stores: Stores,
}

impl Report {
    /// Sums up one root.
    pub fn of(
        root: &str,
        scan: Scan,
        outside: Vec<Outside>,
        patterns: &Patterns,
        now: DateTime<Utc>,
    ) -> Report {
        let Scan { mut tasks, stores } = scan;
        order::sort_by(&mut tasks, |a, b| {
            (Reverse(a.size_bytes), &a.path).cmp(&(Reverse(b.size_bytes), &b.path))
        });
        let workspaces = by_workspace(&tasks);
        let totals = Totals::default().and(&tasks, workspaces.len());
        Report {
            schema: SCHEMA,
            workspaces_root: root.to_owned(),
            generated_at: now,
            artifact_patterns: patterns.names().map(str::to_owned).collect(),
            managed_artifact_subpaths: vec![MANAGED],
            shares: Shares::of(&totals, &stores, &outside),
            tasks,
            workspaces,
            totals,
            stores,
            outside,
        }
    }

    /// Changes which environments are reported, and the workspaces with them. Sums do not change.
    pub fn select(&mut self, select: impl FnOnce(&mut Vec<TaskUsage>)) {
        select(&mut self.tasks);
        self.workspaces = by_workspace(&self.tasks);
    }

    /// Keeps only the first environments, or workspaces. Sums do not change.
    pub fn keep_first(&mut self, count: usize, workspaces: bool) {
        match workspaces {
            true => self.workspaces.truncate(count),
            false => self.tasks.truncate(count),
        }
    }
}

impl Aggregate {
    /// Sums up several roots, whose reports must not be cut yet.
    pub fn of(
        roots: Vec<ProfileReport>,
        outside: Vec<Outside>,
        patterns: &Patterns,
        now: DateTime<Utc>,
    ) -> Aggregate {
        let mut totals = Totals::default();
        let mut stores = Stores::default();
        for ProfileReport { report, .. } in &roots {
            totals = totals.and(&report.tasks, report.workspaces.len());
            stores = stores.and(&report.stores);
        }
        Aggregate {
            schema: SCHEMA,
            generated_at: now,
            artifact_patterns: patterns.names().map(str::to_owned).collect(),
            managed_artifact_subpaths: vec![MANAGED],
            shares: Shares::of(&totals, &stores, &outside),
            roots,
            totals,
            stores: TotalStores {
                total_repo_cache_size_bytes: stores.repo_cache_size_bytes,
                total_repo_cache_count: stores.repo_cache_count,
                total_trash_size_bytes: stores.trash_size_bytes,
                total_trash_count: stores.trash_count,
                total_stores_size_bytes: stores.stores_size_bytes,
                total_stores_count: stores.stores_count,
                total_other_size_bytes: stores.other_size_bytes,
            },
            outside,
        }
    }
}

impl Totals {
    fn and(mut self, tasks: &[TaskUsage], workspaces: usize) -> Totals {
        self.tasks += tasks.len() as u64;
        self.workspaces += workspaces as u64;
        self.size_bytes += tasks.iter().map(|task| task.size_bytes).sum::<u64>();
        self.artifact_size_bytes += tasks.iter().map(|task| task.artifact_size_bytes).sum::<u64>();
        self.artifact_ratio = ratio(self.artifact_size_bytes, self.size_bytes);
        self
    }
}

impl Shares {
    fn of(totals: &Totals, stores: &Stores, outside: &[Outside]) -> Shares {
        let outside = outside.iter().map(|place| place.size_bytes).sum::<u64>();
        let all = totals.size_bytes + stores.size_bytes() + outside;
        let share = |bytes| Share { bytes, fraction: ratio(bytes, all) };
        Shares {
            tasks: share(totals.size_bytes),
            artifacts: share(totals.artifact_size_bytes),
            trash: share(stores.trash_size_bytes),
            repositories: share(stores.repo_cache_size_bytes),
            stores: share(stores.stores_size_bytes),
            other: share(stores.other_size_bytes),
            outside: share(outside),
        }
    }
}

fn by_workspace(tasks: &[TaskUsage]) -> Vec<WorkspaceUsage> {
    let mut found: BTreeMap<&str, WorkspaceUsage> = BTreeMap::new();
    for task in tasks {
        let workspace = found.entry(&task.workspace).or_insert_with(|| WorkspaceUsage {
            workspace_id: task.workspace.clone(),
            workspace: task.workspace.clone(),
            workspace_short: task.workspace_short.clone(),
            ..WorkspaceUsage::default()
        });
        if task.workspace_id != task.workspace {
            workspace.workspace_id.clone_from(&task.workspace_id);
        }
        workspace.task_count += 1;
        workspace.size_bytes += task.size_bytes;
        workspace.artifact_size_bytes += task.artifact_size_bytes;
        workspace.artifact_ratio = ratio(workspace.artifact_size_bytes, workspace.size_bytes);
        workspace.oldest_age_seconds = workspace.oldest_age_seconds.max(task.age_seconds);
    }
    let mut found: Vec<WorkspaceUsage> = found.into_values().collect();
    order::sort_by_key(&mut found, |workspace| Reverse(workspace.size_bytes)); // stable: ties stay by name
    found
}

/// A part of a whole; 0 of nothing.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(workspace: &str, name: &str, size_bytes: u64, artifact_size_bytes: u64) -> TaskUsage {
        TaskUsage {
            workspace_id: workspace.to_owned(),
            workspace: workspace.to_owned(),
            path: format!("/r/{workspace}/{name}"),
            size_bytes,
            artifact_size_bytes,
            age_seconds: size_bytes,
            ..TaskUsage::default()
        }
    }

    fn report(tasks: Vec<TaskUsage>, stores: Stores) -> Report {
        let outside = vec![Outside { path: "/tmp".into(), what: "task_temp_dirs", size_bytes: 25, count: 1 }];
        let outside = if stores.trash_count > 0 { outside } else { Vec::new() };
        Report::of(
            "/r",
            Scan { tasks, stores },
            outside,
            &Patterns::parse("b,a").unwrap(),
            DateTime::UNIX_EPOCH,
        )
    }

    #[test]
    fn the_largest_comes_first_ties_by_path_and_sums_are_of_the_whole() {
        let tasks =
            vec![task("w", "b", 5, 0), task("v", "c", 5, 5), task("w", "a", 5, 0), task("w", "d", 35, 15)];
        let stores = Stores {
            trash_size_bytes: 20,
            trash_count: 1,
            repo_cache_size_bytes: 5,
            repo_cache_count: 1,
            ..Stores::default()
        };
        let mut report = report(tasks, stores);
        let paths: Vec<&str> = report.tasks.iter().map(|task| task.path.as_str()).collect();
        assert_eq!(paths, ["/r/w/d", "/r/v/c", "/r/w/a", "/r/w/b"]);
        let rows: Vec<_> =
            report.workspaces.iter().map(|w| (&*w.workspace_id, w.task_count, w.size_bytes)).collect();
        assert_eq!(rows, [("w", 3, 45), ("v", 1, 5)]);
        assert_eq!(
            (report.workspaces[0].artifact_ratio, report.workspaces[0].oldest_age_seconds),
            (15.0 / 45.0, 35)
        );
        assert_eq!(report.artifact_patterns, ["a", "b"]);
        let shares = report.shares;
        assert_eq!((shares.tasks.fraction, shares.artifacts.fraction), (0.5, 0.2));
        assert_eq!((shares.trash.fraction, shares.repositories.bytes), (0.2, 5));
        assert_eq!(shares.outside, Share { bytes: 25, fraction: 0.25 });
        let whole = report.totals;
        report.keep_first(1, false);
        assert_eq!((report.tasks.len(), report.workspaces.len(), report.totals), (1, 2, whole));
        report.keep_first(1, true);
        assert_eq!(report.workspaces.len(), 1);
    }

    #[test]
    fn nothing_is_no_part_of_nothing() {
        for tasks in [vec![], vec![task("w", "a", 0, 0)]] {
            let report = report(tasks, Stores::default());
            assert_eq!((report.totals.artifact_ratio, report.shares), (0.0, Shares::default()));
            assert!(report.workspaces.iter().all(|workspace| workspace.artifact_ratio == 0.0));
        }
    }
}
