//! The stream-json of Cursor's agent: messages, thoughts in parts, calls with their start and end; `result` at the end.
//!
//! Some builds put `stdout:` before each line.

use std::fmt;
use std::io;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::field::{Field, List, Maybe, Text, error_text, is_true, literal, number, read};
use super::stream::{LineReader, LineStream, Understood};
use crate::object;
use crate::protocol::{JsonText, Opening, Sink, Step, Transcript, Usage};

/// Reads the lines.
#[derive(Debug)]
pub struct Cursor {
    transcript: Transcript,
}

/// Types that say nothing about the work.
const SILENT: [&str; 3] = ["user", "connection", "retry"];
/// What ends the name of a call's only key.
const CALL: &str = "ToolCall";

#[derive(Debug, serde::Deserialize)]
struct Line<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    subtype: Text<'a>,
    #[serde(borrow, default)]
    session_id: Text<'a>,
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(borrow, default)]
    text: Field<'a>,
    #[serde(borrow, default)]
    message: Maybe<Message<'a>>,
    #[serde(borrow, default)]
    call_id: Text<'a>,
    #[serde(borrow, default)]
    tool_call: ToolCall<'a>,
    #[serde(borrow, default)]
    is_error: Field<'a>,
    #[serde(borrow, default)]
    result: Field<'a>,
    #[serde(borrow, default)]
    error: Field<'a>,
    #[serde(borrow, default)]
    detail: Field<'a>,
    #[serde(borrow, default)]
    usage: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: List<Block<'a>>,
}

#[derive(Debug, serde::Deserialize)]
struct Block<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, default)]
    text: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    args: Field<'a>,
    #[serde(borrow, default)]
    result: Maybe<CallResult<'a>>,
}

#[derive(Debug, serde::Deserialize)]
struct CallResult<'a> {
    #[serde(borrow, default)]
    success: Field<'a>,
    #[serde(borrow, default)]
    error: Field<'a>,
}

#[derive(Debug, serde::Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    content: Field<'a>,
}

/// A call: its tool, and what it was told and said. It stands below a key of the tool's name and [`CALL`].
#[derive(Debug, Default)]
struct ToolCall<'a>(Option<(String, Maybe<Call<'a>>)>);

impl<'de: 'a, 'a> Deserialize<'de> for ToolCall<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let calls: Maybe<Calls<'a>> = Maybe::deserialize(deserializer)?;
        Ok(ToolCall(calls.0.and_then(|calls| calls.0)))
    }
}

/// The object of a call.
#[derive(Debug)]
struct Calls<'a>(Option<(String, Maybe<Call<'a>>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Calls<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CallsVisitor).map(Calls)
    }
}

struct CallsVisitor;

impl<'de> Visitor<'de> for CallsVisitor {
    type Value = Option<(String, Maybe<Call<'de>>)>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match key.strip_suffix(CALL) {
                Some(tool) => found = Some((tool.to_owned(), map.next_value()?)),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

/// Counts in both spellings.
#[derive(Debug, serde::Deserialize)]
struct Counts<'a> {
    #[serde(borrow, default, alias = "input_tokens", rename = "inputTokens")]
    input: Field<'a>,
    #[serde(borrow, default, alias = "output_tokens", rename = "outputTokens")]
    output: Field<'a>,
    #[serde(
        borrow,
        default,
        alias = "cache_read_input_tokens",
        alias = "cached_input_tokens",
        rename = "cacheReadTokens"
    )]
    cache_read: Field<'a>,
    #[serde(borrow, default, alias = "cache_creation_input_tokens", rename = "cacheWriteTokens")]
    cache_write: Field<'a>,
}

impl Cursor {
    /// A conversation that begins with `opening`.
    pub fn conversation(opening: Opening, model: Option<&str>) -> LineStream<Cursor> {
        LineStream::new(opening, Cursor { transcript: Transcript::new(model) })
    }

    fn call(&mut self, line: &Line<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        let Some((tool, call)) = &line.tool_call.0 else { return Ok(()) };
        let call = call.0.as_ref();
        // Two ids may be joined by a newline.
        let id = line.call_id.lines().next().unwrap_or_default();
        if !self.transcript.is_tool_open(id) {
            self.transcript.tool_use(id, tool, call.and_then(|call| call.args), sink)?;
        }
        if &*line.subtype != "completed" {
            return Ok(());
        }
        let (is_error, raw) = match call.and_then(|call| call.result.0.as_ref()) {
            Some(CallResult { error: Some(error), .. }) => (true, Some(*error)),
            Some(CallResult { success, .. }) => (false, *success),
            None => (false, None),
        };
        let content = read::<Content<'_>>(raw).map(|content| literal(content.content)).unwrap_or_default();
        let output = match raw {
            Some(raw) if content.is_empty() => JsonText::Plain(raw.get()),
            _ => content,
        };
        self.transcript.tool_result(id, output, Some(is_error), sink)
    }

    fn result(&mut self, line: &Line<'_>) {
        let text = literal(line.result).decode();
        if is_true(line.is_error) || line.subtype.starts_with("error") {
            let said = [error_text(line.error), error_text(line.detail), text.into_owned()];
            let error = said.into_iter().find(|text| !text.trim().is_empty());
            self.transcript.fail_with(error.unwrap_or_else(|| line.subtype.to_string()), None);
        } else {
            self.transcript.complete(Some(&text));
        }
        let Some(counts) = read::<Counts<'_>>(line.usage) else { return };
        self.transcript.set_usage(
            &line.model,
            Usage {
                input_tokens: number(counts.input),
                output_tokens: number(counts.output),
                cache_read_tokens: number(counts.cache_read),
                cache_write_tokens: number(counts.cache_write),
            },
        );
    }
}

/// The literal of the texts among a message's blocks.
fn texts(message: &Maybe<Message<'_>>) -> String {
    let blocks = message.0.as_ref().map_or(&[][..], |message| &message.content.0);
    let mut all = String::new();
    for block in blocks.iter().filter(|block| matches!(&*block.kind, "text" | "output_text")) {
        literal(block.text).append_literal(&mut all);
    }
    all
}

impl LineReader for Cursor {
    fn line(&mut self, line: &str, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<Understood> {
        let Ok(line) = object::read::<Line<'_>>(line) else { return Ok(Understood::No) };
        self.transcript.session(&line.session_id, Some(&line.model), sink)?;
        match (&*line.kind, &*line.subtype) {
            ("system", _) => {}
            ("assistant", _) => {
                self.transcript.message(JsonText::Literal(&texts(&line.message)), sink)?;
            }
            ("thinking", "delta") => self.transcript.thinking(literal(line.text), sink)?,
            ("thinking", _) => {}
            ("tool_call", "started" | "completed") => self.call(&line, sink)?,
            ("tool_call", _) => {}
            ("result", _) => {
                self.result(&line);
                step.is_turn_over = true;
            }
            (kind, _) if SILENT.contains(&kind) => return Ok(Understood::Yes),
            (kind, _) => return Ok(Understood::UnknownType(kind.to_owned())),
        }
        step.is_progress = true;
        Ok(Understood::Yes)
    }

    fn bare(line: &str) -> &str {
        let rest = ["stdout", "stderr"].iter().find_map(|name| {
            let head = line.get(..name.len()).filter(|head| head.eq_ignore_ascii_case(name))?;
            Some(line[head.len()..].trim_start_matches([':', '=', ' ']))
        });
        rest.filter(|rest| rest.starts_with('{')).unwrap_or(line)
    }

    fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    fn transcript_mut(&mut self) -> &mut Transcript {
        &mut self.transcript
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Conversation, Ending, Event};

    fn read_lines(lines: &[&str]) -> (Ending, Vec<String>, Step) {
        let mut conversation = Cursor::conversation(Opening::Nothing, Some("asked"));
        let (mut events, mut step) = (Vec::new(), Step::default());
        let mut sink = |event: Event<'_>| {
            events.push(serde_json::to_string(&event).unwrap());
            Ok(())
        };
        for line in lines {
            conversation.output(format!("{line}\n").as_bytes(), &mut sink, &mut step).unwrap();
        }
        (conversation.end(), events, step)
    }

    const CALL: &str = r#"stdout: {"type":"tool_call","subtype":"completed","call_id":"k1\nx","tool_call":{"readToolCall":{"args":{"path":"a"},"result":{"success":{"content":"x"}}}}}"#;

    #[test]
    fn a_turn_with_a_tool() {
        let (ending, events, step) = read_lines(&[
            r#"{"type":"system","subtype":"init","session_id":"c1","model":"m","cwd":"/w"}"#,
            r#"{"type":"user","message":{"content":[{"type":"text","text":"go"}]}}"#,
            r#"{"type":"thinking","subtype":"delta","text":"hm"}"#,
            r#"{"type":"thinking","subtype":"completed"}"#,
            r#"{"type":"tool_call","subtype":"started","call_id":"k1\nx","tool_call":{"readToolCall":{"args":{"path":"a"}}}}"#,
            CALL,
            r#"{"type":"assistant","message":{"content":[{"type":"text","text":"hi"}]}}"#,
            r#"{"type":"result","subtype":"success","is_error":false,"result":"hi","session_id":"c1","usage":{"inputTokens":1,"outputTokens":2,"cacheReadTokens":3,"cacheWriteTokens":4}}"#,
        ]);
        assert_eq!(
            events,
            [
                r#"{"type":"session","session_id":"c1","model":"m"}"#,
                r#"{"type":"thinking","text":"hm"}"#,
                r#"{"type":"tool_use","id":"k1","tool":"read","input":{"path":"a"}}"#,
                r#"{"type":"tool_result","id":"k1","tool":"read","output":"x","is_error":false}"#,
                r#"{"type":"text","text":"hi"}"#,
            ]
        );
        assert_eq!(ending.result.unwrap().text, "hi");
        assert_eq!((ending.usage["m"].all(), ending.usage["m"].cache_write_tokens), (10, 4));
        assert!(step.is_turn_over && ending.remarks.is_empty());
    }

    #[test]
    fn a_failure_is_told_in_one_of_three_fields() {
        for (fields, error) in [
            (r#""is_error":true,"error":{"message":"a"},"detail":"b""#, "a"),
            (r#""is_error":true,"detail":"b","result":"c""#, "b"),
            (r#""subtype":"error","result":"c""#, "c"),
            (r#""subtype":"error_during_execution""#, "error_during_execution"),
        ] {
            let failure =
                read_lines(&[&format!(r#"{{"type":"result",{fields}}}"#)]).0.result.unwrap().failure;
            assert_eq!(failure.unwrap().error, error, "{fields}");
        }
        let odd = r#"{"type":"tool_call","subtype":"completed","call_id":"k","tool_call":{"shellToolCall":{"result":{"error":{"code":1}}}}}"#;
        let (_, events, _) = read_lines(&[odd]);
        assert_eq!(
            events[1],
            r#"{"type":"tool_result","id":"k","tool":"shell","output":"{\"code\":1}","is_error":true}"#
        );
    }
}
