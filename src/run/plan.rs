//! From options, record and launch file to everything that is known of a run before it starts. Changes nothing.

mod agent_variables;
mod allowed;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value};

use self::agent_variables::AgentVariables;
use self::allowed::{bounds, dialect, not_runnable, of_agents_only, prompt, refuse_untold};
use super::autonomous::ABOUT_THE_GATE;
use super::options::{RunOptions, Variables};
use super::record::RunningEnv;
use super::sandbox::{self, Means};
use super::slots::Slots;
use super::variables::ThisRun;
use super::{codex, session, variables};
use crate::brief::with_history;
use crate::environment::{
    Exports, LaunchFile, LaunchInput, Logins, RenewedLogins, TemporaryPlaces, Trust, is_too_long, is_writable,
};
use crate::failure::{Code, Failure};
use crate::protocol::Permission;
use crate::provider::launch::{Dialect, LaunchPlan, LaunchRequest, Tells};
use crate::provider::plan::{Mcp, McpMode};
use crate::provider::version::{Version, probe_version};
use crate::provider::{self, Provider, argv, mcp_file};
use crate::supervise::{Limits, Used, find_program};
use crate::sys::tree::Tree;

/// So much of an earlier conversation goes into a prompt, in bytes.
const MOST_HISTORY: usize = 200 << 10;
/// A tool may be silent for this long, or for the idle limit where that is longer: builds and tests are.
const TOOL_LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

/// When a person learns that an agent has not said a word since it started.
const MUTE: [Duration; 3] = [Duration::from_secs(30), Duration::from_secs(120), Duration::from_secs(600)];

/// Everything about a run that is known before it starts.
#[derive(Debug)]
pub(super) struct RunPlan {
    pub(super) run_id: String,
    /// The agent's private folder for temporary files.
    pub(super) temporary: PathBuf,
    /// The session to resume.
    pub(super) resume: Option<String>,
    /// What a person should know before the agent starts.
    pub(super) notices: Vec<String>,
    /// Logins of the user's that the environment's homes link to.
    pub(super) logins: Logins,
    /// What the sandbox is made with; `None`: there is none.
    pub(super) sandbox: Option<Means>,
    /// The row of the agent's CLI, where it is that which runs.
    pub(super) row: Option<&'static Provider>,
    /// The names of the variables that Codex passes on to its shell commands; `None`: not an environment of Codex's.
    pub(super) shell_names: Option<Vec<String>>,
    /// The provider's name, for error texts.
    pub(super) provider: String,
    pub(super) program: PathBuf,
    pub(super) agent: AgentPlan,
    pub(super) variables: Variables,
    pub(super) work_dir: PathBuf,
    pub(super) limits: Limits,
}

/// One start of the agent among those of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn<'a> {
    /// The session to resume.
    pub(super) resume: Option<&'a str>,
    /// The prompt, where it is not that of the run.
    pub(super) prompt: Option<&'a str>,
    /// Its number, from 1.
    pub(super) iteration: u32,
}

impl<'a> Turn<'a> {
    /// The first one.
    pub(super) fn first(resume: Option<&'a str>) -> Turn<'a> {
        Turn { resume, prompt: None, iteration: 1 }
    }
}

/// What is started.
#[derive(Debug)]
pub(super) enum AgentPlan {
    /// Any program; its exit status is the result.
    Command { args: Vec<OsString>, input: Option<String> },
    /// The agent CLI of the environment's provider.
    Provider(Box<ProviderPlan>),
}

/// How the provider's agent is started, whichever it is.
#[derive(Debug)]
pub(super) struct ProviderPlan {
    row: &'static Provider,
    dialect: &'static Dialect,
    /// What the user asks for, and the prompt that is made of it.
    asked: String,
    prompt: String,
    /// The prompt with the record of the earlier conversation, for a start without its session.
    without_session: Option<String>,
    model: Option<String>,
    max_turns: Option<u32>,
    max_cost: Option<f64>,
    system_prompt: Option<String>,
    custom: Vec<OsString>,
    servers: Option<Map<String, Value>>,
    mcp_mode: McpMode,
    permission: Permission,
    version: Option<Version>,
}

impl RunPlan {
    /// Checks every option, and finds the program.
    ///
    /// # Errors
    /// The failures of the single parts, each with its hint.
    pub(super) fn new(
        options: &RunOptions,
        inherited: &Variables,
        env: &RunningEnv,
        slots: &Slots,
        trust: Trust<'_>,
    ) -> Result<RunPlan> {
        let own = env.own();
        let LaunchInput { file, warning } = LaunchFile::load(&env.found, trust.keys)?;
        let run_id = uuid::Uuid::new_v4().to_string();
        let sandbox = Means::find(&options.sandbox, inherited)?;
        let base = variables::temp_base(inherited)?;
        let places = TemporaryPlaces {
            env_root: &env.found.env.path,
            base: base.as_deref(),
            tmpdir: variables::value(inherited, "TMPDIR").map(Path::new),
            is_writable,
        };
        let temporary = places.choose(&run_id);
        let mut exports = Exports::of(&own);
        exports.extend_by(options.git_identity.as_ref());
        let mut notices = exports.warnings.clone();
        notices.extend(warning);
        if temporary.starts_with(&env.found.env.path) && is_too_long(&temporary) {
            notices.push(format!(
                "neither TMPDIR nor /tmp can be written, so the agent's temporary files are in {}: some programs cannot \
                 make sockets below so long a path",
                temporary.display()
            ));
        }
        let this = ThisRun { id: &run_id, slot: slots.number(), role: options.role, temporary: &temporary };
        let own_row = provider::find(&own.provider);
        let own_login = own_row.and_then(|row| row.login.as_ref()).map_or(&[][..], |login| login.variables);
        let (kept, notice) = match &sandbox {
            Some(_) => sandbox::inherited(inherited, own_login),
            None => (inherited.clone(), None),
        };
        notices.extend(notice);
        let holds_another = sandbox.as_ref().is_none_or(Means::can_hold_another);
        let is_codex = own.provider == provider::codex::NAME && options.command.is_empty();
        if !holds_another && is_codex && codex::confines_commands(&env.found.env.tree) {
            notices.push(
                "Codex cannot build its own sandbox in this one, so its commands fail: `execenv reuse` with \
                 `--codex-sandbox danger-full-access` leaves them to the sandbox of the run"
                    .to_owned(),
            );
        }
        notices.extend(sandbox.as_ref().and_then(|means| means.notice(options.sandbox.has_network)));
        let agents = AgentVariables::compose(options, &kept, env, &file, &exports, &this)?;
        notices.extend(agents.warnings);
        let is_command = !options.command.is_empty();
        let (program, agent) = if is_command {
            command(options, &agents.all, &own.provider, file.merge_mcp, &env.found.agent_dir())?
        } else {
            agent(options, inherited, &own.provider, &file, &agents.all, &mut notices)?
        };
        let plan = RunPlan {
            resume: session::choose(options.resume.as_ref(), env, is_command, &mut notices)?,
            logins: logins(options, env, &exports, trust)?,
            sandbox,
            row: own_row.filter(|row| !is_command || is_its_program(row, &program)),
            shell_names: agents.shell_names,
            provider: if is_command { provider::COMMAND.name.into() } else { own.provider },
            variables: agents.all,
            work_dir: env.found.agent_dir(),
            limits: Limits {
                total: options.timeout,
                idle: options.idle_timeout,
                tool: options.idle_timeout.map(|idle| idle.max(TOOL_LIMIT)),
                mute: &MUTE,
                kill_grace: options.kill_grace,
                bounds: bounds(options),
                used: Used::default(),
                since: None,
                log: options.max_log,
                memory: options.max_memory,
            },
            run_id,
            temporary,
            notices,
            program,
            agent,
        };
        plan.checked(&env.found.env.tree)
    }

    /// What the agent speaks; empty for a program that is no agent.
    pub(super) fn dialect(&self) -> &'static str {
        match &self.agent {
            AgentPlan::Command { .. } => "",
            AgentPlan::Provider(agent) => agent.dialect.name,
        }
    }

    /// What the user asks for, in their own words.
    pub(super) fn asked(&self) -> Option<&str> {
        match &self.agent {
            AgentPlan::Command { input, .. } => input.as_deref(),
            AgentPlan::Provider(agent) => Some(&agent.asked),
        }
    }

    /// The arguments of a program that is no agent.
    pub(super) fn command_args(&self) -> &[OsString] {
        match &self.agent {
            AgentPlan::Command { args, .. } => args,
            AgentPlan::Provider(_) => &[],
        }
    }

    /// Plans the first start already: what the provider refuses is refused before anything is changed.
    fn checked(mut self, env: &Tree) -> Result<RunPlan> {
        if let AgentPlan::Provider(agent) = &self.agent {
            let launch = agent.launch(&self, env, Turn::first(self.resume.as_deref()), &self.run_id)?;
            agent.refuse_nul(&launch.args)?;
            self.notices.extend(launch.notices);
        }
        Ok(self)
    }
}

impl ProviderPlan {
    /// Refuses arguments that no program can be started with.
    fn refuse_nul(&self, args: &[OsString]) -> Result<(), Failure> {
        let has_nul = |text: &OsStr| text.as_encoded_bytes().contains(&0);
        if !args.iter().any(|arg| has_nul(arg)) {
            return Ok(());
        }
        let sources = [
            ("the prompt", Some(self.prompt.as_str())),
            ("the record of `--history`", self.without_session.as_deref()),
            ("the text of `--system-prompt-file`", self.system_prompt.as_deref()),
            ("the name of the model", self.model.as_deref()),
        ];
        let source = sources.into_iter().find(|(_, text)| text.is_some_and(|text| text.contains('\0')));
        let what = source.map_or("an argument of the task", |(what, _)| what);
        let message = format!(
            "{what} has a NUL byte, and {} gets it as an argument, which can have none",
            self.row.name
        );
        Err(Failure::new(Code::Usage, message).hint("remove the byte: `tr -d '\\0' < FILE`"))
    }

    /// Plans one start.
    ///
    /// # Errors
    /// Where the provider refuses it.
    pub(super) fn launch(
        &self,
        plan: &RunPlan,
        env: &Tree,
        turn: Turn<'_>,
        new_session: &str,
    ) -> Result<LaunchPlan> {
        (self.dialect.start)(&LaunchRequest {
            provider: self.row.name,
            described: self.row.described,
            prompt: turn
                .prompt
                .or(self.without_session.as_deref().filter(|_| turn.resume.is_none()))
                .unwrap_or(&self.prompt),
            model: self.model.as_deref(),
            max_turns: self.max_turns,
            max_cost: self.max_cost,
            system_prompt: self.system_prompt.as_deref(),
            resume: turn.resume,
            new_session,
            custom: &self.custom,
            servers: self.servers.as_ref(),
            mcp_mode: self.mcp_mode,
            permission: self.permission,
            version: self.version,
            env,
            work_dir: &plan.work_dir,
            temporary: &plan.temporary,
            variables: &plan.variables,
            is_root: rustix::process::geteuid().is_root(),
        })
    }
}

/// Whether a program has the name of the provider's.
fn is_its_program(row: &Provider, program: &Path) -> bool {
    row.program.is_some_and(|own| program.file_name() == Some(OsStr::new(own.name)))
}

/// The logins that the environment's homes link to.
fn logins(options: &RunOptions, env: &RunningEnv, exports: &Exports, trust: Trust<'_>) -> Result<Logins> {
    let root = &env.found.env;
    let seal = trust.keys.seal(&root.key());
    let logins = Logins::recorded(&root.tree, seal.as_ref()).and_those_in(&root.tree, &exports.variables);
    match options.renewed_logins {
        RenewedLogins::Dropped => Ok(logins),
        RenewedLogins::Kept => {
            logins.refuse_unproved(&root.path)?;
            Ok(logins.seen_again(&root.tree))
        }
    }
}

/// Any program instead of the provider's agent.
fn command(
    options: &RunOptions,
    variables: &Variables,
    provider: &str,
    merges: bool,
    work_dir: &Path,
) -> Result<(PathBuf, AgentPlan)> {
    let (name, args) = options.command.split_first().expect("the caller has looked");
    if let Some(option) = of_agents_only(options) {
        return Err(Failure::new(
            Code::Usage,
            format!("`{option}` needs an agent: a program is told nothing"),
        )
        .hint(format!("leave `{option}` out, or give a prompt instead of a program"))
        .into());
    }
    let nothing = Tells { tokens: false, cost: false, turns: false };
    refuse_untold(options, nothing, &name.to_string_lossy(), "as a program")?;
    let path = variables::value(variables, "PATH").unwrap_or_default();
    // Where it runs, as its arguments are. An absolute path stays as it is, and a name without `/` is in PATH.
    let is_path = name.as_encoded_bytes().contains(&b'/');
    let below = Path::new(name).strip_prefix(".").unwrap_or(Path::new(name));
    let wanted = if is_path { work_dir.join(below) } else { name.into() };
    let program = find_program(Some(&wanted), None, &name.to_string_lossy(), path).map_err(|failure| {
        let here = std::path::absolute(name).ok().filter(|here| is_path && *here != wanted && here.is_file());
        failure.hint(match here {
            Some(here) => format!(
                "a path is looked for in the work dir, where the program runs; where you are there is {}",
                here.display()
            ),
            None => "give a program in PATH, or a path, which is one in the work dir; for shell syntax: `-- sh -c '…'`".to_owned(),
        })
    })?;
    let mode = if merges { McpMode::Merge } else { McpMode::Strict };
    // The provider's own CLI gets the task's MCP servers, where the environment has a file of them.
    let servers = variables::value(variables, mcp_file::VARIABLE).map(Path::new);
    let flagged = servers
        .zip(provider::find(provider))
        .and_then(|(servers, row)| mcp_file::with_flags(row, &program, args, servers, mode));
    let args = flagged.unwrap_or_else(|| args.to_vec());
    Ok((program, AgentPlan::Command { args, input: options.prompt.clone() }))
}

/// The provider's agent.
fn agent(
    options: &RunOptions,
    inherited: &Variables,
    provider: &str,
    file: &LaunchFile,
    variables: &Variables,
    notices: &mut Vec<String>,
) -> Result<(PathBuf, AgentPlan)> {
    let row = provider::find(provider).filter(|row| !row.dialects.is_empty());
    let row = row.ok_or_else(|| not_runnable(provider, &options.env))?;
    let asked = dialect(row, options.dialect.as_deref())?;
    refuse_untold(options, asked.tells, row.name, &format!("`--dialect {}`", asked.name))?;
    let asked_for = prompt(options, file)?;
    let mut prompt = asked_for.clone();
    if let Some(role) = options.role {
        prompt = format!("{}\n\n{prompt}", role.heading());
    }
    if options.autonomous.is_some() {
        prompt.push_str(ABOUT_THE_GATE);
    }
    let without_session =
        options.history.as_deref().map(|history| with_history(history, &prompt, MOST_HISTORY));
    let system_prompt = match (options.role, &options.system_prompt) {
        (Some(role), Some(own)) => Some(format!("{}\n\n{own}", role.preamble())),
        (Some(role), None) => Some(role.preamble().to_owned()),
        (None, own) => own.clone(),
    };
    let (program, version) = agent_program(options, inherited, row, variables)?;
    let lacks_first = options.dialect.is_none() && (row.lacks_first)(&program);
    let dialect = row.dialects.get(1).filter(|_| lacks_first).unwrap_or(asked);
    refuse_untold(options, dialect.tells, row.name, &format!("`--dialect {}`", dialect.name))?;
    let asked = file.custom_args.iter().map(OsString::from).chain(options.agent_args.iter().cloned());
    let (custom, dropped) = argv::filter(provider, asked);
    notices.extend(dropped.iter().map(|flag| format!("dropped the argument {flag}: execenv sets it itself")));
    let model = options.model.clone().or_else(|| Some(file.model.clone()).filter(|model| !model.is_empty()));
    let agent = ProviderPlan {
        row,
        dialect,
        asked: asked_for,
        prompt,
        model,
        max_turns: options.max_turns,
        max_cost: options.max_cost,
        without_session,
        system_prompt,
        custom,
        servers: servers(file.mcp_config.as_ref()),
        mcp_mode: if file.merge_mcp { McpMode::Merge } else { McpMode::Strict },
        permission: options.permission,
        version,
    };
    Ok((program, AgentPlan::Provider(Box::new(agent))))
}

fn agent_program(
    options: &RunOptions,
    inherited: &Variables,
    row: &Provider,
    variables: &Variables,
) -> Result<(PathBuf, Option<Version>)> {
    let named = row.program.and_then(|program| variables::value(inherited, program.path_variable));
    let name = row.program.map_or(row.name, |program| program.name);
    let path = variables::value(variables, "PATH").unwrap_or_default();
    let found = find_program(options.agent_bin.as_deref(), named.map(OsString::from), name, path)?;
    let version = match probe_version(&found, variables) {
        Ok(version) => version,
        Err(error) => {
            log::info!("{} does not print its version: {error}", found.display());
            None
        }
    };
    match version {
        Some(version) => row.check_version(version)?,
        None => log::info!("{} prints no version", found.display()),
    }
    Ok((found, version))
}

/// The managed servers alone: whatever else the task's document holds is not for the agent's program. `None`: the agent's
/// own servers stay.
fn servers(config: Option<&Value>) -> Option<Map<String, Value>> {
    match Mcp::parse(config) {
        Ok(Mcp::Unmanaged) => None,
        Ok(Mcp::Managed(servers)) => Some(servers),
        // `prepare` refuses what the reader refuses, but an earlier release did not; and an agent can write to the file.
        Err(_) => {
            let mut servers = config.and_then(|config| config.get("mcpServers")?.as_object().cloned());
            servers.iter_mut().for_each(|servers| servers.retain(|_, server| server.is_object()));
            Some(servers.unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claude_gets_the_managed_servers_that_are_switched_on() {
        let document = |config: &str| {
            let config: Option<Value> = serde_json::from_str(config).unwrap();
            servers(config.as_ref()).map(|servers| String::from_utf8(mcp_file::bytes(&servers)).unwrap())
        };
        let none = Some(r#"{"mcpServers":{}}"#.to_owned());
        for (config, expected) in [
            ("null", None),
            ("{}", none.clone()),
            (r#"{"mcpServers":[]}"#, none.clone()),
            (
                r#"{"mcpServers":{"a":{"command":"c","zeta":1},"b":7,"off":{"disabled":true}}}"#,
                Some(r#"{"mcpServers":{"a":{"command":"c","zeta":1}}}"#.into()),
            ),
            (r#"{"mcpServers":{"a":{"disabled":true},"b":{"enabled":false}},"x":1}"#, none),
            (
                r#"{"mcpServers":{"a":{"command":"c"}}}"#,
                Some(r#"{"mcpServers":{"a":{"command":"c"}}}"#.into()),
            ),
        ] {
            assert_eq!(document(config), expected, "{config}");
        }
    }
}
