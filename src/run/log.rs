//! `logs/run.log`: what was started, when, and how it ended. It has the names of flags, never a value: that may be a secret.

use std::fs::File;
use std::io::Write;

use anyhow::Result;
use chrono::{DateTime, SecondsFormat, Utc};

use super::result::{RUN_LOG, RunResult};
use super::start::open_log;
use super::starts::Starts;
use crate::formats::escape;
use crate::supervise::AgentCommand;
use crate::sys::tree::Tree;

/// The open log. A line that cannot be written is lost: a log is no reason to stop a run.
pub(super) struct RunLog {
    file: File,
}

impl RunLog {
    /// Opens the log; the one of the run before is kept beside it.
    pub(super) fn open(tree: &Tree) -> Result<RunLog> {
        Ok(RunLog { file: open_log(tree, RUN_LOG)? })
    }

    /// Notes a start of the agent.
    pub(super) fn started(&mut self, command: &AgentCommand, now: DateTime<Utc>) {
        let mut words = vec![command.program.display().to_string()];
        words.extend(command.args.iter().map(|arg| shown(&arg.to_string_lossy())));
        let begun = Starts::run_line(&command.run_id, &command.provider, &command.work_dir);
        self.line(now, &begun);
        if let Some(jail) = &command.jail {
            let network = if jail.has_network() { "on" } else { "off" };
            self.line(now, &format!("sandbox {} network {network}", jail.word()));
        }
        self.line(now, &format!("start {}", words.join(" ")));
        // All turns of a run are in one log: read again after a crash, each is a conversation of its own.
        if let Ok(log) = command.log.metadata() {
            self.line(now, &Starts::from_line(log.len()));
        }
    }

    /// Notes a notice to the user.
    pub(super) fn notice(&mut self, text: &str, now: DateTime<Utc>) {
        self.line(now, &format!("notice {text}"));
    }

    /// Notes the end.
    pub(super) fn ended(&mut self, result: &RunResult) {
        let reason = result.failure_reason.map_or("-", |reason| reason.word());
        let text = format!("end {} status {} reason {reason}", result.status.word(), result.exit_code);
        self.line(result.ended_at, &text);
    }

    fn line(&mut self, now: DateTime<Utc>, text: &str) {
        let at = now.to_rfc3339_opts(SecondsFormat::Millis, true);
        let _ = writeln!(self.file, "{at} {}", escape(text));
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
