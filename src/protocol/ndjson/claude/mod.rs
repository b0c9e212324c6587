//! Reads the stream-json of Claude Code and its forks.
//!
//! The reader keeps what the end of the run is judged by: the terminal result, the fallback text, token counts, open
//! tools. It decides nothing about the process.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;

use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

mod message;

use self::message::{Block, Content, Counts, Head, Line, Message, is_true};
use crate::protocol::{Event, NoticeLevel, Sink, TOOL_OUTPUT, Usage, prefix};

/// The `result` line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terminal {
    /// `None`: success. Else what the agent says went wrong.
    pub error: Option<String>,
    /// `success`, `error_max_turns` …
    pub subtype: String,
    /// Why the loop ended, where the release says so.
    pub terminal_reason: String,
    /// The answer as the CLI states it.
    pub text: String,
}

/// What one line meant for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The agent works.
    Progress,
    /// A keep-alive, an unknown type, or no JSON: it proves no progress.
    Noise,
    /// A login is wanted; the text to look at is the line itself.
    Suspicious,
    /// The terminal result.
    Terminal,
}

/// The reader's state.
#[derive(Debug, Default)]
pub struct Reader {
    /// The session's id, as last seen.
    pub session_id: Option<String>,
    /// The terminal result, once it came.
    pub terminal: Option<Terminal>,
    /// Last assistant message without tool calls.
    pub fallback: String,
    /// What the CLI says it cost, digit for digit.
    pub cost: Option<Number>,
    /// Tool calls without an answer yet.
    pub open_tools: usize,
    /// A tool went to the background, where this run cannot wait for it.
    pub launched_async: bool,
    /// Tool calls seen.
    pub tool_calls: u64,
    /// Lines that were no JSON object.
    pub garbage: u64,
    /// Types nobody told us about, with how often they came.
    pub unknown: BTreeMap<String, u64>,
    requested_model: Option<String>,
    model: String,
    tools: HashMap<String, String>,
    /// The latest usage of recent messages; one message is printed as several lines that repeat it.
    recent: VecDeque<(String, String, Usage)>,
    summed: BTreeMap<String, Usage>,
    stated: Option<BTreeMap<String, Usage>>,
}

const KNOWN_SILENT: [&str; 7] = [
    "stream_event",
    "rate_limit_event",
    "control_cancel_request",
    "control_response",
    "keep_alive",
    "api_retry",
    "tool_progress",
];

impl Reader {
    /// A reader for a run that asked for this model.
    pub fn new(requested_model: Option<String>) -> Self {
        Self { requested_model, ..Self::default() }
    }

    /// Takes one line. Answers that the agent waits for are appended to `answers`, one line each.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn line(&mut self, line: &[u8], sink: &mut Sink<'_>, answers: &mut Vec<u8>) -> io::Result<Meaning> {
        // Lossy reading is slow, and hardly ever needed.
        let text = match std::str::from_utf8(line) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(line),
        };
        if text.trim_start().is_empty() {
            return Ok(Meaning::Noise);
        }
        // serde would read a struct from an array as well.
        if !text.trim_start().starts_with('{') {
            self.garbage += 1;
            return Ok(Meaning::Suspicious);
        }
        match serde_json::from_str::<Line<'_>>(&text) {
            Ok(line) => self.known(&line, sink, answers),
            Err(_) => match serde_json::from_str::<Head<'_>>(&text) {
                Ok(head) => {
                    if &*head.kind == "assistant" {
                        self.fallback.clear();
                    }
                    self.note_unknown(&head.kind);
                    Ok(Meaning::Suspicious)
                }
                Err(_) => {
                    self.garbage += 1;
                    Ok(Meaning::Suspicious)
                }
            },
        }
    }

    /// Tokens by model: what the CLI states, else the sum over its messages. Models without any are left out.
    pub fn usage(&mut self) -> BTreeMap<String, Usage> {
        while let Some((_, model, usage)) = self.recent.pop_front() {
            self.summed.entry(model).or_default().add(&usage);
        }
        let mut usage = self.stated.take().unwrap_or_else(|| std::mem::take(&mut self.summed));
        usage.retain(|_, usage| !usage.is_zero());
        usage
    }

    fn known(&mut self, line: &Line<'_>, sink: &mut Sink<'_>, answers: &mut Vec<u8>) -> io::Result<Meaning> {
        if !line.model.is_empty() && self.model.is_empty() {
            self.model = line.model.to_string();
        }
        if !line.session_id.is_empty() && self.session_id.as_deref() != Some(&*line.session_id) {
            self.session_id = Some(line.session_id.to_string());
            let model = (!line.model.is_empty()).then_some(&*line.model);
            sink(Event::Session { session_id: &line.session_id, model })?;
        }
        match &*line.kind {
            "assistant" => {
                match &line.message {
                    Some(message) => self.assistant(line, message, sink)?,
                    None => self.fallback.clear(),
                }
                Ok(Meaning::Progress)
            }
            "user" => {
                if let Some(Message { content: Content::Blocks(blocks), .. }) = &line.message {
                    for block in blocks.iter().filter(|block| &*block.kind == "tool_result") {
                        self.tool_result(block, sink)?;
                    }
                }
                Ok(Meaning::Progress)
            }
            "control_request" => {
                if let Some(request) = line.request {
                    answer(&line.request_id, request, answers);
                }
                Ok(Meaning::Progress)
            }
            "result" => {
                self.result(line);
                Ok(Meaning::Terminal)
            }
            "stream_event" | "tool_progress" => Ok(Meaning::Progress),
            "system" => Ok(match &*line.subtype {
                "init" | "compact_boundary" => Meaning::Progress,
                "api_retry" => Meaning::Suspicious,
                _ => Meaning::Noise,
            }),
            "log" => {
                if let Some(log) = &line.log {
                    let level = match &*log.level {
                        "error" => NoticeLevel::Error,
                        "warn" | "warning" => NoticeLevel::Warning,
                        _ => NoticeLevel::Info,
                    };
                    sink(Event::Notice { level, text: &log.message })?;
                }
                Ok(Meaning::Noise)
            }
            kind if KNOWN_SILENT.contains(&kind) => Ok(Meaning::Noise),
            kind => {
                self.note_unknown(kind);
                Ok(Meaning::Suspicious)
            }
        }
    }

    fn assistant(&mut self, line: &Line<'_>, message: &Message<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        if let Some(usage) = message.usage {
            self.count(message, usage);
        }
        // A sub-agent's messages are transcript, never the answer.
        let deliverable = line.parent_tool_use_id.is_empty();
        let mut text = String::new();
        let mut drop_fallback = false;
        match &message.content {
            Content::None => drop_fallback = true,
            Content::Plain(plain) => {
                sink(Event::Text { text: plain })?;
                text.push_str(plain);
            }
            Content::Blocks(blocks) => {
                for block in blocks {
                    match &*block.kind {
                        "text" => {
                            sink(Event::Text { text: &block.text })?;
                            if deliverable {
                                text.push_str(&block.text);
                            }
                        }
                        "thinking" | "redacted_thinking" => {
                            let thought =
                                if block.thinking.is_empty() { &block.text } else { &block.thinking };
                            if !thought.is_empty() {
                                sink(Event::Thinking { text: thought })?;
                            }
                        }
                        "tool_use" => {
                            drop_fallback = true;
                            self.tool_use(block, sink)?;
                        }
                        _ => drop_fallback = true,
                    }
                }
            }
        }
        if deliverable {
            if drop_fallback {
                self.fallback.clear();
            } else if !text.trim().is_empty() {
                self.fallback = text;
            }
        }
        Ok(())
    }

    fn tool_use(&mut self, block: &Block<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        self.open_tools += 1;
        self.tool_calls += 1;
        if self.tools.len() >= 4096 {
            self.tools.clear(); // calls that were never answered must not pile up
        }
        self.tools.insert(block.id.to_string(), block.name.to_string());
        let empty = serde_json::from_str("{}").expect("an object");
        sink(Event::ToolUse { id: &block.id, tool: &block.name, input: block.input.unwrap_or(empty) })
    }

    fn tool_result(&mut self, block: &Block<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        self.open_tools = self.open_tools.saturating_sub(1);
        let tool = self.tools.remove(&*block.tool_use_id).unwrap_or_default();
        let raw = block.content.map_or("\"\"", RawValue::get);
        self.launched_async |= memchr::memmem::find(raw.as_bytes(), b"async_launched").is_some()
            && serde_json::from_str(raw).is_ok_and(|content| says_async(&content, 0));
        let output = output_text(raw);
        let is_error = block.is_error.map(|_| is_true(block.is_error));
        sink(Event::ToolResult {
            id: &block.tool_use_id,
            tool: &tool,
            output: prefix(&output, TOOL_OUTPUT),
            is_error,
        })
    }

    fn result(&mut self, line: &Line<'_>) {
        let failed = is_true(line.is_error) || line.subtype.starts_with("error_");
        let error = failed.then(|| {
            let listed = || {
                let errors: Vec<Value> = serde_json::from_str(line.errors?.get()).ok()?;
                let texts: Vec<_> = errors.iter().map(plain_text).filter(|text| !text.is_empty()).collect();
                (!texts.is_empty()).then(|| texts.join("; "))
            };
            if line.result.trim().is_empty() {
                listed().unwrap_or_else(|| line.subtype.to_string())
            } else {
                line.result.to_string()
            }
        });
        self.cost = line.total_cost_usd.and_then(|cost| serde_json::from_str(cost.get()).ok());
        self.stated = self.stated_usage(line);
        self.terminal = Some(Terminal {
            error,
            subtype: line.subtype.to_string(),
            terminal_reason: line.terminal_reason.to_string(),
            text: if failed { String::new() } else { line.result.to_string() },
        });
    }

    fn stated_usage(&self, line: &Line<'_>) -> Option<BTreeMap<String, Usage>> {
        let by_model = line
            .model_usage
            .and_then(|raw| serde_json::from_str::<BTreeMap<String, &RawValue>>(raw.get()).ok());
        let by_model: BTreeMap<String, Usage> = by_model
            .unwrap_or_default()
            .into_iter()
            .map(|(model, usage)| (model, tokens(usage).unwrap_or_default()))
            .collect();
        if by_model.values().any(|usage| !usage.is_zero()) {
            return Some(by_model);
        }
        let total = tokens(line.usage?)?;
        let model = if line.model.is_empty() { self.model_name("") } else { line.model.to_string() };
        (!total.is_zero()).then(|| BTreeMap::from([(model, total)]))
    }

    fn count(&mut self, message: &Message<'_>, usage: &RawValue) {
        let Some(usage) = tokens(usage) else { return };
        let model = self.model_name(&message.model);
        if !message.id.is_empty()
            && let Some(entry) = self.recent.iter_mut().find(|(id, ..)| **id == *message.id)
        {
            (entry.1, entry.2) = (model, usage);
            return;
        }
        self.recent.push_back((message.id.to_string(), model, usage));
        if self.recent.len() > 16
            && let Some((_, model, usage)) = self.recent.pop_front()
        {
            self.summed.entry(model).or_default().add(&usage);
        }
    }

    fn model_name(&self, stated: &str) -> String {
        let name = [stated, &self.model, self.requested_model.as_deref().unwrap_or("")];
        (*name.iter().find(|name| !name.is_empty()).unwrap_or(&"unknown")).to_owned()
    }

    /// Names are shown to people: only harmless characters, and only so many.
    fn note_unknown(&mut self, kind: &str) {
        let name: String =
            kind.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).take(64).collect();
        let name = if name.is_empty() { "(none)".to_owned() } else { name };
        if self.unknown.len() < 16 || self.unknown.contains_key(&name) {
            *self.unknown.entry(name).or_default() += 1;
        }
    }
}

/// Allows what the agent asks for; it was started with permission to do it. Background work is brought to the front.
fn answer(request_id: &str, request: &RawValue, answers: &mut Vec<u8>) {
    let Ok(request) = serde_json::from_str::<Value>(request.get()) else { return };
    let inner = if request["subtype"] == "can_use_tool" {
        let mut input = request.get("input").cloned().unwrap_or_else(|| Value::Object(Map::new()));
        if let Some(background) = input.get_mut("run_in_background")
            && *background == Value::Bool(true)
        {
            *background = Value::Bool(false);
        }
        serde_json::json!({ "behavior": "allow", "updatedInput": input })
    } else {
        serde_json::json!({})
    };
    let frame = serde_json::json!({
        "type": "control_response",
        "response": { "subtype": "success", "request_id": request_id, "response": inner },
    });
    answers.extend_from_slice(frame.to_string().as_bytes());
    answers.push(b'\n');
}

fn says_async(value: &Value, depth: usize) -> bool {
    match value {
        _ if depth > 4 => false,
        Value::Object(object) => {
            object.get("status").is_some_and(|status| status == "async_launched")
                || ["content", "text"]
                    .iter()
                    .any(|key| object.get(*key).is_some_and(|v| says_async(v, depth + 1)))
        }
        Value::Array(items) => items.iter().any(|item| says_async(item, depth + 1)),
        Value::String(text) => {
            text.trim_start().starts_with(['{', '['])
                && serde_json::from_str(text).is_ok_and(|value| says_async(&value, depth + 1))
        }
        _ => false,
    }
}

/// A tool's output as text: the string, the texts of its blocks, else the JSON itself.
fn output_text(raw: &str) -> Cow<'_, str> {
    if raw.starts_with('"')
        && let Ok(text) = serde_json::from_str::<message::Text<'_>>(raw)
    {
        return text.0;
    }
    match serde_json::from_str::<Vec<Block<'_>>>(raw) {
        Ok(blocks) if blocks.iter().any(|block| &*block.kind == "text") => {
            let texts: Vec<&str> =
                blocks.iter().filter(|b| &*b.kind == "text").map(|block| &*block.text).collect();
            texts.join("\n").into()
        }
        _ => raw.into(),
    }
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(object) => object.get("message").map(plain_text).unwrap_or_default(),
        _ => String::new(),
    }
}

/// Token counts in either spelling.
fn tokens(usage: &RawValue) -> Option<Usage> {
    let counts: Counts<'_> = serde_json::from_str(usage.get()).ok()?;
    let number = |a: Option<&RawValue>, b: Option<&RawValue>| {
        [a, b].into_iter().flatten().find_map(|number| number.get().parse().ok()).unwrap_or(0)
    };
    Some(Usage {
        input_tokens: number(counts.input_tokens, counts.input),
        output_tokens: number(counts.output_tokens, counts.output),
        cache_read_tokens: number(counts.cache_read_input_tokens, counts.cache_read),
        cache_write_tokens: number(counts.cache_creation_input_tokens, counts.cache_creation),
    })
}

#[cfg(test)]
mod tests;
