//! What a task's MCP servers mean for an agent whose plan does not pass them.
//!
//! Servers that cannot reach the agent are an error or a warning, never ignored: the task asks for exactly these servers.

use serde_json::{Map, Value};

use super::mcp_reader;
use super::plan::{HomeRequest, Mcp, McpMode};
use super::row::McpChannel;
use crate::failure::{Code, Failure};

/// The warning that a channel needs, if any.
///
/// # Errors
/// A [`Code::BadDocument`] failure for servers that cannot reach the agent.
pub fn check(request: &HomeRequest<'_>, channel: McpChannel) -> Result<Option<String>, Failure> {
    let Mcp::Managed(servers) = request.mcp else { return Ok(None) };
    let provider = &request.task.provider;
    let shown = if provider.is_empty() { "command" } else { provider };
    match channel {
        McpChannel::Planned | McpChannel::File => no_foreign_keys(servers, provider).map(|()| None),
        McpChannel::Never if servers.is_empty() => Ok(None),
        McpChannel::Unknown if servers.is_empty() => Ok((request.options.mcp_mode == McpMode::Strict).then(|| {
            format!(
                "the task allows no MCP servers, but execenv cannot hide those in the configuration of the agent of `{shown}`"
            )
        })),
        McpChannel::Session => {
            let own = match request.options.mcp_mode {
                McpMode::Strict => {
                    "stay visible to it, although `--mcp-mode strict` asks for the task's servers only"
                }
                McpMode::Merge => "stay visible to it, as `--mcp-mode merge` asks",
            };
            Ok(Some(format!(
                "the program that opens the session of {shown} must name the task's MCP servers: `execenv run` does it; servers in the \
                 configuration of {shown} {own}"
            )))
        }
        McpChannel::Never => {
            Err(refuse(format!("{shown} has no MCP client, so it cannot use the task's MCP servers")))
        }
        McpChannel::Unknown => {
            Err(refuse(format!("execenv does not know how to pass MCP servers to the agent of `{shown}`")))
        }
    }
}

/// Refuses a server with a key of another tool's, which this one would not heed.
fn no_foreign_keys(servers: &Map<String, Value>, provider: &str) -> Result<(), Failure> {
    for (name, server) in servers {
        let key = server.as_object().and_then(|server| mcp_reader::foreign_key(server, provider));
        if let Some(key) = key {
            let name = name.escape_debug();
            let message = format!("MCP server `{name}`: `{key}` is not understood by {provider}");
            return Err(Failure::new(Code::BadDocument, message)
                .hint("take the key out: without it the server is used as the rest says"));
        }
    }
    Ok(())
}

fn refuse(message: String) -> Failure {
    Failure::new(Code::BadDocument, message)
        .hint("remove `mcp_config` from the task, or choose another provider")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fixture::World;
    use crate::provider::homes;

    #[test]
    fn every_managed_set_is_passed_on_or_reported_or_refused() {
        for (provider, servers, expected) in [
            ("claude", r#"{"a":{"command":"x"}}"#, Some(0)),
            ("opencode", r#"{"a":{"command":"x"}}"#, Some(0)),
            ("kimi", r#"{"a":{"command":"x"}}"#, Some(1)),
            ("kimi", "{}", Some(1)),
            ("pi", "{}", Some(0)),
            ("pi", r#"{"a":{"command":"x"}}"#, None),
            ("antigravity", "{}", Some(1)),
            ("antigravity", r#"{"a":{"command":"x"}}"#, None),
            ("", "{}", Some(1)),
            ("omp", r#"{"a":{"command":"x"}}"#, Some(1)),
            ("claude", r#"{"a":{"command":"x","includeTools":["y"]}}"#, None),
            ("kimi", r#"{"a":{"command":"x","includeTools":["y"]}}"#, Some(1)),
            ("unknown", r#"{"a":{"command":"x"}}"#, None),
        ] {
            let mut world = World::new().mcp(servers);
            world.task.provider = provider.into();
            let warnings = world.plan(homes::plan).ok().map(|plan| plan.warnings.len());
            assert_eq!(warnings, expected, "{provider} {servers}");
            let mut world = World::new();
            world.task.provider = provider.into();
            assert_eq!(world.plan(homes::plan).unwrap().warnings, [""; 0], "{provider} unmanaged");
        }
    }

    #[test]
    fn every_row_of_the_table_has_its_channel() {
        let unknown: Vec<_> =
            crate::provider::all().filter(|row| row.mcp == McpChannel::Unknown).map(|row| row.name).collect();
        assert_eq!(unknown, ["command", "antigravity"], "a new provider needs a decision here");
    }
}
