//! OpenClaw's answer: one JSON object when everything is done, perhaps after lines of its log.
//!
//! Until then it says nothing, so its silence is that of a tool at work. It does not always exit after its answer: an object
//! that is complete, and nothing more for a moment, is the end.

use std::io;
use std::time::{Duration, Instant};

use super::conversation::{Conversation, Ending, Opening, Properties, Step};
use super::event::{Event, Sink};
use super::ndjson::bounded::{Bounded, KEPT};
use super::reason::FailureReason;
use super::text::JsonText;
use super::transcript::Transcript;
use answer::Answer;

mod answer;

/// The most that is read of an answer in plain words, in bytes.
const PLAIN: usize = 1 << 20;
/// So long nothing may follow an object for it to be the answer.
const QUIET: Duration = Duration::from_secs(2);

/// The conversation with one OpenClaw.
#[derive(Debug, Default)]
pub struct OpenClaw {
    /// The output from the last line on that begins an object: the answer, or a line of its log.
    object: Bounded,
    /// The output, where there was no object.
    plain: Vec<u8>,
    has_brace: bool,
    /// The answer lost the ends of its long strings.
    is_shortened: bool,
    /// The last byte ended a line.
    is_within_line: bool,
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

    /// Takes a line, or a part of one.
    fn collect(&mut self, line: &[u8]) {
        // A pretty object has others in it, on lines that begin with a space.
        let is_first = self.object.is_empty() && self.plain.trim_ascii().is_empty();
        let start = if is_first { line.trim_ascii_start() } else { line };
        let begins = !self.is_within_line && start.first() == Some(&b'{');
        if begins {
            self.object.clear();
            self.plain = Vec::new();
        }
        self.is_within_line = !line.ends_with(b"\n");
        if begins || !self.object.is_empty() {
            return self.object.push(line);
        }
        self.has_brace |= memchr::memchr(b'{', line).is_some();
        if self.plain.len() <= PLAIN {
            self.plain.extend_from_slice(&line[..line.len().min(PLAIN + 1)]);
        }
    }

    /// Why an answer was not read.
    fn unreadable(&self) -> Option<String> {
        if let Some(length) = self.object.lost() {
            let limit = KEPT >> 20;
            return Some(format!(
                "OpenClaw's answer of {length} bytes is too long: more than {limit} MiB of it are left after shortening"
            ));
        }
        let is_long = self.plain.len() > PLAIN && !self.has_brace;
        is_long.then(|| format!("OpenClaw's answer is no object, and longer than {} MiB", PLAIN >> 20))
    }

    /// Takes the answer.
    fn take(&mut self, answer: Answer, sink: &mut Sink<'_>) -> io::Result<()> {
        self.transcript.session(&answer.session, Some(&answer.model), sink)?;
        self.transcript.set_usage("", answer.usage);
        if let Some(cost) = answer.cost {
            self.transcript.set_cost(cost);
        }
        self.tool_calls = answer.tool_calls;
        self.transcript.message(JsonText::Plain(&answer.text), sink)?;
        let Some(error) = answer.failure else {
            let said = self.transcript.answer();
            self.transcript.complete(Some(&said));
            return Ok(());
        };
        let reason = answer.is_overflow.then_some(FailureReason::ContextOverflow);
        self.transcript.fail_with(error, reason);
        if let Some(result) = self.transcript.result_mut() {
            result.poisoned = reason;
        }
        Ok(())
    }
}

impl Conversation for OpenClaw {
    fn properties(&self) -> Properties {
        Properties {
            states_result: true,
            reads_errors: true,
            begins_at_once: false,
            exit_within: Duration::from_secs(3),
        }
    }

    fn open(&mut self) -> Opening {
        Opening::Nothing
    }

    fn output(&mut self, bytes: &[u8], _sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        step.is_progress = true;
        (self.quiet_since, self.is_judged) = (None, false);
        bytes.split_inclusive(|byte| *byte == b'\n').for_each(|line| self.collect(line));
        Ok(())
    }

    fn output_ended(&mut self, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        if let Some(answer) = Answer::read(self.object.text()) {
            self.is_shortened = self.object.is_shortened();
            // Not held beside what is made of it.
            self.object.clear();
            step.is_turn_over = true;
            return self.take(answer, sink);
        }
        // Something that is no object is an answer in plain words.
        if !self.has_brace && self.plain.len() <= PLAIN {
            let plain = std::mem::take(&mut self.plain);
            let text = String::from_utf8_lossy(&plain);
            if !text.trim().is_empty() {
                self.transcript.message(JsonText::Plain(text.trim()), sink)?;
                self.transcript.complete(Some(text.trim()));
                step.is_turn_over = true;
            }
        }
        Ok(())
    }

    fn errors(&mut self, bytes: &[u8], sink: &mut Sink<'_>, _step: &mut Step) -> io::Result<()> {
        sink(Event::AgentErrors(bytes))
    }

    fn tick(&mut self, now: Instant, step: &mut Step) {
        let quiet = now.duration_since(*self.quiet_since.get_or_insert(now));
        if quiet >= QUIET && !self.is_judged && !self.object.is_empty() {
            self.is_judged = true;
            step.is_turn_over = Answer::read(self.object.text()).is_some();
        }
    }

    fn has_open_tool(&self) -> bool {
        self.transcript.result().is_none()
    }

    fn end(&mut self) -> Ending {
        let shortened = "shortened the long strings of OpenClaw's answer".to_owned();
        Ending {
            unreadable: self.unreadable(),
            tool_calls: self.tool_calls,
            remarks: self.is_shortened.then_some(shortened).into_iter().collect(),
            ..self.transcript.end()
        }
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
        read_in(output, 7)
    }

    fn read_in(output: &str, piece: usize) -> (Ending, Vec<String>) {
        let mut conversation = OpenClaw::new(None);
        let (mut events, mut step) = (Vec::new(), Step::default());
        let mut sink = |event: Event<'_>| {
            events.push(serde_json::to_string(&event).unwrap());
            Ok(())
        };
        for piece in output.as_bytes().chunks(piece) {
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
            (r#"{"payloads":[],"meta":{"error":{"kind":"quota"}}}"#, None, Some("quota")),
            (r#"{"payloads":[7,{"text":7},{"text":"a"}],"meta":7,"error":[]}"#, Some("a"), None),
            (r#"{"payloads":7,"ok":false,"error":7}"#, None, Some("OpenClaw failed without a word")),
            ("\n  {\"payloads\":[{\"text\":\"a\"}]}", Some("a"), None),
            ("a log {\n  {\"payloads\":[]}\n", None, None),
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

    /// What a run holds for it stays within 32 MB.
    #[test]
    fn of_a_long_answer_the_long_strings_lose_their_ends() {
        let long = "x".repeat(40 << 20);
        let whole = "y".repeat(300 << 10);
        for (document, text, unreadable) in [
            (format!(r#"{{"payloads":[{{"text":"{whole}"}}]}}"#), Some(whole.len()), None),
            (format!(r#"{{"report":"{long}","payloads":[{{"text":"a"}}]}}"#), Some(1), None),
            (
                format!("{{\n  \"payloads\": [\n    {{\"text\": \"{long}\"}}\n  ]\n}}\n"),
                Some(256 << 10),
                None,
            ),
            (
                format!(r#"{{"payloads":[{{"text":"a"}}],"report":[{}0]}}"#, "0,".repeat(5 << 20)),
                None,
                Some("of 10485"),
            ),
            (long.clone(), None, Some("no object, and longer than 1 MiB")),
            (format!("{long}\n{ANSWER}"), Some(8), None),
        ] {
            let ending = read_in(&document, 64 << 10).0;
            let said = ending.result.as_ref().map(|result| result.text.len());
            assert_eq!(said, text, "{}", &document[..20]);
            assert_eq!(ending.unreadable.is_some(), unreadable.is_some(), "{:?}", ending.unreadable);
            assert!(ending.unreadable.unwrap_or_default().contains(unreadable.unwrap_or_default()));
            let is_cut = document.len() > 1 << 20 && text.is_some_and(|text| text != 8);
            assert_eq!(ending.remarks.len(), usize::from(is_cut), "{:?}", ending.remarks);
        }
    }
}
