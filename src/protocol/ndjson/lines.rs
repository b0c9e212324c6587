//! Cuts a byte stream into lines without ever holding more than a bounded part of one.
//!
//! A line that lies whole in a block is handed out in place. One that crosses blocks is collected; beyond
//! [`BUFFERED`] bytes it is shortened on the fly, and beyond [`KEPT`] bytes after that it is given up.

use super::shorten::{STRING, Shortener};

/// Up to here a line is kept byte for byte.
pub const BUFFERED: usize = 1 << 20;
/// The most that is kept of a longer line.
pub const KEPT: usize = 8 << 20;

/// A line without its end-of-line characters, or what became of one.
#[derive(Debug, PartialEq)]
pub enum Line<'a> {
    /// As it came.
    Whole(&'a [u8]),
    /// Of `length` bytes; its long strings lost their tails.
    Shortened {
        /// Still valid JSON, if the line was.
        line: &'a [u8],
        /// The line's own length.
        length: u64,
    },
    /// Too long even so.
    Lost {
        /// The line's own length.
        length: u64,
    },
}

/// The splitter. Feed it with [`Lines::push`], end it with [`Lines::finish`].
#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
    long: Option<Long>,
}

#[derive(Debug)]
struct Long {
    shortener: Shortener,
    length: u64,
    lost: bool,
}

impl Lines {
    /// Takes a block and hands out each line that ends in it. An error of `take` ends the block early.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn push<E>(
        &mut self,
        mut block: &[u8],
        take: &mut dyn FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(end) = memchr::memchr(b'\n', block) {
            let (head, rest) = (&block[..end], &block[end + 1..]);
            block = rest;
            if self.partial.is_empty() && self.long.is_none() {
                take(Line::Whole(without_return(head)))?;
            } else {
                self.collect(head);
                self.finish(take)?;
            }
        }
        self.collect(block);
        Ok(())
    }

    /// Hands out the last line, which had no newline, if there is one.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn finish<E>(&mut self, take: &mut dyn FnMut(Line<'_>) -> Result<(), E>) -> Result<(), E> {
        let line = without_return(&self.partial);
        let taken = match self.long.take() {
            Some(long) if long.lost => take(Line::Lost { length: long.length }),
            Some(long) => take(Line::Shortened { line, length: long.length }),
            None if self.partial.is_empty() => return Ok(()),
            None => take(Line::Whole(line)),
        };
        if self.partial.capacity() > BUFFERED {
            self.partial = Vec::new()
        } else {
            self.partial.clear()
        }
        taken
    }

    fn collect(&mut self, bytes: &[u8]) {
        if self.long.is_none() {
            if self.partial.len() + bytes.len() <= BUFFERED {
                return self.partial.extend_from_slice(bytes);
            }
            let mut shortener = Shortener::new(STRING);
            let whole = std::mem::take(&mut self.partial);
            shortener.push(&whole, &mut self.partial);
            self.long = Some(Long { shortener, length: whole.len() as u64, lost: false });
        }
        let long = self.long.as_mut().expect("set above");
        long.length += bytes.len() as u64;
        if !long.lost {
            // In steps, so that the bound holds for a big block, too.
            for piece in bytes.chunks(STRING) {
                long.shortener.push(piece, &mut self.partial);
                if self.partial.len() > KEPT {
                    long.lost = true;
                    self.partial = Vec::new();
                    break;
                }
            }
        }
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &[u8], step: usize) -> Vec<Result<Vec<u8>, u64>> {
        let mut seen = Vec::new();
        let mut take = |line: Line<'_>| -> Result<(), ()> {
            seen.push(match line {
                Line::Whole(line) | Line::Shortened { line, .. } => Ok(line.to_vec()),
                Line::Lost { length } => Err(length),
            });
            Ok(())
        };
        let mut lines = Lines::default();
        for block in text.chunks(step) {
            lines.push(block, &mut take).unwrap();
        }
        lines.finish(&mut take).unwrap();
        seen
    }

    #[test]
    fn every_block_size_gives_the_same_lines() {
        let text = "eins\r\nzwei ä\n\n€ no newline".as_bytes();
        let want: Vec<_> =
            ["eins", "zwei ä", "", "€ no newline"].map(|line| Ok(line.as_bytes().to_vec())).into();
        for step in 1..=text.len() {
            // An empty line that starts a block has nothing collected: it is handed out in place all the same.
            assert_eq!(split(text, step), want, "step {step}");
        }
        assert!(split(b"", 1).is_empty());
    }

    #[test]
    fn a_long_line_is_shortened_and_a_hopeless_one_given_up() {
        let long = format!("{{\"a\":\"{}\"}}\nnext\n", "x".repeat(3 << 20));
        let seen = split(long.as_bytes(), 64 << 10);
        let line = seen[0].as_ref().unwrap();
        assert!(line.len() < STRING + 100 && line.ends_with(b"x\"}"));
        assert_eq!(seen[1], Ok(b"next".to_vec()));

        let hopeless = format!("[{}0]\nnext\n", "0,".repeat(5 << 20));
        assert_eq!(
            split(hopeless.as_bytes(), 64 << 10),
            [Err((hopeless.len() - 6) as u64), Ok(b"next".to_vec())]
        );
    }
}
