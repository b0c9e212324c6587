//! The private folder of a run outside of its env root: its name, its mark, and what removes it when no run has it any more.
//!
//! The record names the folder until the next run begins. Where several machines work on one root, another one may have
//! recorded that the run died, and the folder on this machine is named nowhere. So a run also holds a lock on its folder, and
//! a folder whose mark speaks of that lock and that can be locked has no run.

use std::io;
use std::path::{Path, PathBuf};

use crate::layout::names;
use crate::sys::fault;
use crate::sys::mounts::{Reach, mount_of};
use crate::sys::silent;
use crate::sys::tree::{FileKind, Tree};

const PREFIX: &str = "execenv-";
/// The second line of the mark of a folder that its run has locked.
const LOCKED: &str = "locked\n";
/// The largest mark that is read, in bytes.
const MAX_MARK: u64 = 4 << 10;

/// The name of a run's folder: it contains the start of the run's id.
pub(super) fn folder_name(run_id: &str) -> String {
    format!("{PREFIX}{}", run_id.get(..13).unwrap_or(run_id))
}

/// Which run of which environment has a folder, as its mark says.
pub(super) struct Mark<'a> {
    pub(super) run_id: &'a str,
    /// `<workspace>/<key>`.
    pub(super) env: &'a str,
}

impl Mark<'_> {
    fn text(&self) -> String {
        format!("{} {}\n", self.run_id, self.env)
    }

    /// Makes the folder `name`, and returns it; dropping that ends the lock.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn make(&self, parent: &Tree, name: &Path) -> io::Result<Tree> {
        parent.make_dir(name, 0o700)?;
        let folder = parent.subtree(name)?;
        let is_locked = folder.try_hold().unwrap_or(false);
        let text = format!("{}{}", self.text(), if is_locked { LOCKED } else { "" });
        folder.create_unseen(Path::new(names::RUN_MARK), text.as_bytes(), 0o600)?;
        fault::uncounted(|| sweep_place(parent));
        Ok(folder)
    }

    /// Whether a folder is private to this user and has this mark.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn is_of(&self, parent: &Tree, name: &Path) -> io::Result<bool> {
        let folder = parent.subtree(name)?;
        if !folder.is_private()? {
            return Ok(false);
        }
        match folder.read(Path::new(names::RUN_MARK), MAX_MARK)?.as_deref() {
            // Its maker died before the mark was whole: nothing of value is in it then.
            None | Some(b"") => Ok(folder.names(Path::new(""))?.iter().all(|name| name == names::RUN_MARK)),
            Some(mark) => {
                let text = self.text();
                Ok(mark
                    .strip_prefix(text.as_bytes())
                    .is_some_and(|rest| rest.is_empty() || rest == LOCKED.as_bytes()))
            }
        }
    }
}

/// Removes the folders of dead runs from these places. One that cannot be removed stays, and is named in the log.
pub fn sweep_run_folders(places: &[PathBuf]) {
    for place in places.iter().filter(|place| silent::is_dir(place) == Some(true)) {
        if let Ok(place) = Tree::open(place) {
            fault::uncounted(|| sweep_place(&place));
        }
    }
}

fn sweep_place(place: &Tree) {
    for name in place.names(Path::new("")).unwrap_or_default() {
        let path = place.path().join(&name);
        let name = Path::new(&name);
        if !is_dead(place, name).unwrap_or(false) {
            continue;
        }
        match place.remove_all(name) {
            Ok(()) => log::info!("removed {}, which a dead run had left", path.display()),
            Err(error) => log::debug!("remove {}: {error}", path.display()),
        }
    }
}

/// Whether it is the folder of a run that is not alive.
fn is_dead(place: &Tree, name: &Path) -> io::Result<bool> {
    let is_named = name.to_str().is_some_and(|name| name.starts_with(PREFIX));
    if !is_named || place.kind(name)? != Some(FileKind::Dir) {
        return Ok(false);
    }
    let folder = place.plain_subtree(name)?;
    if !folder.is_private()? {
        return Ok(false);
    }
    let mark = folder.read(Path::new(names::RUN_MARK), MAX_MARK)?.unwrap_or_default();
    let mark = String::from_utf8(mark).unwrap_or_default();
    // A run of another machine would not show where locks do not reach it.
    Ok(speaks_of_lock(&mark, name) && mount_of(&folder)?.reach != Reach::ThisMachine && folder.try_hold()?)
}

/// Whether a mark says that the run which this folder is named after has locked it.
fn speaks_of_lock(mark: &str, name: &Path) -> bool {
    let Some((run, rest)) = mark.split_once('\n') else { return false };
    let id = run.split(' ').next().unwrap_or_default();
    rest == LOCKED && uuid::Uuid::try_parse(id).is_ok() && name.as_os_str() == folder_name(id).as_str()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]

    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ID: &str = "12345678-1234-4123-8123-123456789012";

    #[test]
    fn only_a_folder_that_a_run_has_locked_and_that_is_free_is_swept() {
        for (what, name, mark, mode, goes) in [
            ("a dead run's", "execenv-12345678-1234", format!("{ID} w/k\nlocked\n"), 0o700, true),
            ("of an older release", "execenv-12345678-1234", format!("{ID} w/k\n"), 0o700, false),
            ("another run's name", "execenv-12345678-9999", format!("{ID} w/k\nlocked\n"), 0o700, false),
            ("another program's", "execenv-something", "x".to_owned(), 0o700, false),
            ("open to others", "execenv-12345678-1234", format!("{ID} w/k\nlocked\n"), 0o755, false),
        ] {
            let tmp = tempfile::tempdir().unwrap();
            let folder = tmp.path().join(name);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join(".execenv-run"), mark).unwrap();
            fs::set_permissions(&folder, PermissionsExt::from_mode(mode)).unwrap();
            sweep_run_folders(&[tmp.path().to_owned(), tmp.path().join("missing")]);
            assert_eq!(!folder.exists(), goes, "{what}");
        }
    }

    #[test]
    fn a_folder_stays_while_its_run_holds_it_and_the_next_run_removes_it() {
        let tmp = tempfile::tempdir().unwrap();
        let place = Tree::open(tmp.path()).unwrap();
        let (one, other) = (folder_name(ID), folder_name("87654321-1234-4123-8123-123456789012"));
        let mark = Mark { run_id: ID, env: "w/k" };
        let held = mark.make(&place, Path::new(&one)).unwrap();
        assert!(mark.is_of(&place, Path::new(&one)).unwrap());
        sweep_run_folders(&[tmp.path().to_owned()]);
        assert!(tmp.path().join(&one).exists());
        drop(held);
        let next = Mark { run_id: "87654321-1234-4123-8123-123456789012", env: "w/k" };
        let _held = next.make(&place, Path::new(&other)).unwrap();
        // A process that another test is just starting has a duplicate of the lock until its program begins.
        for _ in 0..100 {
            sweep_run_folders(&[tmp.path().to_owned()]);
            if !tmp.path().join(&one).exists() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert!(!tmp.path().join(&one).exists() && tmp.path().join(&other).exists());
    }
}
