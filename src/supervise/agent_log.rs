//! A log of what an agent prints: all of it, or with a limit its beginning and its end.
//!
//! A log that reaches its limit is shortened in place: the first half stays, of the rest the last quarter, and a line
//! between them says how many bytes were left out. So the file is never longer than the limit, and can be read at any
//! moment. A kill in the middle of that leaves bytes twice, never fewer.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use super::times::Times;

/// The smallest limit of a log, in bytes.
pub const LEAST: u64 = 64 << 10;
/// So many bytes are moved at a time, and searched for the end of a line.
const BLOCK: usize = 8 << 10;

/// How the line begins that stands in the place of what was left out.
const GAP: &str = "{\"type\":\"execenv\",\"left_out_bytes\":";

/// How many bytes of a log were left out, where this line stands. `None`: it is a line of the agent's. (An agent may print one of this
/// form.)
pub fn left_out(line: &[u8]) -> Option<u64> {
    let number = line.strip_prefix(GAP.as_bytes())?.strip_suffix(b"}\n")?;
    std::str::from_utf8(number).ok()?.trim_end().parse().ok()
}

/// A log that is abandoned at its first error: a full disk must not stop the agent.
pub(super) struct AgentLog {
    file: Option<File>,
    limit: Option<Limit>,
    times: Option<Times>,
}

/// What a person should know of a log; each once.
#[derive(Debug)]
pub(super) enum Incomplete {
    /// It has reached its limit.
    Full,
    /// It could not be written; nothing more is written to it.
    Failed(io::Error),
}

impl AgentLog {
    pub(super) fn new(file: Option<File>, most: Option<u64>, times: Option<Times>) -> AgentLog {
        // An earlier turn of the same run may have written to it.
        let length = file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |file| file.len());
        let limit = most.map(|most| Limit { most: most.max(LEAST), length, ..Limit::default() });
        AgentLog { file, limit, times }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Option<Incomplete> {
        let was_whole = self.has_all();
        let file = self.file.as_mut()?;
        let written = match &mut self.limit {
            None => file.write_all(bytes),
            Some(limit) => limit.write(file, bytes),
        };
        if let Err(error) = written {
            (self.file, self.times) = (None, None);
            return Some(Incomplete::Failed(error));
        }
        if let Some(times) = &mut self.times {
            times.note(bytes.len());
        }
        (was_whole && !self.has_all()).then_some(Incomplete::Full)
    }

    fn has_all(&self) -> bool {
        self.limit.as_ref().is_none_or(|limit| limit.gap.is_none())
    }
}

/// The state of a log with a limit.
#[derive(Debug, Default)]
struct Limit {
    most: u64,
    length: u64,
    gap: Option<Gap>,
}

/// Where bytes were left out.
#[derive(Debug)]
struct Gap {
    at: u64,
    left_out: u64,
    /// What stands before it has no end of line.
    is_in_line: bool,
}

impl Gap {
    /// The line in its place: always as long.
    fn line(&self) -> String {
        let begin = if self.is_in_line { "\n" } else { "" };
        format!("{begin}{GAP}{:<20}}}\n", self.left_out)
    }

    fn end(&self) -> u64 {
        self.at + self.line().len() as u64
    }
}

impl Limit {
    fn write(&mut self, file: &mut File, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.length >= self.most {
                self.make_room(file)?;
            }
            let room = usize::try_from(self.most - self.length).unwrap_or(usize::MAX);
            let (fits, rest) = bytes.split_at(room.min(bytes.len()));
            file.write_all(fits)?;
            self.length += fits.len() as u64;
            bytes = rest;
        }
        Ok(())
    }

    /// Leaves out what lies between the head and the last quarter.
    fn make_room(&mut self, file: &mut File) -> io::Result<()> {
        let from = self.length - self.most / 4;
        let from = next_line(file, from)?.unwrap_or(from);
        let (mut gap, after) = match self.gap.take() {
            Some(gap) => {
                let after = gap.end();
                (gap, after)
            }
            None => {
                let half = self.most / 2;
                let line = last_line(file, half)?;
                let at = line.unwrap_or(half);
                (Gap { at, left_out: 0, is_in_line: line.is_none() }, at)
            }
        };
        gap.left_out += from - after;
        file.write_all_at(gap.line().as_bytes(), gap.at)?;
        let mut block = [0; BLOCK];
        let (mut read, mut write) = (from, gap.end());
        while read < self.length {
            let wanted = usize::try_from(self.length - read).unwrap_or(BLOCK).min(BLOCK);
            file.read_exact_at(&mut block[..wanted], read)?;
            file.write_all_at(&block[..wanted], write)?;
            read += wanted as u64;
            write += wanted as u64;
        }
        file.set_len(write)?;
        file.seek(SeekFrom::Start(write))?;
        (self.length, self.gap) = (write, Some(gap));
        Ok(())
    }
}

/// The beginning of the first line after this place, where one begins soon.
fn next_line(file: &File, from: u64) -> io::Result<Option<u64>> {
    let mut block = [0; BLOCK];
    file.read_exact_at(&mut block, from)?;
    Ok(memchr::memchr(b'\n', &block[..BLOCK - 1]).map(|at| from + at as u64 + 1))
}

/// The beginning of the last line before this place, where one begins shortly before.
fn last_line(file: &File, before: u64) -> io::Result<Option<u64>> {
    let mut block = [0; BLOCK];
    let from = before - BLOCK as u64;
    file.read_exact_at(&mut block, from)?;
    Ok(memchr::memrchr(b'\n', &block).map(|at| from + at as u64 + 1))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// What is left of these blocks, and how often it was said that some is not there.
    fn logged(blocks: &[&[u8]]) -> (String, usize) {
        let mut read = tempfile::tempfile().unwrap();
        let mut log = AgentLog::new(read.try_clone().ok(), Some(LEAST), None);
        let mut told = 0;
        for block in blocks {
            told += usize::from(matches!(log.write(block), Some(Incomplete::Full)));
            assert!(read.metadata().unwrap().len() <= LEAST);
        }
        assert!(log.file.is_some());
        let mut text = String::new();
        read.seek(SeekFrom::Start(0)).unwrap();
        read.read_to_string(&mut text).unwrap();
        (text, told)
    }

    #[test]
    fn head_and_tail_stay_and_the_gap_is_counted() {
        let lines: Vec<String> = (0..40_000).map(|number| format!("{{\"line\":{number}}}\n")).collect();
        let whole = lines.concat();
        for size in [1, 7, 1000, 300_000] {
            let blocks: Vec<Vec<u8>> = whole.as_bytes().chunks(size * 17).map(<[u8]>::to_vec).collect();
            let (text, told) = logged(&blocks.iter().map(Vec::as_slice).collect::<Vec<_>>());
            assert_eq!(told, 1, "{size}");
            let (head, rest) = text.split_once("{\"type\":\"execenv\",\"left_out_bytes\":").unwrap();
            let (left_out, tail) = rest.split_once("}\n").unwrap();
            assert!(whole.starts_with(head) && head.ends_with('\n') && head.len() > 24 << 10, "{size}");
            assert!(whole.ends_with(tail) && tail.starts_with('{') && tail.len() > 7 << 10, "{size}");
            assert_eq!(
                left_out.trim().parse::<usize>().unwrap(),
                whole.len() - head.len() - tail.len(),
                "{size}"
            );
        }
    }

    #[test]
    fn a_short_log_and_one_without_lines_are_kept_too() {
        assert_eq!(logged(&[b"a\n", b"b"]), ("a\nb".to_owned(), 0));
        let (text, told) = logged(&[&[b'x'; 200_000]]);
        assert!(told == 1 && text.starts_with('x') && text.ends_with('x') && text.contains("}\nx"));
    }
}
