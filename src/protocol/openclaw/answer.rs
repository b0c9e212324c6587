//! What OpenClaw's object says. Everything else in it, which is most of it, is skipped in place: nothing is held twice.

use std::fmt;

use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};

use crate::object;
use crate::protocol::ndjson::field::{Field, Maybe, Text, ignore_scalars, is_true, number, read};
use crate::protocol::{JsonText, Usage};

/// The longest object of token counts that is read, in bytes.
const COUNTS: usize = 16 << 10;

/// An answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) session: String,
    pub(super) model: String,
    pub(super) text: String,
    pub(super) usage: Usage,
    /// The price, where it is known.
    pub(super) cost: Option<Number>,
    pub(super) tool_calls: u64,
    pub(super) failure: Option<String>,
    /// It failed because the conversation is too long.
    pub(super) is_overflow: bool,
}

#[derive(Debug, Deserialize)]
struct Object<'a> {
    #[serde(default)]
    payloads: Payloads,
    #[serde(borrow, default)]
    ok: Field<'a>,
    #[serde(borrow, default)]
    error: Maybe<Error<'a>>,
    #[serde(borrow, default)]
    meta: Maybe<Meta<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    #[serde(borrow, default)]
    duration_ms: Field<'a>,
    #[serde(borrow, default)]
    aborted: Field<'a>,
    #[serde(borrow, default)]
    error: Maybe<Error<'a>>,
    #[serde(borrow, default)]
    tool_summary: Maybe<ToolSummary<'a>>,
    #[serde(borrow, default)]
    agent_meta: Maybe<Agent<'a>>,
}

#[derive(Debug, Deserialize)]
struct Error<'a> {
    #[serde(borrow, default)]
    message: Text<'a>,
    #[serde(borrow, default)]
    kind: Text<'a>,
}

#[derive(Debug, Deserialize)]
struct ToolSummary<'a> {
    #[serde(borrow, default)]
    calls: Field<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Agent<'a> {
    #[serde(borrow, default)]
    session_id: Text<'a>,
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(borrow, default)]
    usage: Field<'a>,
    #[serde(borrow, default)]
    cost_usd: Field<'a>,
}

/// The texts of the payloads, one paragraph each, as they are read: a list of them could be far larger than its JSON.
#[derive(Debug, Default)]
struct Payloads {
    is_list: bool,
    answer: String,
    errors: String,
}

#[derive(Debug, Deserialize)]
struct Payload<'a> {
    #[serde(borrow, default)]
    text: Field<'a>,
    #[serde(borrow, default, rename = "isError")]
    is_error: Field<'a>,
}

impl Answer {
    /// The answer that this text is, if it is one and not a line of a log.
    pub(super) fn read(json: &str) -> Option<Answer> {
        let object: Object<'_> = object::read(json).ok()?;
        let is_refused = object.ok.is_some_and(|ok| ok.get() == "false");
        let meta = object.meta.0.unwrap_or_default();
        if !object.payloads.is_list && !is_refused && number(meta.duration_ms) == 0 {
            return None;
        }
        let is_overflow = meta.error.0.as_ref().is_some_and(|error| &*error.kind == "context_overflow");
        let Payloads { answer, errors, .. } = object.payloads;
        let failure = match (is_refused, meta.error.0) {
            (true, _) => Some(words(object.error.0.as_ref())),
            (_, Some(error)) => Some(words(Some(&error))),
            _ if is_true(meta.aborted) => Some("OpenClaw's turn was aborted".to_owned()),
            _ => Some(errors).filter(|errors| !errors.is_empty() && answer.is_empty()),
        };
        let agent = meta.agent_meta.0.unwrap_or_default();
        // A price of zero is that of a model whose price is not known.
        let cost = read::<Number>(agent.cost_usd).filter(|cost| cost.as_f64().is_some_and(|cost| cost > 0.0));
        Some(Answer {
            session: agent.session_id.0.into_owned(),
            model: agent.model.0.into_owned(),
            text: answer,
            usage: agent.usage.filter(|usage| usage.get().len() <= COUNTS).map(tokens).unwrap_or_default(),
            cost,
            tool_calls: number(meta.tool_summary.0.and_then(|summary| summary.calls)),
            failure,
            is_overflow,
        })
    }
}

/// What an error says.
fn words(error: Option<&Error<'_>>) -> String {
    let words = error.map(|error| if error.message.is_empty() { &error.kind } else { &error.message });
    let words =
        words.filter(|words| !words.is_empty()).map_or("OpenClaw failed without a word", |words| words);
    words.to_owned()
}

/// Its releases spell the counts in three ways.
fn tokens(usage: &serde_json::value::RawValue) -> Usage {
    let usage: Value = serde_json::from_str(usage.get()).unwrap_or_default();
    let count = |names: [&str; 3]| names.iter().find_map(|name| usage[*name].as_u64()).unwrap_or_default();
    Usage {
        input_tokens: count(["input", "inputTokens", "input_tokens"]),
        output_tokens: count(["output", "outputTokens", "output_tokens"]),
        cache_read_tokens: count(["cacheRead", "cacheReadTokens", "cache_read"]).max(count([
            "cachedInputTokens",
            "cached_input_tokens",
            "cache_read_input_tokens",
        ])),
        cache_write_tokens: count(["cacheWrite", "cacheWriteTokens", "cache_write"]).max(count([
            "cacheCreationInputTokens",
            "cacheCreationTokens",
            "cache_creation_input_tokens",
        ])),
    }
}

impl<'de> Deserialize<'de> for Payloads {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PayloadsVisitor)
    }
}

struct PayloadsVisitor;

impl<'de> Visitor<'de> for PayloadsVisitor {
    type Value = Payloads;
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut payloads = Payloads { is_list: true, ..Payloads::default() };
        while let Some(payload) = seq.next_element::<Maybe<Payload<'de>>>()? {
            let Some(payload) = payload.0 else { continue };
            let Some(text) = payload.text.and_then(|text| JsonText::from_json(text.get())) else { continue };
            let to = if is_true(payload.is_error) { &mut payloads.errors } else { &mut payloads.answer };
            if !to.is_empty() {
                to.push_str("\n\n");
            }
            to.push_str(&text.decode());
        }
        Ok(payloads)
    }
    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Payloads::default())
    }
    ignore_scalars!(Payloads::default());
}
