//! The protocol's messages, read in place. Every field is looked at on its own, so that one of an unexpected type reads as
//! absent: agents change their messages from one release to the next, and some follow older drafts.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::protocol::JsonText;

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
    crate::object::read(value?.get()).ok()
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
    /// Token counts, in the spellings that are about; of some agents with the model's name.
    Counts {
        input_tokens, output_tokens, total_tokens, cached_read_tokens, cached_write_tokens,
        #[serde(rename = "input_tokens")] snake_input, #[serde(rename = "output_tokens")] snake_output,
        #[serde(rename = "total_tokens")] snake_total,
        #[serde(rename = "cached_read_tokens")] snake_read, #[serde(rename = "cached_write_tokens")] snake_write,
        prompt_tokens, completion_tokens, cache_hit_tokens, model,
    }
    /// What an error says besides.
    ErrorData { details, message, }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_another_type_reads_as_absent() {
        let value: &RawValue = serde_json::from_str(r#"{"title":7,"toolCallId":["x"]}"#).unwrap();
        let call: Question<'_> =
            object(serde_json::from_str(r#"{"options":7,"toolCall":["x"]}"#).ok()).unwrap();
        assert_eq!((&*text(call.options), array(call.tool_call).len()), ("", 1));
        assert!(
            object::<Capabilities<'_>>(call.tool_call).is_none()
                && object::<Block<'_>>(Some(value)).is_some()
        );
    }
}
