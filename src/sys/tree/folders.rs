//! Writing many files into one tree without opening their folders again for each.

use std::ffi::OsString;
use std::io;
use std::path::{Component, Path};

use rustix::io::Errno;

use super::Tree;

/// Keeps the folders above the last entry open, because entries of one folder usually follow each other.
///
/// Only for trees that no other process sees yet: an open handle does not notice that its folder was moved.
#[derive(Debug)]
pub struct Folders<'a> {
    root: &'a Tree,
    open: Vec<(OsString, Tree)>,
}

impl<'a> Folders<'a> {
    /// The folders below `root`, none of them open.
    pub fn below(root: &'a Tree) -> Folders<'a> {
        Folders { root, open: Vec::new() }
    }

    /// The folder that the entry at `relative` lies in, and the entry's name in it.
    ///
    /// # Errors
    /// When a folder on the way cannot be opened, or `relative` does not end in a name.
    pub fn parent_of<'p>(&mut self, relative: &'p Path) -> io::Result<(&Tree, &'p Path)> {
        let mut names = relative.components();
        let Some(Component::Normal(name)) = names.next_back() else { return Err(Errno::INVAL.into()) };
        let mut depth = 0;
        for folder in names {
            let Component::Normal(folder) = folder else { return Err(Errno::INVAL.into()) };
            if self.open.get(depth).is_none_or(|(open, _)| open != folder) {
                self.open.truncate(depth);
                let above = self.open.last().map_or(self.root, |(_, tree)| tree);
                let opened = Tree { root: above.root.open_dir(folder)?, path: above.path.join(folder) };
                self.open.push((folder.to_owned(), opened));
            }
            depth += 1;
        }
        self.open.truncate(depth);
        Ok((self.open.last().map_or(self.root, |(_, tree)| tree), Path::new(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_is_written_into_its_own_folder() {
        let tmp = tempfile::tempdir().unwrap();
        let tree = Tree::open(tmp.path()).unwrap();
        let mut folders = Folders::below(&tree);
        for folder in ["a", "a/b", "a/c", "d"] {
            let (parent, name) = folders.parent_of(Path::new(folder)).unwrap();
            parent.make_dir(name, 0o755).unwrap();
        }
        for file in ["top", "a/b/one", "a/b/two", "a/c/three", "a/four", "d/five"] {
            let (parent, name) = folders.parent_of(Path::new(file)).unwrap();
            parent.create_unseen(name, file.as_bytes(), 0o644).unwrap();
            assert_eq!(std::fs::read_to_string(tmp.path().join(file)).unwrap(), file);
        }
        for wrong in ["", "..", "a/../x", "/x"] {
            assert!(folders.parent_of(Path::new(wrong)).is_err(), "{wrong}");
        }
        assert!(folders.parent_of(Path::new("missing/x")).is_err());
    }
}
