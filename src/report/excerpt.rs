//! The beginning and the end of a text of any length.

use serde::Serialize;

use super::claim::Claim;

/// A text, or its beginning and its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Excerpt {
    /// The text; of a longer one its beginning.
    pub text: Claim,
    /// How many bytes were left out between the two.
    #[serde(skip_serializing_if = "is_none")]
    pub left_out: u64,
    /// The end of a text that was too long.
    #[serde(skip_serializing_if = "Claim::is_empty")]
    pub end: Claim,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Excerpt {
    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.end.is_empty()
    }

    /// How many bytes of the text are here.
    pub fn len(&self) -> usize {
        self.text.len() + self.end.len()
    }

    /// All of it as one text of several lines.
    pub(super) fn visible_lines(&self) -> String {
        match self.left_out {
            0 => self.text.visible().into_owned(),
            count => format!("{}\n[… {count} bytes left out …]\n{}", self.text.visible(), self.end.visible()),
        }
    }

    /// Of a text, at most so many bytes of its beginning and of its end.
    pub fn of(text: &str, most: Most) -> Excerpt {
        let mut cutting = Cutting::new(most);
        cutting.add(text.as_bytes());
        cutting.finish()
    }
}

/// How much of a text is kept, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// Of its beginning.
    pub head: usize,
    /// Of its end.
    pub tail: usize,
}

/// A text that comes in parts. Takes the memory of what is kept, whatever comes.
#[derive(Debug)]
pub struct Cutting {
    most: Most,
    head: Vec<u8>,
    /// Up to twice as long as what is kept of it, so that it is moved seldom.
    tail: Vec<u8>,
    dropped: u64,
}

impl Cutting {
    /// Nothing yet.
    pub fn new(most: Most) -> Cutting {
        Cutting { most, head: Vec::new(), tail: Vec::new(), dropped: 0 }
    }

    /// Whether nothing has come.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty()
    }

    /// Takes the next part. It need not be whole characters.
    pub fn add(&mut self, part: &[u8]) {
        let room = self.most.head.saturating_sub(self.head.len());
        let (head, rest) = part.split_at(room.min(part.len()));
        self.head.extend_from_slice(head);
        if rest.len() > self.most.tail {
            self.dropped += (self.tail.len() + rest.len() - self.most.tail) as u64;
            self.tail.clear();
            self.tail.extend_from_slice(&rest[rest.len() - self.most.tail..]);
            return;
        }
        self.tail.extend_from_slice(rest);
        if self.tail.len() > 2 * self.most.tail {
            self.drop_beginning_of_tail();
        }
    }

    /// Leaves out what would come next, so many bytes of it. What was kept of the beginning is as long as it may be.
    pub fn skip(&mut self, bytes: u64) {
        if bytes > 0 {
            self.dropped += bytes + self.tail.len() as u64;
            self.tail.clear();
        }
    }

    fn drop_beginning_of_tail(&mut self) {
        let surplus = self.tail.len().saturating_sub(self.most.tail);
        self.tail.drain(..surplus);
        self.dropped += surplus as u64;
    }

    /// What was kept. Neither part begins or ends within a character.
    pub fn finish(mut self) -> Excerpt {
        self.drop_beginning_of_tail();
        if self.dropped == 0 {
            self.head.append(&mut self.tail);
            return Excerpt { text: lossy(&self.head), ..Excerpt::default() };
        }
        let head = &self.head[..whole_end(&self.head)];
        let begin = self.tail.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
        let lost = self.head.len() - head.len() + begin;
        Excerpt { text: lossy(head), left_out: self.dropped + lost as u64, end: lossy(&self.tail[begin..]) }
    }
}

/// Where the last whole character ends.
fn whole_end(bytes: &[u8]) -> usize {
    let start = bytes.iter().rposition(|byte| byte & 0xc0 != 0x80).unwrap_or_default();
    let length = match bytes.get(start) {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..) => 4,
        _ => 1,
    };
    if bytes.len() - start < length { start } else { bytes.len() }
}

fn lossy(bytes: &[u8]) -> Claim {
    Claim::new(String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Most = Most { head: 4, tail: 3 };

    #[test]
    fn a_long_text_keeps_its_beginning_and_its_end() {
        for (text, head, left_out, tail) in [
            ("", "", 0, ""),
            ("abcd", "abcd", 0, ""),
            ("abcdefg", "abcdefg", 0, ""),
            ("abcdefgh", "abcd", 1, "fgh"),
            ("abcdefghijklmnop", "abcd", 9, "nop"),
            ("abcäxyzü", "abc", 4, "zü"),
            ("ab€€€€", "ab", 9, "€"),
        ] {
            let expected = Excerpt { text: Claim::new(head), left_out, end: Claim::new(tail) };
            assert_eq!(Excerpt::of(text, MOST), expected, "{text}");
            for size in 1..text.len().max(2) {
                let mut cutting = Cutting::new(MOST);
                text.as_bytes().chunks(size).for_each(|part| cutting.add(part));
                assert_eq!(cutting.finish(), expected, "{text} in parts of {size}");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let mut cutting = Cutting::new(MOST);
        cutting.add(b"a\xffb");
        assert_eq!(cutting.finish().text, Claim::new("a\u{fffd}b"));
    }
}
