//! The threads around an agent: each waits for one thing and reports it to the supervision loop.
//!
//! The reader of standard output writes each block to the log before the loop sees it: so the log has everything that was
//! acted on, and logging runs in parallel to parsing. Blocks are recycled: when the loop is behind, the reader waits, and
//! through the pipe the agent does. No thread is joined: a process that cannot be killed and keeps a pipe open must not
//! keep the run.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::agent_log::{AgentLog, Incomplete};
use super::outcome::Exit;

const BLOCK: usize = 256 << 10;
const BLOCKS: usize = 4;
pub(super) const TAIL: usize = 2048;
/// How much of the end of standard error is searched for what a server answered, in bytes: a stack trace may stand after it.
pub const SEARCHED: usize = 16 << 10;

/// What a thread reports.
#[derive(Debug)]
pub(super) enum Message {
    /// Bytes of standard output: the first `usize` ones of the block.
    Output(Vec<u8>, usize),
    /// Standard output ended, or could not be read on.
    OutputEnded(Option<io::Error>),
    /// Bytes of standard error, where the dialect reads them.
    Errors(Vec<u8>),
    /// Standard error ended.
    ErrorsEnded,
    /// A log, by its name, does not have everything.
    LogIncomplete(&'static str, Incomplete),
    /// Something has killed the guard.
    GuardGone,
    /// The agent's process ended; it is not reaped yet.
    Exited(Exit),
}

/// Reads standard output. Returns the channel for used blocks.
pub(super) fn read_output(
    mut pipe: PipeReader,
    mut log: AgentLog,
    to: Sender<Message>,
) -> io::Result<Sender<Vec<u8>>> {
    // Fewer switches between the two processes. A system that allows no more keeps its own size.
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(&pipe, BLOCK);
    let (give_back, free) = channel();
    for _ in 0..BLOCKS {
        let _ = give_back.send(Vec::new());
    }
    spawn("agent-stdout", move || {
        let mut failure = None;
        while let Ok(mut block) = free.recv() {
            block.resize(BLOCK, 0);
            match read(&mut pipe, &mut block) {
                Ok(0) => break,
                Ok(length) => {
                    record(&mut log, "agent.ndjson", &block[..length], &to);
                    if to.send(Message::Output(block, length)).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let _ = to.send(Message::OutputEnded(failure));
    })?;
    Ok(give_back)
}

/// The state of standard error while it is being read.
#[derive(Clone, Debug, Default)]
pub(super) struct Errors {
    bytes: Arc<AtomicU64>,
    /// Bytes that were sent to the loop and are not yet processed.
    waiting: Arc<AtomicU64>,
    tail: Arc<Mutex<Vec<u8>>>,
}

impl Errors {
    /// How many bytes were read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    /// Notes that bytes which were sent to the loop are processed.
    pub(super) fn processed(&self, length: usize) {
        self.waiting.fetch_sub(length as u64, Ordering::AcqRel);
    }

    /// The last bytes, from the first complete character on.
    pub(super) fn tail(&self) -> String {
        self.last(TAIL)
    }

    /// More of them: all that are kept.
    pub(super) fn searched(&self) -> String {
        self.last(SEARCHED)
    }

    fn last(&self, most: usize) -> String {
        last(&self.tail.lock().unwrap_or_else(PoisonError::into_inner), most)
    }
}

/// The last of some bytes, from the first complete character on.
pub(super) fn last(bytes: &[u8], most: usize) -> String {
    let mut tail = &bytes[bytes.len().saturating_sub(most)..];
    while let [0x80..=0xBF, rest @ ..] = tail {
        tail = rest;
    }
    String::from_utf8_lossy(tail).into_owned()
}

/// So many bytes of standard error may wait to be processed; then its reader waits.
const MOST_WAITING: u64 = 1 << 20;

/// Reads standard error, and sends it to the loop where `send_on` says so.
pub(super) fn read_errors(
    mut pipe: PipeReader,
    mut log: AgentLog,
    to: Sender<Message>,
    send_on: bool,
) -> io::Result<Errors> {
    let errors = Errors::default();
    let seen = errors.clone();
    spawn("agent-stderr", move || {
        let mut block = vec![0; 16 << 10];
        while let Ok(length @ 1..) = read(&mut pipe, &mut block) {
            record(&mut log, "agent.stderr.log", &block[..length], &to);
            if send_on {
                while seen.waiting.load(Ordering::Acquire) > MOST_WAITING {
                    thread::sleep(std::time::Duration::from_millis(1));
                }
                seen.waiting.fetch_add(length as u64, Ordering::AcqRel);
                if to.send(Message::Errors(block[..length].to_vec())).is_err() {
                    return;
                }
            }
            let mut tail = seen.tail.lock().unwrap_or_else(PoisonError::into_inner);
            tail.extend_from_slice(&block[..length]);
            let surplus = tail.len().saturating_sub(SEARCHED);
            tail.drain(..surplus);
            seen.bytes.fetch_add(length as u64, Ordering::Release);
        }
        let _ = to.send(Message::ErrorsEnded);
    })?;
    Ok(errors)
}

/// The first error of writing to the agent, once there is one.
#[derive(Clone, Debug, Default)]
pub(super) struct WriteError(Arc<Mutex<Option<io::Error>>>);

impl WriteError {
    pub(super) fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, error: io::Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

/// The agent's standard input, written from a thread of its own. Dropping it closes the input.
#[derive(Debug)]
pub(super) struct Writer {
    frames: Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    error: WriteError,
}

impl Writer {
    pub(super) fn start(mut pipe: PipeWriter) -> io::Result<Self> {
        let (frames, queue) = channel::<Vec<u8>>();
        let error = WriteError::default();
        let failed = error.clone();
        let waiting = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&waiting);
        spawn("agent-stdin", move || {
            for frame in queue {
                if let Err(error) = pipe.write_all(&frame).and_then(|()| pipe.flush()) {
                    failed.set(error);
                    return;
                }
                left.fetch_sub(1, Ordering::AcqRel);
            }
        })?;
        Ok(Self { frames, waiting, error })
    }

    /// Queues whole frames.
    pub(super) fn send(&self, frame: Vec<u8>) {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let _ = self.frames.send(frame); // a thread that has ended has left its error
    }

    /// How many of them the agent has not read yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    /// Where the first write error will be found.
    pub(super) fn error(&self) -> WriteError {
        self.error.clone()
    }
}

/// Waits for a child without reaping it: a zombie keeps its number and that of its group.
pub(super) fn wait_for(pid: Pid) -> Exit {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    match rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), options)) {
        Ok(Some(status)) => Exit { code: status.exit_status(), signal: status.terminating_signal() },
        _ => Exit::default(),
    }
}

/// A message channel.
pub(super) fn messages() -> (Sender<Message>, Receiver<Message>) {
    channel()
}

fn record(log: &mut AgentLog, name: &'static str, bytes: &[u8], to: &Sender<Message>) {
    if let Some(incomplete) = log.write(bytes) {
        let _ = to.send(Message::LogIncomplete(name, incomplete));
    }
}

fn read(pipe: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    loop {
        match pipe.read(block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Starts a thread.
pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).stack_size(256 << 10).spawn(work).map(drop)
}
