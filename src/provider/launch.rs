//! How `run` starts a provider's agent: what it is told, and what it answers.
//!
//! A [`Dialect`] is one way to hold a conversation with an agent CLI. It is a value in the provider's row; its function
//! turns a [`LaunchRequest`] into a [`LaunchPlan`], which is plain data but for the conversation. It reads, and changes
//! nothing: `run` writes the files and starts the program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value};

use super::description::Description;
use super::plan::McpMode;
use super::version::Version;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::protocol::{Conversation, Opening, Permission};
use crate::sys::tree::Tree;

/// One way to run an agent CLI.
#[derive(Debug)]
pub struct Dialect {
    /// Its name for `--dialect`.
    pub name: &'static str,
    /// Plans one start.
    pub start: StartAgent,
    /// A conversation that only listens: it reads the log of a run that died.
    pub listener: fn() -> Box<dyn Conversation>,
    /// What the CLI says of what it uses up.
    pub tells: Tells,
}

/// Plans one start of an agent; called again where a session cannot be resumed.
pub type StartAgent = fn(&LaunchRequest<'_>) -> Result<LaunchPlan>;

/// What a CLI says, while it works, of what it uses up. A bound on something that it never says is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tells {
    /// Tokens.
    pub tokens: bool,
    /// The price in US dollars.
    pub cost: bool,
    /// Where a turn of the model ends, or the CLI takes a limit on turns.
    pub turns: bool,
}

/// What is known before a start, the same for all providers.
#[derive(Clone, Copy, Debug)]
pub struct LaunchRequest<'a> {
    /// The provider's name.
    pub provider: &'static str,
    /// How to start it, where the user has described it.
    pub described: Option<&'static Description>,
    /// The prompt; never blank.
    pub prompt: &'a str,
    /// The requested model.
    pub model: Option<&'a str>,
    /// The most turns.
    pub max_turns: Option<u32>,
    /// The highest price in US dollars, for a CLI that says only at its end what it has cost.
    pub max_cost: Option<f64>,
    /// A text for the system prompt.
    pub system_prompt: Option<&'a str>,
    /// The session to resume.
    pub resume: Option<&'a str>,
    /// An id for the session where none is resumed: a UUID. A CLI that takes one can be resumed after a crash before its
    /// first word.
    pub new_session: &'a str,
    /// Further arguments, without those of the row's `own_arguments`.
    pub custom: &'a [OsString],
    /// The task's MCP servers, in the one form of [`super::mcp_reader`]; `None`: the task manages none.
    pub servers: Option<&'a Map<String, Value>>,
    /// Whether the agent sees the user's own servers too.
    pub mcp_mode: McpMode,
    /// What an agent that asks for a permission is answered.
    pub permission: Permission,
    /// The program's version, where it printed one.
    pub version: Option<Version>,
    /// The env root.
    pub env: &'a Tree,
    /// The folder that the agent runs in.
    pub work_dir: &'a Path,
    /// The agent's private folder for temporary files; removed with the run.
    pub temporary: &'a Path,
    /// The agent's variables.
    pub variables: &'a [(OsString, OsString)],
    /// Whether the agent runs as root.
    pub is_root: bool,
}

/// A file of mode 0600: its path relative to the env root, and what it holds.
pub type PrivateFile = (PathBuf, Vec<u8>);

/// The longest prompt that is passed as an argument, in bytes: Linux takes 128 KiB for one.
const LONGEST_ARGUMENT: usize = 100 << 10;

impl LaunchRequest<'_> {
    /// Refuses the task's MCP servers for a command line that cannot take them; `taking` is the one of the dialect `acp`,
    /// which can.
    pub(super) fn refuse_servers(&self, command: &str, taking: &str) -> Result<()> {
        if self.servers.is_none_or(Map::is_empty) {
            return Ok(());
        }
        let message = format!("`{command}` takes no MCP servers, so the task's would be missing");
        let hint = format!(
            "`{taking}` takes them: add `--dialect acp`; or prepare the environment without `--mcp-config`"
        );
        Err(Failure::new(Code::Usage, message).hint(hint).into())
    }

    /// The prompt for a CLI that takes it by its command line only, where every user of the machine can read it. One that is too long
    /// goes into a file, and the prompt names it. Returns the prompt, the files and the notices of the plan.
    pub(super) fn prompt_argument(&self) -> (String, Vec<PrivateFile>, Vec<String>) {
        if self.prompt.len() <= LONGEST_ARGUMENT {
            return (self.prompt.to_owned(), Vec::new(), Vec::new());
        }
        let file = Path::new(names::LAUNCH).join(names::LAUNCH_PROMPT);
        let path = self.env.path().join(&file);
        let prompt = format!(
            "Your task is written in the file {}. Read it whole, and do what it says.",
            path.display()
        );
        let notice = format!(
            "the prompt is too long for a command line; the agent is told to read it from {}",
            path.display()
        );
        (prompt, vec![(file, self.prompt.as_bytes().to_vec())], vec![notice])
    }

    /// This text as the whole of the agent's standard input.
    pub(super) fn input(&self, text: &str) -> Opening {
        Opening::Whole(text.as_bytes().to_vec())
    }

    /// The prompt as the whole of the agent's standard input, after the text for the system prompt: for a CLI that takes
    /// no such text.
    pub(super) fn prompt_as_input(&self) -> Opening {
        match self.system_prompt {
            Some(system) => self.input(&format!("{system}\n\n{}", self.prompt)),
            None => self.input(self.prompt),
        }
    }

    /// The session of a CLI that takes its id up front.
    pub(super) fn fixed_session(&self) -> Option<String> {
        Some(self.resume.unwrap_or(self.new_session).to_owned())
    }
}

/// One start of an agent.
#[derive(Debug)]
pub struct LaunchPlan {
    /// The arguments after the program's name. Every user of the machine can see them: never a secret.
    pub args: Vec<OsString>,
    /// Variables besides those of the request.
    pub variables: Vec<(OsString, OsString)>,
    /// Files that are written before the start.
    pub files: Vec<PrivateFile>,
    /// The session's id, where it is known before the agent's first word.
    pub session: Option<String>,
    /// What a person should know.
    pub notices: Vec<String>,
    /// The conversation with the agent.
    pub conversation: Box<dyn Conversation>,
}

impl LaunchPlan {
    /// A plan of arguments and a conversation.
    pub fn new(args: Vec<OsString>, conversation: impl Conversation + 'static) -> LaunchPlan {
        LaunchPlan {
            args,
            variables: Vec::new(),
            files: Vec::new(),
            session: None,
            notices: Vec::new(),
            conversation: Box::new(conversation),
        }
    }
}

/// A command line under construction.
#[derive(Debug, Default)]
pub struct Arguments(Vec<OsString>);

impl Arguments {
    /// Begins with these.
    pub fn of(args: &[&str]) -> Arguments {
        Arguments(args.iter().map(OsString::from).collect())
    }

    /// Adds an argument.
    pub fn push(&mut self, arg: impl Into<OsString>) {
        self.0.push(arg.into());
    }

    /// Adds a flag with its value, where there is one.
    pub fn pair(&mut self, flag: &str, value: Option<impl Into<OsString>>) {
        if let Some(value) = value {
            self.0.extend([flag.into(), value.into()]);
        }
    }

    /// Adds the id of a new session, where none is resumed.
    pub(super) fn session(&mut self, flag: &str, request: &LaunchRequest<'_>) {
        if request.resume.is_none() {
            self.pair(flag, Some(request.new_session));
        }
    }

    /// Adds arguments as they are.
    pub fn extend(&mut self, args: &[OsString]) {
        self.0.extend_from_slice(args);
    }

    /// The arguments.
    pub fn into_vec(self) -> Vec<OsString> {
        self.0
    }
}

impl<'a> LaunchRequest<'a> {
    /// A request with nothing but a prompt.
    pub fn example(env: &'a Tree, work_dir: &'a Path) -> LaunchRequest<'a> {
        LaunchRequest {
            provider: "test",
            described: None,
            prompt: "go",
            model: None,
            max_turns: None,
            max_cost: None,
            system_prompt: None,
            resume: None,
            new_session: "6f2c7b1e-0000-4000-8000-000000000001",
            custom: &[],
            servers: None,
            mcp_mode: McpMode::Strict,
            permission: Permission::Allow,
            version: None,
            env,
            work_dir,
            temporary: work_dir,
            variables: &[],
            is_root: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider;

    /// The command lines of the CLIs that get their prompt at standard input: bare, and with every choice.
    #[test]
    fn each_command_line_is_as_the_cli_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let servers = serde_json::from_str(r#"{"a":{"command":"c"}}"#).unwrap();
        let custom = ["--own".into()];
        let bare = LaunchRequest { new_session: "NEW", ..LaunchRequest::example(&env, folder.path()) };
        let full = LaunchRequest {
            model: Some("M"),
            max_turns: Some(3),
            system_prompt: Some("S"),
            resume: Some("OLD"),
            custom: &custom,
            servers: Some(&servers),
            permission: Permission::Deny,
            ..bare
        };
        for (name, dialect, plain, chosen, session) in [
            (
                "gemini",
                "stream-json",
                "-o stream-json --skip-trust --approval-mode yolo --session-id NEW",
                "-o stream-json --skip-trust --approval-mode default -m M --resume OLD --own",
                Some("NEW"),
            ),
            (
                "qwen",
                "stream-json",
                "-o stream-json --approval-mode yolo --session-id NEW",
                "-o stream-json --approval-mode default -m M --max-session-turns 3 --append-system-prompt S \
                 --resume OLD --own",
                Some("NEW"),
            ),
            (
                "qoder",
                "stream-json",
                "-p --output-format stream-json --permission-mode bypass_permissions --session-id NEW",
                "-p --output-format stream-json --permission-mode dont_ask --mcp-config @/launch/mcp.json \
                 --strict-mcp-config --model M --append-system-prompt S --resume OLD --own",
                Some("NEW"),
            ),
            (
                "copilot",
                "json",
                "--output-format json --no-ask-user --allow-all --session-id NEW --usage-output-file \
                 @/copilot-usage.json",
                "--output-format json --no-ask-user --model M --resume=OLD --own",
                Some("NEW"),
            ),
            ("opencode", "json", "run --format json --auto", "run --format json -m M -s OLD --own", None),
            (
                "pi",
                "json",
                "-p --mode json",
                "-p --mode json --model M --append-system-prompt S --session OLD --own",
                None,
            ),
            (
                "reasonix",
                "stream-json",
                "run --output-format stream-json --permission-mode danger-full-access",
                "run --output-format stream-json --permission-mode workspace-write --model M --max-steps 3 --resume \
                 OLD --own",
                None,
            ),
            (
                "cursor",
                "stream-json",
                "-p --output-format stream-json --yolo --workspace @",
                "-p --output-format stream-json --workspace @ --model M --resume OLD --own",
                None,
            ),
        ] {
            let row = provider::find(name).unwrap();
            let dialect = row.dialects.iter().find(|known| known.name == dialect).unwrap();
            let plan = |request: &LaunchRequest<'_>| (dialect.start)(request).unwrap();
            let line = |plan: &LaunchPlan| {
                let args: Vec<_> = plan.args.iter().map(|arg| arg.to_str().unwrap()).collect();
                args.join(" ").replace(folder.path().to_str().unwrap(), "@")
            };
            let mut new = plan(&bare);
            assert_eq!(line(&new), plain, "{name}");
            assert_eq!(new.session.as_deref(), session, "{name}");
            assert_eq!(new.conversation.open(), Opening::Whole(b"go".to_vec()), "{name}");
            let servers = full.servers.filter(|_| name != "reasonix"); // `run` takes none: refused
            let mut old = plan(&LaunchRequest { servers, ..full });
            assert_eq!(line(&old), chosen, "{name}");
            assert_eq!(old.session.as_deref(), session.map(|_| "OLD"), "{name}");
            let is_flag = chosen.contains("--append-system-prompt");
            let input = if is_flag { "go" } else { "S\n\ngo" };
            assert_eq!(old.conversation.open(), Opening::Whole(input.into()), "{name}");
        }
    }
}
