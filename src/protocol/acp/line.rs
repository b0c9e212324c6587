//! `session/update`: almost every line of a long turn. It is read in one pass where its kind stands in a field.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::content::Content;
use super::read::{Any, object, text};
use crate::object;
use crate::protocol::ndjson::field::Maybe;

/// `session/update`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Update<'a> {
    #[serde(borrow, default)]
    session_update: Any<'a>,
    #[serde(borrow, default)]
    r#type: Any<'a>,
    #[serde(borrow, default)]
    pub(super) content: Content<'a>,
    #[serde(borrow, default)]
    pub(super) title: Any<'a>,
    #[serde(borrow, default)]
    pub(super) kind: Any<'a>,
    #[serde(borrow, default)]
    pub(super) status: Any<'a>,
    #[serde(borrow, default)]
    pub(super) tool_call_id: Any<'a>,
    #[serde(borrow, default)]
    pub(super) raw_input: Any<'a>,
    #[serde(borrow, default)]
    pub(super) input: Any<'a>,
    #[serde(borrow, default)]
    pub(super) parameters: Any<'a>,
    #[serde(borrow, default)]
    pub(super) raw_output: Any<'a>,
    #[serde(borrow, default)]
    pub(super) output: Any<'a>,
    #[serde(borrow, default)]
    pub(super) cost: Any<'a>,
    #[serde(borrow, default, rename = "_meta")]
    pub(super) meta: Any<'a>,
}

/// A line with an update.
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
    let line: Line<'_> = object::read(line).ok()?;
    let is_update =
        line.id.is_none() && line.method.is_some_and(|method| method.get() == "\"session/update\"");
    let update = line.params.0.filter(|_| is_update)?.update.0?;
    Some((Kind::of(text(Some(update.named()?))), update))
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
}
