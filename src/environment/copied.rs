//! Files that a new work dir gets from that of another environment.
//!
//! Both are walked by handles: no link is followed. Left out are that one's sidecars, and every `.git` that names a repository
//! elsewhere, because two work dirs would be one worktree then.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};

use super::own_files::OwnFiles;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::order;
use crate::sys::tree::{CopyCut, Copying, FileKind, Most, Tree, leaves_tree};

/// The most that is copied: an agent may have filled its work dir.
const MOST: Most = Most { entries: 2_000_000, bytes: 20 << 30 };
/// How many paths a warning names.
const SHOWN: usize = 5;

/// What is copied of a work dir.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// All of it.
    All,
    /// Files and folders, by their paths in it.
    Named(Vec<PathBuf>),
}

/// Another environment's work dir, and what is copied of it.
#[derive(Debug)]
pub struct CopiedFrom {
    /// The open work dir.
    pub work_dir: Tree,
    /// What of it is execenv's own.
    pub own: OwnFiles,
    /// What is copied.
    pub files: Files,
    /// An agent in a sandbox has worked there.
    pub from_sandbox: bool,
    /// Ends the copying once it is set.
    pub stop: Arc<AtomicBool>,
}

impl CopiedFrom {
    /// Refuses paths that do not lead into the work dir; returns them as short as they can be.
    ///
    /// # Errors
    /// A [`Code::Usage`] failure for one that is absolute or has a `..`.
    pub fn check(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
        for path in paths {
            let is_inside =
                path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
            let is_named = path.components().any(|part| matches!(part, Component::Normal(_)));
            if !is_inside || !is_named {
                let message = format!(
                    "`--copy {}` leads out of the work dir",
                    path.display().to_string().escape_debug()
                );
                return Err(Failure::new(Code::Usage, message)
                    .hint("name files and folders by their paths in the work dir of `--copy-from`")
                    .into());
            }
        }
        let is_part = |part: &Component<'_>| *part != Component::CurDir;
        Ok(paths.iter().map(|path| path.components().filter(is_part).collect()).collect())
    }

    /// Copies into a new work dir. Returns what the user should know.
    ///
    /// # Errors
    /// [`Code::LeavesTree`] for a link that leads out of the source; as the system reports them.
    pub(super) fn copy_to(&self, work_dir: &Tree) -> Result<Vec<String>> {
        let is_wanted = |path: &Path, kind: FileKind| {
            let is_link_to_git = path.file_name() == Some(OsStr::new(".git"))
                && (matches!(kind, FileKind::File { .. }) || path == Path::new(".git"));
            !is_link_to_git && !self.own.files.absent.contains(path)
        };
        let mut done = Copying::new(&is_wanted, MOST, &self.stop);
        let copied = self.copy_wanted(&mut done, work_dir);
        let missing = copied.map_err(|error| match done.cut {
            Some(cut) => self.cut_short(cut).into(),
            None => error,
        })?;
        let copying = || self.copying();
        for (path, bytes) in &self.own.files.instead {
            // The brief's block goes with its environment; the rest of the file is the user's or the agent's own.
            if let Ok(Some(FileKind::File { mode, .. })) = work_dir.kind(path)
                && self.is_named(path)
            {
                work_dir
                    .replace_unsynced(path, bytes, mode & 0o777, names::TEMPORARY)
                    .with_context(copying)?;
            }
        }
        let mut folders = self.own.folders.clone();
        order::sort(&mut folders);
        for folder in folders.iter().rev().filter(|folder| self.is_named(folder)) {
            let _ = work_dir.remove_dir(folder); // an empty one only
        }
        let shown = |what: &str, paths: &[PathBuf]| {
            let shown: Vec<String> =
                paths.iter().take(SHOWN).map(|path| path.display().to_string()).collect();
            let more = if paths.len() > SHOWN { ", …" } else { "" };
            (!paths.is_empty()).then(|| format!("not copied, {what}: {}{more}", shown.join(", ")))
        };
        let from = self.work_dir.path().display();
        let missing = shown(&format!("because {from} does not have it"), &missing);
        Ok(missing.into_iter().chain(shown("because it is no file, folder or link", &done.left)).collect())
    }

    /// Copies what was asked for. Returns the paths that are not there.
    fn copy_wanted(&self, done: &mut Copying<'_>, work_dir: &Tree) -> Result<Vec<PathBuf>> {
        let mut missing = Vec::new();
        match &self.files {
            Files::All => {
                done.folder(&self.work_dir, work_dir, Path::new("")).with_context(|| self.copying())?;
            }
            Files::Named(paths) => {
                for path in paths {
                    if !self.copy_named(done, path, work_dir)? {
                        missing.push(path.clone());
                    }
                }
            }
        }
        Ok(missing)
    }

    fn copying(&self) -> String {
        format!("copy files of {}", self.work_dir.path().display())
    }

    fn cut_short(&self, cut: CopyCut) -> Failure {
        let from = self.work_dir.path().display();
        match cut {
            CopyCut::Stopped => Failure::new(Code::Interrupted, "interrupted by a signal; nothing was made"),
            CopyCut::TooMuch => {
                let message = format!(
                    "{from} has more than is copied: more than {} files, or {} GiB on the disk",
                    MOST.entries,
                    MOST.bytes >> 30
                );
                Failure::new(Code::Failed, message).hint(
                    "remove what the work does not need, or begin without it: `--copy FILE --copy-from ENV` copies only FILE",
                )
            }
        }
    }

    /// Whether a path was to be copied.
    fn is_named(&self, path: &Path) -> bool {
        match &self.files {
            Files::All => true,
            Files::Named(named) => named.iter().any(|named| path.starts_with(named)),
        }
    }

    /// Copies one path, with the folders above it. `false`: it is not there.
    fn copy_named(&self, done: &mut Copying<'_>, path: &Path, work_dir: &Tree) -> Result<bool> {
        let copying = || format!("copy {}", self.work_dir.path().join(path).display());
        let refuse = |error: std::io::Error| match leaves_tree(&error) {
            true => anyhow::Error::from(
                Failure::new(
                    Code::LeavesTree,
                    format!("{} is a link out of the work dir", self.work_dir.path().join(path).display()),
                )
                .hint("name the file itself, by its path in the work dir"),
            ),
            false => anyhow::Error::from(error).context(copying()),
        };
        let Some(kind) = self.work_dir.kind(path).map_err(refuse)? else { return Ok(false) };
        if kind == FileKind::Link {
            match self.work_dir.resolve(path) {
                Err(error) if leaves_tree(&error) => return Err(refuse(error)),
                _ => {}
            }
        }
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Ok(false) };
        let mut from = self.work_dir.try_clone().with_context(copying)?;
        let mut to = work_dir.try_clone().with_context(copying)?;
        for folder in above.components() {
            let folder: &Path = folder.as_ref();
            let mode = from.mode(folder).with_context(copying)?.unwrap_or(0o755);
            from = from.plain_subtree(folder).with_context(copying)?;
            if to.kind(folder).with_context(copying)?.is_none() {
                to.make_dir(folder, mode & 0o777 | 0o700).with_context(copying)?;
            }
            to = to.plain_subtree(folder).with_context(copying)?;
        }
        done.entry(&from, &to, name, above).with_context(copying)?;
        Ok(true)
    }
}
