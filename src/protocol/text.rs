//! Strings of JSON that are decoded only where their text is needed.
//!
//! Most of what an agent prints are long strings that go on as they came, or nowhere: to decode and encode them again costs
//! more than all else that a run does.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::formats::scan;

/// A text, or the literal of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonText<'a> {
    /// The text itself.
    Plain(&'a str),
    /// What stands between the quotes of a valid string of JSON.
    Literal(&'a str),
}

impl<'a> JsonText<'a> {
    /// From a JSON value: `None` where it is not a string.
    pub fn from_json(json: &'a str) -> Option<JsonText<'a>> {
        json.strip_prefix('"')?.strip_suffix('"').map(JsonText::Literal)
    }

    /// The text.
    pub fn decode(self) -> Cow<'a, str> {
        match self {
            JsonText::Plain(text) => text.into(),
            JsonText::Literal(literal) => decode(literal),
        }
    }

    /// The literal, where it is the one that this program would write for the text.
    pub fn canonical_literal(self) -> Option<&'a str> {
        let JsonText::Literal(literal) = self else { return None };
        let bytes = literal.as_bytes();
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'\\', &bytes[at..]) {
            at += found + 2;
            if !matches!(bytes.get(at - 1), Some(b'"' | b'\\' | b'n' | b't' | b'r' | b'b' | b'f')) {
                return None;
            }
        }
        Some(literal)
    }

    /// Whether there is no text at all.
    pub fn is_empty(self) -> bool {
        matches!(self, JsonText::Plain("") | JsonText::Literal(""))
    }

    /// Whether there is nothing but white space.
    pub fn is_blank(self) -> bool {
        match self {
            // An escape may stand for white space, anything else that is visible may not.
            JsonText::Literal(literal) if !literal.trim_start().starts_with('\\') => {
                literal.trim_start().is_empty()
            }
            _ => self.decode().trim_start().is_empty(),
        }
    }

    /// Appends the literal of the text.
    pub fn append_literal(self, to: &mut String) {
        match self {
            JsonText::Literal(literal) => to.push_str(literal),
            JsonText::Plain(text) => {
                let json = serde_json::to_string(text).expect("a text has a JSON form");
                to.push_str(&json[1..json.len() - 1]);
            }
        }
    }
}

impl Default for JsonText<'_> {
    fn default() -> Self {
        JsonText::Plain("")
    }
}

impl<'a> From<&'a str> for JsonText<'a> {
    fn from(text: &'a str) -> Self {
        JsonText::Plain(text)
    }
}

impl Serialize for JsonText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.decode())
    }
}

/// Undoes the simple escapes; `\u` is left to serde. Half a surrogate pair has no text: such a literal stays as it is.
fn decode(literal: &str) -> Cow<'_, str> {
    let Some(mut escape) = find_escape(literal) else { return literal.into() };
    let mut text = String::with_capacity(literal.len());
    let mut rest = literal;
    loop {
        text.push_str(&rest[..escape]);
        text.push(match rest.as_bytes().get(escape + 1) {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            _ => return decode_all(literal),
        });
        rest = &rest[escape + 2..];
        match find_escape(rest) {
            Some(found) => escape = found,
            None => break,
        }
    }
    text.push_str(rest);
    text.into()
}

/// The place of the first escape. Texts have them close together or far apart: a short look before the wide one serves
/// both.
fn find_escape(literal: &str) -> Option<usize> {
    const NEAR: usize = 32;
    let bytes = literal.as_bytes();
    let near = scan::find(&bytes[..bytes.len().min(NEAR)], |word| scan::equal(b'\\', word));
    near.or_else(|| Some(NEAR + memchr::memchr(b'\\', bytes.get(NEAR..)?)?))
}

fn decode_all(literal: &str) -> Cow<'_, str> {
    match serde_json::from_str::<String>(&format!("\"{literal}\"")) {
        Ok(text) => text.into(),
        Err(_) => literal.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_decoded_as_serde_does_it() {
        for text in ["", "plain ä", "a\nb\t\"c\"\\\r\u{8}\u{c}", "\u{1b}[31m", "𝄞", "\\\\", "ends\\"] {
            let json = serde_json::to_string(text).unwrap();
            let literal = JsonText::from_json(&json).unwrap();
            assert_eq!(literal.decode(), text);
            assert_eq!(literal.canonical_literal().is_some(), !json.contains("\\u"), "{json}");
            let mut appended = String::new();
            JsonText::Plain(text).append_literal(&mut appended);
            assert_eq!(format!("\"{appended}\""), json);
        }
        for (literal, text) in [(r"a\/b", "a/b"), (r"\u00e4\ud834\udd1e", "ä𝄞"), (r"\ud834 x", r"\ud834 x")]
        {
            assert_eq!(JsonText::Literal(literal).decode(), text);
            assert_eq!(JsonText::Literal(literal).canonical_literal(), None);
        }
        assert_eq!(JsonText::from_json("7"), None);
    }

    #[test]
    fn white_space_is_blank_however_it_is_written() {
        for (literal, is_blank) in
            [("", true), ("  ", true), (r" \n\t ", true), (r"\u0020", true), ("\u{a0}", true)]
        {
            assert_eq!(JsonText::Literal(literal).is_blank(), is_blank, "{literal:?}");
        }
        for literal in ["a", r"\na", r"\u0041", r" \\"] {
            assert!(!JsonText::Literal(literal).is_blank(), "{literal:?}");
        }
    }
}
