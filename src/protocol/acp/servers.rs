//! MCP servers as `session/new` names them. An agent that does not say that it takes servers with an address refuses the
//! whole session for one, so those are left out for it.

use serde_json::{Map, Value, json};

use crate::order;

/// Which servers an agent takes besides those that are programs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Takes {
    pub(super) http: bool,
    pub(super) sse: bool,
}

/// The list, and the names of the servers that the agent does not take. Sorted by name.
pub(super) fn list(servers: &Map<String, Value>, takes: Takes) -> (Vec<Value>, Vec<String>) {
    let (mut listed, mut left_out) = (Vec::new(), Vec::new());
    let mut servers: Vec<_> = servers.iter().collect();
    order::sort_by_key(&mut servers, |(name, _)| *name);
    for (name, server) in servers {
        match entry(name, server, takes) {
            Some(entry) => listed.push(entry),
            None => left_out.push(name.clone()),
        }
    }
    (listed, left_out)
}

fn entry(name: &str, server: &Value, takes: Takes) -> Option<Value> {
    let text = |key: &str| server.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(command) = text("command") {
        let args: Vec<&Value> = server
            .get("args")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|arg| arg.is_string())
            .collect();
        return Some(
            json!({ "name": name, "command": command, "args": args, "env": pairs(server.get("env")) }),
        );
    }
    let url = text("url")?;
    let kind = if text("type") == Some("sse") { "sse" } else { "http" };
    let is_taken = if kind == "sse" { takes.sse } else { takes.http };
    is_taken
        .then(|| json!({ "type": kind, "name": name, "url": url, "headers": pairs(server.get("headers")) }))
}

/// A map of texts as a sorted list.
fn pairs(map: Option<&Value>) -> Vec<Value> {
    let mut pairs: Vec<_> = map
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name, value.as_str()?)))
        .collect();
    order::sort(&mut pairs);
    pairs.into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_server_and_what_is_not_taken() {
        let servers: Map<String, Value> = serde_json::from_str(
            r#"{"z":{"url":"u","headers":{"b":"2","a":"1"}},"a":{"command":"c","args":["x",7],"env":{"K":"V"}},
                "s":{"url":"u","type":"sse"},"n":{}}"#,
        )
        .unwrap();
        let (listed, left_out) = list(&servers, Takes { http: true, sse: false });
        let program =
            json!({ "name": "a", "command": "c", "args": ["x"], "env": [{ "name": "K", "value": "V" }] });
        let headers = json!([{ "name": "a", "value": "1" }, { "name": "b", "value": "2" }]);
        let remote = json!({ "type": "http", "name": "z", "url": "u", "headers": headers });
        assert_eq!(listed, [program, remote]);
        assert_eq!(left_out, ["n", "s"]);
        assert_eq!(list(&servers, Takes::default()).1, ["n", "s", "z"]);
    }
}
