//! A document that is one mapping, such as a skill's frontmatter: values, keys, aliases.
//!
//! The text may be hostile. Its size and expansion are bounded, and no alias is followed without a budget.

use std::collections::{HashMap, HashSet};

use super::node::{self, Entries, Kind, MAX_DEPTH, Node, is_null, looks_typed};
use super::write::flow;

/// The largest block that is parsed; a larger one counts as invalid.
const MAX_BYTES: usize = 64 << 10;
/// The most nodes that copies of aliased values may add up to.
const MAX_NODES: usize = 10_000;

/// A document that is one mapping without duplicate keys, and the nodes that its aliases refer to.
pub(crate) struct Document {
    pub(crate) entries: Entries,
    anchors: HashMap<usize, Node>,
}

impl Document {
    /// Parses; `None` for anything else than one mapping, and for what exceeds the bounds.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let Node { kind: Kind::Mapping(entries), .. } = node::parse(text)?? else { return None };
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
