//! The stream-json of `reasonix run` (1.38): events that have a `kind`, and a last line of the type `result`.
//!
//! While it cannot reach its model it tells of each attempt, for up to ten minutes: none of that is work.

use std::io;

use serde_json::value::RawValue;

use super::field::{Field, Maybe, Text, is_true, literal, number, read};
use super::stream::{LineReader, LineStream, Understood};
use crate::object;
use crate::protocol::{Event, JsonText, NoticeLevel, Opening, Sink, Step, Transcript, Usage};

/// Reads the lines.
#[derive(Debug)]
pub struct Reasonix {
    transcript: Transcript,
    /// The message in progress came in parts.
    is_in_parts: bool,
}

/// Kinds that say nothing about the work.
const SILENT: [&str; 9] = [
    "turn_status",
    "turn_started",
    "turn_phase",
    "user_message",
    "stream_attempt",
    "retrying",
    "usage",
    "session_context",
    "turn_done",
];

#[derive(Debug, serde::Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    kind: Text<'a>,
    #[serde(borrow, default, rename = "type")]
    last: Text<'a>,
    #[serde(borrow, default, rename = "sessionId")]
    session_id: Text<'a>,
    #[serde(borrow, default)]
    text: Field<'a>,
    #[serde(borrow, default)]
    tool: Maybe<Tool<'a>>,
    #[serde(borrow, default)]
    is_error: Field<'a>,
    #[serde(borrow, default)]
    subtype: Text<'a>,
    #[serde(borrow, default)]
    result: Field<'a>,
    #[serde(borrow, default)]
    usage: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct Tool<'a> {
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    /// A text that is JSON.
    #[serde(borrow, default)]
    args: Text<'a>,
    #[serde(borrow, default)]
    partial: Field<'a>,
    #[serde(borrow, default)]
    output: Field<'a>,
    #[serde(borrow, default)]
    err: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct Counts<'a> {
    /// With what came from the cache.
    #[serde(borrow, default)]
    input_tokens: Field<'a>,
    #[serde(borrow, default)]
    output_tokens: Field<'a>,
    #[serde(borrow, default)]
    cache_read_input_tokens: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct CallCounts<'a> {
    #[serde(borrow, default, rename = "cacheMissTokens")]
    miss: Field<'a>,
    #[serde(borrow, default, rename = "completionTokens")]
    output: Field<'a>,
    #[serde(borrow, default, rename = "cacheHitTokens")]
    hit: Field<'a>,
}

impl Reasonix {
    /// A conversation that begins with `opening`.
    pub fn conversation(opening: Opening, model: Option<&str>) -> LineStream<Reasonix> {
        LineStream::new(opening, Reasonix { transcript: Transcript::new(model), is_in_parts: false })
    }

    fn tool_use(&mut self, tool: &Tool<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        // It is told in parts first, and perhaps again when it begins.
        if is_true(tool.partial) || self.transcript.is_tool_open(&tool.id) {
            return Ok(());
        }
        let input = serde_json::from_str::<&RawValue>(&tool.args).ok();
        self.transcript.tool_use(&tool.id, &tool.name, input, sink)
    }

    fn tool_result(&mut self, tool: &Tool<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        let has_failed = !literal(tool.err).is_empty();
        let output =
            literal(if has_failed && literal(tool.output).is_empty() { tool.err } else { tool.output });
        self.transcript.tool_result(&tool.id, output, Some(has_failed), sink)
    }

    /// One call of the model; the result states the sum.
    fn count_call(&mut self, usage: Field<'_>) {
        let Some(counts) = read::<CallCounts<'_>>(usage) else { return };
        self.transcript.add_usage(
            "",
            Usage {
                input_tokens: number(counts.miss),
                output_tokens: number(counts.output),
                cache_read_tokens: number(counts.hit),
                cache_write_tokens: 0,
            },
        );
    }

    fn result(&mut self, line: &Line<'_>) {
        let text = literal(line.result).decode();
        if is_true(line.is_error) || line.subtype.starts_with("error_") {
            self.transcript.fail_with(text, None);
        } else {
            self.transcript.complete(Some(&text));
        }
        let Some(counts) = read::<Counts<'_>>(line.usage) else { return };
        let cached = number(counts.cache_read_input_tokens);
        self.transcript.set_usage(
            "",
            Usage {
                input_tokens: number(counts.input_tokens).saturating_sub(cached),
                output_tokens: number(counts.output_tokens),
                cache_read_tokens: cached,
                cache_write_tokens: 0,
            },
        );
    }

    fn text(&mut self, text: JsonText<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        if !self.is_in_parts {
            self.is_in_parts = true;
            self.transcript.new_message();
        }
        self.transcript.text_part(text, sink)
    }

    fn message(&mut self, text: JsonText<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        if std::mem::take(&mut self.is_in_parts) {
            return self.transcript.message_ended(text, sink);
        }
        self.transcript.message(text, sink)
    }
}

impl LineReader for Reasonix {
    fn line(&mut self, line: &str, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<Understood> {
        let Ok(line) = object::read::<Line<'_>>(line) else { return Ok(Understood::No) };
        self.transcript.session(&line.session_id, None, sink)?;
        if &*line.last == "result" {
            self.result(&line);
            (step.is_progress, step.is_turn_over) = (true, true);
            return Ok(Understood::Yes);
        }
        match (&*line.kind, &line.tool.0) {
            ("text", _) => self.text(literal(line.text), sink)?,
            ("message", _) => self.message(literal(line.text), sink)?,
            ("reasoning", _) => self.transcript.thinking(literal(line.text), sink)?,
            ("tool_dispatch" | "tool_started", Some(tool)) => self.tool_use(tool, sink)?,
            ("tool_result", Some(tool)) => self.tool_result(tool, sink)?,
            ("tool_progress", _) => {}
            ("notice" | "warning", _) => {
                let text = literal(line.text).decode();
                sink(Event::Notice { level: NoticeLevel::Warning, text: &text })?;
                return Ok(Understood::Yes);
            }
            (kind, _) if SILENT.contains(&kind) => {
                match kind {
                    "turn_done" => self.transcript.turn_ended(),
                    "usage" => self.count_call(line.usage),
                    _ => {}
                }
                return Ok(Understood::Yes);
            }
            (kind, _) => return Ok(Understood::UnknownType(kind.to_owned())),
        }
        step.is_progress = true;
        Ok(Understood::Yes)
    }

    fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    fn transcript_mut(&mut self) -> &mut Transcript {
        &mut self.transcript
    }
}
