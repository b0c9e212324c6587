//! Paths at which a merge stopped, as git keeps them in an index: up to three versions of each.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// The mode of a submodule in an index.
const SUBMODULE: &str = "160000";
/// The mode of a symbolic link in an index.
const LINK: &str = "120000";

/// One version of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its mode, as git writes it.
    pub mode: String,
    /// The object.
    pub id: String,
}

/// Which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// That of the branch that is checked out.
    Ours,
    /// That of the branch that is merged.
    Theirs,
}

/// How the two sides disagree on a path. The words are those of `git status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// Both changed it.
    BothModified,
    /// Both added it.
    BothAdded,
    /// We removed or renamed it, they changed it.
    DeletedByUs,
    /// They removed or renamed it, we changed it.
    DeletedByThem,
    /// Only our side has it, as the result of a rename.
    AddedByUs,
    /// Only their side has it, as the result of a rename.
    AddedByThem,
    /// Both removed it: they renamed it differently.
    BothDeleted,
}

/// A path at which a merge stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The path, relative to the top of the working files.
    pub path: PathBuf,
    /// The versions: the common one, ours and theirs.
    versions: [Option<Version>; 3],
}

impl Conflict {
    /// Reads entries `MODE OBJECT STAGE<tab>PATH` that end in NUL, as `ls-files --unmerged -z` and `merge-tree -z` print
    /// them, until an empty one. The second value: what follows that.
    pub(super) fn parse(text: &[u8]) -> (Vec<Conflict>, &[u8]) {
        let mut found: BTreeMap<PathBuf, [Option<Version>; 3]> = BTreeMap::new();
        let mut rest = text;
        while let Some(end) = rest.iter().position(|byte| *byte == 0) {
            let entry = &rest[..end];
            rest = &rest[end + 1..];
            if entry.is_empty() {
                break;
            }
            let Some(tab) = entry.iter().position(|byte| *byte == b'\t') else { continue };
            let words = String::from_utf8_lossy(&entry[..tab]);
            let mut words = words.split(' ');
            let (Some(mode), Some(id), Some(stage)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            let version = Version { mode: mode.to_owned(), id: id.to_owned() };
            let path = PathBuf::from(OsStr::from_bytes(&entry[tab + 1..]));
            let stage = stage.parse::<usize>().ok().and_then(|stage| stage.checked_sub(1));
            if let Some(place) = stage.and_then(|stage| found.entry(path).or_default().get_mut(stage)) {
                *place = Some(version);
            }
        }
        (found.into_iter().map(|(path, versions)| Conflict { path, versions }).collect(), rest)
    }

    /// The version of one side; `None`: the path is not there on that side.
    pub fn version(&self, side: Side) -> Option<&Version> {
        self.versions[side.place()].as_ref()
    }

    /// How the sides disagree.
    pub fn kind(&self) -> ConflictKind {
        match self.versions.each_ref().map(Option::is_some) {
            [true, true, true] => ConflictKind::BothModified,
            [false, true, true] => ConflictKind::BothAdded,
            [true, false, true] => ConflictKind::DeletedByUs,
            [true, true, false] => ConflictKind::DeletedByThem,
            [false, true, false] => ConflictKind::AddedByUs,
            [false, false, true] => ConflictKind::AddedByThem,
            [_, false, false] => ConflictKind::BothDeleted,
        }
    }

    /// What lies at the path: `file`, `symlink` or `submodule`, whichever of the sides says more.
    pub fn what(&self) -> &'static str {
        let has = |mode: &str| self.versions.iter().flatten().any(|version| version.mode == mode);
        match () {
            () if has(SUBMODULE) => "submodule",
            () if has(LINK) => "symlink",
            () => "file",
        }
    }

    /// Lines for `update-index -z --index-info` that put all versions in the place of a merged entry.
    pub(super) fn index_lines(&self) -> Vec<u8> {
        let mut lines = self.removal();
        for (stage, version) in (1..).zip(&self.versions) {
            if let Some(Version { mode, id }) = version {
                lines.extend(format!("{mode} {id} {stage}\t").bytes());
                lines.extend(self.path.as_os_str().as_bytes());
                lines.push(0);
            }
        }
        lines
    }

    /// A line that takes the path out of the index.
    fn removal(&self) -> Vec<u8> {
        let length = self.versions.iter().flatten().map(|version| version.id.len()).max();
        let nothing = format!("0 {}\t", "0".repeat(length.unwrap_or_default()));
        [nothing.as_bytes(), self.path.as_os_str().as_bytes(), b"\0"].concat()
    }

    /// Lines that put one side in the place of all versions.
    pub(super) fn taken_lines(&self, side: Side) -> Vec<u8> {
        let mut lines = self.removal();
        lines.extend(self.version(side).into_iter().flat_map(|version| version.line(&self.path)));
        lines
    }
}

impl Side {
    fn place(self) -> usize {
        match self {
            Side::Ours => 1,
            Side::Theirs => 2,
        }
    }

    /// The option of `checkout-index` for this side.
    pub(super) fn stage(self) -> &'static str {
        match self {
            Side::Ours => "--stage=2",
            Side::Theirs => "--stage=3",
        }
    }
}

impl Version {
    /// Whether it is a submodule, which has no file of its own.
    pub(super) fn is_submodule(&self) -> bool {
        self.mode == SUBMODULE
    }

    /// The line for `update-index -z --index-info` that puts it at a path.
    pub(super) fn line(&self, path: &Path) -> Vec<u8> {
        let Version { mode, id } = self;
        [format!("{mode} {id} 0\t").as_bytes(), path.as_os_str().as_bytes(), b"\0"].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_become_conflicts_and_lines_of_an_index() {
        let id = |letter: &str| letter.repeat(40);
        let entry = |mode: &str, letter: &str, stage: u8, path: &str| {
            format!("{mode} {} {stage}\t{path}\0", id(letter))
        };
        for (stages, kind, what) in [
            (&[(1, "100644"), (2, "100644"), (3, "100644")][..], ConflictKind::BothModified, "file"),
            (&[(2, "100644"), (3, "120000")], ConflictKind::BothAdded, "symlink"),
            (&[(1, "100644"), (3, "100755")], ConflictKind::DeletedByUs, "file"),
            (&[(1, "160000"), (2, "160000")], ConflictKind::DeletedByThem, "submodule"),
            (&[(2, "100644")], ConflictKind::AddedByUs, "file"),
            (&[(3, "100644")], ConflictKind::AddedByThem, "file"),
            (&[(1, "100644")], ConflictKind::BothDeleted, "file"),
        ] {
            let path = "a b\n\tü";
            let entries: String = stages.iter().map(|(stage, mode)| entry(mode, "a", *stage, path)).collect();
            let text = format!("{entries}\0rest");
            let (found, rest) = Conflict::parse(text.as_bytes());
            assert_eq!((found.len(), rest), (1, &b"rest"[..]));
            let conflict = &found[0];
            assert_eq!((conflict.path.to_str(), conflict.kind(), conflict.what()), (Some(path), kind, what));
            let removal = format!("0 {}\t{path}\0", id("0"));
            assert_eq!(conflict.index_lines(), format!("{removal}{entries}").into_bytes());
            let theirs = stages.iter().find(|(stage, _)| *stage == 3);
            let taken = theirs.map(|(_, mode)| entry(mode, "a", 0, path)).unwrap_or_default();
            assert_eq!(conflict.taken_lines(Side::Theirs), format!("{removal}{taken}").into_bytes());
        }
    }
}
