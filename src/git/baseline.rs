//! What a checkout holds at present, as a commit: tracked changes, and files that are neither tracked nor ignored. A task's
//! branch begins there. The user's index, files, stashes and refs stay as they are.
//!
//! The repository is the user's, so its filters run, as they would for `git stash`. What the commit could not hold is an
//! obstacle: the agent must not begin from less than the user sees.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::command::GitCommand;
use super::identity::GitIdentity;
use super::profile::Network;
use super::program::Git;
use super::repository::Repository;
use crate::sys::tree::{FileKind, Tree};

/// The message of the commit: a branch of which it is the only commit has no work of the agent's.
const MESSAGE: &str = "execenv: uncommitted changes of the local directory";
/// The most files that are not tracked, and the most bytes in them.
const MOST_FILES: usize = 2_000;
const MOST_BYTES: u64 = 200 << 20;
/// The largest index that is copied, in bytes.
const MOST_OF_AN_INDEX: u64 = 1 << 30;
/// Settings of every call: an index that is split would be written into the user's git folder.
const SETTINGS: [&str; 4] = ["-c", "core.splitIndex=false", "-c", "core.safecrlf=false"];

/// The present state of a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// The branch that is checked out, without `refs/heads/`; HEAD where there is none.
    pub name: String,
    /// The commit that holds it: that of HEAD, if nothing has changed since.
    pub commit: String,
    /// How many changed files the index hides from git; they are not in the commit.
    pub hidden: usize,
}

/// Where a commit of the present state is made.
#[derive(Clone, Copy, Debug)]
pub struct BaselinePlan<'a> {
    /// The top of the checkout.
    pub top: &'a Path,
    /// An open folder of ours, and the name in it of an index file that is not there.
    pub index: (&'a Tree, &'a Path),
    /// In whose name the commit is made.
    pub by: &'a GitIdentity,
    /// The folder, relative to the top, in which a tool keeps such a file; such files are left out.
    pub scratch: fn(&Path) -> Option<PathBuf>,
}

impl Git {
    /// Writes what a checkout holds at present as a commit on its HEAD, without a ref. `Err` of the inner result: why it
    /// cannot be held by a commit.
    ///
    /// # Errors
    /// As git and the system report them.
    pub fn baseline(&self, plan: &BaselinePlan<'_>) -> Result<std::result::Result<Baseline, String>> {
        let checkout = self.at(plan.top);
        let folders = checkout.git_folders()?;
        let (tree, name) = plan.index;
        copy_index(&folders.own, tree, name).context("copy the index")?;
        let made = Commit { checkout, index: tree.path().join(name), plan }.make();
        let removed = tree.remove_file(name).context("remove the copy of the index");
        let mut made = made?;
        removed?;
        if let Ok(baseline) = &mut made {
            let view = checkout.view(&folders, false);
            baseline.hidden = view.and_then(|view| checkout.hidden_changes(&view)).map_or(0, |all| all.len());
        }
        Ok(made)
    }
}

/// Copies the index with its time: git takes it for proof that files which are older have not changed since.
fn copy_index(git_folder: &Path, tree: &Tree, name: &Path) -> Result<()> {
    let own = Tree::open(git_folder).with_context(|| format!("open {}", git_folder.display()))?;
    let Some(index) = own.read_plain(Path::new("index"), MOST_OF_AN_INDEX)? else { return Ok(()) };
    tree.create_unseen(name, &index.bytes, 0o600)?;
    let (seconds, nanoseconds) = index.modified;
    tree.set_file_modified(name, (seconds, u32::try_from(nanoseconds).unwrap_or_default()))?;
    Ok(())
}

/// One commit in the making.
struct Commit<'a> {
    checkout: Repository<'a>,
    index: PathBuf,
    plan: &'a BaselinePlan<'a>,
}

impl<'a> Commit<'a> {
    fn make(&self) -> Result<std::result::Result<Baseline, String>> {
        let status = ["status", "--porcelain=v2", "-z", "--branch", "--untracked-files=all", "--no-renames"];
        let status = self.call(status).args(["--ignore-submodules=none", "--no-ahead-behind"]).output()?;
        let state = State::read(&status, self.plan.scratch);
        if let Some(why) = state.obstacle(self.plan.top) {
            return Ok(Err(why));
        }
        let State { name, head, is_changed, left_out, .. } = state;
        let mut baseline = Baseline { name, commit: head, hidden: 0 };
        if is_changed {
            let add = self.call(["add", "--sparse", "--all", "--", "."]);
            add.args(left_out.iter().map(|folder| excluding(folder))).output()?;
            let tree = self.call(["write-tree"]).text()?;
            let commit = ["commit-tree", "-m", MESSAGE, "-p", &baseline.commit, &tree];
            baseline.commit = self.checkout.work(commit).by(self.plan.by).text()?;
        }
        Ok(Ok(baseline))
    }

    /// A call with our index. Files are the user's, so are the filters.
    fn call<const N: usize>(&self, args: [&str; N]) -> GitCommand<'a, Network> {
        let call = self.checkout.network(SETTINGS).args(args);
        call.variable("GIT_INDEX_FILE", &self.index).variable("GIT_OPTIONAL_LOCKS", "0")
    }
}

fn excluding(folder: &Path) -> OsString {
    let mut word = OsString::from(":(top,exclude,literal)");
    word.push(folder);
    word
}

/// What `git status` says.
#[derive(Debug, Default, PartialEq, Eq)]
struct State {
    name: String,
    /// The commit of HEAD; empty where there is none.
    head: String,
    /// Whether anything differs from HEAD, but for what is left out.
    is_changed: bool,
    untracked: Vec<PathBuf>,
    unmerged: Vec<PathBuf>,
    /// Submodules with changes of their own.
    submodules: Vec<PathBuf>,
    /// Repositories that are no submodules.
    repositories: Vec<PathBuf>,
    left_out: Vec<PathBuf>,
}

impl State {
    /// Reads `git status --porcelain=v2 -z --branch`.
    fn read(status: &[u8], scratch: fn(&Path) -> Option<PathBuf>) -> State {
        let mut state = State { name: "HEAD".to_owned(), ..State::default() };
        for entry in status.split(|byte| *byte == 0) {
            let path = |fields: usize| {
                let path = entry.splitn(fields + 1, |byte| *byte == b' ').nth(fields).unwrap_or_default();
                PathBuf::from(OsStr::from_bytes(path))
            };
            match entry.first() {
                Some(b'#') => {
                    let text = String::from_utf8_lossy(entry);
                    match text.strip_prefix("# branch.").and_then(|text| text.split_once(' ')) {
                        Some(("oid", id)) if id != "(initial)" => id.clone_into(&mut state.head),
                        Some(("head", name)) if name != "(detached)" => name.clone_into(&mut state.name),
                        _ => {}
                    }
                }
                Some(b'1') => {
                    state.is_changed = true;
                    let submodule = entry.split(|byte| *byte == b' ').nth(2).unwrap_or_default();
                    if submodule.first() == Some(&b'S')
                        && (submodule[1..].contains(&b'M') || submodule[1..].contains(&b'U'))
                    {
                        state.submodules.push(path(8));
                    }
                }
                Some(b'u') => state.unmerged.push(path(10)),
                Some(b'?') => {
                    let path = path(1);
                    match scratch(&path) {
                        Some(folder) if state.left_out.last() == Some(&folder) => {}
                        Some(folder) => state.left_out.push(folder),
                        None if path.as_os_str().as_bytes().ends_with(b"/") => state.repositories.push(path),
                        None => {
                            state.is_changed = true;
                            state.untracked.push(path);
                        }
                    }
                }
                _ => {}
            }
        }
        state
    }

    /// Why a commit cannot hold it.
    fn obstacle(&self, top: &Path) -> Option<String> {
        let first = |paths: &[PathBuf]| paths.first().map(|path| path.display().to_string());
        if self.head.is_empty() {
            return Some("has no commit yet".to_owned());
        }
        if let Some(path) = first(&self.unmerged) {
            return Some(format!("has a merge with conflicts in progress ({path})"));
        }
        if let Some(path) = first(&self.submodules) {
            return Some(format!("has uncommitted changes in the submodule {path}"));
        }
        if let Some(path) = first(&self.repositories) {
            return Some(format!("holds another git repository that is untracked ({path})"));
        }
        if self.untracked.len() > MOST_FILES {
            return Some(format!("has {} untracked files, more than {MOST_FILES}", self.untracked.len()));
        }
        let tree = Tree::open(top).ok()?;
        let bytes = self.untracked.iter().map(|path| match tree.kind(path) {
            Ok(Some(FileKind::File { len, .. })) => len,
            _ => 0,
        });
        let bytes = bytes.fold(0, u64::saturating_add);
        (bytes > MOST_BYTES)
            .then(|| format!("has {} MiB of untracked files, more than {}", bytes >> 20, MOST_BYTES >> 20))
    }
}

impl Repository<'_> {
    /// Whether a commit is one that [`Git::baseline`] has made.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn is_baseline(&self, commit: &str) -> Result<bool> {
        let asked = self.look(["rev-list", "--max-count=1", "--no-commit-header", "--format=%B", commit]);
        Ok(asked.text()? == MESSAGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_status_says_is_read_whatever_the_names_hold() {
        let scratch = |path: &Path| path.starts_with("scratch").then(|| PathBuf::from("scratch"));
        let text = "# branch.oid 12ab\0# branch.head side\0\
                    1 .M N... 100644 100644 100644 aa bb a b\nc\0\
                    1 .M S.M. 160000 160000 160000 aa bb sub\0\
                    1 .M SC.. 160000 160000 160000 aa bb moved\0\
                    u UU N... 100644 100644 100644 100644 aa bb cc con flict\0\
                    ?  new \0? scratch/a\0? scratch/b\0? repo/\0";
        let expected = State {
            name: "side".into(),
            head: "12ab".into(),
            is_changed: true,
            untracked: vec![" new ".into()],
            unmerged: vec!["con flict".into()],
            submodules: vec!["sub".into()],
            repositories: vec!["repo/".into()],
            left_out: vec!["scratch".into()],
        };
        assert_eq!(State::read(text.as_bytes(), scratch), expected);
        let unborn = State::read(b"# branch.oid (initial)\0# branch.head (detached)\0? scratch/a\0", scratch);
        assert!(!unborn.is_changed && unborn.head.is_empty() && unborn.name == "HEAD");
    }
}
