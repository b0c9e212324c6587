//! Whose an environment is, by what stands in it and never by the names of its folders: multica names them after issues
//! and workspaces, as people read them.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::meta::{Meta, SCHEMA};
use super::own::Own;
use crate::layout::names;
use crate::sys::tree::Tree;
use crate::task::TaskDocument;

/// The largest owner file or proof that is read, in bytes.
const MAX: u64 = 64 << 10;

/// The ids of an environment's task, as far as its files name them. Empty: not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The full id of the task.
    pub task_id: String,
    /// The workspace's id.
    pub workspace_id: String,
    /// The agent's id.
    pub agent_id: String,
    /// The issue that it was made for.
    pub issue_id: String,
    /// The chat session that it was made for.
    pub chat_session_id: String,
}

impl Identity {
    /// Reads it: from the record; what a record of multica's does not say, or where there is none, from the files that
    /// multica writes before a task begins.
    pub fn of(env: &Tree, meta: Option<&Meta>) -> Identity {
        let mut identity = meta.map(Identity::recorded).unwrap_or_default();
        if meta.is_some_and(|meta| meta.own.is_some()) {
            return identity;
        }
        let owner = Owner::read(env);
        let proof: Proof = read(env, names::MANAGED).filter(Proof::is_multicas).unwrap_or_default();
        // Once multica has written its record, that is newer than the proof.
        let has_parent =
            meta.is_some_and(|meta| !meta.issue_id.is_empty() || !meta.chat_session_id.is_empty());
        let workspace_id =
            if owner.workspace_id.is_empty() { proof.workspace_id } else { owner.workspace_id };
        for (known, other) in [
            (&mut identity.task_id, owner.task_id),
            (&mut identity.workspace_id, workspace_id),
            (&mut identity.agent_id, proof.agent_id),
            (&mut identity.issue_id, if has_parent { String::new() } else { proof.issue_id }),
            (&mut identity.chat_session_id, if has_parent { String::new() } else { proof.chat_session_id }),
        ] {
            if known.is_empty() {
                other.trim().clone_into(known);
            }
        }
        identity
    }

    /// What a record says by itself.
    fn recorded(meta: &Meta) -> Identity {
        let own = meta.own.as_ref();
        Identity {
            task_id: own.map_or(&meta.task_id, |own| &own.task_id).clone(),
            workspace_id: meta.workspace_id.clone(),
            agent_id: own.map(|own| own.agent_id.clone()).unwrap_or_default(),
            issue_id: meta.issue_id.clone(),
            chat_session_id: meta.chat_session_id.clone(),
        }
    }

    /// Whether any file names a task, or what the environment is for.
    pub fn is_known(&self) -> bool {
        [&self.task_id, &self.issue_id, &self.chat_session_id].iter().any(|id| !id.is_empty())
    }

    /// The record that multica would write for it: it writes one only when a task has ended.
    pub fn to_meta(&self) -> Meta {
        let kind = match (self.chat_session_id.is_empty(), self.issue_id.is_empty()) {
            (false, _) => "chat",
            (true, false) => "issue",
            (true, true) => "",
        };
        Meta {
            kind: kind.to_owned(),
            issue_id: self.issue_id.clone(),
            chat_session_id: self.chat_session_id.clone(),
            workspace_id: self.workspace_id.clone(),
            ..Meta::default()
        }
    }

    /// In what the environment is another one's than a task's: pairs of a word, whose it is, and whose the task is.
    pub fn differences(&self, task: &TaskDocument) -> Vec<(&'static str, String, String)> {
        let pairs = [
            ("issue", &self.issue_id, task.issue_id.as_str()),
            ("chat", &self.chat_session_id, task.chat_session_id.as_str()),
            ("agent", &self.agent_id, task.agent_id()),
        ];
        let differ = pairs.into_iter().filter(|(_, its, the_tasks)| {
            !its.is_empty() && !the_tasks.is_empty() && its.as_str() != *the_tasks
        });
        differ.map(|(word, its, the_tasks)| (word, its.clone(), the_tasks.to_owned())).collect()
    }
}

impl Meta {
    /// execenv's own part; rebuilt from multica's files if multica wrote the record last.
    pub fn own_or_rebuilt(&self, env: &Tree) -> Own {
        self.own.clone().unwrap_or_else(|| {
            let identity = Identity::of(env, Some(self));
            Own {
                schema: SCHEMA,
                task_id: identity.task_id,
                agent_id: identity.agent_id,
                work_dir: env.path().join(names::WORK_DIR),
                ..Own::default()
            }
        })
    }
}

/// multica's owner file: an object, or the plain id of the task in environments of earlier versions and in ours.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Owner {
    workspace_id: String,
    task_id: String,
}

impl Owner {
    fn read(env: &Tree) -> Owner {
        let Ok(Some(bytes)) = env.read(Path::new(names::OWNER), MAX) else { return Owner::default() };
        let text = String::from_utf8_lossy(&bytes);
        match text.trim() {
            object if object.starts_with('{') => serde_json::from_str(object).unwrap_or_default(),
            task_id => Owner { task_id: task_id.to_owned(), ..Owner::default() },
        }
    }
}

/// multica's proof that an environment may be reused.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Proof {
    managed_by: String,
    workspace_id: String,
    issue_id: String,
    chat_session_id: String,
    agent_id: String,
}

impl Proof {
    fn is_multicas(&self) -> bool {
        self.managed_by == "multica-daemon-managed-env"
    }
}

fn read<T: DeserializeOwned>(env: &Tree, name: &str) -> Option<T> {
    let bytes = env.read(Path::new(name), MAX).ok()??;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests make their own fixtures")]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_record_then_the_owner_file_then_the_proof() {
        const OURS: &str = r#"{"workspace_id":"W","issue_id":"I","execenv":{"task_id":"T","agent_id":"A"}}"#;
        const THEIRS: &str = r#"{"kind":"issue","workspace_id":"W","issue_id":"I"}"#;
        const PROOF: &str = r#"{"managed_by":"multica-daemon-managed-env","workspace_id":"P","issue_id":"PI","agent_id":"PA"}"#;
        const OTHER: &str = r#"{"managed_by":"another","workspace_id":"P","issue_id":"PI","agent_id":"PA"}"#;
        type Files = &'static [(&'static str, &'static str)];
        // task, workspace, agent, issue
        let cases: [(Files, [&str; 4]); 8] = [
            (&[(names::META, OURS), (names::OWNER, "X"), (names::MANAGED, PROOF)], ["T", "W", "A", "I"]),
            (&[(names::META, THEIRS), (names::OWNER, " T\n")], ["T", "W", "", "I"]),
            (&[(names::META, THEIRS), (names::MANAGED, PROOF)], ["", "W", "PA", "I"]),
            (&[(names::OWNER, r#"{"workspace_id":"O","task_id":"T"}"#)], ["T", "O", "", ""]),
            (&[(names::OWNER, r#"{"task_id":"T"}"#), (names::MANAGED, PROOF)], ["T", "P", "PA", "PI"]),
            (&[(names::MANAGED, OTHER)], ["", "", "", ""]),
            (&[(names::OWNER, r#"{"task_id":7}"#)], ["", "", "", ""]),
            (&[], ["", "", "", ""]),
        ];
        for (files, expected) in cases {
            let tmp = tempfile::tempdir().unwrap();
            files.iter().for_each(|(name, text)| fs::write(tmp.path().join(name), text).unwrap());
            let env = Tree::open(tmp.path()).unwrap();
            let read = Identity::of(&env, Meta::load(&env).unwrap().as_ref());
            let found = [&read.task_id, &read.workspace_id, &read.agent_id, &read.issue_id];
            assert_eq!(found, expected, "{files:?}");
            assert_eq!(read.is_known(), expected != [""; 4], "{files:?}");
        }
    }
}
