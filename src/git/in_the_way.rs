//! Files that git does not know and that would be written over: it takes an ignored file for one that can be made again, and
//! removes it without a word when a tree has something in its place.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::checkout::Checkout;
use super::view::View;
use crate::order;
use crate::sys::tree::{FileKind, Tree};

/// The most files that one call hashes.
const CHUNK: usize = 500;

/// A file of a tree that the index does not have.
struct New {
    path: PathBuf,
    object: Vec<u8>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Link,
    Submodule,
}

impl Checkout {
    /// The files of no version that a checkout of this commit or tree would write over, ignored or not. One that holds what the
    /// tree has is none.
    ///
    /// # Errors
    /// As git and the system report them.
    pub fn in_the_way(&self, tree: &str) -> Result<Vec<PathBuf>> {
        let view = self.repository().view_of_files(self.folders())?;
        let mut listed = Vec::new();
        let words =
            ["diff-index", "--cached", "--raw", "-z", "--no-renames", "--diff-filter=D", "--no-ext-diff"];
        let diff = self.repository().look(words).args(["--no-abbrev", tree]).through(&view);
        diff.pass_on(&mut |block| {
            listed.extend_from_slice(block);
            Ok(())
        })?;
        let mut found = Found { tree: self.tree(), files: Vec::new(), known: None };
        let tracked = || self.tracked(&view);
        for new in parse(&listed) {
            found.look_at(&new, &tracked)?;
        }
        self.differing(found.files, &view)
    }

    fn tracked(&self, view: &View) -> Result<BTreeSet<PathBuf>> {
        let mut listed = Vec::new();
        let list = self.repository().look(["ls-files", "-z", "--full-name"]).through(view);
        list.pass_on(&mut |block| {
            listed.extend_from_slice(block);
            Ok(())
        })?;
        let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        Ok(names.map(|name| PathBuf::from(OsStr::from_bytes(name))).collect())
    }

    /// Those of the files that do not hold the bytes named with them.
    fn differing(&self, files: Vec<(PathBuf, Option<Vec<u8>>)>, view: &View) -> Result<Vec<PathBuf>> {
        let (same, mut differing): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|(_, object)| object.is_some());
        for chunk in same.chunks(CHUNK) {
            let hash = self.repository().look(["hash-object", "--no-filters", "--"]).through(view);
            let hashes = hash.args(chunk.iter().map(|(path, _)| path)).output()?;
            let mut hashes = hashes.split(|byte| *byte == b'\n');
            let differs = |(_, object): &&(PathBuf, Option<Vec<u8>>)| hashes.next() != object.as_deref();
            differing.extend(chunk.iter().filter(differs).cloned());
        }
        let mut paths: Vec<PathBuf> = differing.into_iter().map(|(path, _)| path).collect();
        order::sort(&mut paths);
        paths.dedup();
        Ok(paths)
    }
}

struct Found<'a> {
    tree: &'a Tree,
    /// What is in the way, each with the object that it may hold.
    files: Vec<(PathBuf, Option<Vec<u8>>)>,
    /// The files of the index, once one has to be looked for.
    known: Option<BTreeSet<PathBuf>>,
}

impl Found<'_> {
    fn look_at(&mut self, new: &New, tracked: &dyn Fn() -> Result<BTreeSet<PathBuf>>) -> Result<()> {
        let mut above: Vec<&Path> =
            new.path.ancestors().skip(1).filter(|path| *path != Path::new("")).collect();
        above.reverse();
        for folder in above {
            match self.kind(folder)? {
                None => return Ok(()),
                Some(FileKind::Dir) => {}
                Some(_) => return self.add_unless_tracked(folder.to_owned(), tracked),
            }
        }
        match self.kind(&new.path)? {
            None => Ok(()),
            // Nothing is written into a submodule's folder.
            Some(FileKind::Dir) if new.kind == Kind::Submodule => Ok(()),
            Some(FileKind::Dir) => self.look_below(&new.path, tracked),
            Some(FileKind::File { .. }) if new.kind == Kind::File => {
                self.files.push((new.path.clone(), Some(new.object.clone())));
                Ok(())
            }
            Some(_) => {
                self.files.push((new.path.clone(), None));
                Ok(())
            }
        }
    }

    /// What is in a folder whose place a file takes.
    fn look_below(&mut self, folder: &Path, tracked: &dyn Fn() -> Result<BTreeSet<PathBuf>>) -> Result<()> {
        let names: Vec<OsString> = self
            .tree
            .names(folder)
            .with_context(|| format!("list {}", self.tree.path().join(folder).display()))?;
        for name in names {
            let path = folder.join(name);
            match self.kind(&path)? {
                None => {}
                Some(FileKind::Dir) => self.look_below(&path, tracked)?,
                Some(_) => self.add_unless_tracked(path, tracked)?,
            }
        }
        Ok(())
    }

    fn add_unless_tracked(
        &mut self,
        path: PathBuf,
        tracked: &dyn Fn() -> Result<BTreeSet<PathBuf>>,
    ) -> Result<()> {
        let known = match &mut self.known {
            Some(known) => known,
            none => none.insert(tracked()?),
        };
        if !known.contains(&path) {
            self.files.push((path, None));
        }
        Ok(())
    }

    fn kind(&self, path: &Path) -> Result<Option<FileKind>> {
        self.tree.kind(path).with_context(|| format!("look at {}", self.tree.path().join(path).display()))
    }
}

/// Reads `:MODE MODE ID ID D`, each followed by a path.
fn parse(listed: &[u8]) -> impl Iterator<Item = New> + '_ {
    let mut words = listed.split(|byte| *byte == 0);
    std::iter::from_fn(move || {
        let (facts, path) = (words.next()?.strip_prefix(b":")?, words.next()?);
        let mut facts = facts.split(|byte| *byte == b' ');
        let (mode, object) = (facts.next()?, facts.nth(1)?);
        let kind = match mode {
            b"120000" => Kind::Link,
            b"160000" => Kind::Submodule,
            _ => Kind::File,
        };
        Some(New { path: OsStr::from_bytes(path).into(), object: object.to_owned(), kind })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_tree_are_read_with_their_objects() {
        let listed = b":100644 000000 aa 00 D\0a b\tc\0:120000 000000 bb 00 D\0l\0";
        let parsed: Vec<_> =
            parse(listed).map(|new| (new.path.display().to_string(), new.object, new.kind)).collect();
        let expected =
            [("a b\tc".to_owned(), b"aa".to_vec(), Kind::File), ("l".to_owned(), b"bb".to_vec(), Kind::Link)];
        assert_eq!(parsed, expected);
    }
}
