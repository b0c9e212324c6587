//! The JSON events of `opencode run` (1.18): steps, with their tools and texts. No line states a result: it follows from how
//! the last step ended, or from an `error`.

use std::io;

use super::field::{Field, Maybe, Text, literal, number, read};
use super::stream::{LineReader, LineStream, Understood};
use crate::object;
use crate::protocol::{FailureReason, Opening, Sink, Step, Transcript, Usage};

/// Reads the lines.
#[derive(Debug)]
pub struct OpenCode {
    transcript: Transcript,
    /// A step has begun and not ended: a tool is told only when it is done.
    is_step_open: bool,
    /// Whether the last step that ended asked for another one.
    wants_more: bool,
    /// A step has ended with something to show for it.
    has_worked: bool,
    has_failed: bool,
    /// The message of the last text.
    message_id: String,
}

#[derive(Debug, serde::Deserialize)]
struct Line<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default, rename = "sessionID")]
    session_id: Text<'a>,
    #[serde(borrow, default)]
    part: Maybe<Part<'a>>,
    #[serde(borrow, default)]
    error: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct Part<'a> {
    #[serde(borrow, default)]
    tool: Text<'a>,
    #[serde(borrow, default, rename = "callID")]
    call_id: Text<'a>,
    #[serde(borrow, default, rename = "messageID")]
    message_id: Text<'a>,
    #[serde(borrow, default)]
    state: Maybe<State<'a>>,
    #[serde(borrow, default)]
    text: Field<'a>,
    #[serde(borrow, default)]
    reason: Text<'a>,
    #[serde(borrow, default)]
    tokens: Maybe<Tokens<'a>>,
    #[serde(borrow, default)]
    cost: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct State<'a> {
    #[serde(borrow, default)]
    status: Text<'a>,
    #[serde(borrow, default)]
    input: Field<'a>,
    #[serde(borrow, default)]
    output: Field<'a>,
    #[serde(borrow, default)]
    error: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct Tokens<'a> {
    #[serde(borrow, default)]
    input: Field<'a>,
    #[serde(borrow, default)]
    output: Field<'a>,
    #[serde(borrow, default)]
    reasoning: Field<'a>,
    #[serde(borrow, default)]
    cache: Maybe<Cache<'a>>,
}

#[derive(Debug, serde::Deserialize)]
struct Cache<'a> {
    #[serde(borrow, default)]
    read: Field<'a>,
    #[serde(borrow, default)]
    write: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct Error<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    data: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct ErrorData<'a> {
    #[serde(borrow, default)]
    message: Text<'a>,
    #[serde(borrow, default, rename = "statusCode")]
    status: Field<'a>,
}

impl OpenCode {
    /// A conversation that begins with `opening`.
    pub fn conversation(opening: Opening, model: Option<&str>) -> LineStream<OpenCode> {
        let reader = OpenCode {
            transcript: Transcript::new(model),
            is_step_open: false,
            wants_more: false,
            has_worked: false,
            has_failed: false,
            message_id: String::new(),
        };
        LineStream::new(opening, reader)
    }

    fn tool(&mut self, part: &Part<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        let state = part.state.0.as_ref();
        self.transcript.tool_use(&part.call_id, &part.tool, state.and_then(|state| state.input), sink)?;
        let Some(state) = state else { return Ok(()) };
        let is_error = &*state.status == "error";
        let output = literal(if is_error { state.error } else { state.output });
        self.transcript.tool_result(&part.call_id, output, Some(is_error), sink)
    }

    fn text(&mut self, part: &Part<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        if !part.message_id.is_empty() && self.message_id == *part.message_id {
            return self.transcript.text_part(literal(part.text), sink);
        }
        self.message_id = part.message_id.to_string();
        self.transcript.message(literal(part.text), sink)
    }

    fn step_finished(&mut self, part: &Part<'_>) {
        let usage = part.tokens.0.as_ref().map(usage).unwrap_or_default();
        self.is_step_open = false;
        self.wants_more = &*part.reason == "tool-calls";
        self.has_worked = self.has_worked || !usage.is_zero() || !self.transcript.answer().is_empty();
        self.transcript.add_usage("", usage);
        self.transcript.turn_ended();
        self.transcript.add_cost(part.cost.and_then(|cost| cost.get().parse().ok()).unwrap_or(0.0));
    }

    fn failed(&mut self, error: Field<'_>) {
        let error: Option<Error<'_>> = read(error);
        let data: Option<ErrorData<'_>> = error.as_ref().and_then(|error| read(error.data));
        let message = data.as_ref().map(|data| &*data.message).filter(|text| !text.is_empty());
        let name = error.as_ref().map(|error| &*error.name).filter(|text| !text.is_empty());
        let status = number(data.as_ref().and_then(|data| data.status));
        let text = message.or(name).unwrap_or("OpenCode reported an error without words");
        self.transcript.fail_with(text, FailureReason::of_status(status));
        self.has_failed = true;
    }
}

fn usage(tokens: &Tokens<'_>) -> Usage {
    let cache = tokens.cache.0.as_ref();
    Usage {
        input_tokens: number(tokens.input),
        output_tokens: number(tokens.output).saturating_add(number(tokens.reasoning)),
        cache_read_tokens: number(cache.and_then(|cache| cache.read)),
        cache_write_tokens: number(cache.and_then(|cache| cache.write)),
    }
}

impl LineReader for OpenCode {
    fn line(&mut self, line: &str, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<Understood> {
        let Ok(line) = object::read::<Line<'_>>(line) else { return Ok(Understood::No) };
        self.transcript.session(&line.session_id, None, sink)?;
        match (&*line.kind, &line.part.0) {
            ("step_start", _) => {
                self.is_step_open = true;
                self.has_failed = false;
                self.transcript.retract();
            }
            ("tool_use", Some(part)) => self.tool(part, sink)?,
            ("text", Some(part)) => self.text(part, sink)?,
            ("reasoning", Some(part)) => self.transcript.thinking(literal(part.text), sink)?,
            ("step_finish", Some(part)) => self.step_finished(part),
            ("error", _) => {
                self.failed(line.error);
                return Ok(Understood::Yes);
            }
            (kind, _) => return Ok(Understood::UnknownType(kind.to_owned())),
        }
        step.is_progress = true;
        Ok(Understood::Yes)
    }

    fn ended(&mut self, _step: &mut Step) {
        if !self.has_failed && self.has_worked && !self.is_step_open && !self.wants_more {
            self.transcript.complete(None);
        }
    }

    fn has_open_step(&self) -> bool {
        self.is_step_open
    }

    fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    fn transcript_mut(&mut self) -> &mut Transcript {
        &mut self.transcript
    }
}
