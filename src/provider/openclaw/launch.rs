//! The command line of OpenClaw for one turn.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use anyhow::Result;
use serde_json::Value as Json;

use super::home::CONFIG_VARIABLE;
use crate::protocol::OpenClaw;
use crate::provider::launch::{Arguments, Dialect, LaunchPlan, LaunchRequest, Tells};
use crate::provider::row::OwnArgument;
use crate::provider::row::Takes::{Nothing, Value};

/// The longest configuration of a task that is read, in bytes.
const LONGEST_CONFIG: u64 = 4 << 20;

/// A week, in seconds. Without a limit of its own it ends a turn after ten minutes; those of the run are the user's to set.
const NO_LIMIT: &str = "604800";

/// The arguments that execenv sets, or that would change what they mean.
pub const OWN_ARGUMENTS: &[OwnArgument] = &[
    ("--local", Nothing),
    ("--json", Nothing),
    ("--session-id", Value),
    ("--message", Value),
    ("-m", Value),
    ("--model", Value),
    ("--system-prompt", Value),
];

/// How OpenClaw is run.
pub const DIALECTS: &[Dialect] = &[Dialect {
    name: "json",
    start: one_turn,
    listener: || Box::new(OpenClaw::new(None)),
    tells: Tells { tokens: false, cost: false, turns: false },
}];

/// Plans one turn. A new session gets an id of ours, so that it can be resumed after a crash. What is asked for as the model is one
/// of OpenClaw's agents.
///
/// # Errors
/// None.
pub fn one_turn(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    let mut args = Arguments::of(&["agent", "--json"]);
    if !has_gateway(request) {
        args.push("--local");
    }
    let session = request.resume.unwrap_or(request.new_session);
    args.pair("--session-id", Some(session));
    if !is_given(request, "--agent") {
        args.pair("--agent", request.model);
    }
    if !is_given(request, "--timeout") {
        args.pair("--timeout", Some(NO_LIMIT));
    }
    args.extend(request.custom);
    let (prompt, files, mut notices) = request.prompt_argument();
    let message = match request.system_prompt {
        Some(system) => format!("{system}\n\n{prompt}"),
        None => prompt,
    };
    args.push(format!("--message={message}")); // one argument: a prompt may begin with a hyphen
    if request.max_turns.is_some() {
        notices.push("OpenClaw takes no limit on turns".to_owned());
    }
    let conversation = OpenClaw::new(Some(session));
    let session = Some(session.to_owned());
    Ok(LaunchPlan { session, files, notices, ..LaunchPlan::new(args.into_vec(), conversation) })
}

/// Whether the user's own arguments have a flag.
fn is_given(request: &LaunchRequest<'_>, flag: &str) -> bool {
    let of = |arg: &OsString| arg.to_str().is_some_and(|arg| arg.split('=').next() == Some(flag));
    request.custom.iter().any(of)
}

/// Whether the task names a gateway: the configuration that was made for it says so.
fn has_gateway(request: &LaunchRequest<'_>) -> bool {
    let file = request.variables.iter().find(|(name, _)| name == OsStr::new(CONFIG_VARIABLE));
    let config = || -> Option<Json> {
        let file = Path::new(&file?.1).strip_prefix(request.env.path()).ok()?;
        serde_json::from_slice(&request.env.read(file, LONGEST_CONFIG).ok()??).ok()
    };
    config().is_some_and(|config| config["gateway"].is_object())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tree::Tree;

    #[test]
    fn the_session_is_ours_and_the_message_comes_last() {
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let bare = LaunchRequest::example(&env, folder.path());
        let args = |request: LaunchRequest<'_>| {
            let plan = one_turn(&request).unwrap();
            let args = plan.args.iter().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join("|");
            (args.replace(bare.new_session, "@"), plan.session.unwrap().replace(bare.new_session, "@"))
        };
        assert_eq!(
            args(bare),
            ("agent|--json|--local|--session-id|@|--timeout|604800|--message=go".into(), "@".into())
        );
        let custom = ["--agent=other".into()];
        for (custom, rest) in
            [(&[][..], "--agent|main|--timeout|604800"), (&custom[..], "--timeout|604800|--agent=other")]
        {
            let (args, session) = args(LaunchRequest {
                model: Some("main"),
                system_prompt: Some("be brief"),
                resume: Some("s"),
                custom,
                ..bare
            });
            let expected = format!("agent|--json|--local|--session-id|s|{rest}|--message=be brief\n\ngo");
            assert_eq!((args, session.as_str()), (expected, "s"));
        }
    }

    #[test]
    fn a_gateway_is_not_local() {
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let file = Path::new("openclaw.json");
        env.create_unseen(file, br#"{"gateway":{"port":7}}"#, 0o600).unwrap();
        let variables = [(CONFIG_VARIABLE.into(), env.path().join(file).into())];
        let request = LaunchRequest { variables: &variables, ..LaunchRequest::example(&env, folder.path()) };
        assert!(one_turn(&request).unwrap().args.iter().all(|arg| arg != "--local"));
    }
}
