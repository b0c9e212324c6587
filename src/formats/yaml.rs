//! Just enough YAML for a skill's frontmatter: parse, compare, write.
//!
//! The text is hostile. Its size, depth and expansion are bounded, nothing follows an alias without a budget,
//! and what is written is trusted only after it has been parsed again and compared.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, Tag};

/// The largest block that is parsed; a larger one counts as invalid.
const MAX_BYTES: usize = 64 << 10;
/// The deepest nesting, which also bounds every recursion here.
const MAX_DEPTH: usize = 64;
/// The most nodes that copies of aliased values may add up to.
const MAX_NODES: usize = 10_000;

/// A mapping's entries, in order.
pub(crate) type Entries = Vec<(Node, Node)>;

/// A value with its position.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// 0: none. Aliases refer to it.
    anchor: usize,
    tag: String,
    /// In characters, from the start of the text.
    pub(crate) start: usize,
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
    fn new(kind: Kind) -> Self {
        Self { kind, anchor: 0, tag: String::new(), start: 0, end: 0 }
    }

    /// A scalar that is written plain, or quoted where that would not read as a string.
    pub(crate) fn string(text: &str) -> Self {
        Self::new(Kind::Scalar { text: text.to_owned(), plain: false, block: false })
    }
}

/// A document that is one mapping without duplicate keys, and the nodes that its aliases refer to.
pub(crate) struct Document {
    pub(crate) entries: Entries,
    anchors: HashMap<usize, Node>,
}

impl Document {
    /// Parses; `None` for anything else than one mapping, and for what exceeds the bounds.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // The parser takes NUL for the end and would not see the rest.
        if text.len() > MAX_BYTES || text.contains('\0') {
            return None;
        }
        let mut open: Vec<Node> = Vec::new();
        let mut roots = Vec::new();
        for event in Parser::new_from_str(text) {
            let (event, span) = event.ok()?;
            let mut node = match event {
                Event::MappingStart(anchor, tag) => {
                    let kind = Kind::Mapping(Vec::new());
                    open.push(Node {
                        anchor,
                        tag: tag_text(tag.as_deref()),
                        start: span.start.index(),
                        ..Node::new(kind)
                    });
                    (open.len() <= MAX_DEPTH).then_some(())?;
                    continue;
                }
                Event::SequenceStart(anchor, tag) => {
                    let kind = Kind::Sequence(Vec::new());
                    open.push(Node {
                        anchor,
                        tag: tag_text(tag.as_deref()),
                        start: span.start.index(),
                        ..Node::new(kind)
                    });
                    (open.len() <= MAX_DEPTH).then_some(())?;
                    continue;
                }
                Event::MappingEnd | Event::SequenceEnd => open.pop()?,
                Event::Scalar(text, style, anchor, tag) => {
                    use saphyr_parser::ScalarStyle::{Folded, Literal, Plain};
                    let (plain, block) = (style == Plain, matches!(style, Literal | Folded));
                    let kind = Kind::Scalar { text: text.into_owned(), plain, block };
                    Node {
                        anchor,
                        tag: tag_text(tag.as_deref()),
                        start: span.start.index(),
                        ..Node::new(kind)
                    }
                }
                Event::Alias(id) => Node { start: span.start.index(), ..Node::new(Kind::Alias(id)) },
                _ => continue,
            };
            node.end = span.end.index();
            match open.last_mut().map(|parent| &mut parent.kind) {
                None => roots.push(node),
                Some(Kind::Sequence(items)) => items.push(node),
                // A key waits beside a placeholder for its value.
                Some(Kind::Mapping(entries)) => match entries.last_mut() {
                    Some((_, value)) if matches!(value.kind, Kind::Alias(0)) => *value = node,
                    _ => entries.push((node, Node::new(Kind::Alias(0)))),
                },
                Some(_) => return None,
            }
        }
        let [Node { kind: Kind::Mapping(entries), .. }] = <[Node; 1]>::try_from(roots).ok()? else {
            return None;
        };
        let mut anchors = HashMap::new();
        let mut budget = MAX_NODES;
        for (key, value) in &entries {
            collect_anchors(key, &mut anchors, &mut budget)?;
            collect_anchors(value, &mut anchors, &mut budget)?;
        }
        let document = Self { entries, anchors };
        document.has_unique_keys(&document.entries).then_some(document)
    }

    /// The value of a top-level key, an alias followed.
    pub(crate) fn value(&self, key: &str) -> Option<&Node> {
        self.position(key).map(|at| self.follow(&self.entries[at].1))
    }

    /// Where a top-level key stands.
    pub(crate) fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|(node, _)| self.is_string(node, key))
    }

    fn is_string(&self, node: &Node, expected: &str) -> bool {
        matches!(&self.follow(node).kind, Kind::Scalar { text, .. } if text == expected)
    }

    fn follow<'a>(&'a self, node: &'a Node) -> &'a Node {
        match node.kind {
            Kind::Alias(id) => self.anchors.get(&id).unwrap_or(node),
            _ => node,
        }
    }

    fn has_unique_keys(&self, entries: &Entries) -> bool {
        let mut seen = HashSet::new();
        entries.iter().all(|(key, value)| {
            let target = self.follow(key);
            let fresh = match &target.kind {
                Kind::Scalar { text, plain, .. } => seen.insert((text.clone(), *plain && looks_typed(text))),
                // No tool reads these as frontmatter keys; their text is compared.
                _ => seen.insert((flow(target).unwrap_or_default(), true)),
            };
            fresh && self.keys_within(key) && self.keys_within(value)
        })
    }

    fn keys_within(&self, node: &Node) -> bool {
        match &node.kind {
            Kind::Sequence(items) => items.iter().all(|item| self.keys_within(item)),
            Kind::Mapping(entries) => self.has_unique_keys(entries),
            _ => true,
        }
    }

    /// The entries with the value of `key` set, and every alias of what its old value anchored replaced by a
    /// copy. `None` when the copies would grow out of bounds.
    pub(crate) fn with_value(&self, key: &str, new: &str) -> Option<Entries> {
        let (mut lost, mut budget) = (HashMap::new(), MAX_NODES);
        let at = self.position(key);
        if let Some(at) = at {
            let (key, value) = &self.entries[at];
            collect_anchors(key, &mut lost, &mut budget)?;
            collect_anchors(value, &mut lost, &mut budget)?;
        }
        let mut budget = MAX_NODES;
        let mut entries = Vec::new();
        if at.is_none() {
            entries.push((Node::string(key), Node::string(new)));
        }
        for (n, (k, v)) in self.entries.iter().enumerate() {
            entries.push(if Some(n) == at {
                (Node::string(key), Node::string(new))
            } else {
                (expand(k, &lost, 0, &mut budget)?, expand(v, &lost, 0, &mut budget)?)
            });
        }
        Some(entries)
    }

    /// A value as compact JSON, or the text of a scalar. `None` when it would grow out of bounds.
    pub(crate) fn text_of(&self, node: &Node) -> Option<String> {
        match &self.follow(node).kind {
            Kind::Scalar { text, plain: true, .. } if is_null(text) => Some(String::new()),
            Kind::Scalar { text, .. } => Some(text.clone()),
            _ => {
                let expanded = expand(self.follow(node), &self.anchors, 0, &mut MAX_NODES.clone())?;
                Some(json(&expanded).to_string())
            }
        }
    }
}

fn tag_text(tag: Option<&Tag>) -> String {
    tag.map(|tag| format!("{}{}", tag.handle, tag.suffix)).unwrap_or_default()
}

/// Notes every anchored node; `None` when the notes would grow out of bounds (anchors nest, and each keeps a copy).
fn collect_anchors(node: &Node, anchors: &mut HashMap<usize, Node>, budget: &mut usize) -> Option<()> {
    if node.anchor != 0 {
        *budget = budget.checked_sub(count(node))?;
        anchors.insert(node.anchor, node.clone());
    }
    match &node.kind {
        Kind::Sequence(items) => items.iter().try_for_each(|item| collect_anchors(item, anchors, budget)),
        Kind::Mapping(entries) => entries.iter().try_for_each(|(key, value)| {
            collect_anchors(key, anchors, budget)?;
            collect_anchors(value, anchors, budget)
        }),
        _ => Some(()),
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.kind {
        // A long text is as dear as many nodes.
        Kind::Scalar { text, .. } => text.len() / 64,
        Kind::Sequence(items) => items.iter().map(count).sum(),
        Kind::Mapping(entries) => entries.iter().map(|(key, value)| count(key) + count(value)).sum(),
        Kind::Alias(_) => 0,
    }
}

/// A copy in which aliases of `lost` nodes are their values; those anchors go.
fn expand(node: &Node, lost: &HashMap<usize, Node>, depth: usize, budget: &mut usize) -> Option<Node> {
    if let Kind::Alias(id) = node.kind
        && let Some(target) = lost.get(&id)
    {
        return (depth < MAX_DEPTH).then(|| expand(target, lost, depth + 1, budget))?;
    }
    let cost = if let Kind::Scalar { text, .. } = &node.kind { 1 + text.len() / 64 } else { 1 };
    *budget = budget.checked_sub(cost)?;
    (depth <= MAX_DEPTH).then_some(())?;
    let kind = match &node.kind {
        Kind::Sequence(items) => Kind::Sequence(
            items.iter().map(|item| expand(item, lost, depth + 1, budget)).collect::<Option<_>>()?,
        ),
        Kind::Mapping(entries) => {
            let mut copies = Vec::new();
            for (key, value) in entries {
                copies.push((expand(key, lost, depth + 1, budget)?, expand(value, lost, depth + 1, budget)?));
            }
            Kind::Mapping(copies)
        }
        other => other.clone(),
    };
    let anchor = if lost.contains_key(&node.anchor) { 0 } else { node.anchor };
    Some(Node { kind, anchor, tag: node.tag.clone(), start: node.start, end: node.end })
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

fn same_node(a: &Node, b: &Node, pairs: &mut HashMap<usize, usize>) -> bool {
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

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Whether some reader takes the plain text for something else than a string: null, bool, number, date.
pub(crate) fn looks_typed(text: &str) -> bool {
    const WORDS: &[&str] = &["true", "false", "yes", "no", "on", "off", "y", "n", "<<", "="];
    is_null(text)
        || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        || (text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:+- ".contains(&b)))
}

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

fn flow(node: &Node) -> Option<String> {
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

/// A string: plain if it is a word that nobody could misread, else in double quotes.
pub(crate) fn scalar(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if text.chars().all(word) && !looks_typed(text) {
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

fn json(node: &Node) -> serde_json::Value {
    use serde_json::Value;
    match &node.kind {
        Kind::Scalar { text, plain: true, .. } if is_null(text) => Value::Null,
        Kind::Scalar { text, plain: true, .. } if text.eq_ignore_ascii_case("true") => true.into(),
        Kind::Scalar { text, plain: true, .. } if text.eq_ignore_ascii_case("false") => false.into(),
        Kind::Scalar { text, plain: true, .. } => match text.parse::<serde_json::Number>() {
            Ok(number) => Value::Number(number),
            Err(_) => text.clone().into(),
        },
        Kind::Scalar { text, .. } => text.clone().into(),
        Kind::Alias(_) => Value::Null,
        Kind::Sequence(items) => items.iter().map(json).collect::<Vec<_>>().into(),
        Kind::Mapping(entries) => {
            let pair = |(key, value): &(Node, Node)| match &key.kind {
                Kind::Scalar { text, .. } => (text.clone(), json(value)),
                _ => (json(key).to_string(), json(value)),
            };
            Value::Object(entries.iter().map(pair).collect())
        }
    }
}
