//! Keeps multica's collector away from an environment while a run is on (decision D41).
//!
//! That collector knows no lock of ours. It judges an environment without a known parent by the age of its folder, so a
//! run sets the folder's time to the future, and again before that time comes.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::sys::tree::Tree;

/// How far ahead the time of the folder is.
const AHEAD: Duration = Duration::from_secs(24 * 3600);
/// How often it is set.
const EVERY: Duration = Duration::from_secs(600);

/// Sets the time of an env root until this is dropped.
#[derive(Debug)]
pub(super) struct Renewal {
    clock: Clock,
    _stop: Option<Sender<()>>,
}

impl Renewal {
    /// Begins; `now` is the present time. Without a thread, only [`Renewal::renew`] sets the time.
    pub(super) fn begin(env_root: &Tree, now: DateTime<Utc>) -> Renewal {
        let clock = Clock { begun: now, since: Instant::now() };
        let (stop, stopped) = channel::<()>();
        let started = env_root.try_clone().and_then(|tree| {
            let work = move || {
                while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                    clock.renew(&tree);
                }
            };
            thread::Builder::new().name("renewal".into()).stack_size(64 << 10).spawn(work)
        });
        if let Err(error) = &started {
            log::debug!("renew the time of {}: {error}", env_root.path().display());
        }
        Renewal { clock, _stop: started.is_ok().then_some(stop) }
    }

    /// Sets the time now, after a change in the folder has.
    pub(super) fn renew(&self, env_root: &Tree) {
        self.clock.renew(env_root);
    }
}

#[derive(Clone, Copy, Debug)]
struct Clock {
    begun: DateTime<Utc>,
    since: Instant,
}

impl Clock {
    fn renew(self, env_root: &Tree) {
        let until = self.begun + self.since.elapsed() + AHEAD;
        if let Err(error) = env_root.set_modified(until.into()) {
            log::debug!("set the time of {}: {error}", env_root.path().display());
        }
    }
}
