//! The stream-json of Gemini CLI (0.61): a line a message, a call, an answer; `result` at the end.
//!
//! After a signal it ends with status 0 and without a `result`. While it cannot reach its model it says nothing.

use std::collections::BTreeMap;
use std::io;

use serde_json::value::RawValue;

use super::field::{Field, Text, error_text, is_true, literal, number, read};
use super::stream::{LineReader, LineStream, Understood};
use crate::object;
use crate::protocol::{Event, JsonText, NoticeLevel, Opening, Sink, Step, Transcript, Usage};

/// Reads the lines.
#[derive(Debug)]
pub struct Gemini {
    transcript: Transcript,
    /// The message in progress came in parts; nothing says where it ends, but what follows.
    is_in_parts: bool,
}

#[derive(Debug, serde::Deserialize)]
struct Line<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    session_id: Text<'a>,
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(borrow, default)]
    role: Text<'a>,
    #[serde(borrow, default)]
    content: Field<'a>,
    #[serde(borrow, default)]
    delta: Field<'a>,
    #[serde(borrow, default)]
    tool_name: Text<'a>,
    #[serde(borrow, default)]
    tool_id: Text<'a>,
    #[serde(borrow, default)]
    parameters: Field<'a>,
    #[serde(borrow, default)]
    status: Text<'a>,
    #[serde(borrow, default)]
    output: Field<'a>,
    #[serde(borrow, default)]
    error: Field<'a>,
    #[serde(borrow, default)]
    severity: Text<'a>,
    #[serde(borrow, default)]
    message: Text<'a>,
    #[serde(borrow, default)]
    stats: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct Stats<'a> {
    #[serde(borrow, default)]
    models: BTreeMap<String, &'a RawValue>,
}

#[derive(Debug, serde::Deserialize)]
struct Counts<'a> {
    #[serde(borrow, default)]
    input_tokens: Field<'a>,
    #[serde(borrow, default)]
    output_tokens: Field<'a>,
    /// A part of `input_tokens`.
    #[serde(borrow, default)]
    cached: Field<'a>,
}

impl Gemini {
    /// A conversation that begins with `opening`.
    pub fn conversation(opening: Opening, model: Option<&str>) -> LineStream<Gemini> {
        LineStream::new(opening, Gemini { transcript: Transcript::new(model), is_in_parts: false })
    }

    fn result(&mut self, line: &Line<'_>) {
        match &*line.status {
            "success" => self.transcript.complete(None),
            _ => self.transcript.fail_with(error_text(line.error), None),
        }
        let stats = read::<Stats<'_>>(line.stats).filter(|stats| !stats.models.is_empty());
        match stats {
            Some(stats) => {
                for (model, counts) in stats.models {
                    self.transcript.set_usage(&model, usage(Some(counts)));
                }
            }
            // Older releases state the totals only.
            None => self.transcript.set_usage("", usage(line.stats)),
        }
    }
}

fn usage(counts: Field<'_>) -> Usage {
    let Some(counts) = read::<Counts<'_>>(counts) else { return Usage::default() };
    let cached = number(counts.cached);
    Usage {
        input_tokens: number(counts.input_tokens).saturating_sub(cached),
        output_tokens: number(counts.output_tokens),
        cache_read_tokens: cached,
        cache_write_tokens: 0,
    }
}

impl LineReader for Gemini {
    fn line(&mut self, line: &str, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<Understood> {
        let Ok(line) = object::read::<Line<'_>>(line) else { return Ok(Understood::No) };
        if matches!(&*line.kind, "tool_use" | "result") && std::mem::take(&mut self.is_in_parts) {
            self.transcript.message_ended(JsonText::default(), sink)?;
        }
        match &*line.kind {
            "init" => self.transcript.session(&line.session_id, Some(&line.model), sink)?,
            // What the user said is known.
            "message" if &*line.role != "assistant" => return Ok(Understood::Yes),
            "message" if is_true(line.delta) => {
                self.is_in_parts = true;
                self.transcript.text_part(literal(line.content), sink)?;
            }
            "message" => self.transcript.message(literal(line.content), sink)?,
            "tool_use" => {
                self.transcript.tool_use(&line.tool_id, &line.tool_name, line.parameters, sink)?;
            }
            "tool_result" => {
                let is_error = &*line.status == "error";
                let error = error_text(line.error);
                let output =
                    if is_error && !error.is_empty() { (&*error).into() } else { literal(line.output) };
                self.transcript.tool_result(&line.tool_id, output, Some(is_error), sink)?;
            }
            "error" => {
                let level =
                    if &*line.severity == "warning" { NoticeLevel::Warning } else { NoticeLevel::Error };
                sink(Event::Notice { level, text: &line.message })?;
                return Ok(Understood::Yes);
            }
            "result" => {
                self.result(&line);
                step.is_turn_over = true;
            }
            kind => return Ok(Understood::UnknownType(kind.to_owned())),
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
