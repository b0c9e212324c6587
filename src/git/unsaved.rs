//! Unsaved work in a folder: what would be lost for good if the folder were deleted. Git is asked, nothing is guessed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

use super::other_objects::Others;
use super::program::Git;
use super::refs::{NEWEST, OWN_REFS, STASH};
use super::registration::{Registered, Registration};
use super::repository::{Repository, patience};
use super::search::{FoundRepository, Patience, search};
use super::view::{GitFolders, View};
use crate::order;
use crate::sys::tree::{FileKind, Tree};

/// What kind of work is at stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsavedKind {
    /// Uncommitted changes.
    Dirty,
    /// Commits that exist nowhere else.
    Unpushed,
    /// It is unknown whether there is any.
    Unknown,
}

/// Work that would be lost for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsaved {
    /// The repository's folder.
    pub path: PathBuf,
    /// What kind of work.
    pub kind: UnsavedKind,
    /// For a person.
    pub what: String,
    /// The same for a program; empty where it is unknown.
    pub reasons: Vec<Reason>,
    /// What becomes of the repository.
    pub fate: Fate,
}

/// What becomes of a repository when the folder goes in which its work lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes, too.
    Goes,
    /// It lies elsewhere, is kept, and knows this worktree, so that a snapshot can be written to it.
    Stays,
    /// It may lie elsewhere, and no snapshot can be written to it: it cannot be asked, or does not know this worktree.
    OutOfReach,
}

impl Unsaved {
    /// A place of which it is unknown, and why.
    pub fn unknown(path: PathBuf, what: String, fate: Fate) -> Unsaved {
        Unsaved { path, kind: UnsavedKind::Unknown, what, reasons: Vec::new(), fate }
    }
}

/// One reason why work would be lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reason {
    /// Of what the work consists.
    pub kind: ReasonKind,
    /// How many files, operations, commits or stashes there are.
    pub count: u64,
    /// The first of them: a path, an operation, a commit's short id and subject. Texts of the agent.
    pub first: Vec<String>,
}

/// Of what unsaved work consists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    /// Files that differ from what is committed.
    Uncommitted,
    /// A rebase, a merge or the like that has begun.
    InProgress,
    /// Commits that exist nowhere else.
    Commits,
    /// Stashed changes.
    Stash,
    /// Tags with a text, and other objects that a ref holds.
    Refs,
}

impl Reason {
    /// For a person. `foreign`: of a worktree, whose repository stays.
    fn told(&self, foreign: bool) -> String {
        let Reason { kind, count, first } = self;
        // They come from an agent: control characters become visible.
        let shown: Vec<String> = first.iter().map(|thing| thing.escape_debug().to_string()).collect();
        let rest = if *count > first.len() as u64 { ", …" } else { "" };
        let examples = format!("({}{rest})", shown.join(", "));
        match kind {
            ReasonKind::Uncommitted => {
                let place = if foreign { " in a worktree" } else { "" };
                format!("{}{place} {examples}", counted(*count, "uncommitted change"))
            }
            ReasonKind::InProgress => format!("{} is in progress", shown.join(", ")),
            ReasonKind::Commits => {
                let place = if foreign { "that no ref would hold" } else { "on no remote" };
                format!("{} {place} {examples}", counted(*count, "commit"))
            }
            ReasonKind::Refs => format!("{} with more than a commit {examples}", counted(*count, "ref")),
            ReasonKind::Stash if *count == 1 => format!("a stash {examples}"),
            ReasonKind::Stash => format!("{count} stashes {examples}"),
        }
    }
}

/// What is execenv's own and no work.
#[derive(Clone, Copy, Debug)]
pub struct NoWork<'a> {
    /// Files.
    pub files: &'a [PathBuf],
    /// The part of our refs that stands for the environment; empty: it has none.
    pub key: &'a str,
}

impl NoWork<'_> {
    /// The ref of the newest checkpoint. What it holds is the work that is in the files, which are asked about, or was at a moment
    /// before. Of another environment that is not so.
    fn newest(self) -> String {
        format!("{OWN_REFS}{}/{NEWEST}", self.key)
    }
}

impl Git {
    /// Work below `folder` that would be lost for good with all that is in `goes`, the folder itself or one above it.
    /// `ours` does not count. What was not searched is not claimed to be safe, and
    /// all of it takes two minutes at most.
    pub fn unsaved_work(&self, folder: &Path, goes: &Path, ours: NoWork<'_>) -> Vec<Unsaved> {
        let mut asking = Asking::begin(self, goes, ours);
        let searched = search(folder, asking.patience);
        for repository in searched.repositories {
            asking.about(&repository);
        }
        asking.not_searched(searched.gap);
        asking.about_modules();
        asking.found
    }

    /// The same for a worktree whose folder does not say any more which registration is its own. `folder` are its files; `None`:
    /// they are gone, and only what lies in the registration itself is asked about.
    pub fn unsaved_in_worktree(
        &self,
        registered: &Registration,
        folder: Option<&Path>,
        goes: &Path,
        ours: NoWork<'_>,
    ) -> Vec<Unsaved> {
        let mut asking = Asking::begin(self, goes, ours);
        let (own, common) = (registered.git_dir().to_owned(), registered.common().to_owned());
        asking.going.insert(own.clone());
        if let Some(folder) = folder {
            asking.about_known(folder, GitFolders { own, common }, false);
        }
        asking.about_modules();
        asking.found
    }
}

/// The questions about one removal.
struct Asking<'a> {
    git: &'a Git,
    goes: &'a Path,
    ours: NoWork<'a>,
    patience: Patience<'a>,
    /// The repositories that were asked, by their shared git folders.
    asked: BTreeSet<PathBuf>,
    /// The git folders that go, whose submodules go with them.
    going: BTreeSet<PathBuf>,
    found: Vec<Unsaved>,
}

impl<'a> Asking<'a> {
    fn begin(git: &'a Git, goes: &'a Path, ours: NoWork<'a>) -> Asking<'a> {
        let patience = Patience { deadline: Instant::now() + patience(), stop: git.stop() };
        let (asked, going) = (BTreeSet::new(), BTreeSet::new());
        Asking { git, goes, ours, patience, asked, going, found: Vec::new() }
    }

    fn about(&mut self, repository: &FoundRepository) {
        let FoundRepository { path, is_bare } = repository;
        let fate = if *is_bare || path.join(".git").is_dir() { Fate::Goes } else { Fate::OutOfReach };
        if let Some(why) = self.patience.is_over() {
            let what = format!("not asked whether its work is saved: {why}");
            self.found.push(Unsaved::unknown(path.clone(), what, fate));
            return;
        }
        match self.git.at(path).before(self.patience.deadline).git_folders() {
            Ok(folders) => self.ask(path, &folders, *is_bare, None),
            Err(error) => self.cannot_tell(path, &error, fate),
        }
    }

    /// The same for git folders that nothing in `dir` need name.
    fn about_known(&mut self, dir: &Path, folders: GitFolders, is_bare: bool) {
        self.ask(dir, &folders, is_bare, Some(&folders.own));
    }

    fn ask(&mut self, dir: &Path, folders: &GitFolders, is_bare: bool, git_dir: Option<&Path>) {
        let at = self.git.at(dir).before(self.patience.deadline);
        let at = git_dir.map_or(at, |git_dir| at.by(git_dir));
        let is_foreign = !folders.go_with(self.goes);
        self.asked.insert(real(&folders.common));
        if !is_foreign {
            self.going.insert(folders.common.clone());
            self.going.extend(worktrees_of(&folders.common));
        }
        if folders.own != folders.common {
            self.going.insert(folders.own.clone());
        }
        match at.unsaved_work(folders, is_bare, is_foreign, self.ours) {
            Ok(unsaved) => self.found.extend(unsaved),
            Err(error) => {
                self.cannot_tell(dir, &error, if is_foreign { Fate::OutOfReach } else { Fate::Goes });
            }
        }
    }

    /// The submodules of all that goes: their repositories lie in it, also those whose files are not there any more.
    fn about_modules(&mut self) {
        for git_dir in std::mem::take(&mut self.going) {
            let is_there = Tree::open(&git_dir).and_then(|tree| tree.kind(Path::new(MODULES)));
            if !matches!(is_there, Ok(Some(FileKind::Dir))) {
                continue;
            }
            let searched = search(&git_dir.join(MODULES), self.patience);
            for FoundRepository { path, .. } in searched.repositories {
                if !self.asked.contains(&real(&path)) {
                    self.about_known(&path, GitFolders { own: path.clone(), common: path.clone() }, true);
                }
            }
            self.not_searched(searched.gap);
        }
    }

    fn cannot_tell(&mut self, path: &Path, error: &anyhow::Error, fate: Fate) {
        let what = format!("cannot tell whether its work is saved: {error:#}");
        self.found.push(Unsaved::unknown(path.to_owned(), what, fate));
    }

    fn not_searched(&mut self, gap: Option<(PathBuf, String)>) {
        let unsearched = |why| format!("not searched for repositories: {why}");
        self.found.extend(gap.map(|(path, why)| Unsaved::unknown(path, unsearched(why), Fate::Goes)));
    }
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The own git folders of a repository's linked worktrees.
fn worktrees_of(common: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(common.join(WORKTREES)).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// The registration of a worktree in which the git folder of a submodule lies.
pub(super) fn registration_of(module: &Path) -> Option<Registered> {
    let module = real(module);
    let mut above =
        module.ancestors().filter(|folder| folder.ends_with(MODULES)).filter_map(|modules| modules.parent());
    let is_registration = |folder: &&Path| {
        folder.parent().is_some_and(|above| above.ends_with(WORKTREES)) && folder.join("commondir").is_file()
    };
    let registration = above.find(is_registration)?;
    Registered::new(registration.parent()?.parent()?, registration.file_name()?.to_str()?)
}

impl GitFolders {
    /// Whether the repository is gone with all that is in `goes`: it lies there, or it is a submodule's in the registration of a
    /// worktree.
    fn go_with(&self, goes: &Path) -> bool {
        real(&self.common).starts_with(real(goes)) || registration_of(&self.common).is_some()
    }
}

/// How many commits and files a reason names.
const EXAMPLES: usize = 5;

/// Where git keeps the git folders of submodules and of linked worktrees.
const MODULES: &str = "modules";
const WORKTREES: &str = "worktrees";

/// Refs that belong to one worktree and are lost with it.
const PER_WORKTREE: [&str; 3] = ["refs/worktree/*", "refs/bisect/*", "refs/rewritten/*"];

impl Repository<'_> {
    /// The work of this repository or worktree that would be lost, with every reason.
    fn unsaved_work(
        &self,
        folders: &GitFolders,
        is_bare: bool,
        foreign: bool,
        ours: NoWork<'_>,
    ) -> Result<Option<Unsaved>> {
        let common = &folders.common;
        let mut reasons = Vec::new();

        let changed = if is_bare {
            Vec::new()
        } else {
            self.changed_files(&self.view(folders, false)?, ours.files, true)?
        };
        if !changed.is_empty() {
            let first = changed.iter().take(EXAMPLES).map(|path| path.display().to_string()).collect();
            reasons.push(Reason { kind: ReasonKind::Uncommitted, count: changed.len() as u64, first });
        }
        let mut operations: Vec<&str> = self.in_progress(&folders.own)?;
        if !foreign {
            // Linked worktrees elsewhere keep their state in this repository.
            for own in worktrees_of(common) {
                operations.extend(self.in_progress(&own)?);
            }
        }
        order::sort(&mut operations);
        operations.dedup();
        if !operations.is_empty() {
            let first = operations.iter().map(|name| (*name).to_owned()).collect();
            reasons.push(Reason { kind: ReasonKind::InProgress, count: operations.len() as u64, first });
        }

        let mut others = Others::default();
        let commits = if foreign {
            // Branches survive a worktree of another repository; its HEAD and its own refs do not.
            let own = PER_WORKTREE.map(|pattern| format!("--glob={pattern}"));
            let shared = PER_WORKTREE.map(|pattern| format!("--exclude={pattern}"));
            let head = self.has_head()?.then(|| "HEAD".to_owned());
            // A stash holds nothing for good; a checkpoint that does stays.
            let shared = shared.into_iter().chain([format!("--exclude={STASH}")]);
            let lost = head.into_iter().chain(own).chain(["--not".into()]).chain(shared);
            self.as_stored().commits(lost.chain(["--glob=refs/*".into()]))?
        } else {
            // The repository itself goes, with the commits of all its refs and worktrees that no remote has.
            // The stash is named on its own.
            let newest = ours.newest();
            others = self.other_objects(common, &newest)?;
            // What a checkpoint is built on is no part of it.
            let below = others.checkpoints.iter().map(|checkpoint| format!("{checkpoint}^@"));
            let newest = format!("--exclude={newest}");
            let all = ["--exclude=refs/stash", &newest, "--all"].map(str::to_owned);
            let remotes = ["--not", "--remotes"].map(str::to_owned);
            self.as_stored().commits(all.into_iter().chain(below).chain(remotes))?
        };
        let is_beginning = match commits.first.first().and_then(|first| first.split(' ').next()) {
            Some(id) if !foreign && commits.count == 1 => self.as_stored().is_beginning(id)?,
            _ => false,
        };
        if commits.count > 0 && !is_beginning {
            reasons.push(Reason { kind: ReasonKind::Commits, count: commits.count, first: commits.first });
        }
        if !foreign && self.has_ref(STASH)? {
            reasons.push(self.stashes()?);
        }
        if !others.refs.is_empty() {
            let first = others.refs.iter().take(EXAMPLES).cloned().collect();
            reasons.push(Reason { kind: ReasonKind::Refs, count: others.refs.len() as u64, first });
        }
        let kind = match reasons.first().map(|reason| reason.kind) {
            None => return Ok(None),
            Some(ReasonKind::Uncommitted | ReasonKind::InProgress) => UnsavedKind::Dirty,
            Some(ReasonKind::Commits | ReasonKind::Stash | ReasonKind::Refs) => UnsavedKind::Unpushed,
        };
        let what = reasons.iter().map(|reason| reason.told(foreign)).collect::<Vec<_>>().join("; ");
        // Nothing is ever written into a repository that does not know of the worktree.
        let fate = match foreign {
            false => Fate::Goes,
            true if !is_bare && folders.know_worktree(self.dir()) => Fate::Stays,
            true => Fate::OutOfReach,
        };
        Ok(Some(Unsaved { path: self.dir().to_owned(), kind, what, reasons, fate }))
    }

    /// A folder that `git rev-parse` names: `--git-dir` (a worktree's own) or `--git-common-dir`.
    pub(super) fn git_folder(&self, which: &str) -> Result<PathBuf> {
        let folder = self.look(["rev-parse", "--path-format=absolute", which]).output()?;
        Ok(OsStr::from_bytes(folder.strip_suffix(b"\n").unwrap_or(&folder)).into())
    }

    /// The working files of a worktree that differ from what is committed; with `untracked` those that git does not know, too.
    pub(super) fn changed_files(
        &self,
        view: &View,
        ours: &[PathBuf],
        untracked: bool,
    ) -> Result<Vec<PathBuf>> {
        // A submodule's own changes are asked about where it lies: `status` would start a git in it that runs the
        // filters of its configuration.
        let untracked = if untracked { "--untracked-files=all" } else { "--untracked-files=no" };
        let status = ["status", "--porcelain=v1", "-z", untracked, "--ignore-submodules=dirty"];
        let status = self.look(status).through(view).output()?;
        let is_ours = |changed: &Path| ours.contains(&self.dir().join(changed));
        let mut changed: Vec<PathBuf> = changed_paths(&status).collect();
        changed.extend(self.hidden_changes(view)?);
        changed.retain(|changed| !is_ours(changed));
        Ok(changed)
    }

    /// The stashes, of which the newest is a ref and the others are in its log. One without a log is one all the same.
    fn stashes(&self) -> Result<Reason> {
        let log = ["rev-list", "--walk-reflogs", "--no-commit-header", "--format=%s", "refs/stash"];
        let log = self.as_stored().look(log).text().unwrap_or_default();
        let count = (log.lines().count() as u64).max(1);
        Ok(Reason {
            kind: ReasonKind::Stash,
            count,
            first: log.lines().take(EXAMPLES).map(str::to_owned).collect(),
        })
    }

    /// The commits that a `rev-list` gives: how many, and the first of them.
    fn commits(&self, revisions: impl IntoIterator<Item = String>) -> Result<Commits> {
        let revisions: Vec<String> = revisions.into_iter().collect();
        let count = self.look(["rev-list", "--count"]).args(&revisions).text()?.parse()?;
        if count == 0 {
            return Ok(Commits::default());
        }
        let limit = format!("--max-count={EXAMPLES}");
        let shown = ["rev-list", "--no-commit-header", "--format=%h %s", &limit];
        let first = self.look(shown).args(&revisions).text()?;
        Ok(Commits { count, first: first.lines().map(str::to_owned).collect() })
    }
}

/// Commits that would be lost.
#[derive(Debug, Default)]
struct Commits {
    count: u64,
    /// The first ones, each as its short id and its subject.
    first: Vec<String>,
}

/// The paths of `git status --porcelain=v1 -z`. The second path of a rename is of no matter here.
fn changed_paths(status: &[u8]) -> impl Iterator<Item = PathBuf> + '_ {
    status
        .split(|byte| *byte == 0)
        .filter(|entry| entry.len() > 3 && entry[2] == b' ')
        .map(|entry| PathBuf::from(OsStr::from_bytes(&entry[3..])))
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
