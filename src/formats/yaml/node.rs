//! The values of a YAML text, with their positions.
//!
//! saphyr-parser gives events; the tree is built here because no crate keeps positions, anchors, tags and duplicate keys
//! in one. The text may be hostile: its depth is bounded, and with it every recursion.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

/// The deepest nesting that is parsed.
pub(super) const MAX_DEPTH: usize = 64;

/// A mapping's entries, in order.
pub(crate) type Entries = Vec<(Node, Node)>;

/// A value with its position.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// 0: none. Aliases refer to it.
    pub(super) anchor: usize,
    pub(super) tag: String,
    /// In characters, from the start of the text.
    pub(crate) start: usize,
    /// Behind its last character; of a block collection, behind its last child's.
    pub(crate) end: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Scalar { text: String, plain: bool, block: bool },
    Sequence(Vec<Node>),
    Mapping(Entries),
    Alias(usize),
}

impl Node {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, anchor: 0, tag: String::new(), start: 0, end: 0 }
    }

    /// A scalar that is written plain, or quoted where that would not read as a string.
    pub(crate) fn string(text: &str) -> Self {
        Self::new(Kind::Scalar { text: text.to_owned(), plain: false, block: false })
    }

    /// The entry of a mapping's key.
    pub(super) fn entry(&self, name: &str) -> Option<&(Node, Node)> {
        let Kind::Mapping(entries) = &self.kind else { return None };
        // Of two with one key, readers take the last.
        entries.iter().rev().find(|(key, _)| key.text() == Some(name))
    }

    /// The value of a mapping's key.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|(_, value)| value)
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// The one document; `Some(None)` for an empty one. `None`: not YAML, several documents, or too deep.
pub(super) fn parse(source: &str) -> Option<Option<Node>> {
    // The parser takes NUL for the end and would not see the rest.
    if source.contains('\0') {
        return None;
    }
    let text: Vec<char> = source.chars().collect();
    let mut open: Vec<(Node, Option<Node>)> = Vec::new();
    let mut roots = Vec::new();
    for event in Parser::new_from_str(source) {
        let (event, span) = event.ok()?;
        // The parser counts a missing last line end as if it were there.
        let place_of = |mark: usize| mark.min(text.len());
        let (start, end) = (place_of(span.start.index()), place_of(span.end.index()));
        let place = |kind| Node { start, end, ..Node::new(kind) };
        let collection =
            |kind, anchor, tag: Option<&Tag>| Node { anchor, tag: tag_text(tag), end: start, ..place(kind) };
        let node = match event {
            Event::MappingStart(anchor, tag) => {
                open.push((collection(Kind::Mapping(Vec::new()), anchor, tag.as_deref()), None));
                (open.len() <= MAX_DEPTH).then_some(())?;
                continue;
            }
            Event::SequenceStart(anchor, tag) => {
                open.push((collection(Kind::Sequence(Vec::new()), anchor, tag.as_deref()), None));
                (open.len() <= MAX_DEPTH).then_some(())?;
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => {
                let (mut node, _) = open.pop()?;
                if matches!(text.get(node.start), Some('{' | '[')) {
                    node.end = end; // a flow collection ends with its bracket
                }
                node
            }
            Event::Scalar(value, style, anchor, tag) => {
                // The end that the parser gives a block scalar lies behind the blank lines that follow it.
                let blank = text[start.min(end)..end].iter().rev().take_while(|c| c.is_whitespace()).count();
                let (plain, block) = (
                    style == ScalarStyle::Plain,
                    matches!(style, ScalarStyle::Literal | ScalarStyle::Folded),
                );
                let kind = Kind::Scalar { text: value.into_owned(), plain, block };
                Node { anchor, tag: tag_text(tag.as_deref()), end: end - blank, ..place(kind) }
            }
            Event::Alias(id) => place(Kind::Alias(id)),
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
            Node { kind: Kind::Scalar { text, plain: true, .. }, .. } if text.is_empty() || text == "~" => {
                Some(None)
            }
            root => Some(Some(root)),
        },
        _ => None,
    }
}

fn tag_text(tag: Option<&Tag>) -> String {
    tag.map(|tag| format!("{}{}", tag.handle, tag.suffix)).unwrap_or_default()
}

/// Whether two lists of entries mean the same, anchors counted by where they stand.
pub(crate) fn same<'a>(
    left: impl ExactSizeIterator<Item = &'a (Node, Node)>,
    right: impl ExactSizeIterator<Item = &'a (Node, Node)>,
) -> bool {
    let mut pairs = HashMap::new();
    left.len() == right.len()
        && left
            .zip(right)
            .all(|(a, b)| same_node(&a.0, &b.0, &mut pairs) && same_node(&a.1, &b.1, &mut pairs))
}

pub(super) fn same_node(a: &Node, b: &Node, pairs: &mut HashMap<usize, usize>) -> bool {
    if (a.anchor == 0) != (b.anchor == 0) || a.tag != b.tag {
        return false;
    }
    pairs.insert(a.anchor, b.anchor);
    match (&a.kind, &b.kind) {
        (Kind::Alias(a), Kind::Alias(b)) => pairs.get(a) == Some(b),
        (Kind::Scalar { text: a, plain: x, .. }, Kind::Scalar { text: b, plain: y, .. }) => {
            a == b && (x == y || !looks_typed(a))
        }
        (Kind::Sequence(a), Kind::Sequence(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_node(a, b, pairs))
        }
        (Kind::Mapping(a), Kind::Mapping(b)) => {
            let same = |(a, b): (&(Node, Node), &(Node, Node)), pairs: &mut _| {
                same_node(&a.0, &b.0, pairs) && same_node(&a.1, &b.1, pairs)
            };
            a.len() == b.len() && a.iter().zip(b).all(|both| same(both, pairs))
        }
        _ => false,
    }
}

pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Whether some reader takes the plain text for something else than a string: null, bool, number, date.
pub(crate) fn looks_typed(text: &str) -> bool {
    const WORDS: &[&str] = &["true", "false", "yes", "no", "on", "off", "y", "n", "<<", "="];
    is_null(text)
        || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        || (text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
            && !text.starts_with("---")
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:+- ".contains(&b)))
}
