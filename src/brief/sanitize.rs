//! Text from outside, made safe for Markdown that an agent follows: whatever it contains, it cannot leave its place.
//!
//! Names stay on one line and carry no markup, long texts stay inside their quote or fence, and what goes into a
//! command is a plain token or nothing.

use super::marker_text::{BEGIN, END};
use crate::task::safe_token;

/// A person's or thing's name as inline Markdown: one line, markup escaped. May come out empty.
pub(crate) fn display_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        if matches!(c, '*' | '_' | '`' | '\\' | '[' | ']' | '<') {
            name.push('\\');
        }
        name.push(c);
    }
    name
}

/// Free text on one line: each run of line breaks becomes one space, other control characters go.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    let mut after_break = true; // so that no space is put at the very start
    for c in text.chars() {
        let is_break = breaks_line(c) || matches!(c, '\t' | '\u{b}' | '\u{c}');
        if is_break && !after_break {
            line.push(' ');
        } else if !is_break && !c.is_control() {
            line.push(c);
        } else if !is_break {
            continue; // a dropped character does not end a run of breaks
        }
        after_break = is_break;
    }
    line.trim().to_owned()
}

fn breaks_line(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// An e-mail address as it came, or nothing where it could be more than an address.
pub(crate) fn email(text: &str) -> Option<&str> {
    let address = text.trim();
    let unfit = |c: char| {
        c.is_control() || c.is_whitespace() || matches!(c, '\\' | '`' | '*' | '<' | '>' | '[' | ']')
    };
    (address.contains('@') && !address.contains(unfit)).then_some(address)
}

/// A trusted text as a block of its own: LF only, no blank lines around it. `None` when nothing is in it.
pub(crate) fn block(text: &str) -> Option<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.trim_matches('\n').trim_end();
    (!text.trim().is_empty()).then(|| text.to_owned())
}

/// A blockquote: every line is prefixed, whatever ends it, so that none of them is live Markdown.
pub(crate) fn blockquote(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(breaks_line, "\n");
    let lines = text.trim_end_matches('\n').split('\n');
    lines.map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n")
}

/// An id for use in a command: a plain token, or nothing. See [`safe_token`] for what passes.
pub(crate) fn command_id(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|id| safe_token(id))
}

/// A point in time for use in a command: RFC 3339 without blanks, or nothing.
pub(crate) fn timestamp(text: &str) -> Option<&str> {
    let time = text.trim();
    let plain = time.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'.' | b'+' | b'-'));
    (plain && chrono::DateTime::parse_from_rfc3339(time).is_ok()).then_some(time)
}

/// An inline code span on one line, whatever backticks the text has; nothing for a blank text.
pub(crate) fn code_span(text: &str) -> String {
    let text = one_line(text);
    if text.is_empty() {
        return text;
    }
    let run = longest_backtick_run(&text);
    if run == 0 {
        return format!("`{text}`");
    }
    let ticks = "`".repeat(run + 1);
    format!("{ticks} {text} {ticks}")
}

/// A fenced code block that its content cannot end. The content stays as it is: a line separator inside a JSON
/// string is legal, a line feed is not.
pub(crate) fn fenced(language: &str, text: &str) -> String {
    let fence = "`".repeat(3.max(longest_backtick_run(text) + 1));
    format!("{fence}{language}\n{}\n{fence}", text.trim_end_matches('\n'))
}

fn longest_backtick_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Breaks up our own marker texts by a second blank after `<!--`: a block then has one begin and one end only.
pub fn defuse_markers(text: &str) -> String {
    let broken = |marker: &str| marker.replacen("<!-- ", "<!--  ", 1);
    text.replace(BEGIN, &broken(BEGIN)).replace(END, &broken(END))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names() {
        for (text, name) in [
            ("Alice\r\nBob", "Alice Bob"),
            ("Alice\n\n\nBob", "Alice Bob"),
            ("Alice\u{85}\u{2028}\u{2029}Bob", "Alice Bob"),
            ("\n\nAlice\t", "Alice"),
            ("  Jiayuan  ", "Jiayuan"),
            ("Ali\0ce", "Alice"),
            ("Ali\u{7f}ce\u{1b}[0m", "Alice\\[0m"),
            ("A\n\0\nB", "A B"),
            ("A*B", "A\\*B"),
            ("A`B", "A\\`B"),
            ("A[B]C", "A\\[B\\]C"),
            ("a_b\\c<d>", "a\\_b\\\\c\\<d>"),
            ("two  blanks", "two  blanks"),
            (" \t\r\n ", ""),
            ("", ""),
        ] {
            assert_eq!(display_name(text), name, "{text:?}");
        }
    }

    #[test]
    fn e_mails() {
        for good in ["a@b.com", "john_doe+tag@example.co.uk", "x.y-z@sub.domain.io"] {
            assert_eq!(email(good), Some(good));
        }
        assert_eq!(email(" a@b.com\n"), Some("a@b.com"));
        for bad in
            ["", "ab.com", "a b@c.d", "a`@b.c", "a@b\n.c", "a*@b.c", "<a@b.c>", "a\u{85}@b", "a\\@b", "a@[b]"]
        {
            assert_eq!(email(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_quote_prefixes_every_line_whatever_ends_it() {
        for (text, quote) in [
            ("one", "> one"),
            ("a\r\nb\rc\nd\u{85}e\u{2028}f\u{2029}g", "> a\n> b\n> c\n> d\n> e\n> f\n> g"),
            ("a\n\n# b\n\n", "> a\n> \n> # b"),
        ] {
            assert_eq!(blockquote(text), quote);
        }
    }

    #[test]
    fn ids_and_times_for_commands_are_plain_or_nothing() {
        assert_eq!(command_id(" MUL-12 "), Some("MUL-12"));
        for bad in ["", "a b", "$(id)", "a;b", "a\nb", "--parent", "..", "`x`"] {
            assert_eq!(command_id(bad), None, "{bad:?}");
        }
        for good in ["2026-05-01T10:00:00Z", "2026-05-01T10:00:00.123+02:00"] {
            assert_eq!(timestamp(good), Some(good));
        }
        for bad in ["", "yesterday", "2026-05-01 10:00:00Z", "2026-05-01T10:00:00Z; rm x"] {
            assert_eq!(timestamp(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn code_cannot_be_left() {
        assert_eq!(code_span("main"), "`main`");
        assert_eq!(code_span(" \n"), "");
        assert_eq!(code_span("a`b``c\nd"), "``` a`b``c d ```");
        assert_eq!(fenced("json", "{}\n"), "```json\n{}\n```");
        assert_eq!(fenced("", "x\n````\ny"), "`````\nx\n````\ny\n`````");
    }

    #[test]
    fn blocks_are_trimmed_and_empty_ones_are_none() {
        assert_eq!(block(" \r\n\t"), None);
        assert_eq!(block("\n  a\r\nb \n\n").as_deref(), Some("  a\nb"));
    }

    #[test]
    fn markers_are_broken_up_once() {
        let text = format!("x {BEGIN}{END}\n{END} y");
        let defused = defuse_markers(&text);
        assert!(!defused.contains(BEGIN) && !defused.contains(END), "{defused}");
        assert_eq!(defused.len(), text.len() + 3);
        assert_eq!(defuse_markers(&defused), defused);
    }
}
