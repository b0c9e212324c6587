//! The guard, as the run sees it.

use std::ffi::OsString;
use std::io::{self, BufReader, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal};

use super::BETWEEN_LOOKS;
use super::talk::{self, Order, Report};
use crate::supervise::command::AgentCommand;
use crate::supervise::outcome::Exit;
use crate::supervise::redact;
use crate::supervise::sandbox::NoSandbox;
use crate::supervise::streams::{self, Message};
use crate::supervise::survivors;
use crate::sys::child::{self, Program};
use crate::sys::handles;

/// How long the guard may take to end the rest: longer than killing is repeated.
const LAST_WORK: Duration = survivors::PATIENCE.saturating_mul(2);
/// How long a guard that has nothing left to do may take to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// The guard. Dropping it ends it: what it still has of an agent first, if [`Guard::end_rest`] was not called.
#[derive(Debug)]
pub struct Guard {
    child: Child,
    orders: UnixStream,
    /// Where the number of ended processes comes from, once the agent has started.
    ended: Option<Receiver<usize>>,
}

/// Our ends of the agent's streams.
#[derive(Debug)]
pub(in crate::supervise) struct Pipes {
    pub(in crate::supervise) input: Option<PipeWriter>,
    pub(in crate::supervise) output: PipeReader,
    pub(in crate::supervise) errors: PipeReader,
}

impl Guard {
    /// Starts the guard, without any variables: with the run's mark it would find itself. Its start is not waited for.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn start(path: &Path, args: &[OsString]) -> io::Result<Self> {
        let (orders, theirs) = UnixStream::pair()?;
        let program = Program { path, args, dir: Some(Path::new("/")), env: &[] };
        let child = child::start(program, OwnedFd::from(theirs).into(), Stdio::null(), Stdio::null())?;
        Ok(Self { child, orders, ended: None })
    }

    /// Starts this program itself as the guard.
    ///
    /// # Errors
    /// When no process can be started.
    pub fn begin() -> Result<Self> {
        let program = std::env::current_exe().context("find the program's own file")?;
        Guard::start(&program, &[super::WORD.into()])
            .with_context(|| format!("start the guard `{}`", program.display()))
    }

    pub(in crate::supervise) fn pid(&self) -> Pid {
        child::pid(&self.child)
    }

    /// Has the agent started, once. Its end comes as a message.
    ///
    /// # Errors
    /// The kernel's error for `execve` or for the change of directory, as if this process had started it.
    pub(in crate::supervise) fn start_agent(
        &mut self,
        command: &AgentCommand,
        has_input: bool,
        to: Sender<Message>,
    ) -> io::Result<(Pid, Pipes)> {
        let (their_input, input) = if has_input { Some(io::pipe()?) } else { None }.unzip();
        let (output, their_output) = io::pipe()?;
        let (errors, their_errors) = io::pipe()?;
        let mut streams: Vec<OwnedFd> = vec![their_output.into(), their_errors.into()];
        streams.extend(their_input.map(OwnedFd::from));
        let pid = self.order_start(command, streams, None, to, Some(errors.try_clone()?))?;
        Ok((pid, Pipes { input, output, errors }))
    }

    /// Has a program started on this process's own streams, in its process group, once. Its end comes as a message.
    ///
    /// # Errors
    /// As [`Guard::start_agent`].
    pub(in crate::supervise) fn start_attached(
        &mut self,
        command: &AgentCommand,
        to: Sender<Message>,
    ) -> io::Result<Pid> {
        let streams = vec![
            io::stdout().as_fd().try_clone_to_owned()?,
            io::stderr().as_fd().try_clone_to_owned()?,
            io::stdin().as_fd().try_clone_to_owned()?,
        ];
        let group = rustix::process::getpgrp().as_raw_nonzero().get();
        self.order_start(command, streams, Some(group), to, None)
    }

    /// Orders the start of a program with its streams: output, errors, and input where it has one.
    fn order_start(
        &mut self,
        command: &AgentCommand,
        streams: Vec<OwnedFd>,
        group: Option<i32>,
        to: Sender<Message>,
        errors: Option<PipeReader>,
    ) -> io::Result<Pid> {
        let (order, block) = order(command, streams.len(), group)?;
        let mut theirs = vec![command.lock.as_fd()];
        theirs.extend(streams.iter().map(OwnedFd::as_fd));
        theirs.extend(command.slots.iter().map(|slot| slot.as_fd()));
        handles::send(&self.orders, &theirs).map_err(guard_is_gone)?;
        drop(streams);
        talk::say(&self.orders, &order).map_err(guard_is_gone)?;
        self.orders.write_all(&block).map_err(guard_is_gone)?;

        let mut reports = BufReader::new(self.orders.try_clone()?);
        let pid = match self.first_report(&mut reports)? {
            Some(Report::Started(pid)) => Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?,
            Some(Report::NotStarted(Some(number), _)) => return Err(io::Error::from_raw_os_error(number)),
            Some(Report::NotStarted(None, text)) => return Err(io::Error::other(text)),
            Some(Report::NoSandbox(why)) => {
                return Err(io::Error::other(NoSandbox(or_errors(why, errors))));
            }
            _ => return Err(guard_is_gone(io::ErrorKind::UnexpectedEof.into())),
        };
        let (ended, number) = channel();
        let guard = self.pid();
        streams::spawn("guard", move || hear_out(reports, guard, pid, to, &ended))?;
        self.ended = Some(number);
        Ok(pid)
    }

    /// The agent runs before the guard can say so, and may have stopped it by then.
    fn first_report(&self, reports: &mut BufReader<UnixStream>) -> io::Result<Option<Report>> {
        self.orders.set_read_timeout(Some(BETWEEN_LOOKS))?;
        let mut line = Vec::new();
        loop {
            match talk::hear_line(reports, &mut line) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.look_after(),
                Err(error) => return Err(error),
            }
        }
        self.orders.set_read_timeout(None)?;
        talk::parse(&line)
    }

    /// Continues the guard if something has stopped it.
    pub(in crate::supervise) fn look_after(&self) {
        if survivors::is_stopped(self.pid()) {
            log::warn!("something had stopped the guard of this run; it goes on");
            let _ = rustix::process::kill_process(self.pid(), Signal::CONT);
        }
    }

    /// Runs something during which the run is stopped for its user: the guard lets it be.
    pub(in crate::supervise) fn let_pause(&mut self, pause: impl FnOnce()) {
        let _ = talk::say(&self.orders, &Order::Pause);
        pause();
        let _ = talk::say(&self.orders, &Order::Resume);
    }

    /// Has the guard reap the agent, whose group has ended, and end what had left the group. Returns how many these were;
    /// `None`: the guard is gone, or of no help.
    pub(in crate::supervise) fn end_rest(&mut self) -> Option<usize> {
        let ended = self.ended.as_ref()?;
        talk::say(&self.orders, &Order::End).ok()?;
        let asked = Instant::now();
        while asked.elapsed() < LAST_WORK {
            match ended.recv_timeout(BETWEEN_LOOKS) {
                Ok(number) => return Some(number),
                Err(RecvTimeoutError::Timeout) => self.look_after(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        None
    }
}

impl Drop for Guard {
    /// Waits for the guard's end, and with it for that of every handle on the lock but the caller's.
    fn drop(&mut self) {
        let _ = self.orders.shutdown(std::net::Shutdown::Write);
        let asked = Instant::now();
        let mut between = Duration::from_millis(1);
        while matches!(self.child.try_wait(), Ok(None)) {
            if asked.elapsed() > FAREWELL {
                let _ = self.child.kill();
            }
            if between > BETWEEN_LOOKS {
                let _ = rustix::process::kill_process(child::pid(&self.child), Signal::CONT);
            }
            child::await_end(&self.child, between.min(Duration::from_millis(50)));
            between = (between * 2).min(FAREWELL);
        }
    }
}

/// The order to start an agent, and its block.
fn order(command: &AgentCommand, streams: usize, group: Option<i32>) -> io::Result<(Order, Vec<u8>)> {
    let staged = command.jail.as_ref().map(|jail| jail.words(&command.program, &command.args));
    let args = staged.as_deref().unwrap_or(&command.args);
    let block = talk::block(&Program {
        path: &command.program,
        args,
        dir: Some(&command.work_dir),
        env: &command.env,
    })?;
    let order = Order::Start {
        run: rustix::process::getpid().as_raw_nonzero().get(),
        run_id: command.run_id.clone(),
        grace_ms: command.limits.kill_grace.as_millis().try_into().unwrap_or(u64::MAX),
        streams,
        args: args.len(),
        is_staged: command.jail.is_some(),
        memory: command.limits.memory,
        group,
        length: block.len(),
    };
    Ok((order, block))
}

/// Why a sandbox was not built; where the stage does not know, what bubblewrap has printed.
fn or_errors(why: String, errors: Option<PipeReader>) -> String {
    /// The longest text, in bytes.
    const MOST: u64 = 1 << 10;
    let Some(errors) = errors.filter(|_| why.is_empty()) else { return why };
    let mut text = Vec::new();
    // All that could write has ended, unless it has left something behind: then nothing is waited for.
    let read = rustix::io::ioctl_fionbio(&errors, true)
        .map_err(io::Error::from)
        .and_then(|()| errors.take(MOST).read_to_end(&mut text));
    if let Err(error) = read {
        log::debug!("what bubblewrap printed: {error}");
    }
    let text = redact::redact(&String::from_utf8_lossy(&text));
    if text.trim().is_empty() { "it ended without a word".to_owned() } else { text.trim().to_owned() }
}

fn guard_is_gone(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the guard of this run has ended: {error}"))
}

/// Passes on what the guard reports, until it ends. If something has killed it, the agent is a child of this process now.
fn hear_out(
    mut reports: BufReader<UnixStream>,
    guard: Pid,
    agent: Pid,
    to: Sender<Message>,
    ended: &Sender<usize>,
) {
    let mut to = Some(to); // dropped with the agent's end: nothing comes after it
    while let Ok(Some(report)) = talk::hear(&mut reports) {
        match report {
            Report::Exited(code, signal) => {
                if let Some(to) = to.take() {
                    let _ = to.send(Message::Exited(Exit { code, signal }));
                }
            }
            Report::Ended(number) => drop(ended.send(number)),
            Report::Started(_) | Report::NotStarted(..) | Report::NoSandbox(_) => {}
        }
    }
    if let Some(to) = to {
        let _ = to.send(Message::GuardGone);
        // The socket is closed before the children are passed on, and these before the process counts as ended.
        let _ = streams::wait_for(guard);
        let _ = to.send(Message::Exited(streams::wait_for(agent)));
    }
}
