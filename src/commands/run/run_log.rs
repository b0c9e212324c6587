//! `logs/run.log`: what was started, when and how it ended. Names of flags, never a value: it may be a secret.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use crate::layout::names;
use crate::supervise::AgentCommand;
use crate::sys::tree::Tree;

/// The open log. What cannot be written is let go: a log is no reason to stop a run.
pub(super) struct RunLog {
    file: File,
}

impl RunLog {
    /// Opens the log; the one of the run before is kept beside it.
    pub(super) fn open(tree: &Tree) -> Result<RunLog> {
        let logs = Path::new(names::LOGS);
        let path = logs.join("run.log");
        let file = tree
            .ensure_dir(logs, 0o755)
            .and_then(|()| tree.keep_previous(&path, &logs.join("run.log.previous")))
            .and_then(|()| tree.open_log(&path))
            .with_context(|| format!("open {}", tree.path().join(&path).display()))?;
        Ok(RunLog { file })
    }

    /// Notes a start of the agent.
    pub(super) fn started(&mut self, launch: &AgentCommand, now: DateTime<Utc>) {
        let mut words = vec![launch.program.display().to_string()];
        words.extend(launch.args.iter().map(|arg| shown(&arg.to_string_lossy())));
        self.line(
            now,
            &format!("run {} of {} in {}", launch.run_id, launch.provider, launch.work_dir.display()),
        );
        self.line(now, &format!("start {}", words.join(" ")));
    }

    /// Notes something that a person was told.
    pub(super) fn notice(&mut self, text: &str, now: DateTime<Utc>) {
        self.line(now, &format!("notice {text}"));
    }

    /// Notes the end.
    pub(super) fn ended(&mut self, result: &Value, now: DateTime<Utc>) {
        let word = |key: &str| result[key].as_str().unwrap_or("-").to_owned();
        let status = &result["exit_code"];
        self.line(now, &format!("end {} status {status} reason {}", word("status"), word("failure_reason")));
    }

    fn line(&mut self, now: DateTime<Utc>, text: &str) {
        let at = now.to_rfc3339_opts(SecondsFormat::Millis, true);
        let _ = writeln!(self.file, "{at} {}", crate::output::escape(text));
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
