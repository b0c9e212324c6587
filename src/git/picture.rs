//! The working files as a tree: what is tracked as it is now, and what is new, without what is ignored. The index and the
//! files that the user or the agent works with stay as they are.
//!
//! The tree is made in a copy of the index, which keeps its time: so git reads only files that may have changed. One call
//! lists them, and one adds them; both go through a view, so that no program runs that the repository names. Submodules and
//! repositories in the files become links: git would start a git in each otherwise, and there it would obey its configuration.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::checkout::Checkout;
use super::command::GitCommand;
use super::index_file::copy_index;
use super::profile::{Look, Work};
use super::repository::Repository;
use super::scratch::{Scratch, Where};
use super::view::View;
use crate::order;
use crate::sys::tree::{FileKind, Tree};

/// A split index would put a part of itself into the view, which is gone with the call.
const SETTINGS: [&str; 4] = ["-c", "core.splitIndex=false", "-c", "core.safecrlf=false"];

/// What of the working files is execenv's own. Paths are relative to the top of the working files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ours {
    /// Files that count as not being there.
    pub absent: BTreeSet<PathBuf>,
    /// Files that count as having these bytes.
    pub instead: BTreeMap<PathBuf, Vec<u8>>,
}

/// How much may be added to a repository at once.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most files that are new.
    pub files: usize,
    /// The most bytes that are new or changed.
    pub bytes: u64,
}

/// There is more to add than a [`Bounds`] allows: build output that no `.gitignore` names, as a rule.
#[derive(Debug)]
pub struct TooMuch {
    /// How many files are new.
    pub files: usize,
    /// How many bytes are new or changed.
    pub bytes: u64,
    /// The first folder or file that is new.
    pub first: PathBuf,
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooMuch { files, bytes, first } = self;
        write!(
            f,
            "{files} files are new, {bytes} bytes are new or changed; the first one is {}",
            first.display()
        )
    }
}

impl std::error::Error for TooMuch {}

/// Whether what is new goes into the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objects {
    /// It does: a commit can be made of it.
    Kept,
    /// It is gone with the picture: for a look, which changes no repository.
    Dropped,
}

/// The working files at one moment.
#[derive(Debug)]
pub struct Picture<'a> {
    repository: Repository<'a>,
    view: View,
    /// Where the new objects are, if not in the repository.
    objects: Option<(Scratch, PathBuf)>,
    tree: String,
    links: Vec<PathBuf>,
    special: Vec<PathBuf>,
}

impl Checkout {
    /// Takes a picture of the working files.
    ///
    /// # Errors
    /// [`TooMuch`]; as git reports it.
    pub fn picture(&self, ours: &Ours, bounds: Bounds, objects: Objects) -> Result<Picture<'_>> {
        let repository = self.repository();
        let view = repository.view_of_files(self.folders())?;
        let objects = match objects {
            Objects::Kept => None,
            Objects::Dropped => {
                Some((repository.scratch(Where::Disk)?, self.folders().common.join("objects")))
            }
        };
        let mut picture = Picture::begin(repository, view, objects);
        let own = &self.folders().own;
        let own = Tree::open(own).with_context(|| format!("open {}", own.display()))?;
        let add = |picture: &mut Picture<'_>| {
            copy_index(&own, picture.view.tree())?;
            picture.add(self.tree(), ours, bounds)
        };
        // A file that goes while it is added is normal where someone works.
        if let Err(first) = add(&mut picture) {
            if first.is::<TooMuch>() || super::was_cut_off(&first) {
                return Err(first);
            }
            log::debug!("once more: {first:#}");
            add(&mut picture)?;
        }
        picture.tree = picture.work(["write-tree"]).text()?;
        Ok(picture)
    }

    /// The staged files: what the next commit would have.
    ///
    /// # Errors
    /// As git reports them, also where a merge has left conflicts.
    pub fn staged_picture(&self, ours: &Ours) -> Result<Picture<'_>> {
        let repository = self.repository();
        let view = repository.view_of_files(self.folders())?;
        let objects = Some((repository.scratch(Where::Disk)?, self.folders().common.join("objects")));
        let mut picture = Picture::begin(repository, view, objects);
        let own = &self.folders().own;
        copy_index(
            &Tree::open(own).with_context(|| format!("open {}", own.display()))?,
            picture.view.tree(),
        )?;
        let known = ["ls-files", "-v", "-z", "--stage"];
        let index = picture.view.tree().path().join("index");
        let known = Listed::parse(&picture.look(known).variable("GIT_INDEX_FILE", index).output()?, ours);
        let lines: Vec<u8> = known.ours.iter().flat_map(|path| removal(path, known.id_length)).collect();
        if !lines.is_empty() {
            picture.work(["update-index", "-z", "--index-info"]).input(lines).output()?;
        }
        picture.tree = picture.work(["write-tree"]).text()?;
        Ok(picture)
    }
}

impl<'a> Picture<'a> {
    /// One of nothing yet.
    fn begin(repository: Repository<'a>, view: View, objects: Option<(Scratch, PathBuf)>) -> Picture<'a> {
        let (tree, links, special) = (String::new(), Vec::new(), Vec::new());
        Picture { repository, view, objects, tree, links, special }
    }
}

impl Picture<'_> {
    /// The tree.
    pub fn tree(&self) -> &str {
        &self.tree
    }

    /// Submodules and other repositories in the files. The tree has which commit is checked out in each, and nothing of
    /// their files.
    pub fn links(&self) -> &[PathBuf] {
        &self.links
    }

    /// Warns of files that are none any more, but something without a content: the tree does not have them.
    pub fn warn_of_special_files(&self) {
        for path in &self.special {
            let name = path.to_string_lossy();
            log::warn!("{} is a FIFO, a socket or a device: it counts as deleted", name.escape_debug());
        }
    }

    /// The folder with the copy of the index, which has this tree.
    pub(super) fn folder(&self) -> &Tree {
        self.view.tree()
    }

    /// A call that looks at the tree.
    pub(super) fn look<'s, 'w>(&'w self, args: impl IntoIterator<Item = &'s str>) -> GitCommand<'w, Look> {
        let repository: Repository<'w> = self.repository;
        self.with_objects(repository.look(args).through(&self.view))
    }

    fn work<'s, 'w>(&'w self, args: impl IntoIterator<Item = &'s str>) -> GitCommand<'w, Work> {
        let repository: Repository<'w> = self.repository;
        let call = repository.work(SETTINGS).args(args).through(&self.view).and_to(self.view.tree());
        let call = match &self.objects {
            Some((folder, _)) => call.and_to(folder.tree()),
            None => call,
        };
        let index = self.view.tree().path().join("index");
        self.with_objects(call.variable("GIT_INDEX_FILE", index))
    }

    /// Lets a call read the picture's objects.
    pub(super) fn lend<'w, P: super::profile::Profile>(&self, call: GitCommand<'w, P>) -> GitCommand<'w, P> {
        match &self.objects {
            None => call,
            Some((folder, repositorys)) => {
                let mut both = alternate(folder.tree().path());
                both.push(":");
                both.push(alternate(repositorys));
                call.variable("GIT_ALTERNATE_OBJECT_DIRECTORIES", both)
            }
        }
    }

    fn with_objects<'w, P: super::profile::Profile>(&self, call: GitCommand<'w, P>) -> GitCommand<'w, P> {
        match &self.objects {
            None => call,
            Some((folder, repositorys)) => call
                .variable("GIT_OBJECT_DIRECTORY", folder.tree().path())
                .variable("GIT_ALTERNATE_OBJECT_DIRECTORIES", alternate(repositorys)),
        }
    }

    /// Brings the working files into the copy of the index.
    fn add(&mut self, files: &Tree, ours: &Ours, bounds: Bounds) -> Result<()> {
        let listing = ["ls-files", "-v", "-z", "--stage", "--modified", "--deleted", "--others"];
        let index = self.view.tree().path().join("index");
        let listed = self.look(listing).args(["--exclude-standard"]).variable("GIT_INDEX_FILE", index);
        // A repository of many files has a long list.
        let mut bytes = Vec::new();
        listed.pass_on(&mut |block| {
            bytes.extend_from_slice(block);
            Ok(())
        })?;
        let listed = Listed::parse(&bytes, ours);
        let mut plan = Plan::default();
        self.special.clear();
        self.links = listed.links.iter().map(|path| as_path(path).to_owned()).collect();
        for path in &listed.repositories {
            let path = as_path(path);
            self.links.push(path.to_owned());
            // One without a commit cannot even be linked to.
            if files.unlinked_subtree(path).is_ok() && self.has_commit(&files.path().join(path)) {
                plan.add.push(path.as_os_str().as_bytes().to_vec());
            }
        }
        order::sort(&mut self.links);
        let mut size = TooMuch { files: 0, bytes: 0, first: PathBuf::new() };
        let mut folders = Folders::default();
        for path in &listed.new {
            let Ok(Some(look)) = files.look(as_path(path)) else { continue };
            if size.files == 0 {
                size.first = as_path(path).to_owned();
            }
            size.files += 1;
            size.bytes += length(look.kind);
            plan.add.push(path.clone());
        }
        for path in &listed.changed {
            let shown = as_path(path);
            let look = if folders.are_plain(files, shown) { files.look(shown).ok().flatten() } else { None };
            match look.map(|look| look.kind) {
                Some(FileKind::Other) => {
                    self.special.push(shown.to_owned());
                    plan.lines.extend(removal(path, listed.id_length));
                }
                None => plan.lines.extend(removal(path, listed.id_length)),
                // What is in the folder is new.
                Some(FileKind::Dir) if !listed.moved.contains(path) => {
                    plan.lines.extend(removal(path, listed.id_length));
                }
                Some(kind) => {
                    size.bytes += length(kind);
                    plan.add.push(path.clone());
                }
            }
        }
        for path in &listed.hidden {
            let Ok(Some(look)) = files.look(as_path(path)) else { continue };
            if look.kind == FileKind::Other {
                self.special.push(as_path(path).to_owned());
                plan.lines.extend(removal(path, listed.id_length));
                continue;
            }
            size.bytes += length(look.kind);
            plan.reveal.push(path.clone());
            plan.add.push(path.clone());
        }
        if size.files > bounds.files || size.bytes > bounds.bytes {
            return Err(size.into());
        }
        for path in &listed.ours {
            plan.lines.extend(removal(path, listed.id_length));
        }
        for (path, bytes) in &ours.instead {
            let Ok(Some(look)) = files.look(path) else { continue };
            let object = self.work(["hash-object", "-w", "--stdin"]).args([with_prefix("--path=", path)]);
            let object = object.input(bytes.clone()).text()?;
            let mode = if look.mode & 0o100 == 0 { "100644" } else { "100755" };
            plan.lines.extend(format!("{mode} {object}\t").bytes());
            plan.lines.extend(path.as_os_str().as_bytes());
            plan.lines.push(0);
        }
        self.carry_out(plan)
    }

    fn carry_out(&self, plan: Plan) -> Result<()> {
        if !plan.reveal.is_empty() {
            for flag in ["--no-assume-unchanged", "--no-skip-worktree"] {
                let call = self.work(["update-index", flag, "-z", "--stdin"]);
                call.input(nul_lines(&plan.reveal)).output()?;
            }
        }
        if !plan.lines.is_empty() {
            self.work(["update-index", "-z", "--index-info"]).input(plan.lines).output()?;
        }
        if !plan.add.is_empty() {
            let add = ["update-index", "--add", "--remove", "--replace", "-z", "--stdin"];
            self.work(add).input(nul_lines(&plan.add)).output()?;
        }
        Ok(())
    }

    /// Whether the repository in a folder has a commit checked out.
    fn has_commit(&self, folder: &Path) -> bool {
        self.repository.beside(folder).has_head().unwrap_or(false)
    }
}

/// What is done to the copy of the index.
#[derive(Default)]
struct Plan {
    /// Files whose entries are not to be trusted any more.
    reveal: Vec<Vec<u8>>,
    /// For `update-index --index-info`.
    lines: Vec<u8>,
    /// Files that are read.
    add: Vec<Vec<u8>>,
}

/// What the index and the working files differ in.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listed {
    /// Files that are not in the index.
    new: BTreeSet<Vec<u8>>,
    /// Repositories that are not in the index.
    repositories: BTreeSet<Vec<u8>>,
    /// Files of the index that differ, are gone, or are in conflict.
    changed: BTreeSet<Vec<u8>>,
    /// Files of the index of which git takes for granted that they have not changed.
    hidden: BTreeSet<Vec<u8>>,
    /// Submodules of the index.
    links: BTreeSet<Vec<u8>>,
    /// Those among what differs.
    moved: BTreeSet<Vec<u8>>,
    /// Files of the index that are execenv's own.
    ours: BTreeSet<Vec<u8>>,
    /// How many digits the id of an object has.
    id_length: usize,
}

impl Listed {
    /// Reads `ls-files -v -z --stage --modified --deleted --others`: `TAG MODE OBJECT STAGE<tab>PATH`, or `? PATH`.
    fn parse(bytes: &[u8], ours: &Ours) -> Listed {
        let of = |path: &PathBuf| path.as_os_str().as_bytes().to_vec();
        let absent: HashSet<Vec<u8>> = ours.absent.iter().map(of).collect();
        let instead: HashSet<Vec<u8>> = ours.instead.keys().map(of).collect();
        let mut listed = Listed::default();
        for entry in bytes.split(|byte| *byte == 0).filter(|entry| entry.len() > 2) {
            let (tag, rest) = (entry[0], &entry[2..]);
            if tag == b'?' {
                if absent.contains(rest) || instead.contains(rest) {
                    continue;
                }
                match rest.strip_suffix(b"/") {
                    Some(folder) => listed.repositories.insert(folder.to_owned()),
                    None => listed.new.insert(rest.to_owned()),
                };
                continue;
            }
            let Some(tab) = rest.iter().position(|byte| *byte == b'\t') else { continue };
            let (facts, path) = (&rest[..tab], &rest[tab + 1..]);
            listed.id_length = facts.split(|byte| *byte == b' ').nth(1).map_or(0, <[u8]>::len);
            if absent.contains(path) {
                listed.ours.insert(path.to_owned());
            } else if instead.contains(path) {
            } else if matches!(tag, b'C' | b'R' | b'c' | b'r') || !facts.ends_with(b" 0") {
                if facts.starts_with(b"160000") {
                    listed.moved.insert(path.to_owned());
                }
                listed.changed.insert(path.to_owned());
            } else if facts.starts_with(b"160000") {
                listed.links.insert(path.to_owned());
            } else if tag == b'S' || tag.is_ascii_lowercase() {
                listed.hidden.insert(path.to_owned());
            }
        }
        listed
    }
}

/// Folders that lead to files, and whether a link is among them.
#[derive(Default)]
struct Folders(BTreeMap<PathBuf, bool>);

impl Folders {
    /// Whether no folder that leads to `path` is a link: git does not go through one.
    fn are_plain(&mut self, files: &Tree, path: &Path) -> bool {
        let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) else { return true };
        if let Some(known) = self.0.get(above) {
            return *known;
        }
        let is_plain = self.are_plain(files, above) && !matches!(files.kind(above), Ok(Some(FileKind::Link)));
        self.0.insert(above.to_owned(), is_plain);
        is_plain
    }
}

fn length(kind: FileKind) -> u64 {
    if let FileKind::File { len, .. } = kind { len } else { 0 }
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn nul_lines(paths: &[Vec<u8>]) -> Vec<u8> {
    paths.iter().flat_map(|path| path.iter().copied().chain([0])).collect()
}

/// A line for `update-index -z --index-info` that takes a path out of the index.
fn removal(path: &[u8], id_length: usize) -> Vec<u8> {
    [b"0 ", &*vec![b'0'; id_length], b"\t", path, b"\0"].concat()
}

fn with_prefix(prefix: &str, path: &Path) -> std::ffi::OsString {
    let mut word = std::ffi::OsString::from(prefix);
    word.push(path);
    word
}

/// A path for a list that is separated by colons.
fn alternate(path: &Path) -> std::ffi::OsString {
    let bytes = path.as_os_str().as_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b':' | b'"' | b'\\' | b'\n')) {
        return path.into();
    }
    let mut quoted = vec![b'"'];
    for byte in bytes {
        match byte {
            b'"' | b'\\' => quoted.extend([b'\\', *byte]),
            b'\n' => quoted.extend(b"\\n"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'"');
    OsStr::from_bytes(&quoted).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(paths: &[&str]) -> BTreeSet<Vec<u8>> {
        paths.iter().map(|path| path.as_bytes().to_vec()).collect()
    }

    #[test]
    fn what_differs_is_read_from_the_list() {
        let listed = "? new\0? nested/\0H 100644 ab 0\tsame\0C 100644 ab 0\ta b\tc\0R 100644 ab 0\tgone\0C 100644 ab 0\tgone\0\
                      M 100644 ab 1\tconflict\0M 100644 ab 3\tconflict\0S 100644 ab 0\tsparse\0h 100644 ab 0\tassumed\0\
                      H 160000 ab 0\tmodule\0";
        let found = Listed::parse(listed.as_bytes(), &Ours::default());
        assert_eq!(found.new, set(&["new"]));
        assert_eq!(found.repositories, set(&["nested"]));
        assert_eq!(found.changed, set(&["a b\tc", "gone", "conflict"]));
        assert_eq!(found.hidden, set(&["sparse", "assumed"]));
        assert_eq!((found.links, found.id_length), (set(&["module"]), 2));
        let absent = ["new", "same", "a b\tc"].map(PathBuf::from).into();
        let instead = [("conflict".into(), Vec::new())].into();
        let found = Listed::parse(listed.as_bytes(), &Ours { absent, instead });
        assert_eq!((found.new, found.changed), (set(&[]), set(&["gone"])));
        assert_eq!(found.ours, set(&["same", "a b\tc"]));
    }
}
