//! A log as it is: its bytes, from the beginning or from its last lines on.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::output::{Look, Output};

/// So much is searched at a time, in bytes.
const BLOCK: usize = 64 << 10;

/// The bytes of one log.
#[derive(Debug)]
pub struct LogBytes {
    log: File,
    output: Output,
    is_alive: bool,
}

/// What reading on has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes; none: there is nothing new.
    Bytes(usize),
    /// The log was shortened before all of it was read: what follows begins later.
    Lost,
}

impl LogBytes {
    /// From the beginning, or from the last `lines` lines on. A log that a run still writes is `alive`.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn new(log: File, lines: Option<usize>, is_alive: bool) -> io::Result<LogBytes> {
        let length = log.metadata()?.len();
        let from = lines.map_or(Ok(0), |lines| place_of_last(&log, lines, length))?;
        let mut output = Output::default();
        output.begin(from);
        Ok(LogBytes { log, output, is_alive })
    }

    /// Reads on.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn read(&mut self, block: &mut [u8]) -> io::Result<Read> {
        let length = self.log.metadata()?.len();
        match self.output.read(&self.log, block, length, self.is_alive)? {
            Look::Lost => Ok(Read::Lost),
            // Its place was found again.
            Look::Bytes(0) if self.output.position < length => {
                Ok(Read::Bytes(match self.output.read(&self.log, block, length, self.is_alive)? {
                    Look::Lost => return Ok(Read::Lost),
                    Look::Bytes(read) => self.took(&block[..read]),
                }))
            }
            Look::Bytes(read) => Ok(Read::Bytes(self.took(&block[..read]))),
        }
    }

    fn took(&mut self, bytes: &[u8]) -> usize {
        self.output.note(bytes, self.is_alive);
        bytes.len()
    }
}

/// Where the last lines of a file begin: found from its end.
pub(super) fn place_of_last(log: &File, lines: usize, length: u64) -> io::Result<u64> {
    if lines == 0 {
        return Ok(length);
    }
    let mut block = vec![0; BLOCK];
    let (mut to, mut left) = (length, lines);
    while to > 0 {
        let from = to.saturating_sub(BLOCK as u64);
        let wanted = usize::try_from(to - from).unwrap_or(BLOCK);
        let read = log.read_at(&mut block[..wanted], from)?;
        for at in memchr::memrchr_iter(b'\n', &block[..read]) {
            let after = from + at as u64 + 1;
            // The end of the last line begins none.
            if after < length {
                left -= 1;
                if left == 0 {
                    return Ok(after);
                }
            }
        }
        to = from;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_last_lines_are_found_from_the_end() {
        let long = format!("a\n{}\nb\nc", "x".repeat(3 * BLOCK));
        for (text, lines, expected) in [
            ("", 1, 0),
            ("a\nb\n", 0, 4),
            ("a\nb\n", 1, 2),
            ("a\nb\n", 2, 0),
            ("a\nb\n", 9, 0),
            ("a\n\n", 1, 2),
            ("a\nb", 1, 2),
            (&long, 2, long.len() as u64 - 3),
            (&long, 3, 2),
            (&long, 4, 0),
        ] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let place = place_of_last(&file, lines, text.len() as u64).unwrap();
            assert_eq!(place, expected, "{lines} of {} bytes", text.len());
        }
    }
}
