//! The lines of `logs/run.log` that are read again after a crash: which run has started an agent, and where in the log of its
//! output each start begins.

use std::path::Path;

use super::result::RUN_LOG;
use crate::layout::names;
use crate::sys::tree::Tree;

const FROM: &str = "log from byte ";
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
    /// The line with which a start of an agent begins.
    pub(super) fn run_line(run_id: &str, provider: &str, work_dir: &Path) -> String {
        format!("run {run_id} of {provider} in {}", work_dir.display())
    }

    /// The line that says where in the log of its output a start begins.
    pub(super) fn from_line(at: u64) -> String {
        format!("{FROM}{at}")
    }

    /// Those in the log of an env root, as far as it can be read.
    pub(super) fn logged(env: &Tree) -> Starts {
        let log = env.read_start(&Path::new(names::LOGS).join(RUN_LOG), MOST_READ);
        let log = log.inspect_err(|error| log::debug!("read the log of the run: {error}")).ok().flatten();
        Starts::parse(&String::from_utf8_lossy(&log.unwrap_or_default()))
    }

    fn parse(log: &str) -> Starts {
        let mut starts = Starts::default();
        for text in log.lines().filter_map(|line| Some(line.split_once(' ')?.1)) {
            if let Some((id, rest)) = text.strip_prefix("run ").and_then(|rest| rest.split_once(" of ")) {
                id.clone_into(&mut starts.run_id);
                rest.split(' ').next().unwrap_or_default().clone_into(&mut starts.provider);
            } else if let Some(at) = text.strip_prefix(FROM).and_then(|at| at.parse().ok()) {
                if at == 0 {
                    starts.from.clear(); // the log was begun anew
                }
                starts.from.push(at);
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
