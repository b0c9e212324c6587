//! What a program printed for a terminal, as text for a person: nothing of it can move the cursor or change a colour.

use anstream::adapter::strip_str;

use crate::formats::escape;

/// A line without its end, as a terminal would show it: escape sequences and what else only moves the cursor or rings are left out, of a
/// line that overwrites itself the last state stays, and all other control characters but tabs become visible.
pub(super) fn clean_line(line: &str) -> String {
    let plain = strip_str(line).to_string();
    let plain = plain.trim_end_matches(['\r', '\n']);
    let last = plain.rsplit('\r').find(|state| !state.is_empty()).unwrap_or_default();
    last.split('\t').map(escape).collect::<Vec<_>>().join("\t")
}

/// The lines of a text, each as [`clean_line`] makes it.
pub(super) fn clean_lines(text: &str) -> impl Iterator<Item = String> {
    text.strip_suffix('\n').unwrap_or(text).split('\n').map(clean_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_a_terminal_becomes_text() {
        for (line, expected) in [
            ("", ""),
            ("a\tb", "a\tb"),
            ("\u{1b}[31mred\u{1b}[0m\r\n", "red"),
            (" 10%\r 20%\r100%\r", "100%"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("a\u{8}\u{202e}b\u{9b}31m", "a\\u{202e}b\\u{9b}31m"),
        ] {
            assert_eq!(clean_line(line), expected, "{line:?}");
        }
        assert_eq!(clean_lines("a\nb\n").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(clean_lines("a\n\n").collect::<Vec<_>>(), ["a", ""]);
    }
}
