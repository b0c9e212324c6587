//! The command line of Cursor's agent: the prompt at its standard input, its events as stream-json.

use anyhow::Result;

use crate::protocol::ndjson::Cursor;
use crate::protocol::{Opening, Permission};
use crate::provider::launch::{Arguments, Dialect, LaunchPlan, LaunchRequest, Tells};
use crate::provider::row::OwnArgument;
use crate::provider::row::Takes::{Nothing, Optional, Value};

/// The arguments that a start sets, or that would change what they mean.
pub const OWN_ARGUMENTS: &[OwnArgument] = &[
    ("-p", Nothing),
    ("--print", Nothing),
    ("--output-format", Value),
    ("--stream-partial-output", Nothing),
    ("--yolo", Nothing),
    ("-f", Nothing),
    ("--force", Nothing),
    ("--trust", Nothing),
    ("--approve-mcps", Nothing),
    ("--resume", Optional),
    ("--continue", Nothing),
    ("--workspace", Value),
    ("--worktree", Optional),
    ("--mode", Value),
    ("--plan", Nothing),
    ("-c", Nothing),
    ("--cloud", Nothing),
];

/// How Cursor's agent is run.
pub const DIALECTS: &[Dialect] = &[Dialect {
    name: "stream-json",
    start: stream,
    listener: || Box::new(Cursor::conversation(Opening::Nothing, None)),
    tells: Tells { tokens: false, cost: false, turns: false },
}];

fn stream(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    let mut args = Arguments::of(&["-p", "--output-format", "stream-json"]);
    if request.permission == Permission::Allow {
        args.push("--yolo"); // without it, what would need one is refused
    }
    args.pair("--workspace", Some(request.work_dir));
    args.pair("--model", request.model);
    args.pair("--resume", request.resume);
    args.extend(request.custom);
    Ok(LaunchPlan::new(args.into_vec(), Cursor::conversation(request.prompt_as_input(), request.model)))
}
