//! What differs between two trees: files, lines, and the patch.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::Result;
use serde::{Serialize, Serializer};

use super::command::GitCommand;
use super::picture::Picture;
use super::profile::Look;
use crate::formats::path_text;
use crate::sys::child::Sink;

/// A patch is the same whatever the user's settings say, and no program of the repository's makes it.
const DIFF: [&str; 7] = [
    "diff-tree",
    "-r",
    "--no-ext-diff",
    "--no-textconv",
    "--find-renames",
    "--src-prefix=a/",
    "--dst-prefix=b/",
];

/// One file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// `A` added, `M` modified, `D` deleted, `R` renamed, `T` of another kind now (a link, a submodule).
    #[serde(serialize_with = "as_letter")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub action: u8,
    /// Its path, relative to the top of the repository.
    #[serde(serialize_with = "path_text::serialize")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub path: PathBuf,
    /// Its path before it was renamed.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub from: Option<PathBuf>,
}

fn as_letter<S: Serializer>(action: &u8, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_char(char::from(*action))
}

fn as_text<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(serializer)
}

/// What differs between two trees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The files.
    pub files: Vec<Change>,
    /// How many lines were added. Binary files have none.
    pub added: u64,
    /// How many lines were removed.
    pub removed: u64,
}

impl Picture<'_> {
    /// What differs in the picture from a commit or a tree.
    ///
    /// # Errors
    /// As git reports it.
    pub fn changes_since(&self, from: &str) -> Result<Changes> {
        changes(self.look(DIFF), from, self.tree())
    }

    /// What differs in the picture from another one.
    ///
    /// # Errors
    /// As git reports it.
    pub fn changes_since_picture(&self, from: &Picture<'_>) -> Result<Changes> {
        changes(from.lend(self.look(DIFF)), from.tree(), self.tree())
    }

    /// Passes on the patch that makes the picture out of a commit or a tree.
    ///
    /// # Errors
    /// As git reports it, and those of the sink.
    pub fn patch_since(&self, from: &str, sink: &mut Sink<'_>) -> Result<()> {
        let patch = self.look(DIFF).args(["-p", "--binary", "--full-index", from, self.tree()]);
        patch.pass_on(sink)
    }

    /// The same as `git diff` shows it to a person.
    ///
    /// # Errors
    /// As git reports it, and those of the sink.
    pub fn diff_since(&self, from: &str, sink: &mut Sink<'_>) -> Result<()> {
        self.look(DIFF).args(["-p", from, self.tree()]).pass_on(sink)
    }

    /// How many lines differ, file by file, as `git diff --stat` shows it.
    ///
    /// # Errors
    /// As git reports it, and those of the sink.
    pub fn stat_since(&self, from: &str, sink: &mut Sink<'_>) -> Result<()> {
        self.look(DIFF).args(["--stat", from, self.tree()]).pass_on(sink)
    }
}

fn changes(diff: GitCommand<'_, Look>, from: &str, to: &str) -> Result<Changes> {
    let mut bytes = Vec::new();
    diff.args(["--raw", "--numstat", "-z", "--abbrev=40", from, to]).pass_on(&mut |block| {
        bytes.extend_from_slice(block);
        Ok(())
    })?;
    Ok(parse(&bytes))
}

/// Reads `diff-tree --raw --numstat -z`: first `:MODE MODE ID ID ACTION` and one or two paths for each file, then
/// `ADDED<tab>REMOVED<tab>PATH`, with an empty path and two more where it was renamed.
fn parse(bytes: &[u8]) -> Changes {
    let mut words = bytes.split(|byte| *byte == 0);
    let mut changes = Changes::default();
    while let Some(word) = words.next() {
        let path = |word: &[u8]| PathBuf::from(OsStr::from_bytes(word));
        if let Some(facts) = word.strip_prefix(b":") {
            let action = facts.rsplit(|byte| *byte == b' ').next().and_then(|score| score.first());
            let (Some(action), Some(first)) = (action, words.next()) else { break };
            let second = if matches!(action, b'R' | b'C') { words.next() } else { None };
            changes.files.push(Change {
                action: *action,
                path: path(second.unwrap_or(first)),
                from: second.map(|_| path(first)),
            });
            continue;
        }
        let mut counts = word.splitn(3, |byte| *byte == b'\t');
        // A binary file has dashes.
        let mut count = || {
            let digits = counts.next().and_then(|digits| std::str::from_utf8(digits).ok());
            digits.and_then(|digits| digits.parse::<u64>().ok()).unwrap_or(0)
        };
        changes.added += count();
        changes.removed += count();
        if counts.next() == Some(b"") {
            words.next();
            words.next();
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_lines_are_read_whatever_the_paths_hold() {
        let raw = ":100644 100644 a b M\0a b\tc\0:100644 100644 a b R090\0old\nname\0new\0:000000 120000 0 b A\0l\0\
                   :100644 000000 a 0 D\0ä\0";
        let counts = "1\t2\ta b\tc\x003\t0\t\0old\nname\0new\0-\t-\tl\x000\t7\tä\0";
        let change = |action, path: &str, from: Option<&str>| Change {
            action,
            path: path.into(),
            from: from.map(PathBuf::from),
        };
        let files = vec![
            change(b'M', "a b\tc", None),
            change(b'R', "new", Some("old\nname")),
            change(b'A', "l", None),
            change(b'D', "ä", None),
        ];
        assert_eq!(parse(format!("{raw}{counts}").as_bytes()), Changes { files, added: 4, removed: 9 });
        assert_eq!(parse(b""), Changes::default());
    }
}
