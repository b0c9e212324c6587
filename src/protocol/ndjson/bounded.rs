//! The bytes of one JSON value, as they come: whole up to [`WHOLE`], then without the ends of its long strings, then lost.

use super::shorten::{STRING, Shortener};

/// Up to here a value is kept byte for byte.
pub const WHOLE: usize = 1 << 20;
/// The most that is kept of a longer one.
pub const KEPT: usize = 8 << 20;

/// A value that grows.
#[derive(Debug, Default)]
pub struct Bounded {
    kept: Vec<u8>,
    long: Option<Long>,
}

#[derive(Debug)]
struct Long {
    shortener: Shortener,
    length: u64,
    is_lost: bool,
}

impl Bounded {
    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.long.is_none() {
            if self.kept.len() + bytes.len() <= WHOLE {
                return self.kept.extend_from_slice(bytes);
            }
            let mut shortener = Shortener::new(STRING);
            let whole = std::mem::take(&mut self.kept);
            shortener.push(&whole, &mut self.kept);
            self.long = Some(Long { shortener, length: whole.len() as u64, is_lost: false });
        }
        let long = self.long.as_mut().expect("set above");
        long.length += bytes.len() as u64;
        if !long.is_lost {
            // In steps, so that the bound holds for a big block, too.
            for piece in bytes.chunks(STRING) {
                long.shortener.push(piece, &mut self.kept);
                if self.kept.len() > KEPT {
                    long.is_lost = true;
                    self.kept = Vec::new();
                    break;
                }
            }
        }
    }

    /// What is kept: valid JSON, if the value is.
    pub fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// The same as text, without a character that is cut at its end. What is no UTF-8 becomes question marks, byte for byte:
    /// a copy with marks of three bytes would be four times as long.
    pub fn text(&mut self) -> &str {
        let mut at = 0;
        while let Err(error) = std::str::from_utf8(&self.kept[at..]) {
            at += error.valid_up_to();
            let Some(length) = error.error_len() else {
                return std::str::from_utf8(&self.kept[..at]).expect("valid up to there");
            };
            self.kept[at..at + length].fill(b'?');
            at += length;
        }
        std::str::from_utf8(&self.kept).expect("what was not is replaced")
    }

    /// Whether there is nothing, and nothing was lost.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.long.is_none()
    }

    /// Whether long strings lost their ends.
    pub fn is_shortened(&self) -> bool {
        self.long.as_ref().is_some_and(|long| !long.is_lost)
    }

    /// How long the value is, if it was lost.
    pub fn lost(&self) -> Option<u64> {
        self.long.as_ref().filter(|long| long.is_lost).map(|long| long.length)
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.long = None;
        if self.kept.capacity() > WHOLE {
            self.kept = Vec::new();
        } else {
            self.kept.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_replaced_in_place() {
        for (bytes, expected) in [
            (&b""[..], ""),
            ("a\u{e4}b".as_bytes(), "a\u{e4}b"),
            (b"a\xffb\xf0\x9f\x92c\xe4", "a?b???c"),
            (b"\xff\xff", "??"),
            (b"ab\xc3", "ab"),
        ] {
            let mut value = Bounded::default();
            value.push(bytes);
            assert_eq!(value.text(), expected, "{bytes:?}");
        }
        let mut value = Bounded::default();
        value.push(b"a\xc3");
        assert_eq!(value.text(), "a");
        value.push(b"\xa4");
        assert_eq!(value.text(), "a\u{e4}", "the rest of the character came later");
    }
}
