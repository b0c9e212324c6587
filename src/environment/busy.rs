//! Locks that another process has: why, who, and the failure that says so.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::path::quoted;
use crate::failure::{self, Code, Failure};
use crate::layout::names;
use crate::sys::lock::{self, Holder, IfMissing, NotLocked, Share};
use crate::sys::tree::{FileKind, Tree};

/// The longest wait for a lock that its holders keep for moments only.
pub(super) const WAIT: Duration = Duration::from_secs(10);

/// Why an environment could not be locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Another process has the lock.
    ByOther,
    /// The file system refused: the state is unknown, so it counts as held (decision D7).
    Unknown(Unclear),
    /// There is no lock file, and none was to be made.
    NoLockFile,
    /// It has been moved away or replaced since it was opened.
    Moved,
}

/// Why it is not known whether an environment is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclear {
    why: String,
    hint: Option<&'static str>,
}

impl From<String> for Unclear {
    fn from(why: String) -> Unclear {
        Unclear { why, hint: None }
    }
}

impl From<io::Error> for Unclear {
    fn from(error: io::Error) -> Unclear {
        Unclear { why: error.to_string(), hint: failure::what_helps(&error) }
    }
}

impl From<NotLocked> for Held {
    fn from(why: NotLocked) -> Held {
        match why {
            NotLocked::Busy => Held::ByOther,
            NotLocked::Missing => Held::NoLockFile,
            NotLocked::Refused(error) | NotLocked::Failed(error) => Held::Unknown(error.into()),
        }
    }
}

/// The failure for an environment that is held.
pub(crate) fn busy(root: &Path, held: &Held) -> anyhow::Error {
    let (message, hint) = match held {
        Held::ByOther | Held::NoLockFile => {
            let holder = holder_of_env(root);
            let message = format!("{} is in use by a live process{}", root.display(), by(holder.as_ref()));
            let hint = "repeat the command when that has ended; or let it wait, with `--wait 10m` (`prepare`, `reuse`, `run`, `shell` and `cleanup` do)";
            (message, hint.to_owned())
        }
        Held::Moved => {
            (format!("{} has just been moved or replaced", root.display()), "try again".to_owned())
        }
        Held::Unknown(Unclear { why, hint }) => {
            (format!("cannot tell whether {} is in use: {why}", root.display()), what_helps(root, *hint))
        }
    };
    Failure::new(Code::EnvBusy, message).hint(hint).into()
}

/// Who has the lock of an environment, as far as the system tells.
pub(crate) fn holder_of_env(root: &Path) -> Option<Holder> {
    lock::holder(&Tree::open(root).ok()?, Path::new(names::LOCK))
}

/// What helps where an environment could not be locked: its lock may be another user's, or no file at all; else `against` the
/// error itself.
fn what_helps(root: &Path, against: Option<&str>) -> String {
    let lock = Path::new(names::LOCK);
    let Ok(tree) = Tree::open(root) else { return against.unwrap_or(LOCKS_MUST_WORK).to_owned() };
    if matches!(tree.kind(lock), Ok(Some(FileKind::Dir | FileKind::Link | FileKind::Other))) {
        let shown = quoted(&root.join(lock));
        return format!(
            "an agent has replaced the lock file. If nothing uses the environment any more, remove what is in its place: `rm \
             -r {shown}`"
        );
    }
    match tree.open_lock(lock, false) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => AS_ITS_OWNER,
        _ => against.unwrap_or(LOCKS_MUST_WORK),
    }
    .to_owned()
}

/// Why no process can lock an environment, and what helps; `None`: it can be locked, or a process has it, or it has no lock file.
pub(crate) fn cannot_lock(root: &Path) -> Option<(String, String)> {
    let tree = Tree::open(root).ok()?;
    match lock::try_lock(&tree, Path::new(names::LOCK), IfMissing::Fail, Share::Alone) {
        Err(NotLocked::Refused(error) | NotLocked::Failed(error)) => {
            let Unclear { why, hint } = error.into();
            Some((why, what_helps(root, hint)))
        }
        Ok(_) | Err(NotLocked::Busy | NotLocked::Missing) => None,
    }
}

/// What helps where the environment is another user's.
const AS_ITS_OWNER: &str = "it belongs to another user: repeat the command as that one";

/// What helps where the file system cannot lock.
const LOCKS_MUST_WORK: &str =
    "locks must work on the file system of the workspaces root: name another with `--workspaces-root`";

/// The failure for one of a root's own locks. What the file system cannot lock counts as held (decision D7).
pub(crate) fn root_busy(tree: &Tree, path: &Path, why: NotLocked) -> anyhow::Error {
    let shown = tree.path().join(path);
    match why {
        NotLocked::Busy => held_too_long(tree, path),
        NotLocked::Refused(error) => {
            let message = format!("cannot tell whether the lock {} is free: {error}", shown.display());
            Failure::new(Code::RootBusy, message).hint(LOCKS_MUST_WORK).into()
        }
        NotLocked::Missing | NotLocked::Failed(_) => {
            anyhow::Error::new(io::Error::from(why)).context(format!("lock {}", shown.display()))
        }
    }
}

/// The failure for a lock of a moment that stayed held for all of [`WAIT`].
pub(crate) fn held_too_long(tree: &Tree, path: &Path) -> anyhow::Error {
    let holder = lock::holder(tree, path);
    let message =
        format!("another process has the lock {}{}", tree.path().join(path).display(), by(holder.as_ref()));
    Failure::new(Code::RootBusy, message).hint("wait for it to end, then try again").into()
}

/// The holder of a lock, in brackets after its mention; empty if it is not known.
pub(crate) fn by(holder: Option<&Holder>) -> String {
    holder.map(|holder| format!(" ({holder})")).unwrap_or_default()
}
