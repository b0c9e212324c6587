//! One start of an agent, from the order to the guard to the outcome.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result};
use rustix::process::Pid;

use super::agent::Agent;
use super::agent_log::AgentLog;
use super::command::{AgentCommand, Started};
use super::end::{Seen, conclude};
use super::guard::{Guard, Pipes, end_group};
use super::listener::Listener;
use super::outcome::RunOutcome;
use super::requests::Requests;
use super::sandbox::NoSandbox;
use super::streams::{self, Message, WriteError, Writer};
use super::survivors::{self, ProcessTree};
use super::timers::{Supervisor, drain};
use super::times::{Times, TimesFile};
use crate::protocol::{Conversation, Opening, Sink};
use crate::sys::child;

/// Has the guard start the agent, holds the conversation with it to its end, and leaves no process of it.
///
/// `started` is called once, before the agent can read its prompt; its error stops the agent. An error of `sink` stops the
/// agent, too.
///
/// # Errors
/// When the agent cannot be started, or `started` fails. How the agent ended is in the [`RunOutcome`].
pub fn run<'a>(
    mut guard: Guard,
    mut command: AgentCommand,
    conversation: &'a mut dyn Conversation,
    requests: &mut Requests<'_>,
    sink: &'a mut Sink<'a>,
    started: &mut dyn FnMut(&Started) -> Result<()>,
) -> Result<RunOutcome> {
    let begin = Instant::now();
    survivors::adopt();
    let mut tree = ProcessTree::before(&[guard.pid()]);
    mark(&mut command);
    let times = command.times.take();
    let opening = conversation.open();
    let (to, messages) = streams::messages();
    let (pid, pipes) = match guard.start_agent(&command, opening != Opening::Nothing, to.clone()) {
        Ok(started) => started,
        Err(error) => {
            drop(guard);
            tree.kill_all(&command.run_id); // where something has killed the guard
            return Err(not_started(&command, error));
        }
    };
    tree.spare(pid);
    let mut agent = Agent::new(pid);
    let begun = match announce(&guard, pid, started) {
        Ok(()) => listen(&command, (times, pipes), (to, messages), opening, &mut agent, conversation, sink),
        Err(error) => {
            end_group(pid, Duration::ZERO, &mut || true);
            drop(pipes); // not before: to an agent the end of its input is a prompt
            Err(error)
        }
    };
    let (mut listener, writer_error) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            end_group(pid, Duration::ZERO, &mut || true);
            end_rest(guard, pid, &mut tree, &command.run_id);
            return Err(error);
        }
    };
    let interrupts = requests.interrupts();
    let (exit, is_result_first) = Supervisor {
        agent: &mut agent,
        guard: &mut guard,
        listener: &mut listener,
        requests,
        lock: &command.lock,
        limits: command.limits,
        begin: command.limits.since.unwrap_or(begin),
        interruptions: 0,
        turns_over: None,
        mute_told: 0,
        is_result_first: false,
        paused: None,
    }
    .supervise(&mut tree);

    // The leader is not reaped yet, so its number is still its own.
    let grace = agent.grace_left(command.limits.kill_grace);
    if end_group(pid, grace, &mut || interrupts.take_end().is_some()) {
        agent.note_group_killed();
    }
    let survivors_killed = end_rest(guard, pid, &mut tree, &command.run_id);
    let is_result_first = is_result_first || drain(&mut listener) && agent.cause().is_none();
    let seen = Seen { exit, is_result_first, survivors_killed, write_error: writer_error.take(), begin };
    Ok(conclude(&command, &agent, listener, seen))
}

/// Gives all processes of an agent the mark of its run.
pub(super) fn mark(command: &mut AgentCommand) {
    command.env.retain(|(name, _)| name != survivors::MARK);
    command.env.push((survivors::MARK.into(), command.run_id.clone().into()));
}

/// The failure of an agent that did not start, or of its sandbox.
pub(super) fn not_started(command: &AgentCommand, error: io::Error) -> Error {
    let no_sandbox = error.get_ref().and_then(|inner| inner.downcast_ref::<NoSandbox>());
    match command.jail.as_ref().zip(no_sandbox) {
        Some((jail, why)) => jail.failure(why),
        None => super::program::not_started(&command.program, &command.work_dir, error),
    }
}

/// Reaps the agent, whose group has ended, ends what had left the group, and waits for the guard's end. Returns how many
/// had left.
pub(super) fn end_rest(mut guard: Guard, agent: Pid, tree: &mut ProcessTree, run_id: &str) -> usize {
    let ended = guard.end_rest();
    drop(guard);
    ended.unwrap_or_else(|| {
        // All that was below the guard is below this process now.
        child::reap(agent);
        tree.kill_all(run_id)
    })
}

/// The record learns of the agent before it reads its prompt.
fn announce(guard: &Guard, pid: Pid, started: &mut dyn FnMut(&Started) -> Result<()>) -> Result<()> {
    let raw = |pid: Pid| pid.as_raw_nonzero().get();
    let start_time = survivors::start_time(pid);
    started(&Started { pid: raw(pid), pgid: raw(pid), start_time, guard_pid: raw(guard.pid()) })
}

/// Starts the threads around the agent, and gives it its prompt.
fn listen<'a>(
    command: &AgentCommand,
    (times, pipes): (Option<TimesFile>, Pipes),
    (to, messages): (Sender<Message>, Receiver<Message>),
    opening: Opening,
    agent: &mut Agent,
    conversation: &'a mut dyn Conversation,
    sink: &'a mut Sink<'a>,
) -> Result<(Listener<'a>, WriteError)> {
    let log = |file: &Option<File>, times: Option<Times>| -> Result<AgentLog> {
        let file = file.as_ref().map(File::try_clone).transpose().context("duplicate a log's handle")?;
        Ok(AgentLog::new(file, command.limits.log, times))
    };
    let length = command.log.as_ref().and_then(|log| log.metadata().ok()).map_or(0, |log| log.len());
    let times = times.map(|times| times.begin(length)).transpose().context("duplicate a log's handle")?;
    let (output_times, errors_times) = times.unzip();
    let give_back = streams::read_output(pipes.output, log(&command.log, output_times)?, to.clone())?;
    let send_on = conversation.properties().reads_errors;
    let errors = streams::read_errors(pipes.errors, log(&command.stderr_log, errors_times)?, to, send_on)?;
    let mut write_error = WriteError::default();
    if let Some(pipe) = pipes.input {
        let writer = Writer::start(pipe)?;
        write_error = writer.error();
        match opening {
            Opening::Whole(bytes) => writer.send(bytes), // dropped at once: end of file
            Opening::Frames(bytes) => {
                writer.send(bytes);
                agent.keep_input(writer);
            }
            Opening::Nothing => {}
        }
    }
    Ok((Listener::new(conversation, sink, &command.provider, messages, give_back, errors), write_error))
}
