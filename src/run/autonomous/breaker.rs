//! The circuit breaker: when an agent that goes on by itself is stopped although it has not said that it is done.

use crate::environment::IterationRecord;

/// So many turns in a row may change nothing.
const WITHOUT_PROGRESS: u32 = 3;
/// So many turns in a row may name the same obstacle.
const SAME_ERROR: u32 = 5;

/// Why no further turn begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// The limit on turns.
    Iterations(u32),
    /// Nothing changes any more.
    NoProgress(u32),
    /// The agent stands before one obstacle.
    SameError(u32, String),
}

impl Open {
    /// For people.
    pub(super) fn words(&self) -> String {
        match self {
            Open::Iterations(limit) => {
                format!("not ready after {limit} iterations (`--max-iterations`)")
            }
            Open::NoProgress(turns) => format!("{turns} iterations in a row changed nothing"),
            Open::SameError(turns, error) => {
                format!("{turns} iterations in a row named the same obstacle: {error}")
            }
        }
    }
}

/// Counts a turn that has ended without a gate that is ready. `error`: the first obstacle that it named.
pub(super) fn count(
    counted: &mut IterationRecord,
    has_progress: bool,
    error: Option<&str>,
    limit: u32,
) -> Option<Open> {
    counted.iterations += 1;
    counted.no_progress = if has_progress { 0 } else { counted.no_progress + 1 };
    let compared = error.map(alike);
    counted.same_error = match (&compared, &counted.last_error) {
        (Some(now), Some(before)) if now == before => counted.same_error + 1,
        (Some(_), _) => 1,
        (None, _) => 0,
    };
    counted.last_error = compared;
    if counted.no_progress >= WITHOUT_PROGRESS {
        return Some(Open::NoProgress(counted.no_progress));
    }
    if counted.same_error >= SAME_ERROR {
        return Some(Open::SameError(counted.same_error, error.unwrap_or_default().trim().to_owned()));
    }
    (counted.iterations >= limit).then_some(Open::Iterations(limit))
}

/// The form in which two obstacles are compared: numbers, case and space differ from one turn to the next.
fn alike(error: &str) -> String {
    let words: Vec<&str> = error.split_whitespace().collect();
    let mut alike = String::new();
    for c in words.join(" ").to_lowercase().chars() {
        let is_digit = c.is_ascii_digit();
        if !(is_digit && alike.ends_with('#')) {
            alike.push(if is_digit { '#' } else { c });
        }
    }
    alike
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opens(turns: &[(bool, Option<&str>)], limit: u32) -> (usize, Option<Open>) {
        let mut counted = IterationRecord::default();
        for (n, (has_progress, error)) in turns.iter().enumerate() {
            if let Some(open) = count(&mut counted, *has_progress, *error, limit) {
                return (n + 1, Some(open));
            }
        }
        (turns.len(), None)
    }

    #[test]
    fn each_limit_opens_it_at_its_turn() {
        assert_eq!(opens(&[(false, None); 9], 10), (3, Some(Open::NoProgress(3))));
        assert_eq!(opens(&[(false, None), (false, None), (true, None), (false, None)], 10), (4, None));
        let errors: Vec<String> = (0..9).map(|n| format!(" Test {n}7  FAILED ")).collect();
        let turns: Vec<(bool, Option<&str>)> = errors.iter().map(|error| (true, Some(&**error))).collect();
        assert_eq!(opens(&turns, 10), (5, Some(Open::SameError(5, "Test 47  FAILED".into()))));
        let mut broken = turns.clone();
        broken[3].1 = Some("another");
        assert_eq!(opens(&broken, 8), (8, Some(Open::Iterations(8))));
        broken[3].1 = None;
        assert_eq!(opens(&broken, 8), (8, Some(Open::Iterations(8))));
        assert_eq!(opens(&[(true, None); 10], 10), (10, Some(Open::Iterations(10))));
        assert_eq!(opens(&[(true, None); 9], 10), (9, None));
    }

    #[test]
    fn what_was_counted_goes_on() {
        let mut counted = IterationRecord { iterations: 10, no_progress: 2, ..IterationRecord::default() };
        assert_eq!(count(&mut counted.clone(), true, None, 20), None);
        assert_eq!(count(&mut counted, false, None, 20), Some(Open::NoProgress(3)));
        assert_eq!(counted.iterations, 11);
    }
}
