//! The protocol's messages, read in place. Every field is looked at on its own, so that one of an unexpected type reads as
//! absent: agents change their messages from one release to the next, and some follow older drafts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::protocol::JsonText;
use crate::protocol::ndjson::field::{List, Maybe};

/// A value of any type, or none.
pub(super) type Any<'a> = Option<&'a RawValue>;

/// The text of a value that is a string; else an empty one.
pub(super) fn text(value: Any<'_>) -> Cow<'_, str> {
    literal(value).decode()
}

/// The same, not decoded.
pub(super) fn literal(value: Any<'_>) -> JsonText<'_> {
    value.and_then(|value| JsonText::from_json(value.get())).unwrap_or_default()
}

/// A value that is an object of this form.
pub(super) fn object<'a, T: Deserialize<'a>>(value: Any<'a>) -> Option<T> {
    let json = value?.get();
    // serde would read a struct from an array as well.
    json.starts_with('{').then(|| serde_json::from_str(json).ok())?
}

/// The elements of a value that is an array.
pub(super) fn array(value: Any<'_>) -> Vec<&RawValue> {
    value.and_then(|value| serde_json::from_str(value.get()).ok()).unwrap_or_default()
}

macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident { $($(#[$serde:meta])* $field:ident,)* })*) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub(super) struct $name<'a> {
            $(#[serde(borrow, default)] $(#[$serde])* pub(super) $field: Any<'a>,)*
        })*
    };
}

messages! {
    /// The answer to `initialize`.
    Initialized { agent_capabilities, }
    /// What the agent can do.
    Capabilities { load_session, session_capabilities, mcp_capabilities, }
    /// What it can do with sessions besides.
    SessionCapabilities { resume, }
    /// Which MCP servers it takes besides those that are programs.
    McpCapabilities { http, sse, }
    /// The answer to `session/new`, `session/resume` and `session/load`.
    Opened { session_id, models, config_options, #[serde(rename = "_meta")] meta, }
    /// The models of a session.
    Models { current_model_id, }
    /// An option of a session.
    ConfigOption { id, category, current_value, }
    /// The answer to `session/prompt`.
    Prompted { stop_reason, usage, #[serde(rename = "_meta")] meta, }
    /// `session/update`.
    Update {
        session_update, r#type, content, title, kind, status, tool_call_id, raw_input, input, parameters, raw_output, output,
        cost, #[serde(rename = "_meta")] meta,
    }
    /// A block of content: of a message, or inside one of a tool call.
    Block { text, }
    /// `session/request_permission`.
    Question { options, tool_call, }
    /// One of the answers that it offers.
    Choice { option_id, kind, }
    /// A price.
    Cost { amount, currency, }
    /// What some agents add to an update.
    Meta { usage, quota, tool_name, hermes, }
    /// Where Hermes says which session it is.
    Hermes { session_provenance, }
    /// Which one.
    Provenance { acp_session_id, }
    /// Tokens of Gemini's.
    Quota { #[serde(rename = "token_count")] token_count, #[serde(rename = "model_usage")] model_usage, }
    /// Tokens of one model.
    ModelUsage { model, #[serde(rename = "token_count")] token_count, }
    /// `_reasonix.io/session/status_update`.
    Status { status, usage, model, }
    /// Token counts, in the spellings that are about.
    Counts {
        input_tokens, output_tokens, total_tokens, cached_read_tokens, cached_write_tokens,
        #[serde(rename = "input_tokens")] snake_input, #[serde(rename = "output_tokens")] snake_output,
        #[serde(rename = "total_tokens")] snake_total,
        #[serde(rename = "cached_read_tokens")] snake_read, #[serde(rename = "cached_write_tokens")] snake_write,
        prompt_tokens, completion_tokens, cache_hit_tokens,
    }
    /// What an error says besides.
    ErrorData { details, message, }
}

/// Almost every line of a long turn, read in one pass: `session/update` whose kind stands in a field.
#[derive(Debug, Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    method: Any<'a>,
    #[serde(borrow, default)]
    id: Any<'a>,
    #[serde(borrow, default)]
    params: Maybe<Params<'a>>,
}

#[derive(Debug, Deserialize)]
struct Params<'a> {
    #[serde(borrow, default)]
    update: Maybe<Update<'a>>,
}

/// The update that a line carries; `None` where the line is another message, or has its parts elsewhere.
pub(super) fn quick(line: &str) -> Option<(Kind<'_>, Update<'_>)> {
    const METHOD: &[u8] = b"\"session/update\"";
    const NEAR: usize = 64;
    // Any other message would be read twice.
    memchr::memmem::find(&line.as_bytes()[..line.len().min(NEAR)], METHOD)?;
    let line: Line<'_> = serde_json::from_str(line).ok()?;
    let is_update = line.id.is_none() && line.method.is_some_and(|method| method.get().as_bytes() == METHOD);
    let update = line.params.0.filter(|_| is_update)?.update.0?;
    Some((Kind::of(text(Some(update.named()?))), update))
}

/// A block of what a tool says, with the block that it may hold, read in one pass.
#[derive(Debug, Deserialize)]
pub(super) struct Said<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Any<'a>,
    #[serde(borrow, default)]
    pub(super) text: Any<'a>,
    #[serde(borrow, default)]
    pub(super) content: Maybe<Block<'a>>,
    #[serde(borrow, default)]
    pub(super) path: Any<'a>,
}

/// The blocks of what a tool says; anything else reads as none.
pub(super) fn said(content: Any<'_>) -> Vec<Said<'_>> {
    content
        .and_then(|content| serde_json::from_str::<List<Said<'_>>>(content.get()).ok())
        .unwrap_or_default()
        .0
}

/// What `session/update` carries.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Notice<'a> {
    #[serde(borrow, default, rename = "sessionId")]
    pub(super) session_id: Any<'a>,
    #[serde(borrow, default)]
    pub(super) update: Any<'a>,
}

impl<'a> Update<'a> {
    fn named(&self) -> Any<'a> {
        self.session_update.or(self.r#type)
    }

    /// Reads it; its kind stands in a field, or is the only key around it.
    pub(super) fn of(value: Any<'a>) -> Option<(Kind<'a>, Update<'a>)> {
        let update: Update<'a> = object(value)?;
        if let Some(named) = update.named() {
            return Some((Kind::of(text(Some(named))), update));
        }
        let wrapped: BTreeMap<Cow<'a, str>, &'a RawValue> = object(value)?;
        let (kind, inner) = wrapped.into_iter().next()?;
        Some((Kind::of(kind), object(Some(inner))?))
    }
}

/// The kind of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    Message,
    Thought,
    ToolCall,
    ToolCallUpdate,
    Usage,
    Plan,
    /// What says nothing about the work.
    Silent,
    Unknown(Cow<'a, str>),
}

impl<'a> Kind<'a> {
    fn of(name: Cow<'a, str>) -> Kind<'a> {
        let known = |name: &str| {
            Some(match name {
                "agent_message_chunk" | "agentmessagechunk" => Kind::Message,
                "agent_thought_chunk" | "agentthoughtchunk" => Kind::Thought,
                "tool_call" | "toolcall" => Kind::ToolCall,
                "tool_call_update" | "toolcallupdate" => Kind::ToolCallUpdate,
                "usage_update" | "usageupdate" => Kind::Usage,
                "plan" => Kind::Plan,
                "user_message_chunk"
                | "usermessagechunk"
                | "available_commands_update"
                | "availablecommandsupdate"
                | "current_mode_update"
                | "currentmodeupdate"
                | "config_option_update"
                | "configoptionupdate"
                | "session_info_update"
                | "sessioninfoupdate"
                | "turnend"
                | "endturn" => Kind::Silent,
                _ => return None,
            })
        };
        // As the protocol spells it, else in any other way.
        known(&name).unwrap_or_else(|| {
            let bare: String =
                name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect();
            known(&bare).unwrap_or(Kind::Unknown(name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_an_update_is_found_in_every_spelling() {
        for (json, kind) in [
            (r#"{"sessionUpdate":"agent_message_chunk"}"#, Some(Kind::Message)),
            (r#"{"type":"AgentMessageChunk"}"#, Some(Kind::Message)),
            (r#"{"ToolCall":{"title":"x"}}"#, Some(Kind::ToolCall)),
            (r#"{"tool-call-update":{}}"#, Some(Kind::ToolCallUpdate)),
            (r#"{"sessionUpdate":"new_thing"}"#, Some(Kind::Unknown("new_thing".into()))),
            (r#"{"sessionUpdate":7}"#, Some(Kind::Unknown("".into()))),
            ("{}", None),
            ("[]", None),
            ("7", None),
        ] {
            let value: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(Update::of(Some(value)).map(|(kind, _)| kind), kind, "{json}");
        }
    }

    #[test]
    fn only_an_update_whose_kind_stands_in_a_field_is_read_in_one_pass() {
        let kind = |line: &str| quick(line).map(|(kind, _)| format!("{kind:?}"));
        for (params, expected) in [
            (r#"{"update":{"sessionUpdate":"agent_message_chunk"}}"#, Some("Message")),
            (r#"{"update":{"type":"ToolCall"},"sessionId":"s"}"#, Some("ToolCall")),
            (r#"{"update":{"ToolCall":{"title":"x"}}}"#, None),
            (r#"{"update":1.5}"#, None),
            ("[]", None),
        ] {
            let line = format!(r#"{{"jsonrpc":"2.0","method":"session/update","params":{params}}}"#);
            assert_eq!(kind(&line).as_deref(), expected, "{line}");
        }
        for line in [
            r#"{"id":1,"method":"session/update","params":{"update":{"type":"plan"}}}"#,
            r#"{"method":"x","y":"session/update","params":{"update":{"type":"plan"}}}"#,
            r#"{"method":"session/update","params":{"update":{"type":"plan"}}"#,
        ] {
            assert_eq!(kind(line), None, "{line}");
        }
    }

    #[test]
    fn a_field_of_another_type_reads_as_absent() {
        let value: &RawValue =
            serde_json::from_str(r#"{"sessionUpdate":"tool_call","title":7,"toolCallId":["x"]}"#).unwrap();
        let (_, update) = Update::of(Some(value)).unwrap();
        assert_eq!((&*text(update.title), &*text(update.tool_call_id)), ("", ""));
        assert!(object::<Capabilities<'_>>(update.title).is_none());
    }
}
