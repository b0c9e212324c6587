//! The command line of Claude Code, and of its fork CodeBuddy.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use anyhow::Result;

use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::protocol::Permission;
use crate::protocol::ndjson::Claude;
use crate::provider::launch::{Arguments, Dialect, LaunchPlan, LaunchRequest, Tells};
use crate::provider::mcp_file;
use crate::provider::plan::McpMode;
use crate::provider::row::OwnArgument;
use crate::provider::row::Takes::{Nothing, Optional, Value};

/// The arguments that [`stream`] sets, or that would change what they mean.
pub const OWN_ARGUMENTS: &[OwnArgument] = &[
    ("-p", Nothing),
    ("--print", Nothing),
    ("--output-format", Value),
    ("--input-format", Value),
    ("--permission-mode", Value),
    ("--mcp-config", Value),
    ("--effort", Value),
    ("--resume", Optional),
    ("-r", Optional),
    ("--continue", Nothing),
    ("-c", Nothing),
    ("--session-id", Value),
    ("--fork-session", Nothing),
    ("--replay-user-messages", Nothing),
    ("--no-session-persistence", Nothing),
];

/// How Claude Code is run.
pub const DIALECTS: &[Dialect] = &[Dialect {
    name: "stream-json",
    start: stream,
    listener: || Box::new(Claude::new(String::new(), None, Permission::Allow)),
    tells: Tells { tokens: true, cost: true, turns: true },
}];

/// Plans one start: stream-json in both directions.
///
/// # Errors
/// Where the CLI would refuse to start.
pub fn stream(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    check_root(request.is_root, request.variables)?;
    let mut args = Arguments::of(&[
        "-p",
        "--output-format",
        "stream-json",
        "--input-format",
        "stream-json",
        "--verbose", // demanded by the CLI for stream-json in print mode
        "--permission-mode",
        match request.permission {
            Permission::Allow => "bypassPermissions",
            Permission::Deny => "default", // what would need one is refused,
        },
        "--disallowedTools",
        "AskUserQuestion", // no person answers it; the agent would continue with an empty answer
    ]);
    let mut files = Vec::new();
    if let Some(servers) = request.servers {
        let file = Path::new(names::LAUNCH).join(names::LAUNCH_MCP);
        args.pair("--mcp-config", Some(request.env.path().join(&file)));
        files.push((file, mcp_file::bytes(servers)));
    }
    args.pair("--model", request.model);
    args.pair("--max-turns", request.max_turns.map(|turns| turns.to_string()));
    args.pair("--max-budget-usd", request.max_cost.map(|cost| cost.to_string()));
    args.pair("--append-system-prompt", request.system_prompt);
    args.pair("--resume", request.resume);
    if request.servers.is_some() && request.mcp_mode == McpMode::Strict {
        args.push("--strict-mcp-config");
    }
    args.extend(request.custom);
    // Last, so that it wins over one that was asked for.
    let settings = Path::new(super::SETTINGS);
    if matches!(request.env.kind(settings), Ok(Some(_))) {
        args.pair("--settings", Some(request.env.path().join(settings)));
    }
    let new = Claude::new(request.prompt.into(), request.model.map(str::to_owned), request.permission);
    let conversation = if request.resume.is_some() { new.resuming() } else { new };
    Ok(LaunchPlan { files, ..LaunchPlan::new(args.into_vec(), conversation) })
}

/// As root Claude Code bypasses permissions only where `IS_SANDBOX` is exactly `1`; it takes no other value.
///
/// # Errors
/// [`Code::AgentNotStarted`], where it would refuse.
pub fn check_root(is_root: bool, env: &[(OsString, OsString)]) -> Result<(), Failure> {
    let told = env.iter().any(|(name, value)| name == "IS_SANDBOX" && value == OsStr::new("1"));
    if !is_root || told {
        return Ok(());
    }
    Err(Failure::new(
        Code::AgentNotStarted,
        "Claude Code does not run unattended as root unless the variable IS_SANDBOX is exactly 1",
    )
    .hint("run as another user, or, if this machine may be changed by the agent, add `--env IS_SANDBOX=1`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tree::Tree;

    #[test]
    fn every_choice_has_its_flag_and_custom_comes_last() {
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let servers = serde_json::from_str(r#"{"a":{"command":"c"},"off":{"disabled":true}}"#).unwrap();
        let custom = ["--add-dir".into(), "/x".into()];
        let bare = LaunchRequest::example(&env, folder.path());
        let args = |request: LaunchRequest<'_>| {
            let plan = stream(&request).unwrap();
            let text: Vec<_> = plan.args[10..].iter().map(|arg| arg.to_str().unwrap()).collect();
            let text = text.join("|").replace(folder.path().to_str().unwrap(), "@");
            let file = plan.files.first().map(|(_, bytes)| String::from_utf8(bytes.clone()).unwrap());
            (text, file)
        };
        assert_eq!(args(bare), (String::new(), None));
        let (text, file) = args(LaunchRequest {
            servers: Some(&servers),
            model: Some("opus"),
            max_turns: Some(3),
            max_cost: Some(0.5),
            system_prompt: Some("be brief"),
            resume: Some("s1"),
            custom: &custom,
            ..bare
        });
        assert_eq!(
            text,
            "--mcp-config|@/launch/mcp.json|--model|opus|--max-turns|3|--max-budget-usd|0.5|--append-system-prompt|be brief|--resume|s1|\
             --strict-mcp-config|--add-dir|/x"
        );
        assert_eq!(file.unwrap(), r#"{"mcpServers":{"a":{"command":"c"}}}"#);
        let merged = args(LaunchRequest { servers: Some(&servers), mcp_mode: McpMode::Merge, ..bare });
        assert_eq!(merged.0, "--mcp-config|@/launch/mcp.json");
        env.create_unseen(Path::new(crate::provider::claude::SETTINGS), b"{}", 0o600).unwrap();
        assert_eq!(args(bare).0, format!("--settings|@/{}", crate::provider::claude::SETTINGS));
    }

    #[test]
    fn root_needs_the_exact_word() {
        let env = |value: &str| vec![(OsString::from("IS_SANDBOX"), OsString::from(value))];
        assert!(check_root(false, &[]).is_ok());
        assert!(check_root(true, &env("1")).is_ok());
        assert_eq!(check_root(true, &env("yes")).unwrap_err().code, Code::AgentNotStarted);
        assert!(check_root(true, &[]).is_err());
    }
}
