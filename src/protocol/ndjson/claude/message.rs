//! The JSON of a Claude-like line, read in place and in one pass.
//!
//! Only the fields that a run needs are named; all others are skipped without being built. A field of an unexpected type
//! reads as absent, because these CLIs change their formats from one release to the next.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::protocol::JsonText;
use crate::protocol::ndjson::field::{Text, ignore_scalars, literal};

/// One line of output.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, default)]
    pub(super) subtype: Text<'a>,
    #[serde(borrow, default)]
    pub(super) session_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) model: Text<'a>,
    #[serde(borrow, default)]
    pub(super) parent_tool_use_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) message: Option<Message<'a>>,
    #[serde(borrow, default)]
    pub(super) log: Option<Log<'a>>,
    #[serde(borrow, default)]
    pub(super) request_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) request: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) is_error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) result: Text<'a>,
    #[serde(borrow, default)]
    pub(super) errors: Option<&'a RawValue>,
    /// Qwen Code's error, as an object.
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) terminal_reason: Text<'a>,
    /// The status with which the model's server refused the request.
    #[serde(borrow, default)]
    pub(super) api_error_status: Option<&'a RawValue>,
    /// The type of the server's error.
    #[serde(borrow, default)]
    pub(super) api_error_type: Text<'a>,
    /// What went wrong before there was an answer of the server's.
    #[serde(borrow, default)]
    pub(super) api_error: Text<'a>,
    /// Set on a message that the CLI has made itself, of an error.
    #[serde(borrow, default)]
    pub(super) is_api_error_message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) total_cost_usd: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "modelUsage")]
    pub(super) model_usage: Option<&'a RawValue>,
}

/// What is read of a line that does not fit [`Line`].
#[derive(Debug, serde::Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Text<'a>,
}

/// The API message inside an `assistant` or `user` line.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) model: Text<'a>,
    #[serde(borrow, default)]
    pub(super) content: Content<'a>,
    #[serde(borrow, default)]
    pub(super) usage: Option<&'a RawValue>,
}

/// A message's content: blocks, or a plain string.
#[derive(Debug, Default)]
pub(super) enum Content<'a> {
    #[default]
    None,
    Plain(Cow<'a, str>),
    Blocks(Vec<Block<'a>>),
}

/// One block of content; its `kind` says which fields count.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) name: Text<'a>,
    #[serde(borrow, default)]
    pub(super) input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) tool_use_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) is_error: Option<&'a RawValue>,
}

impl<'a> Block<'a> {
    /// The text; anything else reads as empty.
    pub(super) fn text(&self) -> JsonText<'a> {
        literal(self.text)
    }

    /// The reasoning, where it stands in a field of its own.
    pub(super) fn thinking(&self) -> JsonText<'a> {
        literal(self.thinking)
    }
}

/// Token counts, by the API's names and by the CLI's.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Counts<'a> {
    #[serde(borrow, default)]
    pub(super) input_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) output_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) cache_read_input_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) cache_creation_input_tokens: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "inputTokens")]
    pub(super) input: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "outputTokens")]
    pub(super) output: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "cacheReadInputTokens")]
    pub(super) cache_read: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "cacheCreationInputTokens")]
    pub(super) cache_creation: Option<&'a RawValue>,
}

/// A `log` line's payload.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Log<'a> {
    #[serde(borrow, default)]
    pub(super) level: Text<'a>,
    #[serde(borrow, default)]
    pub(super) message: Text<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content<'de>;
    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Content::Plain(Cow::Borrowed(text)))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Content::Plain(Cow::Owned(text.to_owned())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut blocks = Vec::with_capacity(1);
        while let Some(block) = seq.next_element()? {
            blocks.push(block);
        }
        Ok(Content::Blocks(blocks))
    }
    ignore_scalars!(Content::None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_types_read_as_absent() {
        let line: Line<'_> = serde_json::from_str(
            r#"{"type":"assistant","session_id":7,"result":{"a":[1]},"model":1.5,"subtype":[{}],
                "message":{"content":"hi","id":null}}"#,
        )
        .unwrap();
        assert_eq!(&*line.kind, "assistant");
        assert_eq!((&*line.session_id, &*line.result, &*line.model, &*line.subtype), ("", "", "", ""));
        assert!(matches!(line.message.unwrap().content, Content::Plain(text) if text == "hi"));
    }

    #[test]
    fn strings_without_escapes_are_borrowed() {
        let line: Line<'_> = serde_json::from_str(r#"{"type":"a","result":"x\ny"}"#).unwrap();
        assert!(matches!(line.kind.0, Cow::Borrowed(_)));
        assert_eq!(&*line.result, "x\ny");
    }
}
