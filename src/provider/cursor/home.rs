//! Cursor: a task's MCP servers, approved, and a data folder of the task's own.
//!
//! Cursor reads servers from `.cursor/mcp.json` in the project root and from the user's home, and starts those whose
//! key is among the approvals of its data folder. With a data folder of the task's own, only the task's servers are
//! approved. A task without an MCP configuration gets none: the user's own configuration applies.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::approval;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::order;
use crate::provider::plan::{
    Home, HomeContent, HomeEntry, HomePlan, HomeRequest, HomeSidecar, IfTaken, Mcp, McpMode, is_switched_on,
};
use crate::provider::read::read_bounded;
use crate::provider::row::HomeFolder;
use crate::sys::tree::{FileKind, Tree};

/// The project's servers, in the work dir.
pub(crate) const MCP_FILE: &str = ".cursor/mcp.json";
/// The data folder in the env root.
const DATA: &str = names::CURSOR_HOME;
/// The variable by which Cursor finds it.
pub(crate) const DATA_VARIABLE: &str = "CURSOR_DATA_DIR";
/// The custom variable of a task that names a login for its MCP servers. The agent does not get it.
pub(crate) const AUTH_VARIABLE: &str = "CURSOR_MCP_AUTH_SOURCE";
/// The file of such a login, which may be called nothing else.
const AUTH_FILE: &str = "mcp-auth.json";
/// The list of the servers that may start.
const APPROVALS: &str = "mcp-approvals.json";
/// The largest configuration of the user's that is read, in bytes.
const MAX_CONFIG: u64 = 16 << 20;

/// The home, as a folder.
pub(crate) const FOLDER: HomeFolder =
    HomeFolder { name: DATA, own_files: &[], logins: &[AUTH_FILE], login_keys: &[], without_secrets };

/// Plans a Cursor environment.
///
/// # Errors
/// For a server that is not an object, a project root above the user's folder, or an unusable login. Nothing has been
/// written then.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let Mcp::Managed(managed) = request.mcp else {
        let homes = vec![Home { name: DATA, content: HomeContent::Nothing }];
        return Ok(HomePlan { homes, ..HomePlan::default() });
    };
    let mut plan = HomePlan::default();
    let mut servers = sorted(managed)?;
    if request.options.mcp_mode == McpMode::Merge {
        plan.warnings.extend(add_users_own(request, &mut servers));
    }
    servers.retain(|name, server| !managed.contains_key(name) || is_switched_on(server));
    let project = project_root(request)?;
    plan.sidecars.push(HomeSidecar {
        path: MCP_FILE.into(),
        bytes: configuration(&servers),
        mode: 0o600,
        if_taken: IfTaken::Refuse,
    });
    let entries = data_folder(&project, &servers, auth_source(request)?);
    let content = HomeContent::Folder { mode: 0o700, entries, dropped: Vec::new() };
    plan.homes.push(Home { name: DATA, content });
    let data = request.env_root.join(DATA).to_string_lossy().into_owned();
    plan.exports.insert(DATA_VARIABLE.into(), data);
    Ok(plan)
}

/// The servers by name, each an object.
fn sorted(servers: &Map<String, Value>) -> Result<Map<String, Value>> {
    let wrong = |message: String| {
        let hint = "an entry of `mcpServers` is a name and an object with `command` or `url`";
        Failure::new(Code::BadDocument, message).hint(hint)
    };
    let mut names: Vec<&String> = servers.keys().collect();
    order::sort(&mut names);
    let mut all = Map::new();
    for name in names {
        if name.trim().is_empty() {
            return Err(wrong("mcp_config: an MCP server has no name".into()).into());
        }
        if !servers[name].is_object() {
            return Err(wrong(format!("mcp_config: the MCP server {name:?} must be an object")).into());
        }
        all.insert(name.clone(), servers[name].clone());
    }
    Ok(all)
}

/// Adds the servers of the user's home that the task does not name itself. Returns a warning where they
/// cannot be read; then the agent sees the task's own servers only.
fn add_users_own(request: &HomeRequest<'_>, servers: &mut Map<String, Value>) -> Option<String> {
    let path = request.user_home?.join(".cursor").join("mcp.json");
    let text = match read_bounded(&path, MAX_CONFIG) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        other => other,
    };
    let own = text.ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    let unreadable =
        || Some("your Cursor mcp.json cannot be read: the agent sees the task's MCP servers only".to_owned());
    let Some(Value::Object(mut own)) = own else { return unreadable() };
    let own = match own.remove("mcpServers") {
        None | Some(Value::Null) => return None,
        Some(Value::Object(own)) => own,
        Some(_) => return unreadable(),
    };
    let usable = own.into_iter().filter(|(name, server)| !name.trim().is_empty() && server.is_object());
    for (name, server) in usable {
        servers.entry(name).or_insert(server);
    }
    servers.sort_keys();
    None
}

fn configuration(servers: &Map<String, Value>) -> Vec<u8> {
    let document = serde_json::json!({ "mcpServers": servers });
    format!("{document:#}\n").into_bytes()
}

/// The folder that Cursor takes for the project: the nearest with a `.git` from the work dir upwards. In an environment
/// of ours that is the work dir, whatever repository the workspaces root may lie in.
fn project_root(request: &HomeRequest<'_>) -> Result<PathBuf> {
    let work_dir = resolved(request.work_dir);
    if !request.is_local {
        return Ok(work_dir);
    }
    let has_git = |folder: &&Path| folder.join(".git").symlink_metadata().is_ok();
    match work_dir.ancestors().find(has_git) {
        Some(root) if root != work_dir => {
            let message = format!(
                "Cursor would read the task's MCP servers from {}, the root of the repository, which is outside of {}",
                root.join(".cursor/mcp.json").display(),
                request.work_dir.display()
            );
            Err(Failure::new(Code::Usage, message)
                .hint(format!("work in the whole repository: `--local-dir {}`", root.display()))
                .into())
        }
        _ => Ok(work_dir),
    }
}

/// The path without links, as Cursor will see it. On a first prepare the last folders are not there yet.
fn resolved(path: &Path) -> PathBuf {
    for existing in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (existing.canonicalize(), path.strip_prefix(existing)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.to_owned()
}

/// The data folder. What Cursor itself keeps there, its sessions above all, stays when the environment is used again.
fn data_folder(
    project: &Path,
    servers: &Map<String, Value>,
    auth: Option<PathBuf>,
) -> Vec<(PathBuf, HomeEntry)> {
    let projects = PathBuf::from("projects");
    let own = projects.join(slug(&project.to_string_lossy()));
    let keys: Vec<String> = servers
        .iter()
        .filter_map(|(name, server)| Some(approval::key(project, name, server.as_object()?)))
        .collect();
    let trust = serde_json::json!({
        "trustMethod": "multica-managed",
        "trustedAt": "1970-01-01T00:00:00Z",
        "workspacePath": project.to_string_lossy(),
    });
    let file = |text: String| HomeEntry::File { bytes: text.into_bytes(), mode: 0o600 };
    let mut entries = vec![
        (projects, HomeEntry::Kept { mode: 0o700 }),
        (own.join(APPROVALS), file(format!("{:#}", Value::from(keys)))),
        (own.join(".workspace-trusted"), file(format!("{trust:#}"))),
        // The login of an earlier task is removed, whether this one brings one or not.
        (own.join(AUTH_FILE), auth.map_or(HomeEntry::Absent, |target| HomeEntry::Link { target })),
        (own, HomeEntry::Kept { mode: 0o700 }),
    ];
    // Parents before children.
    order::sort_by(&mut entries, |(one, _), (other, _)| one.cmp(other));
    entries
}

/// A data folder without approvals and logins, whichever project they are for. Cursor's sessions stay.
///
/// # Errors
/// When the folder cannot be listed.
fn without_secrets(present: &Tree, folder: &HomeFolder) -> Result<Option<Home>> {
    let is_dir = |path: &Path| matches!(present.kind(path), Ok(Some(FileKind::Dir)));
    let projects = Path::new(folder.name).join("projects");
    let mut entries = Vec::new();
    if is_dir(&projects) {
        entries.push((PathBuf::from("projects"), HomeEntry::Kept { mode: 0o700 }));
        let listed = present.names(&projects);
        let listed = listed.with_context(|| format!("list {}", present.path().join(&projects).display()))?;
        for own in listed.iter().filter(|name| is_dir(&projects.join(name))) {
            let own = Path::new("projects").join(own);
            entries.push((own.clone(), HomeEntry::Kept { mode: 0o700 }));
            entries.extend([APPROVALS, AUTH_FILE].map(|name| (own.join(name), HomeEntry::Absent)));
        }
    }
    let content = HomeContent::Folder { mode: 0o700, entries, dropped: Vec::new() };
    Ok(Some(Home { name: folder.name, content }))
}

/// Cursor's name for a project: letters and digits; every run of other characters becomes one `-`.
fn slug(path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// The login that the task names for its MCP servers. Errors name the variable, not its value.
fn auth_source(request: &HomeRequest<'_>) -> Result<Option<PathBuf>> {
    let Some(given) = request.task.agent.custom_env.get(AUTH_VARIABLE).map(|value| value.trim()) else {
        return Ok(None);
    };
    if given.is_empty() {
        return Ok(None);
    }
    let wrong = |why: &str| {
        Failure::new(Code::BadDocument, format!("the task's {AUTH_VARIABLE} {why}"))
            .hint(format!("it is the absolute path of a file `{AUTH_FILE}`, or of the folder that holds it"))
    };
    let path = match (given.strip_prefix('~'), request.user_home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            home.join(rest.trim_start_matches('/'))
        }
        _ => PathBuf::from(given),
    };
    if !path.is_absolute() {
        return Err(wrong("is not an absolute path").into());
    }
    let path = if path.is_dir() { path.join(AUTH_FILE) } else { path };
    if path.file_name().is_none_or(|name| name != AUTH_FILE) {
        return Err(wrong("must be called `mcp-auth.json`").into());
    }
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(Some(path)),
        Ok(_) => Err(wrong("is not a file").into()),
        Err(_) => Err(wrong("cannot be read, or does not exist").into()),
    }
}

#[cfg(test)]
mod tests;
