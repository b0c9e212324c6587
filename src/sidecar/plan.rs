//! The sidecars for a work dir: planned without changing anything, then announced in the manifest, then written.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::manifest::{Before, Earlier, EntryKind, Manifest, ManifestEntry, State};
use super::marker;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sys::tree::{FileKind, Folders, Tree, has_changed, leaves_tree};
use crate::task::hex;

/// The largest brief file of the user to which execenv adds its block, in bytes.
const MAX_BRIEF_FILE: u64 = 16 << 20;

/// One change to a work dir.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A folder to create.
    Dir {
        /// Its path, relative to the work dir.
        path: PathBuf,
    },
    /// A file to create.
    File {
        /// Its path, relative to the work dir.
        path: PathBuf,
        /// Its bytes.
        bytes: Vec<u8>,
        /// Its permission bits.
        mode: u32,
    },
    /// A file to add execenv's block to, or to create with nothing but the block.
    Brief {
        /// The file's name as the agent CLI looks for it.
        path: PathBuf,
        /// The file after resolving links inside the work dir; `path` itself if there is no link.
        target: PathBuf,
        /// Its new bytes.
        bytes: Vec<u8>,
        /// Its permission bits.
        mode: u32,
        /// The file as it was, without any block of execenv's; `None` if there was none.
        before: Option<Before>,
        /// The bytes of the file as it was.
        original: Option<Vec<u8>>,
    },
}

/// The changes to a work dir, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SidecarPlan {
    /// In the order they are done.
    pub steps: Vec<Step>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// Builds a [`SidecarPlan`] by looking at a work dir.
pub struct Planner<'a> {
    tree: &'a Tree,
    plan: SidecarPlan,
    planned: HashSet<PathBuf>,
    known: HashSet<PathBuf>,
}

impl<'a> Planner<'a> {
    /// An empty plan for this work dir.
    pub fn new(tree: &'a Tree) -> Self {
        Self { tree, plan: SidecarPlan::default(), planned: HashSet::new(), known: HashSet::new() }
    }

    /// Whether a path is taken, on disk or by this plan.
    ///
    /// # Errors
    /// When the path leaves the work dir, or cannot be examined.
    pub fn is_taken(&self, path: &Path) -> Result<bool> {
        if self.planned.contains(path) {
            return Ok(true);
        }
        if path.parent().is_some_and(|parent| self.planned.contains(parent)) {
            return Ok(false); // inside a folder that does not exist yet
        }
        Ok(self.look(path)?.is_some())
    }

    /// Plans a folder and the missing folders above it.
    ///
    /// # Errors
    /// When the path is taken by something else, or a link leads out of the work dir.
    pub fn dir(&mut self, path: &Path) -> Result<()> {
        if path.as_os_str().is_empty() || self.planned.contains(path) || self.known.contains(path) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.dir(parent)?;
        }
        let inside_new = path.parent().is_some_and(|parent| self.planned.contains(parent));
        match if inside_new { None } else { self.look(path)? } {
            None => {
                self.planned.insert(path.to_owned());
                self.plan.steps.push(Step::Dir { path: path.to_owned() });
            }
            Some(FileKind::Dir) => _ = self.known.insert(path.to_owned()),
            Some(FileKind::Link) => {
                // A link to a folder inside the work dir is used; one that leads out is refused (decision D18).
                let target = self.tree.resolve(path).map_err(|error| self.explain(path, error))?;
                match self.look(&target)? {
                    Some(FileKind::Dir) => _ = self.known.insert(path.to_owned()),
                    _ => return Err(self.occupied(path, "a link to something that is not a folder")),
                }
            }
            Some(_) => return Err(self.occupied(path, "not a folder")),
        }
        Ok(())
    }

    /// Plans a new file.
    ///
    /// # Errors
    /// When the path is taken.
    pub fn file(&mut self, path: &Path, bytes: Vec<u8>, mode: u32) -> Result<()> {
        if let Some(parent) = path.parent() {
            self.dir(parent)?;
        }
        if self.is_taken(path)? {
            return Err(self.occupied(path, "there already"));
        }
        self.planned.insert(path.to_owned());
        self.plan.steps.push(Step::File { path: path.to_owned(), bytes, mode });
        Ok(())
    }

    /// Plans execenv's block in a brief file.
    ///
    /// # Errors
    /// When the file cannot be read, is not a regular file, or is a link that leads out of the work dir or is broken.
    pub fn brief(&mut self, path: &Path, text: &str) -> Result<()> {
        let mut link = None;
        let mut target = path.to_owned();
        let kind = match self.look(path)? {
            Some(FileKind::Link) => {
                target = self.tree.resolve(path).map_err(|error| self.explain(path, error))?;
                link = self.tree.read_link(path).ok();
                self.look(&target)?
            }
            other => other,
        };
        let (original, mode) = match kind {
            None => (None, 0o644),
            Some(FileKind::File { mode, .. }) => {
                let read = self.tree.read(&target, MAX_BRIEF_FILE);
                (read.map_err(|error| self.explain(path, error))?, mode)
            }
            Some(_) => return Err(self.occupied(path, "not a file")),
        };
        if original.is_some() && self.tree.link_count(&target).is_ok_and(|names| names > 1) {
            let shown = self.tree.path().join(path);
            self.plan.warnings.push(format!(
                "{} has other names (hard links); they keep the text without the brief",
                shown.display()
            ));
        }
        let injected = marker::inject(original.as_deref(), text);
        // What roll-back will leave: the original without any older block of execenv's.
        let untouched = match marker::excise_recorded(&injected.bytes, original.as_deref()) {
            marker::Excised::Rewrite(bytes) => Some(bytes),
            marker::Excised::Delete | marker::Excised::NoBlock => None,
        };
        if injected.dropped.is_some() {
            let shown = self.tree.path().join(path);
            self.plan
                .warnings
                .push(format!("{} contains an incomplete execenv block, which is replaced", shown.display()));
        }
        let before =
            untouched.map(|bytes| Before { sha256: digest(&bytes), len: bytes.len() as u64, mode, link });
        let bytes = injected.bytes;
        self.plan.steps.push(Step::Brief { path: path.to_owned(), target, bytes, mode, before, original });
        Ok(())
    }

    /// Adds a warning for the user.
    pub fn warn(&mut self, text: String) {
        self.plan.warnings.push(text);
    }

    /// The finished plan.
    pub fn finish(self) -> SidecarPlan {
        self.plan
    }

    fn look(&self, path: &Path) -> Result<Option<FileKind>> {
        match self.tree.kind(path) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
            other => other.map_err(|error| self.explain(path, error)),
        }
    }

    fn occupied(&self, path: &Path, what: &str) -> anyhow::Error {
        Failure::new(Code::Occupied, format!("{} is {what}", self.tree.path().join(path).display()))
            .hint("move it away, or use another folder: execenv overwrites no file that it did not create")
            .into()
    }

    fn explain(&self, path: &Path, error: io::Error) -> anyhow::Error {
        explain(self.tree, path, error)
    }
}

/// An I/O error at a path of a work dir, as the failure that the user can act on.
pub(super) fn explain(tree: &Tree, path: &Path, error: io::Error) -> anyhow::Error {
    let shown = tree.path().join(path);
    if leaves_tree(&error) {
        return Failure::new(Code::LeavesTree, format!("{} leads out of the work dir", shown.display()))
            .hint("replace the link by a folder or a file: execenv writes through no link that leads out of the work dir")
            .into();
    }
    if error.kind() == io::ErrorKind::NotFound {
        return Failure::new(
            Code::Occupied,
            format!("{} is a link to a file that does not exist", shown.display()),
        )
        .hint("remove the link, or create its target")
        .into();
    }
    anyhow::Error::new(error).context(format!("look at {}", shown.display()))
}

pub(super) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

impl SidecarPlan {
    /// The manifest that announces this plan.
    pub fn announce(&self, work_dir: &Path, token: &str) -> Manifest {
        let entries = self.steps.iter().map(|step| match step {
            Step::Dir { path } => {
                ManifestEntry { path: path.clone(), kind: EntryKind::Dir, ..ManifestEntry::default() }
            }
            Step::File { path, bytes, .. } => ManifestEntry {
                path: path.clone(),
                kind: EntryKind::File,
                sha256: Some(digest(bytes)),
                before: None,
            },
            Step::Brief { path, bytes, before, .. } => ManifestEntry {
                path: path.clone(),
                kind: EntryKind::Brief,
                sha256: Some(digest(bytes)),
                before: before.clone(),
            },
        });
        Manifest::announce(work_dir, token, entries.collect())
    }

    /// Carries out the plan in a work dir under construction: without an announcement or temporary names.
    ///
    /// # Errors
    /// As the system reports them; the caller removes the whole folder.
    pub fn apply_unseen(&self, work_tree: &Tree) -> Result<()> {
        let mut folders = Folders::below(work_tree);
        for step in &self.steps {
            let (Step::Dir { path } | Step::File { path, .. } | Step::Brief { path, .. }) = step;
            let done = folders.parent_of(path).and_then(|(folder, name)| match step {
                Step::Dir { .. } => folder.make_dir(name, 0o755),
                Step::File { bytes, mode, .. } | Step::Brief { bytes, mode, .. } => {
                    folder.create_unseen(name, bytes, *mode)
                }
            });
            done.with_context(|| format!("put {} into the work dir", path.display()))?;
        }
        Ok(())
    }

    /// Announces the plan in the env root's manifest, carries it out, and records there that it is complete.
    /// `earlier` is from the rounds before this one ([`Manifest::earlier`]).
    ///
    /// After a failure the announcement stays: the caller rolls back with it.
    ///
    /// # Errors
    /// As the system reports them; [`Code::Occupied`] if another program has changed a path since it was planned.
    pub fn apply(
        &self,
        env: &Tree,
        work_tree: &Tree,
        work_dir: &Path,
        token: &str,
        earlier: &Earlier,
    ) -> Result<Manifest> {
        let mut manifest = self.announce(work_dir, token);
        manifest.follow(earlier);
        let temporary = temporary_name(token);
        for step in &self.steps {
            let Step::Brief { path, original, .. } = step else { continue };
            let backup = Path::new(names::BACKUP).join(backup_name(path));
            let was_there = earlier.touched.iter().any(|old| old.path == *path && old.before.is_some());
            let kept = if was_there { keep_first_backup(env, &backup) } else { Ok(()) };
            let saved = kept.and_then(|()| match original {
                None => env.remove_file(&backup),
                Some(original) => env
                    .ensure_dir(Path::new(names::BACKUP), 0o700)
                    .and_then(|()| env.replace(&backup, original, 0o600, names::TEMPORARY)),
            });
            saved.with_context(|| format!("back up {}", path.display()))?;
        }
        manifest.store(env)?;
        for step in &self.steps {
            let (path, done) = match step {
                Step::Dir { path } => (path, work_tree.make_dir(path, 0o755)),
                Step::File { path, bytes, mode } => (path, work_tree.create(path, bytes, *mode, &temporary)),
                Step::Brief { path, target, bytes, mode, original, .. } => {
                    let done = match original {
                        Some(original) => {
                            work_tree.replace_unchanged(target, original, bytes, *mode, &temporary)
                        }
                        None => work_tree.create(target, bytes, *mode, &temporary),
                    };
                    (path, done)
                }
            };
            done.map_err(|error| {
                let happened = match error.kind() {
                    io::ErrorKind::AlreadyExists => Some("come up"),
                    _ => has_changed(&error).then_some("changed"),
                };
                if let Some(happened) = happened {
                    let shown = work_tree.path().join(path);
                    return Failure::new(Code::Occupied, format!("{} has just {happened}", shown.display()))
                        .hint("stop other programs that write to the folder, then try again")
                        .into();
                }
                anyhow::Error::new(error).context(format!("put {} into the work dir", path.display()))
            })?;
        }
        if let Some(record) = manifest.record.as_mut() {
            record.state = State::Applied;
        }
        manifest.store(env)?;
        Ok(manifest)
    }
}

/// Keeps the first round's backup as `<name>.first`: the file as it was before `prepare`. The next round backs up
/// what it finds.
fn keep_first_backup(env: &Tree, backup: &Path) -> io::Result<()> {
    let mut first = backup.to_owned();
    first.as_mut_os_string().push(".first");
    if env.kind(&first)?.is_some() || env.kind(backup)?.is_none() {
        return Ok(());
    }
    env.move_to(backup, env, &first)
}

/// The name of a round's temporary files.
pub(super) fn temporary_name(token: &str) -> String {
    format!(".execenv-{token}")
}

/// The name of a backup: the path with its separators replaced.
pub(super) fn backup_name(path: &Path) -> String {
    path.to_string_lossy().replace('/', "__")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn a_file_saved_after_planning_is_not_overwritten() {
        let tmp = tempfile::tempdir().unwrap();
        let (env, work) = (tmp.path().join("env"), tmp.path().join("work"));
        for folder in [&env, &work] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(work.join("CLAUDE.md"), "mine\n").unwrap();
        let (env, tree) = (Tree::open(&env).unwrap(), Tree::open(&work).unwrap());
        let mut planner = Planner::new(&tree);
        planner.brief(Path::new("CLAUDE.md"), "brief").unwrap();
        let plan = planner.finish();
        for saved in ["mine\nand more\n", "MINE\n", ""] {
            std::fs::write(work.join("CLAUDE.md"), saved).unwrap();
            let error = plan.apply(&env, &tree, &work, "t", &Earlier::default()).unwrap_err();
            assert_eq!(Failure::code_of(&error), Code::Occupied);
            assert!(error.to_string().ends_with("CLAUDE.md has just changed"), "{error}");
            assert_eq!(std::fs::read_to_string(work.join("CLAUDE.md")).unwrap(), saved);
            assert_eq!(tree.names(Path::new("")).unwrap(), ["CLAUDE.md"]);
        }
    }
}
