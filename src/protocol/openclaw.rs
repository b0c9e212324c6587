//! OpenClaw's answer: one JSON object when everything is done, perhaps after lines of its log.
//!
//! Until then it says nothing, so its silence is that of a tool at work. It does not always exit after its answer: an object
//! that is complete, and nothing more for a moment, is the end.

use std::io;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::conversation::{AgentFailure, Conversation, Ending, Opening, Properties, Step};
use super::event::{Event, Sink, Usage};
use super::reason::FailureReason;
use super::text::JsonText;
use super::transcript::Transcript;

/// The longest answer that is read, in bytes.
const LONGEST: usize = 32 << 20;
/// So long nothing may follow an object for it to be the answer.
const QUIET: Duration = Duration::from_secs(2);

/// The conversation with one OpenClaw.
#[derive(Debug, Default)]
pub struct OpenClaw {
    output: Vec<u8>,
    is_too_long: bool,
    /// Nothing has come since then.
    quiet_since: Option<Instant>,
    /// The end of the output was looked at, as it is now.
    is_judged: bool,
    tool_calls: u64,
    transcript: Transcript,
}

impl OpenClaw {
    /// A conversation in a session whose id is told already, where there is one.
    pub fn new(session: Option<&str>) -> OpenClaw {
        let mut conversation = OpenClaw::default();
        if let Some(session) = session {
            conversation.transcript.knows_session(session);
        }
        conversation
    }

    /// Takes the answer.
    fn take(&mut self, document: &Value, sink: &mut Sink<'_>) -> io::Result<()> {
        let (meta, agent) = (&document["meta"], &document["meta"]["agentMeta"]);
        if let Some(id) = agent["sessionId"].as_str() {
            self.transcript.session(id, agent["model"].as_str(), sink)?;
        }
        self.transcript.set_usage("", tokens(&agent["usage"]));
        // A price of zero is that of a model whose price is not known.
        if let Value::Number(cost) = &agent["costUsd"]
            && cost.as_f64().is_some_and(|cost| cost > 0.0)
        {
            self.transcript.set_cost(cost.clone());
        }
        self.tool_calls = meta["toolSummary"]["calls"].as_u64().unwrap_or_default();
        let payloads = document["payloads"].as_array().map_or(&[][..], Vec::as_slice);
        let texts = |is_error: bool| {
            let wanted = payloads.iter().filter(move |payload| (payload["isError"] == true) == is_error);
            wanted.filter_map(|payload| payload["text"].as_str()).collect::<Vec<_>>().join("\n\n")
        };
        let answer = texts(false);
        self.transcript.message(JsonText::Plain(&answer), sink)?;
        match failure(document)
            .or_else(|| Some(texts(true)).filter(|text| !text.is_empty() && answer.is_empty()))
        {
            Some(error) => {
                let is_overflow = meta["error"]["kind"] == "context_overflow";
                let reason = is_overflow.then_some(FailureReason::ContextOverflow);
                self.transcript.fail(AgentFailure { error, reason, is_resume_refused: false });
                if let Some(result) = self.transcript.result_mut() {
                    result.poisoned = reason;
                }
            }
            None => self.transcript.complete(Some(&answer)),
        }
        Ok(())
    }
}

impl Conversation for OpenClaw {
    fn properties(&self) -> Properties {
        Properties { states_result: true, reads_errors: true, exit_within: Duration::from_secs(3) }
    }

    fn open(&mut self) -> Opening {
        Opening::Nothing
    }

    fn output(&mut self, bytes: &[u8], _sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        step.is_progress = true;
        (self.quiet_since, self.is_judged) = (None, false);
        if self.output.len() + bytes.len() > LONGEST {
            self.is_too_long = true;
            self.output = Vec::new();
        } else if !self.is_too_long {
            self.output.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn output_ended(&mut self, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        if self.is_too_long {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.output)).into_owned();
        if let Some(document) = document(&text) {
            step.is_turn_over = true;
            return self.take(&document, sink);
        }
        // Something that is no object is an answer in plain words.
        let text = text.trim();
        if !text.is_empty() && !text.contains('{') {
            self.transcript.message(JsonText::Plain(text), sink)?;
            self.transcript.complete(Some(text));
            step.is_turn_over = true;
        }
        Ok(())
    }

    fn errors(&mut self, bytes: &[u8], sink: &mut Sink<'_>, _step: &mut Step) -> io::Result<()> {
        sink(Event::AgentErrors(bytes))
    }

    fn tick(&mut self, now: Instant, step: &mut Step) {
        let quiet = now.duration_since(*self.quiet_since.get_or_insert(now));
        if quiet >= QUIET && !self.is_judged && !self.output.is_empty() {
            self.is_judged = true;
            step.is_turn_over = std::str::from_utf8(&self.output).is_ok_and(|text| document(text).is_some());
        }
    }

    fn has_open_tool(&self) -> bool {
        self.transcript.result().is_none()
    }

    fn end(&mut self) -> Ending {
        let unreadable = self
            .is_too_long
            .then(|| format!("the answer of OpenClaw is too long: more than {} MiB", LONGEST >> 20));
        Ending { unreadable, tool_calls: self.tool_calls, ..self.transcript.end() }
    }
}

/// The answer in the output: all of it, or from a line on that begins an object. The last such lines are looked at, as there
/// may be many lines of a log before it.
fn document(text: &str) -> Option<Value> {
    let lines = memchr::memmem::rfind_iter(text.as_bytes(), "\n{").map(|at| at + 1);
    let read = |at: usize| serde_json::from_str::<Value>(&text[at..]).ok();
    std::iter::once(0).chain(lines.take(16)).filter_map(read).find(is_answer)
}

/// Whether an object is an answer, and not a line of a log.
fn is_answer(document: &Value) -> bool {
    document["payloads"].is_array()
        || document["ok"] == false
        || document["meta"]["durationMs"].as_u64().is_some_and(|duration| duration > 0)
}

/// What the object says of a failure.
fn failure(document: &Value) -> Option<String> {
    let meta = &document["meta"];
    let message = |error: &Value| error["message"].as_str().map(str::to_owned);
    if document["ok"] == false {
        return Some(
            message(&document["error"]).unwrap_or_else(|| "OpenClaw failed without a word".to_owned()),
        );
    }
    if meta["error"].is_object() {
        return Some(message(&meta["error"]).unwrap_or_else(|| meta["error"]["kind"].to_string()));
    }
    (meta["aborted"] == true).then(|| "OpenClaw's turn was aborted".to_owned())
}

/// Its releases spell the counts in three ways.
fn tokens(usage: &Value) -> Usage {
    let count = |names: [&str; 3]| names.iter().find_map(|name| usage[*name].as_u64()).unwrap_or_default();
    Usage {
        input_tokens: count(["input", "inputTokens", "input_tokens"]),
        output_tokens: count(["output", "outputTokens", "output_tokens"]),
        cache_read_tokens: count(["cacheRead", "cacheReadTokens", "cache_read"]).max(count([
            "cachedInputTokens",
            "cached_input_tokens",
            "cache_read_input_tokens",
        ])),
        cache_write_tokens: count(["cacheWrite", "cacheWriteTokens", "cache_write"]).max(count([
            "cacheCreationInputTokens",
            "cacheCreationTokens",
            "cache_creation_input_tokens",
        ])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{
  "payloads": [{"text": "one"}, {"text": "two", "mediaUrl": null}],
  "meta": {"durationMs": 9, "toolSummary": {"calls": 3}, "agentMeta": {"sessionId": "s", "model": "m",
    "costUsd": 0, "usage": {"input": 3, "output_tokens": 2, "cachedInputTokens": 1}}}
}"#;

    /// What a conversation makes of this output, in small pieces.
    fn read(output: &str) -> (Ending, Vec<String>) {
        let mut conversation = OpenClaw::new(None);
        let (mut events, mut step) = (Vec::new(), Step::default());
        let mut sink = |event: Event<'_>| {
            events.push(serde_json::to_string(&event).unwrap());
            Ok(())
        };
        for piece in output.as_bytes().chunks(7) {
            conversation.output(piece, &mut sink, &mut step).unwrap();
        }
        conversation.output_ended(&mut sink, &mut step).unwrap();
        (conversation.end(), events)
    }

    #[test]
    fn an_answer_has_its_text_its_session_and_its_tokens() {
        let log = "[agent] starting\n{\"level\":\"info\"}\n";
        for before in ["", log, &log.repeat(40)] {
            let (ending, events) = read(&format!("{before}{ANSWER}\n"));
            assert_eq!(
                events,
                [
                    r#"{"type":"session","session_id":"s","model":"m"}"#,
                    r#"{"type":"text","text":"one\n\ntwo"}"#
                ]
            );
            assert_eq!(ending.result.unwrap().text, "one\n\ntwo");
            assert_eq!((ending.tool_calls, ending.cost_usd), (3, None));
            let usage = ending.usage["m"];
            assert_eq!((usage.input_tokens, usage.output_tokens, usage.cache_read_tokens), (3, 2, 1));
        }
    }

    #[test]
    fn what_else_it_may_print() {
        for (output, text, error) in [
            (r#"{"ok":false,"error":{"type":"cli_error","message":"no"}}"#, None, Some("no")),
            (r#"{"ok":false}"#, None, Some("OpenClaw failed without a word")),
            (r#"{"payloads":[{"text":"bad","isError":true}],"meta":{}}"#, None, Some("bad")),
            (
                r#"{"payloads":[{"text":"part"}],"meta":{"aborted":true}}"#,
                None,
                Some("OpenClaw's turn was aborted"),
            ),
            (
                r#"{"payloads":[],"meta":{"error":{"kind":"context_overflow","message":"long"}}}"#,
                None,
                Some("long"),
            ),
            (r#"{"payloads":[],"meta":{"durationMs":3}}"#, Some(""), None),
            ("plain words\n", Some("plain words"), None),
            (r#"{"payloads":[{"te"#, None, None),
            ("", None, None),
            ("{\"a\":1}", None, None),
            ("7", Some("7"), None),
        ] {
            let result = read(output).0.result;
            let failure = result.as_ref().and_then(|result| result.failure.as_ref());
            assert_eq!(failure.map(|failure| failure.error.as_str()), error, "{output}");
            let answer = result.as_ref().filter(|result| result.failure.is_none());
            assert_eq!(answer.map(|answer| answer.text.as_str()), text, "{output}");
        }
    }

    #[test]
    fn a_whole_answer_and_silence_are_the_end() {
        let mut conversation = OpenClaw::new(None);
        let (mut step, begin) = (Step::default(), Instant::now());
        let mut sink = |_: Event<'_>| Ok(());
        assert!(conversation.has_open_tool());
        let (part, rest) = ANSWER.split_at(40);
        conversation.output(part.as_bytes(), &mut sink, &mut step).unwrap();
        let mut at = |conversation: &mut OpenClaw, seconds: u64| {
            conversation.tick(begin + Duration::from_secs(seconds), &mut step);
            step.is_turn_over
        };
        assert!(!at(&mut conversation, 0) && !at(&mut conversation, 3), "half an answer");
        conversation.output(rest.as_bytes(), &mut sink, &mut Step::default()).unwrap();
        assert!(!at(&mut conversation, 4) && !at(&mut conversation, 5) && at(&mut conversation, 6));
        conversation.output_ended(&mut sink, &mut Step::default()).unwrap();
        assert_eq!(conversation.end().fallback, "one\n\ntwo");
    }

    #[test]
    fn an_answer_without_an_end_is_not_kept() {
        let mut conversation = OpenClaw::new(None);
        let block = vec![b'x'; 1 << 20];
        for _ in 0..40 {
            conversation.output(&block, &mut |_| Ok(()), &mut Step::default()).unwrap();
        }
        conversation.output_ended(&mut |_| Ok(()), &mut Step::default()).unwrap();
        assert!(conversation.end().unreadable.unwrap().contains("32 MiB"));
    }
}
