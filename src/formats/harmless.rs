//! Texts of tasks, files and agents, made harmless for a terminal and for a log.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::scan::{self, below, equal};

/// Makes control characters visible; everything else stays.
pub fn escape(text: &str) -> String {
    if find_suspect(text).is_none() || !text.contains(is_hostile) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hostile(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    safe
}

/// Makes everything visible that could hide a part of a text from its reader: control characters, characters without a width or
/// without a sign, unusual spaces; and a long run of one of them, or of plain spaces, which could move what follows out of sight, is
/// shown as one with its length: `\u{20}{500}`.
pub fn escape_unseen(text: &str) -> String {
    /// Of plain spaces, so many side by side stay as they are.
    const MOST_SPACES: usize = 8;
    /// Of the others.
    const MOST_OTHERS: usize = 2;
    let mut safe = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_unseen = c != ' ' && (c.is_whitespace() || is_hostile(c) || is_invisible(c) || is_blank(c));
        if c != ' ' && !is_unseen {
            safe.push(c);
            continue;
        }
        let mut length = 1;
        while rest.next_if_eq(&c).is_some() {
            length += 1;
        }
        let shown = match c {
            ' ' if length <= MOST_SPACES => " ".to_owned(),
            '\n' | '\r' | '\t' => c.escape_default().to_string(),
            c => c.escape_unicode().to_string(),
        };
        if length <= if c == ' ' { MOST_SPACES } else { MOST_OTHERS } {
            safe.push_str(&shown.repeat(length));
        } else {
            let _ = write!(safe, "{shown}{{{length}}}");
        }
    }
    safe
}

/// Makes text of several lines harmless for a page: its lines and tabs stay, all other control characters become visible, and so do
/// characters without a width, in which a text could be hidden from its reader.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_hostile(c) && c != '\n' || is_invisible(c)) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\t' => safe.push(c),
            '\r' if rest.peek() == Some(&'\n') => {}
            c if is_hostile(c) || is_invisible(c) => safe.extend(c.escape_default()),
            c => safe.push(c),
        }
    }
    safe.into()
}

/// Writes text of several lines: they stay lines, their tabs stay, and the last one gets its end. Other control characters become
/// visible.
///
/// # Errors
/// Those of the writer.
pub fn write_lines(out: &mut impl Write, text: &str) -> io::Result<()> {
    write_part(out, text)?;
    if text.is_empty() || text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") }
}

/// The same for a part of a text: its last line stays open.
///
/// # Errors
/// Those of the writer.
pub fn write_part(out: &mut impl Write, text: &str) -> io::Result<()> {
    let mut rest = text;
    while let Some(at) = find_suspect(rest) {
        out.write_all(&rest.as_bytes()[..at])?;
        let suspect = rest[at..].chars().next().unwrap_or_default();
        let after = &rest[at + suspect.len_utf8()..];
        match suspect {
            '\n' => out.write_all(b"\n")?,
            '\t' => out.write_all(b"\t")?,
            '\r' if after.starts_with('\n') => {}
            c if is_hostile(c) => write!(out, "{}", c.escape_default())?,
            c => out.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?,
        }
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

/// A writer of JSON that is harmless for a terminal: control characters beyond ASCII and those that turn the direction of text
/// become `\u` escapes, which mean the same. Every write must be of whole characters, as those of a serialiser are.
#[derive(Debug)]
pub struct HarmlessJson<W>(pub W);

impl<W: Write> Write for HarmlessJson<W> {
    fn write(&mut self, json: &[u8]) -> io::Result<usize> {
        let mut rest = json;
        // In JSON, they stand inside of strings only.
        while let Some(at) = scan::find(rest, |word| {
            equal(0x7f, word) | equal(0xc2, word) | equal(0xd8, word) | equal(0xe2, word)
        }) {
            self.0.write_all(&rest[..at])?;
            let length = [4, 3, 2, 1].into_iter().find(|length| {
                rest.get(at..at + length).is_some_and(|bytes| {
                    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().count() == 1)
                })
            });
            let suspect = &rest[at..at + length.unwrap_or(1)];
            match std::str::from_utf8(suspect).ok().and_then(|text| text.chars().next()) {
                Some(c) if is_hostile(c) || turns_direction(c) => write!(self.0, "\\u{:04x}", u32::from(c))?,
                _ => self.0.write_all(suspect)?,
            }
            rest = &rest[at + suspect.len()..];
        }
        self.0.write_all(rest)?;
        Ok(json.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// JSON as [`HarmlessJson`] writes it.
pub fn harmless_json(json: &str) -> String {
    let mut out = HarmlessJson(Vec::with_capacity(json.len()));
    out.write_all(json.as_bytes()).expect("memory takes every byte");
    String::from_utf8(out.0).expect("characters stay whole")
}

/// The marks that turn the direction of what is beside them; as text they are harmless, and letters of some languages
/// need them.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}')
}

/// Also the invisible characters that turn the direction of text.
fn is_hostile(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters without a width that no script of a language needs: what joins letters and emoji is not among them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Characters that most terminals show as nothing or as a blank, and that stand in no command for a good reason.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200c}'..='\u{200f}' | '\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0080}'..='\u{e0fff}'
    )
}

/// The place of the first character that may be hostile: a control character, or one that begins with a byte with which
/// hostile ones begin.
fn find_suspect(text: &str) -> Option<usize> {
    scan::find(text.as_bytes(), |word| {
        below(0x20, word) | equal(0x7f, word) | equal(0xc2, word) | equal(0xe2, word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_command_is_out_of_sight() {
        for (text, shown) in [
            ("make  -j 'ä b' 東", "make  -j 'ä b' 東"),
            ("a\u{200b}b\u{202e}c\u{200d}d\u{ad}e", "a\\u{200b}b\\u{202e}c\\u{200d}d\\u{ad}e"),
            ("a\u{a0}b\u{3000}c\u{2800}\u{3164}", "a\\u{a0}b\\u{3000}c\\u{2800}\\u{3164}"),
            ("a\n\tb\r\u{1b}[2J", "a\\n\\tb\\r\\u{1b}[2J"),
            ("true        ; x", "true        ; x"),
        ] {
            assert_eq!(escape_unseen(text), shown, "{text:?}");
        }
        let padded = format!("true{}; rm{}x{}", " ".repeat(500), "\n".repeat(80), "\u{200b}".repeat(3));
        assert_eq!(escape_unseen(&padded), "true\\u{20}{500}; rm\\n{80}x\\u{200b}{3}");
    }

    #[test]
    fn json_shows_no_hostile_character_and_means_the_same() {
        let text = "a\u{9b}31m\u{7f}b\u{202e}c\u{2066}d\u{61c}e\u{200f}f ä — € ؀ 𝄞 \n\t\"";
        let value = serde_json::json!({ "k\u{85}": [text, 1.5, null] });
        let json = harmless_json(&value.to_string());
        assert!(!json.chars().any(|c| is_hostile(c) || turns_direction(c)), "{json}");
        assert!(json.contains("\\u009b31m\\u007fb\\u202ec\\u2066d") && json.contains("ä — € ؀ 𝄞"), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
        assert_eq!(harmless_json("{\"a\": 1}\n"), "{\"a\": 1}\n");
        let mut out = HarmlessJson(Vec::new());
        serde_json::to_writer(&mut out, &value).unwrap();
        assert_eq!(String::from_utf8(out.0).unwrap(), json);
    }

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(escape("a\u{1b}[31m\nb\u{202e}ü"), "a\\u{1b}[31m\\nb\\u{202e}ü");
    }

    #[test]
    fn lines_stay_lines() {
        for (text, printed) in [
            ("", ""),
            ("a", "a\n"),
            ("a\n", "a\n"),
            ("\n", "\n"),
            ("a\r\n\nü€b\r", "a\n\nü€b\\r\n"),
            ("\u{1b}[31m\tx", "\\u{1b}[31m\tx\n"),
        ] {
            let mut out = Vec::new();
            write_lines(&mut out, text).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), printed, "{text:?}");
        }
    }

    #[test]
    fn a_page_keeps_lines_and_tabs() {
        for (text, shown) in [
            ("", ""),
            ("ä € plain", "ä € plain"),
            ("a\r\n\tb\rc", "a\n\tb\\rc"),
            ("\u{feff}x\u{200b}\u{e0041}👩\u{200d}🔧", "\\u{feff}x\\u{200b}\\u{e0041}👩\u{200d}🔧"),
            ("\u{1b}[31m\0\u{85}", "\\u{1b}[31m\\u{0}\\u{85}"),
            ("x\u{202e}y\u{2066}z", "x\\u{202e}y\\u{2066}z"),
        ] {
            assert_eq!(visible(text), shown, "{text:?}");
        }
    }

    fn is_suspect(byte: u8) -> bool {
        byte < 0x20 || matches!(byte, 0x7f | 0xc2 | 0xe2)
    }

    #[test]
    fn each_suspect_byte_is_found_at_each_place() {
        for byte in (0..0x80)
            .map(|byte| char::from(byte).to_string())
            .chain(["\u{85}", "ü", "\u{202e}", "€"].map(String::from))
        {
            for before in 0..17 {
                let text = format!("{}{byte}{}", "x".repeat(before), "y".repeat(9));
                let expected = is_suspect(byte.as_bytes()[0]).then_some(before);
                assert_eq!(find_suspect(&text), expected, "{text:?}");
            }
        }
    }
}
