//! Clones that are being made, and what a killed `clone` has left: a folder beside the place of the clone.
//!
//! Its path is noted in the workspaces root first, where `doctor` finds it. Whoever could write the note could name any folder: only
//! one with the name of such a clone counts, which no process has locked.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::environment::root_lock;
use crate::layout::names;
use crate::sys::silent;
use crate::sys::tree::Tree;

/// Begins the name of a clone that is being made, beside its place.
const MAKING: &str = ".execenv-clone-";
/// How many digits follow.
const TOKEN: usize = 12;
/// The longest note that is read, in bytes.
const MOST_OF_A_NOTE: u64 = 16 << 10;

/// The folder in which a clone is made, noted in the workspaces root; the note goes with this.
#[derive(Debug)]
pub(super) struct Making {
    /// Its name.
    pub(super) name: PathBuf,
    note: Option<(Tree, PathBuf)>,
}

impl Making {
    /// Notes a new folder in `above`, which is not there yet. Where nothing can be noted, the clone is made all the same.
    pub(super) fn begin(above: &Tree, root: &Path) -> Making {
        let token = &uuid::Uuid::new_v4().simple().to_string()[..TOKEN];
        let name = PathBuf::from(format!("{MAKING}{token}"));
        let place = above.path().join(&name);
        let note = || -> Result<(Tree, PathBuf)> {
            let root = Tree::open(root)?;
            let note = root_lock(&root, &format!("{}{token}", names::CLONE_NOTE))?;
            root.create_unseen(&note, place.as_os_str().as_bytes(), 0o600)?;
            Ok((root, note))
        };
        let note = note().map_err(|error| log::debug!("note {}: {error:#}", place.display())).ok();
        Making { name, note }
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if let Some((root, note)) = &self.note
            && let Err(error) = root.remove_file(note)
        {
            log::debug!("remove {}: {error}", root.path().join(note).display());
        }
    }
}

/// Whether a name is that of a clone that is being made.
fn is_making(name: &OsStr) -> bool {
    let token = name.to_str().and_then(|name| name.strip_prefix(MAKING));
    token.is_some_and(|token| token.len() == TOKEN && token.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Removes what killed clones have left in a folder: no process has it locked.
pub(super) fn sweep(above: &Tree) {
    for name in above.names(Path::new("")).unwrap_or_default().into_iter().filter(|name| is_making(name)) {
        if is_left(above, &name)
            && let Err(error) = above.remove_all(Path::new(&name))
        {
            log::debug!("remove {}: {error}", above.path().join(name).display());
        }
    }
}

fn is_left(above: &Tree, name: &OsString) -> bool {
    above.plain_subtree(Path::new(name)).is_ok_and(|folder| folder.try_hold().is_ok_and(|free| free))
}

/// Finds what killed clones of this root's environments have left, and with `fix` removes it.
///
/// # Errors
/// When the notes cannot be listed.
pub fn left_clones(root: &Tree, fix: bool) -> Result<Vec<(PathBuf, Option<Result<()>>)>> {
    let locks = match root.plain_subtree(Path::new(names::LOCKS)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        locks => locks.context("open the folder of locks")?,
    };
    let mut found = Vec::new();
    for note in locks.names(Path::new("")).context("list the locks")? {
        if !note.as_encoded_bytes().starts_with(names::CLONE_NOTE.as_bytes()) {
            continue;
        }
        let note = Path::new(&note);
        let Ok(Some(place)) = locks.read(note, MOST_OF_A_NOTE) else { continue };
        let place = PathBuf::from(OsStr::from_bytes(&place));
        let name = place.file_name().filter(|name| is_making(name)).map(OsStr::to_owned);
        let above = place.parent().filter(|above| above.is_absolute());
        let (Some(name), Some(above)) = (name, above) else { continue };
        let Some(is_there) = silent::is_dir(&place) else { continue };
        if !is_there {
            // It got its place, or was never begun: the note is of no use.
            if fix && let Err(error) = locks.remove_file(note) {
                log::debug!("remove {}: {error}", locks.path().join(note).display());
            }
            continue;
        }
        let Ok(above) = Tree::open(above) else { continue };
        if !is_left(&above, &name) {
            continue;
        }
        let removing = || format!("remove {}", place.display());
        let removed = fix.then(|| {
            above.remove_all(Path::new(&name)).and_then(|()| locks.remove_file(note)).with_context(removing)
        });
        found.push((place, removed));
    }
    Ok(found)
}
