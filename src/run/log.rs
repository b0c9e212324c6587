//! `logs/run.log`: what was started, when, and how it ended. It has the names of flags, never a value: that may be a secret.

use std::fs::File;
use std::io::Write;

use anyhow::Result;
use chrono::{DateTime, SecondsFormat, Utc};

use super::log_line::LogLine;
use super::logs;
use super::plan::RunPlan;
use super::result::RunResult;
use crate::formats::escape;
use crate::layout::names;
use crate::protocol::{Event, NoticeLevel, prefix};
use crate::supervise::AgentCommand;
use crate::sys::tree::Tree;

/// The open log. A line that cannot be written is lost: a log is no reason to stop a run.
pub(super) struct RunLog {
    file: File,
    /// How many more events it takes: an agent can cause any number.
    left: u32,
}

/// The most events in one log.
const MOST_EVENTS: u32 = 2_000;
/// The longest text of one, in bytes.
const LONGEST: usize = 2 << 10;

impl RunLog {
    /// Opens the log, when the logs of the run before are put aside.
    pub(super) fn open(tree: &Tree, plan: &RunPlan, now: DateTime<Utc>) -> Result<RunLog> {
        logs::put_aside(tree)?;
        let mut log = RunLog { file: logs::create(tree, names::RUN_LOG)?, left: MOST_EVENTS };
        log.line(now, &LogLine::run(&plan.run_id, &plan.provider, &plan.work_dir));
        log.line(now, &LogLine::Dialect(plan.dialect().to_owned()).text());
        if let Some(prompt) = plan.asked() {
            logs::keep_prompt(tree, prompt);
        }
        Ok(log)
    }

    /// Notes a start of the agent.
    pub(super) fn started(&mut self, command: &AgentCommand, now: DateTime<Utc>) {
        let mut words = vec![command.program.display().to_string()];
        words.extend(command.args.iter().map(|arg| shown(&arg.to_string_lossy())));
        if let Some(jail) = &command.jail {
            let network = if jail.has_network() { "on" } else { "off" };
            self.line(now, &format!("sandbox {} network {network}", jail.word()));
        }
        self.line(now, &format!("start {}", words.join(" ")));
        // All turns of a run are in one log: read again after a crash, each is a conversation of its own.
        if let Some(Ok(log)) = command.log.as_ref().map(File::metadata) {
            self.line(now, &LogLine::From(log.len()).text());
        }
    }

    /// Notes a session that is known before the agent says so.
    pub(super) fn session(&mut self, id: &str, now: DateTime<Utc>) {
        self.line(now, &LogLine::Session(id.to_owned()).text());
    }

    /// Notes a notice to the user.
    pub(super) fn notice(&mut self, level: NoticeLevel, text: &str, now: DateTime<Utc>) {
        if self.left > 0 {
            self.left -= 1;
            self.line(now, &LogLine::Notice(level, prefix(text, LONGEST).to_owned()).text());
        }
    }

    /// Notes an event that only the run itself knows: what the agent has printed is in its own log.
    pub(super) fn event(&mut self, event: &Event<'_>, now: DateTime<Utc>) {
        let cut = |text: &str| prefix(text, LONGEST).to_owned();
        let line = match event {
            Event::Notice { level, text } => return self.notice(*level, text, now),
            Event::AuthRequired { hint, .. } => {
                let text = format!("the agent asks for a login: {hint}");
                return self.notice(NoticeLevel::Warning, &text, now);
            }
            Event::Iteration { n, ready, reason } => {
                LogLine::Iteration { n: *n, ready: *ready, reason: reason.map(cut) }
            }
            Event::Heartbeat { commit, pushed, patch } => {
                LogLine::Heartbeat { commit: cut(commit), pushed: *pushed, patch: patch.map(cut) }
            }
            _ => return,
        };
        if self.left > 0 {
            self.left -= 1;
            self.line(now, &line.text());
        }
    }

    /// Notes the end.
    pub(super) fn ended(&mut self, result: &RunResult) {
        let line = LogLine::End {
            status: result.status.word().to_owned(),
            exit_code: result.exit_code,
            reason: result.failure_reason.map(|reason| reason.word().to_owned()),
        };
        self.line(result.ended_at, &line.text());
    }

    fn line(&mut self, now: DateTime<Utc>, text: &str) {
        let at = now.to_rfc3339_opts(SecondsFormat::Millis, true);
        // In one write: whoever follows the log reads whole lines.
        let _ = self.file.write_all(format!("{at} {}\n", escape(text)).as_bytes());
    }
}

/// A flag by its name, anything else hidden.
fn shown(arg: &str) -> String {
    match arg.split_once('=') {
        Some((name, _)) if name.starts_with('-') => format!("{name}=<redacted>"),
        None if arg.starts_with('-') => arg.to_owned(),
        _ => "<redacted>".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_flags_are_shown() {
        for (arg, text) in [
            ("--model", "--model"),
            ("--api-key=sk-1", "--api-key=<redacted>"),
            ("sk-1", "<redacted>"),
            ("NAME=value", "<redacted>"),
        ] {
            assert_eq!(shown(arg), text);
        }
    }
}
