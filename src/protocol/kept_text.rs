//! The text of an agent's message, of which a beginning and an end are kept however long it gets: a run holds no more in
//! memory for an answer without end.

use std::borrow::Cow;

use super::text::JsonText;

/// What is kept of the beginning, and of the end, in bytes of the literal. A text of up to twice as many is kept whole.
const HALF: usize = 256 << 10;

/// A text that grows.
#[derive(Debug, Default)]
pub(super) struct KeptText {
    /// The literal of the beginning.
    head: String,
    /// The literal of what follows, or of the last part of it.
    tail: String,
    /// What is missing between the two, in bytes of the literal.
    left_out: usize,
}

impl KeptText {
    /// Appends a part.
    pub(super) fn push(&mut self, text: JsonText<'_>) {
        match text {
            JsonText::Literal(literal) => self.push_literal(literal),
            // In pieces, so that there is no copy of all of it.
            JsonText::Plain(mut rest) => {
                let mut literal = String::new();
                while !rest.is_empty() {
                    let mut cut = rest.len().min(HALF);
                    while !rest.is_char_boundary(cut) {
                        cut -= 1;
                    }
                    let piece;
                    (piece, rest) = rest.split_at(cut);
                    literal.clear();
                    JsonText::Plain(piece).append_literal(&mut literal);
                    self.push_literal(&literal);
                }
            }
        }
    }

    fn push_literal(&mut self, literal: &str) {
        let is_in_head = self.tail.is_empty() && self.left_out == 0 && self.head.len() < HALF;
        let cut = if is_in_head { boundary(literal, HALF - self.head.len()) } else { 0 };
        self.head.push_str(&literal[..cut]);
        self.tail.push_str(&literal[cut..]);
        // Rarely, so that a byte is moved once.
        if self.tail.len() > 2 * HALF {
            self.shorten();
        }
    }

    fn shorten(&mut self) {
        let cut = self.surplus();
        self.left_out += cut;
        self.tail.drain(..cut);
    }

    /// How many bytes of the tail are more than is kept.
    fn surplus(&self) -> usize {
        boundary(&self.tail, self.tail.len().saturating_sub(HALF))
    }

    pub(super) fn clear(&mut self) {
        *self = KeptText::default();
    }

    /// Whether there is nothing but white space.
    pub(super) fn is_blank(&self) -> bool {
        self.left_out == 0 && [&self.head, &self.tail].iter().all(|text| JsonText::Literal(text).is_blank())
    }

    /// The text, decoded; a line stands for what is missing.
    pub(super) fn text(&self) -> String {
        let cut = self.surplus();
        let (head, tail) = (&self.head, &self.tail[cut..]);
        let literal: Cow<'_, str> = match (tail.is_empty(), self.left_out + cut) {
            (true, _) => head.as_str().into(),
            (false, 0) => format!("{head}{tail}").into(),
            (false, count) => {
                format!(r"{head}\n[{count} bytes left out: logs/agent.ndjson has them]\n{tail}").into()
            }
        };
        JsonText::Literal(&literal).decode().into_owned()
    }
}

/// The first place at or after `from` at which a literal can be cut: not within a character or an escape, and not between
/// the two halves of a pair.
fn boundary(literal: &str, from: usize) -> usize {
    let bytes = literal.as_bytes();
    let mut at = 0;
    while at < from {
        match memchr::memchr(b'\\', bytes.get(at..from).unwrap_or_default()) {
            Some(found) => at += found + escape_length(&bytes[at + found..]),
            None => at = from,
        }
    }
    let mut at = at.min(literal.len());
    while !literal.is_char_boundary(at) {
        at += 1;
    }
    at
}

/// The length of the escape with which `bytes` begin; the two of a surrogate pair are one.
fn escape_length(bytes: &[u8]) -> usize {
    let is_first_half =
        matches!(bytes, [b'\\', b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..]);
    match bytes {
        [_, b'u', ..] if is_first_half && bytes.get(6..8) == Some(br"\u".as_slice()) => 12,
        [_, b'u', ..] => 6,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&str]) -> KeptText {
        let mut text = KeptText::default();
        parts.iter().for_each(|part| text.push(JsonText::Literal(part)));
        text
    }

    #[test]
    fn a_cut_is_never_within_a_character_or_an_escape() {
        for (literal, boundaries) in [
            ("abc", &[0, 1, 2, 3][..]),
            ("aäb", &[0, 1, 3, 4]),
            (r"a\nb", &[0, 1, 3, 4]),
            (r"\\n", &[0, 2, 3]),
            (r"\u00e4b", &[0, 6, 7]),
            (r"\ud834\udd1eb", &[0, 12, 13]),
            (r"\ud834b", &[0, 6, 7]),
        ] {
            let mut found: Vec<usize> = (0..=literal.len()).map(|from| boundary(literal, from)).collect();
            found.dedup();
            assert_eq!(found, boundaries, "{literal}");
        }
    }

    #[test]
    fn a_text_without_end_keeps_its_beginning_and_its_end() {
        let mut text = KeptText::default();
        for number in 0..400_000 {
            text.push(JsonText::Literal(&format!(r"{number:07}\n")));
            assert!(text.head.capacity() + text.tail.capacity() < 8 * HALF);
        }
        let whole = text.text();
        let lines: Vec<&str> = whole.lines().collect();
        assert_eq!((lines[0], *lines.last().unwrap()), ("0000000", "0399999"));
        let gap = lines.iter().position(|line| line.starts_with('[')).unwrap();
        let left_out = 400_000 * 9 - text.head.len() - (text.tail.len() - text.surplus());
        assert_eq!(lines[gap], format!("[{left_out} bytes left out: logs/agent.ndjson has them]"));
        assert!(whole.len() < 2 * HALF + 100);
        assert_eq!(text.text(), whole, "asked again");
    }

    #[test]
    fn the_parts_in_which_a_text_comes_make_no_difference() {
        for length in [10, HALF, 2 * HALF, 3 * HALF, 5 * HALF] {
            let whole: String = r"line \u00e4 and \ud834\udd1e\n".chars().cycle().take(length).collect();
            let whole = &whole[..whole.rfind('l').unwrap()];
            let halves = whole.split_at(whole[..whole.len() / 2].rfind('l').unwrap_or(0));
            let lines: Vec<&str> = whole.split_inclusive(r"\n").collect();
            let expected = of(&[whole]).text();
            assert_eq!(of(&[halves.0, halves.1]).text(), expected, "{length}");
            assert_eq!(of(&lines).text(), expected, "{length}");
            let mut plain = KeptText::default();
            plain.push(JsonText::Plain(&JsonText::Literal(whole).decode()));
            let is_short = whole.len() <= 2 * HALF;
            assert!(!is_short || plain.text() == expected, "{length}");
            assert_eq!(expected.contains("left out"), whole.len() > 2 * HALF, "{length}");
        }
    }
}
