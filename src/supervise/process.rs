//! One start of an agent, from the guard to the outcome.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::Pid;

use super::agent::Agent;
use super::agent_log::AgentLog;
use super::command::{AgentCommand, Started};
use super::end::{Seen, conclude};
use super::guard::{Guard, end_group};
use super::listener::Listener;
use super::outcome::RunOutcome;
use super::requests::Requests;
use super::streams::{self, WriteError, Writer};
use super::survivors::{self, ProcessTree};
use super::timers::{Supervisor, drain};
use crate::protocol::{Conversation, Opening, Sink};
use crate::sys::child::{self, Program};

/// Starts the agent, holds the conversation with it to its end, and leaves no process of it.
///
/// `started` is called once, before the agent can read its prompt; its error stops the agent. An error of `sink` stops the
/// agent, too.
///
/// # Errors
/// When the guard or the agent cannot be started, or `started` fails. How the agent ended is in the [`RunOutcome`].
pub fn run<'a>(
    mut command: AgentCommand,
    conversation: &'a mut dyn Conversation,
    requests: &mut Requests<'_>,
    sink: &'a mut Sink<'a>,
    started: &mut dyn FnMut(&Started) -> Result<()>,
) -> Result<RunOutcome> {
    let begin = Instant::now();
    survivors::adopt();
    let mut tree = ProcessTree::before(&[]);
    let before = tree.spared();
    let mut guard = start_guard(&command)?;
    tree.spare(guard.pid());
    command.env.retain(|(name, _)| name != survivors::MARK);
    command.env.push((survivors::MARK.into(), command.run_id.clone().into()));
    let opening = conversation.open();
    let mut child = match start(&command, &opening) {
        Ok(child) => child,
        Err(error) => {
            guard.dismiss();
            return Err(super::program::not_started(&command.program, &command.work_dir, error));
        }
    };
    let pid = child::pid(&child);
    tree.spare(pid);
    let mut agent = Agent::new(pid);
    let begun = announce(&mut guard, pid, &before, started)
        .and_then(|()| listen(&command, &mut child, opening, &mut agent, conversation, sink));
    let (mut listener, writer_error) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            end_group(pid, Duration::ZERO, &mut || true);
            let _ = child.wait();
            tree.kill_all(&command.run_id);
            guard.dismiss();
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
        begin,
        interruptions: 0,
        turns_over: None,
        is_result_first: false,
    }
    .supervise(&mut tree);

    // The leader is not reaped yet, so its number is still its own.
    let grace = agent.grace_left(command.limits.kill_grace);
    if end_group(pid, grace, &mut || interrupts.take_end().is_some()) {
        agent.note_group_killed();
    }
    let _ = child.wait();
    let survivors_killed = tree.kill_all(&command.run_id);
    let is_result_first = is_result_first || drain(&mut listener) && agent.cause().is_none();
    guard.dismiss();
    let seen = Seen { exit, is_result_first, survivors_killed, write_error: writer_error.take(), begin };
    Ok(conclude(&command, &agent, listener, seen))
}

fn start_guard(command: &AgentCommand) -> Result<Guard> {
    let mut args = command.guard_args.clone();
    args.push(command.run_id.clone().into());
    args.push(command.limits.kill_grace.as_millis().to_string().into());
    args.push(std::process::id().to_string().into());
    let lock = command.lock.try_clone().context("duplicate the lock's handle")?;
    Guard::start(&command.guard_program, &args, lock)
        .with_context(|| format!("start the guard `{}`", command.guard_program.display()))
}

fn start(command: &AgentCommand, opening: &Opening) -> std::io::Result<Child> {
    let program = Program {
        path: &command.program,
        args: &command.args,
        dir: Some(&command.work_dir),
        env: &command.env,
    };
    let stdin = if *opening == Opening::Nothing { Stdio::null() } else { Stdio::piped() };
    child::start_limited(program, command.limits.memory, stdin, Stdio::piped(), Stdio::piped())
}

/// The guard learns of the agent first, then the record.
fn announce(
    guard: &mut Guard,
    pid: Pid,
    before: &[i32],
    started: &mut dyn FnMut(&Started) -> Result<()>,
) -> Result<()> {
    let raw = |pid: Pid| pid.as_raw_nonzero().get();
    let start_time = survivors::start_time(pid);
    guard.watch(pid, start_time, before).context("tell the guard which process it guards")?;
    started(&Started { pid: raw(pid), pgid: raw(pid), start_time, guard_pid: raw(guard.pid()) })
}

/// Starts the threads around the agent, and gives it its prompt.
fn listen<'a>(
    command: &AgentCommand,
    child: &mut Child,
    opening: Opening,
    agent: &mut Agent,
    conversation: &'a mut dyn Conversation,
    sink: &'a mut Sink<'a>,
) -> Result<(Listener<'a>, WriteError)> {
    let (to, messages) = streams::messages();
    let stdout = child.stdout.take().expect("piped");
    let stderr = child.stderr.take().expect("piped");
    let log = |file: &std::fs::File| -> Result<AgentLog> {
        let file = file.try_clone().context("duplicate a log's handle")?;
        Ok(AgentLog::new(file, command.limits.log))
    };
    let give_back = streams::read_output(stdout, log(&command.log)?, to.clone())?;
    let send_on = conversation.properties().reads_errors;
    let errors = streams::read_errors(stderr, log(&command.stderr_log)?, to.clone(), send_on)?;
    streams::wait(agent.pid(), to)?;
    let mut write_error = WriteError::default();
    if let Some(pipe) = child.stdin.take() {
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
