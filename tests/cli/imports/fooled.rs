//! Small trees that try to hide an import from the test.

use std::collections::BTreeSet;

use super::circles::{Circle, Graph, circles};
use super::names::{Import, Sources, imports};

/// What `low/mod.rs` with this text uses of `high`, beside `lib.rs` and two more modules.
fn uses_of_low(text: &str) -> Vec<Import> {
    let files = [
        ("lib.rs", "pub mod low; pub mod high; pub mod friend;"),
        (
            "high/mod.rs",
            "mod deep; pub use deep::{Thing, build}; pub(crate) use self::deep::inner; pub const LIMIT: u8 = 1;",
        ),
        ("high/deep.rs", "pub struct Thing; pub fn build() {} pub mod inner { pub fn dig() {} }"),
        (
            "friend.rs",
            "pub use crate::high as up; pub use crate::high::*; pub use crate::high::Thing as Renamed;",
        ),
        ("low/mod.rs", text),
        ("low/own.rs", "pub struct Own;"),
        ("low/hidden.rs", "use crate::high::Thing;"),
    ];
    let hidden =
        if text.contains("hidden.rs") { "" } else { "#[path = \"hidden.rs\"] #[cfg(test)] mod hidden;" };
    let text = format!("mod own; {hidden} {text}");
    let mut sources: Sources = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
    sources.insert("low/mod.rs".to_owned(), text);
    imports(&sources)
        .into_iter()
        .filter(|import| import.from.starts_with("low") && (hidden.is_empty() || import.from == "low/mod.rs"))
        .collect()
}

#[test]
fn every_way_to_name_another_module_is_seen() {
    for text in [
        "use crate::high::Thing;",
        "use crate::{high::Thing};",
        "use crate::{low::own, high::{self, deep::{Thing as Other, build}}};",
        "use crate::{high as top}; fn f() { top::build() }",
        "use crate::high; fn f() -> high::Thing { loop {} }",
        "use super::high::Thing;",
        "use super::{high::{Thing}};",
        "pub use crate::high::Thing;",
        "pub(crate) use crate::high::*; fn f(_: Thing) {}",
        "use crate::high::*; fn f() { build() }",
        "fn f() { crate::high::build() }",
        "fn f() { use crate::high::build; build() }",
        "fn f() { let _ = crate::high::Thing; }",
        "fn f(_: Vec<Option<crate::high::Thing>>) {}",
        "fn f() { println!(\"{}\", crate::high::LIMIT) }",
        "fn f() { vec![1, { super::high::build(); 2 }]; }",
        "mod in_braces { fn f() { super::super::high::build() } }",
        "mod in_braces { pub mod more { use super::super::super::high::Thing; } }",
        "mod in_braces { use crate as root; fn f() { root::high::build() } }",
        "impl From<crate::high::Thing> for u8 { fn from(_: crate::high::Thing) -> u8 { 1 } }",
        "fn f<T: Into<crate::high::Thing>>(_: T) {}",
        "const N: u8 = crate::high::LIMIT;",
        "fn f(n: u8) { match n { crate::high::LIMIT => {} _ => {} } }",
        "struct S { #[serde(with = \"crate::high\", default = \"crate::high::build\")] a: u8 }",
        "#[arg(value_parser = crate::high::build)] struct S;",
        "macro_rules! m { () => { $crate::high::build() } }",
        "macro_rules! m { () => { use crate::{high::build, low}; } }",
        "use crate::friend::Renamed;",
        "use crate::friend::up; fn f() { up::build() }",
        "use crate::friend::Thing;",
        "use crate::friend::*; fn f() { build() }",
        "use execenv::high::Thing;",
        "#[path = \"hidden.rs\"] mod elsewhere;",
        "extern crate self as me; fn f() { me::high::inner::dig() }",
    ] {
        let found = uses_of_low(text);
        assert!(found.iter().any(|import| import.to.starts_with("high")), "{text}: {found:?}");
    }
}

#[test]
fn a_text_that_only_looks_like_an_import_is_none() {
    for text in [
        "// use crate::high::Thing;\nfn f() {}",
        "/// See [`crate::high::Thing`].\nfn f() {}",
        "fn f() -> &'static str { \"crate::high::build()\" }",
        "mod high { pub fn build() {} } fn f() { high::build() }",
        "use own::Own; fn f(_: Own) {}",
        "pub(in crate::low) use own::Own;",
        "use std::high::Thing;",
        "use crate::low::own::Own as Thing; fn f(_: Thing) {}",
    ] {
        let found = uses_of_low(text);
        assert!(found.iter().all(|import| !import.to.starts_with("high")), "{text}: {found:?}");
    }
}

#[test]
fn test_code_is_told_apart() {
    for text in [
        "#[cfg(test)] mod tests { use crate::high::Thing; }",
        "#[test] fn f() { crate::high::build() }",
        "#[cfg(all(test, unix))] fn f() { crate::high::build() }",
        "#[cfg(test)] use crate::high::Thing;",
    ] {
        let found = uses_of_low(text);
        assert!(!found.is_empty() && found.iter().all(|import| import.in_test), "{text}: {found:?}");
    }
    let found = uses_of_low("#[cfg(any(test, unix))] fn f() { crate::high::build() }");
    assert!(found.iter().all(|import| !import.in_test), "{found:?}");
}

/// A re-export leads to the file that has the item, so that a module file is not a part of every circle.
#[test]
fn the_file_behind_a_re_export_is_used() {
    let sources = [
        ("lib.rs", "mod a; mod b;"),
        ("a/mod.rs", "mod one; mod two; pub use one::One; pub use two::Two;"),
        ("a/one.rs", "use crate::b::B; pub struct One(B);"),
        ("a/two.rs", "use super::One; pub struct Two(One);"),
        ("b.rs", "use crate::a::Two; pub struct B(Two);"),
    ];
    let found = imports(&sources.map(|(path, text)| (path.to_owned(), text.to_owned())).into());
    let edges: BTreeSet<(&str, &str)> = found.iter().map(|import| (&*import.from, &*import.to)).collect();
    assert_eq!(edges, [("a/one.rs", "b.rs"), ("a/two.rs", "a/one.rs"), ("b.rs", "a/two.rs")].into());
    let found = circles(&super::graph(&found, str::to_owned));
    let ways: Vec<String> = found.iter().map(Circle::to_string).collect();
    assert_eq!(ways, ["a/one.rs -> b.rs -> a/two.rs -> a/one.rs (3 use each other)"]);
}

#[test]
fn each_set_of_nodes_that_use_each_other_is_one_circle() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry((*to).to_owned()).or_default();
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    };
    assert!(circles(&graph(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])).is_empty());
    let two = circles(&graph(&[("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "c")]));
    let ways: Vec<&[String]> = two.iter().map(|circle| &*circle.way).collect();
    assert_eq!(ways, [vec!["c", "d", "e", "c"], vec!["a", "b", "a"]]);
}
