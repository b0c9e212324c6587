//! A text on the page.

use maud::{Markup, html};

use crate::output::show_bytes;
use crate::report::excerpt::Excerpt;

/// A text, with a line where something was left out.
pub(super) fn excerpt(text: &Excerpt) -> Markup {
    html! { pre { (text.text) } (rest(text)) }
}

/// What of a text comes after its beginning.
pub(super) fn rest(text: &Excerpt) -> Markup {
    html! {
        @if text.left_out > 0 {
            p .cut { "⋯ " (show_bytes(text.left_out)) " left out" }
            pre { (text.end) }
        }
    }
}
