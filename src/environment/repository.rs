//! The repository of an environment whose work dir is a git worktree: released when the work dir goes.
//!
//! Everything about it that the env root says is a claim of the agent's, but for the proof that execenv has made a worktree in
//! that repository (`repository_proof.rs`). A registration is removed only if it names the work dir of this environment, a
//! branch only if it carries the environment's key and its commits are held elsewhere.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::Result;

use super::key::KeyFile;
use super::own_refs::{OwnRefs, ref_key};
use super::path::quoted;
use super::record::{CheckpointRecord, Own, RepositoryRecord};
use super::repository_proof::is_proved;
use super::sandbox_notes::SandboxNotes;
use super::setup::TrustedFile;
use crate::git::{
    Branch, Checkout, Git, OWN_REFS, Quiet, Registered, Registration, Repository, refs_lead_elsewhere,
};
use crate::layout;
use crate::layout::names;
use crate::sys::silent;
use crate::sys::tree::{Tree, is_never_writable};
use crate::task::is_branch_of;

/// Why a registration is locked; what follows names the environment. `gc` reads it in shared repositories.
const LOCK_REASON: &str = "execenv";
/// Begins the name of a registration.
pub(super) const NAME: &str = "execenv-";

/// Why the registration of the work dir at `place` is locked.
pub(super) fn lock_reason(place: &Path) -> String {
    format!("{LOCK_REASON}: work dir {}", place.display().to_string().escape_debug())
}

/// What becomes of the task's branch when its worktree goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BranchRule {
    /// It is deleted if other refs hold its commits.
    UnlessOnlyCopy,
    /// It stays.
    Keep,
    /// It is deleted; where no other ref holds its commits, a ref of ours does from then on.
    Always,
}

/// A worktree that goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving<'a> {
    /// The env root, wherever it lies now; `None`: it is gone.
    pub(super) env: Option<&'a Tree>,
    /// Its files, wherever they lie now; `None`: they are gone.
    pub(super) folder: Option<&'a Tree>,
    /// The path of the work dir when it was in its place.
    pub(super) place: &'a Path,
    /// The environment's key.
    pub(super) key: &'a str,
    /// What is known of its branch and of its checkpoints.
    pub(super) known: Known<'a>,
}

/// What is known of the branch and of the checkpoints of a worktree.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known<'a> {
    /// What the record says.
    Recorded(&'a RepositoryRecord, &'a [CheckpointRecord]),
    /// Its environment was not finished: no agent has worked there.
    Unused,
    /// Nothing.
    Nothing,
}

impl<'a> Known<'a> {
    /// What a record says, if there is one.
    pub(super) fn of(own: Option<&'a Own>) -> Known<'a> {
        let recorded = own.and_then(|own| Some((own.repository.as_ref()?, own.checkpoints.as_slice())));
        recorded.map_or(Known::Nothing, |(repository, checkpoints)| Known::Recorded(repository, checkpoints))
    }

    pub(super) fn record(self) -> Option<&'a RepositoryRecord> {
        match self {
            Known::Recorded(record, _) => Some(record),
            Known::Unused | Known::Nothing => None,
        }
    }

    fn checkpoints(self) -> &'a [CheckpointRecord] {
        match self {
            Known::Recorded(_, checkpoints) => checkpoints,
            Known::Unused | Known::Nothing => &[],
        }
    }
}

/// How environments and work dirs are deleted for good.
#[derive(Debug)]
pub(crate) struct Deletion<'a> {
    git: &'a Git,
    keys: &'a KeyFile,
    /// Where the work of agents in a sandbox is marked.
    trusted: &'a TrustedFile,
    branch: BranchRule,
    /// Once it is set, the removal of files ends.
    pub(super) stop: &'a AtomicBool,
    /// What stayed of their repositories, and why: git folders with a text on a branch or a ref.
    kept: RefCell<Vec<(PathBuf, String)>>,
    /// Refs that the caller has named already.
    named: Vec<String>,
}

impl<'a> Deletion<'a> {
    pub(crate) fn new(
        git: &'a Git,
        keys: &'a KeyFile,
        trusted: &'a TrustedFile,
        stop: &'a AtomicBool,
    ) -> Deletion<'a> {
        Deletion {
            git,
            keys,
            trusted,
            branch: BranchRule::UnlessOnlyCopy,
            stop,
            kept: RefCell::default(),
            named: Vec::new(),
        }
    }

    /// The same with another rule for the branches.
    pub(super) fn branches(self, branch: BranchRule) -> Deletion<'a> {
        Deletion { branch, ..self }
    }

    /// The same where these refs were named already.
    pub(super) fn naming(self, named: Vec<String>) -> Deletion<'a> {
        Deletion { named, ..self }
    }

    /// What stayed, and why.
    pub(super) fn kept(&self) -> Vec<(PathBuf, String)> {
        self.kept.take()
    }

    /// Takes a worktree out of its repository.
    ///
    /// # Errors
    /// As the system reports them: the next deletion of the same files tries again. A repository that cannot be written is left
    /// as it is.
    pub(super) fn release(&self, leaving: &Leaving<'_>) -> Result<()> {
        match leaving.release(self) {
            Ok(kept) => {
                self.note(kept);
                Ok(())
            }
            Err(error) if is_never_writable(&error) => {
                log::warn!("a worktree stays registered: {error:#}");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes the refs of ours in a repository that stays, as far as nothing is lost with them.
    ///
    /// # Errors
    /// As git reports them.
    pub(super) fn release_refs(&self, checkout: &Checkout, refs: OwnRefs<'_>) -> Result<()> {
        let stayed = refs.release(&checkout.shared())?;
        self.note(stayed.into_iter().map(|(_, what)| (checkout.git_dir().to_owned(), what)).collect());
        Ok(())
    }

    fn note(&self, kept: Vec<(PathBuf, String)>) {
        for (repository, what) in &kept {
            log::info!("{}: {what}", repository.display());
        }
        self.kept.borrow_mut().extend(kept);
    }
}

impl Leaving<'_> {
    /// The registration of this worktree, if it has one: what its `.git` file names, else what the record says.
    pub(super) fn registered(&self) -> Option<Registration> {
        let named = self.folder.and_then(|folder| Registered::named_in(folder).ok().flatten());
        let recorded =
            self.known.record().and_then(|record| Registered::new(&record.git_dir, &record.worktree));
        let open = named.into_iter().chain(recorded).filter_map(|registered| registered.open());
        open.into_iter().find(|registered| self.is_its(registered))
    }

    /// The same, if execenv is known to have made the worktree in that repository; else its path.
    pub(super) fn proved(&self, keys: &KeyFile) -> Option<std::result::Result<Registration, PathBuf>> {
        let registered = self.registered()?;
        match self.is_proved(&registered, keys) {
            true => Some(Ok(registered)),
            false => Some(Err(registered.common().to_owned())),
        }
    }

    /// Whether execenv is known to have made the worktree in the repository of this registration.
    pub(super) fn is_proved(&self, registered: &Registration, keys: &KeyFile) -> bool {
        let root = self.place.ancestors().nth(3).unwrap_or(self.place);
        self.env.is_some_and(|env| is_proved(env, (root, self.key), registered.common(), keys))
    }

    /// Whether a registration names this environment's work dir: at its place, or where that was before the root moved.
    fn is_its(&self, registered: &Registration) -> bool {
        let Some(place) = registered.place() else {
            // Its making was cut off, of which the lock comes first, or its removal, after which an empty folder is left.
            let is_ours = || registered.name.starts_with(&format!("{NAME}{}", self.key));
            let reason = registered.lock_reason();
            return (registered.is_empty() && is_ours())
                || reason.is_some_and(|reason| reason == lock_reason(self.place));
        };
        if place == self.place || silent::is_one_path(&place, self.place) {
            return true;
        }
        // Git makes some worktrees (`src/git/linked.rs`) under the nameless path.
        if self.folder.is_some_and(|folder| silent::is_one_path(&place, folder.path())) {
            return true;
        }
        let Some(env_root) = self.place.parent() else { return false };
        layout::former_root(&place, env_root).is_some() && silent::is_missing(&place)
    }

    /// Deletes the task's branch, then the registration, by which the next attempt finds both. Returns what stays, and why. A
    /// worktree that the repository does not know, and one whose repository is gone, need nothing; in a repository of which
    /// nothing is proved, everything stays.
    ///
    /// # Errors
    /// As the system reports them.
    fn release(&self, deletion: &Deletion<'_>) -> Result<Vec<(PathBuf, String)>> {
        let registered = match self.proved(deletion.keys) {
            None => return Ok(Vec::new()),
            Some(Ok(registered)) => registered,
            Some(Err(common)) => return Ok(vec![(common, self.unproved())]),
        };
        if let Some((path, why)) = refs_lead_elsewhere(registered.common())? {
            return Ok(vec![(registered.common().to_owned(), self.unsafe_refs(&path, why))]);
        }
        let _quiet = Quiet::in_repository(registered.common());
        let mut kept = Vec::new();
        let common = registered.common().to_owned();
        let staged = self.staged(deletion, &registered); // HEAD names a branch yet
        for branch in self.branches(deletion.git, &registered) {
            match self.release_branch(deletion, &registered, &branch) {
                Ok(what) => kept.extend(what.map(|what| (common.clone(), what))),
                // A branch is in no one's way.
                Err(error) => log::warn!("the branch {branch} stays: {error:#}"),
            }
        }
        let refs = OwnRefs { key: self.key, checkpoints: self.known.checkpoints() };
        match refs.release(&registered.repository(deletion.git)) {
            Ok(stayed) => {
                let is_new = |name: &String| {
                    !deletion.named.contains(name)
                        && !kept.iter().any(|(_, what)| what.starts_with(&format!("{name} ")))
                };
                let told: Vec<_> = stayed.into_iter().filter(|(name, _)| is_new(name)).collect();
                kept.extend(told.into_iter().map(|(_, what)| (common.clone(), what)));
            }
            Err(error) => log::warn!("the refs of {} stay: {error:#}", self.key),
        }
        // Last of all, when no branch goes any more.
        let repository = registered.repository(deletion.git);
        for commit in repository.only_in(&registered)? {
            let name = repository.keep_commit(&format!("{}/head", ref_key(self.key)), &commit)?;
            let what =
                format!("{name} holds a commit that was checked out without a branch and is nowhere else");
            kept.push((common.clone(), what));
        }
        if let Some(commit) = staged {
            let name = repository.keep_commit(&format!("{}/staged", ref_key(self.key)), &commit)?;
            kept.push((common, format!("{name} holds what was staged and not committed")));
        }
        registered.remove()?;
        Ok(kept)
    }

    /// A commit of what is staged in a worktree whose files are gone.
    fn staged(&self, deletion: &Deletion<'_>, registered: &Registration) -> Option<String> {
        let is_gone = |folder: &Tree| !matches!(folder.kind(Path::new(".git")), Ok(Some(_)));
        if !self.folder.is_none_or(is_gone) {
            return None;
        }
        let kept = format!("{OWN_REFS}{}/staged*", ref_key(self.key));
        let notes = self.env.map(|env| SandboxNotes::of(env, deletion.trusted)).transpose();
        let staged = notes.and_then(|notes| {
            let git = deletion.git.clone();
            let git = notes.map_or(git.clone(), |notes| git.noting(notes));
            registered.repository(&git).staged_in(registered, &kept, &git.committer(None))
        });
        staged.unwrap_or_else(|error| {
            log::warn!("what is staged in {} was not looked at: {error:#}", self.place.display());
            None
        })
    }

    /// What stays in a repository of which nothing proves that execenv has made the worktree there.
    fn unproved(&self) -> String {
        let place = quoted(self.place);
        format!(
            "the worktree of {place} stays registered there, with its branch: nothing proves that execenv made it (an agent can \
             write the record; an earlier version, or one without its key, wrote no proof). If the repository is yours, `git \
             worktree unlock {place}` and `git worktree prune` in it remove the registration"
        )
    }

    /// What stays in a repository whose refs lead to another one.
    fn unsafe_refs(&self, path: &Path, why: &str) -> String {
        let place = quoted(self.place);
        format!(
            "the worktree of {place} stays registered there, with its branch: {} {why}, by which git would change another \
             repository. Look at it; then `git worktree unlock {place}` and `git worktree prune` in the repository remove the \
             registration",
            path.display()
        )
    }

    /// The branches of the task. The one that is checked out is the last: it is kept where several have the only copy of something.
    fn branches(&self, git: &Git, registered: &Registration) -> Vec<String> {
        let record = self.known.record();
        let recorded =
            record.into_iter().flat_map(|record| record.former.iter().chain([&record.branch]).cloned());
        let mut branches: Vec<String> = Vec::new();
        for branch in recorded.chain(registered.branch(git)) {
            let repository = registered.repository(git);
            let is_its = || {
                is_branch_of(&branch, self.key)
                    || repository.is_begun_for(&branch, self.key).unwrap_or_else(|error| {
                        log::debug!("{error:#}");
                        false
                    })
            };
            if is_its() {
                branches.retain(|other| *other != branch);
                branches.push(branch);
            }
        }
        branches
    }

    /// Whether the only commit that a branch has for itself is the state of a user's folder from which it began. The agent may
    /// have put its own work into that commit, which gives it another id.
    fn is_baseline(&self, repository: &Repository<'_>, branch: &Branch) -> Result<bool> {
        let began_there = match self.known {
            Known::Recorded(record, _) => record.base_commit == branch.tip,
            Known::Unused => true,
            Known::Nothing => false,
        };
        Ok(began_there && repository.is_baseline(&branch.tip)?)
    }

    /// Deletes a branch by `rule`; what stays otherwise.
    fn release_branch(
        &self,
        deletion: &Deletion<'_>,
        registered: &Registration,
        name: &str,
    ) -> Result<Option<String>> {
        let (common, rule) = (registered.common(), deletion.branch);
        anyhow::ensure!(registered.is_at_its_path(), "{} was moved or replaced meanwhile", common.display());
        // An agent that can write to the repository can put links into it.
        let repository = registered.repository(deletion.git);
        let Some((branch, worktree)) = repository.branch(name)? else { return Ok(None) };
        let place = registered.place();
        if let Some(other) = worktree.filter(|worktree| Some(worktree) != place.as_ref()) {
            return Ok(Some(format!("the branch {name} is checked out in {}", other.display())));
        }
        // Two registrations may name one place: an environment, and one that was to replace it or was replaced.
        if registered.is_elsewhere(deletion.git, name) {
            return Ok(Some(format!("the branch {name} is checked out in another worktree")));
        }
        if rule == BranchRule::Keep {
            return Ok(Some(format!("the branch {name}, as asked for")));
        }
        let commits = match repository.only_on(&branch)? {
            0 => None,
            1 if self.is_baseline(&repository, &branch)? => None,
            1 => Some("1 commit that is nowhere else".to_owned()),
            count => Some(format!("{count} commits that are nowhere else")),
        };
        let kept = match commits {
            None => None,
            Some(commits) if rule == BranchRule::UnlessOnlyCopy => {
                let way = format!("git -C {} branch -D {name}", quoted(common));
                return Ok(Some(format!("the branch {name} has {commits}; `{way}` deletes it")));
            }
            Some(commits) => {
                let kept = repository.keep_commit(&format!("{}/branch", ref_key(self.key)), &branch.tip)?;
                Some(format!("{kept} holds {commits}, of the branch {name}"))
            }
        };
        repository.delete_branch(&branch)?;
        Ok(kept)
    }
}

/// Takes the worktree of an env root that was not finished out of its repository. `name` is its nameless place below the root.
///
/// # Errors
/// As [`Deletion::release`].
pub(crate) fn release_staged(
    root: &Tree,
    name: &Path,
    env_root: &Path,
    key: &str,
    deletion: &Deletion<'_>,
) -> Result<()> {
    let Ok(env) = root.plain_subtree(name) else { return Ok(()) };
    let Ok(folder) = env.plain_subtree(Path::new(names::WORK_DIR)) else { return Ok(()) };
    let place = place_of(env_root);
    deletion.release(&Leaving {
        env: Some(&env),
        folder: Some(&folder),
        place: &place,
        key,
        known: Known::Unused,
    })
}

/// The place of a work dir, for an environment whose env root is, or was, at `env_root`.
pub(super) fn place_of(env_root: &Path) -> PathBuf {
    env_root.join(names::WORK_DIR)
}
