//! Values as YAML text.

use super::node::{Entries, Kind, Node, looks_typed};

/// Writes entries as a block mapping, one line each, with flow style inside.
pub(crate) fn write(entries: &Entries) -> Option<String> {
    let mut out = String::new();
    for (key, value) in entries {
        let (key_text, value_text) = (flow(key)?, flow(value)?);
        match key.kind {
            Kind::Scalar { .. } => out += &format!("{key_text}: {value_text}\n"),
            Kind::Alias(_) => out += &format!("{key_text} : {value_text}\n"),
            _ => out += &format!("? {key_text}\n: {value_text}\n"),
        }
    }
    out.truncate(out.trim_end_matches('\n').len());
    Some(out)
}

pub(super) fn flow(node: &Node) -> Option<String> {
    let mut out = String::new();
    if node.anchor != 0 {
        out += &format!("&a{} ", node.anchor);
    }
    match node.tag.as_str() {
        "" => {}
        tag => out += &format!("!<{tag}> "),
    }
    match &node.kind {
        Kind::Alias(id) => out += &format!("*a{id}"),
        Kind::Scalar { text, plain: true, .. } if looks_typed(text) => out += text,
        Kind::Scalar { text, .. } => out += &scalar(text),
        Kind::Sequence(items) => {
            out += &format!("[{}]", items.iter().map(flow).collect::<Option<Vec<_>>>()?.join(", "));
        }
        Kind::Mapping(entries) => {
            let pair = |(key, value): &(Node, Node)| Some(format!("? {} : {}", flow(key)?, flow(value)?));
            out += &format!("{{{}}}", entries.iter().map(pair).collect::<Option<Vec<_>>>()?.join(", "));
        }
    }
    Some(out)
}

/// A string: plain if every YAML reader takes the word for a string, else in double quotes.
pub(crate) fn scalar(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    // At the start of a line three dashes would begin another document.
    if text.chars().all(word) && !looks_typed(text) && !text.starts_with("---") {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            '\r' => out += "\\r",
            '\u{2028}' | '\u{2029}' | '\u{feff}' => out += &format!("\\u{:04x}", u32::from(c)),
            c if c.is_control() => out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out + "\""
}
