//! Processes of the tests: the programs built with them, and waiting for what another process does.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A program of `tests/support` that Cargo builds with the tests.
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is built with the tests", path.display());
    path
}

/// Whether the process has ended; a zombie has.
pub fn is_gone(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.rsplit(") ").next().unwrap().starts_with('Z'))
}

/// Waits until no process holds a lock. It is released by its own call: a program that another test starts in this moment has a
/// duplicate of the handle for an instant, and would hold it with that.
#[track_caller]
pub fn wait_until_free(lock: &Path) {
    let lock = std::fs::File::open(lock).unwrap();
    wait_until("the lock", || lock.try_lock().ok());
    lock.unlock().unwrap();
}

/// Polls until `look` finds something, for a minute at most.
#[track_caller]
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < limit, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
