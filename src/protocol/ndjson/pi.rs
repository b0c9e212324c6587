//! The JSON events of Pi (0.73) and of its fork omp: messages with their parts, tools, turns.
//!
//! It exits with 0 whatever became of its work, and prints one `agent_end` for each attempt: the last assistant message
//! states the result, and a retry takes it back.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use super::field::{Field, List, Maybe, Text, error_text, is_true, literal, number};
use super::stream::{LineReader, LineStream, Understood};
use crate::object;
use crate::protocol::{JsonText, Opening, Properties, Sink, Step, Transcript, Usage};

/// Reads the lines.
#[derive(Debug)]
pub struct Pi {
    transcript: Transcript,
    /// The message in progress came in parts.
    is_in_parts: bool,
}

/// Types that say nothing about the work: others tell the same, or an attempt has failed.
const SILENT: [&str; 8] = [
    "agent_start",
    "turn_start",
    "message_start",
    "queue_update",
    "session_info_changed",
    "thinking_level_changed",
    "auto_retry_start",
    "tool_execution_update",
];

#[derive(Debug, serde::Deserialize)]
struct Line<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    message: Maybe<Message<'a>>,
    #[serde(borrow, default, rename = "assistantMessageEvent")]
    part: Maybe<Part<'a>>,
    #[serde(borrow, default, rename = "toolCallId")]
    tool_call_id: Text<'a>,
    #[serde(borrow, default, rename = "toolName")]
    tool_name: Text<'a>,
    #[serde(borrow, default)]
    args: Field<'a>,
    #[serde(borrow, default)]
    result: Maybe<Content<'a>>,
    #[serde(borrow, default, rename = "isError")]
    is_error: Field<'a>,
    #[serde(borrow, default)]
    success: Field<'a>,
    #[serde(borrow, default, rename = "finalError")]
    final_error: Text<'a>,
}

/// How most lines begin: each part of a message, with the whole message so far twice, which is not looked at.
const UPDATE: &str = r#"{"type":"message_update","#;

/// Such a line.
#[derive(Debug, serde::Deserialize)]
struct UpdateLine<'a> {
    #[serde(borrow, default, rename = "assistantMessageEvent")]
    part: Maybe<Part<'a>>,
}

/// The message of an error is a text.
#[derive(Debug, serde::Deserialize)]
struct ErrorLine<'a> {
    #[serde(borrow, default)]
    message: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct Part<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    delta: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    role: Text<'a>,
    #[serde(borrow, default)]
    content: List<Block<'a>>,
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(borrow, default)]
    usage: Maybe<Counts<'a>>,
    #[serde(borrow, default, rename = "stopReason")]
    stop_reason: Text<'a>,
    #[serde(borrow, default, rename = "errorMessage")]
    error: Text<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct Block<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    text: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct Counts<'a> {
    #[serde(borrow, default)]
    input: Field<'a>,
    #[serde(borrow, default)]
    output: Field<'a>,
    #[serde(borrow, default, rename = "cacheRead")]
    cache_read: Field<'a>,
    #[serde(borrow, default, rename = "cacheWrite")]
    cache_write: Field<'a>,
    #[serde(borrow, default)]
    cost: Maybe<Total<'a>>,
}

#[derive(Debug, serde::Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    content: List<Block<'a>>,
}

impl Pi {
    /// A conversation that begins with `opening`.
    pub fn conversation(opening: Opening, model: Option<&str>) -> LineStream<Pi> {
        LineStream::new(opening, Pi { transcript: Transcript::new(model), is_in_parts: false })
    }

    fn part(&mut self, part: &Part<'_>, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        step.is_progress = true;
        match &*part.kind {
            "text_start" if !self.is_in_parts => {
                self.is_in_parts = true;
                self.transcript.new_message();
            }
            "text_delta" => self.transcript.text_part(literal(part.delta), sink)?,
            "thinking_delta" => self.transcript.thinking(literal(part.delta), sink)?,
            "error" => step.is_progress = false,
            _ => {}
        }
        Ok(())
    }

    /// A message of the model's is whole: it states what comes next.
    fn message(&mut self, message: &Message<'_>, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        self.transcript.note_model(&message.model);
        if let Maybe(Some(counts)) = &message.usage {
            self.count(counts);
        }
        let text = texts(&message.content);
        if self.is_in_parts {
            self.transcript.message_ended(JsonText::Literal(&text), sink)?;
        } else if !text.is_empty() {
            self.transcript.message(JsonText::Literal(&text), sink)?;
        }
        self.is_in_parts = false;
        match &*message.stop_reason {
            "error" => self.transcript.fail_with(&*message.error, None),
            "aborted" => self.transcript.fail_with("the turn was aborted", None),
            "toolUse" => {
                step.is_progress = true;
                self.transcript.retract();
            }
            _ => {
                step.is_progress = true;
                self.transcript.complete(None);
            }
        }
        Ok(())
    }

    fn count(&mut self, counts: &Counts<'_>) {
        let usage = Usage {
            input_tokens: number(counts.input),
            output_tokens: number(counts.output),
            cache_read_tokens: number(counts.cache_read),
            cache_write_tokens: number(counts.cache_write),
        };
        self.transcript.add_usage("", usage);
        let total = counts.cost.0.as_ref().and_then(|cost| cost.total?.get().parse().ok());
        self.transcript.add_cost(total.unwrap_or(0.0));
    }

    fn tool_result(&mut self, line: &Line<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        let output = line.result.0.as_ref().map(|result| texts(&result.content)).unwrap_or_default();
        let is_error = line.is_error.map(|_| is_true(line.is_error));
        self.transcript.tool_result(&line.tool_call_id, JsonText::Literal(&output), is_error, sink)
    }
}

#[derive(Debug, serde::Deserialize)]
struct Total<'a> {
    #[serde(borrow, default)]
    total: Field<'a>,
}

/// The texts among a message's blocks: nearly always one.
fn texts<'a>(blocks: &List<Block<'a>>) -> Cow<'a, str> {
    let mut all = Cow::default();
    for block in blocks.0.iter().filter(|block| &*block.kind == "text") {
        if let JsonText::Literal(text) = literal(block.text) {
            all += text;
        }
    }
    all
}

impl LineReader for Pi {
    /// It may still shorten its session when its turn is over.
    fn properties(&self) -> Properties {
        Properties {
            states_result: true,
            reads_errors: true,
            begins_at_once: true,
            exit_within: Duration::from_secs(60),
        }
    }

    fn line(&mut self, text: &str, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<Understood> {
        if text.starts_with(UPDATE) {
            let Ok(line) = object::read::<UpdateLine<'_>>(text) else { return Ok(Understood::No) };
            line.part.0.iter().try_for_each(|part| self.part(part, sink, step))?;
            return Ok(Understood::Yes);
        }
        let Ok(line) = object::read::<Line<'_>>(text) else { return Ok(Understood::No) };
        match &*line.kind {
            "session" => self.transcript.session(&line.id, None, sink)?,
            "message_update" => {
                if let Maybe(Some(part)) = &line.part {
                    self.part(part, sink, step)?;
                }
            }
            "message_end" => {
                let message = line.message.0.as_ref().filter(|message| &*message.role == "assistant");
                if let Some(message) = message {
                    self.message(message, sink, step)?;
                }
            }
            "tool_execution_start" => {
                step.is_progress = true;
                self.transcript.tool_use(&line.tool_call_id, &line.tool_name, line.args, sink)?;
            }
            "tool_execution_end" => {
                step.is_progress = true;
                self.tool_result(&line, sink)?;
            }
            "turn_end" => self.transcript.turn_ended(),
            "agent_end" => {
                let result = self.transcript.result();
                step.is_turn_over = result.is_some_and(|result| result.failure.is_none());
            }
            "auto_retry_end" if !is_true(line.success) => {
                self.transcript.fail_with(&*line.final_error, None);
            }
            "error" => {
                let error = object::read::<ErrorLine<'_>>(text).map(|line| error_text(line.message));
                self.transcript.fail_with(error.unwrap_or_default(), None);
            }
            "auto_retry_end" | "compaction_start" | "compaction_end" => {}
            kind if SILENT.contains(&kind) => step.is_progress = kind == "tool_execution_update",
            kind => return Ok(Understood::UnknownType(kind.to_owned())),
        }
        Ok(Understood::Yes)
    }

    fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    fn transcript_mut(&mut self) -> &mut Transcript {
        &mut self.transcript
    }
}
