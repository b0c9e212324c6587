//! When each part of what an agent printed was read, from the file that says so (`agent.times`).
//!
//! An agent can write that file. So what does not fit together is left out, and a time that is not known stays unknown.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use chrono::{DateTime, Utc};

use crate::supervise::{Stream, TimeLine};

/// The most that is read of such a file, in bytes: more than a run of a week writes.
const MOST_READ: u64 = 8 << 20;
const BLOCK: usize = 64 << 10;
/// The most starts of the agent: several times those of the longest run.
const MOST_TURNS: usize = 1000;

/// The times of one start of the agent.
#[derive(Debug, Default)]
struct Turn {
    /// By when so many bytes had been read since the start.
    output: Vec<(u64, i64)>,
    errors: Vec<(u64, i64)>,
}

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Times {
    read: u64,
    begun: Vec<u8>,
    /// By where in the log they begin. A refused start has printed nothing, and the next one begins where it did.
    turns: BTreeMap<u64, Turn>,
    /// The one that the lines are about.
    present: u64,
}

impl Times {
    /// Reads what is new in the file.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn read_on(&mut self, file: &File) -> io::Result<()> {
        let mut block = vec![0; BLOCK];
        while self.read < MOST_READ {
            let length = file.read_at(&mut block, self.read)?;
            if length == 0 {
                break;
            }
            self.read += length as u64;
            self.begun.extend_from_slice(&block[..length]);
            let whole = memchr::memrchr(b'\n', &self.begun).map_or(0, |at| at + 1);
            let rest = self.begun.split_off(whole);
            let lines = std::mem::replace(&mut self.begun, rest);
            String::from_utf8_lossy(&lines)
                .lines()
                .filter_map(TimeLine::parse)
                .for_each(|line| self.add(line));
        }
        Ok(())
    }

    fn add(&mut self, line: TimeLine) {
        match (line, self.turns.get_mut(&self.present)) {
            (TimeLine::Start { from, .. }, _) => {
                self.present = from;
                if self.turns.len() < MOST_TURNS || self.turns.contains_key(&from) {
                    self.turns.insert(from, Turn::default());
                }
            }
            (TimeLine::Read { stream, at, bytes }, Some(turn)) => {
                let reads = match stream {
                    Stream::Output => &mut turn.output,
                    Stream::Errors => &mut turn.errors,
                };
                // Both only grow, unless another program has written there.
                if reads.last().is_none_or(|(before, then)| bytes >= *before && at >= *then) {
                    reads.push((bytes, at));
                }
            }
            (TimeLine::Read { .. }, None) => {}
        }
    }

    /// When the first `bytes` bytes of the start that begins in the log at `from` had been read.
    pub(super) fn of_output(&self, from: u64, bytes: u64) -> Option<DateTime<Utc>> {
        let reads = &self.turns.get(&from)?.output;
        let (_, at) = reads.get(reads.partition_point(|(read, _)| *read < bytes))?;
        DateTime::from_timestamp_millis(*at)
    }

    /// What had been read of standard error since that start, by when.
    pub(super) fn of_errors(&self, from: u64) -> &[(u64, i64)] {
        self.turns.get(&from).map_or(&[], |turn| &turn.errors)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_is_known_is_found_and_nothing_is_guessed() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"o 5 5\nnonsense\ns 1000 0\no 1000 10\ne 1001 4\no 2000 20\no 1500 25\no 3000 15\ns 5000 20\no 50")
            .unwrap();
        let mut times = Times::default();
        times.read_on(&file).unwrap();
        let at = |times: &Times, from, bytes| times.of_output(from, bytes).map(|at| at.timestamp_millis());
        for (bytes, expected) in
            [(0, Some(1000)), (10, Some(1000)), (11, Some(2000)), (20, Some(2000)), (21, None)]
        {
            assert_eq!(at(&times, 0, bytes), expected, "{bytes}");
        }
        assert_eq!((at(&times, 20, 1), at(&times, 7, 1)), (None, None));
        assert_eq!((times.of_errors(0), times.of_errors(20)), (&[(4, 1001)][..], &[][..]));
        file.write_all(b"00 3\n").unwrap();
        times.read_on(&file).unwrap();
        assert_eq!(at(&times, 20, 1), Some(5000));
    }
}
