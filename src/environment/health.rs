//! Finding and repairing environments whose last step was interrupted.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

use super::busy::{Held, cannot_lock, holder_of_env};
use super::homes;
use super::locked::{LockedEnv, LockedRoot};
use super::lookup::FoundEnv;
use super::origin::{MadeBy, made_by};
use super::path::quoted;
use super::record::EnvStatus;
use super::root::{EnvRoot, WorkspacesRoot};
use super::trust::Trust;
use crate::failure::Failure;
use crate::sidecar::Manifest;
use crate::sys::lock::Holder;
use crate::sys::silent;
use crate::sys::tree::Tree;

/// What is wrong with one environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// Sidecars were announced in the manifest, but not all of them were written.
    UnfinishedSidecars,
    /// A change of the provider's homes was interrupted.
    UnfinishedHomes,
    /// A command was killed while it switched the working files to another commit.
    HalfSwitched,
    /// Its setup commands have not all ended well, so no agent starts there.
    UnfinishedSetup,
    /// Its run died without recording how it ended.
    CrashedRun,
    /// No process can take its lock, so that every command counts it as in use.
    Unlockable,
    /// Its record or manifest cannot be read.
    Unreadable,
    /// A newer version wrote its record.
    NewerRecord,
    /// It has no record, although execenv made it.
    NoRecord,
    /// It was not cleaned up, and its work dir does not exist.
    VanishedWorkDir,
    /// It works in a user folder, and the list of its sidecars is gone.
    NoManifest,
}

/// What a repair is called before and after it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repair {
    /// What `doctor --fix` would do: "records the run as crashed".
    pub would: &'static str,
    /// What it did: "recorded the run as crashed".
    pub done: &'static str,
}

impl Complaint {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Complaint::UnfinishedSidecars => "unfinished_sidecars",
            Complaint::UnfinishedHomes => "unfinished_homes",
            Complaint::HalfSwitched => "half_switched",
            Complaint::UnfinishedSetup => "unfinished_setup",
            Complaint::CrashedRun => "crashed_run",
            Complaint::Unlockable => "unlockable",
            Complaint::Unreadable => "unreadable",
            Complaint::NewerRecord => "newer_record",
            Complaint::NoRecord => "no_record",
            Complaint::VanishedWorkDir => "vanished_work_dir",
            Complaint::NoManifest => "no_manifest",
        }
    }

    /// What is wrong.
    pub fn what(self) -> &'static str {
        match self {
            Complaint::UnfinishedSidecars => "`prepare`, `reuse` or `cleanup` was interrupted",
            Complaint::UnfinishedHomes => "a change of the agent's configuration was interrupted",
            Complaint::HalfSwitched => {
                "`branch`, `merge`, `restore` or `publish` was interrupted while it wrote the working files"
            }
            Complaint::UnfinishedSetup => {
                "its setup failed or was interrupted, so `run` starts no agent there"
            }
            Complaint::CrashedRun => "its run died without a result",
            Complaint::Unlockable => "it cannot be locked, so every command counts it as in use",
            Complaint::Unreadable => "a state file cannot be read",
            Complaint::NewerRecord => "a newer version of execenv wrote its record; use that version",
            Complaint::NoRecord => {
                "its record is missing, so only `execenv cleanup --all` and `gc` work on it"
            }
            Complaint::NoManifest => "nothing lists what execenv wrote into a folder of yours",
            Complaint::VanishedWorkDir => {
                "its work dir is gone; `execenv prepare` of the same task makes a new one"
            }
        }
    }

    /// What `doctor --fix` does about it; `None`: nothing.
    pub fn repair(self) -> Option<Repair> {
        let (would, done) = match self {
            Complaint::UnfinishedSidecars => ("removes its generated files", "removed its generated files"),
            Complaint::UnfinishedHomes => ("finishes that change", "finished that change"),
            Complaint::HalfSwitched => ("takes back what was written", "took back what was written"),
            Complaint::CrashedRun => {
                ("ends its processes, saves its work, and records how it ended", "recorded how it ended")
            }
            Complaint::UnfinishedSetup
            | Complaint::Unlockable
            | Complaint::Unreadable
            | Complaint::NewerRecord
            | Complaint::NoRecord
            | Complaint::VanishedWorkDir
            | Complaint::NoManifest => return None,
        };
        Some(Repair { would, done })
    }
}

/// A problem of one environment.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The env root.
    pub path: PathBuf,
    /// The kind of problem.
    pub complaint: Complaint,
    /// Whether it has been repaired.
    pub fixed: bool,
    /// Details of what was found, or why it could not be repaired; empty where there are none.
    pub note: String,
    /// What to do about it, as the error behind it says.
    pub hint: Option<String>,
}

/// An environment that another process holds.
#[derive(Clone, Debug)]
pub struct HeldEnv {
    /// The env root.
    pub path: PathBuf,
    /// The process, as far as the system names it.
    pub holder: Option<Holder>,
}

/// What was found in a root.
#[derive(Debug)]
pub struct Examined {
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What is in use, and so not examined.
    pub held: Vec<HeldEnv>,
    /// How many environments were examined.
    pub seen: usize,
    /// How many there are.
    pub all: usize,
}

/// What is found and repaired by those who know more than an environment does: runs, and the work in repositories.
pub trait Above {
    /// Whether a killed command has left working files half switched to another commit.
    fn is_half_switched(&self, found: &FoundEnv) -> bool;

    /// Takes that back.
    ///
    /// # Errors
    /// As git and the system report them.
    fn take_switch_back(&self, found: &LockedEnv) -> Result<()>;

    /// Recovers an environment whose run has died.
    ///
    /// # Errors
    /// As the system reports them.
    fn recover_run(&mut self, found: &LockedEnv) -> Result<()>;
}

/// Examines every environment that no process holds, until `stop` is set; with `fix`, repairs what can be repaired.
///
/// # Errors
/// When the root cannot be listed.
pub fn examine(
    root: &WorkspacesRoot,
    tree: &Tree,
    fix: bool,
    above: &mut dyn Above,
    trust: Trust<'_>,
    stop: &AtomicBool,
) -> Result<Examined> {
    let (mut found, mut held) = (Vec::new(), Vec::new());
    let (mut seen, mut all) = (0, 0);
    for workspace in root.workspaces(tree)? {
        let folder = Path::new(&workspace);
        for key in root.keys(tree, &workspace).unwrap_or_default() {
            all += 1;
            if !stop.load(Ordering::Relaxed) {
                seen += 1;
                found.extend(examine_one(&root.path().join(folder).join(key), fix, above, trust, &mut held));
            }
        }
    }
    Ok(Examined { problems: found, held, seen, all })
}

fn examine_one(
    path: &Path,
    fix: bool,
    above: &mut dyn Above,
    trust: Trust<'_>,
    in_use: &mut Vec<HeldEnv>,
) -> Vec<Problem> {
    let unreadable = |error: anyhow::Error| vec![broken(path, Complaint::Unreadable, &error)];
    let opened = match FoundEnv::open(path) {
        Ok(found) => found,
        Err(error) => {
            let why = format!("{error:#}");
            let mut problems = unreadable(error);
            if fix && let Some(note) = take_back_without_record(path, trust) {
                problems.iter_mut().for_each(|problem| {
                    (problem.note, problem.hint) = (format!("{why}; {note}"), None);
                });
            }
            return problems;
        }
    };
    let (locked, unlocked);
    let found = match LockedRoot::try_hold(opened.env, false) {
        Ok(root) => {
            locked = match root.read_even_damaged() {
                Ok(locked) => Some(locked),
                Err(error) => return unreadable(error),
            };
            locked.as_deref()
        }
        // No lock file is created to look at an environment: that would renew its age.
        Err(Held::NoLockFile) => {
            locked = None;
            unlocked = FoundEnv::open(path).ok();
            unlocked.as_ref()
        }
        Err(Held::Unknown(_)) => {
            let why = cannot_lock(path).map(|(why, hint)| format!("{why}: {hint}"));
            return why.map(|why| problem(path, Complaint::Unlockable, why)).into_iter().collect();
        }
        Err(Held::ByOther) => {
            in_use.push(HeldEnv { path: path.to_owned(), holder: holder_of_env(path) });
            return Vec::new();
        }
        Err(Held::Moved) => return Vec::new(),
    };
    let Some(found) = found else { return Vec::new() };
    if let Some(locked) = locked.as_ref().filter(|_| fix && found.meta.is_some()) {
        locked.sweep_temporaries();
    }
    let mut problems = problems_of(found, above, trust);
    if !fix || problems.is_empty() {
        return problems;
    }
    let locked = match locked {
        Some(locked) => locked,
        None => {
            match EnvRoot::open(path).and_then(LockedRoot::acquire).and_then(LockedRoot::read_even_damaged) {
                Ok(locked) => locked,
                Err(error) => {
                    problems.iter_mut().for_each(|problem| problem.note = with_hint(&error));
                    return problems;
                }
            }
        }
    };
    for problem in &mut problems {
        match locked.fix(problem.complaint, trust, above) {
            Ok(fixed) => problem.fixed = fixed,
            Err(error) => problem.note = with_hint(&error),
        }
    }
    problems
}

fn problem(path: &Path, complaint: Complaint, note: String) -> Problem {
    Problem { path: path.to_owned(), complaint, fixed: false, note, hint: None }
}

/// A problem that an error tells of.
fn broken(path: &Path, complaint: Complaint, error: &anyhow::Error) -> Problem {
    Problem { hint: Failure::hint_of(error), ..problem(path, complaint, format!("{error:#}")) }
}

/// Takes back what a manifest proves although the record beside it is damaged. Returns what became of it and what to do now;
/// `None`: there is nothing to take back.
fn take_back_without_record(path: &Path, trust: Trust<'_>) -> Option<String> {
    let locked = LockedRoot::try_hold(EnvRoot::open(path).ok()?, false).ok()?.read_even_damaged().ok()?;
    if !locked.work_dir.is_user_folder() {
        return None;
    }
    let folder = locked.work_dir_path();
    Some(match locked.take_sidecars_back(trust, None) {
        Ok(report) if report.errors.is_empty() => {
            format!(
                "its sidecars were taken back out of {}; `execenv cleanup --all {}` removes the rest",
                folder.display(),
                quoted(path)
            )
        }
        Ok(report) => {
            format!("{} (fix the cause, then `execenv doctor --fix`)", report.errors.join("; "))
        }
        Err(error) => with_hint(&error),
    })
}

/// An error with what to do about it.
fn with_hint(error: &anyhow::Error) -> String {
    match Failure::hint_of(error) {
        Some(hint) => format!("{error:#} ({hint})"),
        None => format!("{error:#}"),
    }
}

/// What is wrong with an environment that no process holds.
fn problems_of(found: &FoundEnv, above: &dyn Above, trust: Trust<'_>) -> Vec<Problem> {
    let path = &found.env.path;
    let Some(meta) = &found.meta else {
        // multica writes its record when a task ends; gc removes what has none by its age.
        let is_ours = made_by(&found.env.tree, &Ok(None)) == MadeBy::Execenv;
        return if is_ours { vec![problem(path, Complaint::NoRecord, String::new())] } else { Vec::new() };
    };
    if let Err(error) = meta.refuse_newer(&found.env.tree) {
        return vec![problem(path, Complaint::NewerRecord, format!("{error:#}"))];
    }
    let mut problems = Vec::new();
    match Manifest::load(&found.env.tree) {
        Err(error) => problems.push(broken(path, Complaint::Unreadable, &error)),
        Ok(Some(manifest)) if !manifest.is_complete() => {
            problems.push(problem(path, Complaint::UnfinishedSidecars, String::new()));
        }
        // A record says that it is over only when nothing of it is left.
        Ok(None) if found.work_dir.is_user_folder() => {
            problems.push(broken(path, Complaint::NoManifest, &found.unproved(None, trust)));
        }
        Ok(_) => {}
    }
    if homes::has_leftovers(&found.env.tree) {
        problems.push(problem(path, Complaint::UnfinishedHomes, String::new()));
    }
    if above.is_half_switched(found) {
        problems.push(problem(path, Complaint::HalfSwitched, String::new()));
    }
    let own = meta.own_or_rebuilt(&found.env.tree);
    let work_dir = found.work_dir_path();
    if meta.own.is_some() && own.status != EnvStatus::Cleaned && silent::is_dir(&work_dir) == Some(false) {
        problems.push(problem(path, Complaint::VanishedWorkDir, work_dir.display().to_string()));
    }
    let is_over = own.status == EnvStatus::Cleaned;
    if own.setup.as_ref().is_some_and(|setup| !is_over && setup.is_unfinished()) {
        problems.push(problem(path, Complaint::UnfinishedSetup, String::new()));
    }
    if own.status.is_active() {
        problems.push(problem(path, Complaint::CrashedRun, String::new()));
    }
    problems
}

impl LockedEnv {
    /// Fixes one problem; `false`: it cannot be fixed.
    fn fix(&self, complaint: Complaint, trust: Trust<'_>, above: &mut dyn Above) -> Result<bool> {
        match complaint {
            Complaint::UnfinishedSetup
            | Complaint::Unlockable
            | Complaint::Unreadable
            | Complaint::NewerRecord
            | Complaint::NoRecord
            | Complaint::VanishedWorkDir
            | Complaint::NoManifest => return Ok(false),
            Complaint::UnfinishedSidecars => drop(self.recover(trust)?),
            Complaint::UnfinishedHomes => self.recover_homes()?,
            Complaint::HalfSwitched => above.take_switch_back(self)?,
            Complaint::CrashedRun => above.recover_run(self)?,
        }
        Ok(true)
    }
}
