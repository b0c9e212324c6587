//! The JSON events of Copilot CLI (1.0): envelopes of a type and its data; `result` at the end.
//!
//! Retries, and the state of servers and skills, are no work. Tokens are in a file that it writes at its end.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;

use super::field::{Field, List, Maybe, Text, error_text, literal, number, read};
use super::stream::{LineReader, LineStream, Understood};
use crate::object;
use crate::protocol::{Event, FailureReason, NoticeLevel, Opening, Sink, Step, Transcript, Usage};

/// Reads the lines.
#[derive(Debug)]
pub struct Copilot {
    transcript: Transcript,
    usage_file: Option<PathBuf>,
    /// The message in progress came in parts.
    is_in_parts: bool,
    /// The message in progress came with thoughts of their own.
    has_thought: bool,
    /// The session's error, and the status of the model's server.
    error: Option<(String, u64)>,
    is_aborted: bool,
}

/// Beginnings of the types that say nothing about the work.
const SILENT: [&str; 7] =
    ["session.", "model.", "user.", "assistant.turn_", "assistant.idle", "agent.", "assistant.usage"];

#[derive(Debug, serde::Deserialize)]
struct Line<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    data: Maybe<Data<'a>>,
    #[serde(borrow, default, rename = "sessionId")]
    session_id: Text<'a>,
    #[serde(borrow, default, rename = "exitCode")]
    exit_code: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct Data<'a> {
    #[serde(borrow, default)]
    content: Field<'a>,
    #[serde(borrow, default, rename = "deltaContent")]
    delta: Field<'a>,
    #[serde(borrow, default, rename = "reasoningText")]
    reasoning: Field<'a>,
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(borrow, default, rename = "selectedModel")]
    selected_model: Text<'a>,
    #[serde(borrow, default, rename = "sessionId")]
    session_id: Text<'a>,
    #[serde(borrow, default, rename = "toolRequests")]
    tool_requests: List<ToolRequest<'a>>,
    #[serde(borrow, default, rename = "toolCallId")]
    tool_call_id: Text<'a>,
    /// Set on what a sub-agent says.
    #[serde(borrow, default, rename = "parentToolCallId")]
    parent: Text<'a>,
    #[serde(borrow, default)]
    success: Field<'a>,
    #[serde(borrow, default)]
    result: Maybe<ToolResult<'a>>,
    #[serde(borrow, default)]
    error: Field<'a>,
    #[serde(borrow, default)]
    message: Text<'a>,
    #[serde(borrow, default, rename = "statusCode")]
    status: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct ToolRequest<'a> {
    #[serde(borrow, default, rename = "toolCallId")]
    id: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    arguments: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct ToolResult<'a> {
    #[serde(borrow, default)]
    content: Field<'a>,
}

impl Copilot {
    /// A conversation that begins with `opening`; the CLI leaves its usage in that file.
    pub fn conversation(
        opening: Opening,
        model: Option<&str>,
        usage_file: Option<PathBuf>,
    ) -> LineStream<Copilot> {
        let reader = Copilot {
            transcript: Transcript::new(model),
            usage_file,
            is_in_parts: false,
            has_thought: false,
            error: None,
            is_aborted: false,
        };
        LineStream::new(opening, reader)
    }

    fn event(&mut self, kind: &str, data: &Data<'_>, sink: &mut Sink<'_>) -> io::Result<Option<bool>> {
        match kind {
            "session.start" => {
                self.transcript.session(&data.session_id, Some(&data.selected_model), sink)?;
                return Ok(Some(false));
            }
            "session.error" => {
                self.error = Some((data.message.to_string(), number(data.status)));
                return Ok(Some(false));
            }
            "session.warning" => {
                sink(Event::Notice { level: NoticeLevel::Warning, text: &data.message })?;
                return Ok(Some(false));
            }
            "assistant.turn_end" => {
                self.transcript.turn_ended();
                return Ok(Some(false));
            }
            "abort" => {
                self.is_aborted = true;
                return Ok(Some(false));
            }
            // A sub-agent's words are transcript, never the answer.
            "assistant.message_delta" | "assistant.message" if !data.parent.is_empty() => {}
            "assistant.message_delta" => self.part(data, sink)?,
            "assistant.message" => self.message(data, sink)?,
            "assistant.reasoning" => {
                self.has_thought = true;
                self.transcript.thinking(literal(data.content), sink)?;
            }
            "tool.execution_complete" => self.tool_result(data, sink)?,
            kind if SILENT.iter().any(|silent| kind.starts_with(silent)) => return Ok(Some(false)),
            kind if kind.starts_with("assistant.") || kind.starts_with("tool.") => {}
            _ => return Ok(None),
        }
        Ok(Some(true))
    }

    fn part(&mut self, data: &Data<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        if !self.is_in_parts {
            self.is_in_parts = true;
            self.transcript.new_message();
        }
        self.transcript.text_part(literal(data.delta), sink)
    }

    fn message(&mut self, data: &Data<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        self.transcript.note_model(&data.model);
        if !self.has_thought {
            self.transcript.thinking(literal(data.reasoning), sink)?;
        }
        if self.is_in_parts {
            self.transcript.message_ended(literal(data.content), sink)?;
        } else if !literal(data.content).is_empty() {
            self.transcript.message(literal(data.content), sink)?;
        }
        (self.is_in_parts, self.has_thought) = (false, false);
        for request in &data.tool_requests.0 {
            self.transcript.tool_use(&request.id, &request.name, request.arguments, sink)?;
        }
        Ok(())
    }

    fn tool_result(&mut self, data: &Data<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        let is_error = data.success.map(|success| success.get() == "false");
        let error = error_text(data.error);
        let output = match &data.result {
            Maybe(Some(result)) => literal(result.content),
            Maybe(None) => (&*error).into(),
        };
        self.transcript.tool_result(&data.tool_call_id, output, is_error, sink)
    }

    fn result(&mut self, line: &Line<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        self.transcript.session(&line.session_id, None, sink)?;
        let code = number(line.exit_code);
        match self.error.take() {
            Some((error, status)) => self.transcript.fail_with(error, FailureReason::of_status(status)),
            None if self.is_aborted => self.transcript.fail_with("the turn was aborted", None),
            None if code != 0 => {
                self.transcript.fail_with(format!("copilot states exit status {code}"), None);
            }
            None => self.transcript.complete(None),
        }
        Ok(())
    }
}

impl LineReader for Copilot {
    fn line(&mut self, line: &str, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<Understood> {
        let Ok(line) = object::read::<Line<'_>>(line) else { return Ok(Understood::No) };
        if &*line.kind == "result" {
            self.result(&line, sink)?;
            step.is_progress = true;
            step.is_turn_over = true;
            return Ok(Understood::Yes);
        }
        let known = match &line.data {
            Maybe(Some(data)) => self.event(&line.kind, data, sink)?,
            Maybe(None) => None,
        };
        step.is_progress = known == Some(true);
        Ok(known.map_or_else(|| Understood::UnknownType(line.kind.to_string()), |_| Understood::Yes))
    }

    fn closing_file(&self) -> Option<&Path> {
        self.usage_file.as_deref()
    }

    fn take_file(&mut self, bytes: &[u8]) {
        let Ok(file) = serde_json::from_slice::<UsageFile<'_>>(bytes) else { return };
        for (model, metrics) in file.models {
            let Some(counts) = read::<Metrics<'_>>(Some(metrics)).and_then(|metrics| read(metrics.usage))
            else {
                continue;
            };
            let counts: Counts<'_> = counts;
            let cached = number(counts.cache_read).saturating_add(number(counts.cache_write));
            self.transcript.set_usage(
                &model,
                Usage {
                    input_tokens: number(counts.input).saturating_sub(cached),
                    output_tokens: number(counts.output),
                    cache_read_tokens: number(counts.cache_read),
                    cache_write_tokens: number(counts.cache_write),
                },
            );
        }
    }

    fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    fn transcript_mut(&mut self) -> &mut Transcript {
        &mut self.transcript
    }
}

#[derive(Debug, serde::Deserialize)]
struct UsageFile<'a> {
    #[serde(borrow, default, rename = "modelMetrics")]
    models: BTreeMap<String, &'a RawValue>,
}

#[derive(Debug, serde::Deserialize)]
struct Metrics<'a> {
    #[serde(borrow, default)]
    usage: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct Counts<'a> {
    #[serde(borrow, default, rename = "inputTokens")]
    input: Field<'a>,
    #[serde(borrow, default, rename = "outputTokens")]
    output: Field<'a>,
    #[serde(borrow, default, rename = "cacheReadTokens")]
    cache_read: Field<'a>,
    #[serde(borrow, default, rename = "cacheWriteTokens")]
    cache_write: Field<'a>,
}
