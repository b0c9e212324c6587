//! A small conversation over JSON-RPC, shaped like the Agent Client Protocol: the proof that a two-way protocol fits the seam
//! that the stream readers use.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use execenv::internals::protocol::ndjson::lines::Lines;
use execenv::internals::protocol::{
    AgentFailure, AgentResult, Conversation, Delivery, Ending, Event, FailureReason, GiveUp, Opening,
    Properties, Sink, Step, Usage,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// `initialize`, `session/new`, one `session/prompt` a turn; notifications become events, permissions are given.
#[derive(Debug)]
pub(crate) struct JsonRpc {
    lines: Lines,
    state: State,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Prompts that wait for their turn.
    prompts: VecDeque<String>,
    requests: u64,
    open_tools: usize,
    handshake: Option<Duration>,
    begun: Option<Instant>,
    ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Initializing,
    OpeningSession,
    Prompting,
    Over,
}

impl JsonRpc {
    /// `handshake` limits the wait for the answer to `initialize`.
    pub(crate) fn new(prompt: String, handshake: Option<Duration>) -> Self {
        let state = State {
            phase: Phase::Initializing,
            prompts: VecDeque::from([prompt]),
            requests: 0,
            open_tools: 0,
            handshake,
            begun: None,
            ending: Ending::default(),
        };
        Self { lines: Lines::default(), state }
    }
}

impl Conversation for JsonRpc {
    fn properties(&self) -> Properties {
        Properties { states_result: true, reads_errors: false, exit_within: Duration::from_secs(3) }
    }

    fn open(&mut self) -> Opening {
        Opening::Frames(self.state.request("initialize", &json!({ "protocolVersion": 1 })))
    }

    fn output(&mut self, bytes: &[u8], sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        self.lines.push(bytes, |line| self.state.line(line, sink, step))
    }

    fn send(&mut self, text: &str, _step: &mut Step) -> Delivery {
        if self.state.phase == Phase::Over {
            return Delivery::TooLate;
        }
        self.state.prompts.push_back(text.to_owned());
        Delivery::Queued
    }

    fn cancel(&mut self, step: &mut Step) -> Duration {
        if self.state.phase != Phase::Prompting {
            return Duration::ZERO;
        }
        let session = &self.state.ending.session_id;
        step.frames.extend(frame(&json!({ "method": "session/cancel", "params": { "sessionId": session } })));
        Duration::from_secs(5)
    }

    fn tick(&mut self, now: Instant, step: &mut Step) {
        let begun = *self.state.begun.get_or_insert(now);
        let limit = self.state.handshake.filter(|_| self.state.phase == Phase::Initializing);
        if let Some(limit) = limit.filter(|limit| now.duration_since(begun) >= *limit) {
            let error = format!("no answer to initialize for {limit:?}");
            step.give_up = Some(GiveUp { reason: FailureReason::AgentTimeout, error });
        }
    }

    fn has_open_tool(&self) -> bool {
        self.state.open_tools > 0
    }

    fn end(&mut self) -> Ending {
        Ending { unreadable: self.lines.unreadable(), ..std::mem::take(&mut self.state.ending) }
    }
}

impl State {
    fn line(&mut self, line: &[u8], sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        let Ok(message) = serde_json::from_slice::<Value>(line) else { return Ok(()) };
        step.is_progress = true;
        match (message["method"].as_str(), message.get("id")) {
            (Some(method), Some(id)) => step.frames.extend(answer(method, id, &message["params"])),
            (Some("session/update"), None) => self.update(&message["params"]["update"], sink)?,
            (None, Some(_)) => self.response(&message, sink, step)?,
            _ => {}
        }
        Ok(())
    }

    fn update(&mut self, update: &Value, sink: &mut Sink<'_>) -> io::Result<()> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let id = text(&update["toolCallId"]);
        match update["sessionUpdate"].as_str() {
            Some("agent_message_chunk") => {
                let text = text(&update["content"]["text"]);
                self.ending.fallback.push_str(&text);
                sink(Event::Text { text: (&*text).into(), is_part: true })
            }
            Some("tool_call") => {
                self.open_tools += 1;
                self.ending.tool_calls += 1;
                let input = RawValue::from_string("{}".into()).map_err(io::Error::other)?;
                sink(Event::ToolUse { id: &id, tool: &text(&update["title"]), input: &input })
            }
            Some("tool_call_update") if update["status"] == "completed" => {
                self.open_tools = self.open_tools.saturating_sub(1);
                sink(Event::ToolResult { id: &id, tool: "", output: "".into(), is_error: None })
            }
            _ => Ok(()),
        }
    }

    /// The answer to the one request of ours that is open.
    fn response(&mut self, message: &Value, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        if let Some(error) = message.get("error") {
            let error = error["message"].as_str().unwrap_or("error").to_owned();
            let failure = AgentFailure { error, ..AgentFailure::default() };
            self.finish(AgentResult { failure: Some(failure), ..AgentResult::default() }, step);
            return Ok(());
        }
        match self.phase {
            Phase::Initializing => {
                self.phase = Phase::OpeningSession;
                step.frames.extend(self.request("session/new", &json!({ "cwd": ".", "mcpServers": [] })));
            }
            Phase::OpeningSession => {
                let id = message["result"]["sessionId"].as_str().unwrap_or_default();
                self.ending.session_id = Some(id.to_owned());
                sink(Event::Session { session_id: id, model: None })?;
                self.phase = Phase::Prompting;
                self.next_turn(step);
            }
            Phase::Prompting => {
                let usage = &message["result"]["usage"];
                let count = |key: &str| usage[key].as_u64().unwrap_or(0);
                let usage = Usage {
                    input_tokens: count("inputTokens"),
                    output_tokens: count("outputTokens"),
                    ..Usage::default()
                };
                if !usage.is_zero() {
                    self.ending.usage.entry("unknown".into()).or_default().add(&usage);
                }
                self.next_turn(step);
            }
            Phase::Over => {}
        }
        Ok(())
    }

    fn next_turn(&mut self, step: &mut Step) {
        match self.prompts.pop_front() {
            Some(prompt) => {
                let prompt = json!([{ "type": "text", "text": prompt }]);
                let params = json!({ "sessionId": self.ending.session_id, "prompt": prompt });
                step.frames.extend(self.request("session/prompt", &params));
            }
            None => self.finish(AgentResult::default(), step),
        }
    }

    fn finish(&mut self, result: AgentResult, step: &mut Step) {
        self.phase = Phase::Over;
        self.ending.result = Some(result);
        step.is_turn_over = true;
        step.close_input = true;
    }

    fn request(&mut self, method: &str, params: &Value) -> Vec<u8> {
        self.requests += 1;
        frame(&json!({ "id": self.requests, "method": method, "params": params }))
    }
}

/// Permissions are given by a rule: the first option that allows. Other requests are not known.
fn answer(method: &str, id: &Value, params: &Value) -> Vec<u8> {
    if method != "session/request_permission" {
        let error = json!({ "code": -32601, "message": "method not found" });
        return frame(&json!({ "id": id, "error": error }));
    }
    let options = params["options"].as_array().map(Vec::as_slice).unwrap_or_default();
    let allows = |option: &&Value| option["kind"].as_str().is_some_and(|kind| kind.starts_with("allow"));
    let outcome = match options.iter().find(allows) {
        Some(option) => json!({ "outcome": "selected", "optionId": option["optionId"] }),
        None => json!({ "outcome": "cancelled" }),
    };
    frame(&json!({ "id": id, "result": { "outcome": outcome } }))
}

fn frame(message: &Value) -> Vec<u8> {
    let mut message = message.clone();
    message["jsonrpc"] = "2.0".into();
    format!("{message}\n").into_bytes()
}
