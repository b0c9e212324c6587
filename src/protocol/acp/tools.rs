//! Tool calls. An agent announces a call before its arguments are known, so an announcement is held until they are, or until
//! the tool works; some announce it only in the request for a permission, or with its result.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::line::Update;
use super::read::{Any, Meta, object, text};
use crate::order;
use crate::protocol::{JsonText, Sink, Transcript, prefix};

/// Announcements that never came to anything must not pile up.
const MOST_HELD: usize = 256;

/// Calls that were announced and are not told yet: their names by their ids.
#[derive(Debug, Default)]
pub(super) struct Tools {
    held: HashMap<String, String>,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Announced,
    Working,
    Done,
    Failed,
}

impl Tools {
    /// Whether a call is held: it may be at work already.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// How many are held.
    pub(super) fn len(&self) -> u64 {
        self.held.len() as u64
    }

    /// Takes `tool_call` or `tool_call_update`.
    pub(super) fn take(
        &mut self,
        update: &Update<'_>,
        transcript: &mut Transcript,
        sink: &mut Sink<'_>,
    ) -> io::Result<()> {
        let id = text(update.tool_call_id);
        let status = status(update.status);
        let is_told = transcript.is_tool_open(&id);
        if !is_told {
            let name = self.held.remove(&*id).unwrap_or_else(|| name(update));
            let arguments = arguments(update);
            if status == Status::Announced && arguments.is_none() && update.status.is_some() {
                if self.held.len() >= MOST_HELD {
                    self.held.clear();
                }
                self.held.insert(id.into_owned(), name);
                return Ok(());
            }
            transcript.tool_use(&id, &name, arguments, sink)?;
        }
        match status {
            Status::Done | Status::Failed => {
                let is_error = Some(status == Status::Failed);
                transcript.tool_result(&id, output(update).as_text(), is_error, sink)
            }
            Status::Announced | Status::Working => Ok(()),
        }
    }

    /// Takes the call that a permission is asked for. Returns its title.
    pub(super) fn ask<'a>(
        &mut self,
        call: Any<'a>,
        transcript: &mut Transcript,
        sink: &mut Sink<'_>,
        asks_by_call: bool,
    ) -> io::Result<Cow<'a, str>> {
        let Some(call) = object::<Update<'_>>(call) else { return Ok("".into()) };
        let id = text(call.tool_call_id);
        if asks_by_call && !id.is_empty() && !transcript.is_tool_open(&id) {
            let name = self.held.remove(&*id).unwrap_or_else(|| name(&call));
            transcript.tool_use(&id, &name, arguments(&call), sink)?;
        }
        Ok(text(call.title))
    }

    /// Tells what is still held: the turn is over.
    pub(super) fn flush(&mut self, transcript: &mut Transcript, sink: &mut Sink<'_>) -> io::Result<()> {
        let mut held: Vec<_> = self.held.drain().collect();
        order::sort(&mut held);
        held.iter().try_for_each(|(id, name)| transcript.tool_use(id, name, None, sink))
    }
}

fn status(value: Any<'_>) -> Status {
    match &*text(value) {
        "completed" => Status::Done,
        "failed" | "error" | "cancelled" => Status::Failed,
        "in_progress" => Status::Working,
        _ => Status::Announced,
    }
}

/// The arguments, where there are any that say what the tool does.
fn arguments<'a>(update: &Update<'a>) -> Option<&'a RawValue> {
    let input = update.raw_input.or(update.input).or(update.parameters)?;
    let keys: BTreeMap<Cow<'_, str>, IgnoredAny> = object(Some(input)).unwrap_or_default();
    let is_empty = matches!(input.get(), "null" | "\"\"")
        || (input.get().starts_with('{') && keys.keys().all(|key| key == "cwd"));
    (!is_empty).then_some(input)
}

/// The tool's name: as the agent states it, else from the title, which is a sentence for people with some; else its kind.
fn name(update: &Update<'_>) -> String {
    let stated = object::<Meta<'_>>(update.meta).map(|meta| text(meta.tool_name)).unwrap_or_default();
    if !stated.is_empty() {
        return prefix(&stated, 512).to_owned();
    }
    let title = text(update.title);
    let head = title.split(':').next().unwrap_or_default().trim();
    let is_name = !head.is_empty()
        && head.len() <= 40
        && head.split_whitespace().count() <= 2
        && head.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' '));
    let kind = text(update.kind);
    let found = if is_name { head } else { &*kind };
    match found.to_lowercase().replace([' ', '-'], "_").as_str() {
        "" => "tool".into(),
        "read" => "read_file".into(),
        "write" => "write_file".into(),
        "search" => "search_files".into(),
        "run_command" | "execute" => "terminal".into(),
        other => other.to_owned(),
    }
}

/// What a tool answered.
enum Output<'a> {
    Literal(JsonText<'a>),
    Joined(String),
}

impl Output<'_> {
    fn as_text(&self) -> JsonText<'_> {
        match self {
            Output::Literal(text) => *text,
            Output::Joined(text) => JsonText::Plain(text),
        }
    }
}

/// The texts of its content, else what the tool itself returned.
fn output<'u>(update: &'u Update<'_>) -> Output<'u> {
    let mut texts = update.content.results();
    if let Some(first) = texts.next() {
        let rest: Vec<Cow<'_, str>> = texts.map(JsonText::decode).collect();
        return match rest[..] {
            [] => Output::Literal(first),
            _ => Output::Joined(format!("{}\n{}", first.decode(), rest.join("\n"))),
        };
    }
    let Some(raw) = update.raw_output.or(update.output) else { return Output::Literal(JsonText::default()) };
    let fields: HashMap<Cow<'_, str>, &RawValue> = object(Some(raw)).unwrap_or_default();
    let inner =
        ["output", "content", "text"].iter().find_map(|key| JsonText::from_json(fields.get(*key)?.get()));
    let text = inner.or_else(|| JsonText::from_json(raw.get()));
    Output::Literal(text.unwrap_or(JsonText::Plain(raw.get())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_a_name_only_where_it_looks_like_one() {
        for (json, expected) in [
            (r#"{"title":"bash","kind":"execute"}"#, "bash"),
            (r#"{"title":"terminal: echo x > y","kind":"execute"}"#, "terminal"),
            (r#"{"title":"echo made > made.txt; pwd","kind":"execute"}"#, "terminal"),
            (r#"{"title":"fake model runs one shell command","kind":"execute"}"#, "terminal"),
            (r#"{"title":"Shell","_meta":{"toolName":"run_shell_command"}}"#, "run_shell_command"),
            (r#"{"title":"Read","kind":"read"}"#, "read_file"),
            (r#"{"title":7}"#, "tool"),
        ] {
            let value: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(name(&object(Some(value)).unwrap()), expected, "{json}");
        }
    }

    #[test]
    fn the_output_is_found_in_every_place() {
        for (json, expected) in [
            (
                r#"{"content":[{"type":"content","content":{"type":"text","text":"a\nb"}}],"rawOutput":"x"}"#,
                "a\nb",
            ),
            (r#"{"content":[{"content":{"text":"a"}},{"type":"diff","path":"p"}]}"#, "a\np"),
            (r#"{"content":[],"rawOutput":{"output":"o"}}"#, "o"),
            (r#"{"rawOutput":"o"}"#, "o"),
            (r#"{"output":{"n":1}}"#, r#"{"n":1}"#),
            (r#"{"content":7}"#, ""),
        ] {
            let value: &RawValue = serde_json::from_str(json).unwrap();
            let update = object(Some(value)).unwrap();
            assert_eq!(output(&update).as_text().decode(), expected, "{json}");
        }
    }
}
