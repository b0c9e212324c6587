//! The open workspaces root and an open env root.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::failure::{Code, Failure};
use crate::layout::{self, names};
use crate::order;
use crate::sys::tree::{FileKind, Tree};
use crate::task::{EnvKey, WorkspaceId};

/// The folder under which every environment lives: `<root>/<workspace>/<key>/`.
#[derive(Clone, Debug)]
pub struct WorkspacesRoot {
    path: PathBuf,
}

/// The marker file of a multica daemon.
const UPSTREAM_ROOT_MARK: &str = ".multica/daemon_task_context.json";
/// The largest marker file that is read, in bytes.
const MAX_ROOT_MARK: u64 = 1 << 20;

impl WorkspacesRoot {
    /// A root by its path, without touching the disk. `path` is absolute (decision D31).
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The root's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the root. `None`: the folder does not exist.
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

    /// Opens the root; creates and marks it if missing.
    ///
    /// # Errors
    /// As the system reports them; a folder with other files and no marker is refused.
    pub fn open_or_create(&self) -> Result<Tree> {
        let opening = || format!("make the workspaces root {}", self.path.display());
        create_dirs(&self.path).with_context(opening)?;
        let tree = Tree::open(&self.path).with_context(opening)?;
        if !Self::is_marked(&tree)? {
            // Check again: another process may have created the marker between the two checks.
            if !Self::is_empty(&tree).with_context(opening)? && !Self::is_marked(&tree)? {
                return Err(Failure::new(
                    Code::BadPath,
                    format!("{} contains other files and is not a workspaces root", self.path.display()),
                )
                .hint("name an empty or new folder with `--workspaces-root`")
                .into());
            }
            Self::mark(&tree).with_context(opening)?;
        }
        Ok(tree)
    }

    /// Whether nothing is in a folder, so that it may become a root. A command that died right after it had created the root
    /// leaves it so.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn is_empty(tree: &Tree) -> io::Result<bool> {
        // A new ext file system contains this folder for `fsck`.
        Ok(tree.names(Path::new(""))?.iter().all(|name| name == "lost+found"))
    }

    /// Marks a folder as a root.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn mark(tree: &Tree) -> io::Result<()> {
        let text = b"{\"managed_by\":\"execenv\"}\n";
        // Written in place: an empty marker is valid, but after a crash a temporary file would make the root
        // look like a folder with other files.
        match tree.create_unseen(Path::new(names::MARK), text, 0o644) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => tree.sync_entries(&[names::MARK, ""]),
        }
    }

    /// Whether execenv or multica has marked this folder as its root.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn is_marked(tree: &Tree) -> Result<bool> {
        let has_own_mark = matches!(tree.kind(Path::new(names::MARK)), Ok(Some(FileKind::File { .. })));
        Ok(has_own_mark || Self::has_upstream_mark(tree))
    }

    /// multica's root marker has the same name as its task marker in a work dir or a user's project. A task marker
    /// contains the ids of its task and has a context file beside it; a root marker has neither.
    fn has_upstream_mark(tree: &Tree) -> bool {
        let Ok(Some(bytes)) = tree.read(Path::new(UPSTREAM_ROOT_MARK), MAX_ROOT_MARK) else { return false };
        let Ok(Value::Object(mark)) = serde_json::from_slice(&bytes) else { return false };
        let names_task =
            ["agent_id", "issue_id", "chat_session_id"].iter().any(|key| mark.contains_key(*key));
        let is_managed = mark.get("managed_by").is_some_and(|by| by == "multica-daemon-task");
        is_managed && !names_task && matches!(tree.kind(Path::new(".agent_context")), Ok(None))
    }

    /// Marks the root as multica does, so that the platform's CLI knows in any folder below that an agent calls it, not the
    /// user. An existing marker stays; a damaged one is replaced.
    ///
    /// # Errors
    /// As the system reports them, or if the file belongs to another program.
    pub(super) fn mark_for_platform(tree: &Tree) -> Result<()> {
        let path = Path::new(UPSTREAM_ROOT_MARK);
        let doing = || format!("mark {} for the platform", tree.path().display());
        if let Some(bytes) = tree.read(path, MAX_ROOT_MARK).with_context(doing)? {
            match serde_json::from_slice::<Value>(&bytes) {
                Ok(mark) if mark["managed_by"] == "multica-daemon-task" => return Ok(()),
                Ok(_) => anyhow::bail!("{} was created by another program", tree.path().join(path).display()),
                Err(_) => tree.remove_file(path).with_context(doing)?,
            }
        }
        tree.ensure_dir(Path::new(names::UPSTREAM_FOLDER), 0o755).with_context(doing)?;
        // Written in place: a partly written marker is recognised and replaced, a temporary file would never be removed.
        match tree.create_unseen(path, b"{\"managed_by\":\"multica-daemon-task\"}", 0o644) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made.and_then(|()| tree.sync_all_of(path)).with_context(doing),
        }
    }

    /// The path of the environment with this key.
    pub fn env_root(&self, workspace: &WorkspaceId, key: &EnvKey) -> PathBuf {
        self.path.join(workspace.as_str()).join(key.as_str())
    }

    /// The folder names of a workspace's environments, sorted.
    ///
    /// # Errors
    /// When the workspace cannot be listed.
    pub fn keys(&self, tree: &Tree, workspace: &str) -> Result<Vec<OsString>> {
        let folder = Path::new(workspace);
        let mut keys =
            tree.names(folder).with_context(|| format!("list {}", self.path.join(folder).display()))?;
        keys.retain(|key| is_environment(tree, &folder.join(key)));
        order::sort(&mut keys);
        Ok(keys)
    }

    /// The workspaces' names, sorted: folders that do not begin with a dot.
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
        order::sort(&mut found);
        Ok(found)
    }
}

/// Whether `<workspace>/<key>` below an open workspaces root is an environment: a folder, neither hidden nor behind a
/// link, that contains a file or folder which only an environment has. All commands use this test.
pub(crate) fn is_environment(root: &Tree, relative: &Path) -> bool {
    let mut parts = relative.components();
    let (Some(Component::Normal(workspace)), Some(Component::Normal(key)), None) =
        (parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    // An entry that cannot be examined proves nothing.
    !is_hidden(workspace)
        && !is_hidden(key)
        && matches!(root.kind(Path::new(workspace)), Ok(Some(FileKind::Dir)))
        && matches!(root.kind(relative), Ok(Some(FileKind::Dir)))
        && layout::signs().any(|name| matches!(root.kind(&relative.join(name)), Ok(Some(_))))
}

/// Whether a name begins with a dot, as execenv's own folders in a root do, and env roots under construction.
fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// The open folder of an environment.
#[derive(Debug)]
pub struct EnvRoot {
    /// The open folder.
    pub tree: Tree,
    /// Its path.
    pub path: PathBuf,
}

impl EnvRoot {
    /// Opens an env root that a lookup or a scan has found. An agent may put a link in its place, or in its workspace's,
    /// between the two; the workspaces root is the user's choice and may be a link.
    ///
    /// # Errors
    /// As the system reports them; a link is an error.
    pub fn open(path: &Path) -> Result<EnvRoot> {
        let above = path.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        let place = path.strip_prefix(above).unwrap_or(path);
        let opened = Tree::open(above).and_then(|root| root.unlinked_subtree(place));
        let tree = opened.with_context(|| format!("open {}", path.display()))?;
        Ok(EnvRoot { tree, path: path.to_owned() })
    }

    /// The same folder by a handle of its own.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn try_clone(&self) -> Result<EnvRoot> {
        let tree = self.tree.try_clone().context("duplicate the handle of the env root")?;
        Ok(EnvRoot { tree, path: self.path.clone() })
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

/// `mkdir -p`; each level counts as one change for the crash tests.
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
        if let Some(parent) = dir.parent() {
            Tree::open(parent)?.sync_entries(&[""])?;
        }
    }
    Ok(())
}
