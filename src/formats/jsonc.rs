//! JSON with comments and trailing commas, as agent CLIs allow it in their configuration.

use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Map, Value};

/// Nothing else of what the parser could forgive: the agent would not read such a file as it is meant.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// A text that is not one JSON object. It is never quoted: it may hold secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAnObject {
    /// Counted from 1.
    pub(crate) line: usize,
    /// Counted from 1, in characters.
    pub(crate) column: usize,
}

/// The object of a text; `None` where it holds blanks and comments only. Numbers keep their spelling.
pub(crate) fn parse_object(text: &str) -> Result<Option<Map<String, Value>>, NotAnObject> {
    let text = text.trim_start_matches('\u{feff}');
    let parsed = parse_to_ast(text, &CollectOptions::default(), &OPTIONS)
        .map_err(|error| NotAnObject { line: error.line_display(), column: error.column_display() })?;
    match parsed.value.map(Value::from) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(NotAnObject { line: 1, column: 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_trailing_commas_are_allowed() {
        for (text, expected) in [
            ("{}", Some("{}")),
            ("// nothing\n", None),
            ("  \n", None),
            ("\u{feff}{\"a\":1}", Some("{\"a\":1}")),
            ("{ // c\n \"a\": 1, /* b, */ }", Some("{\"a\":1}")),
            ("{\"u\":\"http://x//y/*z*/\",\"b\":[1,2,],}", Some("{\"u\":\"http://x//y/*z*/\",\"b\":[1,2]}")),
            ("{\"a\":\"\\\"//\"} // end", Some("{\"a\":\"\\\"//\"}")),
            ("{/**/\"a\":1}", Some("{\"a\":1}")),
            ("{\"a\":\",}\"}", Some("{\"a\":\",}\"}")),
            (
                "{\"a\":1.50,\"b\":12345678901234567890123}",
                Some("{\"a\":1.50,\"b\":12345678901234567890123}"),
            ),
        ] {
            let shown = parse_object(text).unwrap().map(|map| Value::Object(map).to_string());
            assert_eq!(shown.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_its_place() {
        for (text, line) in [
            ("[]", 1),
            ("\"sk-secret\"", 1),
            ("{\"key\":\"sk-secret\"", 1),
            ("{,}", 1),
            ("{\n\"a\" 1}", 2),
            ("/* sk-secret", 1),
            ("{'a':1}", 1),
            ("{a:1}", 1),
            ("{\"a\":0x1}", 1),
            ("{\"a\":1}\n{}", 2),
            (&"[".repeat(100_000), 1),
        ] {
            assert_eq!(parse_object(text).unwrap_err().line, line, "{text:.40}");
        }
    }
}
