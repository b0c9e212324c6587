//! The command line of `reasonix run`: the prompt at its standard input, its events as stream-json.

use anyhow::Result;

use crate::failure::{Code, Failure};
use crate::protocol::ndjson::Reasonix;
use crate::protocol::{Opening, Permission};
use crate::provider::launch::{Arguments, Dialect, LaunchPlan, LaunchRequest, Tells};
use crate::provider::row::OwnArgument;
use crate::provider::row::Takes::{Nothing, Value};

/// The arguments that a start sets, or that would change what they mean.
pub const OWN_ARGUMENTS: &[OwnArgument] = &[
    ("acp", Nothing),
    ("-p", Nothing),
    ("--print", Nothing),
    ("--output-format", Value),
    ("--events-jsonl", Nothing),
    ("--permission-mode", Value),
    ("--dir", Value),
    ("--resume", Value),
    ("-c", Nothing),
    ("--continue", Nothing),
    ("--copy", Nothing),
    ("--takeover", Nothing),
    ("--max-steps", Value),
];

/// How Reasonix is run.
pub const STREAM: Dialect = Dialect {
    name: "stream-json",
    start: stream,
    listener: || Box::new(Reasonix::conversation(Opening::Nothing, None)),
    tells: Tells { tokens: true, cost: false, turns: true },
};

fn stream(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    if request.servers.is_some_and(|servers| !servers.is_empty()) {
        let message = "`reasonix run` takes no MCP servers, so the task's would be missing";
        return Err(Failure::new(Code::Usage, message)
            .hint("prepare the environment without `--mcp-config`, or run a program of your own: `execenv run ENV -- PROGRAM`")
            .into());
    }
    let mut args = Arguments::of(&["run", "--output-format", "stream-json", "--permission-mode"]);
    args.push(match request.permission {
        Permission::Allow => "danger-full-access",
        Permission::Deny => "workspace-write", // what would need one is refused
    });
    args.pair("--model", request.model);
    args.pair("--max-steps", request.max_turns.map(|turns| turns.to_string()));
    args.pair("--resume", request.resume);
    args.extend(request.custom);
    let conversation = Reasonix::conversation(request.prompt_as_input(), request.model);
    Ok(LaunchPlan::new(args.into_vec(), conversation))
}
