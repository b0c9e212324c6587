//! The one place that starts a child process.
//!
//! Every child leads a process group of its own, so that a signal meant for it reaches what it started as well,
//! and a Ctrl-C in the terminal does not reach it behind our back. Its environment is exactly what is passed in.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// What to start, and with which surroundings.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// The program; absolute, because a relative path would be looked up after the change of directory.
    pub path: &'a Path,
    /// Its arguments, without the program's own name.
    pub args: &'a [OsString],
    /// Where it runs; `None`: where we are.
    pub dir: Option<&'a Path>,
    /// Its whole environment.
    pub env: &'a [(OsString, OsString)],
}

/// Starts a child as the leader of a new process group.
///
/// # Errors
/// What the kernel says of `execve` or of the change of directory.
pub fn start(program: Program<'_>, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> io::Result<Child> {
    let mut command = command(program);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.stdin(stdin).stdout(stdout).stderr(stderr).spawn()
}

/// Runs a child of our own kind on our own streams, and waits for it. It stays in our group: Ctrl-C is for both.
///
/// # Errors
/// What the kernel says of `execve`.
pub fn run_inherited(program: Program<'_>) -> io::Result<std::process::ExitStatus> {
    command(program).status()
}

/// What a child that was waited for has said.
#[derive(Debug)]
pub struct Captured {
    /// How it ended.
    pub status: std::process::ExitStatus,
    /// Its standard output, at most [`MOST_CAPTURED`] bytes.
    pub stdout: Vec<u8>,
    /// Its standard error, as much.
    pub stderr: Vec<u8>,
}

/// The most that is kept of a stream.
pub const MOST_CAPTURED: u64 = 16 << 20;

/// Runs a helper program without input to its end, at most for `limit`. What it leaves in its group is killed: a
/// helper's helper would hold its pipes open. One that left the group as well is not waited for longer than `limit`.
///
/// # Errors
/// Where it cannot be started or does not end in time.
pub fn capture(program: Program<'_>, limit: Duration) -> io::Result<Captured> {
    let deadline = Instant::now() + limit;
    let mut child = start(program, Stdio::null(), Stdio::piped(), Stdio::piped())?;
    let group = pid(&child);
    let stdout = read_aside(child.stdout.take());
    let stderr = read_aside(child.stderr.take());
    let (done, ended) = channel();
    let watch = std::thread::spawn(move || {
        // The group is killed when the time is up; when the child ends before, `done` is dropped.
        if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            signal_group(group, Signal::KILL);
            return true;
        }
        false
    });
    // Not reaped yet, so that the group's number stays ours while its rest is killed.
    let waited = rustix::io::retry_on_intr(|| {
        let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(group), options)
    });
    drop::<std::sync::mpsc::Sender<()>>(done);
    let timed_out = watch.join().unwrap_or(false);
    signal_group(group, Signal::KILL);
    let status = child.wait()?;
    waited?;
    let too_long = || {
        let name = program.path.display();
        io::Error::new(io::ErrorKind::TimedOut, format!("{name} took longer than {limit:?}"))
    };
    if timed_out {
        return Err(too_long());
    }
    // What was killed has let go of the pipes: they end at once unless somebody outside of the group holds them.
    let collect = |text: Option<Receiver<Vec<u8>>>| match text {
        Some(text) => text.recv_timeout(deadline.saturating_duration_since(Instant::now())),
        None => Ok(Vec::new()),
    };
    let stdout = collect(stdout).map_err(|_| too_long())?;
    let stderr = collect(stderr).map_err(|_| too_long())?;
    Ok(Captured { status, stdout, stderr })
}

fn read_aside(pipe: Option<impl Read + Send + 'static>) -> Option<Receiver<Vec<u8>>> {
    let pipe = pipe?;
    let (done, text) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.take(MOST_CAPTURED).read_to_end(&mut bytes);
        let _ = done.send(bytes);
    });
    Some(text)
}

fn command(program: Program<'_>) -> Command {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let mut command = Command::new(program.path);
    command.args(program.args).env_clear().envs(program.env.iter().map(|(name, value)| (name, value)));
    if let Some(dir) = program.dir {
        command.current_dir(dir);
    }
    command
}

/// The child's process id, which is its group's id, too.
pub fn pid(child: &Child) -> Pid {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child's id is positive")
}

/// Sends a signal to a whole group. A group that is gone is no error.
pub fn signal_group(group: Pid, signal: Signal) {
    if let Err(error) = rustix::process::kill_process_group(group, signal)
        && error != rustix::io::Errno::SRCH
    {
        log::debug!("signal {signal:?} to group {group:?}: {error}");
    }
}
