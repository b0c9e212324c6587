//! The command line of Gemini CLI: the prompt at its standard input, its events as stream-json.

use anyhow::Result;

use crate::protocol::ndjson::Gemini;
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
    ("-r", Value),
    ("--resume", Value),
    ("--session-id", Value),
    ("--session-file", Value),
    ("--acp", Nothing),
    ("--experimental-acp", Nothing),
    ("-w", Optional),
    ("--worktree", Optional),
    ("--skip-trust", Nothing),
];

/// How Gemini CLI is run.
pub const DIALECTS: &[Dialect] = &[
    Dialect {
        name: "stream-json",
        start: stream,
        listener: || Box::new(Gemini::conversation(Opening::Nothing, None)),
        tells: Tells { tokens: false, cost: false, turns: false },
    },
    acp::GEMINI,
];

fn stream(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    let mut args = Arguments::of(&["-o", "stream-json", "--skip-trust", "--approval-mode"]);
    args.push(match request.permission {
        Permission::Allow => "yolo",
        Permission::Deny => "default", // what would need one is refused, because no one can be asked
    });
    args.pair("-m", request.model);
    args.session("--session-id", request);
    args.pair("--resume", request.resume);
    args.extend(request.custom);
    let conversation = Gemini::conversation(request.prompt_as_input(), request.model);
    Ok(LaunchPlan { session: request.fixed_session(), ..LaunchPlan::new(args.into_vec(), conversation) })
}
