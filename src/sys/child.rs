//! The one place that starts a child process.
//!
//! Every child leads a process group of its own, so that a signal meant for it reaches what it started as well,
//! and a Ctrl-C in the terminal does not reach it behind our back. Its environment is exactly what is passed in.

mod bound;
mod capture;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};

pub use bound::{become_program, bound, start_itself};
pub use capture::{
    Captured, Cut, MOST_CAPTURED, Overheard, Sink, Streams, capture, capture_unless, exchange,
};

/// What to start, with which arguments, folder and environment.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// The program; absolute, because a relative path would be looked up after the change of directory.
    pub path: &'a Path,
    /// Its arguments, without the program's own name.
    pub args: &'a [OsString],
    /// Where it runs; `None`: where we are, or `/` if this folder has been deleted, in which many programs do not start.
    pub dir: Option<&'a Path>,
    /// Its whole environment.
    pub env: &'a [(OsString, OsString)],
}

/// Starts a child as the leader of a new process group.
///
/// # Errors
/// The kernel's error for `execve` or for the change of directory.
pub fn start(program: Program<'_>, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> io::Result<Child> {
    let mut command = command(program);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    spawn(command.stdin(stdin).stdout(stdout).stderr(stderr))
}

/// Starts a child in a process group that is there.
///
/// # Errors
/// As [`start`]; where the group is gone, or of another session.
pub fn start_in_group(
    program: Program<'_>,
    group: i32,
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
) -> io::Result<Child> {
    let mut command = command(program);
    std::os::unix::process::CommandExt::process_group(&mut command, group);
    spawn(command.stdin(stdin).stdout(stdout).stderr(stderr))
}

/// A program that is just being written cannot be started: it is tried for so often, with a pause in between. Who updates a CLI is done
/// soon; and a process that another thread of this one has just made still has the file open for a moment.
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

fn spawn(command: &mut Command) -> io::Result<Child> {
    for _ in 1..TRIES {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(BETWEEN_TRIES)
            }
            started => return started,
        }
    }
    command.spawn()
}

/// As [`start`], with a limit on the memory that the child, and each process that it starts, may allocate. It is the memory
/// that counts: address space that a runtime only reserves does not.
///
/// The child inherits the limit, so that it has it before its first instruction: this process has it too for that moment.
///
/// # Errors
/// As [`start`]; always on a system that does not keep such a limit.
pub fn start_limited(
    program: Program<'_>,
    memory: Option<u64>,
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
) -> io::Result<Child> {
    limited(memory, || start(program, stdin, stdout, stderr))
}

/// Starts a child with a limit on its memory.
fn limited(memory: Option<u64>, start: impl FnOnce() -> io::Result<Child>) -> io::Result<Child> {
    let Some(bytes) = memory else { return start() };
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, prlimit, setrlimit};
        let before = getrlimit(Resource::Data);
        let bytes = before.maximum.map_or(bytes, |most| most.min(bytes));
        setrlimit(Resource::Data, Rlimit { current: Some(bytes), ..before })?;
        let child = start();
        setrlimit(Resource::Data, before)?;
        if let Ok(child) = &child {
            // Nor can it lift the limit.
            let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
            let _ = prlimit(Some(pid(child)), Resource::Data, limit); // it may have ended
        }
        child
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (bytes, start);
        Err(io::Error::new(io::ErrorKind::Unsupported, "this system keeps no limit on a process's memory"))
    }
}

/// Runs a child with this process's streams, and waits for it. It stays in this process group, so Ctrl-C reaches both.
///
/// # Errors
/// The kernel's error for `execve`.
pub fn run_inherited(program: Program<'_>) -> io::Result<std::process::ExitStatus> {
    command(program).status()
}

/// The same with `input` as the child's standard input.
///
/// # Errors
/// The kernel's error for `execve`. A child that stops reading early is none.
pub fn run_with_input(program: Program<'_>, input: &[u8]) -> io::Result<std::process::ExitStatus> {
    let mut child = command(program).stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input);
    }
    child.wait()
}

fn command(program: Program<'_>) -> Command {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let mut command = Command::new(program.path);
    command.args(program.args).env_clear().envs(program.env.iter().map(|(name, value)| (name, value)));
    let here_is_gone = || std::env::current_dir().is_err().then(|| Path::new("/"));
    if let Some(dir) = program.dir.or_else(here_is_gone) {
        command.current_dir(dir);
    }
    command
}

/// The child's process id, which is its group's id, too.
pub fn pid(child: &Child) -> Pid {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child's id is positive")
}

/// Waits for the end of a child of this process, and reaps it. One that is no child of it is gone already.
pub fn reap(pid: Pid) {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let _ = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED));
}

/// Waits until a child has ended, without reaping it, but no longer than `most`; where the system has no handle of a process that
/// tells, for all of that time.
pub fn await_end(child: &Child, most: Duration) {
    #[cfg(target_os = "linux")]
    {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        use rustix::process::{PidfdFlags, pidfd_open};
        let handle = pidfd_open(pid(child), PidfdFlags::empty());
        if let (Ok(handle), Ok(most)) = (handle, Timespec::try_from(most)) {
            let _ = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&most)); // at worst the caller looks too early
            return;
        }
    }
    std::thread::sleep(most);
}

/// Sends a signal to a whole group. A group that is gone is no error. Number 1 is refused: the kernel would take it for every
/// process there is.
pub fn signal_group(group: Pid, signal: Signal) {
    if group.is_init() {
        log::error!("signal {signal:?} for the group of process 1 is not sent");
        return;
    }
    if let Err(error) = rustix::process::kill_process_group(group, signal)
        && error != rustix::io::Errno::SRCH
    {
        log::debug!("signal {signal:?} to group {group:?}: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_program_that_is_just_being_written_is_started_when_it_is_done() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("program");
        std::fs::copy("/bin/true", &path).unwrap();
        let writer = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        let begun = Instant::now();
        let held = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(60));
            drop(writer);
        });
        let program = Program { path: &path, args: &[], dir: None, env: &[] };
        let mut child = start(program, Stdio::null(), Stdio::null(), Stdio::null()).unwrap();
        assert!(child.wait().unwrap().success());
        held.join().unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(50), "it was not held");
    }
}
