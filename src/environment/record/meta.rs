//! The record file: its content, reading and writing it.
//!
//! multica's collector knows neither our lease nor our lock: it judges an environment by the parent and the end that
//! the record names. So until a run has ended, both stand under the key `execenv`, where only execenv reads them
//! (decision D41); a [`Meta`] in memory has them in the same fields either way.

use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use super::own::Own;
use super::setup::SetupRecord;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sys::tree::{Tree, is_unreadable};
use crate::task::{TaskDocument, TaskKind};

/// multica's keys that say what an environment is for and whether it is over.
const PARENT: [&str; 6] =
    ["kind", "issue_id", "chat_session_id", "autopilot_run_id", "task_id", "completed_at"];

/// The schema of the `execenv` key that this version writes.
pub(in crate::environment) const SCHEMA: u32 = 1;
/// The kind that multica's collector reads while it must not judge: one that it does not know, which it removes only
/// by the age of the folder.
const HIDDEN_KIND: &str = "execenv";
/// The key of our own part that holds what is hidden from multica.
const HIDDEN: &str = "parent";
/// The largest meta file that is read, in bytes: execenv writes no larger one.
const MAX_META: u64 = 4 << 20;

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
    /// Whether setup commands have begun in the environment and not all ended well, and no run has begun since.
    pub(in crate::environment) fn is_half_set_up(&self) -> bool {
        self.is_only_set_up()
            && self.own.as_ref().is_some_and(|own| own.setup.as_ref().is_some_and(SetupRecord::is_unfinished))
    }

    /// Whether setup commands have worked in the environment, and no run has begun since.
    pub(in crate::environment) fn is_only_set_up(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.setup.is_some() && own.run.is_none())
    }

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
        Meta::load_even_damaged(tree)?.map_err(|why| {
            Failure::new(
                Code::UnreadableState,
                format!("{} is damaged: {why}", tree.path().join(names::META).display()),
            )
            .hint(format!(
                "`execenv cleanup --all {}` removes the environment; `execenv prepare` creates another one",
                tree.path().display()
            ))
            .into()
        })
    }

    /// As [`Meta::load`]; the inner error says why the file is damaged.
    ///
    /// # Errors
    /// A [`Code::UnreadableState`] failure if the file cannot be read: what is in it is unknown then.
    pub fn load_even_damaged(tree: &Tree) -> Result<std::result::Result<Option<Meta>, String>> {
        match Meta::bytes(tree, Path::new("")) {
            Ok(Some(bytes)) => {
                let parsed = Meta::parse(&bytes).map(|mut meta| {
                    if let Some(own) = &mut meta.own {
                        own.follow_root(tree.path());
                    }
                    Some(meta)
                });
                Ok(parsed.map_err(|error| format!("{error:#}")))
            }
            Ok(None) => Ok(Ok(None)),
            Err(error) if is_unreadable(&error) => {
                Err(Failure::cannot_read(&tree.path().join(names::META), &error).into())
            }
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// The bytes of the record in `env`, the path of an env root below `tree`; `None`: it is missing. For an empty one, which
    /// a power cut may leave, the one that was synced before counts.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub(crate) fn bytes(tree: &Tree, env: &Path) -> io::Result<Option<Vec<u8>>> {
        match tree.read(&env.join(names::META), MAX_META) {
            Ok(Some(bytes)) if bytes.is_empty() => {
                Ok(tree.read(&env.join(names::RECORD_SYNCED), MAX_META).ok().flatten().or(Some(bytes)))
            }
            other => other,
        }
    }

    /// Parses the file's bytes.
    ///
    /// # Errors
    /// When a key has the wrong type, or the text is not one JSON object.
    pub fn parse(bytes: &[u8]) -> Result<Meta> {
        let mut object: Map<String, Value> = serde_json::from_slice(bytes)?;
        let mut own = match object.shift_remove("execenv") {
            None | Some(Value::Null) => None,
            Some(own) => Some(own),
        };
        if object.get("kind").is_none_or(|kind| kind == HIDDEN_KIND)
            && let Some(Value::Object(hidden)) = own.as_mut().and_then(|own| own.get_mut(HIDDEN))
        {
            object.shift_remove("kind");
            for key in PARENT {
                if let Some(value) = hidden.shift_remove(key) {
                    object.entry(key).or_insert(value);
                }
            }
            if hidden.is_empty()
                && let Some(Value::Object(own)) = &mut own
            {
                own.shift_remove(HIDDEN);
            }
        }
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
        meta.own = own.map(|own| serde_json::from_value(own).context("`execenv`")).transpose()?;
        meta.other = object;
        Ok(meta)
    }

    /// The file's bytes: one line, multica's key order, then the `execenv` key, then unknown keys.
    pub fn to_bytes(&self) -> Vec<u8> {
        let is_hidden = self.own.as_ref().is_some_and(Own::is_reserved);
        let mut parent = self.parent();
        let mut object = Map::new();
        match is_hidden {
            true if self.kind.is_empty() => {}
            true => drop(object.insert("kind".into(), HIDDEN_KIND.into())),
            false => object.append(&mut parent),
        }
        let completed_at = object.shift_remove("completed_at");
        object.insert("workspace_id".into(), self.workspace_id.as_str().into());
        if let Some(at) = completed_at {
            object.insert("completed_at".into(), at);
        }
        if self.local_directory {
            object.insert("local_directory".into(), true.into());
        }
        if let Some(own) = &self.own {
            let mut own =
                serde_json::to_value(own).expect("strings, numbers and maps with text keys always serialise");
            if !parent.is_empty() {
                match own.get_mut(HIDDEN) {
                    Some(Value::Object(of_later_version)) => of_later_version.append(&mut parent),
                    _ => own[HIDDEN] = Value::Object(parent),
                }
            }
            object.insert("execenv".into(), own);
        }
        for (key, value) in &self.other {
            object.entry(key.clone()).or_insert_with(|| value.clone());
        }
        serde_json::to_vec(&object).expect("a JSON value always serialises")
    }

    /// The keys of [`PARENT`] that this record has.
    fn parent(&self) -> Map<String, Value> {
        let texts = [
            &self.kind,
            &self.issue_id,
            &self.chat_session_id,
            &self.autopilot_run_id,
            &self.task_id,
            &self.completed_at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default(),
        ];
        let given = PARENT.iter().zip(texts).filter(|(_, text)| !text.is_empty());
        given.map(|(key, text)| ((*key).to_owned(), text.as_str().into())).collect()
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::EnvStatus;

    #[test]
    fn unknown_keys_survive_at_both_levels_and_numbers_keep_their_text() {
        let text = br#"{"kind":"issue","issue_id":"i","workspace_id":"w","completed_at":"2026-01-02T03:04:05.000000006Z","local_directory":true,"execenv":{"schema":1,"task_id":"t","provider":"claude","work_dir":"/w","status":"completed","later":{"x":1.50}},"future":{"n":12345678901234567890}}"#;
        let meta = Meta::parse(text).unwrap();
        assert_eq!(String::from_utf8(meta.to_bytes()).unwrap(), String::from_utf8(text.to_vec()).unwrap());
    }

    #[test]
    fn what_multica_judges_by_is_hidden_while_an_environment_is_reserved() {
        let shown = r#"{"kind":"chat","chat_session_id":"c","workspace_id":"w","completed_at":"2026-01-02T03:04:05Z","execenv":{"schema":1}}"#;
        let meta = Meta::parse(shown.as_bytes()).unwrap();
        for (status, lease, is_hidden) in [
            (EnvStatus::Prepared, true, true),
            (EnvStatus::Starting, false, true),
            (EnvStatus::Running, false, true),
            (EnvStatus::Completed, false, false),
            (EnvStatus::Crashed, false, false),
            (EnvStatus::Cleaned, false, false),
        ] {
            let mut meta = meta.clone();
            let own = meta.own.as_mut().unwrap();
            own.status = status;
            own.lease_until = lease.then_some(DateTime::UNIX_EPOCH);
            let bytes = meta.to_bytes();
            let file: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(file["kind"] == HIDDEN_KIND, is_hidden, "{file}");
            assert_eq!(file.get("chat_session_id").is_none(), is_hidden, "{file}");
            assert_eq!(file.get("completed_at").is_none(), is_hidden, "{file}");
            assert_eq!(Meta::parse(&bytes).unwrap(), meta);
        }
        // What a later version adds there stays; a parent that another program wrote wins.
        let later = r#"{"kind":"execenv","workspace_id":"w","execenv":{"schema":1,"lease_until":"2026-01-02T03:04:05Z","parent":{"swarm":1,"kind":"issue","issue_id":"i"}}}"#;
        let meta = Meta::parse(later.as_bytes()).unwrap();
        assert_eq!((meta.kind.as_str(), meta.issue_id.as_str()), ("issue", "i"));
        let again: Value = serde_json::from_slice(&meta.to_bytes()).unwrap();
        assert_eq!(again["execenv"]["parent"]["swarm"], 1);
        let both = later.replacen(r#""kind":"execenv""#, r#""kind":"chat","chat_session_id":"c""#, 1);
        let meta = Meta::parse(both.as_bytes()).unwrap();
        assert_eq!(
            (meta.kind.as_str(), meta.chat_session_id.as_str(), meta.issue_id.as_str()),
            ("chat", "c", "")
        );
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
