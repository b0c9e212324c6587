//! The input of a tool in one line.

use serde_json::Value;
use serde_json::value::RawValue;

use super::claim::Claim;

/// The longest line, in bytes.
const MOST: usize = 200;
/// An input that is longer is not looked into.
const LOOKED_INTO: usize = 1 << 20;
/// The fields that say most, as agents' tools call them; the first one that is there.
const FIELDS: [&str; 14] = [
    "command",
    "cmd",
    "file_path",
    "filePath",
    "path",
    "pattern",
    "query",
    "url",
    "description",
    "subject",
    "prompt",
    "name",
    "title",
    "id",
];

/// What says most in an input.
pub(super) fn summary(input: &RawValue) -> Claim {
    if input.get().len() > LOOKED_INTO {
        return Claim::default();
    }
    let text = match serde_json::from_str(input.get()) {
        Ok(Value::Object(fields)) if fields.is_empty() => String::new(),
        Ok(Value::Object(fields)) => {
            let known = FIELDS.iter().find_map(|name| fields.get(*name).map(line));
            known.unwrap_or_else(|| input.get().to_owned())
        }
        Ok(Value::Null) => String::new(),
        Ok(other) => line(&other),
        Err(_) => String::new(),
    };
    Claim::beginning(&text.split_whitespace().collect::<Vec<_>>().join(" "), MOST)
}

fn line(value: &Value) -> String {
    match value {
        Value::String(text) => crate::protocol::prefix(text, 4 * MOST).to_owned(),
        Value::Array(words) if words.iter().all(Value::is_string) => {
            words.iter().filter_map(Value::as_str).take(40).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_that_says_most() {
        for (input, expected) in [
            (r#"{"description":"d","command":"cargo test\n  --all"}"#, "cargo test --all"),
            (r#"{"file_path":"/a b"}"#, "/a b"),
            (r#"{"command":["bash","-lc","ls"]}"#, "bash -lc ls"),
            (r#"{"x":1}"#, r#"{"x":1}"#),
            ("{}", ""),
            ("null", ""),
            (r#""text""#, "text"),
        ] {
            assert_eq!(summary(serde_json::from_str(input).unwrap()), Claim::new(expected), "{input}");
        }
        let long = format!(r#"{{"command":"{}"}}"#, "x".repeat(1000));
        assert_eq!(summary(serde_json::from_str(&long).unwrap()).len(), MOST);
    }
}
