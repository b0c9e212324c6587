//! The log of what an agent printed, read on: also while it grows, and while a run with `--max-log` shortens it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::supervise::left_out;

/// So many of the last bytes are kept, to find them again in a log that was shortened.
const KEPT: usize = 1 << 10;
/// The longest line that may say what was left out, in bytes.
const LONGEST: usize = 80;
/// So much is searched at a time, in bytes.
const BLOCK: usize = 1 << 20;

/// What a look into the log has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// So many bytes; none: there is nothing new.
    Bytes(usize),
    /// The log was shortened before all of it was read: what follows begins later.
    Lost,
}

/// How far the log is read.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// The place in the log as it is now.
    pub(super) position: u64,
    /// How many bytes the agent had printed since its start, where that is known.
    pub(super) printed: Option<u64>,
    /// Where the present line begins.
    pub(super) line_from: u64,
    /// The beginning of the present line.
    begun: Vec<u8>,
    /// The last bytes that were read.
    kept: Vec<u8>,
}

impl Output {
    /// Goes on with the start of the agent that begins here.
    pub(super) fn begin(&mut self, from: u64) {
        *self = Output { position: from, line_from: from, printed: Some(0), ..Output::default() };
    }

    /// Reads on, up to `to`. A log that a run may shorten meanwhile is `alive`.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn read(&mut self, log: &File, block: &mut [u8], to: u64, alive: bool) -> io::Result<Look> {
        if alive && !self.is_as_it_was(log)? {
            return self.find_again(log);
        }
        let most = usize::try_from(to.saturating_sub(self.position)).unwrap_or(usize::MAX).min(block.len());
        let length = log.read_at(&mut block[..most], self.position)?;
        // It may have been shortened while it was read.
        if alive && !self.is_as_it_was(log)? {
            return self.find_again(log);
        }
        Ok(Look::Bytes(length))
    }

    /// Notes that a line, or a part of one, has been read. Returns how many bytes were left out here.
    pub(super) fn note(&mut self, piece: &[u8], alive: bool) -> Option<u64> {
        self.position += piece.len() as u64;
        self.printed = self.printed.map(|printed| printed + piece.len() as u64);
        if alive {
            let piece = &piece[piece.len().saturating_sub(KEPT)..];
            self.kept.extend_from_slice(piece);
            let surplus = self.kept.len().saturating_sub(KEPT);
            self.kept.drain(..surplus);
        }
        let room = (LONGEST + 1).saturating_sub(self.begun.len());
        self.begun.extend_from_slice(&piece[..piece.len().min(room)]);
        if !piece.ends_with(b"\n") {
            return None;
        }
        let line = std::mem::take(&mut self.begun);
        self.line_from = self.position;
        let bytes = left_out(&line)?;
        // This line itself is none of the agent's.
        self.printed = self.printed.and_then(|printed| (printed + bytes).checked_sub(line.len() as u64));
        Some(bytes)
    }

    /// Whether what was read last still stands before the place.
    fn is_as_it_was(&self, log: &File) -> io::Result<bool> {
        let mut there = vec![0; self.kept.len()];
        let from = self.position - self.kept.len() as u64;
        match log.read_exact_at(&mut there, from) {
            Ok(()) => Ok(there == self.kept),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Finds the place again in a log that was shortened: the last bytes that were read may have moved.
    fn find_again(&mut self, log: &File) -> io::Result<Look> {
        let length = log.metadata()?.len();
        if let Some(at) = last_place_of(log, &self.kept, length)? {
            let moved = at + self.kept.len() as u64;
            self.line_from = moved.saturating_sub(self.position.saturating_sub(self.line_from));
            self.position = moved;
            return Ok(Look::Bytes(0));
        }
        // The end of the log stays: its last quarter is newer than all that was read.
        let from = length - length / 4;
        let mut block = vec![0; BLOCK];
        let read = log.read_at(&mut block, from)?;
        let line = memchr::memchr(b'\n', &block[..read]).map_or(0, |at| at as u64 + 1);
        let position = from + line;
        *self = Output { position, line_from: position, ..Output::default() };
        Ok(Look::Lost)
    }
}

/// The last place in a file at which these bytes stand.
fn last_place_of(log: &File, bytes: &[u8], length: u64) -> io::Result<Option<u64>> {
    let finder = memchr::memmem::FinderRev::new(bytes);
    let mut block = vec![0; BLOCK + bytes.len()];
    let mut to = length;
    while to > 0 && !bytes.is_empty() {
        let from = to.saturating_sub(BLOCK as u64);
        // What begins in this block may end in the next one.
        let wanted = usize::try_from(length - from).unwrap_or(usize::MAX).min(block.len());
        let read = log.read_at(&mut block[..wanted], from)?;
        if let Some(at) = finder.rfind(&block[..read]) {
            return Ok(Some(from + at as u64));
        }
        to = from;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use super::*;

    fn shortened(to: &str) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(to.as_bytes()).unwrap();
        file
    }

    /// Reads all that is there.
    fn read_all(output: &mut Output, file: &File) -> (String, Look) {
        let mut block = [0; 4096];
        let to = file.metadata().unwrap().len();
        let look = output.read(file, &mut block, to, true).unwrap();
        let Look::Bytes(length) = look else { return (String::new(), look) };
        for piece in block[..length].split_inclusive(|byte| *byte == b'\n') {
            output.note(piece, true);
        }
        (String::from_utf8_lossy(&block[..length]).into_owned(), look)
    }

    #[test]
    fn a_log_that_is_shortened_is_read_on_where_it_was_left() {
        let mut output = Output::default();
        output.begin(0);
        let mut file = shortened("first\nsecond\nthird\n");
        assert_eq!(read_all(&mut output, &file).0, "first\nsecond\nthird\n");
        // What was read last has moved to the front, and more follows.
        let gap = format!("{{\"type\":\"execenv\",\"left_out_bytes\":{:<20}}}\n", 6);
        let begin = format!("first\n{gap}");
        file.set_len(0).unwrap();
        file.rewind().unwrap();
        file.write_all(format!("{begin}first\nsecond\nthird\nfourth\n").as_bytes()).unwrap();
        assert_eq!(read_all(&mut output, &file), (String::new(), Look::Bytes(0)));
        assert_eq!(read_all(&mut output, &file).0, "fourth\n");
        assert_eq!(output.printed, Some(26));
        // All that was read is gone.
        file.set_len(0).unwrap();
        file.rewind().unwrap();
        file.write_all(b"a\nb\nc\nd\ne\nf\n").unwrap();
        assert_eq!(read_all(&mut output, &file), (String::new(), Look::Lost));
        assert_eq!(read_all(&mut output, &file).0, "f\n");
        assert_eq!(output.printed, None);
    }

    #[test]
    fn what_was_left_out_counts_as_printed() {
        let gap = format!("{{\"type\":\"execenv\",\"left_out_bytes\":{:<20}}}\n", 1000);
        let mut output = Output::default();
        output.begin(0);
        let (one, two) = gap.as_bytes().split_at(9);
        for (piece, left) in [(&b"a\n"[..], None), (one, None), (two, Some(1000)), (b"bc\n", None)] {
            assert_eq!(output.note(piece, false), left);
        }
        assert_eq!((output.printed, output.position), (Some(1005), 5 + gap.len() as u64));
    }

    #[test]
    fn bytes_are_found_also_where_two_blocks_meet() {
        let mut text = vec![b'.'; 3 * BLOCK];
        let at = 2 * BLOCK - 2;
        text[at..at + 4].copy_from_slice(b"here");
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&text).unwrap();
        assert_eq!(last_place_of(&file, b"here", text.len() as u64).unwrap(), Some(at as u64));
        assert_eq!(last_place_of(&file, b"nowhere", text.len() as u64).unwrap(), None);
    }
}
