//! Crash and failure injection for the tests; release builds do not contain it.
//!
//! `EXECENV_TEST_CRASH_AT=N` kills the process (SIGKILL: no destructor, no handler) just before its Nth change to
//! the disk; `EXECENV_TEST_STOP_AT=N` stops it there (SIGSTOP), so that a test can look at the disk;
//! `EXECENV_TEST_FAIL_AT=N:ENOSPC` lets the Nth change fail. `EXECENV_TEST_COUNT=FILE` appends a line with the process id to
//! FILE for each change, so that a test knows how many there are. `EXECENV_TEST_NO_LANDLOCK=1` makes the system look like one
//! that cannot confine a process. `EXECENV_TEST_SILENT=FOLDER` makes that folder one on a mount that never answers a question about a path
//! that another program wrote. `EXECENV_TEST_OPENS=1` counts each folder that is opened by its path as a change: what stood
//! there may be another folder by then.

use std::io;

/// Announces a change to the disk.
///
/// # Errors
/// The error that a test asked for at this step; never in a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub fn step() -> io::Result<()> {
    Ok(())
}

/// Announces a change to the disk.
///
/// # Errors
/// The error that a test asked for at this step; never in a release build.
#[cfg(debug_assertions)]
pub fn step() -> io::Result<()> {
    #[cfg(test)]
    dying::step()?;
    injected::step()
}

/// Announces that a folder is opened by its path.
///
/// # Errors
/// The error that a test asked for at this step; never in a release build.
#[inline]
pub(super) fn opening() -> io::Result<()> {
    #[cfg(debug_assertions)]
    if injected::counts_opens() {
        return injected::step();
    }
    Ok(())
}

/// Does what differs from one start to the next, such as to remove what other processes have left: a test that counts
/// changes does not count it.
pub(crate) fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(debug_assertions)]
    return injected::uncounted(work);
    #[cfg(not(debug_assertions))]
    work()
}

/// How long a test lets git have for one environment; never in a release build.
pub(crate) fn patience() -> Option<std::time::Duration> {
    #[cfg(debug_assertions)]
    return injected::patience();
    #[cfg(not(debug_assertions))]
    None
}

/// Whether a test lets a path be on a mount that never answers; never in a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub(super) fn is_silent(_: &std::path::Path) -> bool {
    false
}

/// Whether a test lets a path be on a mount that never answers; never in a release build.
#[cfg(debug_assertions)]
pub(super) fn is_silent(path: &std::path::Path) -> bool {
    injected::is_silent(path)
}

/// Whether a test asked for a system without Landlock; never in a release build.
#[cfg(target_os = "linux")]
pub(super) fn is_without_landlock() -> bool {
    #[cfg(debug_assertions)]
    return injected::is_without_landlock();
    #[cfg(not(debug_assertions))]
    false
}

/// The error with which a test lets a file system refuse one of its optional calls; never in a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub(super) fn refused(_: &str) -> Option<rustix::io::Errno> {
    None
}

/// The error with which a test lets a file system refuse one of its optional calls; never in a release build.
#[cfg(debug_assertions)]
pub(super) fn refused(call: &str) -> Option<rustix::io::Errno> {
    injected::refused(call)
}

/// Simulates a crash in a unit test without a child process: from a step on, no change by this thread reaches the disk.
#[cfg(test)]
pub(crate) mod dying {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// From the `step`th change on (1 is the next one), none is made; `None`: alive again.
    pub(crate) fn at(step: Option<u64>) {
        LEFT.set(step);
    }

    pub(super) fn step() -> io::Result<()> {
        match LEFT.get() {
            None => Ok(()),
            Some(0 | 1) => {
                LEFT.set(Some(0));
                Err(io::Error::other("dead"))
            }
            Some(left) => {
                LEFT.set(Some(left - 1));
                Ok(())
            }
        }
    }
}

#[cfg(debug_assertions)]
mod injected {
    use std::cell::Cell;
    use std::fs::{File, OpenOptions};
    use std::io::{self, Write};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::io::Errno;
    use rustix::process::{Signal, getpid, kill_process};

    static COUNT: AtomicU64 = AtomicU64::new(0);
    static PLAN: OnceLock<Plan> = OnceLock::new();

    thread_local! {
        static UNCOUNTED: Cell<bool> = const { Cell::new(false) };
    }

    pub(super) fn uncounted<T>(work: impl FnOnce() -> T) -> T {
        UNCOUNTED.set(true);
        let done = work();
        UNCOUNTED.set(false);
        done
    }

    #[derive(Default)]
    struct Plan {
        crash_at: Option<u64>,
        stop_at: Option<u64>,
        fail_at: Option<(u64, Errno)>,
        refused: Vec<(String, Errno)>,
        count: Option<File>,
        no_landlock: bool,
        opens: bool,
        patience: Option<std::time::Duration>,
        silent: Option<std::path::PathBuf>,
    }

    #[expect(clippy::disallowed_methods, reason = "a hook of the tests, outside of the settings on purpose")]
    fn plan() -> Plan {
        let number = |text: &str| text.parse::<u64>().ok();
        let crash_at = std::env::var("EXECENV_TEST_CRASH_AT").ok().as_deref().and_then(number);
        let stop_at = std::env::var("EXECENV_TEST_STOP_AT").ok().as_deref().and_then(number);
        let fail_at = std::env::var("EXECENV_TEST_FAIL_AT").ok().and_then(|text| {
            let (at, name) = text.split_once(':')?;
            Some((number(at)?, errno(name)?))
        });
        let refused = std::env::var("EXECENV_TEST_REFUSE").unwrap_or_default();
        let refused = refused.split(',').filter_map(|text| {
            let (call, name) = text.split_once(':')?;
            Some((call.to_owned(), errno(name)?))
        });
        let refused = refused.collect();
        let count = std::env::var_os("EXECENV_TEST_COUNT").map(|path| {
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .expect("a test names a file that it may write")
        });
        let no_landlock = std::env::var_os("EXECENV_TEST_NO_LANDLOCK").is_some();
        let patience = std::env::var("EXECENV_TEST_PATIENCE").ok().as_deref().and_then(number);
        let patience = patience.map(std::time::Duration::from_secs);
        let opens = std::env::var_os("EXECENV_TEST_OPENS").is_some();
        let silent = std::env::var_os("EXECENV_TEST_SILENT").map(Into::into);
        Plan { crash_at, stop_at, fail_at, refused, count, no_landlock, opens, patience, silent }
    }

    fn errno(name: &str) -> Option<Errno> {
        Some(match name {
            "ENOSPC" => Errno::NOSPC,
            "EACCES" => Errno::ACCESS,
            "EDQUOT" => Errno::DQUOT,
            "EIO" => Errno::IO,
            "EROFS" => Errno::ROFS,
            "EMFILE" => Errno::MFILE,
            "EINVAL" => Errno::INVAL,
            "ENOSYS" => Errno::NOSYS,
            "EPERM" => Errno::PERM,
            "ENOTSUP" => Errno::NOTSUP,
            _ => return None,
        })
    }

    pub(super) fn refused(call: &str) -> Option<Errno> {
        let plan = PLAN.get_or_init(plan);
        plan.refused.iter().find(|(name, _)| name == call).map(|(_, errno)| *errno)
    }

    #[cfg(target_os = "linux")]
    pub(super) fn is_without_landlock() -> bool {
        PLAN.get_or_init(plan).no_landlock
    }

    pub(super) fn patience() -> Option<std::time::Duration> {
        PLAN.get_or_init(plan).patience
    }

    pub(super) fn is_silent(path: &std::path::Path) -> bool {
        PLAN.get_or_init(plan).silent.as_ref().is_some_and(|silent| path.starts_with(silent))
    }

    pub(super) fn counts_opens() -> bool {
        PLAN.get_or_init(plan).opens
    }

    pub(super) fn step() -> io::Result<()> {
        if UNCOUNTED.get() {
            return Ok(());
        }
        let plan = PLAN.get_or_init(plan);
        let count = COUNT.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(mut file) = plan.count.as_ref() {
            writeln!(file, "{}", std::process::id())?;
        }
        if plan.crash_at == Some(count) {
            let _ = kill_process(getpid(), Signal::KILL);
        }
        if plan.stop_at == Some(count) {
            let _ = kill_process(getpid(), Signal::STOP);
        }
        match plan.fail_at {
            Some((at, errno)) if at == count => Err(errno.into()),
            _ => Ok(()),
        }
    }
}
