//! The command line of `reasonix run`: the prompt at its standard input, its events as stream-json.

use anyhow::Result;

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
    request.refuse_servers("reasonix run", "reasonix acp")?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;
    use crate::provider;
    use crate::sys::tree::Tree;

    #[test]
    fn the_dialect_that_takes_servers_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let servers = serde_json::from_str(r#"{"a":{"command":"c"}}"#).unwrap();
        let request =
            LaunchRequest { servers: Some(&servers), ..LaunchRequest::example(&env, folder.path()) };
        let refused = stream(&request).unwrap_err();
        let hint = refused.downcast_ref::<Failure>().unwrap().hint.clone().unwrap();
        assert!(hint.contains("`--dialect acp`"), "{hint}");
        let dialects = provider::find("reasonix").unwrap().dialects;
        let acp = dialects.iter().find(|dialect| dialect.name == "acp").unwrap();
        (acp.start)(&request).unwrap();
    }
}
