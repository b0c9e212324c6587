//! Texts of tasks, files and agents, made harmless for a terminal and for a log.

use std::borrow::Cow;

/// Makes control characters visible; everything else stays.
pub fn escape(text: &str) -> String {
    harmless(text).into_owned()
}

/// As [`escape`], without a copy where there is nothing to escape.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if text.as_bytes().chunks(64).all(has_no_suspect) || !text.contains(is_hostile) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hostile(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    safe.into()
}

/// Also the invisible characters that turn the direction of text.
fn is_hostile(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether no byte can be part of a hostile character. Looks at all of them, which is a few wide instructions.
fn has_no_suspect(bytes: &[u8]) -> bool {
    let suspect = |byte: u8| (byte < 0x20) | (byte == 0x7f) | (byte == 0xc2) | (byte == 0xe2);
    !bytes.iter().fold(false, |found, byte| found | suspect(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(escape("a\u{1b}[31m\nb\u{202e}ü"), "a\\u{1b}[31m\\nb\\u{202e}ü");
    }
}
