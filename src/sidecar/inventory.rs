//! `.execenv.inventory`: a whole user folder as it was before `prepare --inventory`, entry by entry, so that `verify` can
//! name everything that changed.
//!
//! The manifest has the digest of the file, and so its proof covers it. Files are read once here; `verify` reads only those
//! whose length, times, inode or mode are not as recorded, because no program can set the time of the last change back.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::before::digest;
use super::path_text;
use crate::layout::names;
use crate::order;
use crate::sys::tree::{FileKind, Look, Tree};

/// The version of the file that this program writes.
const VERSION: u32 = 1;
/// The largest inventory that is read, in bytes.
const MAX_INVENTORY: u64 = 256 << 20;
/// The most entries of a folder.
const MOST_ENTRIES: usize = 500_000;
/// The largest file of which a digest is recorded, in bytes, and how many bytes are read in all. Of other files length and
/// times are compared.
const MAX_DIGESTED: u64 = 64 << 20;
const MAX_DIGESTED_IN_ALL: u64 = 2 << 30;

/// A folder at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inventory {
    /// Version of the file.
    version: u32,
    /// Its entries, by path.
    entries: Vec<Item>,
    /// Folders that could not be read, and mounts, which are not crossed, each with the reason.
    unread: Vec<Unread>,
}

/// A part of a folder that was not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Unread {
    /// Its path in the folder, as a text for people.
    pub path: String,
    /// Why.
    pub why: String,
}

/// One entry of a folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Item {
    #[serde(with = "path_text")]
    path: PathBuf,
    kind: ItemKind,
    mode: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    len: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    #[serde(skip_serializing_if = "Option::is_none", with = "path_text::optional")]
    link: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ItemKind {
    #[default]
    File,
    Dir,
    Link,
    Other,
}

/// One entry that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its path in the folder.
    pub path: PathBuf,
    /// What was there.
    pub was: String,
    /// What is there now.
    pub is: String,
}

impl Inventory {
    /// A folder as it is now. No mount is crossed and no link followed.
    ///
    /// # Errors
    /// If the folder has too many entries, or cannot be read at all.
    pub fn of(tree: &Tree) -> io::Result<Inventory> {
        let mut inventory = Inventory::without_digests(tree)?;
        let mut left = MAX_DIGESTED_IN_ALL;
        for item in &mut inventory.entries {
            let len = item.len.filter(|len| item.kind == ItemKind::File && *len <= MAX_DIGESTED.min(left));
            let Some(len) = len else { continue };
            left -= len;
            item.sha256 = digest_of(tree, &item.path);
        }
        Ok(inventory)
    }

    fn without_digests(tree: &Tree) -> io::Result<Inventory> {
        let mut inventory = Inventory { version: VERSION, ..Inventory::default() };
        let (device, _) = tree.identity()?;
        let mut todo = vec![PathBuf::new()];
        while let Some(folder) = todo.pop() {
            let place = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
            let listed = tree.subtree(place).and_then(|open| Ok((open.names(Path::new(""))?, open)));
            let (names, open) = match listed {
                Ok(listed) => listed,
                Err(error) if folder.as_os_str().is_empty() => return Err(error),
                Err(error) => {
                    inventory.unread.push(Unread::new(&folder, error.to_string()));
                    continue;
                }
            };
            for name in names {
                let name = Path::new(&name);
                let path = folder.join(name);
                let look = match open.look(name) {
                    Ok(Some(look)) => look,
                    Ok(None) => continue,
                    Err(error) => {
                        inventory.unread.push(Unread::new(&path, error.to_string()));
                        continue;
                    }
                };
                if look.kind == FileKind::Dir {
                    match look.identity.0 == device {
                        true => todo.push(path.clone()),
                        false => inventory.unread.push(Unread::new(&path, "a mount".to_owned())),
                    }
                }
                let link = (look.kind == FileKind::Link).then(|| open.read_link(name).ok()).flatten();
                inventory.entries.push(Item::new(path, &look, link));
            }
            if inventory.entries.len() > MOST_ENTRIES {
                return Err(io::Error::other(format!("it has more than {MOST_ENTRIES} entries")));
            }
        }
        order::sort_by(&mut inventory.entries, |one, other| one.path.cmp(&other.path));
        Ok(inventory)
    }

    /// The bytes of the file, and their digest for the manifest.
    ///
    /// # Errors
    /// If they are more than are read again.
    pub fn to_bytes(&self) -> io::Result<(Vec<u8>, String)> {
        let bytes = self.to_bytes_within(MAX_INVENTORY)?;
        let digest = digest(&bytes);
        Ok((bytes, digest))
    }

    fn to_bytes_within(&self, most: u64) -> io::Result<Vec<u8>> {
        let bytes = serde_json::to_vec(self).expect("an inventory has texts and numbers only");
        match bytes.len() as u64 <= most {
            true => Ok(bytes),
            false => Err(io::Error::other(format!("the list of it would be larger than {} MiB", most >> 20))),
        }
    }

    /// Reads the inventory of an env root, if it is the one with this digest.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn load(env: &Tree, sha256: &str) -> io::Result<Inventory> {
        let bytes = env.read(Path::new(names::INVENTORY), MAX_INVENTORY)?;
        let bytes = bytes.ok_or(io::ErrorKind::NotFound)?;
        if digest(&bytes) != sha256 {
            return Err(io::Error::other("it was changed after `prepare`"));
        }
        let inventory: Inventory = serde_json::from_slice(&bytes)?;
        match inventory.version {
            VERSION => Ok(inventory),
            newer => Err(io::Error::other(format!("it has version {newer}, newer than this program"))),
        }
    }

    /// How many entries it has.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// Everything that is not as it was, by path, and what could not be compared.
    ///
    /// # Errors
    /// As [`Inventory::of`].
    pub fn changes(&self, tree: &Tree) -> io::Result<(Vec<Change>, Vec<Unread>)> {
        Ok(self.compare(tree, Inventory::without_digests(tree)?))
    }

    /// The same for what was found. What was recorded and cannot be looked at any more is a change: nothing shows that it is
    /// as it was.
    fn compare(&self, tree: &Tree, now: Inventory) -> (Vec<Change>, Vec<Unread>) {
        let mut missing = order::map(self.entries.iter().map(|item| (item.path.as_path(), item)));
        // What was not looked at then, or is not now, is neither new nor gone.
        let is_in = |unread: &[Unread], path: &Path| {
            let path = PathBuf::from(path.to_string_lossy().into_owned());
            unread.iter().any(|unread| path != Path::new(&unread.path) && path.starts_with(&unread.path))
        };
        let mut changes = Vec::new();
        for item in now.entries {
            let before = missing.remove(item.path.as_path());
            let change = match before {
                Some(before) if before.is_certainly(&item) => None,
                Some(before) => {
                    let sha256 = before.sha256.as_ref().and_then(|_| digest_of(tree, &item.path));
                    let item = Item { sha256, ..item };
                    (!before.is_same(&item)).then(|| before.change(&item))
                }
                None if is_in(&self.unread, &item.path) => None,
                None => Some(Change { was: "nothing".into(), is: item.describe(None), path: item.path }),
            };
            changes.extend(change);
        }
        let gone = missing.into_values().filter(|item| !is_in(&now.unread, &item.path));
        changes.extend(gone.map(|item| Change {
            path: item.path.clone(),
            was: item.describe(None),
            is: "nothing".into(),
        }));
        let lost =
            now.unread.iter().filter(|unread| self.unread.iter().all(|before| before.path != unread.path));
        for unread in lost {
            let before = self.entries.iter().find(|item| item.path.to_string_lossy() == *unread.path);
            let before = before.filter(|item| changes.iter().all(|change| change.path != item.path));
            changes.extend(before.map(|item| Change {
                path: item.path.clone(),
                was: item.describe(None),
                is: format!("out of sight ({})", unread.why),
            }));
        }
        order::sort_by(&mut changes, |one, other| one.path.cmp(&other.path));
        let mut unread = self.unread.clone();
        unread.extend(now.unread);
        order::sort(&mut unread);
        unread.dedup();
        (changes, unread)
    }
}

impl Unread {
    fn new(path: &Path, why: String) -> Unread {
        Unread { path: path.display().to_string(), why }
    }
}

impl Item {
    fn new(path: PathBuf, look: &Look, link: Option<PathBuf>) -> Item {
        let (kind, len) = match look.kind {
            FileKind::File { len, .. } => (ItemKind::File, Some(len)),
            FileKind::Dir => (ItemKind::Dir, None),
            FileKind::Link => (ItemKind::Link, None),
            FileKind::Other => (ItemKind::Other, None),
        };
        let (_, inode) = look.identity;
        // The bits of a link mean nothing.
        let mode = if kind == ItemKind::Link { 0 } else { look.mode };
        Item {
            path,
            kind,
            mode,
            len,
            sha256: None,
            inode,
            modified: look.modified,
            changed: look.changed,
            link,
        }
    }

    /// Whether an entry is this one, unchanged, by what the system says of it alone.
    fn is_certainly(&self, now: &Item) -> bool {
        self.is_alike(now)
            && (self.kind != ItemKind::File
                || (self.inode, self.modified, self.changed) == (now.inode, now.modified, now.changed))
    }

    /// Whether an entry is as this one was. Where no digest was recorded, the time of the last change of its bytes decides;
    /// where there is one, who writes the same bytes again has changed nothing.
    fn is_same(&self, now: &Item) -> bool {
        let is_same_file = match &self.sha256 {
            Some(sha256) => now.sha256.as_ref() == Some(sha256),
            None => self.modified == now.modified,
        };
        self.is_alike(now) && (self.kind != ItemKind::File || is_same_file)
    }

    fn is_alike(&self, now: &Item) -> bool {
        (self.kind, self.mode, self.len, &self.link) == (now.kind, now.mode, now.len, &now.link)
    }

    fn change(&self, now: &Item) -> Change {
        Change { path: self.path.clone(), was: self.describe(Some(now)), is: now.describe(Some(self)) }
    }

    /// The entry in words, with what differs from `other`.
    fn describe(&self, other: Option<&Item>) -> String {
        let mode = self.mode;
        match self.kind {
            ItemKind::Dir => format!("a folder, mode {mode:04o}"),
            ItemKind::Other => format!("a socket, FIFO or device, mode {mode:04o}"),
            ItemKind::Link => {
                let link = self.link.as_deref().unwrap_or(Path::new(""));
                format!("a link to {}", link.display())
            }
            ItemKind::File => {
                let len = self.len.unwrap_or_default();
                let text = format!("a file of {len} bytes, mode {mode:04o}");
                let is_in_doubt = other.is_some_and(|other| other.len == self.len && other.mode == self.mode);
                match &self.sha256 {
                    Some(sha256) if is_in_doubt => {
                        format!("{text}, sha256 {}…", sha256.get(..12).unwrap_or(sha256))
                    }
                    None if is_in_doubt => format!("{text}, changed at {}", self.modified.0),
                    _ => text,
                }
            }
        }
    }
}

fn digest_of(tree: &Tree, path: &Path) -> Option<String> {
    Some(digest(&tree.read(path, MAX_DIGESTED).ok()??))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests make their own fixtures")]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// A change to a folder, and what is reported of it: path, what was there, what is there.
    type Case = (fn(&Path), &'static [(&'static str, &'static str, &'static str)]);

    #[test]
    fn every_kind_of_change_is_found_and_no_other() {
        let file = |path: &Path, text: &str| fs::write(path, text).unwrap();
        let cases: &[Case] = &[
            (|_| {}, &[]),
            (|at| fs::write(at.join("a"), "one").unwrap(), &[]), // the same bytes again
            (|at| fs::write(at.join("a"), "One").unwrap(), &[("a", "sha256", "sha256")]),
            (|at| fs::write(at.join("a"), "longer").unwrap(), &[("a", "3 bytes", "6 bytes")]),
            (|at| fs::write(at.join("dir/new"), "").unwrap(), &[("dir/new", "nothing", "0 bytes")]),
            (
                |at| fs::remove_dir_all(at.join("dir")).unwrap(),
                &[("dir", "a folder", "nothing"), ("dir/b", "3 bytes", "nothing")],
            ),
            (
                |at| fs::set_permissions(at.join("a"), fs::Permissions::from_mode(0o755)).unwrap(),
                &[("a", "0644", "0755")],
            ),
            (
                |at| {
                    fs::remove_file(at.join("link")).unwrap();
                    symlink("b", at.join("link")).unwrap();
                },
                &[("link", "to a", "to b")],
            ),
            (
                |at| {
                    fs::remove_file(at.join("a")).unwrap();
                    fs::create_dir(at.join("a")).unwrap();
                },
                &[("a", "a file", "a folder")],
            ),
            // A replaced file with the old time of change.
            (
                |at| {
                    let time = fs::metadata(at.join("a")).unwrap().modified().unwrap();
                    fs::write(at.join("a"), "two").unwrap();
                    fs::File::options().write(true).open(at.join("a")).unwrap().set_modified(time).unwrap();
                },
                &[("a", "sha256", "sha256")],
            ),
        ];
        for (number, (change, expected)) in cases.iter().enumerate() {
            let tmp = tempfile::tempdir().unwrap();
            let at = tmp.path();
            fs::create_dir(at.join("dir")).unwrap();
            file(&at.join("a"), "one");
            file(&at.join("dir/b"), "two");
            fs::set_permissions(at.join("a"), fs::Permissions::from_mode(0o644)).unwrap();
            symlink("a", at.join("link")).unwrap();
            let tree = Tree::open(at).unwrap();
            let (bytes, _) = Inventory::of(&tree).unwrap().to_bytes().unwrap();
            let before: Inventory = serde_json::from_slice(&bytes).unwrap();
            change(at);
            let (changes, unread) = before.changes(&tree).unwrap();
            assert_eq!((changes.len(), unread.len()), (expected.len(), 0), "{number}: {changes:?}");
            for (change, (path, was, is)) in changes.iter().zip(*expected) {
                assert_eq!(change.path, Path::new(path));
                assert!(change.was.contains(was) && change.is.contains(is), "{number}: {change:?}");
            }
        }
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let tmp = tempfile::tempdir().unwrap();
        fs::write(tmp.path().join("a"), "one").unwrap();
        let inventory = Inventory::of(&Tree::open(tmp.path()).unwrap()).unwrap();
        let len = inventory.to_bytes().unwrap().0.len() as u64;
        assert!(inventory.to_bytes_within(len).is_ok() && inventory.to_bytes_within(len - 1).is_err());
    }

    #[test]
    fn what_was_not_looked_at_is_neither_new_nor_gone() {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir(tmp.path().join("dir")).unwrap();
        fs::write(tmp.path().join("dir/a"), "one").unwrap();
        let tree = Tree::open(tmp.path()).unwrap();
        let mut before = Inventory::of(&tree).unwrap();
        before.entries.retain(|item| item.path == Path::new("dir"));
        assert_eq!(before.changes(&tree).unwrap().0.len(), 1);
        before.unread.push(Unread::new(Path::new("dir"), "a mount".into()));
        let (changes, unread) = before.changes(&tree).unwrap();
        assert_eq!((changes, unread.len()), (Vec::new(), 1));
        // What was recorded, and is behind a mount by now, may be anything.
        let before = Inventory::of(&tree).unwrap();
        let mut now = Inventory::without_digests(&tree).unwrap();
        now.entries.retain(|item| item.path == Path::new("dir"));
        now.unread.push(Unread::new(Path::new("dir"), "a mount".into()));
        let (changes, _) = before.compare(&tree, now);
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert!(
            changes[0].path == Path::new("dir") && changes[0].is == "out of sight (a mount)",
            "{changes:?}"
        );
    }
}
