//! The short lock for what is done to an environment's repository beside a run.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::environment::EnvRoot;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sys::lock::{FileLock, IfMissing, NotLocked, Share, holder, lock_within};

/// The longest wait. Its holders keep it for one commit.
const WAIT: Duration = Duration::from_secs(10);

/// Held while one command or one heartbeat of a run makes commits or moves refs in the repository of an environment. It
/// says nothing about the working files: those belong to whoever has the lock on the environment.
#[derive(Debug)]
pub struct GitLock {
    _held: FileLock,
}

impl GitLock {
    /// Takes it, after a wait of at most 10 s.
    ///
    /// # Errors
    /// A [`Code::EnvBusy`] failure that names the holder; as the system reports it.
    pub fn acquire(env: &EnvRoot) -> Result<GitLock> {
        let name = Path::new(names::GIT_LOCK);
        match lock_within(&env.tree, name, IfMissing::Create, Share::Alone, WAIT, &|| false) {
            Ok(lock) => Ok(GitLock { _held: lock }),
            Err(NotLocked::Busy) => {
                let by = holder(&env.tree, name).map(|holder| format!(" ({holder})")).unwrap_or_default();
                let path = env.path.display();
                let message = format!("another process is at work on the repository of {path}{by}");
                Err(Failure::new(Code::EnvBusy, message).hint("wait for it to end, then try again").into())
            }
            Err(why) => {
                let error = std::io::Error::from(why);
                Err(anyhow::Error::new(error)
                    .context(format!("lock {}", env.path.join(names::GIT_LOCK).display())))
            }
        }
    }
}
