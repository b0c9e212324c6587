//! When each part of an agent's output was read: one short line a block in a small file, so that the log itself stays byte for byte
//! what the agent printed.
//!
//! The file says how many bytes of a stream had been read by when. An agent may write to it, as to the logs: it is shown, and
//! nothing is decided by it. It grows by twenty lines a second at most, and by ever fewer the longer it is.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// So many lines may be written at once; from there on there is one an interval.
const BURST: u32 = 100;
/// The shortest time between two lines, by how many there are already.
const INTERVALS: [(u32, Duration); 4] = [
    (16_000, Duration::from_millis(50)),
    (32_000, Duration::from_millis(250)),
    (48_000, Duration::from_secs(1)),
    (u32::MAX, Duration::from_secs(10)),
];

/// Where the times of a start of the agent go.
#[derive(Debug)]
pub struct TimesFile {
    /// The file.
    pub file: File,
    /// The present time.
    pub now: DateTime<Utc>,
}

/// One of the agent's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Errors,
}

/// One line of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLine {
    /// The agent was started, when the log of its output had so many bytes.
    Start {
        /// The time in milliseconds since 1970.
        at: i64,
        /// The length of the log.
        from: u64,
    },
    /// So many bytes of a stream had been read since that start.
    Read {
        /// Which one.
        stream: Stream,
        /// The time in milliseconds since 1970.
        at: i64,
        /// How many bytes.
        bytes: u64,
    },
}

impl TimeLine {
    /// Reads a line. `None`: it is none.
    pub fn parse(line: &str) -> Option<TimeLine> {
        let mut words = line.split(' ');
        let (word, at, bytes) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        match word {
            "s" => Some(TimeLine::Start { at, from: bytes }),
            "o" => Some(TimeLine::Read { stream: Stream::Output, at, bytes }),
            "e" => Some(TimeLine::Read { stream: Stream::Errors, at, bytes }),
            _ => None,
        }
    }

    fn text(self) -> String {
        match self {
            TimeLine::Start { at, from } => format!("s {at} {from}\n"),
            TimeLine::Read { stream: Stream::Output, at, bytes } => format!("o {at} {bytes}\n"),
            TimeLine::Read { stream: Stream::Errors, at, bytes } => format!("e {at} {bytes}\n"),
        }
    }
}

/// Notes when the bytes of one stream were read.
#[derive(Debug)]
pub(super) struct Times {
    /// `None`: it could not be written, and is left alone.
    file: Option<File>,
    stream: Stream,
    /// The time of the start, and the same on the clock that only goes on.
    began: (i64, Instant),
    bytes: u64,
    lines: u32,
    /// When the burst is used up.
    free: Instant,
    /// What was read last, where there was no line for it.
    waiting: Option<TimeLine>,
}

impl TimesFile {
    /// Notes the start of the agent, when the log of its output is so long. Returns what notes the times of the two streams.
    pub(super) fn begin(self, log_length: u64) -> std::io::Result<(Times, Times)> {
        let began = (self.now.timestamp_millis(), Instant::now());
        let times = |file, stream| Times {
            file: Some(file),
            stream,
            began,
            bytes: 0,
            lines: 0,
            free: began.1,
            waiting: None,
        };
        let mut output = times(self.file.try_clone()?, Stream::Output);
        output.write(TimeLine::Start { at: began.0, from: log_length });
        Ok((output, times(self.file, Stream::Errors)))
    }
}

impl Times {
    /// Notes that so many bytes more were read just now.
    pub(super) fn note(&mut self, bytes: usize) {
        self.note_at(bytes, Instant::now());
    }

    fn note_at(&mut self, bytes: usize, now: Instant) {
        self.bytes += bytes as u64;
        let (began, clock) = self.began;
        let passed = now.saturating_duration_since(clock).as_millis();
        let at = began.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX));
        let line = TimeLine::Read { stream: self.stream, at, bytes: self.bytes };
        let (_, interval) = INTERVALS.iter().find(|(lines, _)| self.lines < *lines).unwrap_or(&INTERVALS[3]);
        if self.free.saturating_duration_since(now) > *interval * BURST {
            self.waiting = Some(line);
            return;
        }
        // Before a pause, what came right before it has its own time.
        if let Some(waiting) = self.waiting.take() {
            self.write(waiting);
        }
        self.free = self.free.max(now) + *interval;
        self.write(line);
    }

    fn write(&mut self, line: TimeLine) {
        self.lines = self.lines.saturating_add(1);
        // In one write: two threads share the file.
        if self.file.as_mut().is_some_and(|file| file.write_all(line.text().as_bytes()).is_err()) {
            self.file = None;
        }
    }
}

impl Drop for Times {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.write(waiting);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use super::*;

    /// The lines of what was read at these times.
    fn lines(reads: impl IntoIterator<Item = (usize, u64)>) -> Vec<TimeLine> {
        let mut file = tempfile::tempfile().unwrap();
        let now = DateTime::from_timestamp_millis(1_000_000).unwrap();
        let (mut output, errors) = TimesFile { file: file.try_clone().unwrap(), now }.begin(7).unwrap();
        let begin = output.began.1;
        for (bytes, millis) in reads {
            output.note_at(bytes, begin + Duration::from_millis(millis));
        }
        drop((output, errors));
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text.lines().map(|line| TimeLine::parse(line).unwrap_or_else(|| panic!("{line}"))).collect()
    }

    fn read(at: i64, bytes: u64) -> TimeLine {
        TimeLine::Read { stream: Stream::Output, at, bytes }
    }

    #[test]
    fn each_block_has_its_time() {
        let start = TimeLine::Start { at: 1_000_000, from: 7 };
        assert_eq!(
            lines([(5, 0), (6, 10), (7, 60_000)]),
            [start, read(1_000_000, 5), read(1_000_010, 11), read(1_060_000, 18)]
        );
        for line in ["", "o", "o 1", "x 1 2", "o a 2", "o 1 -2", "s 1"] {
            assert_eq!(TimeLine::parse(line), None, "{line}");
        }
    }

    #[test]
    fn a_flood_has_few_lines_and_the_block_before_a_pause_has_its_own() {
        // A block a millisecond for ten seconds, then one a minute later.
        let flood = (0..10_000).map(|at| (1, at));
        let lines = lines(flood.chain([(1, 70_000)]));
        assert!((200..=900).contains(&lines.len()), "{}", lines.len());
        assert_eq!(lines[lines.len() - 2..], [read(1_009_999, 10_000), read(1_070_000, 10_001)]);
        // At each moment of the flood the time is known to within a tenth of a second.
        let times: Vec<i64> = lines
            .iter()
            .skip(1)
            .take(lines.len() - 2)
            .filter_map(|line| match line {
                TimeLine::Read { at, .. } => Some(*at),
                TimeLine::Start { .. } => None,
            })
            .collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 100), "{times:?}");
    }
}
