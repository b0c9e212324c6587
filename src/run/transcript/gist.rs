//! What a call of a tool is about, in one line.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::formats::shortened;

/// The fields that say most, the most telling first: the CLIs name them alike.
const FIELDS: [&str; 21] = [
    "command",
    "cmd",
    "file_path",
    "filePath",
    "absolute_path",
    "notebook_path",
    "path",
    "pattern",
    "query",
    "url",
    "skill",
    "description",
    "subject",
    "title",
    "prompt",
    "message",
    "name",
    "code",
    "input",
    "text",
    "id",
];
/// The longest line, in characters.
const LONGEST: usize = 160;

/// The important part of a tool's input: its command, its file, what it looks for; else the beginning of the input itself.
/// Control characters in it are not escaped.
pub fn gist(input: &RawValue) -> String {
    let json = input.get();
    // The values are read only where they are wanted: a whole file may be among them.
    let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(json).unwrap_or_default();
    let telling = FIELDS.iter().find_map(|name| Some(one_line(&text_of(fields.get(*name)?.get())?)));
    telling.unwrap_or_else(|| match json.trim() {
        "{}" | "null" | "\"\"" => String::new(),
        json => one_line(&text_of(json).unwrap_or_else(|| json.to_owned())),
    })
}

/// A string, or a list of strings as they would be typed.
fn text_of(json: &str) -> Option<String> {
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok(),
        b'[' => {
            let items: Vec<Value> = serde_json::from_str(json).ok()?;
            let words: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            words.filter(|words| !words.is_empty()).map(|words| words.join(" "))
        }
        _ => None,
    }
    .filter(|text: &String| !text.trim().is_empty())
}

/// The first line of a text with words in it, and a sign that there is more.
fn one_line(text: &str) -> String {
    let text = text.trim();
    let line = text.lines().next().unwrap_or_default().trim_end();
    match shortened(line, LONGEST) {
        Cow::Borrowed(line) if line.len() < text.len() => format!("{line}…"),
        short => short.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_telling_part_of_an_input_is_found() {
        let long = "x".repeat(300);
        for (input, expected) in [
            (r#"{"description":"List","command":"ls -la"}"#, "ls -la"),
            (r#"{"command":["bash","-lc","make test"],"workdir":"/w"}"#, "bash -lc make test"),
            (r#"{"file_path":"/w/a.rs","content":"fn main() {}\n"}"#, "/w/a.rs"),
            (r#"{"command":"cat <<E\nx\nE"}"#, "cat <<E…"),
            (r#"{"command":"","path":"a"}"#, "a"),
            (r#"{"command":{"a":1},"n":1}"#, r#"{"command":{"a":1},"n":1}"#),
            (r#"{"todos":[{"a":1}]}"#, r#"{"todos":[{"a":1}]}"#),
            (r#"{}"#, ""),
            (r#"null"#, ""),
            (r#""*** Begin Patch\n""#, "*** Begin Patch"),
            (r#"[1,2]"#, "[1,2]"),
            (&format!(r#"{{"command":"{long}"}}"#), &format!("{}…", &long[..159])),
        ] {
            assert_eq!(gist(serde_json::from_str(input).unwrap()), expected, "{input}");
        }
    }
}
