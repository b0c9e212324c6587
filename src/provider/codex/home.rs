//! Codex: a home of the task's own, made from the user's and with execenv's keys in its configuration.
//!
//! | part | becomes |
//! |---|---|
//! | `config.toml`, profiles (`NAME.config.toml`) | the user's text with what is ours, 0600 |
//! | `AGENTS.md`, `instructions.md`, `config.json`, `hooks.json`, `rules/*.rules`, files that the configuration names | copies, 0600 |
//! | `auth.json`, `plugins/cache`, `hooks`, the user's skills | links |
//! | the task's skills | files |
//! | `sessions` | the task's own, or a link to a store |
//! | `models_cache.json` | the task's own, as long as the configuration is the same |
//!
//! The user's home is only read; a part of it that is not there is not made. What would leave the agent with another
//! sandbox, model or set of servers than was chosen is an error; a missing convenience is a warning.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::iter;
use std::path::Path;

use anyhow::Result;
use toml_edit::Document;

use super::config::{self, Wishes};
use super::draft::Draft;
use super::hooks::{self, Move};
use super::mirror::{self, CONFIG};
use super::models::{self, Configuration};
use super::sandbox::{self, Mode, Policy};
use super::shared::{HOME_NAME, SharedHome};
use super::shell::allowed_names;
use super::{limits, profiles, sessions, skills, source, switches};
use crate::failure::{Code, Failure};
use crate::order;
use crate::provider::plan::{ALWAYS_EXPORTED, Home, HomeContent, HomeEntry, HomePlan, HomeRequest, Os};
use crate::provider::row::HomeFolder;
use crate::provider::version::{Version, check_minimum, find_version};
use crate::sys::tree::{FileKind, Tree};

/// Files of the home that may hold keys and the variables of MCP servers, besides profiles.
const SECRET: [&str; 3] = ["config.json", "config.toml", hooks::FILE];

/// The home, as a folder.
pub(crate) const FOLDER: HomeFolder = HomeFolder {
    name: HOME_NAME,
    own_files: &SECRET,
    logins: &[mirror::AUTH],
    login_keys: &[],
    without_secrets,
};

/// The home without configuration, profiles and logins. Its links stay: one may lead to the store with the conversations.
fn without_secrets(present: &Tree, folder: &HomeFolder) -> Result<Option<Home>> {
    let home = present.subtree(Path::new(folder.name))?;
    let is_file = |name: &OsString| matches!(home.kind(Path::new(name)), Ok(Some(FileKind::File { .. })));
    let is_secret = |name: &OsString| profiles::is_profile(name) || folder.is_login(name) && is_file(name);
    let secrets = home.names(Path::new("")).unwrap_or_default().into_iter().filter(is_secret);
    let dropped = folder.own_files.iter().map(OsString::from).chain(secrets).collect();
    let content = HomeContent::Folder { mode: 0o700, entries: Vec::new(), dropped };
    Ok(Some(Home { name: folder.name, content }))
}

/// The name in the row.
pub const NAME: &str = "codex";

/// The variable that names its home.
pub(crate) const HOME_VARIABLE: &str = "CODEX_HOME";
/// The variable that makes checkouts repositories of their own.
pub(crate) const CHECKOUT_VARIABLE: &str = "MULTICA_REPO_CHECKOUT_MODE";

/// The oldest Codex that execenv works with.
pub(crate) const MINIMUM: Version = Version(0, 100, 0);

/// The folder of the env root for the agent's results.
const OUTPUT: &str = "output";

/// Plans a Codex environment.
///
/// # Errors
/// When the user's configuration cannot be understood, names files that are not there, or when sandbox or MCP servers
/// cannot be set up as asked.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let shared = SharedHome::find(request);
    let Some(root) = request.env_root.to_str() else {
        let message = format!("{}: Codex needs a path that is text", request.env_root.display());
        return Err(Failure::new(Code::BadPath, message).into());
    };
    let home = request.env_root.join(HOME_NAME);
    let mut exports = BTreeMap::from([(HOME_VARIABLE.to_owned(), format!("{root}/{HOME_NAME}"))]);
    if request.os == Os::Linux {
        // A linked worktree's git folder lies outside the sandbox.
        exports.insert(CHECKOUT_VARIABLE.to_owned(), "isolated".to_owned());
    }
    let version = find_version(&request.options.codex_version);
    let policy = sandbox::policy(
        request.os,
        version,
        request.options.codex_sandbox.as_deref(),
        request.options.codex_network,
    )?;
    let present = request.present.and_then(|root| root.subtree(Path::new(HOME_NAME)).ok());
    let mut draft = Draft::new(present.as_ref());
    warn(&mut draft, request, shared.as_ref(), &policy);

    let shared = shared.as_ref();
    let user_config = mirror::read_config(shared, CONFIG)?;
    let config = user_config.as_deref().unwrap_or_default();
    let document = mirror::parse_config(shared, CONFIG, config)?;
    let profiles = profiles::load(&mut draft, shared, &request.task.agent.custom_args)?;
    let of_profiles =
        profiles.iter().map(|profile| source::parse(&profile.text)).collect::<Result<Vec<_>, _>>()?;
    let wishes = Wishes {
        sandbox: policy.mode,
        network: policy.network,
        writable: writable(&mut draft, request, root, policy.mode),
        keeps_multi_agent: switches::is_on(request.variable("MULTICA_CODEX_MULTI_AGENT")),
        has_agents_switch: switches::has_agents_switch(version),
        keeps_memory: request.options.keeps_memory
            || switches::is_on(request.variable("MULTICA_CODEX_MEMORY")),
        mcp: request.mcp,
        mcp_mode: request.options.mcp_mode,
        disabled_skills: disabled_skills(request, iter::once(&document).chain(&of_profiles), shared, &home),
        shell_names: shell_names(request, &exports),
        hooks: Move::new(shared, &home),
    };
    warn_of_limits(&mut draft, request, &document, iter::zip(&profiles, &of_profiles), &policy, &wishes)?;
    if config::has_plugins(&document) && wishes.is_strict() {
        draft.warnings.push(
            "your Codex plugins are off in this task, because they can bring MCP servers; `--mcp-mode merge` keeps them"
                .to_owned(),
        );
    }
    let text = config::build(config, &wishes)?;
    draft.put(CONFIG, HomeEntry::File { bytes: text.into_bytes(), mode: 0o600 });
    mirror::copies(&mut draft, shared);
    mirror::named_files(&mut draft, &document, request, shared)?;
    profiles::plan(&mut draft, iter::zip(&profiles, &of_profiles), request, shared, &wishes)?;
    mirror::rules(&mut draft, shared)?;
    hooks::copy(&mut draft, shared)?;
    mirror::login(&mut draft, shared);
    mirror::plugins(&mut draft, shared);
    let configuration = Configuration {
        files: [
            ("config.json".to_owned(), draft.bytes("config.json").map(<[u8]>::to_vec)),
            (CONFIG.to_owned(), user_config.as_deref().map(|text| text.as_bytes().to_vec())),
        ]
        .into_iter()
        .chain(profiles.iter().map(|profile| (profile.file(), Some(profile.text.clone().into_bytes()))))
        .collect(),
        catalog: mirror::catalog(&document, request.user_home, shared)?,
    };
    models::plan(&mut draft, shared, &configuration);
    skills::plan(&mut draft, request.skills, shared);
    sessions::plan(&mut draft, request, shared);
    Ok(HomePlan {
        homes: vec![draft.finish()],
        exports,
        stores: draft.stores,
        store_files: draft.store_files,
        warnings: draft.warnings,
        ..HomePlan::default()
    })
}

/// The folders outside of the work dir that the agent can write in the sandbox.
fn writable(draft: &mut Draft<'_>, request: &HomeRequest<'_>, root: &str, mode: Mode) -> Vec<String> {
    let mut writable = vec![format!("{root}/{OUTPUT}")];
    if mode == Mode::WorkspaceWrite {
        let folders = (request.git_folders.0)().into_iter().map(|path| path.into_os_string().into_string());
        match folders.collect::<Result<Vec<_>, _>>() {
            Ok(folders) => writable.extend(folders),
            Err(path) => draft.warnings.push(format!(
                "Codex cannot commit in this worktree: the path of its repository is no text ({})",
                path.display()
            )),
        }
    }
    writable
}

fn warn(draft: &mut Draft<'_>, request: &HomeRequest<'_>, shared: Option<&SharedHome>, policy: &Policy) {
    if shared.is_some_and(|shared| shared.is_another) {
        draft.warnings.push(
            "`CODEX_HOME` is the home of another environment; execenv uses `.codex` in your home folder instead"
                .to_owned(),
        );
    }
    let version = find_version(&request.options.codex_version);
    if let Some(Err(failure)) = version.map(|version| check_minimum(NAME, version, MINIMUM)) {
        draft.warnings.push(failure.message);
    }
    if policy.mode == Mode::FullAccess {
        draft.warnings.push(format!("Codex runs without a sandbox: {}", policy.reason));
        return;
    }
    let temporary = Path::new(request.variable("TMPDIR").unwrap_or("/tmp"));
    if request.env_root.starts_with(temporary) {
        // Codex 0.169 puts no helper programs below a temporary folder; its sandbox then starts nothing.
        draft.warnings.push(
            "Codex cannot sandbox commands, because the environment is inside the folder for temporary files: use another \
             `--workspaces-root`; or `--codex-sandbox danger-full-access`, which lets the agent read and change \
             everything that you can"
                .to_owned(),
        );
    }
}

/// Warns of what limits an agent in the user's home and does not in the task's.
fn warn_of_limits<'a>(
    draft: &mut Draft<'_>,
    request: &HomeRequest<'_>,
    document: &Document<&str>,
    profiles: impl Iterator<Item = (&'a profiles::Profile, &'a Document<&'a str>)>,
    policy: &Policy,
    wishes: &Wishes<'_>,
) -> Result<()> {
    const CONFIGURATION: &str = "your Codex configuration";
    let profiles =
        profiles.map(|(profile, document)| (format!("your Codex profile `{}`", profile.file()), document));
    for (place, document) in iter::once((CONFIGURATION.to_owned(), document)).chain(profiles) {
        draft.warnings.extend(limits::lifted(&place, document, request, policy));
        if hooks::with_trust_moved(document.raw(), &wishes.hooks)?.is_none() {
            draft.warnings.push(format!(
                "{place} names a hook in escapes that are not understood: the hook does not run"
            ));
        }
    }
    if wishes.is_strict() {
        draft.warnings.extend(limits::untrusted_project(document, request));
    }
    Ok(())
}

/// The skills that the user or the task switches off.
fn disabled_skills<'a>(
    request: &HomeRequest<'_>,
    configs: impl Iterator<Item = &'a Document<&'a str>>,
    shared: Option<&SharedHome>,
    home: &Path,
) -> Vec<String> {
    let refs = &request.task.agent.disabled_runtime_skills;
    let mut paths = skills::disabled(refs, request.skills, home, request.user_home);
    if let Some(shared) = shared {
        for config in configs {
            let off = config::disabled_by_user(config);
            paths.extend(off.paths.iter().map(|path| config::moved(path, &shared.path, home)));
            paths.extend(skills::named(&off.names, request.skills, home, shared, request.user_home));
        }
    }
    let mut paths: Vec<String> =
        paths.into_iter().filter_map(|path| path.into_os_string().into_string().ok()).collect();
    order::sort(&mut paths);
    paths.dedup();
    paths
}

/// The names of variables that are known before a run.
fn shell_names(request: &HomeRequest<'_>, exports: &BTreeMap<String, String>) -> Vec<String> {
    let inherited = request.inherited.iter().filter_map(|(name, _)| name.to_str());
    let custom = request.task.agent.custom_env.keys().map(String::as_str);
    let explicit = exports.keys().chain(request.given.keys()).map(String::as_str).chain(ALWAYS_EXPORTED);
    allowed_names(inherited, explicit, custom)
}

#[cfg(test)]
mod tests;
