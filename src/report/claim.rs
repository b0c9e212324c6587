//! Texts that the agent, the task or a file wrote. They are claims, and may be hostile.

use maud::Render;
use serde::Serialize;

use crate::formats::visible;

/// A text from outside. It gets into a page only as [`Render`] writes it, and into Markdown only as code: it has no other way out
/// but JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Claim(String);

impl Claim {
    /// A text of any content.
    pub fn new(text: impl Into<String>) -> Claim {
        Claim(text.into())
    }

    /// The beginning of a text, so that the whole is no longer than `most` bytes.
    pub fn beginning(text: &str, most: usize) -> Claim {
        if text.len() <= most {
            return Claim(text.to_owned());
        }
        let kept = crate::protocol::prefix(text, most.saturating_sub('…'.len_utf8()));
        Claim(format!("{kept}…"))
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The text with its control characters made visible. It is no HTML and no Markdown.
    pub(super) fn visible(&self) -> std::borrow::Cow<'_, str> {
        visible(&self.0)
    }

    /// The text read as JSON. What is in it is from outside as well.
    pub(super) fn parse<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.0).ok()
    }

    /// The first line, made visible.
    pub(super) fn first_line(&self) -> std::borrow::Cow<'_, str> {
        visible(self.0.trim_start().lines().next().unwrap_or_default())
    }
}

impl Render for Claim {
    fn render_to(&self, page: &mut String) {
        self.visible().render_to(page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_gets_into_a_page_as_text_only() {
        for (text, html) in [
            ("plain ä", "plain ä"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\" onload=\"x", "&quot; onload=&quot;x"),
            ("&lt;b>", "&amp;lt;b&gt;"),
            ("\u{1b}[31m\u{202e}\0", "\\u{1b}[31m\\u{202e}\\u{0}"),
            ("a\n\tb", "a\n\tb"),
        ] {
            assert_eq!(Claim::new(text).render().into_string(), html, "{text:?}");
        }
    }

    #[test]
    fn a_beginning_is_whole_or_marked() {
        for (text, most, kept) in
            [("abc", 3, "abc"), ("abcdef", 5, "ab…"), ("ääää", 6, "ä…"), ("abc", 0, "…")]
        {
            assert_eq!(Claim::beginning(text, most), Claim::new(kept), "{text}");
        }
    }
}
