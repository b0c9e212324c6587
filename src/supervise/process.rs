//! One run of an agent, from its start to its outcome.
//!
//! | module | answers for |
//! |---|---|
//! | here | the start: guard, process, threads; the last survivor's end |
//! | `watch` | the supervision loop: limits, signals, silence |
//! | `speech` | what the agent says, on its way to the sink |
//! | `end` | the outcome |

use std::io;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal};

use super::Interrupts;
use super::command::{AgentCommand, Dialect, Input, Started};
use super::guard::{Guard, end_group};
use super::outcome::{Cause, Exit, RunOutcome};
use super::streams::{self, Errors, Message, Writer};
use super::survivors::{self, Kin};
use crate::protocol::Sink;
use crate::protocol::ndjson::claude::Reader;
use crate::protocol::ndjson::lines::Lines;
use crate::sys::child::{self, Program};

/// Starts the agent, reads it to its end, and leaves no process of it.
///
/// `started` is called once, before the agent gets its prompt; its error stops the agent. An error of `sink` stops the
/// agent, too, as [`Cause::SinkBroken`].
///
/// # Errors
/// Where the guard or the agent cannot be started, or `started` fails. How the agent ended is in the [`RunOutcome`].
pub fn run(
    mut launch: AgentCommand,
    interrupts: &Interrupts,
    sink: &mut Sink<'_>,
    started: &mut dyn FnMut(&Started) -> Result<()>,
) -> Result<RunOutcome> {
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

/// The agent's process, as far as stopping it goes.
pub(super) struct Agent {
    pub(super) pid: Pid,
    pub(super) exited: Option<Exit>,
    /// Why and since when it is being stopped.
    pub(super) stop: Option<(Cause, Instant)>,
    pub(super) signalled: u32,
    pub(super) killed: bool,
    pub(super) writer: Option<Writer>,
}

impl Agent {
    /// Asks the agent to go. Only the first reason counts.
    pub(super) fn stop(&mut self, cause: Cause) {
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

    pub(super) fn kill(&mut self) {
        self.killed = true;
        child::signal_group(self.pid, Signal::KILL);
    }
}

pub(super) struct Run {
    pub(super) messages: Receiver<Message>,
    pub(super) give_back: Sender<Vec<u8>>,
    pub(super) errors: Errors,
    pub(super) write_error: Arc<Mutex<Option<io::Error>>>,
    pub(super) dialect: Dialect,
    pub(super) provider: String,
    pub(super) lines: Lines,
    pub(super) reader: Reader,
    pub(super) output_ended: bool,
    pub(super) errors_ended: bool,
    pub(super) read_error: Option<String>,
    pub(super) lost_line: Option<u64>,
    pub(super) shortened: u64,
    pub(super) terminal_first: bool,
    pub(super) result_at: Option<Instant>,
    pub(super) output_end_at: Option<Instant>,
    pub(super) exit_at: Option<Instant>,
    pub(super) last_byte: Instant,
    pub(super) last_event: Instant,
    pub(super) errors_seen: u64,
    pub(super) asked_for_login: bool,
    pub(super) sink_broken: bool,
    /// Something went to the sink since it was last told that nothing more is waiting.
    pub(super) sink_waits: bool,
}

impl Run {
    fn begin(launch: &mut AgentCommand, child: &mut std::process::Child, agent: &mut Agent) -> Result<Self> {
        let (to, messages) = streams::messages();
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        let handle = |file: &std::fs::File| file.try_clone().context("duplicate a log's handle");
        let give_back = streams::read_output(stdout, handle(&launch.log)?, to.clone())?;
        let errors = streams::read_errors(
            stderr,
            handle(&launch.stderr_log)?,
            to.clone(),
            launch.dialect == Dialect::Raw,
        )?;
        streams::wait(agent.pid, to)?;
        let mut write_error = Arc::default();
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
            sink_waits: false,
        })
    }
}
