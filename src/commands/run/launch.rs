//! From options, record and launch file to one start of an agent.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{RunArgs, codex, limit};
use crate::environment::{LaunchFile, LoginLink, login_links, mcp_file, private_exports, temporary_dir};
use crate::failure::{Code, Failure};
use crate::invocation::{Context, UserInput};
use crate::layout::names;
use crate::provider::claude::launch as claude;
use crate::provider::version::probe_version;
use crate::provider::{self, argv};
use crate::run::RunningEnv;
use crate::supervise::{AgentCommand, Dialect, Input, environment, find_program};

/// The variable that names where runs have their folders for temporary files (`providers.md` N-10).
const TEMP_BASE: &str = "MULTICA_AGENT_TEMP_BASE";
/// The word that leads to the guard.
pub(super) const GUARD_WORD: &str = "__guard";
/// A tool may be silent for this long, or for the idle limit where that is longer (`agents.md` 5).
const TOOL_LIMIT: Duration = Duration::from_secs(2 * 60 * 60);

type Variables = Vec<(OsString, OsString)>;

/// Everything about a run that is known before it starts.
pub(super) struct Plan {
    pub(super) run_id: String,
    /// The agent's private folder for temporary files.
    pub(super) temporary: PathBuf,
    pub(super) resume: Option<String>,
    /// What a person should know, before anything starts.
    pub(super) notices: Vec<String>,
    /// Logins of the user's that the environment's homes link to.
    pub(super) logins: Vec<LoginLink>,
    /// The variables that Codex lets its shell commands have; `None`: this is no environment of Codex's.
    shell_names: Option<Vec<String>>,
    provider: String,
    dialect: Dialect,
    program: PathBuf,
    options: claude::Options,
    command_args: Vec<OsString>,
    mcp: Option<Vec<u8>>,
    prompt: Option<String>,
    env: Variables,
    work_dir: PathBuf,
    timeout: Option<Duration>,
    idle_timeout: Option<Duration>,
    kill_grace: Duration,
    cancel_file: Option<PathBuf>,
}

impl Plan {
    /// Reads every input and finds the program. Nothing has been changed yet.
    pub(super) fn make(args: &RunArgs, context: &Context, env: &RunningEnv) -> Result<Plan> {
        let own = env.own();
        let file = LaunchFile::load(&env.found.env.tree)?;
        let run_id = uuid::Uuid::new_v4().to_string();
        let work_dir = env.found.work_dir();
        let temporary = temporary_dir(&env.found.env.path, &run_id, temp_base(context)?.as_deref());
        let mut notices = Vec::new();

        let operator = operator_env(args, context)?;
        let custom: Variables = file.custom_env.iter().map(|(k, v)| (k.into(), v.into())).collect();
        let set = set_env(context, env, &run_id, &work_dir, &temporary)?;
        let given: Vec<OsString> = custom.iter().chain(&operator).map(|(name, _)| name.clone()).collect();
        let (variables, warnings) = environment::compose(
            context.settings.inherited.clone(),
            set.clone(),
            custom,
            operator,
            args.clear_env,
        );
        notices.extend(warnings);
        let is_codex = own.provider == "codex";
        let shell_names = is_codex.then(|| codex::shell_names(&variables, &set, given.into_iter()));

        let logins = login_links(&env.found.env.tree, &own.env);
        let is_command = !args.command.is_empty();
        let row = provider::find(&own.provider);
        if !is_command && row.is_none_or(|row| row.launch.is_none()) {
            return Err(not_runnable(&own.provider, &args.env).into());
        }
        let prompt = prompt(args, context, &file, is_command)?;
        let (program, dialect) = if is_command {
            let name = args.command[0].to_string_lossy().into_owned();
            let found = find_program(Some(Path::new(&args.command[0])), None, &name, path_of(&variables));
            let hint = "it is looked for in PATH, or at the path from where you are; not in a shell";
            (found.map_err(|failure| failure.hint(hint))?, Dialect::Raw)
        } else {
            (agent_program(args, context, row, &variables)?, Dialect::ClaudeStream)
        };
        if dialect == Dialect::ClaudeStream {
            claude::check_root(rustix::process::geteuid().is_root(), &variables)?;
        }
        let resume = resume(args, env, is_command, &mut notices)?;
        let asked: Vec<OsString> =
            file.custom_args.iter().map(OsString::from).chain(args.agent_arg.iter().cloned()).collect();
        let (custom_args, dropped) = argv::filter(&own.provider, asked);
        notices.extend(
            dropped.iter().map(|flag| format!("the argument {flag} is left out: execenv sets it itself")),
        );
        let model = args.model.clone().or_else(|| Some(file.model.clone()).filter(|model| !model.is_empty()));
        let system = args
            .system_prompt_file
            .as_ref()
            .map(|path| context.read_text(UserInput::SYSTEM_PROMPT, path))
            .transpose()?;
        let mcp = file.mcp_config.as_ref().map(|config| {
            let servers = config.get("mcpServers").filter(|servers| servers.is_object()).cloned();
            let servers = servers.unwrap_or_else(|| serde_json::json!({}));
            serde_json::json!({ "mcpServers": servers }).to_string().into_bytes()
        });
        let idle = match args.idle_timeout {
            Some(idle) => limit(idle),
            // A program that is no agent may be as silent as it likes.
            None if is_command => None,
            None => limit(context.settings.idle_timeout),
        };
        Ok(Plan {
            options: claude::Options {
                model,
                max_turns: args.max_turns,
                append_system_prompt: system,
                merge_mcp: file.merge_mcp,
                custom: custom_args,
                ..claude::Options::default()
            },
            provider: if is_command { provider::COMMAND.name.into() } else { own.provider },
            command_args: args.command.iter().skip(1).cloned().collect(),
            timeout: limit(args.timeout.unwrap_or(context.settings.timeout)),
            idle_timeout: idle,
            kill_grace: args.kill_grace.unwrap_or(context.settings.kill_grace).to_std().unwrap_or_default(),
            cancel_file: args.cancel_file.as_ref().map(|path| context.absolute(path)),
            env: variables,
            run_id,
            temporary,
            resume,
            notices,
            logins,
            shell_names,
            dialect,
            program,
            mcp,
            prompt,
            work_dir,
        })
    }

    /// The launch itself: opens the logs, writes the file with the MCP servers.
    pub(super) fn launch(&self, env: &RunningEnv, resume: Option<&str>) -> Result<AgentCommand> {
        let tree = &env.found.env.tree;
        let log = |name: &str| -> Result<File> {
            let logs = Path::new(names::LOGS);
            tree.ensure_dir(logs, 0o755)
                .and_then(|()| tree.keep_previous(&logs.join(name), &logs.join(format!("{name}.previous"))))
                .and_then(|()| tree.open_log(&logs.join(name)))
                .with_context(|| format!("open {}", tree.path().join(logs).join(name).display()))
        };
        let mut options = self.options.clone();
        options.resume = resume.map(str::to_owned);
        if let Some(bytes) = self.mcp.as_ref().filter(|_| self.dialect == Dialect::ClaudeStream) {
            let relative = mcp_file();
            tree.ensure_dir(Path::new(names::LAUNCH), 0o700)
                .and_then(|()| tree.replace_unsynced(&relative, bytes, 0o600, names::TEMPORARY))
                .context("write the file with the MCP servers")?;
            options.mcp_config = Some(tree.path().join(relative));
        }
        let settings = Path::new(provider::claude::SETTINGS);
        if matches!(tree.kind(settings), Ok(Some(_))) {
            options.settings = Some(tree.path().join(settings));
        }
        if let Some(allowed) = &self.shell_names {
            codex::renew_policy(tree, allowed)?;
        }
        let requested_model = options.model.clone();
        let (args, input) = match self.dialect {
            Dialect::Raw => {
                let input =
                    self.prompt.as_ref().map_or(Input::None, |text| Input::Bytes(text.clone().into_bytes()));
                (self.command_args.clone(), input)
            }
            Dialect::ClaudeStream => {
                let prompt = self.prompt.as_deref().unwrap_or_default();
                (claude::arguments(options), Input::Frames(claude::prompt_frame(prompt)))
            }
        };
        Ok(AgentCommand {
            provider: self.provider.clone(),
            program: self.program.clone(),
            args,
            work_dir: self.work_dir.clone(),
            env: self.env.clone(),
            input,
            dialect: self.dialect,
            run_id: self.run_id.clone(),
            timeout: self.timeout,
            idle_timeout: self.idle_timeout,
            tool_timeout: self.idle_timeout.map(|idle| idle.max(TOOL_LIMIT)),
            kill_grace: self.kill_grace,
            cancel_file: self.cancel_file.clone(),
            lock: env.lock().file().try_clone().context("duplicate the lock's handle")?,
            log: log("agent.ndjson")?,
            stderr_log: log("agent.stderr.log")?,
            requested_model,
            resume: resume.map(str::to_owned),
            guard_program: std::env::current_exe().context("find the program's own file")?,
            guard_args: vec![GUARD_WORD.into()],
        })
    }
}

/// The folder that the operator names for temporary files.
fn temp_base(context: &Context) -> Result<Option<PathBuf>> {
    let named =
        context.settings.inherited.iter().find(|(name, value)| name == TEMP_BASE && !value.is_empty());
    let Some(base) = named.map(|(_, value)| PathBuf::from(value)) else { return Ok(None) };
    let what = match base.metadata() {
        _ if !base.is_absolute() => "is no absolute path",
        Ok(metadata) if metadata.is_dir() => return Ok(Some(base)),
        Ok(_) => "is no folder",
        Err(_) => "is not there",
    };
    Err(Failure::new(Code::BadConfig, format!("{TEMP_BASE}: {} {what}", base.display()))
        .hint("name a folder that the agent can write, with a short path: its programs put sockets below")
        .into())
}

fn set_env(
    context: &Context,
    env: &RunningEnv,
    run_id: &str,
    work_dir: &Path,
    temporary: &Path,
) -> Result<Variables> {
    let own = env.own();
    let mut set: Variables = Vec::new();
    let mut put = |name: &str, value: &OsStr| set.push((name.into(), value.into()));
    put("EXECENV_ROOT", env.found.env.path.as_os_str());
    put("EXECENV_WORKDIR", work_dir.as_os_str());
    put("EXECENV_TASK_ID", own.task_id.as_ref());
    put("EXECENV_WORKSPACE_ID", env.meta.workspace_id.as_ref());
    put("EXECENV_PROVIDER", own.provider.as_ref());
    put("EXECENV_RUN_ID", run_id.as_ref());
    put("EXECENV_ITERATION", "1".as_ref());
    put("PWD", work_dir.as_os_str());
    for name in ["TMPDIR", "TMP", "TEMP"] {
        put(name, temporary.as_os_str());
    }
    let private = private_exports(&env.found.env.tree)?;
    for (name, value) in own.env.iter().chain(&private) {
        put(name, value.as_ref());
    }
    // So that the agent can call execenv itself.
    let exe = std::env::current_exe().context("find the program's own file")?;
    let own_dir = exe.parent().map(Path::to_path_buf).unwrap_or_default();
    let inherited = context.settings.inherited.iter().find(|(name, _)| name == "PATH");
    let path =
        inherited.map_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"), |(_, path)| path.clone());
    let dirs =
        std::iter::once(own_dir.clone()).chain(std::env::split_paths(&path).filter(|dir| *dir != own_dir));
    put("PATH", &std::env::join_paths(dirs).unwrap_or(path.clone()));
    Ok(set)
}

fn path_of(variables: &Variables) -> &OsStr {
    variables.iter().find(|(name, _)| name == "PATH").map_or(OsStr::new(""), |(_, path)| path)
}

fn operator_env(args: &RunArgs, context: &Context) -> Result<Variables> {
    let mut variables = Variables::new();
    let mut add = |line: &str, origin: &dyn Fn() -> String| -> Result<()> {
        match line.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                variables.push((name.trim().into(), value.into()));
                Ok(())
            }
            // The text is not shown: it may be a secret.
            _ => Err(Failure::new(Code::Usage, format!("{} is not of the form NAME=VALUE", origin())).into()),
        }
    };
    if let Some(path) = &args.env_file {
        let text = context.read_text(UserInput::ENV_FILE, path)?;
        let path = context.absolute(path);
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            if !line.is_empty() && !line.starts_with('#') {
                add(line, &|| format!("{}, line {}", path.display(), number + 1))?;
            }
        }
    }
    for (number, line) in args.env_vars.iter().enumerate() {
        add(line, &|| format!("the value of `--env` number {}", number + 1))?;
    }
    Ok(variables)
}

fn prompt(args: &RunArgs, context: &Context, file: &LaunchFile, is_command: bool) -> Result<Option<String>> {
    let given = match (&args.prompt, &args.prompt_file) {
        (Some(text), _) => Some(text.clone()),
        (None, Some(path)) => Some(context.read_text(UserInput::PROMPT, path)?),
        (None, None) if is_command => return Ok(None),
        (None, None) => file.prompt.clone(),
    };
    if !is_command && given.as_ref().is_none_or(|text| text.trim().is_empty()) {
        return Err(Failure::new(Code::Usage, "there is no prompt, and the task document gives none")
            .hint("say what to do: `--prompt TEXT` or `--prompt-file FILE`")
            .into());
    }
    Ok(given)
}

fn not_runnable(provider: &str, env: &str) -> Failure {
    let message = if provider.is_empty() {
        "the environment has no provider, so there is no agent to run".to_owned()
    } else {
        format!("this version does not run the agent of `{provider}` by itself")
    };
    Failure::new(Code::Usage, message).hint(format!("name the program: `execenv run {env} -- PROGRAM ARG…`"))
}

fn agent_program(
    args: &RunArgs,
    context: &Context,
    row: Option<&provider::Provider>,
    variables: &Variables,
) -> Result<PathBuf> {
    let Some(row) = row else { return Err(Failure::new(Code::AgentNotFound, "no program is known").into()) };
    let variable = row.program.and_then(|program| {
        let found = context.settings.inherited.iter().find(|(key, _)| key == program.path_variable)?;
        Some(found.1.clone())
    });
    let name = row.program.map_or(row.name, |program| program.name);
    let explicit = args
        .agent_bin
        .as_ref()
        .map(|path| if path.components().count() > 1 { context.absolute(path) } else { path.clone() });
    let path = find_program(explicit.as_deref(), variable, name, path_of(variables))?;
    match probe_version(&path, variables) {
        Ok(Some(version)) => row.check_version(version)?,
        Ok(None) => log::info!("{} does not say its version", path.display()),
        Err(error) => log::info!("{} does not tell its version: {error}", path.display()),
    }
    Ok(path)
}

/// The session to go on with: only one of this provider that was held in this very folder (`agents.md` 6).
fn resume(
    args: &RunArgs,
    env: &RunningEnv,
    is_command: bool,
    notices: &mut Vec<String>,
) -> Result<Option<String>> {
    let Some(asked) = &args.resume else { return Ok(None) };
    if is_command {
        return Err(Failure::new(Code::Usage, "a program has no session to resume")
            .hint("leave `--resume` out")
            .into());
    }
    let own = env.own();
    let session = own.session;
    let poisoned = session.as_ref().and_then(|session| session.poisoned.clone());
    if !asked.is_empty() {
        if let (Some(why), true) = (poisoned, session.is_some_and(|session| session.id == *asked)) {
            notices
                .push(format!("the session {asked} is spoiled ({why}) and is resumed because it was named"));
        }
        return Ok(Some(asked.clone()));
    }
    let drop = |why: &str, notices: &mut Vec<String>| {
        notices.push(format!("{why}; the agent starts a new session"));
        Ok(None)
    };
    match session {
        None => drop("there is no session to resume", notices),
        Some(_) if poisoned.is_some() => drop("the last session is spoiled and cannot be resumed", notices),
        Some(session) if session.provider != own.provider => {
            drop("the last session is of another provider", notices)
        }
        Some(session) if session.work_dir != env.found.work_dir() => {
            drop("the last session was held in another folder", notices)
        }
        Some(session) => Ok(Some(session.id)),
    }
}
