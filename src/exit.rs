//! Exit statuses: how a command ended -> the status of the process. Pure, so that every row is a test.

use crate::failure::Code;
use crate::supervise::{Exit, RunStatus, RunVerdict};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It printed its answer; with this status.
    Answered(u8),
    /// It failed.
    Failed(Code),
    /// The program that read standard output closed it.
    ReaderGone,
}

/// What a caller that starts `run` again by its status should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same command would end in the same way, or there is nothing left to do.
    No,
    /// Start it again.
    Yes,
    /// Start it again one time.
    Once,
    /// Nothing speaks against it.
    AsYouLike,
    /// Start it again where the engine has ended it: its work is still there.
    Requeue,
}

impl Retry {
    /// The word in the manual.
    pub fn word(self) -> &'static str {
        match self {
            Retry::No => "no",
            Retry::Yes => "yes",
            Retry::Once => "once",
            Retry::AsYouLike => "as you like",
            Retry::Requeue => "requeue",
        }
    }
}

/// Whether to start `run` again: statuses, what to do, and why. The last row is for all others.
pub const RETRIES: [(&[u8], Retry, &str); 9] = [
    (&[0], Retry::No, "the agent is done"),
    (&[2, 3], Retry::No, "the command, its input or the environment must be changed first"),
    (
        &[4],
        Retry::Yes,
        "another process uses the environment; with `--wait` the command waits for it. A limit of runs (`--max-concurrent`) has a wait of its own, `--wait-slot`",
    ),
    (&[5], Retry::No, "a file that is not execenv's is in the way, or work would be lost"),
    (&[124], Retry::AsYouLike, "a limit of time ended the agent; with `--resume` it goes on where it was"),
    (&[125], Retry::Once, "execenv itself failed, as on a full disk; the second time a person has to look"),
    (&[126, 127], Retry::No, "the agent's program cannot be started, or is not there"),
    (
        &[129, 130, 137, 141, 143],
        Retry::Requeue,
        "a signal ended the run, 128 + its number; with `--resume` the agent goes on where it was",
    ),
    (&[], Retry::AsYouLike, "the agent failed with this status"),
];

/// The status of a process that a signal ended: 128 + its number, as a shell reports it.
fn signalled(number: i32) -> u8 {
    u8::try_from(128 + number).unwrap_or(1)
}

/// The exit status of the process. `signal` is one that arrived while the command was finishing its step; `is_run`
/// says that the command was `run`, whose statuses from 124 on mean something else than those of other commands.
pub fn of_command(end: End, is_run: bool, signal: Option<i32>) -> u8 {
    match (end, is_run) {
        // A run hands its agent's status on; a signal that stopped the clean-up after it is a failure of its own.
        (End::Answered(status), true) => status,
        (End::Answered(status), false) => signal.map_or(status, signalled),
        // To read only the first lines is no failure of a command that looks. A run was ended by it.
        (End::ReaderGone, false) => 0,
        (End::ReaderGone, true) => signalled(13),
        (End::Failed(Code::Interrupted), _) => signal.map_or(Code::Interrupted.status(), signalled),
        // 125, so that a failure of execenv is never taken for one of the agent.
        (End::Failed(Code::Failed | Code::GhMissing), true) => Code::RunFailed.status(),
        (End::Failed(Code::AgentNotFound | Code::AgentNotStarted), false) => Code::Failed.status(),
        (End::Failed(code), _) => code.status(),
    }
}

/// The exit status of `shell` after its program has ended: that one's own.
pub fn of_program(exit: Exit) -> u8 {
    match exit {
        Exit { signal: Some(number), .. } => signalled(number),
        Exit { code: Some(code), .. } => u8::try_from(code).unwrap_or(1),
        // Its end is not known.
        Exit { code: None, signal: None } => Code::RunFailed.status(),
    }
}

/// The exit status of `run` after an agent has run: the agent's own wherever that says enough.
pub fn of_agent(verdict: &RunVerdict) -> u8 {
    match (verdict.status, verdict.exit) {
        (RunStatus::Completed, _) => 0,
        (RunStatus::Timeout, _) => Code::TimedOut.status(),
        (RunStatus::Interrupted, _) => signalled(verdict.stopped_by.unwrap_or(15)),
        (RunStatus::Killed, _) => signalled(9),
        (RunStatus::Crashed, _) => Code::RunFailed.status(),
        (RunStatus::Failed, Exit { signal: Some(number), .. }) => signalled(number),
        (RunStatus::Failed, Exit { code: Some(code @ 1..=255), .. }) => u8::try_from(code).unwrap_or(1),
        // The agent ended with 0 and reported a failure, or its end is unknown.
        (RunStatus::Failed, _) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_for_a_command() {
        let (other, run) = (false, true);
        for (end, is_run, signal, status) in [
            (End::Answered(0), other, None, 0),
            (End::Answered(1), other, None, 1),
            (End::Answered(0), other, Some(15), 143),
            (End::Answered(5), other, Some(2), 130),
            (End::Answered(42), run, None, 42),
            (End::Answered(42), run, Some(2), 42),
            (End::ReaderGone, other, None, 0),
            (End::ReaderGone, other, Some(2), 0),
            (End::ReaderGone, run, None, 141),
            (End::Failed(Code::Failed), other, None, 1),
            (End::Failed(Code::Failed), run, None, 125),
            (End::Failed(Code::Failed), other, Some(2), 1),
            (End::Failed(Code::GhMissing), other, None, 1),
            (End::Failed(Code::GhMissing), run, None, 125),
            (End::Failed(Code::Interrupted), other, None, 130),
            (End::Failed(Code::Interrupted), other, Some(15), 143),
            (End::Failed(Code::AgentNotFound), other, None, 1),
            (End::Failed(Code::AgentNotFound), run, None, 127),
            (End::Failed(Code::AgentNotStarted), other, None, 1),
            (End::Failed(Code::AgentNotStarted), run, None, 126),
        ] {
            assert_eq!(of_command(end, is_run, signal), status, "{end:?} {is_run} {signal:?}");
        }
        let fixed =
            [Code::Failed, Code::GhMissing, Code::Interrupted, Code::AgentNotFound, Code::AgentNotStarted];
        for code in Code::ALL.iter().filter(|code| !fixed.contains(code)) {
            for is_run in [other, run] {
                assert_eq!(of_command(End::Failed(*code), is_run, Some(2)), code.status(), "{code:?}");
            }
        }
    }

    /// Every status that is not an agent's own, and each once.
    #[test]
    fn every_status_of_the_contract_has_its_row_about_a_retry() {
        let in_rows = |status: u8| RETRIES.iter().filter(|(statuses, ..)| statuses.contains(&status)).count();
        for code in Code::ALL.iter().filter(|code| !matches!(code.status(), 1)) {
            assert_eq!(in_rows(code.status()), 1, "{code:?}");
        }
        for signal in [1, 2, 9, 13, 15] {
            assert_eq!(in_rows(signalled(signal)), 1, "{signal}");
        }
        for status in 0..=255 {
            assert!(in_rows(status) <= 1, "{status}");
        }
        let (last, ..) = RETRIES[RETRIES.len() - 1];
        assert!(last.is_empty() && in_rows(1) == 0, "1 is also an agent's own status");
    }

    #[test]
    fn every_row_for_an_agent() {
        let exit = |code, signal| Exit { code, signal };
        for (status, exit, stopped_by, expected) in [
            (RunStatus::Completed, exit(Some(0), None), None, 0),
            (RunStatus::Completed, exit(None, Some(15)), None, 0),
            (RunStatus::Failed, exit(Some(0), None), None, 1),
            (RunStatus::Failed, exit(Some(42), None), None, 42),
            (RunStatus::Failed, exit(None, Some(11)), None, 139),
            (RunStatus::Failed, exit(None, None), None, 1),
            (RunStatus::Timeout, exit(None, Some(9)), None, 124),
            (RunStatus::Interrupted, exit(Some(0), None), Some(2), 130),
            (RunStatus::Interrupted, exit(Some(0), None), Some(13), 141),
            (RunStatus::Interrupted, exit(Some(0), None), None, 143),
            (RunStatus::Killed, exit(None, Some(9)), Some(15), 137),
            (RunStatus::Crashed, exit(None, None), None, 125),
        ] {
            let verdict = RunVerdict {
                status,
                exit,
                stopped_by,
                failure_reason: None,
                error: None,
                text: String::new(),
                poisoned: None,
                resume_refused: false,
            };
            assert_eq!(of_agent(&verdict), expected, "{verdict:?}");
        }
    }
}
