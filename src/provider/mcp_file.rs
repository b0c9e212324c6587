//! The task's MCP servers in a private file, for agent CLIs that take one by their command line.
//!
//! `run` adds the flags, also where the CLI is named after `--`. Whoever starts the CLI with exported variables finds the
//! file by [`VARIABLE`].

use std::ffi::{OsStr, OsString};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::plan::{Home, HomeContent, HomePlan, HomeRequest, Mcp, McpMode, is_switched_on};
use super::row::{McpChannel, Provider};
use crate::layout::names;

/// The variable that names the file.
pub const VARIABLE: &str = "EXECENV_MCP_CONFIG";
/// The flag that takes the file, and the one by which no other servers count.
const FLAG: &str = "--mcp-config";
const STRICT: &str = "--strict-mcp-config";
/// Words by which these CLIs do something else than to run an agent.
const OTHER_COMMANDS: [&str; 12] = [
    "mcp",
    "plugin",
    "plugins",
    "config",
    "doctor",
    "update",
    "install",
    "agents",
    "auth",
    "setup-token",
    "skill",
    "help",
];

/// Plans the file.
pub(super) fn plan(request: &HomeRequest<'_>, plan: &mut HomePlan) {
    let Mcp::Managed(servers) = request.mcp else {
        plan.homes.push(Home { name: names::MCP_CONFIG, content: HomeContent::Nothing });
        return;
    };
    let content = HomeContent::File { bytes: bytes(servers), mode: 0o600 };
    plan.homes.push(Home { name: names::MCP_CONFIG, content });
    let path = request.env_root.join(names::MCP_CONFIG);
    plan.exports.insert(VARIABLE.into(), path.display().to_string());
}

/// The servers that are switched on, as most CLIs read them; one with a `url` only with its type.
pub fn bytes(servers: &Map<String, Value>) -> Vec<u8> {
    let mut servers = servers.clone();
    servers.retain(|_, server| is_switched_on(server));
    for server in servers.values_mut().filter_map(Value::as_object_mut) {
        if server.contains_key("url") && !server.contains_key("type") {
            server.shift_insert(0, "type".into(), "http".into());
        }
    }
    json!({ "mcpServers": servers }).to_string().into_bytes()
}

/// The arguments of a command line that names the provider's own CLI, with the flags for the file at `path`. `None`: it is
/// another program, does something else, or names servers itself.
pub fn with_flags(
    row: &Provider,
    program: &Path,
    args: &[OsString],
    path: &Path,
    mode: McpMode,
) -> Option<Vec<OsString>> {
    let is_own = row.program.is_some_and(|own| program.file_name() == Some(OsStr::new(own.name)));
    let has = |flag: &str| {
        let with_value = format!("{flag}=");
        args.iter().any(|arg| arg == flag || arg.to_string_lossy().starts_with(&with_value))
    };
    let is_other = args.first().is_some_and(|first| OTHER_COMMANDS.iter().any(|word| first == word))
        || ["--version", "-v", "--help", "-h"].into_iter().any(has);
    if row.mcp != McpChannel::File || !is_own || is_other || has(FLAG) || has(STRICT) {
        return None;
    }
    // The flag takes all that follows up to the next flag, so it stands last, before a `--`.
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    let mut all = args[..end].to_vec();
    all.extend([FLAG.into(), path.into()]);
    // After the file's name, so that nothing else is taken for one.
    all.extend((mode == McpMode::Strict).then(|| OsString::from(STRICT)));
    all.extend_from_slice(&args[end..]);
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::find;

    #[test]
    fn the_flags_are_added_to_the_own_cli_only() {
        for (provider, program, args, expected) in [
            ("claude", "claude", "-p hi", Some("-p hi --mcp-config /f --strict-mcp-config")),
            ("claude", "/x/claude", "", Some("--mcp-config /f --strict-mcp-config")),
            ("claude", "claude", "-p -- hi", Some("-p --mcp-config /f --strict-mcp-config -- hi")),
            ("qoder", "qodercli", "--acp", Some("--acp --mcp-config /f --strict-mcp-config")),
            ("claude", "sh", "-c claude", None),
            ("claude", "claude", "mcp list", None),
            ("claude", "claude", "--version", None),
            ("claude", "claude", "-p --mcp-config=/mine", None),
            ("claude", "claude", "-p --strict-mcp-config", None),
            ("codex", "codex", "exec", None),
        ] {
            let args: Vec<OsString> = args.split_whitespace().map(OsString::from).collect();
            let row = find(provider).unwrap();
            let all = with_flags(row, Path::new(program), &args, Path::new("/f"), McpMode::Strict);
            let all = all.map(|all| all.join(OsStr::new(" ")).into_string().unwrap());
            assert_eq!(all.as_deref(), expected, "{program} {args:?}");
        }
        let merged =
            with_flags(find("claude").unwrap(), Path::new("claude"), &[], Path::new("/f"), McpMode::Merge);
        assert_eq!(merged.unwrap(), ["--mcp-config", "/f"]);
    }

    #[test]
    fn a_server_with_a_url_has_a_type() {
        let servers: Map<String, Value> = serde_json::from_str(
            r#"{"a":{"url":"u"},"b":{"command":"c"},"off":{"command":"c","disabled":true}}"#,
        )
        .unwrap();
        assert_eq!(bytes(&servers), br#"{"mcpServers":{"a":{"type":"http","url":"u"},"b":{"command":"c"}}}"#);
    }
}
