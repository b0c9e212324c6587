//! Agents that are driven over the Agent Client Protocol: their command lines, and what is particular to each.
//!
//! As of OpenCode 1.18, Gemini 0.61, Qwen 0.24, Copilot 1.0.102, Hermes 0.19, Reasonix 1.38, Qoder 1.1, QwenPaw 2.2, Kimi
//! Code 2.1; the others were not tried: their rows are those of multica.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value};

use super::launch::{Arguments, Dialect, LaunchPlan, LaunchRequest, StartAgent, Tells};
use super::plan::{McpMode, is_switched_on};
use super::row::OwnArgument;
use super::row::Takes;
use super::{hermes, mcp_file, qwenpaw};
use crate::layout::names;
use crate::protocol::Permission;
use crate::protocol::acp::{Acp, AcpRequest, Counting, Profile};

/// One agent. One whose provider has a file of its own stands there.
pub(super) struct Agent {
    /// The arguments that make it speak the protocol.
    words: &'static [&'static str],
    /// Those by which it asks for no permission.
    allow: &'static [&'static str],
    /// Its plan, or its own configuration, has the task's MCP servers; else the session names them.
    knows_servers: bool,
    profile: Profile,
}

impl Agent {
    /// An agent whose home has the servers.
    pub(super) const fn new(
        words: &'static [&'static str],
        allow: &'static [&'static str],
        profile: Profile,
    ) -> Agent {
        Agent { words, allow, knows_servers: true, profile }
    }

    /// One that is told the servers with its session.
    pub(super) const fn told(
        words: &'static [&'static str],
        allow: &'static [&'static str],
        profile: Profile,
    ) -> Agent {
        Agent { words, allow, knows_servers: false, profile }
    }

    /// What it is started with.
    pub(super) fn plan(&self, request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
        let mut args = Arguments::of(self.words);
        if request.permission == Permission::Allow {
            self.allow.iter().for_each(|word| args.push(*word));
        }
        args.extend(request.custom);
        let mut notices = Vec::new();
        if request.system_prompt.is_some() && !self.profile.takes_system_prompt {
            notices.push(
                "this agent takes no text for its system prompt: `--system-prompt-file` has no effect".into(),
            );
        }
        let servers = request.servers.filter(|_| !self.knows_servers);
        let conversation = converse(request, servers, self.profile);
        Ok(LaunchPlan { notices, ..LaunchPlan::new(args.into_vec(), conversation) })
    }
}

/// The conversation with an agent that does as the protocol says.
pub(super) fn conversation(request: &LaunchRequest<'_>) -> Acp {
    converse(request, request.servers, Profile::PLAIN)
}

fn converse(request: &LaunchRequest<'_>, servers: Option<&Map<String, Value>>, profile: Profile) -> Acp {
    let mut servers = servers.cloned().unwrap_or_default();
    servers.retain(|_, server| is_switched_on(server));
    let request = AcpRequest {
        prompt: request.prompt.into(),
        system_prompt: request.system_prompt.map(str::to_owned),
        work_dir: request.work_dir.display().to_string(),
        model: request.model.map(str::to_owned),
        resume: request.resume.map(str::to_owned),
        servers,
        permission: request.permission,
    };
    Acp::new(request, profile)
}

/// Its dialect, which tells each request's `tokens` or not.
pub(super) const fn dialect(start: StartAgent, tokens: bool) -> Dialect {
    Dialect {
        name: "acp",
        start,
        listener: || Box::new(Acp::listener()),
        tells: Tells { tokens, cost: false, turns: false },
    }
}

/// Tokens of a prompt's last step only; MCP servers of its configuration.
pub const OPENCODE: Dialect =
    dialect(|request| Agent::new(&["acp"], &[], Profile::PLAIN).plan(request), false);

/// Does not end with its input. Counts tokens from the cache among the others.
pub const GEMINI: Dialect = dialect(
    |request| {
        let profile = Profile { leaves_on_eof: false, writes_over_id: true, ..Profile::PLAIN };
        Agent::new(&["--acp"], &["--approval-mode", "yolo"], profile).plan(request)
    },
    false,
);

/// Tells the tokens of each request with an empty text.
pub const QWEN: Dialect = dialect(
    |request| Agent::new(&["--acp"], &["--approval-mode", "yolo"], Profile::PLAIN).plan(request),
    true,
);

/// Tells errors of the model's server as its answer.
pub const COPILOT: Dialect = dialect(
    |request| {
        let profile = Profile { counting: Counting::Process, errors_as_text: true, ..Profile::PLAIN };
        Agent::new(&["--acp"], &["--allow-all"], profile).plan(request)
    },
    false,
);

/// Needs the `acp` extra of its package. A text before the prompt would stand there twice: it reads `AGENTS.md`.
pub const HERMES: Dialect = dialect(
    |request| {
        let profile = Profile {
            counting: Counting::Process,
            errors_as_text: true,
            errors_on_stderr: true,
            asks_by_call: false,
            takes_system_prompt: false,
            ..Profile::PLAIN
        };
        let mut plan = Agent::new(&["acp"], &[], profile).plan(request)?;
        if request.permission == Permission::Deny {
            // The environment's variable would approve everything.
            plan.variables = vec![(hermes::YOLO_VARIABLE.into(), "0".into())];
        }
        Ok(plan)
    },
    false,
);

/// Its shell runs in a sandbox that not every machine has, where the session does not say otherwise.
pub const REASONIX: Dialect = dialect(
    |request| {
        let allow_options = &[("tool_approval", "danger-full-access")];
        let profile = Profile { allow_options, ..Profile::PLAIN };
        Agent::told(&["acp"], &[], profile).plan(request)
    },
    true,
);

/// Gets its workspace by its command line.
pub const QWENPAW: Dialect = dialect(
    |request| {
        let mut plan = Agent::told(&["acp"], &[], Profile::PLAIN).plan(request)?;
        let is_ephemeral = |word: &OsString| word.to_string_lossy().starts_with(QWENPAW_EPHEMERAL);
        if request.resume.is_some() && request.custom.iter().any(is_ephemeral) {
            plan.notices.push(format!(
                "QwenPaw keeps no conversation with `{QWENPAW_EPHEMERAL}`: the session has the old id, and none of what was said"
            ));
        }
        plan.args.extend(["--workspace".into(), request.env.path().join(qwenpaw::HOME).into_os_string()]);
        Ok(plan)
    },
    false,
);

/// Does not end with its input, nor at once when it is asked to. Takes the servers by a file, as Claude Code does.
pub const QODER: Dialect = dialect(
    |request| {
        let profile = Profile { leaves_on_eof: false, ..Profile::PLAIN };
        let mut plan = Agent::new(&["--acp"], &["--yolo"], profile).plan(request)?;
        if let Some(servers) = request.servers {
            let file = Path::new(names::LAUNCH).join(names::LAUNCH_MCP);
            plan.args.extend(["--mcp-config".into(), request.env.path().join(&file).into_os_string()]);
            plan.args.extend((request.mcp_mode == McpMode::Strict).then(|| "--strict-mcp-config".into()));
            plan.files.push((file, mcp_file::bytes(servers)));
        }
        Ok(plan)
    },
    false,
);

/// The same program for China, whose way to take servers is unknown.
pub const QODERCLICN: Dialect = dialect(
    |request| {
        let profile = Profile { leaves_on_eof: false, ..Profile::PLAIN };
        Agent::told(&["--acp"], &["--yolo"], profile).plan(request)
    },
    false,
);

/// Errors of the model's server may stand on its standard error only.
pub const KIMI: Dialect = dialect(
    |request| {
        let profile = Profile { errors_on_stderr: true, ..Profile::PLAIN };
        Agent::told(&["acp"], &[], profile).plan(request)
    },
    false,
);

/// The same.
pub const KIRO: Dialect = dialect(
    |request| {
        let profile = Profile { errors_on_stderr: true, ..Profile::PLAIN };
        Agent::told(&["acp"], &["--trust-all-tools"], profile).plan(request)
    },
    false,
);

/// A fork of OpenCode, DeepSeek Harness, and MiniMax Code.
pub const SUBCOMMAND: Dialect =
    dialect(|request| Agent::told(&["acp"], &[], Profile::PLAIN).plan(request), false);

/// Its sessions may change nothing where they are not told otherwise.
pub const DIM: Dialect = dialect(
    |request| {
        let allow_options = &[("permission", "full-access"), ("mode", "agent")];
        let profile = Profile { allow_options, ..Profile::PLAIN };
        Agent::told(&["acp"], &[], profile).plan(request)
    },
    false,
);

/// The `grok` program of xAI.
pub const GROK: Dialect = dialect(
    |request| {
        let words: &[&str] = match request.permission {
            Permission::Allow => &["agent", "--always-approve", "stdio"],
            Permission::Deny => &["agent", "stdio"],
        };
        Agent { words, allow: &[], knows_servers: false, profile: Profile::PLAIN }.plan(request)
    },
    false,
);

/// Trae CLI.
pub const TRAECLI: Dialect =
    dialect(|request| Agent::told(&["acp", "serve"], &["--yolo"], Profile::PLAIN).plan(request), false);

/// The arguments that make an agent speak the protocol, or that would keep it from that.
pub const OWN_ARGUMENTS: &[OwnArgument] = &[
    ("acp", Takes::Nothing),
    ("--acp", Takes::Nothing),
    ("--yolo", Takes::Nothing),
    ("--help", Takes::Nothing),
    ("-h", Takes::Nothing),
];

/// The same for Kiro, where `--agent` stays the user's.
pub const KIRO_ARGUMENTS: &[OwnArgument] = &[
    ("acp", Takes::Nothing),
    ("-a", Takes::Nothing),
    ("--trust-all-tools", Takes::Nothing),
    ("--trust-tools", Takes::Value),
];

/// With this argument QwenPaw stores no session and finds none, and says nothing about that.
const QWENPAW_EPHEMERAL: &str = "--runtime-provider";

/// The same for QwenPaw.
pub const QWENPAW_ARGUMENTS: &[OwnArgument] = &[("acp", Takes::Nothing), ("--workspace", Takes::Value)];

/// The same for Dim, whose other modes start no session.
pub const DIM_ARGUMENTS: &[OwnArgument] = &[
    ("acp", Takes::Nothing),
    ("--auth-setup", Takes::Nothing),
    ("--remote", Takes::Nothing),
    ("--help", Takes::Nothing),
    ("-h", Takes::Nothing),
];

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::protocol::{Opening, Step};
    use crate::provider::registry;
    use crate::sys::tree::Tree;

    #[test]
    fn each_command_line_and_what_a_run_without_permissions_leaves_out() {
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let bare = LaunchRequest::example(&env, folder.path());
        let shown = |provider: &str, request: LaunchRequest<'_>| {
            let row = registry::find(provider).unwrap();
            let dialect = row.dialects.iter().find(|dialect| dialect.name == "acp").expect(provider);
            let mut plan = (dialect.start)(&request).unwrap();
            assert!(matches!(plan.conversation.open(), Opening::Frames(_)), "{provider}");
            let args: Vec<_> = plan.args.iter().map(|arg| arg.to_str().unwrap()).collect();
            args.join(" ").replace(folder.path().to_str().unwrap(), "@")
        };
        for (provider, allowed, denied) in [
            ("opencode", "acp", "acp"),
            ("gemini", "--acp --approval-mode yolo", "--acp"),
            ("qwen", "--acp --approval-mode yolo", "--acp"),
            ("copilot", "--acp --allow-all", "--acp"),
            ("hermes", "acp", "acp"),
            ("reasonix", "acp", "acp"),
            ("qwenpaw", "acp --workspace @/qwenpaw-home", "acp --workspace @/qwenpaw-home"),
            ("qoder", "--acp --yolo", "--acp"),
            ("qoderclicn", "--acp --yolo", "--acp"),
            ("kilo", "acp", "acp"),
            ("kimi", "acp", "acp"),
            ("kiro", "acp --trust-all-tools", "acp"),
            ("deveco", "acp", "acp"),
            ("dsh", "acp", "acp"),
            ("mcode", "acp", "acp"),
            ("dim", "acp", "acp"),
            ("grok", "agent --always-approve stdio", "agent stdio"),
            ("traecli", "acp serve --yolo", "acp serve"),
        ] {
            let qwenpaw = format!("@/{}", qwenpaw::HOME);
            let place = |text: &str| text.replace("@/qwenpaw-home", &qwenpaw);
            assert_eq!(shown(provider, bare), place(allowed), "{provider}");
            let denying = LaunchRequest { permission: Permission::Deny, ..bare };
            assert_eq!(shown(provider, denying), place(denied), "{provider}");
        }
        let servers = serde_json::from_str(r#"{"a":{"command":"c"}}"#).unwrap();
        let managed = LaunchRequest { servers: Some(&servers), ..bare };
        let expected = "--acp --yolo --mcp-config @/launch/mcp.json --strict-mcp-config";
        assert_eq!(shown("qoder", managed), expected);
        assert_eq!(shown("kimi", managed), "acp", "its session names them");
    }

    /// QwenPaw imports, and Kilo unpacks, for more than a minute on a machine that is busy.
    #[test]
    fn an_agent_may_be_silent_for_three_minutes_before_it_answers() {
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let mut plan = (SUBCOMMAND.start)(&LaunchRequest::example(&env, folder.path())).unwrap();
        plan.conversation.open();
        let begin = Instant::now();
        let given_up = (0..300).find(|second| {
            let mut step = Step::default();
            plan.conversation.tick(begin + Duration::from_secs(*second), &mut step);
            step.give_up.is_some()
        });
        assert_eq!(given_up, Some(180));
    }
}
