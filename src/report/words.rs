//! Numbers and states of a report in the words of its pages.

use super::model::{Ending, State};
use crate::output::show_price;
use crate::protocol::{FailureReason, Usage};

/// A length of time: `850 ms`, `12.3 s`, `4m 05s`, `2h 03m`.
pub(super) fn duration(millis: u64) -> String {
    let seconds = millis / 1000;
    match millis {
        0..=999 => format!("{millis} ms"),
        1_000..=59_999 => format!("{}.{} s", seconds, millis % 1000 / 100),
        60_000..=3_599_999 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// A place on a clock that starts at zero: `0:07`, `12:40`, `1:02:03`.
pub(super) fn clock(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

/// The price of a run, where it is known.
pub(super) fn price(ending: &Ending) -> Option<String> {
    ending.cost_usd.as_ref().and_then(serde_json::Number::as_f64).map(show_price)
}

/// Whose changes a report shows: the work dir keeps no state from before a run.
pub(super) const CHANGES_OF: &str = "by all runs of this environment together";

/// The tokens of all models.
pub(super) fn tokens(ending: &Ending) -> u64 {
    ending.usage.values().map(Usage::all).fold(0, u64::saturating_add)
}

/// How a state looks: never by its colour alone.
pub(super) struct Look {
    /// A sign before the word.
    pub(super) sign: &'static str,
    /// The class of its colours.
    pub(super) class: &'static str,
}

impl State {
    /// Its sign and colour.
    pub(super) fn look(self) -> Look {
        let (sign, class) = match self {
            State::Completed => ("✓", "good"),
            State::Failed | State::Crashed => ("✕", "bad"),
            State::Timeout => ("◷", "bad"),
            State::Killed | State::Interrupted => ("■", "warn"),
            State::Running => ("▶", "on"),
            State::Paused => ("‖", "on"),
            State::Unknown => ("?", "warn"),
        };
        Look { sign, class }
    }

    /// What happened, in one sentence.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            State::Running => "The run is not over: this report shows how far it is.",
            State::Paused => "The run is paused: this report shows how far it is.",
            State::Completed => "The agent finished its work.",
            State::Failed => "The run failed.",
            State::Timeout => "A time limit ended the run.",
            State::Interrupted => "The run was stopped before the agent was done.",
            State::Killed => "The agent had to be killed.",
            State::Crashed => "The run died before it could record how it ended.",
            State::Unknown => "Nothing says how the run ended.",
        }
    }
}

/// Why a run did not complete, in plain words. `None`: this version does not know the word.
pub(super) fn explanation(reason: &str) -> Option<String> {
    FailureReason::of_word(reason).map(|reason| reason.meaning().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (millis, text, place) in [
            (0, "0 ms", "0:00"),
            (850, "850 ms", "0:00"),
            (12_340, "12.3 s", "0:12"),
            (245_000, "4m 05s", "4:05"),
            (7_380_000, "2h 03m", "2:03:00"),
        ] {
            assert_eq!((duration(millis).as_str(), clock(millis).as_str()), (text, place));
        }
    }

    #[test]
    fn each_reason_is_explained_by_a_sentence() {
        for word in FailureReason::WORDS {
            let text = explanation(word).unwrap();
            assert!(text.ends_with('.') && text.starts_with(char::is_uppercase), "{word}: {text}");
        }
        assert_eq!(explanation("of tomorrow"), None);
    }
}
