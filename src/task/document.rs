//! The task document: the object that a multica server returns when a task is claimed, plus `provider`.
//!
//! The field names are those of multica's claim object. Unknown fields are ignored and reported; a wrong type is
//! an error that names the field and the line. `null` reads as absent, because upstream's encoder writes it so.

use anyhow::Result;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;

#[cfg(test)]
use super::claim::Plugin;
use super::claim::{
    ChatAttachment, ConnectedApp, FoldedComment, IssueStatus, SiblingRun, null_is_default, object, objects,
    plugin, worth_a_warning,
};
use crate::failure::{Code, Failure};
use crate::object::Object;

/// Everything known about a task. Empty strings and lists mean "not given".
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct TaskDocument {
    #[serde(deserialize_with = "null_is_default")]
    pub id: String,
    #[serde(deserialize_with = "null_is_default")]
    pub workspace_id: String,
    /// Which agent CLI the environment is for; empty: the generic layout.
    #[serde(deserialize_with = "null_is_default")]
    pub provider: String,
    /// What the agent is to do, in place of the prompt that is composed from the other fields. Ours, not multica's.
    #[serde(deserialize_with = "null_is_default")]
    pub prompt: String,
    #[serde(deserialize_with = "null_is_default")]
    pub agent_id: String,
    #[serde(deserialize_with = "object")]
    pub agent: Agent,
    #[serde(deserialize_with = "null_is_default")]
    pub issue_id: String,
    #[serde(deserialize_with = "null_is_default")]
    pub trigger_comment_id: String,
    #[serde(deserialize_with = "null_is_default")]
    pub trigger_thread_id: String,
    /// The text of the triggering comment, for the prompt.
    #[serde(deserialize_with = "null_is_default")]
    pub trigger_comment_content: String,
    #[serde(deserialize_with = "null_is_default")]
    pub trigger_author_type: String,
    #[serde(deserialize_with = "null_is_default")]
    pub trigger_author_name: String,
    /// How many comments the issue got since the last run; below 1 means none.
    #[serde(deserialize_with = "null_is_default")]
    pub new_comment_count: i64,
    /// RFC 3339; empty on a first run.
    #[serde(deserialize_with = "null_is_default")]
    pub new_comments_since: String,
    /// Comments that were folded into this run; empty on servers that only name them.
    #[serde(deserialize_with = "objects")]
    pub coalesced_comments: Vec<FoldedComment>,
    /// Their ids.
    #[serde(deserialize_with = "null_is_default")]
    pub coalesced_comment_ids: Vec<String>,
    #[serde(deserialize_with = "objects")]
    pub repos: Vec<Repository>,
    #[serde(deserialize_with = "null_is_default")]
    pub project_id: String,
    #[serde(deserialize_with = "null_is_default")]
    pub project_title: String,
    #[serde(deserialize_with = "null_is_default")]
    pub project_description: String,
    #[serde(deserialize_with = "objects")]
    pub project_resources: Vec<ProjectResource>,
    #[serde(deserialize_with = "null_is_default")]
    pub chat_session_id: String,
    #[serde(deserialize_with = "null_is_default")]
    pub chat_message: String,
    /// The messenger that the chat comes from, such as `slack`; empty: the platform's own chat.
    #[serde(deserialize_with = "null_is_default")]
    pub chat_channel_type: String,
    /// `group`, or `p2p` for a talk with one person; empty: not known.
    #[serde(deserialize_with = "null_is_default")]
    pub chat_type: String,
    /// The message is part of a thread.
    #[serde(deserialize_with = "null_is_default")]
    pub chat_in_thread: bool,
    /// A file that the agent uploads reaches the channel.
    #[serde(deserialize_with = "null_is_default")]
    pub chat_channel_delivers_files: bool,
    /// Files of the message.
    #[serde(deserialize_with = "objects")]
    pub chat_message_attachments: Vec<ChatAttachment>,
    #[serde(deserialize_with = "null_is_default")]
    pub autopilot_run_id: String,
    #[serde(deserialize_with = "null_is_default")]
    pub autopilot_id: String,
    #[serde(deserialize_with = "null_is_default")]
    pub autopilot_title: String,
    #[serde(deserialize_with = "null_is_default")]
    pub autopilot_description: String,
    #[serde(deserialize_with = "null_is_default")]
    pub autopilot_source: String,
    /// Any JSON; `null` reads as absent.
    pub autopilot_trigger_payload: Option<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub quick_create_prompt: String,
    #[serde(deserialize_with = "null_is_default")]
    pub quick_create_priority: String,
    /// `YYYY-MM-DD`, or a time.
    #[serde(deserialize_with = "null_is_default")]
    pub quick_create_due_date: String,
    #[serde(deserialize_with = "null_is_default")]
    pub quick_create_attachment_ids: Vec<String>,
    /// The issue under which the new one goes.
    #[serde(deserialize_with = "null_is_default")]
    pub parent_issue_id: String,
    #[serde(deserialize_with = "null_is_default")]
    pub parent_issue_identifier: String,
    /// Asks for suggestions and not for a run of an agent: refused.
    #[serde(deserialize_with = "null_is_default")]
    pub regenerate_quick_actions_for: String,
    /// MCP connections that only multica's daemon can make.
    #[serde(deserialize_with = "null_is_default")]
    pub remote_mcp_connections: Vec<Value>,
    /// Tools that only multica's daemon can offer.
    #[serde(deserialize_with = "null_is_default")]
    pub plugin_hook_tools: Vec<Value>,
    #[serde(deserialize_with = "null_is_default")]
    pub handoff_note: String,
    /// The agent leads a squad, in a document that was written by hand: no server sends it.
    #[serde(deserialize_with = "null_is_default")]
    pub is_squad_leader: bool,
    /// The agent leads a squad in this run. Valid only if `leader_role_resolved`.
    #[serde(deserialize_with = "null_is_default")]
    pub is_leader_task: bool,
    /// The server knows the role: earlier ones send `is_leader_task` without a promise.
    #[serde(deserialize_with = "null_is_default")]
    pub leader_role_resolved: bool,
    /// The squad that the agent leads, or that was picked in the quick-create box.
    #[serde(deserialize_with = "null_is_default")]
    pub squad_id: String,
    #[serde(deserialize_with = "null_is_default")]
    pub squad_name: String,
    /// Statuses that the workspace has besides the built-in ones.
    #[serde(deserialize_with = "objects")]
    pub issue_statuses: Vec<IssueStatus>,
    /// How many more there are.
    #[serde(deserialize_with = "null_is_default")]
    pub issue_statuses_omitted: i64,
    #[serde(deserialize_with = "objects")]
    pub connected_apps: Vec<ConnectedApp>,
    #[serde(deserialize_with = "objects")]
    pub active_sibling_runs: Vec<SiblingRun>,
    /// The earlier session was to be resumed, and cannot be.
    #[serde(deserialize_with = "null_is_default")]
    pub prior_session_resume_unavailable: bool,
    #[serde(deserialize_with = "null_is_default")]
    pub workspace_context: String,
    #[serde(deserialize_with = "null_is_default")]
    pub requesting_user_name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub requesting_user_profile_description: String,
    #[serde(deserialize_with = "null_is_default")]
    pub initiator_type: String,
    #[serde(deserialize_with = "null_is_default")]
    pub initiator_id: String,
    #[serde(deserialize_with = "null_is_default")]
    pub initiator_name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub initiator_email: String,
    #[serde(deserialize_with = "null_is_default")]
    pub prior_session_id: String,
    #[serde(deserialize_with = "null_is_default")]
    pub prior_work_dir: String,
}

/// The agent that works on the task.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Agent {
    #[serde(deserialize_with = "null_is_default")]
    pub id: String,
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub instructions: String,
    #[serde(deserialize_with = "objects")]
    pub skills: Vec<Skill>,
    /// Skills of which the claim has only the names; multica's daemon fetches them.
    #[serde(deserialize_with = "null_is_default")]
    pub skill_refs: Vec<Value>,
    /// Three states: absent or `null` (the user's own set-up stays), managed and empty, managed.
    pub mcp_config: Option<Value>,
    /// Variables for the agent. Values may be secrets: they are never written to the meta or a log.
    #[serde(deserialize_with = "null_is_default")]
    pub custom_env: std::collections::BTreeMap<String, String>,
    #[serde(deserialize_with = "null_is_default")]
    pub custom_args: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub model: String,
    /// Settings of the provider's own runtime, such as OpenClaw's mode and gateway. They may contain a token.
    pub runtime_config: Option<Value>,
    /// Skills of the machine's user that this agent must not see.
    #[serde(deserialize_with = "objects")]
    pub disabled_runtime_skills: Vec<DisabledSkill>,
}

/// A skill of the user that is disabled for this task.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct DisabledSkill {
    /// Which folder it is in: `provider` (the agent CLI's own) or `universal` (`~/.agents/skills`).
    #[serde(deserialize_with = "null_is_default")]
    pub root: String,
    /// Its path below that folder. It comes from outside and is checked before it is used.
    #[serde(deserialize_with = "null_is_default")]
    pub key: String,
    /// The name the agent calls it by, if that differs from the key's last part.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// The plugin that it comes from; empty: none.
    #[serde(deserialize_with = "plugin")]
    #[cfg_attr(test, schemars(with = "Plugin"))]
    pub plugin: String,
}

/// A skill: the text of its `SKILL.md` and files beside it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Skill {
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub description: String,
    #[serde(deserialize_with = "null_is_default")]
    pub content: String,
    #[serde(deserialize_with = "objects")]
    pub files: Vec<SkillFile>,
}

/// One file beside a `SKILL.md`. `path` comes from outside and is checked before it is used.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct SkillFile {
    #[serde(deserialize_with = "null_is_default")]
    pub path: String,
    /// Its bytes; in a document they are text.
    #[serde(deserialize_with = "text_as_bytes")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub content: Vec<u8>,
    /// Its permission bits. A document has none.
    #[serde(skip)]
    pub mode: u32,
}

impl Default for SkillFile {
    fn default() -> Self {
        Self { path: String::new(), content: Vec::new(), mode: 0o644 }
    }
}

/// A repository the agent may check out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Repository {
    #[serde(deserialize_with = "null_is_default")]
    pub url: String,
    #[serde(deserialize_with = "null_is_default")]
    pub description: String,
    #[serde(rename = "ref", deserialize_with = "null_is_default")]
    pub reference: String,
}

/// A resource attached to the project. Also written to `resources.json`, so it reads and writes the same JSON.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ProjectResource {
    #[serde(deserialize_with = "null_is_default")]
    pub id: String,
    #[serde(deserialize_with = "null_is_default")]
    pub resource_type: String,
    /// Any JSON, kept as it came; missing: `{}`.
    #[serde(default = "empty_object")]
    pub resource_ref: Value,
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub label: String,
}

/// How an agent works in a folder of the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionMode {
    /// In the folder itself.
    InPlace,
    /// In a worktree of its repository, with its uncommitted changes.
    Worktree,
}

/// How an issue task was triggered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerSource {
    /// The issue was assigned to the agent.
    Assignment,
    /// A comment on the issue.
    Comment,
}

impl TaskDocument {
    /// How the agent is to work in a folder of the user's, as the project's resource for it says. `None`: no resource is about
    /// this folder. `is_it` compares paths.
    ///
    /// # Errors
    /// A [`Code::BadDocument`] failure for a mode that is not known: it may be a request for isolation.
    pub fn execution_mode(&self, is_it: impl Fn(&str) -> bool) -> Result<Option<ExecutionMode>> {
        let text = |resource: &ProjectResource, key: &str| {
            resource.resource_ref.get(key).and_then(Value::as_str).unwrap_or_default().trim().to_owned()
        };
        let mut modes = self.project_resources.iter().filter(|resource| {
            let path = text(resource, "local_path");
            resource.resource_type == "local_directory" && !path.is_empty() && is_it(&path)
        });
        let Some(resource) = modes.next() else { return Ok(None) };
        let path = text(resource, "local_path");
        if modes.next().is_some() {
            let message = format!("multiple local_directory resources name {}", path.escape_debug());
            return Err(Failure::new(Code::BadDocument, message).hint("leave one of them").into());
        }
        match text(resource, "execution_mode").as_str() {
            "" | "in_place" => Ok(Some(ExecutionMode::InPlace)),
            "worktree" => Ok(Some(ExecutionMode::Worktree)),
            other => {
                let message = format!(
                    "the local_directory resource for {} has the unknown execution_mode `{}`",
                    path.escape_debug(),
                    other.escape_debug()
                );
                Err(Failure::new(Code::BadDocument, message).hint("`in_place` or `worktree`").into())
            }
        }
    }

    /// Whether a comment triggered the task.
    pub fn trigger(&self) -> TriggerSource {
        if self.trigger_comment_id.is_empty() { TriggerSource::Assignment } else { TriggerSource::Comment }
    }

    /// Whether the agent leads a squad. Never derived from its instructions.
    pub fn is_leader(&self) -> bool {
        let is_wires = self.is_leader_task || !self.squad_id.is_empty();
        self.is_squad_leader || (self.leader_role_resolved && is_wires)
    }

    /// The agent's id, from the agent record or the claim.
    pub fn agent_id(&self) -> &str {
        if self.agent.id.is_empty() { &self.agent_id } else { &self.agent.id }
    }

    /// The thread of the triggering comment; the comment itself if no thread is given.
    pub fn trigger_thread(&self) -> &str {
        if self.trigger_thread_id.is_empty() { &self.trigger_comment_id } else { &self.trigger_thread_id }
    }
}

/// Reads a task document. `origin` is the name used in messages: a path, or `standard input`.
/// Returns the document and the dotted names of the fields that were not understood.
///
/// # Errors
/// A [`Code::BadDocument`] failure that names the document, the field and the line.
pub fn parse_document(text: &[u8], origin: &str) -> Result<(TaskDocument, Vec<String>)> {
    let (task, unknown): (TaskDocument, _) = parse(text, origin)?;
    if !task.regenerate_quick_actions_for.is_empty() {
        let message = format!(
            "{origin}: `regenerate_quick_actions_for` asks for suggestions, not for a run of an agent"
        );
        return Err(Failure::new(Code::BadDocument, message)
            .hint("leave such a task to multica's daemon; execenv prepares environments for agents")
            .into());
    }
    Ok((task, worth_a_warning(&unknown)))
}

/// What a document asks for that execenv cannot give, each as a warning.
pub fn not_served(task: &TaskDocument) -> Vec<String> {
    let mut warnings = Vec::new();
    if !task.agent.skill_refs.is_empty() {
        warnings.push(format!(
            "the task document has {} of the agent's skills only by reference (`agent.skill_refs`): they are not installed",
            task.agent.skill_refs.len()
        ));
    }
    for (field, values) in [
        ("remote_mcp_connections", &task.remote_mcp_connections),
        ("plugin_hook_tools", &task.plugin_hook_tools),
    ] {
        if !values.is_empty() {
            warnings.push(format!(
                "`{field}` of the task document needs multica's daemon: the agent does not get these tools"
            ));
        }
    }
    warnings
}

/// Reads any JSON document in the same way: returns unknown fields, and errors name the field and the line.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8], origin: &str) -> Result<(T, Vec<String>)> {
    if text.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        let message = format!("{origin}, line 1: a JSON object is expected");
        return Err(Failure::new(Code::BadDocument, message).into());
    }
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let mut json = serde_json::Deserializer::from_slice(text);
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let parsed = serde_ignored::deserialize::<_, _, Object<T>>(tracked, |path| {
        // A `?` stands for a step through an `Option`, which is ours and not the document's.
        unknown.push(path.to_string().replace(".?", ""));
    });
    let value = parsed.and_then(|Object(value)| json.end().map(|()| value)).map_err(|error| {
        let path = track.path().to_string();
        let field = if path == "." { String::new() } else { format!("field `{path}`: ") };
        // serde_json ends its own message with the position; keep one.
        let text = error.to_string();
        let cause = text.split(" at line ").next().unwrap_or(&text);
        Failure::new(
            Code::BadDocument,
            format!(
                "{origin}, line {}, column {}: {field}{}",
                error.line(),
                error.column(),
                without_value(cause)
            ),
        )
        .hint("the document is one JSON object; `execenv man prepare | man -l -` lists its fields")
    })?;
    Ok((value, unknown))
}

/// serde's message about a wrong type, without the value that it quotes: the value may be a secret.
fn without_value(cause: &str) -> String {
    let wrong = ["invalid type: ", "invalid value: "].into_iter().find(|wrong| cause.starts_with(wrong));
    let Some(wrong) = wrong else { return cause.to_owned() };
    let (found, expected) =
        cause[wrong.len()..].rsplit_once(", expected ").unwrap_or((cause, "something else"));
    let kind = found.trim_start_matches(wrong).split(['"', '`']).next().unwrap_or_default().trim_end();
    format!("{wrong}{kind}, expected {expected}")
}

fn text_as_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    null_is_default::<D, String>(deserializer).map(String::into_bytes)
}

fn empty_object() -> Value {
    Value::Object(serde_json::Map::new())
}

#[cfg(test)]
mod tests;
