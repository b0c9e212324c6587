//! Shortens a JSON line while it is read: long strings lose their ends, everything else stays.
//!
//! Valid JSON stays valid: a string is never cut inside an escape, between the two halves of a surrogate pair, or inside
//! a UTF-8 character.

/// What is kept of one string, in bytes as written.
pub(super) const STRING: usize = 256 << 10;

#[derive(Clone, Copy, Debug)]
enum Place {
    Outside,
    InString,
    /// After a backslash.
    Escape,
    /// Inside `\uXXXX`: digits still to come, and the value so far.
    Unicode(u8, u16),
}

/// The state of one line.
#[derive(Debug)]
pub(super) struct Shortener {
    place: Place,
    /// Bytes of the current string that were kept.
    in_string: usize,
    /// The rest of the current string is dropped.
    cutting: bool,
    /// The last escape was the first half of a surrogate pair.
    half_pair: bool,
    string_limit: usize,
}

impl Shortener {
    pub(super) fn new(string_limit: usize) -> Self {
        Self { place: Place::Outside, in_string: 0, cutting: false, half_pair: false, string_limit }
    }

    /// Takes the next bytes of the line and appends what is kept of them.
    pub(super) fn push(&mut self, mut bytes: &[u8], kept: &mut Vec<u8>) {
        while let Some(&first) = bytes.first() {
            let taken = match self.place {
                Place::Outside => {
                    let end = memchr::memchr(b'"', bytes).map_or(bytes.len(), |at| at + 1);
                    kept.extend_from_slice(&bytes[..end]);
                    if bytes[end - 1] == b'"' {
                        (self.place, self.in_string) = (Place::InString, 0);
                        (self.cutting, self.half_pair) = (false, false);
                    }
                    end
                }
                Place::InString => match first {
                    b'"' => {
                        kept.push(b'"');
                        self.place = Place::Outside;
                        1
                    }
                    b'\\' => {
                        // A cut before this escape is possible unless it completes a pair.
                        self.cutting |= self.in_string >= self.string_limit && !self.half_pair;
                        self.keep(b"\\", kept);
                        self.place = Place::Escape;
                        1
                    }
                    _ => {
                        let end = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
                        self.half_pair = false;
                        self.plain(&bytes[..end], kept);
                        end
                    }
                },
                Place::Escape => {
                    self.keep(&bytes[..1], kept);
                    self.place = if first == b'u' { Place::Unicode(4, 0) } else { Place::InString };
                    self.half_pair = false;
                    1
                }
                Place::Unicode(left, value) => {
                    self.keep(&bytes[..1], kept);
                    let digit =
                        char::from(first).to_digit(16).and_then(|d| u16::try_from(d).ok()).unwrap_or(0);
                    let value = value << 4 | digit;
                    self.place = if left > 1 { Place::Unicode(left - 1, value) } else { Place::InString };
                    self.half_pair = left == 1 && (0xD800..0xDC00).contains(&value);
                    1
                }
            };
            bytes = &bytes[taken..];
        }
    }

    /// A stretch of a string without quotes and backslashes.
    fn plain(&mut self, bytes: &[u8], kept: &mut Vec<u8>) {
        if self.cutting {
            return;
        }
        let room = self.string_limit.saturating_sub(self.in_string);
        if bytes.len() <= room {
            return self.keep(bytes, kept);
        }
        // The character that crosses the limit is kept whole: at most three bytes more.
        let end = (room..bytes.len()).find(|&at| bytes[at] & 0xC0 != 0x80).unwrap_or(bytes.len());
        self.keep(&bytes[..end], kept);
        self.cutting = end < bytes.len();
    }

    fn keep(&mut self, bytes: &[u8], kept: &mut Vec<u8>) {
        if !self.cutting {
            kept.extend_from_slice(bytes);
            self.in_string += bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shorten(line: &[u8], limit: usize, step: usize) -> Vec<u8> {
        let mut kept = Vec::new();
        let mut shortener = Shortener::new(limit);
        for piece in line.chunks(step) {
            shortener.push(piece, &mut kept);
        }
        kept
    }

    #[test]
    fn any_cut_and_any_split_leave_valid_json_with_the_same_shape() {
        let line = r#"{"a":"x\"\\yäöü€𝄞zz\ud834\udd1e\u00e4\n\ttail","n":[1.5e3,true,null,""],"k":{"b":"\u20acAB"}}"#;
        let whole: serde_json::Value = serde_json::from_str(line).unwrap();
        for limit in 0..60 {
            for step in 1..line.len() {
                let kept = shorten(line.as_bytes(), limit, step);
                let text = String::from_utf8(kept).unwrap();
                // Keys are cut like any string, so ask for the shape only where they fit.
                let value: serde_json::Value = serde_json::from_str(&text)
                    .unwrap_or_else(|error| panic!("limit {limit} step {step}: {error}: {text}"));
                if limit > 0 {
                    assert_eq!(value["n"].as_array().map(Vec::len), Some(4), "{text}");
                    assert!(whole["a"].as_str().unwrap().starts_with(value["a"].as_str().unwrap()), "{text}");
                }
            }
        }
        assert_eq!(shorten(line.as_bytes(), 1000, 7), line.as_bytes());
    }

    #[test]
    fn what_is_kept_is_bounded_by_string() {
        let line = format!("{{\"a\":\"{}\",\"b\":\"{}\"}}", "x".repeat(5000), "\\n".repeat(5000));
        let kept = shorten(line.as_bytes(), 100, 64);
        assert!(kept.len() < 230, "{}", kept.len());
    }
}
