//! The command line of Qwen Code: the prompt at its standard input, its events in Claude's stream-json.

use anyhow::Result;

use crate::protocol::ndjson::{Claude, Counting};
use crate::protocol::{Opening, Permission};
use crate::provider::acp;
use crate::provider::launch::{Arguments, Dialect, LaunchPlan, LaunchRequest, Tells};
use crate::provider::row::OwnArgument;
use crate::provider::row::Takes::{Nothing, Optional, Value};

/// The arguments that a start sets, or that would change what they mean.
pub const OWN_ARGUMENTS: &[OwnArgument] = &[
    ("-p", Value),
    ("--prompt", Value),
    ("-i", Value),
    ("--prompt-interactive", Value),
    ("-y", Nothing),
    ("--yolo", Nothing),
    ("--approval-mode", Value),
    ("-o", Value),
    ("--output-format", Value),
    ("--input-format", Value),
    ("-r", Optional),
    ("--resume", Optional),
    ("-c", Nothing),
    ("--continue", Nothing),
    ("--session-id", Value),
    ("--fork-session", Nothing),
    ("--acp", Nothing),
    ("--experimental-acp", Nothing),
    ("--worktree", Value),
    ("--chat-recording", Value),
    ("--json-file", Value),
    ("--json-fd", Value),
    ("--input-file", Value),
];

/// How Qwen Code is run.
pub const DIALECTS: &[Dialect] = &[
    Dialect {
        name: "stream-json",
        start: stream,
        listener: || Box::new(Claude::fork(Opening::Nothing, None, Counting::Summed)),
        tells: Tells { tokens: true, cost: false, turns: true },
    },
    acp::QWEN,
];

fn stream(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    let mut args = Arguments::of(&["-o", "stream-json", "--approval-mode"]);
    args.push(match request.permission {
        Permission::Allow => "yolo",
        Permission::Deny => "default", // what would need one is refused, because no one can be asked
    });
    args.pair("-m", request.model);
    args.pair("--max-session-turns", request.max_turns.map(|turns| turns.to_string()));
    args.pair("--append-system-prompt", request.system_prompt);
    args.session("--session-id", request);
    args.pair("--resume", request.resume);
    args.extend(request.custom);
    let conversation = Claude::fork(request.input(request.prompt), request.model, Counting::Summed);
    Ok(LaunchPlan { session: request.fixed_session(), ..LaunchPlan::new(args.into_vec(), conversation) })
}
