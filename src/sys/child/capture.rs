//! Helper programs: their output is taken, and their time is bounded.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::bound::{ITSELF, bound_words};
use super::{Program, pid, signal_group, start};

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
fn capture_with_cut(
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
