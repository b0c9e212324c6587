//! Smaller objects of a claim: comments, files, statuses, runs and apps that the texts for the agent speak of.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::object::Object;

macro_rules! object {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(default)]
        pub struct $name {
            $($(#[$field_doc])* #[serde(deserialize_with = "null_is_default")] pub $field: $kind,)+
        }
    };
}

object! {
    /// A comment that was folded into this run before it began: it waits for an answer as the trigger does.
    FoldedComment {
        /// Its id.
        id: String,
        /// Its thread; empty: a thread of its own.
        thread_id: String,
        /// `member`, `agent` or `system`.
        author_type: String,
        /// Its author.
        author_name: String,
        /// Its text.
        content: String,
        /// RFC 3339.
        created_at: String,
    }
}

object! {
    /// A status that the workspace has besides the built-in ones.
    IssueStatus {
        /// What commands take.
        key: String,
        /// What people read.
        name: String,
        /// The built-in status that it counts as.
        category: String,
        /// When it is set.
        description: String,
    }
}

object! {
    /// An app that is connected to this run through an MCP server.
    ConnectedApp {
        /// Who connects it.
        provider: String,
        /// The MCP server's name in the agent's configuration.
        server_name: String,
        /// The app.
        toolkit_slug: String,
        /// Its name for people.
        toolkit_name: String,
    }
}

object! {
    /// Another run that is on at the same time, on this issue or one beside it.
    SiblingRun {
        /// Its task.
        task_id: String,
        /// Its issue.
        issue_id: String,
        /// The issue's identifier for people.
        issue_identifier: String,
        /// The issue's title.
        issue_title: String,
        /// It has shown no sign of life for a while.
        stale: bool,
        /// Its agent.
        agent_name: String,
        /// Its state.
        status: String,
        /// RFC 3339.
        created_at: String,
        /// RFC 3339; empty: not started.
        started_at: String,
    }
}

object! {
    /// A file that is attached to a chat message.
    ChatAttachment {
        /// Its id, for the download.
        id: String,
        /// Its name.
        filename: String,
        /// Its media type.
        content_type: String,
    }
}

/// `null` is absent: multica's encoder writes it so.
pub(super) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The same of a struct.
pub(super) fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    null_is_default(deserializer).map(|Object(value)| value)
}

/// The same of a list of structs.
pub(super) fn objects<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let list: Vec<Object<T>> = null_is_default(deserializer)?;
    Ok(list.into_iter().map(|Object(value)| value).collect())
}

/// Reads the name of a plugin. An earlier document had a flag in its place: `true` is a plugin without a name.
pub(super) fn plugin<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null | Value::Bool(false) => Ok(String::new()),
        Value::Bool(true) => Ok("true".to_owned()),
        Value::String(name) => Ok(name),
        _ => Err(serde::de::Error::custom("invalid type: not a text, expected a string")),
    }
}

/// What stands for a plugin in a document: its name, or the flag of earlier documents.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its form is of interest")]
pub(super) enum Plugin {
    Name(String),
    Flag(bool),
}

/// Fields of a claim that say nothing which an environment needs, without the numbers of list entries. They are not
/// worth a warning.
const HARMLESS: &[&str] = &[
    "agent.avatar_url",
    "agent.description",
    "agent.disabled_runtime_skills[].provider",
    "agent.disabled_runtime_skills[].runtime_id",
    "agent.service_tier",
    "agent.thinking_level",
    "attempt",
    "attribution",
    // How a run gets it: `run --env`.
    "auth_token",
    "branch_name",
    "chat_intro",
    "completed_at",
    "created_at",
    "delivered_comment_ids",
    "dispatched_at",
    "durable_work_dir",
    "error",
    "failure_reason",
    "is_leader_briefing",
    "issue_assignee_id",
    "issue_assignee_type",
    "issue_changed_fields",
    "issue_identifier",
    "issue_state_delta_known",
    "issue_status",
    "kind",
    "max_attempts",
    "new_comments_delta_known",
    "parent_task_id",
    "priority",
    "quick_create_source_context",
    "relative_durable_work_dir",
    "relative_work_dir",
    "result",
    "runtime_id",
    "started_at",
    "status",
    "thread_name",
    "trigger_summary",
    "work_dir",
];

/// The unknown fields that are worth a warning, each once: `skills.0.id` and `skills.1.id` are `skills[].id`.
pub(super) fn worth_a_warning(unknown: &[String]) -> Vec<String> {
    let mut told = Vec::new();
    for path in unknown {
        let mut name = String::new();
        for step in path.split('.') {
            match step.bytes().all(|byte| byte.is_ascii_digit()) {
                true => name.push_str("[]"),
                false if name.is_empty() => name.push_str(step),
                false => {
                    name.push('.');
                    name.push_str(step);
                }
            }
        }
        let is_harmless = HARMLESS.iter().any(|known| {
            name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        });
        if !is_harmless && !told.contains(&name) {
            told.push(name);
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_told_once_and_harmless_ones_not_at_all() {
        let unknown = [
            "auth_token",
            "agent.skills.0.id",
            "agent.skills.1.id",
            "result.deep.0.er",
            "statuses",
            "agent.zeta",
            "repos.0.x.3.y",
        ]
        .map(str::to_owned);
        assert_eq!(
            worth_a_warning(&unknown),
            ["agent.skills[].id", "statuses", "agent.zeta", "repos[].x[].y"]
        );
        assert!(HARMLESS.is_sorted());
    }
}
