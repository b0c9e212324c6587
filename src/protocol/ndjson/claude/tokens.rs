//! Counts Claude Code's tokens: as its result states them, else as the sum over its messages.

use std::collections::{BTreeMap, VecDeque};

use serde_json::value::RawValue;

use super::message::{Counts, Line, Message};
use crate::object;
use crate::order;
use crate::protocol::{Models, Usage};

/// One message is printed as several lines that repeat its usage: so many recent ones are remembered, to count each once.
const RECENT: usize = 16;

/// What a CLI's counts mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counting {
    /// The result states those of the run.
    #[default]
    Stated,
    /// As [`Counting::Stated`], for a session that was resumed: by model the result states those of the whole session, and
    /// so the price (2.1.332); its `usage` is the run's.
    Resumed,
    /// The result states those of the whole session only, so the messages are added up; their input includes what came
    /// from the cache.
    Summed,
}

/// The tokens of one conversation.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    counting: Counting,
    messages: u64,
    requested_model: Option<String>,
    session_model: String,
    recent: VecDeque<Counted>,
    summed: Models,
    stated: Option<Models>,
}

#[derive(Debug)]
struct Counted {
    message_id: String,
    model: String,
    usage: Usage,
}

impl Tokens {
    pub(super) fn new(requested_model: Option<String>, counting: Counting) -> Self {
        Self { requested_model, counting, ..Self::default() }
    }

    /// Notes the model that the session names first: usage without a model of its own is the session's.
    pub(super) fn note_model(&mut self, model: &str) {
        if self.session_model.is_empty() {
            model.clone_into(&mut self.session_model);
        }
    }

    /// Takes one assistant message.
    pub(super) fn count(&mut self, message: &Message<'_>) {
        let Some(mut usage) = message.usage.and_then(read) else { return };
        if self.counting == Counting::Summed {
            usage.input_tokens = usage.input_tokens.saturating_sub(usage.cache_read_tokens);
        }
        let model = self.model_name(&message.model);
        let known = self.recent.iter_mut().find(|counted| *counted.message_id == *message.id);
        if let Some(counted) = known.filter(|_| !message.id.is_empty()) {
            (counted.model, counted.usage) = (model, usage);
            return;
        }
        self.messages += 1;
        self.recent.push_back(Counted { message_id: message.id.to_string(), model, usage });
        if self.recent.len() > RECENT {
            self.sum_oldest();
        }
    }

    /// Takes the result line.
    pub(super) fn state(&mut self, line: &Line<'_>) {
        if self.counting != Counting::Summed || self.messages == 0 {
            self.stated = self.stated_by(line);
        }
    }

    /// From here on the counts mean this.
    pub(super) fn count_as(&mut self, counting: Counting) {
        self.counting = counting;
    }

    /// Whether this line's counts by model, and its price, are those of the whole session.
    pub(super) fn is_of_session(&self, line: &Line<'_>) -> bool {
        let own = line.usage.and_then(read).unwrap_or_default();
        let all = by_model(line).values().map(Usage::all).fold(0, u64::saturating_add);
        self.counting == Counting::Resumed && !own.is_zero() && all > own.all()
    }

    /// How many messages of the model's were counted.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// All tokens so far.
    pub(super) fn so_far(&self) -> u64 {
        if let Some(stated) = &self.stated {
            return stated.tokens();
        }
        let recent = self.recent.iter().map(|counted| counted.usage.all());
        recent.fold(self.summed.tokens(), u64::saturating_add)
    }

    /// Tokens by model; models without any are left out.
    pub(super) fn total(&mut self) -> BTreeMap<String, Usage> {
        while !self.recent.is_empty() {
            self.sum_oldest();
        }
        let mut usage = self.stated.as_mut().unwrap_or(&mut self.summed).take();
        usage.retain(|_, usage| !usage.is_zero());
        usage
    }

    fn sum_oldest(&mut self) {
        if let Some(Counted { model, usage, .. }) = self.recent.pop_front() {
            self.summed.add(&model, usage);
        }
    }

    fn stated_by(&self, line: &Line<'_>) -> Option<Models> {
        let mut stated = Models::default();
        let by_model = if self.is_of_session(line) { BTreeMap::new() } else { by_model(line) };
        if by_model.values().any(|usage| !usage.is_zero()) {
            by_model.iter().for_each(|(model, usage)| stated.set(model, *usage));
            return Some(stated);
        }
        let total = read(line.usage?)?;
        stated.set(&self.model_name(&line.model), total);
        (!total.is_zero()).then_some(stated)
    }

    fn model_name(&self, stated: &str) -> String {
        let names = [stated, &self.session_model, self.requested_model.as_deref().unwrap_or_default()];
        (*names.iter().find(|name| !name.is_empty()).unwrap_or(&"unknown")).to_owned()
    }
}

fn by_model(line: &Line<'_>) -> BTreeMap<String, Usage> {
    let stated =
        line.model_usage.and_then(|raw| serde_json::from_str::<BTreeMap<String, &RawValue>>(raw.get()).ok());
    let stated = stated.unwrap_or_default().into_iter();
    order::map(stated.map(|(model, usage)| (model, read(usage).unwrap_or_default())))
}

/// Token counts in either spelling.
fn read(usage: &RawValue) -> Option<Usage> {
    let counts: Counts<'_> = object::read(usage.get()).ok()?;
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
