//! The contents of the task's OpenClaw configuration, and of the copy of the user's that it may include.
//! Pure: values in, values out.

use serde_json::{Map, Value, json};

/// The agents that the user has set up, as this version of OpenClaw writes them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Roster {
    /// None, or none that is known: the default workspace holds for all.
    None,
    /// A list under `agents.list`: the schema up to 2026.8.
    Listed(Vec<Value>),
    /// An object under `agents.entries`, by id: the schema of 2026.9. Included entries are added to, so only what
    /// changes is written and no secret is copied.
    Keyed(Vec<String>),
}

impl Roster {
    /// Whether this OpenClaw has the schema of 2026.9.
    pub(super) fn is_keyed(&self) -> bool {
        matches!(self, Roster::Keyed(_))
    }
}

/// What the wrapper is made of.
pub(super) struct Parts<'a> {
    /// The file that it includes.
    pub(super) include: Option<&'a str>,
    pub(super) work_dir: &'a str,
    pub(super) roster: &'a Roster,
    /// The MCP servers, where the task manages them.
    pub(super) servers: Option<&'a Map<String, Value>>,
    pub(super) gateway: Option<Value>,
    /// The folder with the user's own skills.
    pub(super) skills: Option<&'a str>,
}

/// The wrapper, keys sorted.
///
/// Every agent's workspace is the work dir: one of its own would beat the default, and skills would be looked for in
/// the user's shared workspace. The include is a list, because only then OpenClaw merges it with the keys beside it.
pub(super) fn wrapper(parts: &Parts<'_>) -> Value {
    let mut wrapper = Map::new();
    if let Some(path) = parts.include {
        wrapper.insert("$include".into(), json!([path]));
    }
    let mut agents = json!({"defaults": {"workspace": parts.work_dir}});
    match parts.roster {
        Roster::None => {}
        Roster::Keyed(ids) => {
            let mut ids: Vec<&String> = ids.iter().collect();
            ids.sort_unstable();
            let pinned = ids.into_iter().map(|id| (id.clone(), json!({"workspace": parts.work_dir})));
            let pinned: Map<String, Value> = pinned.collect();
            if !pinned.is_empty() {
                agents["entries"] = Value::Object(pinned);
            }
        }
        Roster::Listed(list) => {
            let pinned = pinned_list(list, parts.work_dir);
            if !pinned.is_empty() {
                agents["list"] = Value::Array(pinned);
            }
        }
    }
    wrapper.insert("agents".into(), agents);
    if let Some(gateway) = &parts.gateway {
        wrapper.insert("gateway".into(), gateway.clone());
    }
    if let Some(folder) = parts.skills {
        wrapper.insert("skills".into(), json!({ "load": { "extraDirs": [folder] } }));
    }
    if let Some(servers) = parts.servers {
        wrapper.insert("mcp".into(), json!({ "servers": servers }));
    }
    let mut wrapper = Value::Object(wrapper);
    wrapper.sort_all_objects();
    wrapper
}

/// The entries that are objects, all fields kept but the workspace.
fn pinned_list(list: &[Value], work_dir: &str) -> Vec<Value> {
    let objects = list.iter().filter_map(Value::as_object);
    let pinned = objects.map(|entry| {
        let mut entry = entry.clone();
        entry.insert("workspace".into(), work_dir.into());
        Value::Object(entry)
    });
    pinned.collect()
}

/// Removes the MCP servers from the user's configuration and returns them. Other settings of `mcp` stay.
pub(super) fn take_servers(config: &mut Map<String, Value>) -> Map<String, Value> {
    let Some(Value::Object(mcp)) = config.get_mut("mcp") else { return Map::new() };
    let servers = mcp.shift_remove("servers");
    if mcp.is_empty() {
        config.shift_remove("mcp");
    }
    match servers {
        Some(Value::Object(servers)) => servers,
        _ => Map::new(),
    }
}

/// Whether a configuration has agents in the list of the older schema.
pub(super) fn has_list(config: &Map<String, Value>) -> bool {
    config.get("agents").and_then(|agents| agents.get("list")).is_some_and(Value::is_array)
}

/// Takes the list of agents out of a configuration.
pub(super) fn take_list(config: &mut Map<String, Value>) -> Option<Vec<Value>> {
    match config.get_mut("agents")?.as_object_mut()?.shift_remove("list")? {
        Value::Array(list) => Some(list),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn every_entry_is_pinned_and_keeps_its_fields() {
        let list: Value = serde_json::from_str(
            r#"[{"id":"a","workspace":"~/mine","temperature":0.10},"junk",{"id":"b","model":"m"},7]"#,
        )
        .unwrap();
        let roster = Roster::Listed(list.as_array().unwrap().clone());
        let parts = Parts {
            include: Some("/u/c.json"),
            work_dir: "/w",
            roster: &roster,
            servers: None,
            gateway: None,
            skills: None,
        };
        assert_eq!(
            wrapper(&parts).to_string(),
            r#"{"$include":["/u/c.json"],"agents":{"defaults":{"workspace":"/w"},"list":[{"id":"a","temperature":0.10,"workspace":"/w"},{"id":"b","model":"m","workspace":"/w"}]}}"#
        );
    }

    #[test]
    fn nothing_empty_is_written() {
        for roster in [Roster::None, Roster::Keyed(vec![]), Roster::Listed(vec![json!(1), json!("x")])] {
            let parts = Parts {
                include: None,
                work_dir: "/w",
                roster: &roster,
                servers: None,
                gateway: None,
                skills: None,
            };
            assert_eq!(wrapper(&parts).to_string(), r#"{"agents":{"defaults":{"workspace":"/w"}}}"#);
        }
    }

    #[test]
    fn keyed_agents_get_their_workspace_and_nothing_else() {
        let roster = Roster::Keyed(vec!["main".into(), "helper".into()]);
        let servers = object(json!({}));
        let parts = Parts {
            include: None,
            work_dir: "/w",
            roster: &roster,
            servers: Some(&servers),
            gateway: Some(json!({"port": 7})),
            skills: None,
        };
        assert_eq!(
            wrapper(&parts).to_string(),
            r#"{"agents":{"defaults":{"workspace":"/w"},"entries":{"helper":{"workspace":"/w"},"main":{"workspace":"/w"}}},"gateway":{"port":7},"mcp":{"servers":{}}}"#
        );
    }

    #[test]
    fn only_the_servers_are_taken_out() {
        for (before, after, taken) in [
            (json!({"mcp": {"servers": {"a": {}}}, "k": 1}), json!({"k": 1}), json!({"a": {}})),
            (
                json!({"mcp": {"sessionIdleTtlMs": 300000, "servers": {}}}),
                json!({"mcp": {"sessionIdleTtlMs": 300000}}),
                json!({}),
            ),
            (json!({"mcp": {}}), json!({}), json!({})),
            (json!({"mcp": "odd"}), json!({"mcp": "odd"}), json!({})),
            (json!({"k": 1}), json!({"k": 1}), json!({})),
        ] {
            let mut config = object(before);
            let servers = take_servers(&mut config);
            assert_eq!((Value::Object(config), Value::Object(servers)), (after, taken));
        }
    }

    #[test]
    fn a_list_is_taken_out_and_nothing_else() {
        let mut config = object(json!({"agents": {"list": [{"id": "a"}], "defaults": {"k": 1}}}));
        assert!(has_list(&config));
        assert_eq!(take_list(&mut config), Some(vec![json!({"id": "a"})]));
        assert_eq!(Value::Object(config.clone()), json!({"agents": {"defaults": {"k": 1}}}));
        assert!(!has_list(&config) && take_list(&mut config).is_none());
    }
}
