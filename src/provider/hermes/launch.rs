//! The command line of Hermes for one question and its answer as text.
//!
//! `-z` is never used: it ignores `--resume`, and prints errors as answers with status 0. As of 0.19.

use std::path::Path;

use anyhow::Result;

use crate::protocol::{Opening, Permission, Plain, SessionMark};
use crate::provider::launch::{Arguments, Dialect, LaunchPlan, LaunchRequest, Tells};
use crate::provider::row::OwnArgument;
use crate::provider::row::Takes::{Nothing, Optional, Value};

/// The arguments that execenv sets, or that would change what they mean.
pub const OWN_ARGUMENTS: &[OwnArgument] = &[
    ("acp", Nothing),
    ("chat", Nothing),
    ("-Q", Nothing),
    ("--quiet", Nothing),
    ("-q", Value),
    ("--query", Value),
    ("-z", Value),
    ("--yolo", Nothing),
    ("--resume", Value),
    ("-r", Value),
    ("--continue", Optional),
    ("-c", Optional),
    ("--worktree", Nothing),
    ("-w", Nothing),
    ("--tui", Nothing),
];

/// One question, its answer on standard output, the session's id on standard error.
pub const CHAT: Dialect = Dialect {
    name: "chat",
    start: chat,
    listener: || Box::new(conversation()),
    tells: Tells { tokens: false, cost: false, turns: true },
};

fn conversation() -> Plain {
    // It warns of a missing scanner on the stream of its answers.
    Plain::new(Opening::Nothing, SessionMark::Errors("session_id:")).with_noise(&["⚠ tirith"])
}

fn chat(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    let mut args = Arguments::of(&["chat", "-Q"]);
    if request.permission == Permission::Allow {
        args.push("--yolo");
    }
    args.pair("--model", request.model);
    args.pair("--max-turns", request.max_turns.map(|turns| turns.to_string()));
    if let Some(session) = request.resume {
        args.pair("--resume", Some(session));
        args.push("--no-restore-cwd"); // the work dir is the run's to say
    }
    args.extend(request.custom);
    let (prompt, files, notices) = request.prompt_argument();
    args.push(format!("--query={prompt}")); // one argument: a prompt may begin with a hyphen
    let variables = match request.permission {
        Permission::Allow => vec![],
        // The environment's variable would approve everything.
        Permission::Deny => vec![(super::YOLO_VARIABLE.into(), "0".into())],
    };
    Ok(LaunchPlan { files, notices, variables, ..LaunchPlan::new(args.into_vec(), conversation()) })
}

/// Whether the package lacks its `acp` extra: the program stands in the `bin` of a Python environment, which has no module of
/// that name then. Where it stands elsewhere nothing is known.
pub fn lacks_acp(program: &Path) -> bool {
    let Ok(program) = program.canonicalize() else { return false };
    let Some(lib) = program.parent().and_then(Path::parent).map(|env| env.join("lib")) else { return false };
    let pythons =
        lib.read_dir().into_iter().flatten().flatten().map(|entry| entry.path().join("site-packages"));
    let with_hermes: Vec<_> = pythons.filter(|packages| packages.join("hermes_cli").is_dir()).collect();
    !with_hermes.is_empty() && !with_hermes.iter().any(|packages| packages.join("acp").is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tree::Tree;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn the_extra_is_looked_for_beside_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bin/hermes");
        let packages = folder.path().join("lib/python3.11/site-packages");
        std::fs::create_dir_all(folder.path().join("bin")).unwrap();
        std::fs::write(&program, "").unwrap();
        assert!(!lacks_acp(&program), "not in a Python environment");
        std::fs::create_dir_all(packages.join("hermes_cli")).unwrap();
        assert!(lacks_acp(&program));
        std::fs::create_dir_all(packages.join("acp")).unwrap();
        assert!(!lacks_acp(&program));
    }

    #[test]
    fn a_resumed_question_stays_in_the_work_dir() {
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let bare = LaunchRequest::example(&env, folder.path());
        let text = |request: LaunchRequest<'_>| {
            let plan = chat(&request).unwrap();
            let args: Vec<_> = plan.args.iter().map(|arg| arg.to_str().unwrap().to_owned()).collect();
            (args.join("|"), plan.variables)
        };
        assert_eq!(text(bare), ("chat|-Q|--yolo|--query=go".into(), vec![]));
        let resumed = LaunchRequest { resume: Some("s"), model: Some("m"), max_turns: Some(2), ..bare };
        assert_eq!(
            text(resumed).0,
            "chat|-Q|--yolo|--model|m|--max-turns|2|--resume|s|--no-restore-cwd|--query=go"
        );
        let denied = text(LaunchRequest { permission: Permission::Deny, ..bare });
        assert_eq!(denied.0, "chat|-Q|--query=go");
        assert_eq!(denied.1, [("HERMES_YOLO_MODE".into(), "0".into())]);
    }
}
