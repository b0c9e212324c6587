//! A workspaces root and an env root, open.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::failure::{Code, Failure};
use crate::layout::{self, names};
use crate::sys::tree::{FileKind, Tree};
use crate::task::{EnvKey, WorkspaceId};

/// The folder under which every environment lives: `<root>/<workspace>/<key>/`.
#[derive(Clone, Debug)]
pub struct WorkspacesRoot {
    path: PathBuf,
}

/// The mark that an upstream daemon leaves.
const UPSTREAM_ROOT_MARK: &str = ".multica/daemon_task_context.json";
/// The largest mark that is read, in bytes.
const MAX_ROOT_MARK: u64 = 1 << 20;

impl WorkspacesRoot {
    /// Names a root; nothing is touched. `path` is absolute (decision D31).
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The root's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the root. `None`: there is no such folder.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn open(&self) -> Result<Option<Tree>> {
        match Tree::open(&self.path) {
            Ok(tree) => Ok(Some(tree)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(error).with_context(|| format!("open the workspaces root {}", self.path.display()))
            }
        }
    }

    /// Opens the root, made and marked if need be.
    ///
    /// # Errors
    /// As the system reports them; a folder that holds other things and no mark is refused.
    pub fn open_or_create(&self) -> Result<Tree> {
        let opening = || format!("make the workspaces root {}", self.path.display());
        create_dirs(&self.path).with_context(opening)?;
        let tree = Tree::open(&self.path).with_context(opening)?;
        if !Self::is_marked(&tree)? {
            let mut names = tree.names(Path::new("")).with_context(opening)?;
            // A fresh ext file system has this folder for `fsck`.
            names.retain(|name| name != "lost+found");
            let is_empty = names.is_empty();
            // Looked at again: another process may have made the mark between the two looks.
            if !is_empty && !Self::is_marked(&tree)? {
                return Err(Failure::new(
                    Code::BadPath,
                    format!("{} holds other things and is not a workspaces root", self.path.display()),
                )
                .hint("name an empty or new folder with `--workspaces-root`")
                .into());
            }
            let text = b"{\"managed_by\":\"execenv\"}\n";
            // Directly at its place: an empty mark is a mark, a left-over temporary file would make the root
            // look like a stranger's folder.
            match tree.create_unseen(Path::new(names::MARK), text, 0o644) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(error).with_context(opening);
                }
                _ => {}
            }
        }
        Ok(tree)
    }

    /// Whether execenv or upstream has marked this folder as a root of theirs.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn is_marked(tree: &Tree) -> Result<bool> {
        let has_own_mark = matches!(tree.kind(Path::new(names::MARK)), Ok(Some(FileKind::File { .. })));
        Ok(has_own_mark || Self::has_upstream_mark(tree))
    }

    /// Upstream marks a root by the name that the task marker has in a work dir, a user's project among them. A task
    /// says whose it is, and has its context beside the marker; a root has neither.
    fn has_upstream_mark(tree: &Tree) -> bool {
        let Ok(Some(bytes)) = tree.read(Path::new(UPSTREAM_ROOT_MARK), MAX_ROOT_MARK) else { return false };
        let Ok(Value::Object(mark)) = serde_json::from_slice(&bytes) else { return false };
        let names_task =
            ["agent_id", "issue_id", "chat_session_id"].iter().any(|key| mark.contains_key(*key));
        let is_managed = mark.get("managed_by").is_some_and(|by| by == "multica-daemon-task");
        is_managed && !names_task && matches!(tree.kind(Path::new(".agent_context")), Ok(None))
    }

    /// Marks the root as upstream does, so that the platform's CLI knows from any folder below that it is inside a task and
    /// not the user's own call A mark that is there stays, a torn one is replaced.
    ///
    /// # Errors
    /// As the system reports them, or when the file is another program's.
    pub(super) fn mark_for_platform(tree: &Tree) -> Result<()> {
        let path = Path::new(UPSTREAM_ROOT_MARK);
        let doing = || format!("mark {} for the platform", tree.path().display());
        if let Some(bytes) = tree.read(path, MAX_ROOT_MARK).with_context(doing)? {
            match serde_json::from_slice::<Value>(&bytes) {
                Ok(mark) if mark["managed_by"] == "multica-daemon-task" => return Ok(()),
                Ok(_) => anyhow::bail!("{} was not made by a task", tree.path().join(path).display()),
                Err(_) => tree.remove_file(path).with_context(doing)?,
            }
        }
        tree.ensure_dir(Path::new(names::UPSTREAM_FOLDER), 0o755).with_context(doing)?;
        // Directly at its place: what is torn is not taken for a mark, and a left-over beside it would stay.
        match tree.create_unseen(path, b"{\"managed_by\":\"multica-daemon-task\"}", 0o644) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made.with_context(doing),
        }
    }

    /// Where an environment with this key lies.
    pub fn env_root(&self, workspace: &WorkspaceId, key: &EnvKey) -> PathBuf {
        self.path.join(workspace.as_str()).join(key.as_str())
    }

    /// The environments of a workspace: the names of their folders, sorted.
    ///
    /// # Errors
    /// When the workspace cannot be listed.
    pub fn keys(&self, tree: &Tree, workspace: &str) -> Result<Vec<OsString>> {
        let folder = Path::new(workspace);
        let mut keys =
            tree.names(folder).with_context(|| format!("list {}", self.path.join(folder).display()))?;
        keys.retain(|key| is_environment(tree, &folder.join(key)));
        keys.sort_unstable();
        Ok(keys)
    }

    /// Names of the workspaces, sorted: folders that do not begin with a dot.
    ///
    /// # Errors
    /// When the root cannot be read.
    pub fn workspaces(&self, tree: &Tree) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for name in tree.names(Path::new("")).with_context(|| format!("list {}", self.path.display()))? {
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
            if matches!(tree.kind(Path::new(name)), Ok(Some(FileKind::Dir))) {
                found.push(name.to_owned());
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// Whether `<workspace>/<key>` below an open workspaces root is an environment: a folder, neither hidden nor behind a
/// link, that holds something which only an environment has. Every command asks this one question.
pub(crate) fn is_environment(root: &Tree, relative: &Path) -> bool {
    let mut parts = relative.components();
    let (Some(Component::Normal(workspace)), Some(Component::Normal(key)), None) =
        (parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    // What cannot be looked at proves no environment.
    !is_hidden(workspace)
        && !is_hidden(key)
        && matches!(root.kind(Path::new(workspace)), Ok(Some(FileKind::Dir)))
        && matches!(root.kind(relative), Ok(Some(FileKind::Dir)))
        && layout::signs().any(|name| matches!(root.kind(&relative.join(name)), Ok(Some(_))))
}

/// The names of execenv's own folders in a root begin with a dot, as do env roots that are being built.
fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// An environment's folder, open.
#[derive(Debug)]
pub struct EnvRoot {
    /// The open folder.
    pub tree: Tree,
    /// Its place.
    pub path: PathBuf,
}

impl EnvRoot {
    /// Opens an env root that lookup or a scan has found.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn open(path: &Path) -> Result<EnvRoot> {
        let tree = Tree::open(path).with_context(|| format!("open {}", path.display()))?;
        Ok(EnvRoot { tree, path: path.to_owned() })
    }

    /// The folder's name: the key.
    pub fn key(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The workspace's folder name.
    pub fn workspace(&self) -> String {
        let parent = self.path.parent().and_then(Path::file_name);
        parent.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// `mkdir -p`, each step announced.
///
/// # Errors
/// As the system reports them.
pub(crate) fn create_dirs(path: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    let mut at = path;
    while !at.try_exists()? {
        missing.push(at);
        match at.parent() {
            Some(parent) => at = parent,
            None => break,
        }
    }
    for dir in missing.into_iter().rev() {
        crate::sys::fault::step()?;
        match rustix::fs::mkdir(dir, rustix::fs::Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
