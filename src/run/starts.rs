//! What `logs/run.log` says after a crash: which run has started an agent, and where in the log of its output each start begins.

use std::io::Read as _;

use super::log_line::LogLine;
use super::logs::{self, Which};
use crate::layout::names;
use crate::sys::tree::Tree;

/// The most that is read of such a log, in bytes.
const MOST_READ: u64 = 1 << 20;

/// What a log says of the starts of an agent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Starts {
    /// The run that has started it; empty: none has.
    pub(super) run_id: String,
    /// The agent's provider.
    pub(super) provider: String,
    /// Where in the log of its output each start begins.
    pub(super) from: Vec<u64>,
}

impl Starts {
    /// Those in the log of an env root, as far as it can be read.
    pub(super) fn logged(env: &Tree) -> Starts {
        let mut log = Vec::new();
        let read = logs::open(env, Which::Last, names::RUN_LOG)
            .and_then(|file| file.map_or(Ok(0), |file| file.take(MOST_READ).read_to_end(&mut log)));
        if let Err(error) = read {
            log::debug!("read the log of the run: {error}");
        }
        Starts::parse(&String::from_utf8_lossy(&log))
    }

    fn parse(log: &str) -> Starts {
        let mut starts = Starts::default();
        for line in log.lines().filter_map(|line| LogLine::parse(line.split_once(' ')?.1)) {
            match line {
                LogLine::Run { id, provider } => (starts.run_id, starts.provider) = (id, provider),
                LogLine::From(at) => {
                    if at == 0 {
                        starts.from.clear(); // the log was begun anew
                    }
                    starts.from.push(at);
                }
                _ => {}
            }
        }
        starts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_starts_of_an_agent_are_read_as_they_were_written() {
        let starts = |id: &str, from: &[u64]| Starts {
            run_id: id.to_owned(),
            provider: if id.is_empty() { "" } else { "claude" }.to_owned(),
            from: from.to_vec(),
        };
        for (log, expected) in [
            ("", starts("", &[])),
            ("T notice run x of y", starts("", &[])),
            ("T run r1 of claude in /a b of c\nT start claude -p\n", starts("r1", &[])),
            (
                "T run r1 of claude in /w\nT log from byte 0\nT log from byte 70\nT log from",
                starts("r1", &[0, 70]),
            ),
            ("T run r1 of claude in /w\nT log from byte 0\nT log from byte 0\n", starts("r1", &[0])),
        ] {
            assert_eq!(Starts::parse(log), expected, "{log}");
        }
    }
}
