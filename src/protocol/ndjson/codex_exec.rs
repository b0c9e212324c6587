//! `codex exec --json`: the items of one turn. It asks no questions, and its input is the prompt alone.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::stream::{LineReader, LineStream, Understood};
use crate::object;
use crate::protocol::{
    AgentFailure, Event, JsonText, NoticeLevel, Opening, Properties, Sink, Step, Transcript, Usage,
};

/// A conversation that gives `prompt` to the program, in a new thread or in one that is resumed.
pub fn codex_exec(prompt: String, model: Option<&str>, is_resumed: bool) -> LineStream<CodexExec> {
    let reader = CodexExec { transcript: Transcript::new(model), is_resumed, ..CodexExec::default() };
    LineStream::new(Opening::Whole(prompt.into_bytes()), reader)
}

/// The reader of its lines.
#[derive(Debug, Default)]
pub struct CodexExec {
    transcript: Transcript,
    is_resumed: bool,
    /// The last error; the turn may still go on after it.
    error: Option<String>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    thread_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    item: Option<Item<'a>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    command: Option<&'a RawValue>,
    #[serde(borrow)]
    aggregated_output: Option<&'a RawValue>,
    #[serde(borrow)]
    exit_code: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    changes: Option<&'a RawValue>,
    #[serde(borrow)]
    server: Option<&'a RawValue>,
    #[serde(borrow)]
    tool: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    query: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
}

impl LineReader for CodexExec {
    fn properties(&self) -> Properties {
        Properties {
            states_result: true,
            reads_errors: true,
            begins_at_once: true,
            exit_within: Duration::from_secs(10),
        }
    }

    fn line(&mut self, text: &str, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<Understood> {
        let Ok(line) = object::read::<Line<'_>>(text) else { return Ok(Understood::No) };
        match &*word(line.kind) {
            "thread.started" => {
                step.is_progress = true;
                self.transcript.session(&word(line.thread_id), None, sink)?;
            }
            "turn.started" => step.is_progress = true,
            "item.started" | "item.updated" | "item.completed" => {
                let Some(item) = &line.item else { return Ok(Understood::No) };
                let is_complete = word(line.kind) == "item.completed";
                return self.item(item, is_complete, sink, step);
            }
            "turn.completed" => {
                self.tokens(line.usage, sink)?;
                self.transcript.complete(None);
                (step.is_progress, step.is_turn_over) = (true, true);
            }
            "turn.failed" => {
                let error = value(line.error);
                let error = error["message"].as_str().map(str::to_owned).or_else(|| self.error.take());
                self.fail(error.unwrap_or_else(|| "the turn failed".to_owned()));
                (step.is_progress, step.is_turn_over) = (true, true);
            }
            // It tries again, for ever where there is no network; whether this one was the last, the end shows.
            "error" => {
                let text = word(line.message).into_owned();
                if self.error.as_ref() != Some(&text) {
                    sink(Event::Notice { level: NoticeLevel::Warning, text: &text })?;
                    self.error = Some(text);
                }
            }
            kind => return Ok(Understood::UnknownType(kind.to_owned())),
        }
        Ok(Understood::Yes)
    }

    fn ended(&mut self, _step: &mut Step) {
        if self.transcript.result().is_none()
            && let Some(error) = self.error.take()
        {
            self.fail(error);
        }
    }

    fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    fn transcript_mut(&mut self) -> &mut Transcript {
        &mut self.transcript
    }
}

impl CodexExec {
    fn item(
        &mut self,
        item: &Item<'_>,
        is_complete: bool,
        sink: &mut Sink<'_>,
        step: &mut Step,
    ) -> io::Result<Understood> {
        let kind = word(item.kind);
        // A warning, such as that a model is not known: the turn goes on.
        if kind == "error" {
            let text = word(item.message);
            sink(Event::Notice { level: NoticeLevel::Warning, text: &text })?;
            return Ok(Understood::Yes);
        }
        step.is_progress = true;
        match &*kind {
            "agent_message" | "plan" if is_complete => self.transcript.message(literal(item.text), sink)?,
            "reasoning" if is_complete => self.transcript.thinking(literal(item.text), sink)?,
            "agent_message" | "plan" | "reasoning" | "todo_list" => {}
            "command_execution" | "file_change" | "mcp_tool_call" | "web_search" | "collab_tool_call" => {
                self.tool(&kind, item, is_complete, sink)?;
            }
            _ => return Ok(Understood::UnknownType(kind.into_owned())),
        }
        Ok(Understood::Yes)
    }

    fn tool(
        &mut self,
        kind: &str,
        item: &Item<'_>,
        is_complete: bool,
        sink: &mut Sink<'_>,
    ) -> io::Result<()> {
        let id = word(item.id);
        if !self.transcript.is_tool_open(&id) {
            let (name, input): (Cow<'_, str>, _) = match kind {
                "command_execution" => ("exec_command".into(), object(&[("command", item.command)])),
                "file_change" => ("patch_apply".into(), object(&[("changes", item.changes)])),
                "mcp_tool_call" => {
                    let name = format!("{}.{}", word(item.server), word(item.tool));
                    (name.into(), item.arguments.map(ToOwned::to_owned))
                }
                "collab_tool_call" => (word(item.tool), object(&[("prompt", item.prompt)])),
                _ => ("web_search".into(), object(&[("query", item.query)])),
            };
            self.transcript.tool_use(&id, &name, input.as_deref(), sink)?;
        }
        if !is_complete {
            return Ok(());
        }
        let status = word(item.status);
        let has_failed = matches!(&*status, "failed" | "declined");
        if kind == "command_execution" {
            let exit = item.exit_code.map_or("null", RawValue::get);
            let is_error = has_failed || !matches!(exit, "0" | "null");
            return self.transcript.tool_result(&id, literal(item.aggregated_output), Some(is_error), sink);
        }
        let (result, error) = (value(item.result), value(item.error));
        let texts =
            result["content"].as_array().into_iter().flatten().filter_map(|part| part["text"].as_str());
        let output = match error["message"].as_str() {
            Some(error) => error.to_owned(),
            None => texts.collect::<Vec<_>>().join("\n"),
        };
        let output = if output.is_empty() { status.into_owned() } else { output };
        self.transcript.tool_result(&id, output.as_str().into(), Some(has_failed), sink)
    }

    /// The counts are those of the thread since it began, in whichever run.
    fn tokens(&mut self, usage: Option<&RawValue>, sink: &mut Sink<'_>) -> io::Result<()> {
        if self.is_resumed {
            let text = "`codex exec` tells the tokens of the whole session; those of this run are not known";
            return sink(Event::Notice { level: NoticeLevel::Info, text });
        }
        let usage = value(usage);
        let count = |name: &str| usage[name].as_u64().unwrap_or_default();
        let (cached, written) = (count("cached_input_tokens"), count("cache_write_input_tokens"));
        let usage = Usage {
            input_tokens: count("input_tokens").saturating_sub(cached).saturating_sub(written),
            output_tokens: count("output_tokens"),
            cache_read_tokens: cached,
            cache_write_tokens: written,
        };
        self.transcript.set_usage("", usage);
        Ok(())
    }

    fn fail(&mut self, error: String) {
        self.transcript.fail(AgentFailure { error, ..AgentFailure::default() });
    }
}

fn literal(field: Option<&RawValue>) -> JsonText<'_> {
    field.and_then(|field| JsonText::from_json(field.get())).unwrap_or_default()
}

fn word(field: Option<&RawValue>) -> Cow<'_, str> {
    literal(field).decode()
}

fn value(field: Option<&RawValue>) -> Value {
    field.and_then(|field| serde_json::from_str(field.get()).ok()).unwrap_or(Value::Null)
}

/// An object of the fields that are there.
fn object(fields: &[(&str, Option<&RawValue>)]) -> Option<Box<RawValue>> {
    let present =
        fields.iter().filter_map(|(name, value)| Some(format!("\"{name}\":{}", value.as_ref()?.get())));
    RawValue::from_string(format!("{{{}}}", present.collect::<Vec<_>>().join(","))).ok()
}
