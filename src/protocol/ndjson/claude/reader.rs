//! Reads the lines of Claude Code's stream-json.
//!
//! The reader keeps what the end of the run is judged by: the result, the fallback text, token counts, open tools. It
//! decides nothing about the process.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;

use serde_json::value::RawValue;
use serde_json::{Number, Value};

use super::answer::{Answer, control_response};
use super::failure::{self, Stated};
use super::message::{Block, Content, Head, Line, Message};
use super::tokens::{Counting, Tokens};
use crate::object;
use crate::protocol::ndjson::field::{self, is_true, plain_text};
use crate::protocol::ndjson::lines::Lines;
use crate::protocol::ndjson::skipped::Skipped;
use crate::protocol::{
    AgentFailure, AgentResult, Ending, Event, JsonText, NoticeLevel, Permission, Sink, Spent, Step, is_price,
    login, prefix,
};

/// The part of a line that is searched for login trouble, in bytes.
const LOGIN_TEXT: usize = 64 << 10;
/// Calls that were never answered must not pile up.
const MAX_OPEN_TOOLS: usize = 4096;
/// So much of an id and of a name is remembered of each, in bytes.
const LONGEST_NAME: usize = 512;

/// The state of one conversation.
#[derive(Debug, Default)]
pub(super) struct Reader {
    session_id: Option<String>,
    result: Option<AgentResult>,
    /// The literal of the last assistant message without tool calls.
    fallback: String,
    /// The literal of the last assistant message with a text.
    last_text: String,
    cost_usd: Option<Number>,
    open_tools: usize,
    /// Names of called tools by the id of the call.
    tools: HashMap<String, String>,
    has_background_work: bool,
    /// The price that was stated is that of the whole session.
    is_session_price: bool,
    tool_calls: u64,
    skipped: Skipped,
    tokens: Tokens,
    permission: Permission,
}

/// Types that say nothing about the work.
const SILENT: [&str; 5] =
    ["rate_limit_event", "control_cancel_request", "control_response", "keep_alive", "api_retry"];

impl Reader {
    /// A reader for a run that asked for this model.
    pub(super) fn new(requested_model: Option<String>, permission: Permission, counting: Counting) -> Self {
        Self { tokens: Tokens::new(requested_model, counting), permission, ..Self::default() }
    }

    /// Whether the result came.
    pub(super) fn is_over(&self) -> bool {
        self.result.is_some()
    }

    pub(super) fn has_open_tool(&self) -> bool {
        self.open_tools > 0
    }

    /// Takes one line.
    pub(super) fn line(&mut self, line: &[u8], sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        // Lossy reading is slow, and hardly ever needed.
        let text = match std::str::from_utf8(line) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(line),
        };
        let begin = text.trim_start();
        if begin.is_empty() {
            return Ok(());
        }
        // Most lines that are no messages end here, before they are parsed.
        if begin.starts_with('{') {
            if let Ok(line) = object::read::<Line<'_>>(&text) {
                return self.known(&line, &text, sink, step);
            }
            if let Ok(head) = object::read::<Head<'_>>(&text) {
                if &*head.kind == "assistant" {
                    self.fallback.clear();
                }
                self.skipped.unknown(&head.kind);
            } else {
                self.skipped.garbage();
            }
        } else {
            self.skipped.garbage();
        }
        look_for_login(&text, step);
        Ok(())
    }

    pub(super) fn spent(&self) -> Spent {
        Spent { tokens: self.tokens.so_far(), cost_usd: self.cost_usd.clone(), turns: self.tokens.messages() }
    }

    /// The session is resumed.
    pub(super) fn resumes(&mut self) {
        self.tokens.count_as(Counting::Resumed);
    }

    pub(super) fn end(&mut self, lines: &Lines) -> Ending {
        let mut remarks = self.skipped.remarks(lines);
        if self.is_session_price {
            remarks.push(
                "the agent states the price of the whole session; that of this run is not known".into(),
            );
        }
        Ending {
            result: self.result.take(),
            fallback: JsonText::Literal(&self.fallback).decode().into_owned(),
            last_text: JsonText::Literal(&self.last_text).decode().into_owned(),
            session_id: self.session_id.take(),
            usage: self.tokens.total(),
            cost_usd: self.cost_usd.take(),
            tool_calls: self.tool_calls,
            has_background_work: self.has_background_work,
            unreadable: lines.unreadable(),
            remarks,
            ..Ending::default()
        }
    }

    fn known(&mut self, line: &Line<'_>, text: &str, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        self.tokens.note_model(&line.model);
        if !line.session_id.is_empty() && self.session_id.as_deref() != Some(&*line.session_id) {
            self.session_id = Some(line.session_id.to_string());
            let model = (!line.model.is_empty()).then_some(&*line.model);
            sink(Event::Session { session_id: &line.session_id, model })?;
        }
        match &*line.kind {
            "assistant" => {
                step.is_progress = true;
                match &line.message {
                    Some(message) => self.assistant(line, message, sink)?,
                    None => self.fallback.clear(),
                }
            }
            "user" => {
                step.is_progress = true;
                if let Some(Message { content: Content::Blocks(blocks), .. }) = &line.message {
                    for block in blocks.iter().filter(|block| &*block.kind == "tool_result") {
                        self.tool_result(block, sink)?;
                    }
                }
            }
            "control_request" => {
                step.is_progress = true;
                let answer = line
                    .request
                    .and_then(|request| control_response(&line.request_id, request, self.permission));
                if let Some(Answer { frame, tool }) = answer {
                    step.frames.extend(frame);
                    if let Some(tool) = tool {
                        sink(Event::Permission { request: &tool, decision: self.permission })?;
                    }
                }
            }
            "result" => {
                self.result(line);
                step.is_progress = true;
                step.is_turn_over = true;
                step.close_input = true; // else it waits for more input for ever
            }
            "stream_event" | "tool_progress" => step.is_progress = true,
            "system" => match &*line.subtype {
                "init" | "compact_boundary" => step.is_progress = true,
                "api_retry" => look_for_login(text, step),
                _ => {}
            },
            "log" => {
                if let Some(log) = &line.log {
                    let level = match &*log.level {
                        "error" => NoticeLevel::Error,
                        "warn" | "warning" => NoticeLevel::Warning,
                        _ => NoticeLevel::Info,
                    };
                    sink(Event::Notice { level, text: &log.message })?;
                }
            }
            kind if SILENT.contains(&kind) => {}
            kind => {
                self.skipped.unknown(kind);
                look_for_login(text, step);
            }
        }
        Ok(())
    }

    fn assistant(&mut self, line: &Line<'_>, message: &Message<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        self.tokens.count(message);
        // A sub-agent's messages are transcript, never the answer.
        let is_deliverable = line.parent_tool_use_id.is_empty();
        let mut answer = String::new();
        let mut is_blank = true;
        let mut drop_fallback = false;
        let mut say = |text: JsonText<'_>, sink: &mut Sink<'_>| {
            if is_deliverable {
                is_blank &= text.is_blank();
                text.append_literal(&mut answer);
            }
            sink(Event::Text { text, is_part: false })
        };
        match &message.content {
            Content::None => drop_fallback = true,
            Content::Plain(plain) => say(JsonText::Plain(plain), sink)?,
            Content::Blocks(blocks) => {
                for block in blocks {
                    match &*block.kind {
                        "text" => say(block.text(), sink)?,
                        "thinking" | "redacted_thinking" => {
                            let text = Some(block.thinking()).filter(|thought| !thought.is_empty());
                            let text = text.unwrap_or_else(|| block.text());
                            if !text.is_empty() {
                                sink(Event::Thinking { text })?;
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
        if !is_deliverable {
            return Ok(());
        }
        if !is_blank && !is_true(line.is_api_error_message) {
            self.last_text.clone_from(&answer);
        }
        if drop_fallback {
            self.fallback.clear();
        } else if !is_blank {
            self.fallback = answer;
        }
        Ok(())
    }

    fn tool_use(&mut self, block: &Block<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        self.open_tools += 1;
        self.tool_calls += 1;
        if self.tools.len() >= MAX_OPEN_TOOLS {
            self.tools.clear();
        }
        let beginning = |text: &str| prefix(text, LONGEST_NAME).to_owned();
        self.tools.insert(beginning(&block.id), beginning(&block.name));
        let empty = serde_json::from_str("{}").expect("an object");
        sink(Event::ToolUse { id: &block.id, tool: &block.name, input: block.input.unwrap_or(empty) })
    }

    fn tool_result(&mut self, block: &Block<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        self.open_tools = self.open_tools.saturating_sub(1);
        let tool = self.tools.remove(prefix(&block.tool_use_id, LONGEST_NAME)).unwrap_or_default();
        let raw = block.content.map_or("\"\"", RawValue::get);
        self.has_background_work |= memchr::memmem::find(raw.as_bytes(), b"async_launched").is_some()
            && serde_json::from_str(raw).is_ok_and(|content| says_async(&content, 0));
        let joined = joined_texts(raw);
        let output = match &joined {
            Some(joined) => JsonText::Plain(joined),
            None => JsonText::from_json(raw).unwrap_or(JsonText::Plain(raw)),
        };
        let is_error = block.is_error.map(|_| is_true(block.is_error));
        sink(Event::ToolResult { id: &block.tool_use_id, tool: &tool, output, is_error })
    }

    fn result(&mut self, line: &Line<'_>) {
        let price = line.total_cost_usd.and_then(|price| serde_json::from_str(price.get()).ok());
        self.cost_usd = price.filter(is_price);
        self.is_session_price = self.tokens.is_of_session(line);
        if self.is_session_price {
            self.cost_usd = None;
        }
        self.tokens.state(line);
        let has_failed = is_true(line.is_error) || line.subtype.starts_with("error_");
        let stated = if has_failed { failure::stated(line) } else { Stated::default() };
        let failure = has_failed.then(|| AgentFailure {
            error: error_text(line),
            reason: stated.reason,
            is_resume_refused: false,
        });
        // Some repeat the error as a message: it is no answer.
        let said = JsonText::Literal(&self.last_text).decode();
        if failure.as_ref().is_some_and(|failure| failure.error == *said) {
            self.last_text.clear();
        }
        self.result = Some(AgentResult {
            text: if has_failed { String::new() } else { line.result.to_string() },
            failure,
            poisoned: stated.poisoned,
        });
    }
}

fn look_for_login(text: &str, step: &mut Step) {
    if step.login.is_none() {
        step.login = login::find_request(prefix(text, LOGIN_TEXT));
    }
}

/// What a failed result says: its text, else its list of errors, else its subtype.
fn error_text(line: &Line<'_>) -> String {
    if !line.result.trim().is_empty() {
        return line.result.to_string();
    }
    let errors: Vec<Value> =
        line.errors.and_then(|errors| serde_json::from_str(errors.get()).ok()).unwrap_or_default();
    let own = field::error_text(line.error);
    let texts = errors.iter().map(plain_text).chain([own]).filter(|text| !text.is_empty());
    let texts: Vec<String> = texts.collect();
    if texts.is_empty() { line.subtype.to_string() } else { texts.join("; ") }
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

/// The texts of a tool's output that consists of blocks.
fn joined_texts(raw: &str) -> Option<String> {
    if !raw.starts_with('[') {
        return None;
    }
    let blocks: Vec<Block<'_>> = serde_json::from_str(raw).ok()?;
    let texts: Vec<_> =
        blocks.iter().filter(|block| &*block.kind == "text").map(|block| block.text().decode()).collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}
