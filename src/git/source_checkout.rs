//! The checkout that a linked worktree came from: which one it is, and what an agent that works in the worktree has no
//! business to change there. Two looks, before and after a run, are compared ([`drift`](super::drift)).
//!
//! Nothing that the repository names is run: its configuration may have been changed by the agent when the second look
//! comes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::program::Git;
use super::reftable::has_tables;
use super::view::GitFolders;
use crate::order;
use crate::sys::silent;
use crate::sys::tree::Tree;

/// The longest that one look may take: an agent waits for the first one.
const LIMIT: Duration = Duration::from_secs(20);
/// The longest `.git` file, `commondir` and HEAD that is read, in bytes.
const MOST_OF_A_PATH: u64 = 16 << 10;
/// The branches of tasks, of this one and of others that work on the same repository meanwhile.
const OF_TASKS: &str = "refs/heads/agent/";

/// A repository outside of an environment, and what is checked out there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCheckout {
    common: PathBuf,
    /// Its own git folder: the same one, unless it is a linked worktree itself.
    own: PathBuf,
    /// The top of its working files; `None`: it is bare.
    top: Option<PathBuf>,
    /// The branch of the worktree itself.
    own_branch: Option<String>,
}

/// What a look at a checkout found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// What HEAD names, with the commit.
    pub(super) head: String,
    /// The commits of branches and tags, and of the newest stash.
    pub(super) refs: BTreeMap<String, String>,
    /// The settings of the repository's own configuration. They may be secrets: only some values are ever told.
    pub(super) settings: BTreeMap<String, String>,
    /// The files that differ from HEAD, in the index or in the working folder.
    pub(super) files: BTreeMap<String, String>,
}

impl SourceCheckout {
    /// The checkout that the linked worktree at `work_dir` came from: `named`, if that lies in another worktree of the same
    /// repository, else the repository's own. `None`: it is no linked worktree, or none that the
    /// repository itself knows, or the repository lies below `root`. Starts no git where refs are in files.
    pub fn of_worktree(
        git: &Git,
        work_dir: &Tree,
        root: &Path,
        named: Option<&Path>,
    ) -> Option<SourceCheckout> {
        let folders = folders_of(work_dir)?;
        let own_tree = Tree::open(&folders.own).ok()?;
        let is_ours = root.canonicalize().is_ok_and(|root| folders.common.starts_with(root));
        if is_ours || !folders.know_worktree(work_dir.path()) {
            return None;
        }
        let own_branch = if has_tables(&own_tree) {
            let branch = git.at(&folders.common).by(&folders.own).head_branch().ok()?;
            branch.map(|short| format!("refs/heads/{short}"))
        } else {
            let head = own_tree.read(Path::new("HEAD"), MOST_OF_A_PATH).ok()?.unwrap_or_default();
            head.strip_prefix(b"ref: ").map(|name| text_of(name.trim_ascii()))
        };
        if let Some((top, source)) = named.and_then(linked_source)
            && source.common == folders.common
            && source.own != folders.own
            && source.know_worktree(&top)
        {
            return Some(SourceCheckout {
                common: folders.common,
                own: source.own,
                top: Some(top),
                own_branch,
            });
        }
        let has_files = folders.common.ends_with(".git");
        let top = has_files.then(|| folders.common.parent().map(Path::to_owned)).flatten();
        Some(SourceCheckout { own: folders.common.clone(), common: folders.common, top, own_branch })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.top.as_deref().unwrap_or(&self.common)
    }

    /// Whether a ref is that of a task, and no part of the fingerprint.
    fn is_of_a_task(&self, name: &str) -> bool {
        name.starts_with(OF_TASKS) || self.own_branch.as_deref() == Some(name)
    }
}

/// The git folders of a linked worktree, by its `.git` file. Who can write that can name any folder.
fn folders_of(worktree: &Tree) -> Option<GitFolders> {
    let git_file = worktree.read(Path::new(".git"), MOST_OF_A_PATH).ok()??;
    let own = worktree.path().join(path_of(git_file.strip_prefix(b"gitdir: ")?));
    let common = Tree::open(&own).ok()?.read(Path::new("commondir"), MOST_OF_A_PATH).ok()??;
    let common = own.join(path_of(&common)).canonicalize().ok()?;
    Some(GitFolders { own: own.canonicalize().ok()?, common })
}

/// The linked worktree that a path lies in, with its git folders. The record names the path: its disk may not answer.
fn linked_source(path: &Path) -> Option<(PathBuf, GitFolders)> {
    if silent::is_dir(path) != Some(true) {
        return None;
    }
    let top = path.ancestors().find(|above| above.join(".git").symlink_metadata().is_ok())?;
    let folders = folders_of(&Tree::open(top).ok()?)?;
    Some((top.to_owned(), folders))
}

fn path_of(text: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(text.strip_suffix(b"\n").unwrap_or(text)))
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Git {
    /// Looks at a checkout, with three calls to git.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output); also when it takes too long.
    pub fn fingerprint(&self, checkout: &SourceCheckout) -> Result<Fingerprint> {
        let deadline = Instant::now() + LIMIT;
        let repository = self.at(checkout.path()).before(deadline);
        let listed = repository.settings()?;
        let refs =
            ["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags", "refs/stash"];
        let refs = repository.look(refs).text()?;
        let refs = refs.lines().filter_map(|line| line.rsplit_once(' '));
        let refs = refs.filter(|(name, _)| !checkout.is_of_a_task(name));
        let mut found = Fingerprint {
            refs: order::map(refs.map(|(name, commit)| (name.to_owned(), commit.to_owned()))),
            settings: own_settings(&listed),
            ..Fingerprint::default()
        };
        let Some(top) = &checkout.top else {
            let common = Tree::open(&checkout.common)?;
            found.head = if has_tables(&common) {
                repository.look(["rev-parse", "--symbolic-full-name", "HEAD"]).text().unwrap_or_default()
            } else {
                let head = common.read(Path::new("HEAD"), MOST_OF_A_PATH)?;
                text_of(head.unwrap_or_default().trim_ascii())
            };
            return Ok(found);
        };
        let folders = GitFolders { own: checkout.own.clone(), common: checkout.common.clone() };
        let view = repository.view_by(&folders, &listed)?;
        let status = ["status", "--porcelain=v2", "--branch", "-z", "--ignore-submodules=dirty"];
        let status = repository.look(status).through(&view).output()?;
        (found.head, found.files) = read_status(&status, &|path| stamp(&top.join(path)));
        Ok(found)
    }
}

/// The settings of a repository itself, by `git config --show-scope -z --list`; several values of one are put together. What
/// git records about the branches of tasks is left out.
fn own_settings(listed: &[u8]) -> BTreeMap<String, String> {
    let mut settings: BTreeMap<String, String> = BTreeMap::new();
    let mut words = listed.split(|byte| *byte == 0).map(text_of);
    while let (Some(scope), Some(setting)) = (words.next(), words.next()) {
        let (key, value) = setting.split_once('\n').unwrap_or((&setting, "true"));
        let is_of_a_task = key.starts_with("branch.agent/");
        if matches!(&*scope, "local" | "worktree") && !is_of_a_task {
            let values = settings.entry(key.to_owned()).or_default();
            values.push_str(if values.is_empty() { "" } else { "\n" });
            values.push_str(value);
        }
    }
    settings
}

/// What HEAD names, and the files that differ from it with how they do, by `git status --porcelain=v2 --branch -z`.
fn read_status(status: &[u8], stamp: &dyn Fn(&Path) -> String) -> (String, BTreeMap<String, String>) {
    let (mut commit, mut branch, mut files) = (String::new(), String::new(), BTreeMap::new());
    let mut entries = status.split(|byte| *byte == 0);
    while let Some(entry) = entries.next() {
        if let Some(header) = entry.strip_prefix(b"# ") {
            let header = text_of(header);
            match header.split_once(' ') {
                Some(("branch.oid", oid)) => oid.clone_into(&mut commit),
                Some(("branch.head", name)) => name.clone_into(&mut branch),
                _ => {}
            }
            continue;
        }
        // The number of words before the path. A renamed entry has its old path behind it.
        let (words, state) = match entry.first() {
            Some(b'1') => (8, entry.get(2..4)),
            Some(b'2') => (9, entry.get(2..4)),
            Some(b'u') => (10, entry.get(2..4)),
            Some(b'?') => (1, Some(&b"??"[..])),
            _ => continue,
        };
        let mut parts = entry.splitn(words + 1, |byte| *byte == b' ');
        let staged = match entry.first() {
            Some(b'1' | b'2') => parts.nth(7).map(|oid| format!(" {}", text_of(&oid[..oid.len().min(12)]))),
            _ => None,
        };
        if entry.first() == Some(&b'2') {
            let _ = entries.next();
        }
        let Some(path) = parts.last() else { continue };
        let told = format!(
            "{}{}{}",
            text_of(state.unwrap_or_default()),
            staged.unwrap_or_default(),
            stamp(Path::new(OsStr::from_bytes(path)))
        );
        files.insert(text_of(path), told);
    }
    (format!("{branch} {commit}"), files)
}

/// The size and the time of a file, which change with its content.
fn stamp(path: &Path) -> String {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => String::new(),
        Ok(metadata) => {
            format!(", {} bytes of {}.{:09}", metadata.size(), metadata.mtime(), metadata.mtime_nsec())
        }
        Err(_) => String::new(),
    }
}

/// The digest of a value that is not told.
pub(super) fn digest(value: &str) -> String {
    let digest = Sha256::digest(value.as_bytes());
    digest[..6].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read_whatever_the_paths_hold() {
        let oid = "a".repeat(40);
        let status = format!(
            "# branch.oid 1234\0# branch.head main\0# branch.upstream origin/main\0\
             1 .M N... 100644 100644 100644 {oid} {oid} with space\nand line\0\
             2 R. N... 100644 100644 100644 {oid} {oid} R100 new\0? old\0\
             u UU N... 100644 100644 100644 100644 {oid} {oid} {oid} both ways\0? sub/\0"
        );
        let (head, files) = read_status(status.as_bytes(), &|_| ", stamp".to_owned());
        assert_eq!(head, "main 1234");
        let expected = [
            ("both ways", "UU, stamp"),
            ("new", "R. aaaaaaaaaaaa, stamp"),
            ("sub/", "??, stamp"),
            ("with space\nand line", ".M aaaaaaaaaaaa, stamp"),
        ];
        assert_eq!(files, expected.map(|(path, told)| (path.to_owned(), told.to_owned())).into());
    }
}
