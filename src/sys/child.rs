//! The one place that starts a child process.
//!
//! Every child leads a process group of its own, so that a signal meant for it reaches what it started as well,
//! and a Ctrl-C in the terminal does not reach it behind our back. Its environment is exactly what is passed in.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

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
