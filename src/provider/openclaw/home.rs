//! OpenClaw: a configuration of the task's own that makes the work dir every agent's workspace.
//!
//! The wrapper includes the user's configuration, whose parsing is left to OpenClaw, and says what differs: the
//! workspaces, the task's MCP servers, its gateway. Where something of the user's must not be seen, it includes a copy
//! instead, without that. Nothing is guessed: an unclear answer of OpenClaw's CLI is an error.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use super::cli::{self, Answer, Cli};
use super::discover::{self, Found};
use super::gateway::{self, Runtime};
use super::locate::Surroundings;
use super::wrapper::{self, Parts, Roster};
use super::{cache, deadline, include, plugins};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::provider::plan::{Home, HomeContent, HomePlan, HomeRequest, Mcp, McpMode, is_switched_on};
use crate::provider::user_file::is_of_an_environment;
use crate::provider::version::{self, Version};

/// The name in the row, and of the program.
pub const NAME: &str = "openclaw";

/// The oldest OpenClaw that execenv works with: earlier ones print their answers to standard error.
pub(crate) const MINIMUM: Version = Version(2026, 5, 5);

/// The task's configuration, in the env root.
const CONFIG: &str = names::OPENCLAW_CONFIG;
/// The copy of the user's configuration that it may include. It may hold secrets.
const SNAPSHOT: &str = names::OPENCLAW_SNAPSHOT;
pub(crate) const CONFIG_VARIABLE: &str = "OPENCLAW_CONFIG_PATH";
pub(crate) const ROOTS_VARIABLE: &str = "OPENCLAW_INCLUDE_ROOTS";
/// The variables that name its folder of state.
const STATE_VARIABLES: [&str; 2] = ["OPENCLAW_STATE_DIR", "CLAWDBOT_STATE_DIR"];
/// The first version whose agents are entries by id.
const KEYED: Version = Version(2026, 9, 0);

/// Plans an OpenClaw environment.
///
/// # Errors
/// For a missing program, a call that fails, takes too long or prints something unexpected, and for MCP servers without
/// command and URL. Nothing has been written then.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let managed = match request.mcp {
        Mcp::Unmanaged => None,
        Mcp::Managed(servers) => Some(in_its_words(servers)),
    };
    let program = request.options.openclaw.as_deref().ok_or_else(|| {
        Failure::new(
            Code::AgentNotFound,
            "locate openclaw active config: the `openclaw` program was not found",
        )
        .hint("install it, or name it with `--openclaw-bin PATH`")
    })?;
    // In a shell with an environment's exports it names that one's wrapper, which would then include itself.
    let is_ours = |value: &OsString| is_of_an_environment(Path::new(value));
    let mut inherited = request.inherited.to_vec();
    inherited.retain(|(name, value)| !(name == CONFIG_VARIABLE && is_ours(value)));
    let request = &HomeRequest { inherited: &inherited, ..*request };
    let limit = deadline::from_setting(request.variable(deadline::VARIABLE));
    let cli = Cli { program, env: request.inherited, limit, stop: &request.options.stop };
    let variable = |name: &str| request.variable(name);
    let known = cache::load(request, program);
    let is_known = known.is_some();
    let found = match known {
        Some(found) => found,
        None => {
            let is_keyed = checked_version(&cli)?.is_some_and(|version| version >= KEYED);
            let around = Surroundings { variable: &variable, home: request.user_home };
            discover::discover(&cli, &around, is_keyed)?
        }
    };
    let runtime = gateway::read(request.task.agent.runtime_config.as_ref());
    let base = base(request, &cli, &found, managed.as_ref())?;
    let mut plan = build(request, &found, &runtime, &base)?;
    // What is known is not made younger by using it.
    plan.caches.extend((!is_known).then(|| cache::kept(request, program, &found)).flatten());
    Ok(plan)
}

/// The version of OpenClaw, if it prints one; one that is too old is refused.
fn checked_version(cli: &Cli<'_>) -> Result<Option<Version>> {
    let cli = Cli { limit: cli.limit.min(version::PROBE), ..*cli };
    let Answer::Given(text) = cli.ask(&["--version"])? else { return Ok(None) };
    let found = version::find_version(&text);
    if let Some(found) = found {
        version::check_minimum(NAME, found, MINIMUM)?;
    }
    Ok(found)
}

/// What the wrapper includes and adds.
#[derive(Debug)]
struct Base {
    /// The live configuration is included.
    live: bool,
    /// A copy of it is.
    snapshot: Option<Map<String, Value>>,
    /// The agents that the wrapper has to give their workspace.
    roster: Roster,
    /// What the agent sees of MCP servers; `None`: what the user's configuration says.
    servers: Option<Map<String, Value>>,
    /// Plugins that are switched off, because they bring MCP servers.
    off: BTreeSet<String>,
}

fn base(
    request: &HomeRequest<'_>,
    cli: &Cli<'_>,
    found: &Found,
    managed: Option<&Map<String, Value>>,
) -> Result<Base> {
    let Some(managed) = managed else { return unmanaged(found) };
    let mut servers = managed.clone();
    servers.retain(|_, server| is_switched_on(server));
    let own = if found.exists { whole_config(cli, found)? } else { None };
    let Some(mut own) = own else {
        return Ok(Base {
            live: false,
            snapshot: None,
            roster: Roster::None,
            servers: Some(servers),
            off: BTreeSet::new(),
        });
    };
    let users = wrapper::take_servers(&mut own);
    if request.options.mcp_mode == McpMode::Merge {
        for (name, server) in users {
            if !managed.contains_key(&name) {
                servers.insert(name, server);
            }
        }
    }
    let off = match request.options.mcp_mode {
        McpMode::Strict => plugins::switch_off(&mut own, &state_folders(request, found)),
        McpMode::Merge => BTreeSet::new(),
    };
    Ok(Base { off, ..copied(own, found, Some(servers))? })
}

/// Where OpenClaw may keep plugins: its state folder, that of its configuration, and the workspace.
fn state_folders(request: &HomeRequest<'_>, found: &Found) -> Vec<PathBuf> {
    let named = request.variable("OPENCLAW_STATE_DIR").map(PathBuf::from);
    let usual = request.user_home.map(|home| home.join(".openclaw"));
    let beside = found.config.parent().map(Path::to_owned);
    [named, usual, beside, Some(request.work_dir.join(".openclaw"))].into_iter().flatten().collect()
}

/// The live configuration, unless it has agents in a list: OpenClaw would join that to a list of ours, and of two
/// agents with one id the first wins, which is the user's (seen with 2026.6.11).
fn unmanaged(found: &Found) -> Result<Base> {
    let own = match &found.roster {
        Roster::Listed(list) if list.iter().any(Value::is_object) => {
            Some(include::read(&found.config).context("read agents.list of openclaw from its files")?)
        }
        // 2026.9 still reads a list, but not beside the entries that it makes of one.
        Roster::Keyed(_) => include::read(&found.config).ok().filter(wrapper::has_list),
        _ => None,
    };
    match own {
        Some(own) => copied(own, found, None),
        None => Ok(Base {
            live: found.exists,
            snapshot: None,
            roster: found.roster.clone(),
            servers: None,
            off: BTreeSet::new(),
        }),
    }
}

/// A copy that leaves a list of agents to the wrapper. Its own list is better than the CLI's answer: there, variables
/// are filled in, or secrets redacted.
fn copied(mut own: Map<String, Value>, found: &Found, servers: Option<Map<String, Value>>) -> Result<Base> {
    let roster = match (wrapper::take_list(&mut own), &found.roster) {
        (Some(list), _) => Roster::Listed(list),
        (None, Roster::Listed(list)) if list.iter().any(cli::is_redacted) => {
            bail!(
                "agents.list of openclaw contains secrets that its CLI does not print, and no configuration file has the list"
            )
        }
        (None, roster) => roster.clone(),
    };
    Ok(Base { live: false, snapshot: Some(own), roster, servers, off: BTreeSet::new() })
}

/// The user's whole configuration: the CLI's answer, or, from versions that have none or redact it, the files'.
/// `None`: it says nothing.
fn whole_config(cli: &Cli<'_>, found: &Found) -> Result<Option<Map<String, Value>>> {
    const STEP: &str = "read the resolved config of openclaw";
    let from_files = || include::read(&found.config).map(Some).context(STEP);
    if found.roster.is_keyed() {
        return from_files();
    }
    match cli::at(STEP, cli.ask_json(&["config", "get", "--json"]))? {
        Answer::Given(Value::Null) => Ok(None),
        Answer::Given(whole) if cli::is_redacted(&whole) => from_files(),
        Answer::Given(Value::Object(whole)) => Ok(Some(whole)),
        Answer::Given(_) => {
            Err(anyhow::anyhow!("`openclaw config get --json` printed no object").context(STEP))
        }
        Answer::Refused(words) if words.wants_path() => from_files(),
        Answer::Refused(words) => Err(cli::refused(STEP, &words)),
    }
}

fn build(request: &HomeRequest<'_>, found: &Found, runtime: &Runtime, base: &Base) -> Result<HomePlan> {
    let place = |name: &str| text_of(&request.env_root.join(name));
    let include = match base {
        Base { snapshot: Some(_), .. } => Some(place(SNAPSHOT)?),
        Base { live: true, .. } => Some(text_of(&found.config)?),
        _ => None,
    };
    let work_dir = text_of(request.work_dir)?;
    let skills = users_skills(request, found).map(|folder| text_of(&folder)).transpose()?;
    let parts = Parts {
        include: include.as_deref(),
        work_dir: &work_dir,
        roster: &base.roster,
        servers: base.servers.as_ref(),
        gateway: runtime.pin.section(),
        skills: skills.as_deref(),
    };
    let mut plan = HomePlan::default();
    let file = |value: &Value| HomeContent::File { bytes: format!("{value:#}\n").into_bytes(), mode: 0o600 };
    let snapshot = base.snapshot.clone().map(|mut own| {
        own.sort_keys();
        file(&Value::Object(own))
    });
    // The copy before what includes it.
    plan.homes.push(Home { name: SNAPSHOT, content: snapshot.unwrap_or(HomeContent::Nothing) });
    plan.homes.push(Home { name: CONFIG, content: file(&wrapper::wrapper(&parts)) });
    plan.exports.insert(CONFIG_VARIABLE.into(), place(CONFIG)?);
    let granted = if base.live { granted_folders(&found.config)? } else { Vec::new() };
    if let Some(roots) = include_roots(&granted, request.variable(ROOTS_VARIABLE)) {
        plan.exports.insert(ROOTS_VARIABLE.into(), roots);
    }
    plan.warnings.extend((!base.off.is_empty()).then(|| {
        "OpenClaw plugins of yours that bring MCP servers are off in this task; `--mcp-mode merge` keeps them".to_owned()
    }));
    plan.warnings.extend(runtime.warning.map(str::to_owned));
    if !found.exists {
        plan.warnings.push(
            "OpenClaw has no configuration: the task starts without your agents, models and keys".into(),
        );
    }
    log::debug!(
        "openclaw: {} (exists: {}), include {include:?}, granted {granted:?}, managed: {}",
        found.config.display(),
        found.exists,
        base.servers.is_some(),
    );
    Ok(plan)
}

/// The folder of the user's own skills, where OpenClaw would not find it: it looks beside its configuration, which is the
/// task's, unless a variable names its folder of state (2026.9.6).
fn users_skills(request: &HomeRequest<'_>, found: &Found) -> Option<PathBuf> {
    if STATE_VARIABLES.iter().any(|name| request.variable(name).is_some()) {
        return None;
    }
    found.config.parent().map(|folder| folder.join("skills")).filter(|folder| folder.is_dir())
}

/// The task's servers as OpenClaw has them: the kind of one that it reaches is its `transport`.
fn in_its_words(servers: &Map<String, Value>) -> Map<String, Value> {
    let mut servers = servers.clone();
    for server in servers.values_mut().filter_map(Value::as_object_mut) {
        let kind = server.shift_remove("type");
        let kind = kind.as_ref().and_then(Value::as_str).filter(|kind| *kind != "stdio");
        if let Some(kind) = kind {
            server.insert("transport".into(), if kind == "http" { "streamable-http" } else { kind }.into());
        }
    }
    servers
}

fn text_of(path: &Path) -> Result<String> {
    match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => bail!("{} is not UTF-8, which OpenClaw's configuration must be", path.display()),
    }
}

/// The folders that OpenClaw must be allowed to include from: that of the configuration, and where a link leads to.
fn granted_folders(config: &Path) -> Result<Vec<String>> {
    let real = config.canonicalize().with_context(|| format!("look at {}", config.display()))?;
    let mut folders = Vec::new();
    for folder in [config.parent(), real.parent()].into_iter().flatten() {
        let text = text_of(folder)?;
        if text.contains(':') {
            bail!("{text} holds a `:`, which {ROOTS_VARIABLE} cannot");
        }
        if !folders.contains(&text) {
            folders.push(text);
        }
    }
    Ok(folders)
}

/// `OPENCLAW_INCLUDE_ROOTS`: ours first, then what the user has, each once. `None`: nothing of ours is needed.
fn include_roots(granted: &[String], inherited: Option<&str>) -> Option<String> {
    if granted.is_empty() {
        return None;
    }
    let inherited = inherited.unwrap_or_default().split(':').filter(|root| !root.is_empty());
    let mut roots: Vec<&str> = Vec::new();
    for root in granted.iter().map(String::as_str).chain(inherited) {
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    Some(roots.join(":"))
}

#[cfg(test)]
mod tests;
