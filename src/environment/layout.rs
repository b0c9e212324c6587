//! Every path of a workspaces root and of an env root, named once.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::failure::{Code, Failure};
use crate::sys::tree::{Kind, Tree};
use crate::task::{EnvKey, WorkspaceId};

/// Names inside an env root.
pub mod names {
    /// Upstream's metadata object with our `execenv` key.
    pub const META: &str = ".gc_meta.json";
    /// The list of what was put into the work dir.
    pub const MANIFEST: &str = ".multica_sidecar_manifest.json";
    /// The kernel lock's file. Its presence means nothing, only the lock does.
    pub const LOCK: &str = ".task_lock";
    /// The plain task id, for later upstream versions (decision D2).
    pub const OWNER: &str = ".task_owner";
    /// Upstream's proof that an environment may be reused (`providers.md` N-06).
    pub const MANAGED: &str = ".managed_env.json";
    /// Where the agent runs, unless it works in the user's own folder.
    pub const WORK_DIR: &str = "workdir";
    /// Where the agent runs in upstream's worktree mode.
    pub const WORKTREE: &str = "worktree";
    /// Results.
    pub const OUTPUT: &str = "output";
    /// What the agent printed.
    pub const LOGS: &str = "logs";
    /// What a launch needs and must stay private: folder 0700, file 0600, gone with the work dir.
    pub const LAUNCH: &str = "launch";
    /// Variables that are secrets, a file each. Inside [`LAUNCH`].
    pub const LAUNCH_ENV: &str = "env";
    /// A change to the provider's homes that is being built, or is over: nothing in it counts.
    pub const HOMES_SCRATCH: &str = ".execenv.homes";
    /// A change to the provider's homes that has been decided and is finished by whoever comes next.
    pub const HOMES_NEXT: &str = ".execenv.homes-next";
    /// Originals of the user's files that carry our block.
    pub const BACKUP: &str = "backup";
    /// Sidecars that somebody edited, kept when they were taken back (decision D17). Inside [`OUTPUT`].
    pub const KEPT: &str = "kept-sidecars";
    /// Temporary name of a state file that is being replaced, under the lock.
    pub const TEMPORARY: &str = ".execenv.tmp";
}

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
            let is_empty = tree.names(Path::new("")).with_context(opening)?.is_empty();
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
            match tree.create_unseen(Path::new(Self::MARK), text, 0o644) {
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
        let has_own_mark = matches!(tree.kind(Path::new(Self::MARK)), Ok(Some(Kind::File { .. })));
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
    /// not the user's own call (`providers.md` N-08). A mark that is there stays, a torn one is made anew.
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
        tree.ensure_dir(Path::new(".multica"), 0o755).with_context(doing)?;
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

    /// The file that marks a folder as a workspaces root; `gc` refuses a root without a mark. It may be empty.
    pub const MARK: &str = ".execenv-root";
    /// The folder of what `gc` and `prepare` put aside, as a name inside the root.
    pub const TRASH: &str = ".trash";
    /// The folder of the root's own locks, as a name inside the root.
    pub const LOCKS: &str = ".locks";
    /// The folder of what outlives environments (sessions, memories), as a name inside the root.
    pub const STORES: &str = ".stores";

    /// Names of the workspaces, sorted: folders that do not begin with a dot.
    ///
    /// # Errors
    /// When the root cannot be read.
    pub fn workspaces(&self, tree: &Tree) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for name in tree.names(Path::new("")).with_context(|| format!("list {}", self.path.display()))? {
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
            if matches!(tree.kind(Path::new(name)), Ok(Some(Kind::Dir))) {
                found.push(name.to_owned());
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// Whether a folder two levels below a root holds anything that only an environment has. A folder that somebody put
/// there by hand, or a project that passed for a root, is nobody's to list or to collect.
pub(crate) fn looks_like_env_root(tree: &Tree, relative: &Path) -> bool {
    let signs = [names::META, names::MANIFEST, names::LOCK, names::OWNER, names::OUTPUT, names::WORK_DIR];
    // What cannot be looked at is not told apart from nothing: neither proves an environment.
    signs.iter().any(|name| matches!(tree.kind(&relative.join(name)), Ok(Some(_))))
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
