//! The end: what was seen, judged.

use std::sync::PoisonError;
use std::time::Instant;

use super::command::AgentCommand;
use super::outcome::{Cause, Exit, Facts, RunOutcome, judge};
use super::process::{Agent, Run};
use super::redact;
use crate::protocol::Sink;
use crate::protocol::{Event, NoticeLevel};

impl Run {
    pub(super) fn conclude(
        &mut self,
        launch: &AgentCommand,
        agent: &Agent,
        exit: Exit,
        survivors_killed: usize,
        begin: Instant,
        sink: &mut Sink<'_>,
    ) -> RunOutcome {
        let stderr = self.errors.tail();
        self.look_for_login(&stderr, sink);
        for text in self.remarks() {
            self.emit(Event::Notice { level: NoticeLevel::Warning, text: &text }, sink);
        }
        let usage = self.reader.usage();
        if !usage.is_empty() {
            self.emit(Event::Usage { usage: &usage }, sink);
        }
        let write_error =
            self.write_error.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(ToString::to_string);
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
        RunOutcome {
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
