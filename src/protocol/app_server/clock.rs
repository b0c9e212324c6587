//! How long the server may be silent, by what is waited for.

use std::time::{Duration, Instant};

/// A pause between two looks that was none of the agent's: the process was stopped, or busy with what the agent said.
const GAP: Duration = Duration::from_secs(2);

/// What the conversation waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Nothing with a limit of its own.
    #[default]
    Nothing,
    /// The answer to a request.
    Answer(&'static str),
    /// The first sign of the turn.
    FirstSign,
    /// Any sign of work.
    Work,
    /// The news that the turn is over, of a thread that is idle.
    End,
}

impl Awaited {
    fn limit(self) -> Duration {
        match self {
            Awaited::Nothing => Duration::MAX,
            Awaited::Answer(_) => Duration::from_secs(30),
            Awaited::FirstSign => Duration::from_secs(60),
            Awaited::Work => Duration::from_secs(600),
            Awaited::End => Duration::from_secs(5),
        }
    }
}

/// Measures the silence.
#[derive(Debug, Default)]
pub(super) struct Clock {
    awaited: Awaited,
    since: Option<Instant>,
    looked: Option<Instant>,
}

impl Clock {
    /// There was a sign: the silence begins again.
    pub(super) fn restart(&mut self) {
        self.since = None;
    }

    /// Takes the time. Returns for how long the awaited has been missing, once that is too long.
    pub(super) fn look(&mut self, now: Instant, awaited: Awaited) -> Option<Duration> {
        let was_away = self.looked.is_some_and(|looked| now.duration_since(looked) > GAP);
        if awaited != self.awaited || was_away {
            self.since = None;
        }
        (self.awaited, self.looked) = (awaited, Some(now));
        let limit = awaited.limit();
        let is_over = now.duration_since(*self.since.get_or_insert(now)) >= limit;
        if is_over {
            self.since = None;
        }
        is_over.then_some(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_measured_from_the_last_sign_and_not_over_gaps() {
        let mut clock = Clock::default();
        let begin = Instant::now();
        let mut at = |second: u64, awaited| clock.look(begin + Duration::from_secs(second), awaited);
        for second in 0..5 {
            assert_eq!(at(second, Awaited::End), None);
        }
        assert_eq!(at(5, Awaited::End), Some(Duration::from_secs(5)));
        assert_eq!(at(6, Awaited::Work), None);
        assert_eq!(at(600, Awaited::Work), None, "no look in between");
        assert_eq!(at(900, Awaited::Nothing), None);
        for second in 900..930 {
            assert_eq!(at(second, Awaited::Answer("initialize")), None);
        }
        assert!(at(930, Awaited::Answer("initialize")).is_some());
        clock.restart();
        assert_eq!(clock.look(begin + Duration::from_secs(931), Awaited::Answer("initialize")), None);
    }
}
