//! Bounds on what an agent uses up, as far as its dialect tells it.

use std::time::{Duration, Instant};

use crate::protocol::{FailureReason, Spent};

/// The most that an agent may use up; `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// The price in US dollars.
    pub cost_usd: Option<f64>,
    /// Tokens of all models and kinds.
    pub tokens: Option<u64>,
    /// Turns of the model.
    pub turns: Option<u64>,
}

/// What earlier turns of the same run have used up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// The price in US dollars.
    pub cost_usd: f64,
    /// Tokens of all models and kinds.
    pub tokens: u64,
}

/// A bound that was reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reached {
    /// The price, in US dollars.
    Cost(f64),
    /// The tokens.
    Tokens(u64),
    /// The turns of the model.
    Turns(u64),
}

/// An agent that has used up its turns may end by itself for so long: many CLIs know the limit, and say more at their end
/// than can be seen from here.
const LAST_WORDS: Duration = Duration::from_secs(3);

impl Bounds {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        *self == Bounds::default()
    }

    /// The bound that was reached between two turns.
    pub fn reached_by(&self, used: Used) -> Option<Reached> {
        let cost = self.cost_usd.filter(|most| used.cost_usd >= *most).map(Reached::Cost);
        cost.or_else(|| self.tokens.filter(|most| used.tokens >= *most).map(Reached::Tokens))
    }

    /// The bound that was reached, together with what was `used` before. Turns are those of one start. `turns_over` keeps the time at which the turns were used up; `is_at_work`: the agent
    /// waits for a tool, which still belongs to its last turn.
    pub(super) fn reached(
        &self,
        used: Used,
        spent: &Spent,
        is_at_work: bool,
        turns_over: &mut Option<Instant>,
        now: Instant,
    ) -> Option<Reached> {
        let cost =
            spent.cost_usd.as_ref().and_then(serde_json::Number::as_f64).unwrap_or(0.0) + used.cost_usd;
        let tokens = spent.tokens.saturating_add(used.tokens);
        if let Some(most) = self.cost_usd.filter(|most| cost >= *most) {
            return Some(Reached::Cost(most));
        }
        if let Some(most) = self.tokens.filter(|most| tokens >= *most) {
            return Some(Reached::Tokens(most));
        }
        let most = self.turns.filter(|most| spent.turns >= *most)?;
        let is_late = !is_at_work && now.duration_since(*turns_over.get_or_insert(now)) >= LAST_WORDS;
        (spent.turns > most || is_late).then_some(Reached::Turns(most))
    }
}

impl Reached {
    /// The reason of the run's end.
    pub fn reason(self) -> FailureReason {
        match self {
            Reached::Cost(_) => FailureReason::CostLimit,
            Reached::Tokens(_) => FailureReason::TokenLimit,
            Reached::Turns(_) => FailureReason::IterationLimit,
        }
    }

    /// What was reached, in words.
    pub fn words(self) -> String {
        match self {
            Reached::Cost(most) => format!("stopped: the agent has cost ${most} (`--max-cost`)"),
            Reached::Tokens(most) => format!("stopped: the agent has used {most} tokens (`--max-tokens`)"),
            Reached::Turns(most) => format!("stopped: the model has had {most} turns (`--max-turns`)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_is_reached_by_its_own_count() {
        let spent = |tokens, cost: &str, turns| Spent {
            tokens,
            cost_usd: serde_json::from_str(cost).unwrap(),
            turns,
        };
        let bounds = Bounds { cost_usd: Some(0.5), tokens: Some(100), turns: Some(2) };
        let now = Instant::now();
        for (spent, is_at_work, later, expected) in [
            (spent(99, "0.49", 1), false, 60, None),
            (spent(0, "null", 0), false, 60, None),
            (spent(99, "0.5", 1), false, 0, Some(Reached::Cost(0.5))),
            (spent(100, "0.1", 1), true, 0, Some(Reached::Tokens(100))),
            (spent(1, "0.1", 2), false, 0, None),
            (spent(1, "0.1", 2), false, 3, Some(Reached::Turns(2))),
            (spent(1, "0.1", 2), true, 60, None),
            (spent(1, "0.1", 3), true, 0, Some(Reached::Turns(2))),
        ] {
            let mut turns_over = None;
            bounds.reached(Used::default(), &spent, is_at_work, &mut turns_over, now);
            let later = now + Duration::from_secs(later);
            assert_eq!(
                bounds.reached(Used::default(), &spent, is_at_work, &mut turns_over, later),
                expected,
                "{spent:?}"
            );
        }
        assert!(Bounds::default().is_empty());
        assert_eq!(
            Bounds::default().reached(Used::default(), &spent(9, "9", 9), false, &mut None, now),
            None
        );
    }
}
