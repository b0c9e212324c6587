//! Ignored files of a checkout that its new worktree gets, too: those that match the patterns of `.worktreeinclude`.
//!
//! git decides what matches, and a file stays only if git ignores it in the worktree as well, so that none of them counts as
//! unsaved work. Nothing that is there is replaced, and nothing is written through a link.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use crate::failure::{Code, Failure};
use crate::git::Git;
use crate::sys::tree::{FileKind, Tree};

/// The file of patterns at the top of a checkout.
const PATTERNS: &str = ".worktreeinclude";
/// The most files that are copied, and the most bytes.
const MOST_FILES: usize = 2_000;
const MOST_BYTES: u64 = 200 << 20;
/// How many names a warning has.
const SHOWN: usize = 3;
/// Folders in which tools keep what belongs to one task: they are never copied.
const SCRATCH: [&str; 3] = [".agent_context", ".multica", ".worktrees"];
/// The folder with worktrees in the hidden folder of a tool, such as `.claude/worktrees`.
const WORKTREES: &str = "worktrees";

/// The file of patterns for a checkout: the one that was asked for, else its `.worktreeinclude`. `None`: there is none.
///
/// # Errors
/// A [`Code::BadPath`] failure for one that was asked for and is not a file.
pub(super) fn patterns(top: Option<&Path>, asked: Option<&Path>) -> Result<Option<PathBuf>> {
    if let Some(asked) = asked {
        if asked.is_file() {
            return Ok(Some(asked.to_owned()));
        }
        let what = if asked.exists() { "is not a file" } else { "does not exist" };
        return Err(Failure::new(Code::BadPath, format!("`--include {}` {what}", asked.display()))
            .hint("name a file with patterns, one a line, as in .gitignore")
            .into());
    }
    let Some(file) = top.map(|top| top.join(PATTERNS)) else { return Ok(None) };
    if file.is_file() {
        return Ok(Some(file));
    }
    if file.symlink_metadata().is_ok() {
        log::warn!("{} is no file that can be read: no ignored files come along", file.display());
    }
    Ok(None)
}

/// Copies the files of the checkout at `top` that match `patterns` into its new worktree. What lies below `root` is left out.
/// Returns what the user should know.
///
/// # Errors
/// As git and the system report them.
pub(super) fn include(
    git: &Git,
    top: &Path,
    patterns: &Path,
    worktree: &Tree,
    root: &Path,
) -> Result<Vec<String>> {
    let doing = || format!("copy the ignored files that {} names", patterns.display());
    let mut found = git.at(top).untracked_that_match(patterns).with_context(doing)?;
    found.retain(|path| scratch(path).is_none() && !top.join(path).starts_with(root));
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let source = Tree::open(top).with_context(doing)?;
    let mut copying =
        Copying { source: &source, worktree, copied: HashSet::new(), bytes: 0, left: Vec::new() };
    let mut warnings = Vec::new();
    for (number, path) in found.iter().enumerate() {
        match copying.copy(path).with_context(doing)? {
            Copied::Done => {}
            Copied::Full => {
                let rest = &found[number..];
                warnings.push(format!(
                    "{}: {} not copied, beyond {MOST_FILES} files or {} MiB: {}",
                    patterns.display(),
                    counted(rest.len()),
                    MOST_BYTES >> 20,
                    shown(rest)
                ));
                break;
            }
        }
    }
    let Copying { copied, left, .. } = copying;
    warnings.extend(left);
    // What git does not ignore there would be the agent's work.
    let mut shows = git.at(worktree.path()).untracked().with_context(doing)?;
    shows.retain(|path| copied.contains(path));
    for path in &shows {
        worktree.remove_file(path).with_context(doing)?;
    }
    if !shows.is_empty() {
        warnings.push(format!(
            "{}: {} not copied, because git does not ignore them in the worktree: {}",
            patterns.display(),
            counted(shows.len()),
            shown(&shows)
        ));
    }
    log::info!("{} brought along, as {} says", counted(copied.len() - shows.len()), patterns.display());
    Ok(warnings)
}

/// One round of copying.
struct Copying<'a> {
    source: &'a Tree,
    worktree: &'a Tree,
    copied: HashSet<PathBuf>,
    bytes: u64,
    /// Why single files were left out.
    left: Vec<String>,
}

/// What became of one file.
enum Copied {
    /// It is copied, or left out by itself.
    Done,
    /// There is no room for it or any other.
    Full,
}

impl Copying<'_> {
    fn copy(&mut self, path: &Path) -> io::Result<Copied> {
        let Some(kind) = self.source.kind(path).ok().flatten() else { return Ok(Copied::Done) };
        if !matches!(kind, FileKind::File { .. } | FileKind::Link) {
            return Ok(Copied::Done);
        }
        let len = if let FileKind::File { len, .. } = kind { len } else { 0 };
        if self.copied.len() >= MOST_FILES || self.bytes.saturating_add(len) > MOST_BYTES {
            return Ok(Copied::Full);
        }
        if kind == FileKind::Link && !self.stays_inside(path) {
            self.left
                .push(format!("{} is a link that leads out of the repository: not copied", path.display()));
            return Ok(Copied::Done);
        }
        if !self.make_room(path)? {
            return Ok(Copied::Done);
        }
        let done = match kind {
            FileKind::File { mode, .. } => self.copy_file(path, mode),
            _ => self.source.read_link(path).and_then(|text| self.worktree.make_link(path, &text)),
        };
        match done {
            Ok(()) => {
                self.bytes += len;
                self.copied.insert(path.to_owned());
            }
            // A file of another user's, or one that is gone meanwhile.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound) =>
            {
                self.left.push(format!("{} is not copied: {error}", path.display()));
            }
            Err(error) => return Err(error),
        }
        Ok(Copied::Done)
    }

    fn copy_file(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.worktree.duplicate(path, &self.source.path().join(path), u64::MAX)?;
        self.worktree.set_mode_unseen(path, mode & 0o777)
    }

    /// Whether a link is relative and leads to something below the top.
    fn stays_inside(&self, path: &Path) -> bool {
        let Ok(text) = self.source.read_link(path) else { return false };
        let above = path.parent().map_or(0, |parent| parent.components().count());
        let is_inside = text
            .components()
            .try_fold(above, |depth, part| match part {
                Component::Normal(_) => Some(depth + 1),
                Component::CurDir => Some(depth),
                Component::ParentDir => depth.checked_sub(1),
                Component::RootDir | Component::Prefix(_) => None,
            })
            .is_some();
        // Another link may stand on the way.
        let leads_out = |error: io::Error| crate::sys::tree::leaves_tree(&error);
        is_inside && !self.source.resolve(path).is_err_and(leads_out)
    }

    /// Makes the folders above a path, with the modes that they have in the checkout. `false`: something stands in the place.
    fn make_room(&self, path: &Path) -> io::Result<bool> {
        let above: Vec<&Path> =
            path.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).collect();
        for folder in above.into_iter().rev() {
            match self.worktree.kind(folder)? {
                Some(FileKind::Dir) => continue,
                Some(_) => return Ok(false),
                None => {}
            }
            let mode = self.source.mode(folder)?.unwrap_or(0o755) & 0o777 | 0o700;
            self.worktree.make_dir(folder, mode)?;
            self.worktree.set_dir_mode(folder, mode)?;
        }
        Ok(self.worktree.kind(path)?.is_none())
    }
}

/// The folder that a path lies in, or is, in which a tool keeps what belongs to one task.
pub(super) fn scratch(path: &Path) -> Option<PathBuf> {
    let mut above: Option<&OsStr> = None;
    let mut folder = PathBuf::new();
    for part in path.components() {
        let name = part.as_os_str();
        let is_hidden = above.is_some_and(|above| above.as_encoded_bytes().starts_with(b"."));
        folder.push(name);
        if (is_hidden && name == WORKTREES) || SCRATCH.iter().any(|scratch| name == *scratch) {
            return Some(folder);
        }
        above = Some(name);
    }
    None
}

fn counted(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

fn shown(paths: &[PathBuf]) -> String {
    let mut shown: Vec<String> = paths.iter().take(SHOWN).map(|path| path.display().to_string()).collect();
    if paths.len() > SHOWN {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tool_keeps_for_one_task_is_scratch() {
        for (path, expected) in [
            (".env", None),
            ("a/.agent_context/x", Some("a/.agent_context")),
            (".multica/project", Some(".multica")),
            (".claude/worktrees/a/.env", Some(".claude/worktrees")),
            ("sub/.cursor/worktrees/x", Some("sub/.cursor/worktrees")),
            (".worktrees/a", Some(".worktrees")),
            ("worktrees/a", None),
            ("src/worktrees/a", None),
            (".claude/settings.local.json", None),
        ] {
            assert_eq!(scratch(Path::new(path)).as_deref(), expected.map(Path::new), "{path}");
        }
    }
}
