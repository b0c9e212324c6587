//! An agent that goes on by itself: turn after turn, until it says that it is done, or a breaker stops it.

mod breaker;
mod gate;

use super::result::Stopped;
use crate::environment::IterationRecord;
use crate::protocol::FailureReason;

use breaker::Open;
use gate::Gate;

/// The most turns that may be asked for.
pub const MOST_ITERATIONS: u32 = 50;

/// What the first prompt of an autonomous run ends with: no agent prints the block if nothing explains it.
pub(super) const ABOUT_THE_GATE: &str = "\n\n---\n\
You work without supervision: no person answers questions, and when your turn ends you are asked to go on, until everything is done.\n\
End each turn with this block, as plain text outside of code fences:\n\
\n\
<COMPLETION_GATE>\n\
ready: false\n\
reason: \"what is left\"\n\
progress: \"what is new since your last block\"\n\
blockers: [\"what keeps you from going on, if anything\"]\n\
</COMPLETION_GATE>\n\
\n\
Write `ready: true` only when all that was asked for is done and you have checked it.";

/// The prompt of every further turn.
pub(super) const GO_ON: &str = "Go on with the task. First look at what is there already: your files, `git status`, `git log`. \
Then do what is left. End your turn with the <COMPLETION_GATE> block: `ready: true` only when all of it is done and checked.";

/// The most of what a model writes in a turn that is searched for a gate, in bytes: the end.
const SEARCHED: usize = 1 << 20;

/// What the model wrote in a turn.
#[derive(Debug, Default)]
pub(super) struct Said(String);

impl Said {
    /// Adds a text. A message that comes in parts is one text.
    pub(super) fn add(&mut self, text: &str, is_part: bool) {
        self.0.push_str(text);
        if !is_part {
            self.0.push('\n');
        }
        if self.0.len() > 2 * SEARCHED {
            let mut from = self.0.len() - SEARCHED;
            while !self.0.is_char_boundary(from) {
                from += 1;
            }
            self.0.drain(..from);
        }
    }
}

/// Whether an agent has said at the end of a turn that it is done.
pub(super) fn is_done(said: &Said, answer: &str) -> bool {
    Gate::last(&said.0).or_else(|| Gate::last(answer)).is_some_and(|gate| gate.ready)
}

/// A run that goes on by itself, from its first turn to its last.
#[derive(Debug)]
pub(super) struct Loop {
    limit: u32,
    counted: IterationRecord,
    /// The work before the turn; `None`: it could not be looked at.
    work: Option<String>,
    /// What the last gate said of progress.
    progress: Option<String>,
}

/// What follows after a turn.
#[derive(Debug)]
pub(super) enum Next {
    /// The agent has said that it is done.
    Done,
    /// Another turn.
    GoOn,
    /// The breaker has opened.
    Stop(Stopped),
}

/// A turn that has ended, for the event.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) next: Next,
    /// Its number, from 1; a resumed run goes on counting.
    pub(super) number: u32,
    pub(super) reason: Option<String>,
}

impl Loop {
    /// Begins; `work` is the state of the work before the first turn.
    pub(super) fn begin(limit: u32, counted: IterationRecord, work: Option<String>) -> Loop {
        Loop { limit, counted, work, progress: None }
    }

    /// What was counted so far, for the record.
    pub(super) fn counted(&self) -> &IterationRecord {
        &self.counted
    }

    /// Judges a turn that has ended well. `work` is the state of the work now; one that cannot be looked at counts as changed,
    /// because a breaker that opens by mistake stops an agent that works.
    pub(super) fn judge(&mut self, said: &Said, answer: &str, work: Option<String>) -> Turn {
        let gate = Gate::last(&said.0).or_else(|| Gate::last(answer)).unwrap_or_default();
        let reason = gate.reason.clone();
        if gate.ready {
            self.counted.iterations += 1;
            return Turn { next: Next::Done, number: self.counted.iterations, reason };
        }
        let has_changed = work.is_none() || work != self.work;
        let is_told = gate.progress.is_some() && gate.progress != self.progress;
        self.work = work;
        self.progress = gate.progress;
        let error = gate.blockers.first().map(String::as_str);
        let open = breaker::count(&mut self.counted, has_changed || is_told, error, self.limit);
        let next = open.map_or(Next::GoOn, |open| Next::Stop(stopped(&open)));
        Turn { next, number: self.counted.iterations, reason }
    }
}

fn stopped(open: &Open) -> Stopped {
    let reason = match open {
        Open::Iterations(_) => FailureReason::IterationLimit,
        Open::NoProgress(_) | Open::SameError(..) => FailureReason::CircuitBreaker,
    };
    Stopped { reason, error: open.words() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(this: &mut Loop, said: &str, work: &str) -> Next {
        let mut text = Said::default();
        text.add(said, false);
        this.judge(&text, "", Some(work.to_owned())).next
    }

    #[test]
    fn work_that_changes_or_progress_that_is_told_keeps_the_breaker_shut() {
        let mut this = Loop::begin(10, IterationRecord::default(), Some("a".into()));
        assert!(matches!(turn(&mut this, "", "a"), Next::GoOn));
        assert!(matches!(turn(&mut this, "", "a"), Next::GoOn));
        assert!(matches!(turn(&mut this, "", "b"), Next::GoOn));
        let told = |what| format!("<COMPLETION_GATE>ready: no\nprogress: {what}</COMPLETION_GATE>");
        for what in ["one", "two", "two", "two"] {
            assert!(matches!(turn(&mut this, &told(what), "b"), Next::GoOn), "{what}");
        }
        assert!(matches!(turn(&mut this, &told("two"), "b"), Next::Stop(_)));
        let mut this = Loop::begin(10, IterationRecord::default(), None);
        assert!((0..9).all(|_| matches!(this.judge(&Said::default(), "", None).next, Next::GoOn)));
    }

    #[test]
    fn the_answer_counts_where_nothing_else_was_said() {
        let mut this = Loop::begin(10, IterationRecord::default(), None);
        let done = this.judge(&Said::default(), "<COMPLETION_GATE>ready: yes</COMPLETION_GATE>", None);
        assert!(matches!(done.next, Next::Done));
        assert_eq!(done.number, 1);
    }

    #[test]
    fn the_end_of_a_long_text_is_kept_and_parts_are_joined() {
        let mut said = Said::default();
        said.add(&"ä".repeat(SEARCHED + 1), false);
        said.add("<COMPLETION_", true);
        said.add("GATE>ready: true</COMPLETION_GATE>", false);
        assert!(said.0.len() <= 2 * SEARCHED);
        assert!(Gate::last(&said.0).unwrap().ready);
    }
}
