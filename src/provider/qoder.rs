//! The command line of Qoder CLI: the prompt at its standard input, its events in Claude's stream-json.

use std::path::Path;

use anyhow::Result;

use super::acp;
use super::launch::{Arguments, Dialect, LaunchPlan, LaunchRequest, Tells};
use super::mcp_file;
use super::plan::McpMode;
use super::row::OwnArgument;
use super::row::Takes::{Nothing, Optional, Value};
use crate::layout::names;
use crate::protocol::ndjson::{Claude, Counting};
use crate::protocol::{Opening, Permission};

/// The arguments that a start sets, or that would change what they mean.
pub const OWN_ARGUMENTS: &[OwnArgument] = &[
    ("-p", Nothing),
    ("--print", Nothing),
    ("-i", Value),
    ("--prompt-interactive", Value),
    ("-o", Value),
    ("--output-format", Value),
    ("--input-format", Value),
    ("--permission-mode", Value),
    ("--dangerously-skip-permissions", Nothing),
    ("--yolo", Nothing),
    ("--mcp-config", Value),
    ("-r", Optional),
    ("--resume", Optional),
    ("-c", Nothing),
    ("--continue", Nothing),
    ("--session-id", Value),
    ("--fork-session", Nothing),
    ("--no-session-persistence", Nothing),
    ("--acp", Nothing),
    ("-w", Value),
    ("--cwd", Value),
    ("--worktree", Optional),
    ("--remote", Optional),
    ("--remote-session", Value),
    ("--teleport", Value),
    ("--remote-control", Value),
];

/// How Qoder CLI is run.
pub const DIALECTS: &[Dialect] = &[
    Dialect {
        name: "stream-json",
        start: stream,
        listener: || Box::new(Claude::fork(Opening::Nothing, None, Counting::Stated)),
        tells: Tells { tokens: true, cost: false, turns: true },
    },
    acp::QODER,
];

fn stream(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    let mut args = Arguments::of(&["-p", "--output-format", "stream-json", "--permission-mode"]);
    args.push(match request.permission {
        Permission::Allow => "bypass_permissions",
        Permission::Deny => "dont_ask", // what would need one is refused
    });
    let mut files = Vec::new();
    if let Some(servers) = request.servers {
        let file = Path::new(names::LAUNCH).join(names::LAUNCH_MCP);
        args.pair("--mcp-config", Some(request.env.path().join(&file)));
        if request.mcp_mode == McpMode::Strict {
            args.push("--strict-mcp-config");
        }
        files.push((file, mcp_file::bytes(servers)));
    }
    args.pair("--model", request.model);
    args.pair("--append-system-prompt", request.system_prompt);
    args.session("--session-id", request);
    args.pair("--resume", request.resume);
    args.extend(request.custom);
    let conversation = Claude::fork(request.input(request.prompt), request.model, Counting::Stated);
    let session = request.fixed_session();
    Ok(LaunchPlan { files, session, ..LaunchPlan::new(args.into_vec(), conversation) })
}
