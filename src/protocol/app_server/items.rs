//! The items of a turn: messages, thoughts and tools.

use std::borrow::Cow;
use std::io;

use serde_json::Value;
use serde_json::value::RawValue;

use super::message::{Item, literal, word};
use crate::protocol::{Event, JsonText, NoticeLevel, Sink, Transcript};

/// What a turn has said in items.
#[derive(Debug, Default)]
pub(super) struct Items {
    /// The message whose parts are being told.
    streamed: Option<String>,
    /// The message that the server calls the answer.
    pub(super) final_answer: Option<String>,
}

/// Whether the item's type is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Yes,
    No,
}

impl Items {
    /// An item has begun.
    pub(super) fn started(
        &mut self,
        item: &Item<'_>,
        transcript: &mut Transcript,
        sink: &mut Sink<'_>,
    ) -> io::Result<Known> {
        match tool(item) {
            Some(tool) => tool.called(item, transcript, sink).map(|()| Known::Yes),
            None => Ok(Known::Yes), // it is told when it is complete
        }
    }

    /// A part of the agent's message.
    pub(super) fn part(
        &mut self,
        id: Cow<'_, str>,
        text: JsonText<'_>,
        transcript: &mut Transcript,
        sink: &mut Sink<'_>,
    ) -> io::Result<()> {
        if self.streamed.as_deref() != Some(&*id) {
            self.end_streamed(transcript, sink)?;
            transcript.new_message();
            self.streamed = Some(id.into_owned());
        }
        transcript.text_part(text, sink)
    }

    /// An item is complete.
    pub(super) fn completed(
        &mut self,
        item: &Item<'_>,
        transcript: &mut Transcript,
        sink: &mut Sink<'_>,
    ) -> io::Result<Known> {
        if let Some(tool) = tool(item) {
            if !transcript.is_tool_open(&word(item.id)) {
                tool.called(item, transcript, sink)?;
            }
            let (output, is_error) = tool.answer(item);
            transcript.tool_result(&word(item.id), output.as_text(), is_error, sink)?;
            return Ok(Known::Yes);
        }
        match &*word(item.kind) {
            "agentMessage" | "plan" => self.message(item, transcript, sink)?,
            "reasoning" => {
                let summary = texts(item.summary);
                let thought = if summary.is_empty() { texts(item.content) } else { summary };
                transcript.thinking(JsonText::Plain(&thought), sink)?;
            }
            "contextCompaction" => {
                let text = "Codex has shortened the conversation to go on with it";
                sink(Event::Notice { level: NoticeLevel::Info, text })?;
            }
            "userMessage" | "hookPrompt" | "functionCallOutput" | "subAgentActivity"
            | "enteredReviewMode" | "exitedReviewMode" => {}
            _ => return Ok(Known::No),
        }
        Ok(Known::Yes)
    }

    fn message(
        &mut self,
        item: &Item<'_>,
        transcript: &mut Transcript,
        sink: &mut Sink<'_>,
    ) -> io::Result<()> {
        let text = literal(item.text);
        if word(item.phase) == "final_answer" {
            self.final_answer = Some(text.decode().into_owned());
        }
        if self.streamed.as_deref() == Some(&*word(item.id)) {
            self.streamed = None;
            return transcript.message_ended(text, sink);
        }
        self.end_streamed(transcript, sink)?;
        transcript.message(text, sink)
    }

    fn end_streamed(&mut self, transcript: &mut Transcript, sink: &mut Sink<'_>) -> io::Result<()> {
        match self.streamed.take() {
            Some(_) => transcript.message_ended(JsonText::default(), sink),
            None => Ok(()),
        }
    }
}

/// An item that is the call of a tool.
#[derive(Clone, Copy, Debug)]
enum Tool {
    Command,
    Patch,
    Server,
    Other(&'static str),
}

/// What a tool answered.
enum Output<'a> {
    AsItStands(JsonText<'a>),
    Joined(String),
}

impl Output<'_> {
    fn as_text(&self) -> JsonText<'_> {
        match self {
            Output::AsItStands(text) => *text,
            Output::Joined(text) => JsonText::Plain(text),
        }
    }
}

fn tool(item: &Item<'_>) -> Option<Tool> {
    Some(match &*word(item.kind) {
        "commandExecution" => Tool::Command,
        "fileChange" => Tool::Patch,
        "mcpToolCall" => Tool::Server,
        "dynamicToolCall" => Tool::Other("dynamic_tool"),
        "collabAgentToolCall" => Tool::Other("agent"),
        "webSearch" => Tool::Other("web_search"),
        "imageView" => Tool::Other("view_image"),
        "imageGeneration" => Tool::Other("generate_image"),
        "sleep" => Tool::Other("sleep"),
        _ => return None,
    })
}

impl Tool {
    fn called(self, item: &Item<'_>, transcript: &mut Transcript, sink: &mut Sink<'_>) -> io::Result<()> {
        let name = word(item.tool);
        let (name, input): (Cow<'_, str>, _) = match self {
            Tool::Command => ("exec_command".into(), object(&[("command", item.command), ("cwd", item.cwd)])),
            Tool::Patch => ("patch_apply".into(), object(&[("changes", item.changes)])),
            Tool::Server => (format!("{}.{name}", word(item.server)).into(), arguments(item)),
            Tool::Other(_) if !name.is_empty() => {
                let space = word(item.namespace);
                let full = if space.is_empty() { name } else { format!("{space}.{name}").into() };
                (full, arguments(item))
            }
            Tool::Other(name) => (name.into(), arguments(item)),
        };
        transcript.tool_use(&word(item.id), &name, input.as_deref(), sink)
    }

    fn answer<'a>(self, item: &Item<'a>) -> (Output<'a>, Option<bool>) {
        let status = word(item.status);
        let has_failed = matches!(&*status, "failed" | "declined");
        let output = match self {
            Tool::Command => {
                let exit = item.exit_code.map_or("null", RawValue::get);
                let is_error = has_failed || !matches!(exit, "0" | "null");
                return (Output::AsItStands(literal(item.aggregated_output)), Some(is_error));
            }
            Tool::Server => Output::Joined(server_output(item)),
            Tool::Other(_) if item.content_items.is_some() => Output::Joined(texts(item.content_items)),
            Tool::Patch | Tool::Other(_) => Output::Joined(status.into_owned()),
        };
        (output, (!word(item.status).is_empty()).then_some(has_failed))
    }
}

/// What a tool of an MCP server answered.
fn server_output(item: &Item<'_>) -> String {
    let read = |field: Option<&RawValue>| {
        field.and_then(|field| serde_json::from_str(field.get()).ok()).unwrap_or(Value::Null)
    };
    let (result, error): (Value, Value) = (read(item.result), read(item.error));
    match error["message"].as_str() {
        Some(error) => error.to_owned(),
        None => joined(&result["content"]),
    }
}

fn arguments(item: &Item<'_>) -> Option<Box<RawValue>> {
    match item.arguments {
        Some(arguments) if arguments.get() != "null" => Some(arguments.to_owned()),
        _ => object(&[("prompt", item.prompt), ("query", item.query), ("path", item.path)]),
    }
}

/// An object of the fields that are there.
fn object(fields: &[(&str, Option<&RawValue>)]) -> Option<Box<RawValue>> {
    let fields: Vec<String> = fields
        .iter()
        .filter_map(|(name, value)| Some((name, value.filter(|value| value.get() != "null")?)))
        .map(|(name, value)| format!("\"{name}\":{}", value.get()))
        .collect();
    RawValue::from_string(format!("{{{}}}", fields.join(","))).ok()
}

/// The texts of a list, be they strings or objects with a `text`.
fn texts(list: Option<&RawValue>) -> String {
    let list: Option<Value> = list.and_then(|list| serde_json::from_str(list.get()).ok());
    list.map(|list| joined(&list)).unwrap_or_default()
}

fn joined(list: &Value) -> String {
    let items = list.as_array().map_or(&[][..], Vec::as_slice);
    let texts: Vec<&str> =
        items.iter().filter_map(|item| item.as_str().or_else(|| item["text"].as_str())).collect();
    texts.join("\n")
}
