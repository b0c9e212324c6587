//! How managed MCP servers reach the agents that no module of their own plans for, in one table.
//!
//! What cannot be made true is an error, never silence: an agent with servers that it must not have, or without those
//! that it needs, is not what was asked for.

use super::plan::{HomeRequest, Mcp, McpMode};
use crate::failure::{Code, Failure};

/// How a provider learns of managed servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Its own module plans for it, or `run` hands over a file (`claude`, `codebuddy`).
    Planned,
    /// Whoever opens the agent's session names them in it (ACP), beside those that the agent knows itself.
    Session,
    /// The program knows no MCP servers at all: the empty set is what it has, any other cannot be.
    Never,
    /// Nobody knows how: any set is an error.
    Unknown,
}

/// The channel of a provider.
pub fn of(provider: &str) -> Channel {
    match provider {
        "claude" | "codebuddy" | "codex" | "copilot" | "cursor" | "gemini" | "openclaw" | "opencode"
        | "qwen" => Channel::Planned,
        "deveco" | "dim" | "dsh" | "grok" | "hermes" | "kimi" | "kiro" | "mcode" | "qoder" | "qoderclicn"
        | "qwenpaw" | "reasonix" | "traecli" => Channel::Session,
        "omp" | "pi" => Channel::Never,
        _ => Channel::Unknown,
    }
}

/// What to say of the managed servers.
///
/// # Errors
/// A [`Code::BadDocument`] failure for servers that cannot reach the agent.
pub fn check(request: &HomeRequest<'_>) -> Result<Option<String>, Failure> {
    let Mcp::Managed(servers) = request.mcp else { return Ok(None) };
    let provider = &request.task.provider;
    let shown = if provider.is_empty() { "command" } else { provider };
    match of(provider) {
        Channel::Planned => Ok(None),
        Channel::Never if servers.is_empty() => Ok(None),
        Channel::Session => {
            let own = match request.options.mcp_mode {
                McpMode::Strict => {
                    "stay visible to it all the same, although `--mcp-mode strict` asks for the task's only"
                }
                McpMode::Merge => "stay visible to it, as `--mcp-mode merge` asks",
            };
            Ok(Some(format!(
                "the task's MCP servers are not given to {shown}: its sessions are opened by another program, which must \
                 name them; servers that {shown} knows itself {own}"
            )))
        }
        Channel::Never => {
            Err(refuse(format!("{shown} has no MCP client, so the MCP servers cannot reach it")))
        }
        Channel::Unknown => Err(refuse(format!("how MCP servers reach the agent of `{shown}` is not known"))),
    }
}

fn refuse(message: String) -> Failure {
    Failure::new(Code::BadDocument, message)
        .hint("leave the task's MCP configuration out, or choose another provider")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fixture::World;
    use crate::provider::homes;

    #[test]
    fn a_managed_set_is_never_met_with_silence() {
        for (provider, servers, expected) in [
            ("claude", r#"{"a":{}}"#, Some(0)),
            ("opencode", r#"{"a":{"command":"x"}}"#, Some(0)),
            ("kimi", r#"{"a":{}}"#, Some(1)),
            ("kimi", "{}", Some(1)),
            ("pi", "{}", Some(0)),
            ("pi", r#"{"a":{}}"#, None),
            ("antigravity", "{}", None),
            ("", "{}", None),
            ("nobody", r#"{"a":{}}"#, None),
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
            crate::provider::all().map(|row| row.name).filter(|name| of(name) == Channel::Unknown).collect();
        assert_eq!(unknown, ["command", "antigravity"], "a new provider needs a decision here");
    }
}
