//! The command line of `opencode run`: the prompt at its standard input, its events as JSON.

use anyhow::Result;

use crate::protocol::ndjson::OpenCode;
use crate::protocol::{Opening, Permission};
use crate::provider::acp;
use crate::provider::launch::{Arguments, Dialect, LaunchPlan, LaunchRequest, Tells};
use crate::provider::row::OwnArgument;
use crate::provider::row::Takes::{Nothing, Value};

/// The arguments that a start sets, or that would change what they mean.
pub const OWN_ARGUMENTS: &[OwnArgument] = &[
    ("acp", Nothing),
    ("--format", Value),
    ("--dir", Value),
    ("--variant", Value),
    ("--auto", Nothing),
    ("--dangerously-skip-permissions", Nothing),
    ("-s", Value),
    ("--session", Value),
    ("-c", Nothing),
    ("--continue", Nothing),
    ("--fork", Nothing),
    ("--attach", Value),
    ("--port", Value),
    ("-i", Nothing),
    ("--interactive", Nothing),
    ("--command", Value),
];

/// How OpenCode is run.
pub const DIALECTS: &[Dialect] = &[JSON, acp::OPENCODE];

/// Its own events.
pub const JSON: Dialect = Dialect {
    name: "json",
    start: json,
    listener: || Box::new(OpenCode::conversation(Opening::Nothing, None)),
    tells: Tells { tokens: true, cost: true, turns: true },
};

fn json(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    let mut args = Arguments::of(&["run", "--format", "json"]);
    if request.permission == Permission::Allow {
        args.push("--auto"); // without it, what would need one is refused
    }
    args.pair("-m", request.model);
    args.pair("-s", request.resume);
    args.extend(request.custom);
    Ok(LaunchPlan::new(args.into_vec(), OpenCode::conversation(request.prompt_as_input(), request.model)))
}
