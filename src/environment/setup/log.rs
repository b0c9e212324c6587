//! What commands printed: the beginning and the end of it, in a file; and the last lines, for an error.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};

use crate::supervise::redact::redact;

/// So much of the beginning and of the end is kept, in bytes.
const HEAD: usize = 512 << 10;
const TAIL: usize = 512 << 10;
/// How many lines, of which length, an error shows.
const LINES: usize = 8;
const LONGEST_LINE: usize = 300;

/// A log with a bound.
pub(super) struct Log {
    /// `None`: there is no place for it.
    file: Option<File>,
    written: usize,
    tail: VecDeque<u8>,
    left_out: u64,
}

impl Log {
    pub(super) fn new(file: Option<File>) -> Log {
        Log { file, written: 0, tail: VecDeque::new(), left_out: 0 }
    }

    /// Takes what a command has printed.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.written));
        file.write_all(head)?;
        self.written += head.len();
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(TAIL);
        self.left_out += over as u64;
        self.tail.drain(..over);
        Ok(())
    }

    /// Writes the end.
    pub(super) fn end(self) -> io::Result<()> {
        let Some(mut file) = self.file else { return Ok(()) };
        if self.left_out > 0 {
            writeln!(file, "\n[execenv: {} bytes are left out here]", self.left_out)?;
        }
        let (one, two) = self.tail.as_slices();
        file.write_all(one)?;
        file.write_all(two)
    }
}

/// The last bytes of one command, for its error.
#[derive(Default)]
pub(super) struct LastWords(VecDeque<u8>);

impl LastWords {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        const MOST: usize = LINES * LONGEST_LINE * 2;
        self.0.extend(&bytes[bytes.len().saturating_sub(MOST)..]);
        let over = self.0.len().saturating_sub(MOST);
        self.0.drain(..over);
    }

    /// The last lines, without known secrets; what a terminal would obey is escaped where it is printed.
    pub(super) fn lines(&mut self) -> Vec<String> {
        let text = redact(&String::from_utf8_lossy(self.0.make_contiguous()));
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let shorten = |line: &&str| line.chars().take(LONGEST_LINE).collect::<String>();
        lines[lines.len().saturating_sub(LINES)..].iter().map(shorten).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    fn written(parts: &[&[u8]]) -> Vec<u8> {
        let mut file = tempfile::tempfile().unwrap();
        let mut log = Log::new(Some(file.try_clone().unwrap()));
        parts.iter().for_each(|part| log.take(part).unwrap());
        log.end().unwrap();
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_short_log_is_whole_and_a_long_one_has_its_beginning_and_its_end() {
        assert_eq!(written(&[b"a\n", b"b\n"]), b"a\nb\n");
        let (big, end) = (vec![b'x'; 2 * HEAD], [b'y'; 10]);
        assert_eq!(written(&[&big]).len(), 2 * HEAD);
        let log = written(&[b"begin", &big, &big, &end]);
        assert!(log.starts_with(b"beginx") && log.ends_with(b"xyyyyyyyyyy"));
        let text = String::from_utf8_lossy(&log).into_owned();
        assert!(text.contains(&format!("[execenv: {} bytes are left out here]", 2 * HEAD + 15)));
    }

    #[test]
    fn the_last_words_are_few_and_short() {
        let mut words = LastWords::default();
        words.take("z".repeat(100_000).as_bytes());
        words.take(b"\n\nlast\n");
        let lines = words.lines();
        assert_eq!(lines.last().map(String::as_str), Some("last"));
        assert!(lines.len() <= LINES && lines.iter().all(|line| line.chars().count() <= LONGEST_LINE));
        assert!(LastWords::default().lines().is_empty());
    }
}
