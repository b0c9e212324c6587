//! The supervision loop.
//!
//! One thread decides: it takes blocks, ends and exits from the threads in `streams`, and looks at signals, limits and
//! the cancel file at least every [`TICK`]. It waits for the agent's process, never for an end of file alone.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal};

use super::event::{Event, Level};
use super::guard::{Guard, end_group};
use super::launch::{Dialect, Input, Launch, Started};
use super::outcome::{Cause, Exit, Facts, Outcome, judge};
use super::stream::claude::{Meaning, Reader, Sink};
use super::stream::lines::{Line, Lines};
use super::streams::{self, Errors, Message, Writer};
use super::survivors::{self, Kin};
use super::{Interrupts, auth, redact};
use crate::sys::child::{self, Program};

const TICK: Duration = Duration::from_millis(50);
/// After its result an agent may flush and go by itself for this long.
const RESULT_GRACE: Duration = Duration::from_secs(3);
/// After the agent's end: this long without a byte, or this long in all, before whoever holds its output is killed.
const QUIET: Duration = Duration::from_millis(500);
const DRAIN: Duration = Duration::from_secs(2);
/// A gap between two looks at the clock that was no waiting of ours: we were stopped, or the event's reader was slow.
const GAP: Duration = Duration::from_secs(2);
const CANCEL_POLL: Duration = Duration::from_millis(500);
const REAP: Duration = Duration::from_secs(10);

/// Starts the agent, reads it to its end, and leaves no process of it.
///
/// `started` is called once, before the agent gets its prompt; its error stops the agent. An error of `sink` stops the
/// agent, too, as [`Cause::SinkBroken`].
///
/// # Errors
/// Where the guard or the agent cannot be started, or `started` fails. How the agent ended is in the [`Outcome`].
pub fn run(
    mut launch: Launch,
    interrupts: &Interrupts,
    sink: &mut Sink<'_>,
    started: &mut dyn FnMut(&Started) -> Result<()>,
) -> Result<Outcome> {
    let begin = Instant::now();
    survivors::adopt();
    let mut kin = Kin::before(&[]);
    launch.guard_args.push(launch.run_id.clone().into());
    launch.guard_args.push(launch.kill_grace.as_millis().to_string().into());
    let lock = launch.lock.try_clone().context("duplicate the lock's handle")?;
    let mut guard = Guard::start(&launch.guard_program, &launch.guard_args, lock)
        .with_context(|| format!("start the guard `{}`", launch.guard_program.display()))?;
    kin.spare(guard.pid());
    launch.env.retain(|(name, _)| name != survivors::MARK);
    launch.env.push((survivors::MARK.into(), launch.run_id.clone().into()));

    let program =
        Program { path: &launch.program, args: &launch.args, dir: Some(&launch.work_dir), env: &launch.env };
    let stdin = if matches!(launch.input, Input::None) { Stdio::null() } else { Stdio::piped() };
    let mut child = match child::start(program, stdin, Stdio::piped(), Stdio::piped()) {
        Ok(child) => child,
        Err(error) => {
            guard.dismiss();
            return Err(super::program::not_started(&launch.program, &launch.work_dir, error));
        }
    };
    let pid = child::pid(&child);
    kin.spare(pid);
    let start_time = survivors::start_time(pid);
    let mut agent = Agent { pid, exited: None, stop: None, signalled: 0, killed: false, writer: None };
    let prepared = guard.watch(pid, start_time).context("tell the guard").and_then(|()| {
        let raw = |pid: Pid| pid.as_raw_nonzero().get();
        started(&Started { pid: raw(pid), pgid: raw(pid), start_time, guard_pid: raw(guard.pid()) })
    });
    let begun = prepared.and_then(|()| Run::begin(&mut launch, &mut child, &mut agent));
    let mut run = match begun {
        Ok(run) => run,
        Err(error) => {
            end_group(pid, Duration::ZERO, &mut || true);
            let _ = child.wait();
            kin.kill_all(&launch.run_id);
            guard.dismiss();
            return Err(error);
        }
    };
    run.supervise(&launch, &mut agent, interrupts, &mut kin, sink);

    // The leader is a zombie or dead by our hand; its number is still its own.
    let grace = agent
        .stop
        .as_ref()
        .map_or(launch.kill_grace, |(_, since)| launch.kill_grace.saturating_sub(since.elapsed()));
    agent.killed |= end_group(pid, grace, &mut || interrupts.take_end().is_some()) && agent.stop.is_some();
    let exit = agent.exited.unwrap_or_default();
    let _ = child.wait();
    let survivors_killed = kin.kill_all(&launch.run_id);
    run.drain(sink);
    guard.dismiss();
    Ok(run.conclude(&launch, &agent, exit, survivors_killed, begin, sink))
}

use std::process::Stdio;

/// The agent's process, as far as stopping it goes.
struct Agent {
    pid: Pid,
    exited: Option<Exit>,
    /// Why and since when it is being stopped.
    stop: Option<(Cause, Instant)>,
    signalled: u32,
    killed: bool,
    writer: Option<Writer>,
}

impl Agent {
    /// Asks the agent to go. Only the first reason counts.
    fn stop(&mut self, cause: Cause) {
        if self.stop.is_some() || self.exited.is_some() {
            return;
        }
        let signal = match &cause {
            Cause::Signal(number) => Signal::from_named_raw(*number).unwrap_or(Signal::TERM),
            _ => Signal::TERM,
        };
        self.writer = None; // closes its input first: some end by that alone
        self.stop = Some((cause, Instant::now()));
        child::signal_group(self.pid, signal);
        child::signal_group(self.pid, Signal::CONT);
    }

    fn kill(&mut self) {
        self.killed = true;
        child::signal_group(self.pid, Signal::KILL);
    }
}

struct Run {
    messages: Receiver<Message>,
    give_back: Sender<Vec<u8>>,
    errors: Errors,
    write_error: std::sync::Arc<std::sync::Mutex<Option<io::Error>>>,
    dialect: Dialect,
    provider: String,
    lines: Lines,
    reader: Reader,
    output_ended: bool,
    errors_ended: bool,
    read_error: Option<String>,
    lost_line: Option<u64>,
    shortened: u64,
    terminal_first: bool,
    result_at: Option<Instant>,
    output_end_at: Option<Instant>,
    exit_at: Option<Instant>,
    last_byte: Instant,
    last_event: Instant,
    errors_seen: u64,
    asked_for_login: bool,
    sink_broken: bool,
}

impl Run {
    fn begin(launch: &mut Launch, child: &mut std::process::Child, agent: &mut Agent) -> Result<Self> {
        let (to, messages) = streams::messages();
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        let handle = |file: &std::fs::File| file.try_clone().context("duplicate a log's handle");
        let give_back = streams::read_output(stdout, handle(&launch.log)?, to.clone())?;
        let errors = streams::read_errors(stderr, handle(&launch.stderr_log)?, to.clone())?;
        streams::wait(agent.pid, to)?;
        let mut write_error = std::sync::Arc::default();
        if let Some(pipe) = child.stdin.take() {
            let writer = Writer::start(pipe)?;
            write_error = writer.error();
            match std::mem::replace(&mut launch.input, Input::None) {
                Input::Bytes(bytes) => writer.send(bytes), // dropped at once: end of file
                Input::Frames(bytes) => {
                    writer.send(bytes);
                    agent.writer = Some(writer);
                }
                Input::None => {}
            }
        }
        let now = Instant::now();
        Ok(Self {
            messages,
            give_back,
            errors,
            write_error,
            dialect: launch.dialect,
            provider: launch.provider.clone(),
            lines: Lines::default(),
            reader: Reader::new(launch.requested_model.clone()),
            output_ended: false,
            errors_ended: false,
            read_error: None,
            lost_line: None,
            shortened: 0,
            terminal_first: false,
            result_at: None,
            output_end_at: None,
            exit_at: None,
            last_byte: now,
            last_event: now,
            errors_seen: 0,
            asked_for_login: false,
            sink_broken: false,
        })
    }

    /// Runs until the agent's process has ended and its output is read, or is held by somebody else.
    fn supervise(
        &mut self,
        launch: &Launch,
        agent: &mut Agent,
        interrupts: &Interrupts,
        kin: &mut Kin,
        sink: &mut Sink<'_>,
    ) {
        let deadline = launch.timeout.and_then(|limit| Instant::now().checked_add(limit));
        let (mut looked, mut polled, mut reaped) = (Instant::now(), Instant::now(), Instant::now());
        loop {
            let idle = match self.messages.recv_timeout(TICK) {
                Ok(message) => {
                    self.take(message, agent, sink);
                    false
                }
                Err(RecvTimeoutError::Timeout) => true,
                // Every thread is gone, the one that waits for the process as well.
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if self.done(agent, idle) {
                return;
            }
            let now = Instant::now();
            if !idle && now.duration_since(looked) < TICK {
                continue;
            }
            if now.duration_since(looked) > GAP {
                (self.last_byte, self.last_event) = (now, now);
            }
            looked = now;
            self.look_at_signals(agent, interrupts, launch.kill_grace);
            if deadline.is_some_and(|deadline| now >= deadline) {
                agent.stop(Cause::Timeout(launch.timeout.unwrap_or_default()));
            }
            if idle {
                self.look_at_silence(launch, agent, sink);
            }
            if now.duration_since(polled) >= CANCEL_POLL {
                polled = now;
                if launch.cancel_file.as_ref().is_some_and(|file| file.symlink_metadata().is_ok()) {
                    agent.stop(Cause::CancelFile);
                }
            }
            if now.duration_since(reaped) >= REAP {
                reaped = now;
                kin.reap_orphans();
            }
        }
    }

    fn take(&mut self, message: Message, agent: &mut Agent, sink: &mut Sink<'_>) {
        match message {
            Message::Output(block, length) => {
                self.last_byte = Instant::now();
                self.output(&block[..length], agent, sink);
                let _ = self.give_back.send(block);
            }
            Message::OutputEnded(error) => {
                self.read_error = error.map(|error| format!("read the agent's output: {error}"));
                self.output_ended = true;
                self.output_end_at = Some(Instant::now());
                self.last_line(agent, sink);
            }
            Message::ErrorsEnded => self.errors_ended = true,
            Message::LogFailed(name, error) => {
                let text = format!("{name} is incomplete from here on: {error}");
                self.emit(Event::Notice { level: Level::Warning, text: &text }, sink);
            }
            Message::Exited(exit) => {
                agent.exited = Some(exit);
                agent.writer = None;
                self.exit_at = Some(Instant::now());
            }
        }
        if self.sink_broken {
            agent.stop(Cause::SinkBroken);
        }
    }

    /// The agent's process has ended, and so has its output or our patience with whoever holds it.
    fn done(&self, agent: &Agent, idle: bool) -> bool {
        let Some(exit_at) = self.exit_at else { return false };
        debug_assert!(agent.exited.is_some());
        let patience = exit_at.elapsed() >= DRAIN;
        let quiet = idle && self.last_byte.max(exit_at).elapsed() >= QUIET;
        (self.output_ended && self.errors_ended) || patience || quiet
    }

    fn look_at_signals(&mut self, agent: &mut Agent, interrupts: &Interrupts, grace: Duration) {
        if let Some(signal) = interrupts.take_end() {
            agent.signalled += 1;
            if agent.signalled > 1 {
                agent.kill();
            }
            // The wish to end outranks the tidying up after a result.
            agent.stop(Cause::Signal(signal));
        }
        if interrupts.take_pause() {
            child::signal_group(agent.pid, Signal::STOP);
            let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP);
            child::signal_group(agent.pid, Signal::CONT);
            (self.last_byte, self.last_event) = (Instant::now(), Instant::now());
        }
        if agent.exited.is_none() {
            if agent.stop.as_ref().is_some_and(|(_, since)| since.elapsed() >= grace) {
                agent.kill();
            }
            let over = |since: Option<Instant>, limit| since.is_some_and(|at: Instant| at.elapsed() >= limit);
            let mute = self.dialect == Dialect::ClaudeStream && over(self.output_end_at, grace);
            if over(self.result_at, RESULT_GRACE) || mute {
                agent.stop(Cause::Overdue);
            }
        }
    }

    /// The limits on silence. Only looked at when nothing unread is queued.
    fn look_at_silence(&mut self, launch: &Launch, agent: &mut Agent, sink: &mut Sink<'_>) {
        let bytes = self.errors.bytes();
        if bytes != self.errors_seen {
            self.errors_seen = bytes;
            if self.dialect == Dialect::Raw {
                self.last_byte = Instant::now();
            }
            self.look_for_login(&self.errors.tail(), sink);
        }
        if self.result_at.is_some() || agent.exited.is_some() || agent.stop.is_some() {
            return;
        }
        // Keep-alive lines prove that a process lives, not that it works: in a dialect only events count.
        let silent = match self.dialect {
            Dialect::Raw => self.last_byte.elapsed(),
            Dialect::ClaudeStream => self.last_event.elapsed(),
        };
        let (limit, cause): (_, fn(Duration) -> Cause) = match self.reader.open_tools {
            0 => (launch.idle_timeout, Cause::Idle),
            _ => (launch.tool_timeout, Cause::Tool),
        };
        if let Some(limit) = limit.filter(|limit| silent >= *limit) {
            if survivors::is_stopped(agent.pid) {
                // A paused agent does not age.
                (self.last_byte, self.last_event) = (Instant::now(), Instant::now());
            } else {
                agent.stop(cause(limit));
            }
        }
    }

    fn output(&mut self, bytes: &[u8], agent: &mut Agent, sink: &mut Sink<'_>) {
        match self.dialect {
            Dialect::Raw => self.emit(Event::Output(bytes), sink),
            Dialect::ClaudeStream => {
                let mut lines = std::mem::take(&mut self.lines);
                let _ = lines.push::<()>(bytes, &mut |line| {
                    self.line(line, agent, sink);
                    Ok(())
                });
                self.lines = lines;
            }
        }
    }

    fn last_line(&mut self, agent: &mut Agent, sink: &mut Sink<'_>) {
        let mut lines = std::mem::take(&mut self.lines);
        let _ = lines.finish::<()>(&mut |line| {
            self.line(line, agent, sink);
            Ok(())
        });
    }

    fn line(&mut self, line: Line<'_>, agent: &mut Agent, sink: &mut Sink<'_>) {
        let line = match line {
            Line::Whole(line) => line,
            Line::Shortened { line, .. } => {
                self.shortened += 1;
                line
            }
            Line::Lost { length } => {
                self.lost_line.get_or_insert(length);
                return;
            }
        };
        if self.sink_broken {
            return;
        }
        let mut answers = Vec::new();
        match self.reader.line(line, sink, &mut answers) {
            Ok(Meaning::Noise) => {}
            Ok(Meaning::Progress) => self.last_event = Instant::now(),
            Ok(Meaning::Suspicious) => {
                if !self.asked_for_login {
                    let text = String::from_utf8_lossy(&line[..line.len().min(64 << 10)]).into_owned();
                    self.look_for_login(&text, sink);
                }
            }
            Ok(Meaning::Terminal) => {
                self.last_event = Instant::now();
                self.result_at.get_or_insert(self.last_event);
                self.terminal_first |= agent.stop.is_none();
                agent.writer = None; // otherwise it waits for more input for ever
            }
            Err(error) => self.broken(&error),
        }
        if !answers.is_empty()
            && let Some(writer) = &agent.writer
        {
            writer.send(answers);
        }
    }

    fn emit(&mut self, event: Event<'_>, sink: &mut Sink<'_>) {
        if !self.sink_broken
            && let Err(error) = sink(event)
        {
            self.broken(&error);
        }
    }

    fn broken(&mut self, error: &io::Error) {
        log::debug!("the reader of the events left: {error}");
        self.sink_broken = true;
    }

    fn look_for_login(&mut self, text: &str, sink: &mut Sink<'_>) {
        if self.asked_for_login || !auth::asks_for_login(text) {
            return;
        }
        self.asked_for_login = true;
        let provider = self.provider.clone();
        let host = rustix::system::uname();
        let url = auth::login_url(text);
        let hint = auth::hint(&provider);
        let event = Event::AuthRequired {
            provider: &provider,
            hostname: &host.nodename().to_string_lossy(),
            login_url: url.as_deref(),
            hint: &hint,
        };
        self.emit(event, sink);
    }

    /// Reads what is left in the pipes, now that everybody who could write is gone.
    fn drain(&mut self, sink: &mut Sink<'_>) {
        let until = Instant::now() + DRAIN;
        let mut nobody = Agent {
            pid: rustix::process::getpid(),
            exited: Some(Exit::default()),
            stop: None,
            signalled: 0,
            killed: false,
            writer: None,
        };
        while !(self.output_ended && self.errors_ended) && Instant::now() < until {
            match self.messages.recv_timeout(QUIET) {
                Ok(message @ Message::Exited(_)) => drop(message),
                Ok(message) => self.take(message, &mut nobody, sink),
                Err(_) => break,
            }
        }
        if !self.output_ended {
            self.last_line(&mut nobody, sink);
        }
    }

    fn conclude(
        &mut self,
        launch: &Launch,
        agent: &Agent,
        exit: Exit,
        survivors_killed: usize,
        begin: Instant,
        sink: &mut Sink<'_>,
    ) -> Outcome {
        let stderr = self.errors.tail();
        self.look_for_login(&stderr, sink);
        for text in self.remarks() {
            self.emit(Event::Notice { level: Level::Warning, text: &text }, sink);
        }
        let usage = self.reader.usage();
        if !usage.is_empty() {
            self.emit(Event::Usage { usage: &usage }, sink);
        }
        let write_error = self
            .write_error
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .as_ref()
            .map(ToString::to_string);
        let broken = self.sink_broken.then_some(Cause::SinkBroken);
        let cause = broken.as_ref().or(agent.stop.as_ref().map(|(cause, _)| cause));
        let verdict = judge(&Facts {
            provider: &launch.provider,
            dialect: self.dialect,
            terminal: self.reader.terminal.as_ref(),
            terminal_first: self.terminal_first,
            fallback: &self.reader.fallback,
            launched_async: self.reader.launched_async,
            cause,
            killed: agent.killed,
            exit,
            lost_line: self.lost_line,
            read_error: self.read_error.take(),
            write_error,
            stderr: &stderr,
            resume: launch.resume.as_deref(),
            session_id: self.reader.session_id.as_deref(),
        });
        Outcome {
            status: verdict.status,
            exit: verdict.exit,
            stopped_by: verdict.stopped_by,
            failure_reason: verdict.failure_reason,
            error: verdict.error,
            session_id: self.reader.session_id.take(),
            text: verdict.text,
            usage,
            cost_usd: self.reader.cost.take(),
            poisoned: verdict.poisoned,
            resume_refused: verdict.resume_refused,
            tool_calls: self.reader.tool_calls,
            duration: begin.elapsed(),
            stderr_tail: redact::redact(stderr.trim()),
            survivors_killed,
        }
    }

    /// What was passed over, said once.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if self.reader.garbage > 0 {
            remarks
                .push(format!("{} lines of output were no JSON; they are in the log", self.reader.garbage));
        }
        if !self.reader.unknown.is_empty() {
            let names: Vec<String> =
                self.reader.unknown.iter().map(|(name, count)| format!("{name} ({count})")).collect();
            remarks.push(format!("types of output that were passed over: {}", names.join(", ")));
        }
        if self.shortened > 0 {
            remarks.push(format!("{} very long lines were read with their long strings cut", self.shortened));
        }
        remarks
    }
}
