//! How far a long step has come: counted by whoever does it, read by whoever shows it. It decides nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The counts of a command. They may be changed from several threads.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    bytes: AtomicU64,
    is_shown: AtomicBool,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    all: Option<u64>,
    what: &'static str,
    bytes_are: &'static str,
    step: String,
}

/// What is known at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many are done.
    pub done: u64,
    /// Of how many, where that is known.
    pub all: Option<u64>,
    /// What is counted, as a plural; empty: nothing is.
    pub what: &'static str,
    /// How many bytes there were.
    pub bytes: u64,
    /// What has become of them: `reclaimed`, `measured`.
    pub bytes_are: &'static str,
    /// What is done right now; empty where it is not known.
    pub step: String,
}

impl Progress {
    /// So many of these will be counted, or an unknown number; none is done yet.
    pub fn expect(&self, all: Option<u64>, what: &'static str) {
        self.done.store(0, Ordering::Relaxed);
        let mut told = self.told();
        (told.all, told.what) = (all, what);
    }

    /// One more is done.
    pub fn count(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// So many bytes more are `reclaimed`, `measured` …
    pub fn add_bytes(&self, bytes: u64, are: &'static str) {
        if bytes > 0 {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
            self.told().bytes_are = are;
        }
    }

    /// What is done now.
    pub fn step(&self, step: impl Into<String>) {
        self.told().step = step.into();
    }

    /// Says that it is shown, so that what takes work to find out is worth it.
    pub fn show(&self) {
        self.is_shown.store(true, Ordering::Relaxed);
    }

    /// Whether it is shown.
    pub fn is_shown(&self) -> bool {
        self.is_shown.load(Ordering::Relaxed)
    }

    /// What is known now.
    pub fn seen(&self) -> Seen {
        let told = self.told();
        Seen {
            done: self.done.load(Ordering::Relaxed),
            all: told.all,
            what: told.what,
            bytes: self.bytes.load(Ordering::Relaxed),
            bytes_are: told.bytes_are,
            step: told.step.clone(),
        }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
