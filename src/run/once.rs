//! The result of a task that is done: what `run --once` gives in the place of a second run.
//!
//! That the task is done stands in the record, and its result in a file of the env root. An agent can write both: what is
//! given here is what the agent of this very environment may claim, and it decides nothing but whether that agent runs again.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

use super::result::RunResult;
use crate::environment::FoundEnv;
use crate::layout::names;
use crate::sys::tree::Tree;

/// The longest result that is read, in bytes: several times the longest that a run writes.
const MAX: u64 = 8 << 20;
/// What a result says that is not taken from its file: it is known, or it belongs to the event that is printed now.
const NOT_FROM_THE_FILE: [&str; 6] = ["type", "time", "schema", "status", "exit_code", "logs"];

/// What a command finds that is to run a task once.
#[derive(Debug)]
pub enum Once<Todo, Done> {
    /// The task is to be run.
    Todo(Todo),
    /// Its last run completed.
    Done(Done),
}

/// The result of the run that completed.
#[derive(Debug)]
pub struct EarlierResult {
    /// The task.
    pub task_id: String,
    /// The fields of a `result` event.
    pub fields: Map<String, Value>,
}

impl EarlierResult {
    /// Reads the result of a task that is done. Where its file is gone, the record says how the run ended, and nothing more.
    ///
    /// # Errors
    /// Never in practice: a result can be written as JSON.
    pub(super) fn read(found: &FoundEnv) -> Result<EarlierResult> {
        let own = found.meta.as_ref().map(|meta| meta.own_or_rebuilt(&found.env.tree)).unwrap_or_default();
        let ended_at = own.last_result.and_then(|last| last.ended_at).unwrap_or_default();
        let blank = RunResult::completed(ended_at).of_run("", &found.env.path);
        let blank = serde_json::to_value(&blank).context("write the result")?;
        let mut fields = match blank {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        let file = Path::new(names::OUTPUT).join(names::RESULT);
        match read(&found.env.tree, &file) {
            Some(known) => {
                let known = known.into_iter().filter(|(name, _)| !NOT_FROM_THE_FILE.contains(&name.as_str()));
                fields.extend(known);
            }
            None => log::warn!(
                "{} is not there or is no result of a completed run, so the answer of the agent is not known",
                found.env.path.join(file).display()
            ),
        }
        Ok(EarlierResult { task_id: own.task_id, fields })
    }

    /// The agent's answer.
    pub fn text(&self) -> &str {
        self.fields.get("text").and_then(Value::as_str).unwrap_or_default()
    }

    /// The log of what the agent printed.
    pub fn log(&self) -> &str {
        self.fields
            .get("logs")
            .and_then(|logs| logs.get("output"))
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// When the run ended, as the result says it.
    pub fn ended_at(&self) -> &str {
        self.fields.get("ended_at").and_then(Value::as_str).unwrap_or_default()
    }
}

/// A file with the result of a run that completed.
fn read(env: &Tree, file: &Path) -> Option<Map<String, Value>> {
    let bytes = env.read(file, MAX).ok()??;
    let fields: Map<String, Value> = serde_json::from_slice(&bytes).ok()?;
    let says = |field: &str, word: &str| fields.get(field).and_then(Value::as_str) == Some(word);
    (says("type", "result") && says("status", "completed")).then_some(fields)
}
