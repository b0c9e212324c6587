//! `run.log`, line by line: what only the run itself knew, and when.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use chrono::{DateTime, Utc};

use crate::run::log_line::LogLine;

/// The most that is read of such a log, in bytes: more than a run writes.
const MOST_READ: u64 = 16 << 20;
const BLOCK: usize = 64 << 10;
/// The longest line, in bytes: a longer one is none of execenv's.
const LONGEST: usize = 64 << 10;
/// The most lines that are kept: several times those that a run writes.
const MOST_TOLD: u32 = 20_000;

/// One line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) at: DateTime<Utc>,
    pub(super) line: LogLine,
}

/// The lines that were read and not yet taken.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// How much of the log is read, in bytes.
    pub(super) read: u64,
    /// A line whose end was not there yet.
    begun: Vec<u8>,
    /// How many lines were kept so far.
    kept: u32,
    pub(super) told: VecDeque<Told>,
}

impl Story {
    /// Reads what is new in the log.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn read_on(&mut self, log: &File) -> io::Result<()> {
        let mut block = vec![0; BLOCK];
        while self.read < MOST_READ {
            let length = log.read_at(&mut block, self.read)?;
            if length == 0 {
                break;
            }
            self.read += length as u64;
            for piece in block[..length].split_inclusive(|byte| *byte == b'\n') {
                let room = LONGEST.saturating_sub(self.begun.len());
                self.begun.extend_from_slice(&piece[..piece.len().min(room)]);
                if piece.ends_with(b"\n") {
                    let line = std::mem::take(&mut self.begun);
                    self.keep(parse(&String::from_utf8_lossy(&line)));
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, told: Option<Told>) {
        let Some(told) = told else { return };
        // How the run ended is its last word.
        if self.kept < MOST_TOLD || matches!(told.line, LogLine::End { .. }) && self.kept == MOST_TOLD {
            self.kept += 1;
            self.told.push_back(told);
        }
    }

    /// The first line that is still to be taken if it is earlier than this.
    pub(super) fn next_before(&mut self, time: DateTime<Utc>) -> Option<Told> {
        let is_due = |told: &Told| told.at <= time && !matches!(told.line, LogLine::From(_));
        if self.told.front().is_some_and(is_due) { self.told.pop_front() } else { None }
    }
}

fn parse(line: &str) -> Option<Told> {
    let (at, text) = line.trim_end().split_once(' ')?;
    Some(Told { at: at.parse().ok()?, line: LogLine::parse(text)? })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_log_is_read_on_where_it_was_left() {
        let mut file = tempfile::tempfile().unwrap();
        let mut story = Story::default();
        let mut told = |text: &str| {
            file.write_all(text.as_bytes()).unwrap();
            story.read_on(&file).unwrap();
            story.told.drain(..).map(|told| (told.at.to_rfc3339(), told.line.text())).collect::<Vec<_>>()
        };
        let line = |time: &str, text: &str| (time.to_owned(), text.to_owned());
        assert_eq!(told("no line\n2026-06-01T12:00:00.5Z log from by"), []);
        assert_eq!(
            told("te 7\n2026-06-01T12:00:01Z start x\n"),
            [line("2026-06-01T12:00:00.500+00:00", "log from byte 7")]
        );
        assert_eq!(told(&format!("{}\n", "x".repeat(200_000))), []);
        assert_eq!(told("2026-06-01T12:00:02Z notice a\n"), [line("2026-06-01T12:00:02+00:00", "notice a")]);
    }
}
