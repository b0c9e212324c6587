//! The one reader of a task's MCP servers, for every provider.
//!
//! Files for other tools are common, so their forms are translated into one: objects by name, each with `command`, `args`,
//! `env`, `cwd`, or with `type`, `url`, `headers`. What has no such form is refused: an agent that starts without a server
//! of its task, or does not start, is worse than no environment. Errors name server and key, never a value.

mod keys;
mod server;

use serde_json::{Map, Value};

pub(super) use self::keys::{foreign_key, is_extra};
use crate::failure::{Code, Failure};

/// The keys under which tools keep their servers: Claude Code's and most others', VS Code's, Codex', Zed's, OpenCode's.
const MAPS: [&str; 5] = ["mcpServers", "servers", "mcp_servers", "context_servers", "mcp"];

/// The servers of a configuration by name, in the one form.
///
/// # Errors
/// A [`Code::BadDocument`] failure.
pub(super) fn read(config: &Value) -> Result<Map<String, Value>, Failure> {
    let Value::Object(config) = config else { return Err(no_servers("is not an object")) };
    let mut servers = Map::new();
    for (name, value) in find(config)?.into_iter().flatten() {
        if name.trim().is_empty() {
            return Err(no_servers("has a server without a name"));
        }
        servers.insert(name.clone(), server::read(name, value)?.into());
    }
    Ok(servers)
}

/// The object that holds the servers; `None`: there are none.
fn find(config: &Map<String, Value>) -> Result<Option<&Map<String, Value>>, Failure> {
    let present: Vec<&str> = MAPS.into_iter().filter(|key| config.contains_key(*key)).collect();
    let (key, value) = match present[..] {
        [] if config.is_empty() => return Ok(None),
        // A bare map.
        [] if config.values().all(server::looks_like_one) => return Ok(Some(config)),
        [] => {
            let keys: Vec<_> = config.keys().take(3).map(|key| format!("`{}`", key.escape_debug())).collect();
            return Err(no_servers(&format!("has {}, but no `mcpServers`", keys.join(", "))));
        }
        [key] => (key, &config[key]),
        [first, second, ..] => return Err(no_servers(&format!("has both `{first}` and `{second}`"))),
    };
    // OpenClaw's, and VS Code's settings: a level deeper.
    let deeper = value.get("servers").filter(|inner| key == "mcp" && !server::looks_like_one(inner));
    match deeper.unwrap_or(value) {
        Value::Null => Ok(None),
        Value::Object(servers) => Ok(Some(servers)),
        _ => Err(no_servers(&format!("has a `{key}` that is not an object"))),
    }
}

fn no_servers(what: &str) -> Failure {
    Failure::new(Code::BadDocument, format!("the MCP configuration {what}"))
        .hint("`{\"mcpServers\": {\"name\": {\"command\": \"…\"}}}`; `{}` means no servers")
}

#[cfg(test)]
mod tests;
