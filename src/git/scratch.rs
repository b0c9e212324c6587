//! Folders of ours for one call to git, outside of every environment; those of killed processes are removed by the next one.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::repository::Repository;
use crate::sys::fault;
use crate::sys::tree::Tree;

/// In memory, where a full disk does not matter.
const IN_MEMORY: &str = "/dev/shm";
/// On the disk, without a TMPDIR.
const ON_DISK: &str = "/tmp";
/// Begins the name of such a folder.
const NAME: &str = "execenv-git-";
/// How many digits end it.
const TOKEN: usize = 16;

/// Where such a folder is made first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    /// In memory: what is small.
    Memory,
    /// On the disk: what may be large.
    Disk,
}

/// A private folder; gone with this.
#[derive(Debug)]
pub(super) struct Scratch {
    place: Tree,
    name: PathBuf,
    tree: Tree,
}

impl Scratch {
    /// The folder.
    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = self.place.remove_all(&self.name) {
            log::warn!("cannot remove {}: {error}", self.tree.path().display());
        }
    }
}

impl Repository<'_> {
    /// Makes such a folder.
    ///
    /// # Errors
    /// When there is no place for it.
    pub(super) fn scratch(&self, first: Where) -> Result<Scratch> {
        let token = &uuid::Uuid::new_v4().simple().to_string()[..TOKEN];
        let name = PathBuf::from(format!("{NAME}{token}"));
        let mut trouble = None;
        let wanted = self.variable("TMPDIR").map(PathBuf::from).filter(|path| path.is_absolute());
        let mut places: Vec<PathBuf> = wanted.into_iter().chain([ON_DISK.into()]).collect();
        places.insert(if first == Where::Memory { 0 } else { places.len() }, IN_MEMORY.into());
        for place in places {
            let made = Tree::open(&place).and_then(|tree| {
                tree.make_dir(&name, 0o700)?;
                let made = tree.plain_subtree(&name)?;
                // Another process may take it for a dead one's until it is locked.
                let is_ours = made.try_hold().unwrap_or(true) && made.is_at_its_path();
                fault::uncounted(|| sweep(&tree));
                match is_ours {
                    true => Ok((tree, made)),
                    false => Err(io::Error::other("another execenv has removed it")),
                }
            });
            match made {
                Ok((place, tree)) => return Ok(Scratch { place, name, tree }),
                Err(error) => {
                    trouble = Some(anyhow::Error::new(error).context(format!("in {}", place.display())));
                }
            }
        }
        Err(trouble.unwrap_or_else(|| anyhow::anyhow!("no place")))
            .context("make a folder for git, outside of the environment")
    }
}

/// Removes the folders of processes that were killed: no process has their locks.
fn sweep(place: &Tree) {
    for name in place.names(Path::new("")).unwrap_or_default() {
        let is_one = name
            .to_str()
            .and_then(|name| name.strip_prefix(NAME))
            .is_some_and(|token| token.len() == TOKEN && token.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let name = Path::new(&name);
        let Some(folder) = is_one.then(|| place.plain_subtree(name).ok()).flatten() else { continue };
        if matches!((folder.is_private(), folder.try_hold()), (Ok(true), Ok(true))) {
            match place.remove_all(name) {
                Ok(()) => log::debug!("removed {}, which a killed process had left", folder.path().display()),
                Err(error) => log::debug!("remove {}: {error}", folder.path().display()),
            }
        }
    }
}
