//! Compares a user folder with the state recorded before prepare, and lists each difference.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use super::lookup::FoundEnv;
use super::trust::Trust;
use super::user_folder::UserFolder;
use crate::failure::{Code, Failure};
use crate::formats::path_text;
use crate::layout::names;
use crate::sidecar::{Before, Change, EntryKind, Inventory, Manifest, ManifestEntry, State, Unread};
use crate::sys::tree::{FileKind, Tree};

/// Longest file that is compared by its bytes.
const MAX_COMPARED: u64 = 256 << 20;

/// The comparison's result.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// The folder that was compared.
    #[serde(serialize_with = "path_text::serialize")]
    pub work_dir: PathBuf,
    /// How many places were compared: everything that prepare or reuse touched.
    pub compared: usize,
    /// How many entries the inventory of the folder has; `None`: other files were not compared.
    pub inventory: Option<usize>,
    /// What of the folder could not be compared, each with the reason.
    pub not_compared: Vec<Unread>,
    /// The differences.
    pub differences: Vec<Difference>,
}

/// One path that differs.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Difference {
    /// Where.
    #[serde(serialize_with = "path_text::serialize")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub path: PathBuf,
    /// What stood there before prepare.
    pub expected: String,
    /// What stands there now.
    pub found: String,
    /// `execenv`, or `other`: the agent, the user or another program.
    pub by: &'static str,
}

/// Compares every place that was touched with what was recorded before it was touched; with an inventory, the whole folder.
///
/// # Errors
/// When the folder or the record cannot be read.
pub fn verify(found: &FoundEnv, trust: Trust<'_>) -> Result<Verification> {
    let manifest = Manifest::load(&found.env.tree)?;
    let (tree, work_dir) = match found.user_folder(manifest.as_ref(), trust)? {
        Some(UserFolder { tree, path, .. }) => (tree, path),
        None => (found.open_work_dir(trust)?, found.work_dir_path()),
    };
    let record = manifest.and_then(|manifest| manifest.record).unwrap_or_default();
    let is_over = record.state == State::TakenBack;
    let entries = record.touched();
    if entries.is_empty() {
        let message = format!("nothing records how {} was before `prepare`", work_dir.display());
        return Err(Failure::new(Code::Unproved, message)
            .hint("compare it with a backup, or with `git status`")
            .into());
    }
    let touched = entries.iter().filter_map(|entry| compare(&tree, &work_dir, entry, is_over));
    let mut verification = Verification {
        compared: entries.len(),
        inventory: None,
        not_compared: Vec::new(),
        differences: touched.collect(),
        work_dir,
    };
    if let Some(sha256) = &record.inventory {
        verification.add_inventory(&found.env.tree, &tree, sha256, &entries)?;
    }
    Ok(verification)
}

impl Verification {
    /// Compares everything that was not touched.
    fn add_inventory(
        &mut self,
        env: &Tree,
        work_tree: &Tree,
        sha256: &str,
        touched: &[ManifestEntry],
    ) -> Result<()> {
        let inventory = Inventory::load(env, sha256).map_err(|error| {
            let path = env.path().join(names::INVENTORY);
            Failure::new(Code::Unproved, format!("{} cannot be used: {error}", path.display()))
                .hint("compare the folder with a backup, or with `git status`")
        })?;
        let comparing = || format!("compare {}", self.work_dir.display());
        let (changes, not_compared) = inventory.changes(work_tree).with_context(comparing)?;
        let touched: HashSet<&Path> = touched.iter().map(|entry| entry.path.as_path()).collect();
        let others = changes.into_iter().filter(|change| !touched.contains(change.path.as_path()));
        let others = others.map(|Change { path, was, is }| Difference {
            path: self.work_dir.join(path),
            expected: was,
            found: is,
            by: "other",
        });
        self.differences.extend(others.collect::<Vec<_>>());
        self.inventory = Some(inventory.count());
        self.not_compared = not_compared;
        Ok(())
    }
}

/// Whether a user folder has nothing of execenv's any more: everything was taken back, and no place that was touched holds
/// it again. What the agent or the user changed does not count. Only a folder that a proved record names is opened.
pub fn is_restored(found: &FoundEnv, trust: Trust<'_>) -> bool {
    let Ok(Some(manifest)) = Manifest::load(&found.env.tree) else { return false };
    let is_listed = !manifest.files.is_empty() || !manifest.dirs.is_empty();
    let Ok(Some(UserFolder { tree, path: work_dir, .. })) = found.user_folder(Some(&manifest), trust) else {
        return false;
    };
    let Some(record) = manifest.record.filter(|record| record.state == State::TakenBack && !is_listed) else {
        return false;
    };
    let touched = record.touched();
    touched.iter().filter_map(|entry| compare(&tree, &work_dir, entry, true)).all(|it| it.by != "execenv")
}

fn compare(tree: &Tree, work_dir: &Path, entry: &ManifestEntry, is_over: bool) -> Option<Difference> {
    let difference = |expected: String, found: String, is_ours: bool| {
        let by = if is_ours { "execenv" } else { "other" };
        Some(Difference { path: work_dir.join(&entry.path), expected, found, by })
    };
    let expected = entry.before.as_ref().map_or_else(|| "nothing".to_owned(), |before| before.describe(None));
    let kind = match tree.kind(&entry.path) {
        Ok(kind) => kind,
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => None,
        Err(error) => return difference(expected, format!("unreadable ({error})"), false),
    };
    let link = (kind == Some(FileKind::Link)).then(|| tree.read_link(&entry.path).ok()).flatten();
    let target = match &link {
        Some(_) => tree.resolve(&entry.path).unwrap_or_else(|_| entry.path.clone()),
        None => entry.path.clone(),
    };
    let resolved = if link.is_some() { tree.kind(&target).ok().flatten() } else { kind };
    match (resolved, &entry.before) {
        (None, None) => None,
        (None, Some(_)) => difference(expected, "nothing".into(), false),
        (Some(FileKind::Dir), None) => {
            // Once all is taken back, a folder stays if it holds other files.
            let holds_ours = !is_over || tree.names(&target).is_ok_and(|names| names.is_empty());
            let ours = entry.kind == EntryKind::Dir && holds_ours;
            difference(expected, "a folder".into(), ours)
        }
        (Some(FileKind::File { len, mode }), before) => {
            let bytes = tree.read(&target, MAX_COMPARED).ok().flatten();
            let now = bytes.as_ref().and_then(|bytes| Before::of(tree, &target, bytes, mode, link).ok());
            let Some(now) = now else {
                return difference(expected, format!("a file of {len} bytes that cannot be read"), false);
            };
            let Some(before) = before else {
                return difference(expected, now.describe(None), Some(&now.sha256) == entry.sha256.as_ref());
            };
            if before.is_same(&now) {
                return None;
            }
            let is_ours = Some(&now.sha256) == entry.sha256.as_ref();
            difference(before.describe(Some(&now)), now.describe(Some(before)), is_ours)
        }
        (Some(other), _) => difference(expected, format!("{other:?}").to_lowercase(), false),
    }
}
