//! The sidecars for a work dir: planned without changing anything, then announced in the manifest, then written.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::before::{Before, digest};
use super::folder::Folder;
use super::manifest::{EntryKind, Manifest, ManifestEntry};
use super::marker;
use crate::failure::{Code, Failure};
use crate::sys::tree::{FileKind, Tree, leaves_tree};

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
    /// The folder of the work dir that all paths are relative to.
    below: &'a Path,
    plan: SidecarPlan,
    planned: HashSet<PathBuf>,
    known: HashSet<PathBuf>,
}

impl<'a> Planner<'a> {
    /// An empty plan for this work dir, whose paths are relative to this folder of the work dir, which is there.
    pub fn new(tree: &'a Tree, below: &'a Path) -> Self {
        Self { tree, below, plan: SidecarPlan::default(), planned: HashSet::new(), known: HashSet::new() }
    }

    /// Where a path is in the work dir.
    pub fn place(&self, path: &Path) -> PathBuf {
        if self.below.as_os_str().is_empty() { path.to_owned() } else { self.below.join(path) }
    }

    /// Whether a path is taken, on disk or by this plan.
    ///
    /// # Errors
    /// When the path leaves the work dir, or cannot be examined.
    pub fn is_taken(&self, path: &Path) -> Result<bool> {
        self.is_place_taken(&self.place(path))
    }

    fn is_place_taken(&self, path: &Path) -> Result<bool> {
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
        self.dir_at(&self.place(path))
    }

    fn dir_at(&mut self, path: &Path) -> Result<()> {
        if path.as_os_str().is_empty() || self.planned.contains(path) || self.known.contains(path) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.dir_at(parent)?;
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
        let path = &self.place(path);
        if let Some(parent) = path.parent() {
            self.dir_at(parent)?;
        }
        if self.is_place_taken(path)? {
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
        let path = &self.place(path);
        if let Some(parent) = path.parent() {
            self.dir_at(parent)?;
        }
        if self.planned.contains(path) {
            return Err(self.occupied(path, "another sidecar's place"));
        }
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
        if original.is_some()
            && let Some(why) =
                self.tree.why_not_replaced(&target).map_err(|error| self.explain(path, error))?
        {
            let shown = self.tree.path().join(path);
            let message = format!("{} {why}, so it cannot be put back as it is", shown.display());
            return Err(Failure::new(Code::Occupied, message)
                .hint("run execenv as its owner or as root, or leave the file alone: `--no-brief`")
                .into());
        }
        if original.is_some() && self.tree.link_count(&target).is_ok_and(|names| names > 1) {
            let shown = self.tree.path().join(path);
            self.plan.warnings.push(format!(
                "{} has other names (hard links); they keep the text without the brief",
                shown.display()
            ));
        }
        let injected = marker::inject(original.as_deref(), text);
        let untouched = original.as_deref().and_then(untouched);
        if injected.dropped.is_some() {
            let shown = self.tree.path().join(path);
            self.plan
                .warnings
                .push(format!("{} contains an incomplete execenv block, which is replaced", shown.display()));
        }
        let before = match (&original, untouched) {
            (Some(_), Some(bytes)) => {
                let before = Before::of(self.tree, &target, &bytes, mode, link);
                Some(before.map_err(|error| self.explain(path, error))?)
            }
            _ => None,
        };
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

/// What roll-back leaves of a file of the user: all but an older block of execenv's.
pub(super) fn untouched(original: &[u8]) -> Option<Vec<u8>> {
    let injected = marker::inject(Some(original), "");
    match marker::excise_recorded(&injected.bytes, Some(original)) {
        marker::Excised::Rewrite(bytes) => Some(bytes),
        marker::Excised::Delete | marker::Excised::NoBlock => None,
    }
}

impl SidecarPlan {
    /// The files that it makes for their owner alone.
    pub fn private_files(&self) -> impl Iterator<Item = &Path> {
        self.steps.iter().filter_map(|step| match step {
            Step::File { path, mode, .. } if mode & 0o077 == 0 => Some(path.as_path()),
            Step::File { .. } | Step::Dir { .. } | Step::Brief { .. } => None,
        })
    }

    /// The manifest that announces this plan. `folder` says which folder a user folder is.
    pub fn announce(&self, work_dir: &Path, folder: Option<Folder>, token: &str) -> Manifest {
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
        Manifest::announce(work_dir, folder, token, entries.collect())
    }
}

/// The name of the temporary file with which roll-back replaces a file, and the start of all of a round's.
pub(super) fn temporary_name(token: &str) -> String {
    format!(".execenv-{token}")
}

/// The name of a step's temporary file, by its number in the plan and so among the manifest's entries.
pub(super) fn temporary_of(token: &str, number: usize) -> String {
    format!("{}-{number}", temporary_name(token))
}

/// The name of a backup: the path with its separators replaced.
pub(super) fn backup_name(path: &Path) -> String {
    path.to_string_lossy().replace('/', "__")
}
