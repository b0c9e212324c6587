//! The record file: its content, reading and writing it.

use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use super::own::Own;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sys::tree::Tree;
use crate::task::{TaskDocument, TaskKind};

/// The schema of the `execenv` key that this version writes.
pub(in crate::environment) const SCHEMA: u32 = 1;
/// The largest meta file that is read, in bytes: execenv writes no larger one.
pub(in crate::environment) const MAX_META: u64 = 4 << 20;

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meta {
    /// `issue`, `chat`, `autopilot_run`, `quick_create`; empty for a plain task.
    pub kind: String,
    /// The parent's id of an issue task.
    pub issue_id: String,
    /// The parent's id of a chat task.
    pub chat_session_id: String,
    /// The parent's id of an autopilot run.
    pub autopilot_run_id: String,
    /// The task's own id, for quick-create only (multica's rule).
    pub task_id: String,
    /// The workspace.
    pub workspace_id: String,
    /// When the last run ended; absent before the end of the first run (decision D4).
    pub completed_at: Option<DateTime<Utc>>,
    /// Whether the agent works in a folder of the user.
    pub local_directory: bool,
    /// execenv's own part; `None` in a file that multica wrote.
    pub own: Option<Own>,
    /// Keys that this version does not know.
    pub other: Map<String, Value>,
}

impl Meta {
    /// The record of a new environment: multica's keys for the kind of the task.
    pub fn of_task(task: &TaskDocument, task_id: &str, workspace_id: &str, local_directory: bool) -> Meta {
        let kind = TaskKind::of(task);
        let mut meta = Meta {
            kind: kind.word().unwrap_or_default().to_owned(),
            workspace_id: workspace_id.to_owned(),
            local_directory,
            ..Meta::default()
        };
        match kind {
            TaskKind::Chat => meta.chat_session_id.clone_from(&task.chat_session_id),
            TaskKind::AutopilotRun => meta.autopilot_run_id.clone_from(&task.autopilot_run_id),
            TaskKind::Issue => meta.issue_id.clone_from(&task.issue_id),
            TaskKind::QuickCreate => task_id.clone_into(&mut meta.task_id),
            TaskKind::Plain => {}
        }
        meta
    }

    /// Reads the file of an env root; `None` when it is missing.
    ///
    /// # Errors
    /// A [`Code::UnreadableState`] failure if the file is damaged.
    pub fn load(tree: &Tree) -> Result<Option<Meta>> {
        let unreadable = |why: String| {
            Failure::new(
                Code::UnreadableState,
                format!("{} is damaged: {why}", tree.path().join(names::META).display()),
            )
            .hint(format!(
                "`execenv cleanup --all {}` removes the environment; `execenv prepare` creates another one",
                tree.path().display()
            ))
        };
        let bytes = match tree.read(Path::new(names::META), MAX_META) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            Err(error) => return Err(unreadable(error.to_string()).into()),
        };
        Meta::parse(&bytes).map(Some).map_err(|error| unreadable(format!("{error:#}")).into())
    }

    /// Parses the file's bytes.
    ///
    /// # Errors
    /// When a key has the wrong type, or the text is not one JSON object.
    pub fn parse(bytes: &[u8]) -> Result<Meta> {
        let mut object: Map<String, Value> = serde_json::from_slice(bytes)?;
        let mut text = |key: &str| match object.shift_remove(key) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(anyhow::anyhow!("`{key}` is not a string")),
        };
        let mut meta = Meta {
            kind: text("kind")?,
            issue_id: text("issue_id")?,
            chat_session_id: text("chat_session_id")?,
            autopilot_run_id: text("autopilot_run_id")?,
            task_id: text("task_id")?,
            workspace_id: text("workspace_id")?,
            ..Meta::default()
        };
        let completed = text("completed_at")?;
        // Go's zero time means "never".
        if !completed.is_empty() && !completed.starts_with("0001-01-01T00:00:00") {
            meta.completed_at = Some(completed.parse().context("`completed_at` is not an RFC 3339 time")?);
        }
        meta.local_directory = match object.shift_remove("local_directory") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(is_local)) => is_local,
            Some(_) => anyhow::bail!("`local_directory` is not a boolean"),
        };
        meta.own = match object.shift_remove("execenv") {
            None | Some(Value::Null) => None,
            Some(own) => Some(serde_json::from_value(own).context("`execenv`")?),
        };
        meta.other = object;
        Ok(meta)
    }

    /// The file's bytes: one line, multica's key order, then the `execenv` key, then unknown keys.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut object = Map::new();
        for (key, value) in [
            ("kind", &self.kind),
            ("issue_id", &self.issue_id),
            ("chat_session_id", &self.chat_session_id),
            ("autopilot_run_id", &self.autopilot_run_id),
            ("task_id", &self.task_id),
            ("workspace_id", &self.workspace_id),
        ] {
            if !value.is_empty() || key == "workspace_id" {
                object.insert(key.into(), value.as_str().into());
            }
        }
        if let Some(at) = self.completed_at {
            object.insert("completed_at".into(), at.to_rfc3339_opts(SecondsFormat::AutoSi, true).into());
        }
        if self.local_directory {
            object.insert("local_directory".into(), true.into());
        }
        if let Some(own) = &self.own {
            let own =
                serde_json::to_value(own).expect("strings, numbers and maps with text keys always serialise");
            object.insert("execenv".into(), own);
        }
        for (key, value) in &self.other {
            object.entry(key.clone()).or_insert_with(|| value.clone());
        }
        serde_json::to_vec(&object).expect("a JSON value always serialises")
    }

    /// Refuses a record that a newer version wrote. Called before anything that the record describes is changed.
    ///
    /// # Errors
    /// A [`Code::UnreadableState`] failure.
    pub fn refuse_newer(&self, tree: &Tree) -> Result<()> {
        let path = tree.path().join(names::META);
        if let Some(own) = self.own.as_ref().filter(|own| own.schema > SCHEMA) {
            return Err(Failure::new(
                Code::UnreadableState,
                format!(
                    "{} has schema {}, this version of execenv supports {SCHEMA}",
                    path.display(),
                    own.schema
                ),
            )
            .hint("use the version of execenv that wrote it, or a newer one")
            .into());
        }
        Ok(())
    }

    /// execenv's own part; rebuilt from multica's keys if multica wrote the file last.
    pub fn own_or_rebuilt(&self, root: &Path) -> Own {
        self.own.clone().unwrap_or_else(|| Own {
            schema: SCHEMA,
            task_id: self.task_id.clone(),
            work_dir: root.join(names::WORK_DIR),
            ..Own::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::EnvStatus;

    #[test]
    fn unknown_keys_survive_at_both_levels_and_numbers_keep_their_text() {
        let text = br#"{"kind":"issue","issue_id":"i","workspace_id":"w","completed_at":"2026-01-02T03:04:05.000000006Z","local_directory":true,"execenv":{"schema":1,"task_id":"t","provider":"claude","work_dir":"/w","status":"running","later":{"x":1.50}},"future":{"n":12345678901234567890}}"#;
        let meta = Meta::parse(text).unwrap();
        assert_eq!(String::from_utf8(meta.to_bytes()).unwrap(), String::from_utf8(text.to_vec()).unwrap());
    }

    #[test]
    fn files_of_upstream_read_as_upstream_reads_them() {
        let old =
            Meta::parse(br#"{"issue_id":"i","workspace_id":"w","completed_at":"0001-01-01T00:00:00Z"}"#)
                .unwrap();
        assert_eq!((old.kind.as_str(), old.issue_id.as_str(), old.completed_at), ("", "i", None));
        for bad in
            ["", "[]", "{", r#"{"kind":1}"#, r#"{"completed_at":"yesterday"}"#, r#"{"local_directory":"x"}"#]
        {
            assert!(Meta::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_status_of_a_later_version_is_unknown_not_an_error() {
        let meta = Meta::parse(br#"{"workspace_id":"w","execenv":{"status":"publishing"}}"#).unwrap();
        assert_eq!(meta.own.unwrap().status, EnvStatus::Unknown);
    }
}
