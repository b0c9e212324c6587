//! What a command leaves in the working files that is killed, with its git, while they are written.
//!
//! Before the first file is written, the lock on the index says from which tree to which the files are brought; the new index
//! comes after the last file. So of each path that the two trees have differently it can be told how far it is: a file that equals the
//! old tree is not written yet, one that equals the new tree is, and one that holds only the beginning of a version was being
//! written. Those are brought back to the old tree. All else was edited meanwhile, and stays.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::checkout::Checkout;
use super::conflict::Version;
use super::failure::GitFailure;
use super::index_file::{IndexLock, is_locked};
use super::refs::is_commit_id;
use super::registration::Registered;
use super::working::{Working, nul_lines, paths};
use crate::order;
use crate::sys::tree::{FileKind, Tree};

/// The largest file of which it is told whether it is the beginning of a version, in bytes.
const MOST: u64 = 1 << 30;

/// What is being done to the working files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// The commit or tree that the files begin from; empty: any files, and what is not there is to be written again.
    pub from: String,
    /// The commit or tree that they are brought to; empty: nothing that could be taken back.
    pub to: String,
    /// The commit that HEAD is moved to afterwards; empty: it stays.
    pub head: String,
    /// Files of `to` that were there before, without git knowing them.
    pub had: Vec<PathBuf>,
}

/// Begins the text of a journal.
const SIGN: &[u8] = b"execenv";

impl Journal {
    /// The same as a text. Its parts end in NUL.
    pub(super) fn text(&self) -> Vec<u8> {
        if self.to.is_empty() {
            return Vec::new();
        }
        let ids = [SIGN, self.from.as_bytes(), self.to.as_bytes(), self.head.as_bytes()];
        let had = self.had.iter().map(|path| path.as_os_str().as_bytes());
        ids.into_iter().chain(had).flat_map(|part| [part, b"\0"].concat()).collect()
    }

    /// Reads such a text. `None`: it is another one, or the power failed while it was written.
    fn parse(text: &[u8]) -> Option<Journal> {
        let mut parts = text.strip_suffix(b"\0")?.split(|byte| *byte == 0);
        if parts.next()? != SIGN {
            return None;
        }
        let mut id = || {
            let id = std::str::from_utf8(parts.next()?).ok()?;
            (id.is_empty() || is_commit_id(id)).then(|| id.to_owned())
        };
        let (from, to, head) = (id()?, id()?, id()?);
        let had = parts.map(|path| PathBuf::from(OsStr::from_bytes(path))).collect();
        (!to.is_empty()).then_some(Journal { from, to, head, had })
    }
}

/// A path that two trees have differently.
struct Differing {
    path: PathBuf,
    old: Option<Version>,
    new: Option<Version>,
}

/// Whether a command that was killed has left something to [take back](Checkout::repair) in the working files of this folder.
/// Asks no git: what the folder names is only looked at.
pub fn is_half_written(top: &Tree) -> bool {
    let named = Registered::named_in(top).ok().flatten();
    let own = match named {
        Some(registered) => registered.open().map(|open| IndexLock::is_left(open.folder())),
        None => top.plain_subtree(Path::new(".git")).ok().map(|own| IndexLock::is_left(&own)),
    };
    own.is_some_and(|is_left| is_left.is_ok_and(|is_left| is_left))
}

impl Checkout {
    /// Takes back what a killed command of execenv's has left half done in the working files, and its lock on the index. Returns
    /// how many files were brought back. A lock of another git's stays.
    ///
    /// # Errors
    /// A [`Code::Dirty`](crate::failure::Code::Dirty) failure while another process has the index; as git and the system report
    /// them.
    pub fn repair(&self) -> Result<usize> {
        let own = &self.folders().own;
        let tree = Tree::open(own).with_context(|| format!("open {}", own.display()))?;
        if !IndexLock::is_left(&tree).with_context(|| format!("look at {}", own.display()))? {
            return Ok(0);
        }
        let Some((lock, text)) = IndexLock::take_over(tree)? else {
            let tree = Tree::open(own).with_context(|| format!("open {}", own.display()))?;
            return match IndexLock::is_left(&tree) {
                Ok(false) => Ok(0), // another command has just done it
                _ => Err(is_locked(own).into()),
            };
        };
        let files = match Journal::parse(&text) {
            Some(journal) => self.take_back(&journal, &lock)?,
            None => 0,
        };
        lock.end()?;
        if files > 0 {
            log::warn!(
                "{}: {files} files that a command was writing when it was killed are as they were before it",
                self.dir().display()
            );
        }
        Ok(files)
    }

    /// Brings the working files and the index back to what they were before. Returns how many files that were.
    pub(super) fn take_back(&self, journal: &Journal, lock: &IndexLock) -> Result<usize> {
        if journal.to.is_empty() {
            return Ok(0);
        }
        let working = self.working_files()?;
        if journal.from.is_empty() {
            return self.remove_parts(&working, &journal.to);
        }
        let is_moved = !journal.head.is_empty();
        if is_moved && self.head()?.commit.as_deref() == Some(&journal.head) {
            return Ok(0); // only the lock was left
        }
        let (from, to) = (journal.from.as_str(), journal.to.as_str());
        let absent = working.absent_by_choice()?;
        let not_old = working.index_differs_from(from)?;
        let not_new = if is_moved { working.index_differs_from(to)? } else { BTreeSet::new() };
        let is_new = |path: &PathBuf| is_moved && !not_new.contains(path);
        let mut chosen = self.differing_between(from, to)?;
        chosen
            .retain(|one| !absent.contains(&one.path) && (!not_old.contains(&one.path) || is_new(&one.path)));
        let of = |one: fn(&Differing) -> &Option<Version>| -> BTreeMap<&Path, &Version> {
            order::map(chosen.iter().filter_map(|it| Some((it.path.as_path(), one(it).as_ref()?))))
        };
        let files_not_old = working.differing_files("old", &of(|it| &it.old))?;
        let files_not_new = working.differing_files("new", &of(|it| &it.new))?;
        let mut back: Vec<&Differing> = Vec::new();
        for one in &chosen {
            let path = &one.path;
            let there = self.tree().kind(path).ok().flatten();
            let equals = |version: &Option<Version>, not: &BTreeSet<PathBuf>| match version {
                Some(_) => !not.contains(path),
                // A folder in the place of a file is one of its own paths' matter.
                None => matches!(there, None | Some(FileKind::Dir)),
            };
            let is_written = !equals(&one.old, &files_not_old)
                && (equals(&one.new, &files_not_new)
                    || match there {
                        None => true,
                        Some(FileKind::File { .. }) => {
                            working.is_part(to, path)? || working.is_part(from, path)?
                        }
                        Some(_) => false,
                    });
            if is_written && !journal.had.contains(path) {
                back.push(one);
            }
        }
        // First what goes: a folder may take the place of a file.
        for one in back.iter().filter(|one| one.old.is_none()) {
            working.remove(&one.path)?;
        }
        let writable = back.iter().filter(|one| one.old.is_some() && self.is_free(&one.path));
        let names = nul_lines(writable.map(|one| one.path.as_path()));
        if !names.is_empty() {
            let write = ["checkout-index", "--force", "--quiet", "-z", "--stdin"];
            let old = working.folder().path().join("old");
            working
                .work(write)
                .variable("GIT_INDEX_FILE", old)
                .holding(lock.file())
                .bound()
                .input(names)
                .output()?;
        }
        let lines: Vec<u8> =
            chosen.iter().filter(|one| is_new(&one.path)).flat_map(|one| one.old_line()).collect();
        if !lines.is_empty() {
            working.put_lines(lines)?;
        }
        working.refresh();
        lock.install(working.folder())?;
        Ok(back.len())
    }

    /// Whether a file can be written at a path without a loss: no folder with something in it is there, and no file above.
    fn is_free(&self, path: &Path) -> bool {
        let mut above = path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
        let is_folder = |path: &Path| matches!(self.tree().kind(path), Ok(None | Some(FileKind::Dir)));
        above.all(is_folder)
            && (!matches!(self.tree().kind(path), Ok(Some(FileKind::Dir)))
                || self.tree().remove_dir(path).is_ok())
    }

    /// Removes files that hold only the beginning of what a tree has at their place, unless the index knows them so.
    fn remove_parts(&self, working: &Working<'_>, tree: &str) -> Result<usize> {
        let mut parts = 0;
        let known = working.unchanged_files()?;
        for path in working.differing_from(tree)? {
            let is_file = matches!(self.tree().kind(&path), Ok(Some(FileKind::File { .. })));
            if is_file && !known.contains(&path) && working.is_part(tree, &path)? {
                working.remove(&path)?;
                parts += 1;
            }
        }
        Ok(parts)
    }

    /// The files and links that two trees have differently.
    fn differing_between(&self, from: &str, to: &str) -> Result<Vec<Differing>> {
        let words =
            ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--no-ext-diff", from, to];
        let mut listed = Vec::new();
        self.repository().look(words).pass_on(&mut |block| {
            listed.extend_from_slice(block);
            Ok(())
        })?;
        Ok(parse(&listed))
    }

    /// Files that a tree adds to another one, and that are there already.
    pub(super) fn there_already(&self, from: &str, to: &str) -> Result<Vec<PathBuf>> {
        let added = self.differing_between(from, to)?.into_iter().filter(|one| one.old.is_none());
        let is_there = |path: &PathBuf| matches!(self.tree().kind(path), Ok(Some(_)));
        Ok(added.map(|one| one.path).filter(is_there).collect())
    }
}

impl Differing {
    /// The line for `update-index -z --index-info` with the old version.
    fn old_line(&self) -> Vec<u8> {
        match (&self.old, &self.new) {
            (Some(version), _) => version.line(&self.path),
            (None, Some(new)) => Version { mode: "0".into(), id: "0".repeat(new.id.len()) }.line(&self.path),
            (None, None) => Vec::new(),
        }
    }
}

/// Reads `:MODE MODE ID ID LETTER`, each followed by a path. Submodules are left out: nothing is written in them.
fn parse(listed: &[u8]) -> Vec<Differing> {
    let mut words = listed.split(|byte| *byte == 0);
    let mut found = Vec::new();
    while let (Some(facts), Some(path)) =
        (words.next().and_then(|word| word.strip_prefix(b":")), words.next())
    {
        let facts = String::from_utf8_lossy(facts);
        let mut facts = facts.split(' ').map(str::to_owned);
        let (Some(old), Some(new), Some(old_id), Some(new_id)) =
            (facts.next(), facts.next(), facts.next(), facts.next())
        else {
            continue;
        };
        let version = |mode: String, id| (mode != "000000").then_some(Version { mode, id });
        let (old, new) = (version(old, old_id), version(new, new_id));
        if !old.iter().chain(&new).any(Version::is_submodule) {
            found.push(Differing { path: OsStr::from_bytes(path).into(), old, new });
        }
    }
    found
}

impl Working<'_> {
    /// The paths at which the index has something else than a tree.
    fn index_differs_from(&self, tree: &str) -> Result<BTreeSet<PathBuf>> {
        let words = ["diff-index", "--cached", "-z", "--name-only", "--no-renames", "--no-ext-diff", tree];
        Ok(paths(&self.look(words).output()?).into_iter().collect())
    }

    /// Which of these files are not as named, by an index of this name with nothing but them.
    fn differing_files(&self, name: &str, files: &BTreeMap<&Path, &Version>) -> Result<BTreeSet<PathBuf>> {
        let lines = files.iter().flat_map(|(path, version)| version.line(path)).collect();
        self.work(["update-index", "-z", "--index-info"])
            .variable("GIT_INDEX_FILE", self.folder().path().join(name))
            .input(lines)
            .output()?;
        self.differing_by(name)
    }

    /// The files of a tree that are not so among the working files.
    fn differing_from(&self, tree: &str) -> Result<BTreeSet<PathBuf>> {
        let whole = self.folder().path().join("whole");
        self.work(["read-tree", tree]).variable("GIT_INDEX_FILE", whole).output()?;
        self.differing_by("whole")
    }

    /// The files that the index knows and that are as it knows them.
    fn unchanged_files(&self) -> Result<BTreeSet<PathBuf>> {
        let changed = self.differing_by(super::index_file::INDEX)?;
        let known = paths(&self.look(["ls-files", "-z", "--full-name"]).output()?);
        Ok(known.into_iter().filter(|path| !changed.contains(path)).collect())
    }

    fn differing_by(&self, index: &str) -> Result<BTreeSet<PathBuf>> {
        let index = self.folder().path().join(index);
        // It exits with 1 where a file differs.
        let refresh = self.work(["update-index", "-q", "--refresh"]).variable("GIT_INDEX_FILE", &index);
        refresh.succeeds()?;
        let words = ["diff-files", "-z", "--name-only", "--no-ext-diff", "--ignore-submodules=all"];
        let listed = self.look(words).variable("GIT_INDEX_FILE", &index).output()?;
        Ok(paths(&listed).into_iter().collect())
    }

    /// Whether a file holds the beginning of what a tree has at its place, and not all of it: git was writing it.
    fn is_part(&self, tree: &str, path: &Path) -> Result<bool> {
        let Ok(Some(bytes)) = self.tree().read(path, MOST) else { return Ok(false) };
        let mut object = std::ffi::OsString::from(format!("{tree}:"));
        object.push(path);
        let (mut at, mut is_other) = (0, false);
        let show = self.look(["cat-file", "--filters"]).args([object]);
        let shown = show.pass_on(&mut |block| {
            let rest = &bytes[at.min(bytes.len())..];
            let length = rest.len().min(block.len());
            is_other = rest[..length] != block[..length];
            at += block.len();
            if is_other { Err(std::io::ErrorKind::InvalidData.into()) } else { Ok(()) }
        });
        match shown {
            Ok(()) => Ok(at > bytes.len()),
            // The tree may not have the path.
            Err(error)
                if is_other || GitFailure::find(&error).is_some_and(|failure| !failure.was_cut_off()) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_read_as_it_was_written_and_nothing_else_is_one() {
        let journal = Journal {
            from: "a".repeat(40),
            to: "b".repeat(40),
            head: String::new(),
            had: vec![PathBuf::from(OsStr::from_bytes(b"o\n\xffdd"))],
        };
        let text = journal.text();
        assert_eq!(Journal::parse(&text), Some(journal.clone()));
        assert_eq!(Journal { to: String::new(), ..journal }.text(), b"");
        for other in [
            &b""[..],
            b"DIRC\0",
            &text[..text.len() - 1],
            &text[1..],
            b"execenv\0\0--all\0\0",
            b"execenv\0\0\0\0",
        ] {
            assert_eq!(Journal::parse(other), None, "{other:?}");
        }
    }
}
