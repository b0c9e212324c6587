//! Circles in a graph: Tarjan's strongly connected components.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{self, Display, Formatter};

/// From each node to those that it uses.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// Nodes that all use each other, directly or through others of them.
#[derive(Debug)]
pub struct Circle {
    /// One of the shortest ways back, its start at both ends.
    pub way: Vec<String>,
    /// How many nodes use each other.
    pub size: usize,
}

impl Display for Circle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} use each other)", self.way.join(" -> "), self.size)
    }
}

/// All circles, one for each set of nodes that use each other.
pub fn circles(graph: &Graph) -> Vec<Circle> {
    let mut search = Search::new(graph);
    for node in graph.keys() {
        if !search.index.contains_key(node.as_str()) {
            search.visit(node);
        }
    }
    let several = search.found.iter().filter(|set| set.len() > 1);
    several.map(|set| Circle { way: shortest(graph, set), size: set.len() }).collect()
}

struct Search<'a> {
    graph: &'a Graph,
    index: BTreeMap<&'a str, usize>,
    low: BTreeMap<&'a str, usize>,
    stack: Vec<&'a str>,
    found: Vec<BTreeSet<&'a str>>,
}

impl<'a> Search<'a> {
    fn new(graph: &'a Graph) -> Self {
        Search { graph, index: BTreeMap::new(), low: BTreeMap::new(), stack: Vec::new(), found: Vec::new() }
    }

    fn visit(&mut self, node: &'a str) {
        let index = self.index.len();
        self.index.insert(node, index);
        self.low.insert(node, index);
        self.stack.push(node);
        for next in self.graph.get(node).into_iter().flatten() {
            if !self.index.contains_key(next.as_str()) {
                self.visit(next);
                self.low.insert(node, self.low[node].min(self.low[next.as_str()]));
            } else if self.stack.contains(&next.as_str()) {
                self.low.insert(node, self.low[node].min(self.index[next.as_str()]));
            }
        }
        if self.low[node] == index {
            let place = self.stack.iter().position(|other| *other == node).expect("it was pushed");
            self.found.push(self.stack.split_off(place).into_iter().collect());
        }
    }
}

/// The shortest way from any node of the set back to itself.
fn shortest(graph: &Graph, set: &BTreeSet<&str>) -> Vec<String> {
    let ways = set.iter().filter_map(|start| way_back(graph, set, start));
    ways.min_by_key(Vec::len).expect("each node of a component lies on a circle")
}

fn way_back(graph: &Graph, set: &BTreeSet<&str>, start: &str) -> Option<Vec<String>> {
    let mut from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for next in graph.get(node)?.iter().map(String::as_str).filter(|next| set.contains(next)) {
            if next == start {
                let mut way = vec![start.to_owned(), node.to_owned()];
                let mut last = node;
                while last != start {
                    last = from[last];
                    way.push(last.to_owned());
                }
                way.reverse();
                return Some(way);
            }
            if !from.contains_key(next) {
                from.insert(next, node);
                queue.push_back(next);
            }
        }
    }
    None
}
