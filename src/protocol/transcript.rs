//! What a conversation collects for its end, with the events that go with it: the same for all dialects, so that a dialect
//! says only what its lines mean.

use std::collections::HashMap;
use std::io;

use serde_json::Number;
use serde_json::value::RawValue;

use super::conversation::{AgentFailure, AgentResult, Ending};
use super::event::{Event, Sink, Spent, Usage, prefix};
use super::kept_text::KeptText;
use super::models::Models;
use super::price::is_price;
use super::reason::FailureReason;
use super::text::JsonText;

/// Calls that were never answered must not pile up.
const MAX_OPEN_TOOLS: usize = 4096;
/// So much of an id and of a name is remembered of each, in bytes.
const LONGEST_NAME: usize = 512;

/// What an agent said so far.
#[derive(Debug, Default)]
pub struct Transcript {
    session_id: Option<String>,
    model: Option<String>,
    /// The text since the last tool call or the last new message.
    text: KeptText,
    /// The last block before it that was not blank.
    earlier: KeptText,
    /// Names of called tools by the id of the call.
    tools: HashMap<String, String>,
    tool_calls: u64,
    usage: Models,
    cost_usd: Option<Number>,
    turns: u64,
    result: Option<AgentResult>,
}

impl Transcript {
    /// A transcript of a run that asked for this model; its tokens count for it until the agent names another one.
    pub fn new(requested_model: Option<&str>) -> Transcript {
        Transcript { model: requested_model.map(str::to_owned), ..Transcript::default() }
    }

    /// The agent named its session, and perhaps its model.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn session(&mut self, id: &str, model: Option<&str>, sink: &mut Sink<'_>) -> io::Result<()> {
        self.note_model(model.unwrap_or_default());
        if id.is_empty() || self.session_id.as_deref() == Some(id) {
            return Ok(());
        }
        self.session_id = Some(id.to_owned());
        sink(Event::Session { session_id: id, model: model.filter(|model| !model.is_empty()) })
    }

    /// The session's id is known, and told, before the agent's first word.
    pub fn knows_session(&mut self, id: &str) {
        self.session_id = Some(id.to_owned());
    }

    /// The session's id.
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// The model that works from here on; an empty name says nothing.
    pub fn note_model(&mut self, model: &str) {
        if !model.is_empty() && self.model.as_deref() != Some(model) {
            self.model = Some(model.to_owned());
        }
    }

    /// A new message of the agent's begins: its text replaces what stood for the answer before, unless it stays blank.
    pub fn new_message(&mut self) {
        if !self.text.is_blank() {
            self.earlier = std::mem::take(&mut self.text);
        }
        self.text.clear();
    }

    /// A part of the agent's message; the parts of one message are joined.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn text_part(&mut self, text: JsonText<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.text.push(text);
        sink(Event::Text { text, is_part: true })
    }

    /// A whole message of the agent's, or a whole block of one.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn message(&mut self, text: JsonText<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        self.new_message();
        if text.is_empty() {
            return Ok(());
        }
        self.text.push(text);
        sink(Event::Text { text, is_part: false })
    }

    /// A message that was told in parts is at its end; `text` is all of it.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn message_ended(&mut self, text: JsonText<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        if !text.is_empty() {
            self.text.clear();
            self.text.push(text);
        }
        sink(Event::Text { text: JsonText::default(), is_part: false })
    }

    /// What the agent thinks. Never part of its answer.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn thinking(&self, text: JsonText<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        if text.is_empty() { Ok(()) } else { sink(Event::Thinking { text }) }
    }

    /// A tool was called: what was said before is no answer any more, unless nothing follows.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn tool_use(
        &mut self,
        id: &str,
        tool: &str,
        input: Option<&RawValue>,
        sink: &mut Sink<'_>,
    ) -> io::Result<()> {
        self.new_message();
        self.tool_calls += 1;
        if self.tools.len() >= MAX_OPEN_TOOLS {
            self.tools.clear();
        }
        self.tools.insert(prefix(id, LONGEST_NAME).to_owned(), prefix(tool, LONGEST_NAME).to_owned());
        let input = input.unwrap_or_else(|| serde_json::from_str("{}").expect("an object"));
        sink(Event::ToolUse { id, tool, input })
    }

    /// Whether that call is known and has no answer yet.
    pub fn is_tool_open(&self, id: &str) -> bool {
        self.tools.contains_key(prefix(id, LONGEST_NAME))
    }

    /// A tool answered.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn tool_result(
        &mut self,
        id: &str,
        output: JsonText<'_>,
        is_error: Option<bool>,
        sink: &mut Sink<'_>,
    ) -> io::Result<()> {
        let tool = self.tools.remove(prefix(id, LONGEST_NAME)).unwrap_or_default();
        sink(Event::ToolResult { id, tool: &tool, output, is_error })
    }

    /// Whether a tool is at work.
    pub fn has_open_tool(&self) -> bool {
        !self.tools.is_empty()
    }

    /// How many tools were called.
    pub fn tool_calls(&self) -> u64 {
        self.tool_calls
    }

    /// Adds tokens; an empty name stands for the last known model.
    pub fn add_usage(&mut self, model: &str, usage: Usage) {
        self.count(model, usage, Models::add);
    }

    /// States the tokens of a model so far: for a CLI that counts them itself.
    pub fn set_usage(&mut self, model: &str, usage: Usage) {
        self.count(model, usage, Models::set);
    }

    /// Whether no tokens were counted.
    pub fn has_no_usage(&self) -> bool {
        self.usage.is_empty()
    }

    fn count(&mut self, model: &str, usage: Usage, count: fn(&mut Models, &str, Usage)) {
        if !usage.is_zero() {
            let known = Some(model).filter(|model| !model.is_empty()).or(self.model.as_deref());
            count(&mut self.usage, known.unwrap_or("unknown"), usage);
        }
    }

    /// States the price so far, in US dollars. What can be none says nothing.
    pub fn set_cost(&mut self, cost: Number) {
        self.cost_usd = Some(cost).filter(is_price).or(self.cost_usd.take());
    }

    /// Adds a price, in US dollars. One of zero says nothing: models without a known price have it.
    pub fn add_cost(&mut self, cost: f64) {
        let sum = cost + self.cost_usd.as_ref().and_then(Number::as_f64).unwrap_or(0.0);
        if cost > 0.0 {
            self.cost_usd = Number::from_f64(sum);
        }
    }

    /// The price so far.
    pub fn cost(&self) -> Option<&Number> {
        self.cost_usd.as_ref()
    }

    /// A turn of the model has ended.
    pub fn turn_ended(&mut self) {
        self.turns += 1;
    }

    /// The agent stated that it is done. Without a text of its own the last message is the answer.
    pub fn complete(&mut self, text: Option<&str>) {
        self.result =
            Some(AgentResult { text: text.unwrap_or_default().to_owned(), ..AgentResult::default() });
    }

    /// The agent stated that it failed.
    pub fn fail(&mut self, failure: AgentFailure) {
        self.result = Some(AgentResult { failure: Some(failure), ..AgentResult::default() });
    }

    /// A failure with this text, for a reason that a field states; without one the text decides.
    pub fn fail_with(&mut self, error: impl Into<String>, reason: Option<FailureReason>) {
        self.fail(AgentFailure { error: error.into(), reason, is_resume_refused: false });
    }

    /// Takes back what was stated: the agent tries again.
    pub fn retract(&mut self) {
        self.result = None;
    }

    /// What the agent stated.
    pub fn result(&self) -> Option<&AgentResult> {
        self.result.as_ref()
    }

    /// The same, to add to it.
    pub fn result_mut(&mut self) -> Option<&mut AgentResult> {
        self.result.as_mut()
    }

    /// The last text that can stand for an answer: since the last tool call, else the last block before it. Blank lines in
    /// front of it, which some agents put between a tool and their answer, are no part of it.
    pub fn answer(&self) -> String {
        let answer = if self.text.is_blank() { &self.earlier } else { &self.text };
        answer.text().trim_start_matches(['\r', '\n']).to_owned()
    }

    /// What was used up so far.
    pub fn spent(&self) -> Spent {
        Spent { tokens: self.usage.tokens(), cost_usd: self.cost_usd.clone(), turns: self.turns }
    }

    /// What is known at the end.
    pub fn end(&mut self) -> Ending {
        let answer = self.answer();
        Ending {
            result: self.result.take(),
            fallback: answer.clone(),
            last_text: answer,
            session_id: self.session_id.take(),
            usage: self.usage.take(),
            cost_usd: self.cost_usd.take(),
            tool_calls: self.tool_calls,
            ..Ending::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_what_was_said_after_the_last_tool() {
        let mut t = Transcript::new(None);
        let mut events = 0;
        let mut sink = |_: Event<'_>| {
            events += 1;
            Ok(())
        };
        t.message("I look".into(), &mut sink).unwrap();
        assert_eq!(t.answer(), "I look");
        t.tool_use("1", "bash", None, &mut sink).unwrap();
        assert!(t.has_open_tool());
        t.tool_result("1", "out".into(), None, &mut sink).unwrap();
        assert!(!t.has_open_tool());
        assert_eq!(t.answer(), "I look", "nothing followed yet");
        t.text_part("\n\n".into(), &mut sink).unwrap();
        t.text_part("  do".into(), &mut sink).unwrap();
        t.text_part(JsonText::Literal("ne\\n"), &mut sink).unwrap();
        assert_eq!(t.answer(), "  done\n", "the indent of the first line stays");
        t.message("  ".into(), &mut sink).unwrap();
        assert_eq!(t.answer(), "  done\n", "a blank message says nothing");
        assert_eq!(t.end().tool_calls, 1);
        assert_eq!(events, 7);
    }

    #[test]
    fn tokens_go_to_the_model_that_is_known() {
        let mut t = Transcript::new(Some("asked"));
        let one = Usage { input_tokens: 1, ..Usage::default() };
        t.add_usage("", one);
        t.note_model("real");
        t.add_usage("", one);
        t.add_usage("other", one);
        t.set_usage("other", Usage { input_tokens: 5, ..one });
        t.add_usage("none", Usage::default());
        assert_eq!(t.spent().tokens, 7);
        let usage = t.end().usage;
        assert_eq!(usage.keys().collect::<Vec<_>>(), ["asked", "other", "real"]);
    }
}
