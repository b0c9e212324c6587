//! The chat messages that the `grok` program of npm prints: one a line, when it is done. It ends with status 0 whatever
//! happened; an error is the text of its last message. As of 0.0.34.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::stream::{LineReader, Understood};
use crate::object;
use crate::protocol::{AgentFailure, JsonText, Properties, Sink, Step, Transcript};

/// How it begins a message that is an error.
const ERROR: &str = "Sorry, I encountered an error:";

/// The state of one conversation.
#[derive(Debug, Default)]
pub struct Grok {
    transcript: Transcript,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_call_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    function: Function<'a>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    /// JSON in a text.
    #[serde(borrow, default)]
    arguments: Cow<'a, str>,
}

impl Grok {
    fn assistant(&mut self, text: JsonText<'_>, calls: Vec<Call<'_>>, sink: &mut Sink<'_>) -> io::Result<()> {
        self.transcript.message(text, sink)?;
        if calls.is_empty() {
            let text = text.decode();
            match text.strip_prefix(ERROR) {
                Some(error) => self
                    .transcript
                    .fail(AgentFailure { error: error.trim().to_owned(), ..AgentFailure::default() }),
                None => self.transcript.complete(Some(&text)),
            }
        }
        for call in calls {
            let input = serde_json::from_str(&call.function.arguments).ok();
            self.transcript.tool_use(&call.id, &call.function.name, input, sink)?;
        }
        Ok(())
    }
}

impl LineReader for Grok {
    fn properties(&self) -> Properties {
        Properties {
            states_result: true,
            reads_errors: true,
            begins_at_once: true,
            exit_within: Duration::from_secs(3),
        }
    }

    fn line(&mut self, line: &str, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<Understood> {
        let Ok(Line { role, content, tool_calls, tool_call_id }) = object::read(line) else {
            return Ok(Understood::No);
        };
        let text = content.and_then(|content| JsonText::from_json(content.get())).unwrap_or_default();
        step.is_progress = true;
        match &*role {
            "user" | "system" => {}
            "assistant" => {
                let calls = tool_calls.and_then(|calls| serde_json::from_str(calls.get()).ok());
                self.assistant(text, calls.unwrap_or_default(), sink)?;
            }
            "tool" => self.transcript.tool_result(&tool_call_id.unwrap_or_default(), text, None, sink)?,
            _ => return Ok(Understood::UnknownType(role.into_owned())),
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
