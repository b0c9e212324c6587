//! Sets one value of a user's YAML file and leaves every other byte as it is.
//!
//! The parser gives the positions; the result is parsed again and must differ in that value only, or the edit is refused.

use std::collections::HashMap;

use super::node::{Kind, Node, parse, same, same_node};

/// The texts at `outer.inner`: of a list, or the only one. `None`: the file is not understood.
pub(crate) fn texts(source: &str, outer: &str, inner: &str) -> Option<Vec<String>> {
    let root = parse(source)?;
    let found = root.as_ref().and_then(|root| root.get(outer)?.get(inner));
    Some(match found.map(|node| &node.kind) {
        Some(Kind::Sequence(items)) => {
            items.iter().filter_map(|item| item.text().map(str::to_owned)).collect()
        }
        Some(Kind::Scalar { text, .. }) if !text.is_empty() => vec![text.clone()],
        _ => Vec::new(),
    })
}

/// `source` with `outer.inner` set to a value that is written as JSON, which is YAML. `None`: it is not understood, or
/// cannot be done without touching something else.
pub(crate) fn set(source: &str, outer: &str, inner: &str, value: &serde_json::Value) -> Option<String> {
    let root = parse(source)?;
    let edited = place(source, root.as_ref(), outer, inner, &value.to_string())?;
    let after = parse(&edited)??;
    let expected = parse(&value.to_string());
    let is_set = match expected.flatten() {
        Some(expected) => same_node(after.get(outer)?.get(inner)?, &expected, &mut HashMap::new()),
        None => false,
    };
    let before = root.map_or_else(Vec::new, |root| others(&root, outer, inner));
    let stays = same(before.iter(), others(&after, outer, inner).iter());
    (is_set && stays).then_some(edited)
}

/// `source` with the top-level `key` set to a value that is written as JSON, whatever stood there; `None` as in [`set`].
pub(crate) fn set_whole(source: &str, key: &str, value: &serde_json::Value) -> Option<String> {
    let root = parse(source)?;
    let text: Vec<char> = source.chars().collect();
    let edited = match root.as_ref().and_then(|root| root.entry(key)) {
        None => {
            // A key of its own, found again below.
            let entry = serde_json::json!({});
            let with_one = place(source, root.as_ref(), key, "execenv", &entry.to_string())?;
            return set_whole(&with_one, key, value);
        }
        Some((name, old)) => {
            let end = match colon_behind(&text, name.end) {
                Some(colon) => colon.max(old.end),
                None => return None,
            };
            let mut edited: String = text[..name.end].iter().collect();
            edited.push_str(&format!(": {value}"));
            edited.extend(&text[end..]);
            edited
        }
    };
    let after = parse(&edited)??;
    let expected = parse(&value.to_string()).flatten()?;
    let is_set = same_node(after.get(key)?, &expected, &mut HashMap::new());
    let rest = |root: &Node| {
        let Kind::Mapping(entries) = &root.kind else { return Vec::new() };
        entries.iter().filter(|(name, _)| name.text() != Some(key)).cloned().collect::<Vec<_>>()
    };
    let before = root.as_ref().map_or_else(Vec::new, rest);
    (is_set && same(before.iter(), rest(&after).iter())).then_some(edited)
}

fn place(source: &str, root: Option<&Node>, outer: &str, inner: &str, value: &str) -> Option<String> {
    let text: Vec<char> = source.chars().collect();
    let splice = |from: usize, to: usize, new: &str| {
        let mut edited: String = text[..from].iter().collect();
        edited.push_str(new);
        edited.extend(&text[to..]);
        edited
    };
    let Some(root) = root else {
        let gap = if source.is_empty() || source.ends_with('\n') { "" } else { "\n" };
        return Some(format!("{source}{gap}{outer}:\n  {inner}: {value}\n"));
    };
    let add = |mapping: &Node, entry: &str| -> Option<String> {
        let Kind::Mapping(entries) = &mapping.kind else { return None };
        if text.get(mapping.start) == Some(&'{') {
            let comma = if entries.is_empty() { "" } else { ", " };
            return Some(splice(mapping.start + 1, mapping.start + 1, &format!("{entry}{comma}")));
        }
        // A line of its own before the first key, as deep as that.
        let key = entries.first()?.0.start;
        let line = text[..key].iter().rposition(|c| *c == '\n').map_or(0, |at| at + 1);
        let indent: String = text[line..key].iter().collect();
        indent.trim().is_empty().then(|| splice(line, line, &format!("{indent}{entry}\n")))
    };
    let Some((outer_key, outer_value)) = root.entry(outer) else {
        return add(root, &format!("{outer}: {{{inner}: {value}}}"));
    };
    // A value that is not there stands behind its key's colon.
    let behind = |key: &Node, old: &Node| match &old.kind {
        Kind::Scalar { text: word, plain: true, .. }
            if word.is_empty() || word == "~" && old.start == old.end =>
        {
            colon_behind(&text, key.end)
        }
        _ => Some(old.end.max(key.end)),
    };
    match &outer_value.kind {
        Kind::Mapping(_) => match outer_value.entry(inner) {
            Some((key, old)) => Some(splice(key.end, behind(key, old)?, &format!(": {value}"))),
            None => add(outer_value, &format!("{inner}: {value}")),
        },
        Kind::Scalar { text: word, plain: true, .. }
            if matches!(word.as_str(), "" | "~" | "null" | "Null" | "NULL") =>
        {
            let new = format!(": {{{inner}: {value}}}");
            Some(splice(outer_key.end, behind(outer_key, outer_value)?, &new))
        }
        _ => None,
    }
}

/// Behind the colon that follows a key without a value.
fn colon_behind(text: &[char], from: usize) -> Option<usize> {
    let colon = text[from..].iter().position(|c| !c.is_whitespace())? + from;
    (text[colon] == ':').then_some(colon + 1)
}

/// Every entry but the one in question, which is looked into: `outer` without `inner`.
fn others(root: &Node, outer: &str, inner: &str) -> Vec<(Node, Node)> {
    let Kind::Mapping(entries) = &root.kind else { return Vec::new() };
    let mut found = Vec::new();
    for (key, value) in entries {
        if key.text() != Some(outer) {
            found.push((key.clone(), value.clone()));
        } else if let Kind::Mapping(below) = &value.kind {
            found.extend(below.iter().filter(|(key, _)| key.text() != Some(inner)).cloned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn dirs(source: &str) -> Option<String> {
        set(source, "skills", "external_dirs", &json!(["/a", "/b"]))
    }

    #[test]
    fn one_value_changes_and_every_other_byte_stays() {
        let new = r#"["/a","/b"]"#;
        for (source, expected) in [
            ("", format!("skills:\n  external_dirs: {new}\n")),
            ("# only a comment", format!("# only a comment\nskills:\n  external_dirs: {new}\n")),
            ("model: x # mine\n", format!("skills: {{external_dirs: {new}}}\nmodel: x # mine\n")),
            (
                "---\n# c\nmodel: x\n...\n",
                format!("---\n# c\nskills: {{external_dirs: {new}}}\nmodel: x\n...\n"),
            ),
            (
                "skills:\n  other: 1\n  external_dirs:\n    - ~/x\n    # gone\n    - y  # kept\n\n# tail\nmodel: x\n",
                format!("skills:\n  other: 1\n  external_dirs: {new}  # kept\n\n# tail\nmodel: x\n"),
            ),
            (
                "skills:\n    other: [1, 2]\n",
                format!("skills:\n    external_dirs: {new}\n    other: [1, 2]\n"),
            ),
            ("skills:\n  external_dirs: []\nz: 1\n", format!("skills:\n  external_dirs: {new}\nz: 1\n")),
            ("skills:\n  external_dirs:\nz: 1\n", format!("skills:\n  external_dirs: {new}\nz: 1\n")),
            ("skills:\nz: 1\n", format!("skills: {{external_dirs: {new}}}\nz: 1\n")),
            ("skills: ~\nz: 1\n", format!("skills: {{external_dirs: {new}}}\nz: 1\n")),
            ("skills: {a: 1}\n", format!("skills: {{external_dirs: {new}, a: 1}}\n")),
            ("skills: {external_dirs: [x], a: 1}\n", format!("skills: {{external_dirs: {new}, a: 1}}\n")),
            ("{model: x}", format!("{{skills: {{external_dirs: {new}}}, model: x}}")),
            ("\"skills\":\n  'external_dirs': x\n", format!("\"skills\":\n  'external_dirs': {new}\n")),
            ("a: |\n  skills:\n   - x\nskills:\n- 1\n", String::new()),
            (
                "ü: \"grüße\"\nskills:\n  external_dirs: >\n    folded\n    text\n\nz: 1\n",
                format!("ü: \"grüße\"\nskills:\n  external_dirs: {new}\n\nz: 1\n"),
            ),
        ] {
            let edited = dirs(source).unwrap_or_default();
            assert_eq!(edited, expected, "{source:?}");
        }
    }

    #[test]
    fn a_whole_value_is_replaced_whatever_it_was() {
        let new = r#"{"a":{"command":"x"}}"#;
        for (source, expected) in [
            ("m: 1\ns:\n  u:\n    command: y # c\n  v: {}\nz: 1\n", format!("m: 1\ns: {new}\nz: 1\n")),
            ("s: {u: {command: y}}\nz: 1 # mine\n", format!("s: {new}\nz: 1 # mine\n")),
            ("s: []\nz: 1\n", format!("s: {new}\nz: 1\n")),
            ("s:\nz: 1\n", format!("s: {new}\nz: 1\n")),
            ("s: ~\nz: 1\n", format!("s: {new}\nz: 1\n")),
            ("z: 1\n", format!("s: {new}\nz: 1\n")),
            ("", format!("s: {new}\n")),
            ("s: &x {}\nz: *x\n", String::new()),
            ("- a\n", String::new()),
        ] {
            let edited = set_whole(source, "s", &json!({"a": {"command": "x"}}));
            assert_eq!(edited.unwrap_or_default(), expected, "{source:?}");
        }
    }

    #[test]
    fn an_unproven_change_is_not_made() {
        for source in [
            "skills: [\n",
            "- a\n",
            "a: 1\n---\nb: 2\n",
            "skills: text\n",
            "skills: *gone\n",
            "skills:\n  external_dirs: &d [x]\nother: *d\n",
            "x\0y: 1\n",
        ] {
            assert_eq!(dirs(source), None, "{source:?}");
        }
    }

    #[test]
    fn the_texts_of_a_list_or_one() {
        for (source, expected) in [
            ("skills:\n  external_dirs: [a, \"b\"]\n", Some(vec!["a", "b"])),
            ("skills:\n  external_dirs: a\n", Some(vec!["a"])),
            ("skills: 1\n", Some(vec![])),
            ("", Some(vec![])),
            ("a: [", None),
        ] {
            let found = texts(source, "skills", "external_dirs");
            assert_eq!(
                found,
                expected.map(|list| list.into_iter().map(str::to_owned).collect()),
                "{source:?}"
            );
        }
    }
}
