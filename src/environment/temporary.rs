//! Files that exist only during a run: its private folder for temporary files, and its file with the MCP servers.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::locked::LockedEnv;
use super::run_folder::{Mark, folder_name};
use crate::layout::names;
use crate::sys::silent;
use crate::sys::tree::{FileKind, Tree};

/// The name of a run's private folder inside its env root.
const TEMPORARY: &str = names::RUN_TEMPORARY;
/// The longest path of a folder for sockets: with a name of 40 characters it stays below 104 bytes.
const MAX_TEMPORARY: usize = 60;

/// Where a run's private folder for temporary files may be.
#[derive(Debug)]
pub(crate) struct TemporaryPlaces<'a> {
    /// The env root.
    pub(crate) env_root: &'a Path,
    /// The folder that the operator names for it.
    pub(crate) base: Option<&'a Path>,
    /// `TMPDIR` of the operator's.
    pub(crate) tmpdir: Option<&'a Path>,
    /// Whether a folder can be made in one.
    pub(crate) is_writable: fn(&Path) -> bool,
}

impl TemporaryPlaces<'_> {
    /// A run's private folder for temporary files: below the operator's base if there is one, else in the env root if its
    /// path is short enough for sockets, else below `TMPDIR` or `/tmp`, and in the env root all the same where neither can
    /// be written. Outside the env root its name contains the run's id.
    pub(crate) fn choose(&self, run_id: &str) -> PathBuf {
        let inside = self.env_root.join(TEMPORARY);
        if let Some(base) = self.base {
            return base.join(folder_name(run_id));
        }
        if !is_too_long(&inside) {
            return inside;
        }
        let outside = self.tmpdir.filter(|path| path.is_absolute()).into_iter().chain([Path::new("/tmp")]);
        let mut outside = outside.filter(|path| (self.is_writable)(path));
        outside.next().map_or(inside, |path| path.join(folder_name(run_id)))
    }
}

/// Whether the sockets of some programs cannot be made in a folder: their paths have a limit.
pub(crate) fn is_too_long(folder: &Path) -> bool {
    folder.as_os_str().len() > MAX_TEMPORARY
}

/// Whether a folder can be made in `folder`. The system knows of read-only mounts, too.
pub(crate) fn is_writable(folder: &Path) -> bool {
    use rustix::fs::{Access, access};
    folder.is_dir() && access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// The files of a start, below the env root.
fn start_files() -> impl Iterator<Item = PathBuf> {
    [names::LAUNCH_MCP, names::LAUNCH_PROMPT].into_iter().map(|name| Path::new(names::LAUNCH).join(name))
}

impl LockedEnv {
    /// Creates a run's private folder, empty. The run must be recorded before, so that a crash leaves no folder without
    /// a record. Outside of the env root it is locked until what is returned is dropped.
    ///
    /// # Errors
    /// As the system reports them.
    pub(crate) fn make_temporary(&self, run_id: &str, path: &Path) -> Result<Option<Tree>> {
        let tree = &self.env.tree;
        let made = match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) if path != tree.path().join(TEMPORARY) => Tree::open(parent)
                .and_then(|parent| Mark { run_id, env: &self.place() }.make(&parent, Path::new(name)))
                .map(Some),
            _ => tree
                .remove_all(Path::new(TEMPORARY))
                .and_then(|()| tree.make_dir(Path::new(TEMPORARY), 0o700))
                .map(|()| None),
        };
        made.with_context(|| format!("make {}", path.display()))
    }

    /// Removes the files that exist only during a run. A file that cannot be removed causes a warning; the next run
    /// removes it.
    pub(crate) fn forget_temporary(&self, run_id: &str, outside: Option<&Path>) {
        let tree = &self.env.tree;
        let warn = |path: &Path, error: io::Error| log::warn!("cannot remove {}: {error}", path.display());
        if let Err(error) = tree.remove_all(Path::new(TEMPORARY)) {
            warn(&tree.path().join(TEMPORARY), error);
        }
        for file in start_files() {
            match tree.remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => warn(&tree.path().join(file), error),
                _ => {}
            }
        }
        self.forget_outside(run_id, outside);
    }

    /// Removes what the recorded run, which is dead, left outside its env root.
    pub(crate) fn forget_dead_run(&self) {
        let own = self.meta.as_ref().and_then(|meta| meta.own.as_ref());
        if let Some(run) = own.and_then(|own| own.run.as_ref()) {
            self.forget_outside(&run.id, run.temporary.as_deref());
        }
    }

    /// Removes a run's private folder outside the env root.
    ///
    /// The agent can write to the record, so it names any folder. Only one goes that has the name of this run, belongs to
    /// this user alone, and holds the mark that this environment's run put there: whoever could put it there could have
    /// removed what is in the folder.
    fn forget_outside(&self, run_id: &str, outside: Option<&Path>) {
        let is_named =
            |path: &&Path| path.is_absolute() && path.file_name() == Some(OsStr::new(&folder_name(run_id)));
        let Some(path) = outside.filter(is_named).filter(|_| uuid::Uuid::try_parse(run_id).is_ok()) else {
            return;
        };
        if silent::is_dir(path) != Some(true) {
            return;
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name().map(Path::new)) else { return };
        let Ok(parent) = Tree::open(parent) else { return };
        if !matches!(parent.kind(name), Ok(Some(FileKind::Dir))) {
            return;
        }
        let removed = match (Mark { run_id, env: &self.place() }).is_of(&parent, name) {
            Ok(true) => parent.remove_all(name),
            Ok(false) => Err(io::Error::other("it has no mark of this environment, so it stays")),
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            log::warn!("cannot remove {}: {error}", path.display());
        }
    }

    /// `<workspace>/<key>`.
    fn place(&self) -> String {
        format!("{}/{}", self.env.workspace(), self.env.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_short_where_that_is_possible_and_writable_in_any_case() {
        let (short, long) = ("/r/w/k", "/workspaces/11111111-2222-4333-8444-555555abcdef/555555abcdef");
        let everywhere: fn(&Path) -> bool = |_| true;
        let no_tmp: fn(&Path) -> bool = |path| path != Path::new("/tmp");
        let nowhere: fn(&Path) -> bool = |_| false;
        let name = "execenv-0b6f7c1e-1111";
        for (env_root, base, tmpdir, is_writable, expected) in [
            (short, None, Some("/scratch"), everywhere, "/r/w/k/tmp".to_owned()),
            (short, Some("/base"), Some("/scratch"), nowhere, format!("/base/{name}")),
            (long, None, Some("/scratch"), everywhere, format!("/scratch/{name}")),
            (long, None, Some("/scratch"), no_tmp, format!("/scratch/{name}")),
            (long, None, Some("relative"), everywhere, format!("/tmp/{name}")),
            (long, None, None, everywhere, format!("/tmp/{name}")),
            (long, None, None, no_tmp, format!("{long}/tmp")),
            (long, None, Some("/scratch"), nowhere, format!("{long}/tmp")),
        ] {
            let places = TemporaryPlaces {
                env_root: Path::new(env_root),
                base: base.map(Path::new),
                tmpdir: tmpdir.map(Path::new),
                is_writable,
            };
            assert_eq!(
                places.choose("0b6f7c1e-1111-4111-8111-111111111111"),
                Path::new(&expected),
                "{env_root} {base:?} {tmpdir:?}"
            );
        }
    }
}
