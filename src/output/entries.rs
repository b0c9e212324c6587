//! Entries on standard output: all of them, or the last ones.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};

use super::{Stream, stream};

/// Prints entries, or holds them back until it is known which ones are the last.
#[derive(Debug)]
pub struct Entries<W: Write = BufWriter<Stream>> {
    out: W,
    /// The last entries, where only some are printed: how many, and those so far.
    last: Option<(usize, VecDeque<Vec<u8>>)>,
    /// How many entries came.
    taken: usize,
    /// They do not begin with the first one of all.
    is_part: bool,
}

impl Entries {
    /// To standard output. `last`: only so many of those that come before [`Entries::release`].
    pub fn new(last: Option<usize>) -> Entries {
        Entries::to(stream(), last)
    }
}

impl<W: Write> Entries<W> {
    fn to(out: W, last: Option<usize>) -> Entries<W> {
        Entries { out, last: last.map(|most| (most, VecDeque::new())), taken: 0, is_part: false }
    }

    /// The same entries, of which some that come first are left out, and the next one may lack its beginning.
    #[must_use]
    pub fn of_part(self) -> Entries<W> {
        Entries { is_part: true, ..self }
    }

    /// Whether too few have come to know the last ones: none were printed.
    pub fn lacks_some(&self) -> bool {
        self.is_part && self.last.as_ref().is_some_and(|(most, _)| self.taken <= *most)
    }

    /// Takes a whole entry.
    ///
    /// # Errors
    /// Those of writing.
    pub fn entry(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.taken += 1;
        let Some((most, kept)) = &mut self.last else { return self.out.write_all(bytes) };
        // The one that goes gives its memory to the one that comes.
        let mut entry = if kept.len() >= *most { kept.pop_front().unwrap_or_default() } else { Vec::new() };
        if *most > 0 {
            entry.clear();
            entry.extend_from_slice(bytes);
            kept.push_back(entry);
        }
        Ok(())
    }

    /// Whether entries are still held back.
    pub fn is_holding(&self) -> bool {
        self.last.is_some()
    }

    /// Prints what was held back, and from here on everything at once.
    ///
    /// # Errors
    /// Those of writing.
    pub fn release(&mut self) -> io::Result<()> {
        if self.lacks_some() {
            return Ok(());
        }
        for entry in self.last.take().into_iter().flat_map(|(_, kept)| kept) {
            self.out.write_all(&entry)?;
        }
        self.out.flush()
    }
}

/// A writer whose lines are entries. A flush releases them.
#[derive(Debug)]
pub struct Lines<'a, W: Write = BufWriter<Stream>> {
    entries: &'a mut Entries<W>,
    begun: Vec<u8>,
}

impl<'a, W: Write> Lines<'a, W> {
    /// Lines that become these entries.
    pub fn new(entries: &'a mut Entries<W>) -> Lines<'a, W> {
        Lines { entries, begun: Vec::new() }
    }
}

impl<W: Write> Write for Lines<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.entries.is_holding() && self.begun.is_empty() {
            self.entries.entry(bytes)?;
            return Ok(bytes.len());
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.begun.is_empty() && piece.ends_with(b"\n") {
                self.entries.entry(piece)?;
                continue;
            }
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.entries.entry(&self.begun)?;
                self.begun.clear();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.entries.release()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(last: Option<usize>, after_release: &str) -> String {
        let mut entries = Entries::to(Vec::new(), last);
        let mut lines = Lines::new(&mut entries);
        for piece in ["a\nb", "b\nc\n", "d\ne\n"] {
            lines.write_all(piece.as_bytes()).unwrap();
        }
        lines.flush().unwrap();
        lines.write_all(after_release.as_bytes()).unwrap();
        String::from_utf8(entries.out).unwrap()
    }

    #[test]
    fn the_last_of_a_part_are_printed_once_one_more_has_come() {
        for (count, lacks_some, printed) in
            [(0, true, ""), (2, true, ""), (3, false, "1\n2\n"), (4, false, "2\n3\n")]
        {
            let mut entries = Entries::to(Vec::new(), Some(2)).of_part();
            (0..count).for_each(|n| entries.entry(format!("{n}\n").as_bytes()).unwrap());
            assert_eq!(entries.lacks_some(), lacks_some, "{count}");
            entries.release().unwrap();
            assert_eq!(String::from_utf8(entries.out).unwrap(), printed, "{count}");
        }
    }

    #[test]
    fn the_last_lines_are_printed_and_all_that_follow() {
        assert_eq!(printed(None, "f\n"), "a\nbb\nc\nd\ne\nf\n");
        assert_eq!(printed(Some(2), "f\ng\nh\n"), "d\ne\nf\ng\nh\n");
        assert_eq!(printed(Some(0), "f\n"), "f\n");
        assert_eq!(printed(Some(9), ""), "a\nbb\nc\nd\ne\n");
    }
}
