//! `session/update`, and what agents tell besides: into events and the transcript.

use std::io;

use super::counts;
use super::line::{Kind, Update};
use super::read::{Any, Cost, Status, object, text};
use super::tools::Tools;
use crate::protocol::{Event, NoticeLevel, Sink, Step, Transcript, Usage};

/// What the turns brought.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) transcript: Transcript,
    pub(super) tools: Tools,
    /// The agent said or did something in this turn.
    pub(super) is_active: bool,
    /// The literal of the texts of this turn, whatever happened between them; of a long turn its beginning.
    pub(super) said: String,
    /// Tokens were stated in this turn.
    pub(super) has_usage: bool,
    /// What a status of Reasonix' counts for this process; the transcript has the last one.
    pub(super) is_price_whole: bool,
}

/// An error that stands in the place of an answer is at most so far from its beginning, in bytes.
const SAID: usize = 64 << 10;

/// What an agent that retries says in the words of its answer.
const RETRY: &str = "Info: Request failed due to a transient API error";

impl Told {
    /// A new turn begins, and with it a new answer.
    pub(super) fn begin_turn(&mut self) {
        self.transcript.new_message();
        (self.is_active, self.has_usage) = (false, false);
        self.said.clear();
    }

    /// Takes an update. Returns the name of its kind where that is not known.
    pub(super) fn update(
        &mut self,
        value: Any<'_>,
        errors_as_text: bool,
        sink: &mut Sink<'_>,
        step: &mut Step,
    ) -> io::Result<Option<String>> {
        match Update::of(value) {
            Some((kind, update)) => self.take(kind, &update, errors_as_text, sink, step),
            None => Ok(Some(String::new())),
        }
    }

    /// The same, of an update that is read.
    pub(super) fn take(
        &mut self,
        kind: Kind<'_>,
        update: &Update<'_>,
        errors_as_text: bool,
        sink: &mut Sink<'_>,
        step: &mut Step,
    ) -> io::Result<Option<String>> {
        if update.meta.is_some() {
            for (model, usage) in counts::read_meta(update.meta) {
                self.add(&model, usage);
            }
        }
        match kind {
            Kind::Message => {
                for text in update.content.texts() {
                    if errors_as_text && text.decode().starts_with(RETRY) {
                        // It waits for its model: no sign of work.
                        sink(Event::Notice { level: NoticeLevel::Warning, text: text.decode().trim() })?;
                    } else if !text.is_empty() {
                        self.work(step);
                        if self.said.len() < SAID {
                            text.append_literal(&mut self.said);
                        }
                        self.transcript.text_part(text, sink)?;
                    }
                }
            }
            Kind::Thought => {
                self.work(step);
                for text in update.content.texts() {
                    self.transcript.thinking(text, sink)?;
                }
            }
            Kind::ToolCall | Kind::ToolCallUpdate => {
                self.work(step);
                self.tools.take(update, &mut self.transcript, sink)?;
            }
            Kind::Plan => self.work(step),
            Kind::Usage => self.cost(update.cost),
            Kind::Silent => {}
            Kind::Unknown(kind) => return Ok(Some(kind.into_owned())),
        }
        Ok(None)
    }

    /// Takes the status of Reasonix', which counts the tokens of a session since its process began.
    pub(super) fn status(&mut self, params: Any<'_>) {
        let Some(status) =
            object::<Status<'_>>(params).and_then(|status| object::<Status<'_>>(status.status))
        else {
            return;
        };
        let cumulative: Option<Cumulative<'_>> = object(status.usage);
        if let Some(usage) = cumulative.and_then(|usage| counts::read(usage.cumulative)) {
            self.has_usage = true;
            self.transcript.set_usage(&text(status.model), usage);
        }
    }

    /// Adds tokens of this turn.
    pub(super) fn add(&mut self, model: &str, usage: Usage) {
        self.has_usage = true;
        self.transcript.add_usage(model, usage);
    }

    /// The price of the session so far, where the agent's process has seen all of it.
    fn cost(&mut self, cost: Any<'_>) {
        let Some(cost) = object::<Cost<'_>>(cost).filter(|_| self.is_price_whole) else { return };
        let amount = cost.amount.and_then(|amount| serde_json::from_str(amount.get()).ok());
        if let Some(amount) = amount.filter(|_| text(cost.currency) == "USD") {
            self.transcript.set_cost(amount);
        }
    }

    fn work(&mut self, step: &mut Step) {
        self.is_active = true;
        step.is_progress = true;
    }
}

#[derive(serde::Deserialize)]
struct Cumulative<'a> {
    #[serde(borrow, default)]
    cumulative: Any<'a>,
}
