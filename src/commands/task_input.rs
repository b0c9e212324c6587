//! The options that `prepare` and `reuse` share: the task.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use chrono::Duration;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::read_task::Task;
use super::skill_folders::read_skills;
use crate::environment::{Sidecars, choose_platform};
use crate::failure::{Code, Failure};
use crate::formats::with_meant;
use crate::invocation::{
    CODEX_SANDBOXES, Context, MCP_MODES, UserInput, parse_duration, platform_completer, provider_completer,
    workspace_completer,
};
use crate::object;
use crate::provider::plan::{HomeOptions, Mcp, McpMode};
use crate::provider::{self, codex, openclaw};
use crate::supervise::find_program;
use crate::task::{TaskDocument, TaskId, WorkspaceId, not_served, parse_document};

/// The longest text that goes into the record, in bytes.
const MAX_RECORDED: usize = 64 << 10;
/// The longest lease, in days: a century. A much longer one has no end date that can be written.
const MAX_LEASE: i64 = 36_500;

/// The task
#[derive(Debug, Default, PartialEq, Args)]
pub struct TaskInput {
    /// Task document, a JSON file; `-` reads standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub task: Option<PathBuf>,
    /// Take the task document in this line of the file: one JSON object a line
    #[arg(long, value_name = "N", requires = "task", value_parser = clap::value_parser!(u64).range(1..))]
    pub line: Option<u64>,
    /// Workspace of the task [default: default]
    #[arg(long, value_name = "ID", add = workspace_completer())]
    pub workspace_id: Option<String>,
    /// Id of the task [default: a new UUID]
    #[arg(long, value_name = "ID")]
    pub task_id: Option<String>,
    /// Agent CLI the environment is for: claude, codex, gemini …, or `command` for any program
    #[arg(long, value_name = "NAME", add = provider_completer())]
    pub provider: Option<String>,
    /// Name of the agent
    #[arg(long, value_name = "NAME")]
    pub agent_name: Option<String>,
    /// Issue the task works on
    #[arg(long, value_name = "ID")]
    pub issue_id: Option<String>,
    /// Chat session the task answers
    #[arg(long, value_name = "ID")]
    pub chat_session_id: Option<String>,
    /// Autopilot run the task carries out
    #[arg(long, value_name = "ID")]
    pub autopilot_run_id: Option<String>,
    /// Sentence from which the agent creates an issue
    #[arg(long, value_name = "TEXT")]
    pub quick_create_prompt: Option<String>,
    /// File with instructions for the agent
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub instructions: Option<PathBuf>,
    /// Folders with skills, each skill in a folder `<name>` with a `SKILL.md`
    #[arg(long, value_name = "DIR", num_args = 1.., value_hint = clap::ValueHint::DirPath)]
    pub skills: Vec<PathBuf>,
    /// JSON file with the task's MCP servers (`mcpServers`)
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub mcp_config: Option<PathBuf>,
    /// strict: the agent sees only the task's MCP servers; merge: yours as well
    #[arg(long, value_name = "MODE", value_parser = mcp_mode(), hide_possible_values = true)]
    pub mcp_mode: Option<McpMode>,
    /// on: the agent CLI may remember things from one task to the next
    #[arg(long, value_name = "on|off", value_parser = on_or_off(), hide_possible_values = true)]
    pub agent_memory: Option<bool>,
    /// Output of `codex --version`; decides which settings the Codex configuration may contain
    #[arg(long, value_name = "TEXT")]
    pub codex_version: Option<String>,
    /// Codex's sandbox mode; auto chooses by system and Codex version
    #[arg(long, value_name = "MODE", value_parser = CODEX_SANDBOXES)]
    pub codex_sandbox: Option<String>,
    /// Whether commands in Codex's sandbox reach the network [default: on]
    #[arg(long, value_name = "on|off", value_parser = on_or_off(), hide_possible_values = true)]
    pub codex_network: Option<bool>,
    /// The `openclaw` executable to query for its configuration [default: MULTICA_OPENCLAW_PATH, else from PATH]
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::ExecutablePath)]
    pub openclaw_bin: Option<PathBuf>,
    /// Command the agent uses to talk to your issue tracker, as named in its instructions; `none` leaves that part out [default: multica if the task document names an issue, chat or run, else none]
    #[arg(long, value_name = "NAME", add = platform_completer())]
    pub platform_cli: Option<String>,
    /// Do not write the brief (CLAUDE.md, AGENTS.md …)
    #[arg(long)]
    pub no_brief: bool,
    /// How long `gc` keeps the environment if it is not run
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub lease: Option<Duration>,
}

impl TaskInput {
    /// Reads the task document and the options that override it.
    ///
    /// # Errors
    /// [`Code::BadDocument`], [`Code::Usage`]: nothing on the disk has been touched.
    pub fn read(&self, context: &Context) -> Result<Task> {
        self.refuse_empty()?;
        let (mut document, unknown) = match &self.task {
            Some(path) => read_document(path, self.line, context)?,
            None => (TaskDocument::default(), Vec::new()),
        };
        let mut warnings = Vec::new();
        if !unknown.is_empty() {
            let named = with_meant(&unknown, object::fields::<TaskDocument>());
            warnings.push(format!("unknown fields in the task document are ignored: {named}"));
        }
        warnings.extend(not_served(&document));
        let set = |field: &mut String, flag: &Option<String>| {
            if let Some(text) = flag {
                field.clone_from(text);
            }
        };
        set(&mut document.workspace_id, &self.workspace_id);
        set(&mut document.id, &self.task_id);
        set(&mut document.provider, &self.provider);
        set(&mut document.agent.name, &self.agent_name);
        set(&mut document.issue_id, &self.issue_id);
        set(&mut document.chat_session_id, &self.chat_session_id);
        set(&mut document.autopilot_run_id, &self.autopilot_run_id);
        set(&mut document.quick_create_prompt, &self.quick_create_prompt);
        if let Some(path) = &self.instructions {
            document.agent.instructions = context.read_text(UserInput::INSTRUCTIONS, path)?;
        }
        for folder in &self.skills {
            document.agent.skills.extend(read_skills(&context.absolute(folder)?, &mut warnings)?);
        }
        if let Some(path) = &self.mcp_config {
            let text = context.read_text(UserInput::MCP_CONFIG, path)?;
            let path = context.absolute(path)?;
            let value = serde_json::from_str(&text).map_err(|error| {
                let message = format!("{}, line {}: {error}", path.display(), error.line());
                Failure::new(Code::BadDocument, message)
                    .hint("`--mcp-config` takes a JSON object with `mcpServers`")
            })?;
            document.agent.mcp_config = Some(value);
        }
        self.check_servers(&document, context)?;
        check_lengths(&document)?;
        let lease = self.lease.unwrap_or(context.settings.lease);
        if lease > Duration::days(MAX_LEASE) {
            return Err(
                Failure::new(Code::Usage, format!("`--lease` must be at most {MAX_LEASE} days")).into()
            );
        }
        let task_id = if document.id.is_empty() { TaskId::random() } else { TaskId::new(&document.id)? };
        let workspace = if document.workspace_id.is_empty() { "default" } else { &document.workspace_id };
        Ok(Task {
            task_id,
            workspace_id: WorkspaceId::new(workspace)?,
            platform: choose_platform(&document, self.platform_cli.as_deref())?,
            lease,
            sidecars: if self.no_brief { Sidecars::NoBrief } else { Sidecars::All },
            options: self.home_options(context, &document.provider)?,
            special: self.special_options(),
            has_mcp_mode: self.mcp_mode.is_some(),
            loose_ids: self.loose_ids(),
            document,
            git_identity: None,
            warnings,
        })
    }
}

impl TaskInput {
    /// Refuses MCP servers that no agent could be given, by the file that has them.
    fn check_servers(&self, document: &TaskDocument, context: &Context) -> Result<(), Failure> {
        let place = match (&self.mcp_config, &self.task) {
            (Some(path), _) => UserInput::MCP_CONFIG.place(path, &context.settings.cwd),
            (None, Some(path)) => {
                UserInput::TASK.place(path, &context.settings.cwd) + ", field `agent.mcp_config`"
            }
            (None, None) => return Ok(()),
        };
        match Mcp::parse(document.agent.mcp_config.as_ref()) {
            Ok(_) => Ok(()),
            Err(failure) => Err(Failure { message: format!("{place}: {}", failure.message), ..failure }),
        }
    }
}

/// Reads `--mcp-mode` by the words of the setting.
fn mcp_mode() -> impl TypedValueParser<Value = McpMode> {
    let mode = |word: String| MCP_MODES.iter().find(|(name, _)| *name == word).map(|(_, mode)| *mode);
    PossibleValuesParser::new(MCP_MODES.map(|(word, _)| word)).map(move |word| mode(word).unwrap_or_default())
}

/// Reads `on` or `off`.
pub(super) fn on_or_off() -> impl TypedValueParser<Value = bool> {
    PossibleValuesParser::new(["on", "off"]).map(|word| word == "on")
}

impl TaskInput {
    fn home_options(&self, context: &Context, provider: &str) -> Result<HomeOptions> {
        let settings = &context.settings;
        let sandbox = self.codex_sandbox.as_deref().unwrap_or(settings.codex_sandbox);
        // `reuse` may take the provider from the environment.
        let is_openclaw = provider.is_empty() || provider == openclaw::NAME;
        Ok(HomeOptions {
            mcp_mode: self.mcp_mode.unwrap_or(settings.mcp_mode),
            keeps_memory: self.agent_memory.unwrap_or(settings.agent_memory),
            codex_version: self.codex_version.clone().unwrap_or_default(),
            codex_sandbox: Some(sandbox).filter(|mode| *mode != "auto").map(str::to_owned),
            codex_network: self.codex_network,
            openclaw: if is_openclaw { self.find_openclaw(context)? } else { None },
            stop: Arc::clone(&context.stop),
        })
    }

    /// The OpenClaw program; one that `--openclaw-bin` names must exist.
    fn find_openclaw(&self, context: &Context) -> Result<Option<PathBuf>> {
        let Some(program) = provider::find(openclaw::NAME).and_then(|row| row.program) else {
            return Ok(None);
        };
        let inherited = |name: &str| {
            let found = context.settings.inherited.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone())
        };
        let explicit = self
            .openclaw_bin
            .as_ref()
            .map(|path| if path.components().count() > 1 { context.absolute(path) } else { Ok(path.clone()) })
            .transpose()?;
        let path = inherited("PATH").unwrap_or_default();
        match find_program(explicit.as_deref(), inherited(program.path_variable), program.name, &path) {
            Ok(program) => Ok(Some(program)),
            Err(failure) if explicit.is_some() => {
                Err(Failure::new(Code::Usage, format!("`--openclaw-bin`: {}", failure.message))
                    .hint("name an existing program, or omit the option")
                    .into())
            }
            Err(_) => Ok(None),
        }
    }

    fn loose_ids(&self) -> Vec<&'static str> {
        let given = [
            ("--issue-id", &self.issue_id),
            ("--chat-session-id", &self.chat_session_id),
            ("--autopilot-run-id", &self.autopilot_run_id),
        ];
        let is_loose = |id: &String| !id.is_empty() && uuid::Uuid::parse_str(id).is_err();
        given
            .into_iter()
            .filter(|(_, id)| id.as_ref().is_some_and(is_loose))
            .map(|(option, _)| option)
            .collect()
    }

    fn special_options(&self) -> Vec<(&'static str, &'static str)> {
        let given = [
            ("--codex-version", codex::NAME, self.codex_version.is_some()),
            ("--codex-sandbox", codex::NAME, self.codex_sandbox.is_some()),
            ("--codex-network", codex::NAME, self.codex_network.is_some()),
            ("--openclaw-bin", openclaw::NAME, self.openclaw_bin.is_some()),
        ];
        given
            .into_iter()
            .filter(|(.., given)| *given)
            .map(|(option, provider, _)| (option, provider))
            .collect()
    }

    /// An empty value comes from a shell variable that is not set.
    fn refuse_empty(&self) -> Result<()> {
        for (option, value) in [
            ("--workspace-id", &self.workspace_id),
            ("--task-id", &self.task_id),
            ("--provider", &self.provider),
        ] {
            if value.as_ref().is_some_and(|value| value.trim().is_empty()) {
                return Err(Failure::new(Code::Usage, format!("`{option}` has an empty value"))
                    .hint("give it a value, or omit the option")
                    .into());
            }
        }
        Ok(())
    }
}

fn read_document(path: &Path, line: Option<u64>, context: &Context) -> Result<(TaskDocument, Vec<String>)> {
    let bytes = context.read(UserInput::TASK, path)?;
    let place = UserInput::TASK.place(path, &context.settings.cwd);
    let Some(number) = line else { return parse_document(&bytes, &place) };
    let lines: Vec<&[u8]> = bytes.trim_ascii_end().split(|byte| *byte == b'\n').collect();
    let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
    let Some(line) = lines.get(index) else {
        let message = format!("{place}: there is no line {number}, only {}", lines.len());
        return Err(Failure::new(Code::Usage, message).hint("`--line 1` is the first line").into());
    };
    parse_document(line, &format!("{place}, document {number}"))
}

/// Texts that are stored in the record must not make it too long to be read.
fn check_lengths(document: &TaskDocument) -> Result<()> {
    for (field, text) in [
        ("provider", &document.provider),
        ("agent.name", &document.agent.name),
        ("agent.id", &document.agent.id),
        ("agent_id", &document.agent_id),
        ("issue_id", &document.issue_id),
        ("chat_session_id", &document.chat_session_id),
        ("autopilot_run_id", &document.autopilot_run_id),
    ] {
        if text.len() > MAX_RECORDED {
            let message = format!("`{field}` is longer than {} KiB", MAX_RECORDED >> 10);
            return Err(Failure::new(Code::BadDocument, message).into());
        }
    }
    Ok(())
}
