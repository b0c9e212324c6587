//! The one place that starts a child process.
//!
//! Every child leads a process group of its own, so that a signal meant for it reaches what it started as well,
//! and a Ctrl-C in the terminal does not reach it behind our back. Its environment is exactly what is passed in.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

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

/// The output and the end of a child.
#[derive(Debug)]
pub struct Captured {
    /// How it ended.
    pub status: std::process::ExitStatus,
    /// Its standard output, at most [`MOST_CAPTURED`] bytes.
    pub stdout: Vec<u8>,
    /// Its standard error, with the same limit.
    pub stderr: Vec<u8>,
}

/// The most bytes kept of a stream.
pub const MOST_CAPTURED: u64 = 16 << 20;

/// Runs a helper program without input to its end, at most for `limit`. What it leaves in its group is killed: a
/// helper's helper would hold its pipes open.
///
/// # Errors
/// Where it cannot be started or does not end in time.
pub fn capture(program: Program<'_>, limit: Duration) -> io::Result<Captured> {
    capture_unless(program, limit, &AtomicBool::new(false))
}

/// How much is passed on at a time, in bytes.
const BLOCK: usize = 64 << 10;
/// How often the stop flag is checked while a child runs.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// How long the streams of a child that has ended may stay open, at least and at most, within its limit: something that
/// left its group holds them, or this machine is busy.
const STREAMS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(5)];

/// As [`capture`], but the child also ends, with its group, as soon as `stop` is set.
///
/// # Errors
/// As [`capture`], with the kind `TimedOut`; `Interrupted` where it was stopped.
pub fn capture_unless(program: Program<'_>, limit: Duration, stop: &AtomicBool) -> io::Result<Captured> {
    let (captured, cut) = capture_with_cut(program, limit, stop)?;
    let name = program.path.display();
    match cut {
        None => Ok(captured),
        Some(Cut::Stopped) => {
            Err(io::Error::new(io::ErrorKind::Interrupted, format!("{name} was asked to end")))
        }
        Some(Cut::TimedOut | Cut::Stuck) => {
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("{name} took longer than {limit:?}")))
        }
    }
}

/// Why a child was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Its time limit was reached.
    TimedOut,
    /// The stop flag was set.
    Stopped,
    /// It will never end.
    Stuck,
}

/// As [`capture_unless`], but a child that was killed is a result as well, with what it had printed by then.
///
/// # Errors
/// Where it cannot be started, or something that it left behind holds its streams open.
pub fn capture_with_cut(
    program: Program<'_>,
    limit: Duration,
    stop: &AtomicBool,
) -> io::Result<(Captured, Option<Cut>)> {
    exchange(program, Streams::default(), limit, stop)
}

/// Takes the output of a child piece by piece. An error ends the child.
pub type Sink<'a> = dyn FnMut(&[u8]) -> io::Result<()> + Send + 'a;

/// Is shown what a child prints.
pub type Overheard = Box<dyn FnMut(&[u8]) + Send>;

/// Where a helper program reads, and where its output goes.
#[derive(Default)]
pub struct Streams<'a, 'b> {
    /// What it can read; `None`: it has no standard input. A child that stops reading early is no error.
    pub input: Option<Vec<u8>>,
    /// Takes its whole output; `None`: the beginning of it is kept.
    pub sink: Option<&'a mut Sink<'b>>,
    /// Is shown each piece of its standard error, as it comes.
    pub errors: Option<Overheard>,
    /// Files that the child holds open, too, to its end: a lock outlives this process with it.
    pub keeps: &'a [Arc<File>],
    /// Asked once when the child has not ended after a second: whether it never will.
    pub is_stuck: Option<&'a (dyn Fn() -> bool + Sync)>,
    /// The child is killed when this process is, however that comes.
    pub is_bound: bool,
}

impl std::fmt::Debug for Streams<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").field("input", &self.input.as_ref().map(Vec::len)).finish_non_exhaustive()
    }
}

/// As [`capture_with_cut`], for a child that reads something, or prints without a limit.
///
/// # Errors
/// As [`capture_with_cut`], and those of the sink.
pub fn exchange(
    program: Program<'_>,
    streams: Streams<'_, '_>,
    limit: Duration,
    stop: &AtomicBool,
) -> io::Result<(Captured, Option<Cut>)> {
    let begun = Instant::now();
    let (is_stuck, errors) = (streams.is_stuck, streams.errors);
    let stdin = if streams.input.is_some() { Stdio::piped() } else { Stdio::null() };
    // Duplicates, which a child inherits, unlike all else that this process has open. A child that another thread starts in this
    // moment has them, too.
    let kept = streams.keeps.iter().map(rustix::io::dup).collect::<rustix::io::Result<Vec<_>>>()?;
    let bound = streams.is_bound.then(|| bound_words(program)).flatten();
    let program = match &bound {
        Some(words) => Program { path: Path::new(ITSELF), args: words, ..program },
        None => program,
    };
    let started = start(program, stdin, Stdio::piped(), Stdio::piped());
    drop(kept);
    let mut child = started?;
    let group = pid(&child);
    let give_up = |child: &mut Child, error: io::Error| {
        signal_group(group, Signal::KILL);
        let _ = child.wait();
        error
    };
    let (mut stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let piped = streams.sink.and_then(|sink| Some((stdout.take()?, sink)));
    let fed = match (child.stdin.take(), streams.input) {
        // The pipe breaks when the child ends.
        (Some(mut stdin), Some(input)) => {
            std::thread::Builder::new().spawn(move || stdin.write_all(&input)).map(drop)
        }
        _ => Ok(()),
    };
    let streams =
        fed.and_then(|()| read_aside(stdout, None)).and_then(|out| Ok((out, read_aside(stderr, errors)?)));
    let (stdout, stderr) = streams.map_err(|error| give_up(&mut child, error))?;
    let (done, ended) = channel::<()>();
    let mut passed_on = Ok(());
    let watched = std::thread::scope(|scope| {
        // The group is killed when the time is up; when the child ends before, `done` is dropped.
        let watch = move || watch(group, limit, stop, is_stuck, &ended);
        let watch = std::thread::Builder::new().spawn_scoped(scope, watch)?;
        if let Some((pipe, sink)) = piped {
            passed_on = pass_on(pipe, sink, limit.saturating_sub(begun.elapsed()));
            if passed_on.is_err() {
                signal_group(group, Signal::KILL);
            }
        }
        // Not reaped yet, so that the group's number stays ours while its rest is killed.
        let waited = rustix::io::retry_on_intr(|| {
            let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
            rustix::process::waitid(rustix::process::WaitId::Pid(group), options)
        });
        drop(done);
        Ok((waited, watch.join().unwrap_or(None)))
    });
    let (waited, cut) = watched.map_err(|error| give_up(&mut child, error))?;
    signal_group(group, Signal::KILL);
    let status = child.wait()?;
    waited?;
    if cut.is_none() {
        passed_on?;
    }
    let name = program.path.display();
    let [least, most] = STREAMS;
    let left = || limit.saturating_sub(begun.elapsed()).clamp(least, most);
    let collect = |stream: Option<Receiver<Vec<u8>>>| match stream.map(|text| text.recv_timeout(left())) {
        Some(Err(RecvTimeoutError::Timeout)) => {
            let message = format!("something that {name} left behind holds its output open");
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        }
        text => Ok(text.and_then(Result::ok).unwrap_or_default()),
    };
    Ok((Captured { status, stdout: collect(stdout)?, stderr: collect(stderr)? }, cut))
}

/// This program's file, also where another one has its path by now.
const ITSELF: &str = "/proc/self/exe";
/// The hidden subcommand that a bound child begins as.
const BOUND_WORD: &str = "__bound";

/// The arguments with which this program becomes another one that is killed with its parent. A child can only ask for that
/// itself, and the kernel keeps the wish when the child turns into another program. `None`: no such thing on this system.
fn bound_words(program: Program<'_>) -> Option<Vec<OsString>> {
    // A unit test is no execenv.
    if !cfg!(target_os = "linux") || cfg!(test) {
        return None;
    }
    let parent = rustix::process::getpid().as_raw_nonzero().to_string();
    let words = [BOUND_WORD.into(), parent.into(), program.path.into()];
    Some(words.into_iter().chain(program.args.iter().cloned()).collect())
}

/// The entry of a bound child: `execenv __bound PARENT PROGRAM ARGUMENT…` becomes that program. `None` for any other command
/// line; a status only where it could not be started.
pub fn bound(arguments: &[OsString]) -> Option<u8> {
    let [_, word, parent, path, args @ ..] = arguments else { return None };
    (word == BOUND_WORD).then(|| {
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
            log::debug!("it will outlive its parent: {error}");
        }
        // The parent may be gone already.
        let is_there = rustix::process::getppid()
            .is_some_and(|now| parent.to_str() == Some(&now.as_raw_nonzero().to_string()));
        if is_there {
            let error = become_program(Path::new(path), args);
            let _ = writeln!(io::stderr(), "{}: {error}", path.display());
        }
        NOT_STARTED
    })
}

/// Becomes another program, with the same variables, folder and streams. Returns only why it could not.
pub fn become_program(path: &Path, args: &[OsString]) -> io::Error {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    std::os::unix::process::CommandExt::exec(Command::new(path).args(args))
}

/// Starts this program itself again, as a process of this one's group, with one more open file for it. It keeps to `memory` as by
/// [`start_limited`].
///
/// # Errors
/// As [`start`].
pub fn start_itself(
    program: Program<'_>,
    memory: Option<u64>,
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
) -> io::Result<Child> {
    let program = Program { path: Path::new(ITSELF), ..program };
    limited(memory, || command(program).stdin(stdin).stdout(stdout).stderr(stderr).spawn())
}

/// The status of a shell that cannot start a program.
const NOT_STARTED: u8 = 127;

/// How long a child may clean up after SIGTERM: git removes its lock files.
const GRACE: Duration = Duration::from_secs(1);

/// When it is asked whether a child is stuck.
const DOUBT: Duration = Duration::from_secs(1);

/// Ends the group when its time is up, it is stuck or `stop` is set, and says which; `None`: the child ended by itself.
fn watch(
    group: Pid,
    limit: Duration,
    stop: &AtomicBool,
    is_stuck: Option<&(dyn Fn() -> bool + Sync)>,
    ended: &Receiver<()>,
) -> Option<Cut> {
    let begun = Instant::now();
    let mut doubt = is_stuck;
    loop {
        let left = limit.saturating_sub(begun.elapsed());
        if ended.recv_timeout(left.min(BETWEEN_LOOKS)) != Err(RecvTimeoutError::Timeout) {
            return None;
        }
        let cut = if stop.load(Ordering::Relaxed) {
            Cut::Stopped
        } else if begun.elapsed() >= limit {
            Cut::TimedOut
        } else if begun.elapsed() >= DOUBT && doubt.take().is_some_and(|is_stuck| is_stuck()) {
            Cut::Stuck
        } else {
            continue;
        };
        signal_group(group, Signal::TERM);
        let _ = ended.recv_timeout(GRACE);
        signal_group(group, Signal::KILL);
        return Some(cut);
    }
}

/// Passes on what a child prints, until its end. Something that left the child's group may hold the pipe open: then the wait
/// ends with the limit.
fn pass_on(mut pipe: impl Read + std::os::fd::AsFd, sink: &mut Sink<'_>, limit: Duration) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let begun = Instant::now();
    let mut block = vec![0; BLOCK];
    loop {
        let left = (limit + GRACE + STREAMS[0]).saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let left = Timespec::try_from(left).ok();
        let ready =
            rustix::io::retry_on_intr(|| poll(&mut [PollFd::new(&pipe, PollFlags::IN)], left.as_ref()))?;
        if ready == 0 {
            continue;
        }
        match pipe.read(&mut block)? {
            0 => return Ok(()),
            length => sink(&block[..length])?,
        }
    }
}

fn read_aside(
    pipe: Option<impl Read + Send + 'static>,
    overheard: Option<Overheard>,
) -> io::Result<Option<Receiver<Vec<u8>>>> {
    let Some(pipe) = pipe else { return Ok(None) };
    let (send, receive) = channel();
    std::thread::Builder::new().spawn(move || {
        let mut text = Vec::new();
        let mut pipe = pipe.take(MOST_CAPTURED);
        if let Some(mut overheard) = overheard {
            let mut block = vec![0; 4 << 10];
            while let Ok(length @ 1..) = pipe.read(&mut block) {
                overheard(&block[..length]);
                text.extend_from_slice(&block[..length]);
            }
        }
        let _ = pipe.read_to_end(&mut text);
        let _ = send.send(text);
    })?;
    Ok(Some(receive))
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
