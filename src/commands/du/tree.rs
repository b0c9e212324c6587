//! `du --tree`: what a root consists of, with bars.

use super::text::{Shown, names, percent, tone_of};
use crate::gc::usage::{Outside, Report, TaskUsage};
use crate::output::{Cell, Column, Table, Tone, counted, escape, show_bytes};

/// How many characters a bar has, and on a wide terminal.
const BAR: usize = 20;
const LONG_BAR: usize = 40;
/// A terminal of this width is wide.
const WIDE: usize = 110;
/// What is smaller than this part of what it is in, is left out.
const SMALL: u64 = 100;

/// What is called so that is of workspaces for which there is no room.
const OTHERS: [&str; 2] = ["environment of another workspace", "environments of other workspaces"];

/// A line: what is said of it, and what lies below it.
struct Node {
    name: String,
    status: &'static str,
    bytes: u64,
    /// Of these, what a command can remove without loss.
    reclaimable: u64,
    below: Vec<Node>,
}

impl Node {
    fn leaf(name: impl Into<String>, bytes: u64, reclaimable: u64) -> Node {
        Node { name: name.into(), status: "", bytes, reclaimable, below: Vec::new() }
    }
}

/// The characters that a tree is drawn with.
struct Strokes {
    last: [&'static str; 2],
    other: [&'static str; 2],
    full: char,
    half: Option<char>,
    reclaimable: char,
}

const BLOCKS: Strokes =
    Strokes {
        last: ["└─ ", "   "], other: ["├─ ", "│  "], full: '█', half: Some('▌'), reclaimable: '░'
    };
const ASCII: Strokes =
    Strokes { last: ["`- ", "   "], other: ["|- ", "|  "], full: '#', half: None, reclaimable: '.' };

/// The tree of one root, with what its bars mean.
pub(super) fn text(report: &Report, shown: &Shown) -> String {
    let root = root(report, shown);
    let strokes = if shown.draws_blocks { BLOCKS } else { ASCII };
    let length = if shown.screen.width.is_some_and(|width| width >= WIDE) { LONG_BAR } else { BAR };
    let mut table = Table::new([
        Column::words("").at_least(28),
        Column::words("STATUS").rank(3),
        Column::numbers("SIZE"),
        Column::numbers("%"),
        Column::numbers("RECLAIMABLE").rank(2),
        Column::words("").rank(1),
    ]);
    draw(&mut table, &root, ["", ""], root.bytes, length, &strokes);
    let mut text = format!("{}\n{}\n", escape(&report.workspaces_root), table.text(shown.screen));
    if root.reclaimable > 0 {
        text.push_str(&format!(
            "\n{} reclaimable: `execenv gc --artifact-ttl D` removes build artifacts,\n  `execenv trash empty` the trash\n",
            strokes.reclaimable
        ));
    }
    text
}

/// What a report consists of.
fn root(report: &Report, shown: &Shown) -> Node {
    let most = shown.tree.unwrap_or(usize::MAX);
    let name = names(&report.tasks);
    let workspace = |workspace: &str| {
        let tasks: Vec<&TaskUsage> = report.tasks.iter().filter(|task| task.workspace == workspace).collect();
        let mut below: Vec<Node> =
            tasks.iter().take(most).map(|task| environment(task, &name, report.totals.size_bytes)).collect();
        below.extend(rest(&tasks[below.len()..], ["more environment", "more environments"]));
        let (bytes, reclaimable) = sums(&tasks);
        Node { name: escape(workspace), status: "", bytes, reclaimable, below }
    };
    let mut below: Vec<Node> =
        report.workspaces.iter().take(most).map(|of| workspace(&of.workspace)).collect();
    let is_left = |task: &&TaskUsage| {
        report.workspaces.iter().skip(below.len()).any(|of| of.workspace == task.workspace)
    };
    let left: Vec<&TaskUsage> = report.tasks.iter().filter(is_left).collect();
    below.extend(rest(&left, OTHERS));
    if !shown.is_filtered {
        below.extend(beside(report));
    }
    let (bytes, reclaimable) =
        below.iter().fold((0, 0), |(bytes, of), node| (bytes + node.bytes, of + node.reclaimable));
    Node { name: "total".to_owned(), status: "", bytes, reclaimable, below }
}

/// One that is a small part of the whole has no line for its own parts.
fn environment(task: &TaskUsage, name: &dyn Fn(&TaskUsage) -> String, whole: u64) -> Node {
    let is_large = |bytes: u64| bytes.saturating_mul(SMALL) >= task.size_bytes;
    let parts =
        task.parts.iter().filter(|part| is_large(part.size_bytes) && task.size_bytes * SMALL >= whole);
    let below = parts.map(|part| Node::leaf(part.part.word(), part.size_bytes, part.artifact_size_bytes));
    Node {
        name: escape(&name(task)),
        status: task.status,
        bytes: task.size_bytes,
        reclaimable: task.artifact_size_bytes,
        below: below.collect(),
    }
}

/// One line for what there is no room for.
fn rest(tasks: &[&TaskUsage], [one, many]: [&str; 2]) -> Option<Node> {
    let (bytes, reclaimable) = sums(tasks);
    (!tasks.is_empty()).then(|| Node::leaf(counted(tasks.len() as u64, one, many), bytes, reclaimable))
}

fn sums(tasks: &[&TaskUsage]) -> (u64, u64) {
    (tasks.iter().map(|task| task.size_bytes).sum(), tasks.iter().map(|task| task.artifact_size_bytes).sum())
}

/// What lies beside environments, the largest first.
fn beside(report: &Report) -> Vec<Node> {
    let stores = &report.stores;
    let of = |what: &str, count: u64| format!("{what} ({count})");
    let mut nodes = vec![
        Node::leaf(of("trash", stores.trash_count), stores.trash_size_bytes, stores.trash_size_bytes),
        Node::leaf(of("repositories", stores.repo_cache_count), stores.repo_cache_size_bytes, 0),
        Node::leaf(of("sessions and memories", stores.stores_count), stores.stores_size_bytes, 0),
        Node::leaf("marker, locks, leftovers", stores.other_size_bytes, 0),
    ];
    nodes.extend(report.outside.iter().map(|Outside { path, what, size_bytes, .. }| {
        Node::leaf(format!("outside: {} in {}", what.replace('_', " "), escape(path)), *size_bytes, 0)
    }));
    nodes.retain(|node| node.bytes > 0);
    crate::order::sort_by_key(&mut nodes, |node| std::cmp::Reverse(node.bytes));
    nodes
}

fn draw(
    table: &mut Table,
    node: &Node,
    [before, below]: [&str; 2],
    whole: u64,
    length: usize,
    strokes: &Strokes,
) {
    let part = |bytes: u64| if whole == 0 { 0.0 } else { bytes as f64 / whole as f64 };
    let reclaimable = match node.reclaimable {
        0 => String::new(),
        bytes => show_bytes(bytes),
    };
    table.row([
        Cell::from(format!("{before}{}", node.name)),
        Cell::from(node.status).tone(tone_of(node.status)),
        show_bytes(node.bytes).into(),
        percent(part(node.bytes)).into(),
        reclaimable.into(),
        Cell::from(bar(part(node.bytes), part(node.reclaimable), length, strokes)).tone(Tone::Faint),
    ]);
    for (at, child) in node.below.iter().enumerate() {
        let [own, further] = if at + 1 == node.below.len() { strokes.last } else { strokes.other };
        draw(table, child, [&format!("{below}{own}"), &format!("{below}{further}")], whole, length, strokes);
    }
}

/// A bar for this part of the whole, whose end shows what of it is reclaimable.
fn bar(part: f64, reclaimable: f64, length: usize, strokes: &Strokes) -> String {
    let halves = |part: f64| (part.clamp(0.0, 1.0) * length as f64 * 2.0).round() as usize;
    let all = halves(part);
    let kept = halves(part - reclaimable).min(all);
    let half = strokes.half.filter(|_| kept % 2 == 1);
    let (whole, used) = match strokes.half {
        Some(_) => (all.div_ceil(2), kept.div_ceil(2)),
        None => (all / 2, kept / 2),
    };
    let full = std::iter::repeat_n(strokes.full, kept / 2).chain(half);
    full.chain(std::iter::repeat_n(strokes.reclaimable, whole - used)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_part() {
        for (part, reclaimable, expected) in [
            (1.0, 0.0, "██████████"),
            (0.0, 0.0, ""),
            (0.54, 0.0, "█████▌"),
            (0.5, 0.5, "░░░░░"),
            (0.5, 0.2, "███░░"),
            (0.55, 0.2, "███▌░░"),
            (0.01, 0.01, ""),
            (7.0, 0.0, "██████████"),
        ] {
            assert_eq!(bar(part, reclaimable, 10, &BLOCKS), expected, "{part} {reclaimable}");
        }
        assert_eq!(bar(0.5, 0.2, 10, &ASCII), "###..");
        assert_eq!(bar(0.54, 0.0, 10, &ASCII), "#####");
    }
}
