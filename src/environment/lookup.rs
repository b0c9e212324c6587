//! ENV on the command line → one env root: by path, by work dir, by task id, by a prefix of the key.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::origin::{MadeBy, made_by};
use super::path::CurrentFolder;
use super::record::{EnvStatus, Identity, Meta, Own};
use super::root::{EnvRoot, WorkspacesRoot, is_environment};
use super::work_dir::WorkDir;
use crate::failure::{Code, Failure};
use crate::layout::{self, names};
use crate::order;
use crate::sys::silent::is_one_path;
use crate::sys::tree::Tree;
use crate::task::{TaskId, WorkspaceId, hex};

/// The shortest prefix of a key that is accepted.
const MIN_PREFIX: usize = 4;

/// An environment that was found, with its record where it is readable.
#[derive(Debug)]
pub struct FoundEnv {
    /// Its folder.
    pub env: EnvRoot,
    /// Its record; `None` where there is none.
    pub meta: Option<Meta>,
    /// Where its agent runs.
    pub work_dir: WorkDir,
}

impl FoundEnv {
    /// An open env root with the record that was read from it.
    pub(crate) fn new(env: EnvRoot, meta: Option<Meta>) -> FoundEnv {
        let work_dir = WorkDir::decide(&env, meta.as_ref());
        FoundEnv { env, meta, work_dir }
    }

    /// The environment in an open env root, with its record as it is now: another process may have changed it.
    ///
    /// # Errors
    /// As the system reports them, and where the record is damaged.
    pub fn read_again(env: &EnvRoot) -> Result<FoundEnv> {
        let meta = Meta::load(&env.tree)?;
        Ok(FoundEnv::new(env.try_clone()?, meta))
    }

    /// Opens an env root.
    ///
    /// # Errors
    /// When the folder cannot be opened or its record is damaged.
    pub fn open(path: &Path) -> Result<FoundEnv> {
        let env = open_found(path)?;
        let meta = Meta::load(&env.tree)?;
        Ok(FoundEnv::new(env, meta))
    }

    /// Opens an env root whose record may be damaged: that counts as none here. For a clean-up.
    ///
    /// # Errors
    /// When the folder cannot be opened.
    pub fn open_even_damaged(path: &Path) -> Result<FoundEnv> {
        let env = open_found(path)?;
        let meta = Meta::load(&env.tree).ok().flatten(); // the command reads it again, under the lock
        Ok(FoundEnv::new(env, meta))
    }

    /// The record. multica writes one only when a task has ended: until then, what its other files say.
    ///
    /// # Errors
    /// A [`Code::UnreadableState`] failure if there is none.
    pub fn require_meta(&self) -> Result<Meta> {
        if let Some(meta) = &self.meta {
            return Ok(meta.clone());
        }
        let identity = self.identity();
        let is_multicas = made_by(&self.env.tree, &Meta::load(&self.env.tree)) == MadeBy::Multica;
        if is_multicas && identity.is_known() && self.work_dir == WorkDir::Managed {
            return Ok(identity.to_meta());
        }
        let path = self.env.path.display();
        Err(Failure::new(Code::UnreadableState, format!("{path} has no record ({})", names::META))
            .hint(format!(
                "copy what you need out of {}; `execenv prepare` with the same task then makes a new environment",
                self.work_dir_path().display()
            ))
            .into())
    }

    /// Whose environment it is.
    pub fn identity(&self) -> Identity {
        Identity::of(&self.env.tree, self.meta.as_ref())
    }

    /// The workspace's id; the folder's name only where no file names one.
    pub fn workspace_id(&self) -> String {
        let id = self.identity().workspace_id;
        if id.is_empty() { self.env.workspace() } else { id }
    }

    /// Whether the work dir has what an agent in a sandbox wrote: that must not run outside of a sandbox.
    pub fn was_sandboxed(&self) -> bool {
        let own = self.meta.as_ref().and_then(|meta| meta.own.as_ref());
        own.is_some_and(Own::was_sandboxed)
    }

    /// What to say where multica has not written its record.
    pub fn without_record(&self) -> Option<String> {
        self.meta.is_none().then(|| {
            format!(
                "{} has no record yet: multica writes it when a task has ended. Its owner file and its proof of reuse \
                 say whose it is",
                self.env.path.display()
            )
        })
    }
}

/// Whether an error says that nothing is there.
pub(crate) fn is_gone(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// Finds the environment that `text` names. A relative path starts at `cwd`.
///
/// # Errors
/// [`Code::NoEnv`] for none, [`Code::AmbiguousEnv`] for more than one.
pub fn find(root: &WorkspacesRoot, text: &str, cwd: &CurrentFolder) -> Result<FoundEnv> {
    FoundEnv::open(&find_path(root, text, cwd)?)
}

/// The same, with a damaged record for none: it can still be cleaned up.
///
/// # Errors
/// As [`find`], but for the record.
pub fn find_even_damaged(root: &WorkspacesRoot, text: &str, cwd: &CurrentFolder) -> Result<FoundEnv> {
    FoundEnv::open_even_damaged(&find_path(root, text, cwd)?)
}

/// Opens an env root that was there a moment ago: another process may have removed it.
fn open_found(path: &Path) -> Result<EnvRoot> {
    match EnvRoot::open(path) {
        Err(error) if is_gone(&error) => {
            let message = format!("no environment at {}: it has just gone", path.display());
            Err(Failure::new(Code::NoEnv, message).hint("`execenv list` shows what there is").into())
        }
        other => other,
    }
}

fn find_path(root: &WorkspacesRoot, text: &str, cwd: &CurrentFolder) -> Result<PathBuf> {
    let none = |hint: &str| -> anyhow::Error {
        Failure::new(Code::NoEnv, format!("no environment `{}`", text.escape_debug())).hint(hint).into()
    };
    if text.is_empty() {
        return Err(none(
            "ENV is a path, a task id, or 4 or more characters of a key: `execenv list` shows them",
        ));
    }
    let place = match cwd.absolute(Path::new(text)) {
        Ok(place) => Some(place),
        // A key or a task id needs no current folder.
        Err(_) if !text.contains('/') && !text.starts_with('.') => None,
        Err(failure) => return Err(failure.into()),
    };
    if let Some(place) = place
        && let Some(path) = look_twice(&place, || by_path(root, &place))?
    {
        if path.to_str().is_none() {
            let message = format!("the path of {} is not valid UTF-8", path.display());
            return Err(Failure::new(Code::BadPath, message)
                .hint("the state files hold paths as text")
                .into());
        }
        return Ok(path);
    }
    let hint = match text.len() < MIN_PREFIX {
        true => "ENV is a path, a task id, or 4 or more characters of a key: `execenv list` shows them",
        false => "`execenv list` shows what there is under the workspaces root",
    };
    let place = text.split_once('/');
    if place.is_some_and(|(workspace, key)| matches!(workspace, "" | "." | "..") || key.contains('/')) {
        return Err(none(hint));
    }
    let Some(tree) = root.open()? else {
        return Err(none(&format!("there is no workspaces root at {}", root.path().display())));
    };
    let mut found = if place.is_none() { by_task_id(root, &tree, text)? } else { Vec::new() };
    let (workspace, key) = place.map_or((None, text), |(workspace, key)| (Some(workspace), key));
    if found.is_empty() && key.len() >= MIN_PREFIX {
        found = by_prefix(root, &tree, workspace, key)?;
    }
    if found.is_empty() {
        found = by_recorded_task_id(root, &tree, text)?;
    }
    match found.as_slice() {
        [] => Err(none(hint)),
        [one] => Ok(one.clone()),
        [first, second, ..] => Err(Failure::new(
            Code::AmbiguousEnv,
            format!("`{text}` names more than one environment: {}, {}", first.display(), second.display()),
        )
        .hint(if first.file_name() == second.file_name() {
            "give `<workspace>/<key>`, or its path"
        } else {
            "type more of the key, or the path"
        })
        .into()),
    }
}

/// Looks again where nothing was found: an NFS client remembers for up to half a minute that a name was not there, also when
/// another machine has made it since. To read the folders above makes it ask the server.
fn look_twice<T>(place: &Path, look: impl Fn() -> Result<Option<T>>) -> Result<Option<T>> {
    if let Some(found) = look()? {
        return Ok(Some(found));
    }
    let above: Vec<&Path> = place.ancestors().skip(1).take(2).collect();
    for folder in above.into_iter().rev() {
        std::fs::read_dir(folder).into_iter().flatten().for_each(drop);
    }
    look()
}

/// Whether a path leads to an environment of this root, or of another that is marked as one.
///
/// Names alone prove nothing: an agent can put such files into a user's folder, and `cleanup --all` would take the
/// folder for an environment. So it lies two levels below a root, and no root lies inside another.
fn is_env_root(root: &WorkspacesRoot, path: &Path) -> Result<bool> {
    let Some(above) = path.parent().and_then(Path::parent) else { return Ok(false) };
    let Ok(relative) = path.strip_prefix(above) else { return Ok(false) };
    // Before anything above is opened, which a person may not be allowed to.
    if !layout::signs().any(|name| path.join(name).symlink_metadata().is_ok()) {
        return Ok(false);
    }
    let tree = Tree::open(above).with_context(|| format!("open {}", above.display()))?;
    if !is_environment(&tree, relative) {
        return Ok(false);
    }
    let Some(ours) = root.open()? else { return WorkspacesRoot::is_marked(&tree) };
    if ours.identity()? == tree.identity()? {
        return Ok(true);
    }
    let is_inside = match (above.canonicalize(), root.path().canonicalize()) {
        (Ok(above), Ok(root)) => above.starts_with(root),
        _ => true,
    };
    Ok(!is_inside && WorkspacesRoot::is_marked(&tree)?)
}

fn by_path(root: &WorkspacesRoot, path: &Path) -> Result<Option<PathBuf>> {
    if !path.is_dir() {
        return Ok(None);
    }
    if is_env_root(root, path)? {
        return Ok(Some(path.to_owned()));
    }
    if let Some(parent) =
        path.parent().filter(|_| path.file_name().is_some_and(|name| name == names::WORK_DIR))
        && is_env_root(root, parent)?
    {
        return Ok(Some(parent.to_owned()));
    }
    // The folder of a repository in which an agent runs.
    for above in path.ancestors().filter(|above| above.ends_with(names::WORK_DIR)) {
        if let Some(env_root) = above.parent()
            && is_env_root(root, env_root)?
            && FoundEnv::open_even_damaged(env_root)?.agent_dir() == path
        {
            return Ok(Some(env_root.to_owned()));
        }
    }
    // A user folder: the records say which environment works in it.
    let Some(tree) = root.open()? else { return Ok(None) };
    let canonical = path.canonicalize().with_context(|| format!("look at {}", path.display()))?;
    // Environments that were cleaned up have let go of the folder (decision D20); their records stay.
    let mut candidates = Vec::new();
    scan(root, &tree, &mut |env_root, meta| {
        if let WorkDir::UserFolder { path, .. } = WorkDir::recorded(meta)
            && let Some(own) = &meta.own
            && is_one_path(&path, &canonical)
        {
            let has_let_go = own.status == EnvStatus::Cleaned;
            candidates.push((!has_let_go, own.prepared_at, env_root.to_owned()));
        }
        false
    })?;
    Ok(candidates.into_iter().max().map(|(.., path)| path))
}

fn by_task_id(root: &WorkspacesRoot, tree: &Tree, text: &str) -> Result<Vec<PathBuf>> {
    let Ok(id) = TaskId::new(text) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for workspace in root.workspaces(tree)? {
        for key in id.keys() {
            let path = root.path().join(&workspace).join(key.as_str());
            if !path.is_dir() {
                break; // a longer key is only taken where the shorter one is
            }
            if identity_at(&path).is_some_and(|identity| identity.task_id == text) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// As [`by_task_id`], under any folder names: multica names its folders after issues.
fn by_recorded_task_id(root: &WorkspacesRoot, tree: &Tree, text: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for workspace in root.workspaces(tree)? {
        for key in root.keys(tree, &workspace)? {
            let path = root.path().join(&workspace).join(key);
            if identity_at(&path).is_some_and(|identity| identity.task_id == text) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Whether there is a workspace with this id: a folder called so, or an environment whose record names it.
///
/// # Errors
/// When the root cannot be read.
pub fn has_workspace(root: &WorkspacesRoot, tree: &Tree, id: &str) -> Result<bool> {
    let folders = root.workspaces(tree)?;
    if folders.iter().any(|folder| folder == id) {
        return Ok(true);
    }
    for folder in &folders {
        for key in root.keys(tree, folder)? {
            let identity = identity_at(&root.path().join(folder).join(key));
            if identity.is_some_and(|identity| identity.workspace_id == id) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whose environment stands at a path; `None` where its record cannot be read.
fn identity_at(path: &Path) -> Option<Identity> {
    let env = EnvRoot::open(path).ok()?;
    let meta = Meta::load(&env.tree).ok()?;
    Some(Identity::of(&env.tree, meta.as_ref()))
}

/// The environment that multica has made for a task, below the root: its index names the folders, and where it does not,
/// they end in the keys of the workspace and the task. Whose an environment is, its files decide.
///
/// # Errors
/// When the root cannot be read.
pub(super) fn made_by_multica_for(
    root: &WorkspacesRoot,
    tree: &Tree,
    workspace: &WorkspaceId,
    task: &TaskId,
) -> Result<Option<PathBuf>> {
    let exists = |name: &str| matches!(tree.kind(Path::new(name)), Ok(Some(_)));
    let has_index = exists(names::UPSTREAM_INDEX);
    if !has_index && !exists(names::UPSTREAM_FOLDER) {
        return Ok(None);
    }
    let is_the_tasks = |place: &Path| {
        let Ok(env) = tree.subtree(place) else { return false };
        let Ok(meta) = Meta::load(&env) else { return false };
        let identity = Identity::of(&env, meta.as_ref());
        is_environment(tree, place)
            && identity.task_id == task.as_str()
            && (identity.workspace_id.is_empty() || identity.workspace_id == workspace.as_str())
    };
    let listed = has_index.then(|| listed_place(tree, workspace, task)).flatten();
    if let Some(place) = listed.filter(|place| is_the_tasks(place)) {
        return Ok(Some(place));
    }
    let ends_in = |name: &str, key: &str| name.strip_suffix(key).is_some_and(|start| start.ends_with('-'));
    let first_key = |id: &TaskId| id.keys().next().map(|key| key.as_str().to_owned()).unwrap_or_default();
    let task_key = first_key(task);
    let workspace_key = TaskId::new(workspace.as_str()).map(|id| first_key(&id)).unwrap_or_default();
    for folder in root.workspaces(tree)? {
        if folder != workspace.as_str() && !ends_in(&folder, &workspace_key) {
            continue;
        }
        for name in tree.names(Path::new(&folder)).unwrap_or_default() {
            let place = Path::new(&folder).join(&name);
            if name.to_str().is_some_and(|name| ends_in(name, &task_key)) && is_the_tasks(&place) {
                return Ok(Some(place));
            }
        }
    }
    Ok(None)
}

/// Where multica's index says that the environment of a task is.
fn listed_place(tree: &Tree, workspace: &WorkspaceId, task: &TaskId) -> Option<PathBuf> {
    let digest = hex(&Sha256::digest(format!("{workspace}\0{task}")));
    let entry = Path::new(names::UPSTREAM_INDEX).join(&digest[..32]).join("root.json");
    let entry: serde_json::Value = serde_json::from_slice(&tree.read(&entry, 1 << 16).ok()??).ok()?;
    // That it is a folder two levels below the root is checked by whoever uses it.
    entry["relative_path"].as_str().map(PathBuf::from)
}

/// The environments whose keys begin with `text`: in one workspace, or in all.
fn by_prefix(root: &WorkspacesRoot, tree: &Tree, only: Option<&str>, text: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for workspace in root.workspaces(tree)? {
        if only.is_some_and(|only| workspace != only) {
            continue;
        }
        let keys = root.keys(tree, &workspace)?;
        let matching = keys.iter().filter(|key| key.as_encoded_bytes().starts_with(text.as_bytes()));
        found.extend(matching.map(|key| root.path().join(&workspace).join(key)));
    }
    // A whole key is no prefix of a longer one.
    if found.iter().any(|path| path.file_name().is_some_and(|name| name == text)) {
        found.retain(|path| path.file_name().is_some_and(|name| name == text));
    }
    order::sort(&mut found);
    Ok(found)
}

/// Goes through all environments with a readable record, those that are in their place, until `wanted` says yes.
///
/// # Errors
/// When a workspace cannot be listed.
pub(super) fn scan(
    root: &WorkspacesRoot,
    tree: &Tree,
    wanted: &mut dyn FnMut(&Path, &Meta) -> bool,
) -> Result<Option<PathBuf>> {
    for workspace in root.workspaces(tree)? {
        let folder = Path::new(&workspace);
        for name in
            tree.names(folder).with_context(|| format!("list {}", root.path().join(folder).display()))?
        {
            if name.as_encoded_bytes().starts_with(b".") {
                continue; // a prepare is building it, or left it: no environment yet
            }
            let Ok(Some(bytes)) = Meta::bytes(tree, &folder.join(&name)) else { continue };
            let path = root.path().join(folder).join(&name);
            if Meta::parse(&bytes).is_ok_and(|meta| wanted(&path, &meta)) {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_machine_has_just_made_is_found_at_the_second_look() {
        let looks = std::cell::Cell::new(0);
        for (there_at, expected) in [(1, Some(1)), (2, Some(2)), (3, None)] {
            looks.set(0);
            let look = || {
                looks.set(looks.get() + 1);
                Ok((looks.get() >= there_at).then(|| looks.get()))
            };
            assert_eq!(look_twice(Path::new("/nonexistent/w/k"), look).unwrap(), expected);
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn an_environment_with_a_damaged_record_can_be_named_by_who_takes_it_away() {
        let tmp = tempfile::tempdir().unwrap();
        let env = tmp.path().join("default/0123456789ab");
        std::fs::create_dir_all(&env).unwrap();
        std::fs::write(env.join(names::META), "{").unwrap();
        let root = WorkspacesRoot::new(tmp.path().to_owned());
        let here = CurrentFolder::new(Ok(tmp.path().to_owned()));
        for text in [env.to_str().unwrap(), "0123456789ab", "0123"] {
            let error = find(&root, text, &here).unwrap_err();
            assert_eq!(Failure::code_of(&error), Code::UnreadableState);
            let found = find_even_damaged(&root, text, &here).unwrap();
            assert_eq!((found.env.path, found.meta), (env.clone(), None));
        }
    }
}
