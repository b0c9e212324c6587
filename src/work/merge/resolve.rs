//! Resolving conflicts.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use super::desk::Desk;
use super::state::State;
use crate::environment::LockedEnv;
use crate::failure::{Code, Failure};
use crate::git::{Conflict, Side};
use crate::sys::tree::FileKind;
use crate::work::lock::GitLock;

/// The largest file that is searched for markers, in bytes.
const MOST: u64 = 32 << 20;

/// What becomes of a path at which a merge stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The version of one side; a path that the side does not have is removed.
    Take(Side),
    /// The file as it is now in the work dir.
    Edited,
}

/// The words of the command line.
const WORDS: [(&str, Resolution); 3] = [
    ("ours", Resolution::Take(Side::Ours)),
    ("theirs", Resolution::Take(Side::Theirs)),
    ("edited", Resolution::Edited),
];

impl Resolution {
    /// From its word, in any case.
    pub fn parse(word: &str) -> Option<Resolution> {
        WORDS
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(word))
            .map(|(_, resolution)| resolution)
    }
}

/// The words of the command line, for a message.
pub fn resolution_words() -> String {
    WORDS.map(|(word, _)| format!("`{word}`")).join(", ")
}

impl Desk<'_> {
    /// Resolves conflicts; no `files`: all of them. Returns the paths, and what is still to be resolved.
    ///
    /// # Errors
    /// [`Code::Usage`] for a path without a conflict, [`Code::Conflicts`] for an edited file with markers in it; as git and the
    /// system report them. Nothing is changed by the first two.
    pub fn resolve(
        &mut self,
        env: &LockedEnv,
        files: &[PathBuf],
        resolution: Resolution,
    ) -> Result<(Vec<PathBuf>, Vec<Conflict>)> {
        let _lock = GitLock::acquire(&env.env)?;
        let (_, state) = self.settle(env)?;
        let current = match state {
            State::Merging(current, _) => current,
            State::Interrupted(current) => return Err(self.is_interrupted(&current).into()),
            State::Idle { .. } | State::Committed(..) => return Err(self.is_idle().into()),
        };
        let (mut chosen, mut left) = (Vec::new(), self.checkout.conflicts()?);
        match files {
            [] => chosen.append(&mut left),
            files => {
                for file in files {
                    let path = self.inside(file);
                    let place = path.and_then(|path| left.iter().position(|conflict| conflict.path == path));
                    match place {
                        Some(place) => chosen.push(left.remove(place)),
                        None => return Err(self.no_conflict(file, &left).into()),
                    }
                }
            }
        }
        let paths: Vec<PathBuf> = chosen.iter().map(|conflict| conflict.path.clone()).collect();
        if resolution == Resolution::Edited {
            for path in &paths {
                self.refuse_markers(path)?;
            }
        }
        let changing = self.checkout.change()?;
        match resolution {
            Resolution::Take(side) => {
                if let Some(current) = &current {
                    self.keep_edits(&changing, current, &paths)?;
                }
                changing.take(&chosen, side)?;
            }
            Resolution::Edited => changing.add(paths.iter().map(PathBuf::as_path))?,
        }
        changing.finish()?;
        Ok((paths, left))
    }

    /// The path relative to the repository; `None`: it is not in it.
    fn inside(&self, file: &Path) -> Option<PathBuf> {
        let relative = if file.is_absolute() { file.strip_prefix(self.place.path()).ok()? } else { file };
        let parts = relative.components().filter(|part| !matches!(part, Component::CurDir));
        parts.map(|part| matches!(part, Component::Normal(_)).then_some(part)).collect()
    }

    fn no_conflict(&self, file: &Path, left: &[Conflict]) -> Failure {
        let message =
            format!("{} is no path with a conflict in {}", file.display(), self.place.path().display());
        let hint = match left.first() {
            Some(one) => format!("paths are relative to that folder; one is {}", one.path.display()),
            None => format!("all are resolved: `execenv merge commit {}`", self.key()),
        };
        Failure::new(Code::Usage, message).hint(hint)
    }

    /// An edited file that still has the markers of the merge is hardly resolved.
    fn refuse_markers(&self, path: &Path) -> Result<()> {
        let is_file = matches!(self.place.tree().kind(path), Ok(Some(FileKind::File { .. })));
        let text = if is_file { self.place.tree().read_start(path, MOST)? } else { None };
        if !text.is_some_and(|text: Vec<u8>| has_markers(&text)) {
            return Ok(());
        }
        let shown = self.place.path().join(path);
        Err(Failure::new(Code::Conflicts, format!("{} has conflict markers in it", shown.display()))
            .hint("edit it; if they belong there: `git add` the file in that folder")
            .into())
    }
}

/// Whether a text has all three lines that git puts round a conflict.
fn has_markers(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.any(|line| line.starts_with(b"<<<<<<< "))
        && lines.any(|line| line == b"=======")
        && lines.any(|line| line.starts_with(b">>>>>>> "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_count_only_as_whole_lines_in_their_order() {
        for (text, expected) in [
            ("a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> side\n", true),
            ("<<<<<<< HEAD\r\n=======\r\n>>>>>>> side", true),
            ("Title\n=======\n", false),
            (">>>>>>> a\n=======\n<<<<<<< b\n", false),
            (" <<<<<<< HEAD\n=======\n>>>>>>> x\n", false),
            ("<<<<<<< HEAD\n=======\n", false),
        ] {
            assert_eq!(has_markers(text.as_bytes()), expected, "{text:?}");
        }
    }
}
