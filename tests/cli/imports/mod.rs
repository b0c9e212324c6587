//! Imports point one way, and no two files or modules use each other: read from the sources.

mod circles;
mod fooled;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use circles::{Circle, Graph, circles};
use names::{Import, imports};

pub use names::Sources;

/// The map of `lib.rs` from the bottom to the top: a module may use those of its own layer and of those below.
const LAYERS: &[&[&str]] = &[
    &["failure", "object", "order", "progress"],
    &["sys"],
    &["layout", "task"],
    &["formats", "skills", "brief", "git", "protocol", "server", "sidecar"],
    &["provider"],
    &["environment", "repos", "supervise"],
    &["work"],
    &["gc", "run", "exit"],
    &["output", "invocation"],
    &["report"],
    &["commands"],
    &["app"],
    &["lib", "main"],
];

#[test]
fn imports_point_one_way() {
    let wrong = upward(&imports(&sources()));
    assert!(wrong.is_empty(), "{} imports point upwards:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_modules_use_each_other() {
    report(&circles(&graph(&imports(&sources()), |file| module_of(file).to_owned())), "modules");
}

#[test]
fn no_files_use_each_other() {
    report(&circles(&graph(&imports(&sources()), str::to_owned)), "files");
}

fn upward(imports: &BTreeSet<Import>) -> Vec<String> {
    let layer = |file: &str| {
        let module = module_of(file);
        let layer = LAYERS.iter().position(|layer| layer.contains(&module));
        layer.unwrap_or_else(|| panic!("{file}: LAYERS does not name the module {module}"))
    };
    let wrong =
        imports.iter().filter(|import| import.to != "lib.rs" && layer(&import.from) < layer(&import.to));
    wrong.map(|import| format!("{} uses {} ({})", import.from, import.to, import.path)).collect()
}

fn graph(imports: &BTreeSet<Import>, node: impl Fn(&str) -> String) -> Graph {
    let mut graph = Graph::new();
    for import in imports.iter().filter(|import| !import.in_test) {
        let (from, to) = (node(&import.from), node(&import.to));
        graph.entry(to.clone()).or_default();
        if from != to {
            graph.entry(from).or_default().insert(to);
        }
    }
    graph
}

#[track_caller]
fn report(circles: &[Circle], what: &str) {
    let lines: Vec<String> = circles.iter().map(Circle::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} circles of {what}, the shortest of each:\n{}",
        lines.len(),
        lines.join("\n")
    );
}

/// The module of `lib.rs` that the file belongs to.
fn module_of(file: &str) -> &str {
    let first = file.split_once('/').map_or(file, |(folder, _)| folder);
    first.trim_end_matches(".rs")
}

pub fn sources() -> Sources {
    let mut found = BTreeMap::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut found);
    found
}

fn read(folder: &Path, below: &str, found: &mut Sources) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read(&entry.path(), &format!("{name}/"), found);
        } else if name.ends_with(".rs") {
            found.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
}
