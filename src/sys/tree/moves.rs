//! Moving what is in a [`Tree`], to another place or another tree.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, RenameFlags, linkat, renameat, renameat_with};
use rustix::io::Errno;

use super::{FileKind, Tree, rename_new};
use crate::sys::{fault, platform};

impl Tree {
    /// Moves an entry to a free path in another tree of the same file system.
    ///
    /// # Errors
    /// `AlreadyExists` when the place is taken; as the system reports them.
    pub fn move_to(&self, relative: &Path, target: &Tree, target_relative: &Path) -> io::Result<()> {
        fault::step()?;
        let (parent, name) = self.parent(relative)?;
        let (target_parent, target_name) = target.parent(target_relative)?;
        let (from, to) = (parent.as_fd(), target_parent.as_fd());
        match rename_new(from, name, to, target_name) {
            // Moving a folder to another parent changes its `..`, so the folder itself must be writable. A read-only one
            // is made writable for the move and gets its mode back afterwards.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let Some(mode) = self.locked_dir(relative) else { return Err(error) };
                let set =
                    |folder, name, mode| platform::set_dir_mode(folder, name, Mode::from_raw_mode(mode));
                set(from, name, mode | 0o700)?;
                let moved = rename_new(from, name, to, target_name);
                let (folder, name) = if moved.is_ok() { (to, target_name) } else { (from, name) };
                let _ = set(folder, name, mode);
                moved
            }
            other => other,
        }
    }

    /// Gives a file a second name, if nothing has that name yet.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken; as the system reports them, also where files have one name only.
    pub fn link_new(&self, relative: &Path, second: &Path) -> io::Result<()> {
        fault::step()?;
        let ((parent, name), (to, second)) = (self.parent(relative)?, self.parent(second)?);
        Ok(linkat(parent.as_fd(), name, to.as_fd(), second, AtFlags::empty())?)
    }

    /// Puts a link in the place of whatever file or link is there, by one rename. `temporary` is a free name at the top of
    /// the tree, where whoever sweeps looks for it.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn replace_by_link(&self, relative: &Path, text: &Path, temporary: &str) -> io::Result<()> {
        self.remove_file(Path::new(temporary))?;
        self.make_link(Path::new(temporary), text)?;
        fault::step()?;
        let (parent, name) = self.parent(relative)?;
        Ok(renameat(self.root.as_fd(), temporary, parent.as_fd(), name)?)
    }

    /// The mode of a folder that its owner may not write to; otherwise `None`.
    fn locked_dir(&self, relative: &Path) -> Option<rustix::fs::RawMode> {
        let is_dir = self.kind(relative).ok()? == Some(FileKind::Dir);
        let mode = self.mode(relative).ok()??;
        (is_dir && mode & 0o200 == 0).then_some(mode as rustix::fs::RawMode)
    }

    /// Swaps two entries of this tree. `false`: the file system does not support that.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn exchange(&self, one: &Path, other: &Path) -> io::Result<bool> {
        fault::step()?;
        let (one_parent, one_name) = self.parent(one)?;
        let (other_parent, other_name) = self.parent(other)?;
        match renameat_with(
            one_parent.as_fd(),
            one_name,
            other_parent.as_fd(),
            other_name,
            RenameFlags::EXCHANGE,
        ) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
