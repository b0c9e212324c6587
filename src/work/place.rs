//! Which repository a command is about: that of the work dir, or the only one in it, or the one that the user names.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::environment::{FoundEnv, SandboxNotes, Trust, quoted};
use crate::failure::{Code, Failure};
use crate::git::{Checkout, CommitNotes, Git, Registered};
use crate::layout::names;
use crate::order;
use crate::sys::silent;
use crate::sys::tree::{FileKind, Tree};

/// The most repositories or files that a message names.
const SHOWN: usize = 5;

/// Names the first of some files.
pub(super) fn shown(files: &[PathBuf]) -> String {
    let name = |file: &PathBuf| file.to_string_lossy().escape_debug().to_string();
    let mut names: Vec<String> = files.iter().take(SHOWN).map(name).collect();
    if files.len() > SHOWN {
        names.push(format!("{} more", files.len() - SHOWN));
    }
    names.join(", ")
}

/// The repository of an environment: the open folder that is the top of its working files.
#[derive(Debug)]
pub struct Place {
    /// The open folder.
    tree: Tree,
    /// The work dir.
    work_dir: Tree,
    /// The folder's path in the work dir; empty: it is the work dir.
    below: PathBuf,
    whose: Whose,
    /// Marks what leaves the environment, if an agent in a sandbox has worked there.
    notes: Arc<SandboxNotes>,
}

/// Whose repository it is, and so what it may lead to.
#[derive(Debug)]
enum Whose {
    /// Not known: its objects must lie in these folders.
    Unknown(Vec<PathBuf>),
    /// The user's, if its git folder is this one: it is trusted as the user's own git trusts it. The user has named it, and it lies
    /// outside of the workspaces root, where agents write.
    Users(PathBuf),
}

impl Whose {
    fn of(found: &FoundEnv, work_dir: &Tree, tree: &Tree, trust: Trust<'_>) -> Whose {
        let env = &found.env.path;
        if found.work_dir.is_user_folder() {
            let own = silent::resolve(&tree.path().join(".git")).filter(|_| tree.path() == work_dir.path());
            return own.map_or_else(|| Whose::Unknown(vec![work_dir.path().to_owned()]), Whose::Users);
        }
        let registered = Registered::named_in(tree).ok().flatten().and_then(|registered| registered.open());
        let proved = registered.map(|open| open.common().to_owned());
        let root = env.ancestors().nth(2).unwrap_or(env);
        let shared = root.join(names::REPOS);
        let is_agents = |common: &Path| silent::resolve(root).is_none_or(|root| common.starts_with(root));
        proved
            .filter(|common| !is_agents(common) && found.has_proof_of(common, trust.keys))
            .map_or_else(|| Whose::Unknown(vec![env.clone(), shared]), Whose::Users)
    }
}

impl Place {
    /// The repository that a command on this environment is about. `wanted` is the user's word (`--in`): a folder of the
    /// work dir.
    ///
    /// # Errors
    /// A [`Code::Usage`] failure where it is not clear which one is meant, [`Code::Failed`] where there is none,
    /// [`Code::LeavesTree`] for a folder outside of the work dir; those of [`FoundEnv::user_folder`].
    pub fn find(found: &FoundEnv, wanted: Option<&Path>, trust: Trust<'_>) -> Result<Place> {
        let work_dir = found.open_work_dir(trust)?;
        let path = work_dir.path().to_owned();
        if let Some(wanted) = wanted {
            let (tree, below) = named(&work_dir, wanted)?;
            return Place::at(found, work_dir, tree, below, trust);
        }
        let mut all = Place::all(found, trust)?;
        match all.len() {
            0 => Err(Failure::new(Code::Failed, format!("there is no git repository in {}", path.display()))
                .hint("`--in DIR` names a folder of the work dir that is one")
                .into()),
            1 => Ok(all.remove(0)),
            count => {
                let name = |place: &Place| place.below.to_string_lossy().into_owned();
                let mut shown: Vec<String> = all.iter().take(SHOWN).map(name).collect();
                if count > SHOWN {
                    shown.push(format!("{} more", count - SHOWN));
                }
                let message = format!("{} holds several repositories: {}", path.display(), shown.join(", "));
                let hint = format!("say which one is meant: `--in {}`", quoted(&all[0].below));
                Err(Failure::new(Code::Usage, message).hint(hint).into())
            }
        }
    }

    /// All repositories of an environment: the work dir, if it is one, else those directly in it.
    ///
    /// # Errors
    /// Those of [`FoundEnv::user_folder`]; as the system reports them.
    pub fn all(found: &FoundEnv, trust: Trust<'_>) -> Result<Vec<Place>> {
        let work_dir = found.open_work_dir(trust)?;
        let path = work_dir.path().to_owned();
        let again = || work_dir.try_clone().with_context(|| format!("open {}", path.display()));
        if is_repository(&work_dir) {
            return Ok(vec![Place::at(found, again()?, again()?, PathBuf::new(), trust)?]);
        }
        let mut inside: Vec<OsString> =
            work_dir.names(Path::new("")).with_context(|| format!("list {}", path.display()))?;
        order::sort(&mut inside);
        let mut all = Vec::new();
        for name in inside {
            if let Some(folder) = opened(&work_dir, &name).filter(is_repository) {
                all.push(Place::at(found, again()?, folder, PathBuf::from(name), trust)?);
            }
        }
        Ok(all)
    }

    fn at(found: &FoundEnv, work_dir: Tree, tree: Tree, below: PathBuf, trust: Trust<'_>) -> Result<Place> {
        let whose = Whose::of(found, &work_dir, &tree, trust);
        Ok(Place { tree, work_dir, below, whose, notes: found.sandbox_notes(trust)? })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.tree.path()
    }

    /// The open folder.
    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The work dir.
    pub(super) fn work_dir(&self) -> &Tree {
        &self.work_dir
    }

    /// The folder's path in the work dir; empty: it is the work dir.
    pub(super) fn below(&self) -> &Path {
        &self.below
    }

    /// The same git, whose commits are marked if an agent in a sandbox has worked in the environment.
    pub(super) fn noting(&self, git: &Git) -> Git {
        let notes: Arc<dyn CommitNotes> = Arc::<SandboxNotes>::clone(&self.notes);
        git.clone().noting(notes)
    }

    /// Marks what leaves the environment.
    pub(super) fn notes(&self) -> &SandboxNotes {
        &self.notes
    }

    /// Whether it is a repository of the user's, not one that agents make or share.
    pub fn is_users(&self, checkout: &Checkout) -> bool {
        matches!(&self.whose, Whose::Users(common) if silent::resolve(checkout.git_dir()).as_ref() == Some(common))
    }

    /// Opens the repository, unless it leads to what an agent may not be able to reach: what is in it is copied on.
    ///
    /// # Errors
    /// As [`Checkout::open`], and as [`Checkout::refuse_what_leads_elsewhere`].
    pub fn checkout(&self, git: &Git) -> Result<Checkout> {
        let checkout = Checkout::open(&self.noting(git), &self.tree)?;
        if !self.is_users(&checkout) {
            let within = match &self.whose {
                Whose::Users(_) => [].as_slice(),
                Whose::Unknown(within) => within,
            };
            checkout.refuse_what_leads_elsewhere(within)?;
        }
        Ok(checkout)
    }
}

/// The repository in the folder that the user names, and the folder's path in the work dir.
fn named(work_dir: &Tree, wanted: &Path) -> Result<(Tree, PathBuf)> {
    let path = work_dir.path().to_owned();
    let outside = || {
        let message = format!("{} is not inside {}", wanted.display(), path.display());
        Failure::new(Code::LeavesTree, message).hint("`--in` takes the path of a folder in the work dir")
    };
    let below = match wanted.is_absolute() {
        true => wanted.strip_prefix(&path).map_err(|_| outside())?,
        false => wanted,
    };
    let below: PathBuf = below.components().filter(|part| !matches!(part, Component::CurDir)).collect();
    if below.components().any(|part| !matches!(part, Component::Normal(_))) {
        return Err(outside().into());
    }
    let shown = path.join(&below);
    let tree = match below.as_os_str().is_empty() {
        true => work_dir.try_clone(),
        false => work_dir.unlinked_subtree(&below),
    };
    let tree = match tree {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = format!("{} does not exist", shown.display());
            return Err(Failure::new(Code::Usage, message)
                .hint("`--in` takes the path of a folder in the work dir, relative to it")
                .into());
        }
        tree => tree.with_context(|| format!("open {}", shown.display()))?,
    };
    if !is_repository(&tree) {
        let message = format!("{} is not the top of a git repository", shown.display());
        return Err(Failure::new(Code::Failed, message)
            .hint("`--in` takes the folder with the `.git` in it")
            .into());
    }
    Ok((tree, below))
}

fn opened(work_dir: &Tree, name: &OsStr) -> Option<Tree> {
    let name = Path::new(name);
    matches!(work_dir.kind(name), Ok(Some(FileKind::Dir))).then(|| work_dir.unlinked_subtree(name).ok())?
}

/// Whether the folder is the top of working files, as git sees it: an empty `.git` is none.
fn is_repository(folder: &Tree) -> bool {
    let git = Path::new(".git");
    match folder.kind(git) {
        Ok(Some(FileKind::Dir)) => folder.names(git).is_ok_and(|names| !names.is_empty()),
        Ok(Some(FileKind::File { len, .. })) => len > 0,
        _ => false,
    }
}
