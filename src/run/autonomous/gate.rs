//! The completion gate: the block by which an agent says that it is done, or what is left.
//!
//! ```text
//! <COMPLETION_GATE>
//! ready: false
//! reason: "two tests still fail"
//! progress: "parser done"
//! blockers: ["test_a", "test_b"]
//! </COMPLETION_GATE>
//! ```
//!
//! The body is a JSON object, or lines of `key: value`. Values may be quoted; `blockers` is one text, a list in brackets, or lines
//! that begin with `-` below the key. makima's agents print the same block. It is looked for in what the model wrote, never in the
//! lines of its CLI: there the block is escaped, and a tool's result that quotes it would count.

use serde_json::Value;

const BEGIN: &str = "<COMPLETION_GATE>";
const END: &str = "</COMPLETION_GATE>";

/// What a gate says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gate {
    /// Everything is done.
    pub(super) ready: bool,
    /// Why, or why not.
    pub(super) reason: Option<String>,
    /// What is new.
    pub(super) progress: Option<String>,
    /// What keeps the agent from going on.
    pub(super) blockers: Vec<String>,
}

impl Gate {
    /// The last gate in a text: the last beginning that has an end after it.
    pub(super) fn last(text: &str) -> Option<Gate> {
        let end = text.rfind(END)?;
        let begin = text[..end].rfind(BEGIN)? + BEGIN.len();
        let body = &text[begin..];
        Some(Gate::parse(&body[..body.find(END)?]))
    }

    fn parse(body: &str) -> Gate {
        if body.trim_start().starts_with('{')
            && let Some(gate) = Gate::of_json(body)
        {
            return gate;
        }
        Gate::of_lines(body).unwrap_or_else(|| Gate {
            reason: Some("the block cannot be read: it has no `ready`".into()),
            ..Gate::default()
        })
    }

    /// `None`: it is no object with a boolean `ready`.
    fn of_json(body: &str) -> Option<Gate> {
        let object: Value = serde_json::from_str(body.trim()).ok()?;
        let text = |key: &str| object[key].as_str().map(str::to_owned);
        let blockers = match &object["blockers"] {
            Value::Array(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
            Value::String(one) if !one.trim().is_empty() => vec![one.clone()],
            _ => Vec::new(),
        };
        let ready = object["ready"].as_bool()?;
        Some(Gate { ready, reason: text("reason"), progress: text("progress"), blockers })
    }

    /// `None`: no line has the key `ready`.
    fn of_lines(body: &str) -> Option<Gate> {
        let mut gate = Gate::default();
        let (mut has_ready, mut in_list) = (false, false);
        for line in body.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if in_list && let Some(item) = line.strip_prefix('-') {
                gate.blockers.extend(unquoted(item));
                continue;
            }
            let Some((key, value)) = line.split_once(':') else { continue };
            let key = key.trim().to_ascii_lowercase();
            in_list = key == "blockers" && value.trim().is_empty();
            match key.as_str() {
                "ready" => {
                    has_ready = true;
                    let word = unquoted(value).unwrap_or_default().to_ascii_lowercase();
                    gate.ready = ["true", "yes", "1"].contains(&word.as_str());
                }
                "reason" => gate.reason = unquoted(value),
                "progress" => gate.progress = unquoted(value),
                "blockers" => gate.blockers = list(value),
                _ => {}
            }
        }
        has_ready.then_some(gate)
    }
}

/// A list in brackets, or one text.
fn list(value: &str) -> Vec<String> {
    let value = value.trim();
    let Some(inside) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return unquoted(value).into_iter().collect();
    };
    let (mut items, mut item, mut quote) = (Vec::new(), String::new(), None);
    for c in inside.chars() {
        match (quote, c) {
            (None, ',') => items.push(std::mem::take(&mut item)),
            (None, '"' | '\'') if item.trim().is_empty() => {
                quote = Some(c);
                item.push(c);
            }
            (Some(open), _) if open == c => {
                quote = None;
                item.push(c);
            }
            _ => item.push(c),
        }
    }
    items.push(item);
    items.iter().filter_map(|item| unquoted(item)).collect()
}

/// A value without its quotes; `None`: it is empty.
fn unquoted(value: &str) -> Option<String> {
    let value = value.trim();
    let inside = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    Some(inside.unwrap_or(value).to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(ready: bool, reason: &str, progress: &str, blockers: &[&str]) -> Gate {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let blockers = blockers.iter().map(|text| (*text).to_owned()).collect();
        Gate { ready, reason: some(reason), progress: some(progress), blockers }
    }

    #[test]
    fn every_form_is_read() {
        let unreadable = "the block cannot be read: it has no `ready`";
        let cases = [
            (r#"{"ready": true, "reason": "all \"done\"", "extra": 1}"#, gate(true, "all \"done\"", "", &[])),
            (r#"{"ready": false, "blockers": ["a", "b"]}"#, gate(false, "", "", &["a", "b"])),
            (r#"{"ready": false, "blockers": "a"}"#, gate(false, "", "", &["a"])),
            (r#"{"ready": "true"}"#, gate(false, unreadable, "", &[])),
            ("{ready: true}", gate(false, unreadable, "", &[])),
            ("ready: true", gate(true, "", "", &[])),
            ("  Ready :  YES \n\n REASON: 'all: done'\nother: x", gate(true, "all: done", "", &[])),
            ("ready: 1", gate(true, "", "", &[])),
            ("ready: soon\nprogress: half", gate(false, "", "half", &[])),
            (
                "ready: false\nblockers: [\"one, two\", three, 'it''s']",
                gate(false, "", "", &["one, two", "three", "it''s"]),
            ),
            ("ready: false\nblockers:\n  - \"a: b\"\n  - c\nreason: r", gate(false, "r", "", &["a: b", "c"])),
            ("ready: false\nblockers: only one", gate(false, "", "", &["only one"])),
            ("reason: none", gate(false, unreadable, "", &[])),
            ("", gate(false, unreadable, "", &[])),
        ];
        for (body, expected) in cases {
            let text = format!("words\n{BEGIN}\n{body}\n{END} more");
            assert_eq!(Gate::last(&text), Some(expected), "{body}");
        }
    }

    #[test]
    fn the_last_block_that_is_whole_counts() {
        let block = |ready: &str| format!("{BEGIN}ready: {ready}{END}");
        let ready = |text: &str| Gate::last(text).map(|gate| gate.ready);
        assert_eq!(ready("none"), None);
        assert_eq!(ready(BEGIN), None);
        assert_eq!(ready(&format!("{END} {BEGIN}")), None);
        assert_eq!(ready(&format!("{} {}", block("true"), block("false"))), Some(false));
        assert_eq!(ready(&format!("{} {BEGIN} ready: false", block("true"))), Some(true));
        assert_eq!(ready(&format!("{BEGIN} {}", block("true"))), Some(true));
        assert_eq!(ready("<completion_gate>ready: true</completion_gate>"), None);
        // In the raw line of a CLI the quotes are escaped: such a block is none of lines, nor JSON.
        assert_eq!(ready(&format!(r#"{BEGIN}\n{{\"ready\": true}}\n{END}"#)), Some(false));
    }
}
