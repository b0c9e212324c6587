//! Build artifacts of an environment: `node_modules` and the like, by their names, and the one cache whose exact place is
//! known.
//!
//! They are deleted at once, not moved to the trash. A folder that holds a repository or files that git tracks, or that
//! cannot be read completely, is kept and reported. A removal that is cut short leaves a smaller folder under the same
//! name, which the next one removes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use serde::Serialize;

use crate::environment::LockedEnv;
use crate::git::Git;
use crate::order;
use crate::sys::remove::remove_tree;
use crate::sys::tree::{FileKind, Tree};
use crate::sys::walk::{Identity, Place, Size, Visitor, identity, is_still};

mod by_folder;
mod patterns;
mod tracked;

pub use by_folder::weigh_folders;
use patterns::GIT;
pub(super) use patterns::NO_PATTERNS;
pub use patterns::Patterns;
use tracked::Tracked;

/// Codex's own copy of its sandbox helper, about 285 MiB per task. Codex makes it again when it is missing.
pub const MANAGED: &str = "codex-home/.sandbox-bin";
/// Begins the name of [`MANAGED`] in counts, so that a pattern of the same name is counted apart.
const MANAGED_KEY: &str = "managed:codex-home/.sandbox-bin";

/// Folders of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// Their size in bytes.
    pub bytes: u64,
}

/// The artifacts of one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Artifacts {
    /// How many folders were found, or removed.
    pub count: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// The same by the name that matched.
    pub by_pattern: BTreeMap<String, Tally>,
    /// Folders of such a name that are kept, and why.
    pub kept: Vec<(PathBuf, String)>,
    /// Folders that could not be removed, or only partly, and why.
    pub failed: Vec<(PathBuf, String)>,
}

/// Finds the artifacts of an environment. Changes nothing.
pub fn find(env: &Tree, patterns: &Patterns, managed: bool, git: &Git) -> Artifacts {
    let mut survey = Survey::new(env.path(), patterns);
    survey.managed = managed;
    survey.tracked = Some(Tracked::new(env, git, patterns));
    survey.run(env).1
}

/// Removes the artifacts of an environment.
pub fn remove(env: &LockedEnv, patterns: &Patterns, managed: bool, git: &Git) -> Artifacts {
    remove_from(&env.env.tree, patterns, managed, git)
}

fn remove_from(env: &Tree, patterns: &Patterns, managed: bool, git: &Git) -> Artifacts {
    let mut survey = Survey::new(env.path(), patterns);
    survey.managed = managed;
    survey.tracked = Some(Tracked::new(env, git, patterns));
    survey.removes = true;
    survey.run(env).1
}

/// Whether there is a managed cache that could be removed: two folders, neither of them a link.
pub fn has_managed(env: &Tree) -> bool {
    let mut steps = Path::new(MANAGED).ancestors().filter(|path| !path.as_os_str().is_empty());
    steps.all(|path| matches!(env.kind(path), Ok(Some(FileKind::Dir))))
}

/// A pass over an environment. By default it only looks, for patterns and managed cache alike.
struct Survey<'a> {
    root: &'a Path,
    patterns: &'a Patterns,
    managed: bool,
    /// Removes what it finds.
    removes: bool,
    /// Knows the files that git tracks; `None` where the pass only measures.
    tracked: Option<Tracked<'a>>,
    /// Adds up everything, not only the artifacts.
    weighs: bool,
    at: At,
    depth: usize,
    size: Size,
    found: Artifacts,
}

/// Where a survey is.
enum At {
    /// Outside of artifacts.
    Open,
    /// In a `.git` folder whose parent has this depth.
    Git(usize),
    /// In an artifact.
    Artifact(Artifact),
}

struct Artifact {
    /// The depth of the folder that it lies in.
    depth: usize,
    key: String,
    identity: Option<Identity>,
    bytes: u64,
    /// Why it has to be kept, once there is a reason.
    keep: Option<&'static str>,
    /// For each open folder, which parts of a repository it has.
    signs: Vec<u8>,
}

const HOLDS_REPOSITORY: &str = "holds a repository";
const NOT_READ: &str = "cannot be read completely, so it may hold a repository";

impl Artifact {
    /// Notes an entry of the current folder. A bare repository has no `.git` folder, it is one.
    fn note(&mut self, name: &OsStr) {
        let sign = match name.as_encoded_bytes() {
            b".git" => 7,
            b"HEAD" => 1,
            b"objects" => 2,
            b"refs" => 4,
            _ => return,
        };
        if let Some(signs) = self.signs.last_mut() {
            *signs |= sign;
            if *signs == 7 {
                self.keep.get_or_insert(HOLDS_REPOSITORY);
            }
        }
    }
}

impl<'a> Survey<'a> {
    fn new(root: &'a Path, patterns: &'a Patterns) -> Survey<'a> {
        Survey {
            root,
            patterns,
            managed: true,
            removes: false,
            tracked: None,
            weighs: false,
            at: At::Open,
            depth: 0,
            size: Size::default(),
            found: Artifacts::default(),
        }
    }

    fn run(mut self, env: &Tree) -> (Size, Artifacts) {
        if env.walk(&mut self).is_err() {
            self.size.unreadable += 1;
        }
        order::sort(&mut self.found.kept);
        order::sort(&mut self.found.failed);
        (self.size, self.found)
    }

    /// What a folder counts as; `None`: it is no artifact.
    fn key(&self, path: &Path) -> Option<String> {
        if self.managed && path == Path::new(MANAGED) {
            return Some(MANAGED_KEY.to_owned());
        }
        self.patterns.find(path.file_name()?).map(str::to_owned)
    }

    fn leads_to_managed(&self, path: &Path) -> bool {
        self.managed && Path::new(MANAGED).starts_with(path)
    }

    fn finish(&mut self, artifact: Artifact, place: Place<'_>) {
        let path = self.root.join(place.path);
        if let Some(why) = artifact.keep {
            return self.found.kept.push((path, why.to_owned()));
        }
        let is_managed = artifact.key == MANAGED_KEY;
        if let Some(tracked) = self.tracked.as_mut().filter(|_| !is_managed)
            && let Some(why) = tracked.keeps(place.path)
        {
            return self.found.kept.push((path, why));
        }
        if self.removes {
            if !artifact.identity.is_some_and(|identity| is_still(place, identity)) {
                return self.found.kept.push((path, "was replaced during the check".to_owned()));
            }
            if let Err(error) = remove_tree(place.parent, place.name) {
                return self.found.failed.push((path, error.to_string()));
            }
        }
        self.found.count += 1;
        self.found.bytes += artifact.bytes;
        let tally = self.found.by_pattern.entry(artifact.key).or_default();
        tally.count += 1;
        tally.bytes += artifact.bytes;
    }
}

impl Visitor for Survey<'_> {
    fn enter(&mut self, place: Place<'_>, handle: BorrowedFd<'_>) -> bool {
        match &mut self.at {
            At::Git(_) => {}
            At::Artifact(artifact) => {
                artifact.note(place.name);
                if artifact.keep.is_some() && !self.weighs {
                    return false; // it is kept: nothing more to learn
                }
                artifact.signs.push(0);
            }
            At::Open if place.name == GIT => {
                if !self.weighs {
                    return false;
                }
                self.at = At::Git(self.depth);
            }
            At::Open => match self.key(place.path) {
                Some(key) => {
                    self.at = At::Artifact(Artifact {
                        depth: self.depth,
                        key,
                        identity: identity(handle).ok(),
                        bytes: 0,
                        keep: None,
                        signs: vec![0],
                    });
                }
                // With only the managed cache to look for, only the folders above it are entered.
                None if self.patterns.is_empty() && !self.weighs && !self.leads_to_managed(place.path) => {
                    return false;
                }
                None => {}
            },
        }
        self.depth += 1;
        true
    }

    fn leave(&mut self, place: Place<'_>) {
        self.depth -= 1;
        match &mut self.at {
            At::Git(depth) if *depth == self.depth => self.at = At::Open,
            At::Artifact(artifact) if artifact.depth != self.depth => _ = artifact.signs.pop(),
            At::Artifact(_) => {
                if let At::Artifact(artifact) = std::mem::replace(&mut self.at, At::Open) {
                    self.finish(artifact, place);
                }
            }
            At::Git(_) | At::Open => {}
        }
    }

    fn lost(&mut self, path: &Path) {
        self.size.unreadable += 1;
        self.depth -= 1;
        match &mut self.at {
            At::Git(depth) if *depth == self.depth => self.at = At::Open,
            At::Artifact(artifact) if artifact.depth == self.depth => {
                let why = artifact.keep.unwrap_or("was moved during the check").to_owned();
                self.found.kept.push((self.root.join(path), why));
                self.at = At::Open;
            }
            At::Artifact(artifact) => {
                artifact.signs.pop();
                artifact.keep.get_or_insert(NOT_READ);
            }
            At::Git(_) | At::Open => {}
        }
    }

    fn entry(&mut self, name: &OsStr, len: Option<u64>) {
        let bytes = len.unwrap_or(0);
        self.size.bytes += bytes;
        if let At::Artifact(artifact) = &mut self.at {
            artifact.bytes += bytes;
            artifact.note(name);
        }
    }

    fn closed(&mut self, path: &Path, error: Errno) {
        if matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::LOOP) {
            return; // it was removed meanwhile, or is a link now
        }
        self.unreadable();
        if let At::Open = self.at
            && self.key(path).is_some()
        {
            let why = match error {
                Errno::XDEV => "another file system is mounted there".to_owned(),
                error => format!("cannot be read: {}", std::io::Error::from(error)),
            };
            self.found.kept.push((self.root.join(path), why));
        }
    }

    fn unreadable(&mut self) {
        self.size.unreadable += 1;
        if let At::Artifact(artifact) = &mut self.at {
            artifact.keep.get_or_insert(NOT_READ);
        }
    }

    fn wants_lengths(&self) -> bool {
        match &self.at {
            At::Artifact(artifact) => self.weighs || artifact.keep.is_none(),
            At::Git(_) | At::Open => self.weighs,
        }
    }
}

#[cfg(test)]
mod tests;
