//! The command line of Pi, and of its fork omp: the prompt at its standard input, its events as JSON.

use anyhow::Result;

use super::launch::{Arguments, Dialect, LaunchPlan, LaunchRequest, Tells};
use super::row::OwnArgument;
use super::row::Takes::{Nothing, Value};
use crate::protocol::ndjson::Pi;
use crate::protocol::{Opening, Permission};

/// The arguments that a start sets, or that would change what they mean.
pub const OWN_ARGUMENTS: &[OwnArgument] = &[
    ("-p", Nothing),
    ("--print", Nothing),
    ("--mode", Value),
    ("-c", Nothing),
    ("--continue", Nothing),
    ("-r", Nothing),
    ("--resume", Nothing),
    ("--session", Value),
    ("--fork", Value),
    ("--no-session", Nothing),
    ("--session-dir", Value),
    ("--thinking", Value),
    ("--export", Value),
    ("--list-models", Nothing),
];

/// How both are run.
pub const DIALECTS: &[Dialect] = &[Dialect {
    name: "json",
    start: json,
    listener: || Box::new(Pi::conversation(Opening::Nothing, None)),
    tells: Tells { tokens: true, cost: true, turns: true },
}];

fn json(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    let mut args = Arguments::of(&["-p", "--mode", "json"]);
    args.pair("--model", request.model);
    args.pair("--append-system-prompt", request.system_prompt);
    args.pair("--session", request.resume);
    args.extend(request.custom);
    let conversation = Pi::conversation(request.input(request.prompt), request.model);
    let mut plan = LaunchPlan::new(args.into_vec(), conversation);
    if request.permission == Permission::Deny {
        plan.notices
            .push("this agent asks for no permissions, so `--permission deny` changes nothing".into());
    }
    Ok(plan)
}
