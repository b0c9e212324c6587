//! Antigravity: prints its answer as plain text, and the id of its conversation in a log file. As of 1.0.

use anyhow::Result;

use super::launch::{Arguments, Dialect, LaunchPlan, LaunchRequest, Tells};
use super::row::OwnArgument;
use super::row::Takes::{Nothing, Value};
use crate::protocol::{Opening, Permission, Plain, SessionMark};

/// The arguments that execenv sets, or that would change what they mean.
pub const OWN_ARGUMENTS: &[OwnArgument] = &[
    ("-p", Value),
    ("--print", Value),
    ("--prompt", Value),
    ("-i", Nothing),
    ("--prompt-interactive", Nothing),
    ("-c", Nothing),
    ("--continue", Nothing),
    ("--conversation", Value),
    ("--model", Value),
    ("--print-timeout", Value),
    ("--dangerously-skip-permissions", Nothing),
    ("--log-file", Value),
];

/// How it is run.
pub const DIALECTS: &[Dialect] = &[Dialect {
    name: "text",
    start: text,
    listener: || Box::new(Plain::new(Opening::Nothing, SessionMark::None)),
    tells: Tells { tokens: false, cost: false, turns: false },
}];

/// The log, in the run's folder for temporary files.
const LOG: &str = "antigravity.log";

fn text(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    let log = request.temporary.join(LOG);
    let (prompt, files, notices) = request.prompt_argument();
    let mut args = Arguments::of(&["-p", &prompt]);
    if request.permission == Permission::Allow {
        args.push("--dangerously-skip-permissions");
    }
    args.pair("--model", request.model);
    args.pair("--log-file", Some(&log));
    args.pair("--conversation", request.resume);
    args.extend(request.custom);
    let conversation = Plain::new(Opening::Nothing, SessionMark::File(log, "conversation="));
    Ok(LaunchPlan { files, notices, ..LaunchPlan::new(args.into_vec(), conversation) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tree::Tree;
    use std::path::Path;

    #[test]
    fn the_conversation_is_in_the_log_of_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let request = LaunchRequest {
            temporary: Path::new("/tmp/x"),
            resume: Some("c1"),
            ..LaunchRequest::example(&env, folder.path())
        };
        let plan = text(&request).unwrap();
        let args: Vec<_> = plan.args.iter().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(
            args.join("|"),
            "-p|go|--dangerously-skip-permissions|--log-file|/tmp/x/antigravity.log|--conversation|c1"
        );
        assert_eq!(plan.conversation.closing_file(), Some(Path::new("/tmp/x/antigravity.log")));
    }
}
