//! Tokens by model, and their sum at any time: it is asked for after each line.

use std::collections::BTreeMap;

use super::event::{Usage, prefix};

/// So many models have a count of their own: an agent can name as many as it likes.
const MOST: usize = 256;
/// The name under which those of all others are counted.
const OTHERS: &str = "other models";
/// The longest name, in bytes.
const LONGEST_NAME: usize = 256;

/// Tokens by model.
#[derive(Debug, Default)]
pub struct Models {
    counts: BTreeMap<String, Usage>,
    /// Of all counts together.
    sum: u128,
}

impl Models {
    /// Adds tokens of a model.
    pub fn add(&mut self, model: &str, usage: Usage) {
        self.change(model, |counted| counted.add(&usage));
    }

    /// States the tokens of a model.
    pub fn set(&mut self, model: &str, usage: Usage) {
        self.change(model, |counted| *counted = usage);
    }

    fn change(&mut self, model: &str, change: impl FnOnce(&mut Usage)) {
        let name = prefix(model, LONGEST_NAME);
        let is_other = self.counts.len() >= MOST && !self.counts.contains_key(name);
        let name = if is_other { OTHERS } else { name };
        if !self.counts.contains_key(name) {
            self.counts.insert(name.to_owned(), Usage::default());
        }
        let Some(counted) = self.counts.get_mut(name) else { return };
        self.sum -= u128::from(counted.all());
        change(counted);
        self.sum += u128::from(counted.all());
    }

    /// All tokens of all models.
    pub fn tokens(&self) -> u64 {
        u64::try_from(self.sum).unwrap_or(u64::MAX)
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The counts; none are left.
    pub fn take(&mut self) -> BTreeMap<String, Usage> {
        std::mem::take(self).counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(count: u64) -> Usage {
        Usage { input_tokens: count, ..Usage::default() }
    }

    #[test]
    fn the_sum_is_that_of_the_counts() {
        let mut models = Models::default();
        models.add("a", tokens(1));
        models.add("a", tokens(2));
        models.add("b", tokens(4));
        models.set("a", tokens(10));
        assert_eq!(models.tokens(), 14);
        models.add("a", tokens(u64::MAX));
        assert_eq!(models.tokens(), u64::MAX);
        models.set("a", tokens(1));
        assert_eq!(models.tokens(), 5);
        assert_eq!(models.take(), BTreeMap::from([("a".to_owned(), tokens(1)), ("b".to_owned(), tokens(4))]));
        assert_eq!((models.tokens(), models.is_empty()), (0, true));
    }

    #[test]
    fn any_number_of_models_takes_little_room() {
        let mut models = Models::default();
        for n in 0..100_000 {
            models.add(&format!("model {n}"), tokens(1));
        }
        models.add(&"x".repeat(1000), tokens(1));
        assert_eq!(models.tokens(), 100_001);
        let counts = models.take();
        assert_eq!((counts.len(), counts[OTHERS].input_tokens), (MOST + 1, 100_001 - MOST as u64));
        models.add(&"x".repeat(1000), tokens(1));
        assert_eq!(models.take().keys().next().map(String::len), Some(LONGEST_NAME));
    }
}
