//! The command line of Copilot CLI: the prompt at its standard input, its events as JSON.

use anyhow::Result;

use crate::protocol::ndjson::Copilot;
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
    ("--interactive", Value),
    ("--output-format", Value),
    ("--allow-all", Nothing),
    ("--allow-all-tools", Nothing),
    ("--allow-all-paths", Nothing),
    ("--allow-all-urls", Nothing),
    ("--yolo", Nothing),
    ("--no-ask-user", Nothing),
    ("-r", Optional),
    ("--resume", Optional),
    ("--continue", Nothing),
    ("--session-id", Value),
    ("--connect", Optional),
    ("--acp", Nothing),
    ("--usage-output-file", Value),
];

/// The file, below the run's temporary folder, in which it leaves what it used.
const USAGE: &str = "copilot-usage.json";

/// How Copilot CLI is run.
pub const DIALECTS: &[Dialect] = &[
    Dialect {
        name: "json",
        start: json,
        listener: || Box::new(Copilot::conversation(Opening::Nothing, None, None)),
        tells: Tells { tokens: false, cost: false, turns: true },
    },
    acp::COPILOT,
];

fn json(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    let mut args = Arguments::of(&["--output-format", "json", "--no-ask-user"]);
    if request.permission == Permission::Allow {
        args.push("--allow-all"); // without it, what would need one is refused
    }
    args.pair("--model", request.model);
    args.session("--session-id", request);
    if let Some(id) = request.resume {
        args.push(format!("--resume={id}"));
    }
    // For a resumed session it would state what all its runs used.
    let usage = request.resume.is_none().then(|| request.temporary.join(USAGE));
    args.pair("--usage-output-file", usage.as_ref());
    args.extend(request.custom);
    let conversation = Copilot::conversation(request.prompt_as_input(), request.model, usage);
    Ok(LaunchPlan { session: request.fixed_session(), ..LaunchPlan::new(args.into_vec(), conversation) })
}
