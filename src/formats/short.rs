//! Texts that are cut to what has room.

use std::borrow::Cow;

/// The beginning of a text, so that the whole has at most so many characters: an ellipsis stands for what is left out.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most || text.char_indices().nth(most).is_none() {
        return text.into();
    }
    let end = text.char_indices().nth(most.saturating_sub(1)).map_or(0, |(at, _)| at);
    format!("{}…", &text[..end]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_whole_or_ends_with_an_ellipsis() {
        for (text, most, expected) in [
            ("", 0, ""),
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("äöü", 3, "äöü"),
            ("äöüß", 3, "äö…"),
            ("abc", 1, "…"),
        ] {
            assert_eq!(shortened(text, most), expected, "{text}, {most}");
        }
    }
}
