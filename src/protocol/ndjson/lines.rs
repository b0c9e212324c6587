//! Cuts a byte stream into lines without ever holding more than a bounded part of one.
//!
//! A line that lies whole in a block is passed on in place. One that crosses blocks is collected; within the bounds of
//! [`Bounded`].

use super::bounded::{Bounded, KEPT};

/// The splitter. Feed it with [`Lines::push`], end it with [`Lines::finish`].
#[derive(Debug, Default)]
pub struct Lines {
    partial: Bounded,
    shortened: u64,
    lost: Option<u64>,
}

impl Lines {
    /// Takes a block and gives each line that ends in it to `take`, without its end-of-line characters. An error of `take`
    /// ends the block early.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn push<E>(
        &mut self,
        mut block: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(end) = memchr::memchr(b'\n', block) {
            let (head, rest) = (&block[..end], &block[end + 1..]);
            block = rest;
            if self.partial.is_empty() {
                take(without_return(head))?;
            } else {
                self.partial.push(head);
                self.finish(&mut take)?;
            }
        }
        self.partial.push(block);
        Ok(())
    }

    /// Gives the last line, which had no newline, to `take`, if there is one.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn finish<E>(&mut self, take: impl FnOnce(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if self.partial.is_empty() {
            return Ok(());
        }
        let taken = match self.partial.lost() {
            Some(length) => {
                self.lost.get_or_insert(length);
                Ok(())
            }
            None => {
                self.shortened += u64::from(self.partial.is_shortened());
                take(without_return(self.partial.kept()))
            }
        };
        self.partial.clear();
        taken
    }

    /// How many lines were too long and lost the ends of their long strings; what is left of one is valid JSON, if the
    /// line was.
    pub fn shortened(&self) -> u64 {
        self.shortened
    }

    /// Why a line was not given to `take`, of the first one for which that was so.
    pub fn unreadable(&self) -> Option<String> {
        let (length, limit) = (self.lost?, KEPT >> 20);
        Some(format!(
            "a line of {length} bytes is too long: more than {limit} MiB of it are left after shortening"
        ))
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::super::shorten::STRING;
    use super::*;

    fn split(text: &[u8], step: usize) -> (Vec<Vec<u8>>, Lines) {
        let mut seen = Vec::new();
        let mut take = |line: &[u8]| -> Result<(), ()> {
            seen.push(line.to_vec());
            Ok(())
        };
        let mut lines = Lines::default();
        for block in text.chunks(step) {
            lines.push(block, &mut take).unwrap();
        }
        lines.finish(&mut take).unwrap();
        (seen, lines)
    }

    #[test]
    fn every_block_size_gives_the_same_lines() {
        let text = "eins\r\nzwei ä\n\n€ no newline".as_bytes();
        let want = ["eins", "zwei ä", "", "€ no newline"].map(|line| line.as_bytes().to_vec());
        for step in 1..=text.len() {
            // An empty line at the start of a block is passed on in place, too.
            assert_eq!(split(text, step).0, want, "step {step}");
        }
        assert!(split(b"", 1).0.is_empty());
    }

    #[test]
    fn a_long_line_is_shortened_and_a_hopeless_one_given_up() {
        let long = format!("{{\"a\":\"{}\"}}\nnext\n", "x".repeat(3 << 20));
        let (seen, lines) = split(long.as_bytes(), 64 << 10);
        assert!(seen[0].len() < STRING + 100 && seen[0].ends_with(b"x\"}"));
        assert_eq!(seen[1..], [b"next"]);
        assert_eq!((lines.shortened(), lines.lost), (1, None));

        let hopeless = format!("[{}0]\nnext\n", "0,".repeat(5 << 20));
        let (seen, lines) = split(hopeless.as_bytes(), 64 << 10);
        assert_eq!(seen, [b"next"]);
        assert_eq!((lines.shortened(), lines.lost), (0, Some((hopeless.len() - 6) as u64)));
    }
}
