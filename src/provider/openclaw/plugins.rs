//! Plugins of the user's that bring MCP servers: with managed servers they are switched off in the copy of the configuration.
//!
//! `mcp.servers` does not hold them: OpenClaw reads them from the plugin's own folder (a bundle of another agent CLI's form).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::provider::user_file;

/// Files of a plugin that hold servers whatever else is in them.
const SERVER_FILES: [&str; 2] = [".mcp.json", "mcp.json"];
/// Files that say what a plugin is; they may name servers.
const MANIFESTS: [&str; 5] = [
    "openclaw.plugin.json",
    ".claude-plugin/plugin.json",
    ".codex-plugin/plugin.json",
    ".cursor-plugin/plugin.json",
    "package.json",
];

/// Switches every plugin off that brings servers, and returns their ids. `states`: folders with `extensions`.
pub(super) fn switch_off(config: &mut Map<String, Value>, states: &[PathBuf]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for state in states {
        let folder = state.join("extensions");
        for name in user_file::names_in(&folder).unwrap_or_default() {
            found.extend(ids_of(&folder.join(name)));
        }
    }
    let plugins = config.get("plugins");
    let at = |outer: &str, inner: &str| plugins.and_then(|plugins| plugins.get(outer)?.get(inner));
    for path in at("load", "paths").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    {
        let path = Path::new(path);
        found.extend(ids_of(path));
        for name in user_file::names_in(path).unwrap_or_default() {
            found.extend(ids_of(&path.join(name)));
        }
    }
    let installs = plugins.and_then(|plugins| plugins.get("installs")).and_then(Value::as_object);
    for (id, install) in installs.into_iter().flatten() {
        let path = install.get("installPath").and_then(Value::as_str);
        if path.is_some_and(|path| brings_servers(Path::new(path))) {
            found.insert(id.clone());
        }
    }
    if !found.is_empty() {
        let entries = object_at(object_at(config, "plugins"), "entries");
        for id in &found {
            object_at(entries, id).insert("enabled".into(), json!(false));
        }
    }
    found
}

fn object_at<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let value = map.entry(key).or_insert_with(|| json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was just made one")
}

/// The ids by which OpenClaw may know the plugin in a folder; none if it brings no servers.
fn ids_of(folder: &Path) -> Vec<String> {
    if !brings_servers(folder) {
        return Vec::new();
    }
    let mut ids: Vec<String> =
        folder.file_name().map(|name| name.to_string_lossy().into_owned()).into_iter().collect();
    for manifest in MANIFESTS {
        let manifest = user_file::read_object(&folder.join(manifest)).ok().flatten().unwrap_or_default();
        let named = ["id", "name"].iter().filter_map(|key| manifest.get(*key)?.as_str());
        ids.extend(named.map(str::to_owned));
    }
    ids
}

fn brings_servers(folder: &Path) -> bool {
    let named = |manifest: &&str| {
        let manifest = user_file::read_object(&folder.join(manifest)).ok().flatten();
        manifest.is_some_and(|manifest| manifest.get("mcpServers").is_some_and(|servers| !servers.is_null()))
    };
    SERVER_FILES.iter().any(|file| folder.join(file).is_file()) || MANIFESTS.iter().any(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fixture::World;

    #[test]
    fn only_plugins_with_servers_are_switched_off() {
        let world = World::new()
            .file("state/extensions/bundle/.claude-plugin/plugin.json", r#"{"name":"my-bundle"}"#)
            .file("state/extensions/bundle/.mcp.json", r#"{"mcpServers":{}}"#)
            .file("state/extensions/plain/openclaw.plugin.json", r#"{"id":"plain"}"#)
            .file("loaded/openclaw.plugin.json", r#"{"id":"by-path","mcpServers":"./m.json"}"#)
            .file("installed/mcp.json", "{}");
        let mut config = json!({"plugins": {
            "load": {"paths": [world.path("loaded")]},
            "installs": {"by-install": {"installPath": world.path("installed")}, "gone": {}},
            "entries": {"my-bundle": {"enabled": true, "config": {"x": 1}}, "plain": {"enabled": true}},
        }});
        let found = switch_off(config.as_object_mut().unwrap(), &[world.path("state")]);
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            ["bundle", "by-install", "by-path", "loaded", "my-bundle"]
        );
        let entries = &config["plugins"]["entries"];
        assert_eq!(entries["my-bundle"], json!({"enabled": false, "config": {"x": 1}}));
        assert_eq!(entries["by-install"], json!({"enabled": false}));
        assert_eq!(entries["plain"], json!({"enabled": true}));
        let mut config = Map::new();
        assert!(switch_off(&mut config, &[]).is_empty() && config.is_empty());
    }
}
