//! What the project asks of its dependencies.

use toml_edit::{DocumentMut, Table};

/// `[dependencies]` may have this many entries.
const MOST: usize = 29;

fn manifest() -> DocumentMut {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

/// The entries of a table that have no comment above them or behind them.
fn without_reason(table: &Table) -> Vec<&str> {
    let has_reason = |name: &str| {
        let (key, value) = table.get_key_value(name).unwrap();
        let above = key.leaf_decor().prefix().and_then(|text| text.as_str()).unwrap_or("");
        let behind = value.as_value().and_then(|value| value.decor().suffix()?.as_str()).unwrap_or("");
        above.contains('#') || behind.contains('#')
    };
    table.iter().map(|(name, _)| name).filter(|name| !has_reason(name)).collect()
}

#[test]
fn dependencies_are_few_and_each_has_its_reason() {
    let manifest = manifest();
    for name in ["dependencies", "build-dependencies", "dev-dependencies"] {
        let table = manifest[name].as_table().unwrap();
        assert_eq!(without_reason(table), [] as [&str; 0], "[{name}]: say why in a comment");
    }
    let count = manifest["dependencies"].as_table().unwrap().len();
    assert!(count <= MOST, "{count} direct dependencies, {MOST} at most");
}

#[test]
fn a_dependency_without_a_comment_is_found() {
    let text = "[d]\n# Why.\na = \"1\"\nb = \"1\"\nc = { version = \"1\" } # why\n\nd = \"1\"\n";
    let manifest: DocumentMut = text.parse().unwrap();
    assert_eq!(without_reason(manifest["d"].as_table().unwrap()), ["b", "d"]);
}
