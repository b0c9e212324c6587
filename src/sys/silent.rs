//! Questions about paths that other programs wrote. An agent can name any path in its state files, and a mount behind one
//! may never answer: an automount whose server is down, a FUSE program that hangs.
//!
//! So each question is asked in a thread of its own, with a limit. A mount that did not answer is not asked again by this
//! process, and reported once.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::fault;
use super::mount_points::mount_above;

/// How long a question may take. A folder that is in use is mounted, and answers within milliseconds.
const LIMIT: Duration = Duration::from_secs(2);

/// Mounts, and single paths below none, that did not answer.
static SILENT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// The path with every link resolved; `None`: it leads nowhere, or it does not answer.
pub fn resolve(path: &Path) -> Option<PathBuf> {
    ask(path, |path| path.canonicalize().ok())?
}

/// Whether two paths lead to one folder; not where one of them does not answer.
pub fn is_one_path(one: &Path, other: &Path) -> bool {
    one == other || resolve(one).is_some_and(|one| resolve(other) == Some(one))
}

/// Whether something is at a path, behind its links; `None`: it does not answer.
pub fn is_there(path: &Path) -> Option<bool> {
    ask(path, Path::exists)
}

/// Whether a path leads to a folder; `None`: it does not answer.
pub fn is_dir(path: &Path) -> Option<bool> {
    ask(path, Path::is_dir)
}

/// Device and inode of what a path leads to; the inner `None`: nothing is there, the outer one: it does not answer.
pub fn identity(path: &Path) -> Option<Option<(u64, u64)>> {
    ask(path, |path| path.metadata().ok().map(|there| (there.dev(), there.ino())))
}

/// Whether nothing is certainly at a path. A disk that does not answer proves nothing.
pub fn is_missing(path: &Path) -> bool {
    let look =
        |path: &Path| path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    ask(path, look).unwrap_or(false)
}

fn ask<T: Send + 'static>(path: &Path, question: fn(&Path) -> T) -> Option<T> {
    let known = || SILENT.lock().unwrap_or_else(PoisonError::into_inner);
    if known().iter().any(|silent| path.starts_with(silent)) {
        return None;
    }
    let (answer, answers) = channel();
    let asked = path.to_owned();
    let thread = std::thread::Builder::new().name("look".to_owned()).spawn(move || {
        if !fault::is_silent(&asked) {
            let _ = answer.send(question(&asked)); // whoever asked may have given up
        }
    });
    if thread.is_err() {
        return Some(question(path)); // the system gives no more threads
    }
    if let Ok(answered) = answers.recv_timeout(LIMIT) {
        return Some(answered);
    }
    let silent = mount_above(path).unwrap_or_else(|| path.to_owned());
    log::warn!("{} does not answer, so nothing is known of what lies there", silent.display());
    known().push(silent);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answers_is_told_apart() {
        let tmp = tempfile::tempdir().unwrap();
        let real = tmp.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(&real, real.join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", real.join("dangling")).unwrap();
        assert_eq!(resolve(&real.join("link")), Some(real.clone()));
        assert!(is_one_path(&real.join("link"), &real) && !is_one_path(&real.join("dangling"), &real));
        let rows =
            [("link", true, true, false), ("dangling", false, false, false), ("no", false, false, true)];
        for (name, there, dir, missing) in rows {
            let path = real.join(name);
            assert_eq!(
                (is_there(&path), is_dir(&path), is_missing(&path)),
                (Some(there), Some(dir), missing),
                "{name}"
            );
        }
    }
}
