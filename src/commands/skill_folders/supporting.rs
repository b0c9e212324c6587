//! The files beside a `SKILL.md`, with their bytes and modes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::left_out::LeftOut;
use crate::failure::{Code, Failure};
use crate::invocation::UserInput;
use crate::order;
use crate::skills::files::{self, SKILL_FILE};
use crate::sys::tree::{FileKind, Tree};
use crate::task::SkillFile;

/// The deepest folder that is read: a skill's links may lead round in a circle of many folders.
const DEPTH: usize = 64;

/// The folder of one skill.
pub(super) struct Folder<'a> {
    /// Its name among the skills.
    pub(super) name: &'a Path,
    /// Its handle.
    pub(super) tree: Tree,
}

impl<'a> Folder<'a> {
    /// Opens it. It may be a link itself: a user's skills often lie in another place.
    ///
    /// # Errors
    /// A [`Code::BadDocument`] failure when it cannot be opened.
    pub(super) fn open(path: &Path, name: &'a Path) -> Result<Folder<'a>> {
        let tree = Tree::open(path).map_err(|error| unlistable(path, &error))?;
        Ok(Folder { name, tree })
    }

    /// What stands at a path, links followed: its path without links, and its type; else why it is left out, where there is
    /// something to say.
    ///
    /// # Errors
    /// A [`Code::BadDocument`] failure when the place cannot be examined.
    pub(super) fn look(
        &self,
        relative: &Path,
    ) -> Result<std::result::Result<(PathBuf, FileKind), Option<&'static str>>> {
        let unreadable = |error: std::io::Error| {
            let shown = self.tree.path().join(relative);
            Failure::new(Code::BadDocument, format!("cannot look at {}: {error}", shown.display()))
        };
        match self.tree.kind(relative).map_err(unreadable)? {
            None => Ok(Err(None)),
            Some(FileKind::Link) => {
                // The handle refuses an absolute link, also one that leads inside.
                let real = |path: &Path| path.canonicalize();
                let (Ok(folder), Ok(target)) =
                    (real(self.tree.path()), real(&self.tree.path().join(relative)))
                else {
                    return Ok(Err(Some("a link that leads nowhere")));
                };
                let Ok(inside) = target.strip_prefix(&folder) else {
                    return Ok(Err(Some("a link that leads out of the skill")));
                };
                let kind = match inside.as_os_str().is_empty() {
                    true => Some(FileKind::Dir),
                    false => self.tree.kind(inside).map_err(unreadable)?,
                };
                Ok(kind.map(|kind| (inside.to_owned(), kind)).ok_or(None))
            }
            Some(kind) => Ok(Ok((relative.to_owned(), kind))),
        }
    }
}

/// How much more may be read.
pub(super) struct Room<'a> {
    folder: &'a Path,
    entries: usize,
    bytes: u64,
}

impl<'a> Room<'a> {
    const ENTRIES: usize = 50_000;
    const MIB: u64 = 512;

    /// All of it, for one folder of skills.
    pub(super) fn new(folder: &'a Path) -> Room<'a> {
        Room { folder, entries: Self::ENTRIES, bytes: Self::MIB << 20 }
    }

    fn take(&mut self, bytes: u64) -> Result<()> {
        let left = self.entries.checked_sub(1).zip(self.bytes.checked_sub(bytes));
        let Some((entries, bytes)) = left else {
            let message = format!(
                "the skills in {} have more than {} files or {} MiB",
                self.folder.display(),
                Self::ENTRIES,
                Self::MIB
            );
            let hint = "`--skills DIR` takes a folder with the skills of the task and nothing else";
            return Err(Failure::new(Code::BadDocument, message).hint(hint).into());
        };
        (self.entries, self.bytes) = (entries, bytes);
        Ok(())
    }
}

/// Reads every file of the skill but its `SKILL.md`.
///
/// # Errors
/// A [`Code::BadDocument`] failure for a file that cannot be read, and for more than there is room for.
pub(super) fn read(
    skill: &Folder<'_>,
    room: &mut Room<'_>,
    left_out: &mut LeftOut,
) -> Result<Vec<SkillFile>> {
    let mut reader = Reader { skill, room, left_out, found: Vec::new(), above: Vec::new() };
    reader.folder(PathBuf::new(), Path::new(""))?;
    Ok(reader.found)
}

struct Reader<'a, 'b> {
    skill: &'a Folder<'a>,
    room: &'a mut Room<'b>,
    left_out: &'a mut LeftOut,
    found: Vec<SkillFile>,
    /// The folders that lead to the present one, without links.
    above: Vec<PathBuf>,
}

impl Reader<'_, '_> {
    /// Reads the folder at `real`, which a reader of the skill finds at `shown`.
    fn folder(&mut self, real: PathBuf, shown: &Path) -> Result<()> {
        if self.above.contains(&real) {
            self.leave_out(shown, "a link to a folder above it");
            return Ok(());
        }
        if self.above.len() == DEPTH {
            self.leave_out(shown, "too deep");
            return Ok(());
        }
        let listed = self.skill.tree.names(&real);
        let mut names = listed.map_err(|error| unlistable(&self.skill.tree.path().join(&real), &error))?;
        order::sort(&mut names);
        self.above.push(real.clone());
        for name in names {
            self.entry(&real.join(&name), &shown.join(&name), &name)?;
        }
        self.above.pop();
        Ok(())
    }

    fn entry(&mut self, at: &Path, shown: &Path, name: &OsStr) -> Result<()> {
        let Some(path) = shown.to_str().filter(|path| !path.contains('\\')) else {
            self.leave_out(shown, "no name for every system");
            return Ok(());
        };
        if path == SKILL_FILE {
            return Ok(());
        }
        if name == ".git" {
            self.leave_out(shown, "a repository of its own");
            return Ok(());
        }
        match self.skill.look(at)? {
            Ok((real, FileKind::Dir)) => {
                self.room.take(0)?;
                self.folder(real, shown)?;
            }
            Ok((_, FileKind::File { .. })) if files::is_reserved(path) => {
                self.leave_out(shown, "`SKILL.md` is used");
            }
            Ok((real, FileKind::File { len, mode })) => {
                self.room.take(len)?;
                let content = UserInput::SKILL_ASSET.read_in(&self.skill.tree, &real)?;
                // Whatever else, the user must be able to read it.
                self.found.push(SkillFile { path: path.to_owned(), content, mode: (mode & 0o777) | 0o400 });
            }
            Ok(_) => self.leave_out(shown, "not a file"),
            Err(why) => why.into_iter().for_each(|why| self.leave_out(shown, why)),
        }
        Ok(())
    }

    fn leave_out(&mut self, shown: &Path, why: &str) {
        self.left_out.add(&self.skill.name.join(shown), why);
    }
}

/// The failure for a folder that cannot be listed.
pub(super) fn unlistable(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Code::BadDocument, format!("cannot list {}: {error}", folder.display()))
}
