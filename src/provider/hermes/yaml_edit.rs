//! Sets one value of a user's YAML file and leaves every other byte as it is.
//!
//! The parser says where things stand; what was written is parsed again and must differ in that value only. What
//! cannot be proven so is not done.

use saphyr_parser::{Event, Parser, ScalarStyle};

/// The deepest nesting that is understood, which bounds the recursions.
const MAX_DEPTH: usize = 100;

/// A value, with where it stands in characters.
#[derive(Clone, Debug)]
struct Node {
    kind: Kind,
    start: usize,
    /// Behind its last character of its own; for a block collection, of its last child's.
    end: usize,
}

#[derive(Clone, Debug)]
enum Kind {
    Scalar { text: String, plain: bool },
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
    Alias(usize),
}

/// The texts at `outer.inner`: of a list, or the only one. `None`: the file is not understood.
pub(super) fn texts(source: &str, outer: &str, inner: &str) -> Option<Vec<String>> {
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
pub(super) fn set(source: &str, outer: &str, inner: &str, value: &serde_json::Value) -> Option<String> {
    let root = parse(source)?;
    let edited = place(source, root.as_ref(), outer, inner, &value.to_string())?;
    let after = parse(&edited)??;
    let expected = parse(&value.to_string());
    let is_set = match expected.flatten() {
        Some(expected) => same(after.get(outer)?.get(inner)?, &expected),
        None => false,
    };
    let before = root.map_or_else(Vec::new, |root| others(&root, outer, inner));
    let stays = same_pairs(&before, &others(&after, outer, inner));
    (is_set && stays).then_some(edited)
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
        Kind::Scalar { text: word, plain: true }
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
        Kind::Scalar { text: word, plain: true }
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

impl Node {
    fn entry(&self, name: &str) -> Option<&(Node, Node)> {
        let Kind::Mapping(entries) = &self.kind else { return None };
        // Of two with one key, readers take the last.
        entries.iter().rev().find(|(key, _)| key.text() == Some(name))
    }

    fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|(_, value)| value)
    }

    fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }
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

fn same_pairs(one: &[(Node, Node)], other: &[(Node, Node)]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| same(&one.0, &other.0) && same(&one.1, &other.1))
}

fn same(one: &Node, other: &Node) -> bool {
    match (&one.kind, &other.kind) {
        (Kind::Scalar { text: a, plain: p }, Kind::Scalar { text: b, plain: q }) => a == b && p == q,
        (Kind::Sequence(a), Kind::Sequence(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(one, other)| same(one, other))
        }
        (Kind::Mapping(a), Kind::Mapping(b)) => same_pairs(a, b),
        (Kind::Alias(a), Kind::Alias(b)) => a == b,
        _ => false,
    }
}

/// The one document; `Some(None)` for an empty one. `None`: not YAML, several documents, or too deep.
fn parse(source: &str) -> Option<Option<Node>> {
    if source.contains('\0') {
        return None;
    }
    let text: Vec<char> = source.chars().collect();
    let mut open: Vec<(Node, Option<Node>)> = Vec::new();
    let mut roots = Vec::new();
    for event in Parser::new_from_str(source) {
        let (event, span) = event.ok()?;
        let (start, end) = (span.start.index(), span.end.index());
        let node = match event {
            Event::MappingStart(..) => {
                open.push((Node { kind: Kind::Mapping(Vec::new()), start, end: start }, None));
                (open.len() <= MAX_DEPTH).then_some(())?;
                continue;
            }
            Event::SequenceStart(..) => {
                open.push((Node { kind: Kind::Sequence(Vec::new()), start, end: start }, None));
                (open.len() <= MAX_DEPTH).then_some(())?;
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => {
                let (mut node, _) = open.pop()?;
                if matches!(text.get(node.start), Some('{' | '[')) {
                    node.end = end; // a flow collection ends with its bracket; a block one with its last child
                }
                node
            }
            Event::Scalar(value, style, ..) => {
                // A block scalar's end is behind blank lines that are nobody's.
                let blank = text[start.min(end)..end].iter().rev().take_while(|c| c.is_whitespace()).count();
                let kind = Kind::Scalar { text: value.into_owned(), plain: style == ScalarStyle::Plain };
                Node { kind, start, end: end - blank }
            }
            Event::Alias(id) => Node { kind: Kind::Alias(id), start, end },
            _ => continue,
        };
        match open.last_mut() {
            None => roots.push(node),
            Some((parent, waiting)) => {
                parent.end = parent.end.max(node.end);
                match &mut parent.kind {
                    Kind::Sequence(items) => items.push(node),
                    Kind::Mapping(entries) => match waiting.take() {
                        Some(key) => entries.push((key, node)),
                        None => *waiting = Some(node),
                    },
                    _ => return None,
                }
            }
        }
    }
    match roots.len() {
        0 => Some(None),
        1 => match roots.pop()? {
            Node { kind: Kind::Scalar { text, plain: true }, .. } if text.is_empty() || text == "~" => {
                Some(None)
            }
            root => Some(Some(root)),
        },
        _ => None,
    }
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
    fn what_cannot_be_proven_is_not_done() {
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
