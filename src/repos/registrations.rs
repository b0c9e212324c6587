//! Registrations of worktrees whose folder is gone.
//!
//! Not `git worktree prune`, which drops every registration whose folder is missing: an environment in the trash may be
//! restored, and a folder outside the root may be on a disk that is not mounted. A worktree that loses its registration
//! loses its index for good. And not `git worktree remove`, which would delete the working files of a worktree that is
//! restored at this moment.

use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use chrono::{DateTime, Duration, Utc};

use super::cache::{Cache, quoted};
use super::layout::LOCK_REASON;
use super::registration::{Registration, WORKTREES};
use crate::environment::staging_lock_alone;
use crate::git::Worktree;
use crate::layout::names;
use crate::order;
use crate::sys::silent::{self, is_missing, is_one_path};
use crate::sys::tree::{FileKind, Tree, leaves_tree};

/// Enough time for `git worktree add`, which writes the path last.
const MAKING: Duration = Duration::hours(1);
/// How long git itself keeps a registration whose folder is missing (`gc.worktreePruneExpire`).
const ABSENT: Duration = Duration::days(90);
/// The largest file of a registration that is read, in bytes.
const MOST_OF_A_FILE: u64 = 64 << 10;
/// How often, and how far apart, the staging lock is tried.
const TRIES: u32 = 40;
const BETWEEN_TRIES: std::time::Duration = std::time::Duration::from_millis(25);

/// Whether a registration may be dropped.
fn is_stale(known: &Registration) -> bool {
    match known {
        Registration { is_locked: true, .. } => false,
        Registration { path: None, age, .. } => *age > MAKING,
        Registration { is_there: true, .. } | Registration { is_in_trash: true, .. } => false,
        Registration { is_below_root: true, .. } => true,
        Registration { age, .. } => *age > ABSENT,
    }
}

impl Cache<'_> {
    /// Drops the registrations that may be dropped, and returns their folders.
    pub(super) fn drop_registrations(&mut self) -> Vec<PathBuf> {
        let mut dropped = Vec::new();
        if let Err(error) = self.drop_stale(&mut dropped) {
            self.report.fail(&error);
        }
        self.report.pruned += u64::from(!dropped.is_empty());
        dropped.into_iter().filter_map(|dropped| dropped.path).collect()
    }

    fn drop_stale(&mut self, dropped: &mut Vec<Registration>) -> Result<()> {
        let mut stale = Vec::new();
        for known in self.registrations()?.into_iter().filter(is_stale) {
            if self.is_only_holder(&known)? {
                let (path, id) = (self.path(), &known.id);
                let commit = known.detached.as_deref().unwrap_or_default();
                self.note(format!(
                    "kept the registration {id} in {path}, whose worktree is gone: its commit {commit} is on no \
                     branch; save it: `git -C {} branch NAME {commit}`",
                    quoted(&path)
                ));
            } else if let Some(what) = self.git.lost_with(&known.id)? {
                let (path, id) = (self.path(), &known.id);
                self.note(format!("kept the registration {id} in {path}, whose worktree is gone: {what}"));
            } else {
                stale.push(known);
            }
        }
        if stale.is_empty() {
            return Ok(());
        }
        let effects = self.effects;
        effects.drop_registrations(self, stale, dropped)
    }

    /// Drops these registrations, as far as they are still stale.
    pub(super) fn drop_each(&self, stale: &[Registration], dropped: &mut Vec<Registration>) -> Result<()> {
        // While it is held nothing is restored from the trash.
        let Some(_quiet) = self.quiet_moment()? else { return Ok(()) };
        let folder = self.bare.plain_subtree(Path::new(WORKTREES)).context("open the registrations")?;
        let mut trouble = Ok(());
        for known in self.registrations()?.into_iter().filter(is_stale) {
            if !stale.iter().any(|stale| (&stale.id, &stale.detached) == (&known.id, &known.detached)) {
                continue;
            }
            match folder.remove_all(Path::new(&known.id)) {
                Ok(()) => dropped.push(known),
                Err(error) => {
                    let dropping = format!("drop the registration {} of {}", known.id, self.path());
                    trouble = trouble.and(Err(error).context(dropping));
                }
            }
        }
        let _ = self.bare.remove_dir(Path::new(WORKTREES)); // removed only when empty, as git does it
        trouble
    }

    /// Whether commits would be lost with a registration: those of a worktree that stood on no branch.
    fn is_only_holder(&self, known: &Registration) -> Result<bool> {
        let Some(commit) = &known.detached else { return Ok(false) };
        Ok(self.git.holders(commit)?.is_empty())
    }

    fn quiet_moment(&self) -> Result<Option<crate::sys::lock::FileLock>> {
        for _ in 0..TRIES {
            if let Some(lock) = staging_lock_alone(self.tree)? {
                return Ok(Some(lock));
            }
            std::thread::sleep(BETWEEN_TRIES);
        }
        Ok(None)
    }

    /// The worktrees but those in `gone`.
    pub(super) fn worktrees(&self, gone: &[PathBuf]) -> Result<Vec<Worktree>> {
        let mut worktrees = self.git.worktrees()?;
        worktrees.retain(|worktree| !gone.contains(&worktree.path));
        Ok(worktrees)
    }

    /// Branches that worktrees will return to after a rebase or a bisection.
    pub(super) fn remembered_branches(&self) -> Result<Vec<String>> {
        const FILES: [&str; 4] =
            ["rebase-merge/head-name", "rebase-merge/update-refs", "rebase-apply/head-name", "BISECT_START"];
        let mut found = Vec::new();
        for id in ids(&self.bare)? {
            for file in FILES {
                let file = Path::new(WORKTREES).join(&id).join(file);
                let reading = || format!("read {}", self.bare.path().join(&file).display());
                let Some(bytes) = self.bare.read(&file, MOST_OF_A_FILE).with_context(reading)? else {
                    continue;
                };
                let text = String::from_utf8_lossy(&bytes);
                found.extend(text.lines().map(|line| match line.strip_prefix("refs/") {
                    Some(_) => line.to_owned(),
                    None => format!("refs/heads/{line}"),
                }));
            }
        }
        Ok(found)
    }

    fn registrations(&self) -> Result<Vec<Registration>> {
        let root = self.root.path().canonicalize()?;
        ids(&self.bare)?.into_iter().map(|id| self.look(id, &root)).collect()
    }

    fn look(&self, id: String, root: &Path) -> Result<Registration> {
        let place = Path::new(WORKTREES).join(&id);
        let read = |name: &str| {
            let reading = || format!("read {}", self.bare.path().join(&place).join(name).display());
            self.bare.read(&place.join(name), MOST_OF_A_FILE).with_context(reading)
        };
        let path = read("gitdir")?.and_then(|text| worktree_path(&text, &self.bare.path().join(&place)));
        let is_its = |path: &Path| !is_missing(&path.join(".git")) && !self.is_of_another(path, &id);
        let is_locked = read("locked")?.is_some_and(|reason| !reason.starts_with(LOCK_REASON.as_bytes()));
        let mut known = Registration {
            is_locked,
            is_there: path.as_deref().is_some_and(is_its),
            is_below_root: false,
            is_in_trash: false,
            detached: read("HEAD")?.and_then(|text| commit(&text)),
            age: self.policy.now - last_change(&self.bare.path().join(&place)),
            id,
            path,
        };
        let named = known.path.as_deref();
        let below =
            named.and_then(|path| path.strip_prefix(root).or(path.strip_prefix(self.root.path())).ok());
        if let Some(below) = below.filter(|_| !known.is_there) {
            known.is_below_root = true;
            known.is_in_trash = self.is_in_trash(below, &known.id)?;
        }
        Ok(known)
    }

    /// Whether the worktree at a path belongs to another registration of this repository: a checkout that was killed after its
    /// registration has left one that names the place of the next.
    fn is_of_another(&self, path: &Path, id: &str) -> bool {
        // Its disk may not answer.
        if silent::is_dir(path) != Some(true) {
            return false;
        }
        let Ok(Some(text)) = Tree::open(path).and_then(|tree| tree.read(Path::new(".git"), MOST_OF_A_FILE))
        else {
            return false;
        };
        let Some(named) = gitdir(&text).map(|named| normal(&path.join(named))) else { return false };
        let others = named.file_name().is_some_and(|name| name != id);
        let folder = self.bare.path().join(WORKTREES);
        others && named.parent().is_some_and(|parent| is_one_path(parent, &folder)) && named.is_dir()
    }

    /// Whether an entry of the trash holds the worktree that belongs to this registration: its `.git` says so,
    /// whatever the entry is called.
    fn is_in_trash(&self, below: &Path, id: &str) -> Result<bool> {
        let in_env: PathBuf = below.components().skip(2).collect();
        let trash = Path::new(names::TRASH);
        let mut entries = match self.tree.names(trash) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            entries => entries.context("list the trash")?,
        };
        let back = Path::new(self.relative.file_name().unwrap_or_default()).join(WORKTREES).join(id);
        // Those that are called after the environment first: mostly it is one of them.
        let mut steps = below.components().map(|step| step.as_os_str().as_encoded_bytes());
        let called =
            [steps.next().unwrap_or_default(), b"+", steps.next().unwrap_or_default(), b"+"].concat();
        order::sort_by_key(&mut entries, |entry| !entry.as_encoded_bytes().starts_with(&called));
        for entry in entries {
            for inside in [Some(&*in_env), in_env.strip_prefix(names::WORK_DIR).ok()].into_iter().flatten() {
                let file = trash.join(&entry).join(inside).join(".git");
                match self.tree.read(&file, MOST_OF_A_FILE) {
                    Ok(text)
                        if !text.as_deref().and_then(gitdir).is_some_and(|path| path.ends_with(&back)) => {}
                    Err(error) if proves_absence(&error) => {}
                    _ => return Ok(true), // it does, or may
                }
            }
        }
        Ok(false)
    }
}

fn ids(bare: &Tree) -> Result<Vec<String>> {
    let listing = || format!("list the worktrees of {}", bare.path().display());
    let folder = match bare.plain_subtree(Path::new(WORKTREES)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        folder => folder.with_context(listing)?,
    };
    let names = folder.names(Path::new("")).with_context(listing)?;
    let mut ids: Vec<String> = names.into_iter().filter_map(|name| name.into_string().ok()).collect();
    ids.retain(|id| matches!(folder.kind(Path::new(id)), Ok(Some(FileKind::Dir))));
    order::sort(&mut ids);
    Ok(ids)
}

/// The worktree that a registration names: the folder of the `.git` file, by a path that may be relative to it.
fn worktree_path(text: &[u8], place: &Path) -> Option<PathBuf> {
    let path = plain_path(text)?;
    Some(normal(&place.join(path)).parent()?.to_owned())
}

/// The repository that a worktree's `.git` file names.
fn gitdir(text: &[u8]) -> Option<PathBuf> {
    plain_path(text.strip_prefix(b"gitdir: ")?)
}

/// The commit that a `HEAD` names itself, rather than by a branch.
fn commit(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?.trim_end();
    let is_id = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_id && text.bytes().any(|byte| byte != b'0')).then(|| text.to_owned())
}

fn plain_path(text: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    (!text.is_empty()).then(|| std::ffi::OsStr::from_bytes(text).into())
}

/// The path without `.` and `..`, by its words alone: what it names may be gone.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for step in path.components() {
        match step {
            Component::ParentDir => _ = normal.pop(),
            Component::CurDir => {}
            step => normal.push(step),
        }
    }
    normal
}

/// Whether an error says that no file of a worktree is at a place: a step to it is none, or leads out of the tree.
fn proves_absence(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotADirectory || leaves_tree(error)
}

/// The last change to what git writes when a worktree is used.
fn last_change(place: &Path) -> DateTime<Utc> {
    let changed = |path: PathBuf| path.symlink_metadata().and_then(|metadata| metadata.modified()).ok();
    let files = ["", "index", "HEAD", "logs/HEAD"].map(|name| changed(place.join(name)));
    files.into_iter().flatten().max().unwrap_or(SystemTime::UNIX_EPOCH).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_back_stays_registered() {
        let gone = Registration {
            id: "x".into(),
            path: Some("/root/w/k/workdir/x".into()),
            is_locked: false,
            is_there: false,
            is_below_root: true,
            is_in_trash: false,
            detached: None,
            age: Duration::zero(),
        };
        let outside = Registration { is_below_root: false, ..gone.clone() };
        let nameless = Registration { path: None, ..outside.clone() };
        let old = |known: &Registration, age| Registration { age, ..known.clone() };
        for (known, expected, why) in [
            (gone.clone(), true, "an environment that is gone"),
            (Registration { is_there: true, ..gone.clone() }, false, "there"),
            (Registration { is_in_trash: true, ..gone.clone() }, false, "in the trash"),
            (Registration { is_locked: true, ..gone.clone() }, false, "locked"),
            (outside.clone(), false, "perhaps on a disk that is away"),
            (old(&outside, ABSENT + Duration::seconds(1)), true, "away for long"),
            (nameless.clone(), false, "perhaps being made"),
            (old(&nameless, MAKING + Duration::seconds(1)), true, "half removed"),
            (Registration { is_locked: true, ..old(&nameless, ABSENT) }, false, "locked while it is made"),
        ] {
            assert_eq!(is_stale(&known), expected, "{why}");
        }
    }

    #[test]
    fn a_registration_names_its_worktree_absolutely_or_not() {
        let place = Path::new("/root/.repos/w/r.git/worktrees/x");
        for (text, expected) in [
            ("/root/w/k/workdir/x/.git\n", Some("/root/w/k/workdir/x")),
            ("../../../../../w/k/workdir/x/.git\n", Some("/root/w/k/workdir/x")),
            ("\n", None),
        ] {
            assert_eq!(worktree_path(text.as_bytes(), place), expected.map(PathBuf::from), "{text}");
        }
    }
}
