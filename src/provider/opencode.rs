//! OpenCode: the managed MCP servers in `OPENCODE_CONFIG_CONTENT`, which it merges over every file of the user's.
//!
//! Each command that the agent runs inherits the variable, so the values that may be secrets lie in files of their own,
//! which the variable names (`{file:…}`, 1.18.33).
//!
//! It has no switch for "only these" (1.18.33): each server that a configuration file of the user's or of the project
//! names is switched off by name. Objects merge key by key, so a managed server of the same name would inherit the
//! other's variables and headers: those are set to nothing.

mod launch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::plan::{Home, HomeContent, HomeEntry, HomePlan, HomeRequest, HomeSidecar, IfTaken, Mcp, McpMode};
use super::row::{LoginFile, below};
use super::{mcp_server as server, user_file};
use crate::layout::names;

pub use self::launch::{DIALECTS, JSON, OWN_ARGUMENTS};

/// The file that OpenCode itself would put into the work dir.
pub(super) const IGNORE_FILE: &str = ".opencode/.gitignore";

const IGNORED: &str = "node_modules\npackage.json\npackage-lock.json\nbun.lock\n.gitignore";

/// Its conversations with their database, and its state (1.18.33).
pub(super) const WRITES: &[LoginFile] = &[
    below("XDG_DATA_HOME", ".local/share", "opencode"),
    below("XDG_STATE_HOME", ".local/state", "opencode"),
];

/// Where it writes a list of what git ignores, and looks for plugins, at each start; where it keeps programs that it starts; and
/// repositories of its own, whose settings can name programs.
pub(super) const SCRATCH: &[LoginFile] = &[
    below("XDG_CONFIG_HOME", ".config", "opencode"),
    below("XDG_CACHE_HOME", ".cache", "opencode"),
    below("XDG_DATA_HOME", ".local/share", "opencode/bin"),
    below("XDG_DATA_HOME", ".local/share", "opencode/snapshot"),
];

/// The variable.
pub(super) const CONTENT: &str = "OPENCODE_CONFIG_CONTENT";
/// The folder of the env root with the values of servers that may be secrets.
const SECRETS: &str = names::OPENCODE_SECRETS;
/// Its files in a configuration folder, in the order of its reading.
const FILES: [&str; 3] = ["config.json", "opencode.json", "opencode.jsonc"];

/// Plans the variable.
///
/// # Errors
/// When a managed server cannot be put in its words, or a file cannot be read whose servers must not be seen.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let mut plan = HomePlan::default();
    plan.sidecars.extend(ignore_file(request, IGNORE_FILE, IGNORED));
    let Mcp::Managed(servers) = request.mcp else { return Ok(plan) };
    let given = match request.variable(CONTENT) {
        Some(text) => user_file::parse_object(text, CONTENT)?.unwrap_or_default(),
        None => Map::new(),
    };
    let (on, off): (Vec<_>, Vec<_>) = server::all(servers).into_iter().partition(|s| s.is_enabled());
    let mut secrets = Secrets::new(&request.env_root.join(SECRETS));
    let managed: Map<String, Value> =
        on.iter().map(|s| (s.name().to_owned(), secrets.taken_out_of(s.for_opencode()).into())).collect();
    let mut content = given.clone();
    content.remove("mcp");
    let mut mcp = match request.options.mcp_mode {
        McpMode::Merge if !is_of_a_task(request) => own_of(&given),
        McpMode::Merge => Map::new(),
        McpMode::Strict => Map::new(),
    };
    let known = known_servers(request)?;
    if request.options.mcp_mode == McpMode::Strict {
        mcp.extend(known.keys().map(|name| (name.clone(), json!({ "enabled": false }))));
        plan.warnings.extend(unknowable(request)?);
    }
    // An entry is merged over the user's of the same name.
    for name in off.iter().map(server::Server::name) {
        if known.contains_key(name) || mcp.contains_key(name) {
            mcp.insert(name.to_owned(), json!({ "enabled": false }));
        }
    }
    for (name, server) in managed {
        let mut server = server;
        for other in known.get(&name).into_iter().flatten() {
            blank_out(&mut server, other);
        }
        if known.contains_key(&name) {
            plan.warnings.push(format!(
                "your OpenCode configuration also has a server `{}`; the agent uses the task's",
                name.escape_debug()
            ));
        }
        mcp.insert(name, server);
    }
    if request.task.agent.custom_env.contains_key(CONTENT) {
        plan.warnings.push(format!("{CONTENT} of the task gives way to the managed MCP servers"));
    }
    if !mcp.is_empty() || !content.is_empty() {
        content.insert("mcp".into(), mcp.into());
        plan.private_exports.insert(CONTENT.into(), Value::Object(content).to_string());
    }
    plan.homes.extend(secrets.home(request));
    Ok(plan)
}

/// The file that OpenCode, or a fork of it, puts into each folder of its name that lacks it: in one that execenv makes for
/// skills it would be a file that no record lists.
pub(super) fn ignore_file(request: &HomeRequest<'_>, path: &str, text: &str) -> Option<HomeSidecar> {
    (!request.skills.is_empty()).then(|| HomeSidecar {
        path: path.into(),
        bytes: text.into(),
        mode: 0o644,
        if_taken: IfTaken::Keep,
    })
}

/// Values of servers that may be secrets, each in a file.
struct Secrets {
    folder: PathBuf,
    files: Vec<(PathBuf, HomeEntry)>,
}

impl Secrets {
    fn new(folder: &Path) -> Secrets {
        Secrets { folder: folder.to_owned(), files: Vec::new() }
    }

    /// The server with references in the place of its values.
    fn taken_out_of(&mut self, mut server: Map<String, Value>) -> Map<String, Value> {
        for key in ["environment", "headers"] {
            let values = server.get_mut(key).and_then(Value::as_object_mut);
            values.into_iter().flat_map(|values| values.values_mut()).for_each(|value| self.take(value));
        }
        let arguments = server.get_mut("command").and_then(Value::as_array_mut);
        arguments.into_iter().flat_map(|words| words.iter_mut().skip(1)).for_each(|value| self.take(value));
        if let Some(url) = server.get_mut("url") {
            self.take(url);
        }
        server
    }

    fn take(&mut self, value: &mut Value) {
        let Value::String(text) = value else { return };
        let name = self.files.len().to_string();
        // OpenCode trims what it reads from a file, and ends the reference at the first `}`.
        let Some(place) =
            self.folder.join(&name).to_str().filter(|place| !place.contains('}')).map(str::to_owned)
        else {
            return;
        };
        if text.is_empty() || text.trim() != text {
            return;
        }
        self.files.push((name.into(), HomeEntry::File { bytes: text.clone().into_bytes(), mode: 0o600 }));
        *value = format!("{{file:{place}}}").into();
    }

    /// The folder with nothing but the files; `None`: there is no value.
    fn home(self, request: &HomeRequest<'_>) -> Option<Home> {
        let entries = self.files;
        let old =
            request.present.and_then(|present| present.names(Path::new(SECRETS)).ok()).unwrap_or_default();
        let is_new = |name: &std::ffi::OsString| entries.iter().any(|(path, _)| path.as_os_str() == name);
        let dropped = old.into_iter().filter(|name| !is_new(name)).collect();
        (!entries.is_empty())
            .then_some(Home { name: SECRETS, content: HomeContent::Folder { mode: 0o700, entries, dropped } })
    }
}

/// Whether the variable comes from an environment whose exports execenv was started with: its servers are that task's.
fn is_of_a_task(request: &HomeRequest<'_>) -> bool {
    let file = |root: &str| Path::new(root).join("launch/env").join(CONTENT);
    request.variable("EXECENV_ROOT").is_some_and(|root| file(root).symlink_metadata().is_ok())
}

fn own_of(config: &Map<String, Value>) -> Map<String, Value> {
    config.get("mcp").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Empties what `other` says of variables and headers and `server` does not.
fn blank_out(server: &mut Value, other: &Value) {
    for key in ["environment", "headers"] {
        let Some(theirs) = other.get(key).and_then(Value::as_object) else { continue };
        let Some(ours) = server.get_mut(key).and_then(Value::as_object_mut) else { continue };
        for name in theirs.keys() {
            ours.entry(name.clone()).or_insert_with(|| json!(""));
        }
    }
}

/// Every server that a configuration file names, with what each file says of it.
fn known_servers(request: &HomeRequest<'_>) -> Result<BTreeMap<String, Vec<Value>>> {
    let mut known: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for path in files(request) {
        let config = user_file::read_object(&path)?.unwrap_or_default();
        for (name, server) in own_of(&config) {
            known.entry(name).or_default().push(server);
        }
    }
    Ok(known)
}

/// Where it looks: its global folder, `OPENCODE_CONFIG`, the work dir and every folder above, `.opencode` in each
/// and in the user's home, `OPENCODE_CONFIG_DIR`. It stops at the repository's root; a name too many does no harm.
fn files(request: &HomeRequest<'_>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folder = |folder: PathBuf| found.extend(FILES.map(|file| folder.join(file)));
    if let Some(config) = base(request, "XDG_CONFIG_HOME", ".config") {
        folder(config.join("opencode"));
    }
    for dir in request.work_dir.ancestors() {
        folder(dir.to_owned());
        folder(dir.join(".opencode"));
    }
    if let Some(home) = request.user_home {
        folder(home.join(".opencode"));
    }
    if let Some(dir) = request.variable("OPENCODE_CONFIG_DIR") {
        folder(request.work_dir.join(dir));
    }
    if let Some(file) = request.variable("OPENCODE_CONFIG") {
        found.push(request.work_dir.join(file));
    }
    // `config.json` is OpenCode's in its global folder only; anywhere else it may belong to another program.
    let global = base(request, "XDG_CONFIG_HOME", ".config").map(|config| config.join("opencode"));
    found.retain(|path| !path.ends_with("config.json") || path.parent() == global.as_deref());
    found
}

fn base(request: &HomeRequest<'_>, variable: &str, below_home: &str) -> Option<PathBuf> {
    let named = request.variable(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    named.or_else(|| request.user_home.map(|home| home.join(below_home)))
}

/// Configuration that is fetched at the start, or an administrator's, is not known here.
fn unknowable(request: &HomeRequest<'_>) -> Result<Option<String>> {
    let Some(data) = base(request, "XDG_DATA_HOME", ".local/share") else { return Ok(None) };
    let logins =
        user_file::read_object(&data.join("opencode/auth.json")).unwrap_or_default().unwrap_or_default();
    let remote = logins.values().any(|login| login.get("type").and_then(Value::as_str) == Some("wellknown"));
    let managed = Path::new("/etc/opencode").exists();
    if has_plugins(request)? {
        return Ok(Some(
            "your OpenCode plugins run in this task too; MCP servers that one of them adds cannot be hidden from the agent"
                .to_owned(),
        ));
    }
    Ok((remote || managed).then(|| {
        "OpenCode also takes configuration from an organisation or an administrator here; MCP servers of that \
         cannot be hidden from the agent"
            .to_owned()
    }))
}

/// Whether the user or the project has plugins: programs, which may change the configuration.
fn has_plugins(request: &HomeRequest<'_>) -> Result<bool> {
    for path in files(request) {
        let config = user_file::read_object(&path)?.unwrap_or_default();
        let listed = config.get("plugin").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        let folders = ["plugin", "plugins"].map(|name| path.with_file_name(name));
        // Next to a project's own files a folder of that name may be anything.
        let is_configuration =
            path.parent().is_some_and(|parent| parent.ends_with(".opencode") || parent.ends_with("opencode"));
        if listed
            || (is_configuration
                && folders.iter().any(|folder| !user_file::names_in(folder).unwrap_or_default().is_empty()))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fixture::{World, file_text};

    fn mcp_of(plan: &HomePlan) -> Value {
        let text = &plan.private_exports[CONTENT];
        serde_json::from_str::<Value>(text).unwrap()["mcp"].clone()
    }

    #[test]
    fn nothing_is_said_without_a_managed_set() {
        let world = World::new();
        assert_eq!(world.plan(plan).unwrap(), HomePlan::default());
        assert_eq!(world.mcp("{}").plan(plan).unwrap(), HomePlan::default(), "nothing to switch off");
    }

    #[test]
    fn every_file_that_names_a_server_has_it_switched_off() {
        let world = World::new()
            .file(
                "home/.config/opencode/opencode.jsonc",
                "{ // mine\n\"mcp\":{\"global\":{\"type\":\"local\"}}}",
            )
            .file("home/.config/opencode/config.json", r#"{"mcp":{"older":{}}}"#)
            .file("home/.opencode/opencode.json", r#"{"mcp":{"dotted":{}}}"#)
            .file("root/e/workdir/opencode.json", r#"{"mcp":{"project":{}}}"#)
            .file("root/e/workdir/config.json", "another program's")
            .file("root/e/workdir/.opencode/opencode.jsonc", r#"{"mcp":{"inner":{}}}"#)
            .file("root/opencode.json", r#"{"mcp":{"above":{}}}"#)
            .file("named.json", r#"{"mcp":{"named":{}}}"#)
            .file("dir/opencode.json", r#"{"mcp":{"dir":{}}}"#)
            .variable("OPENCODE_CONFIG", "[T]/named.json")
            .variable("OPENCODE_CONFIG_DIR", "[T]/dir")
            .mcp(r#"{"a":{"command":"x"}}"#);
        let mcp = mcp_of(&world.plan(plan).unwrap());
        for name in ["global", "older", "dotted", "project", "inner", "above", "named", "dir"] {
            assert_eq!(mcp[name], json!({ "enabled": false }), "{name}");
        }
        assert_eq!(mcp["a"]["enabled"], json!(true));
        assert_eq!(mcp_of(&world.merge().plan(plan).unwrap()).as_object().unwrap().len(), 1);
    }

    #[test]
    fn values_that_may_be_secrets_lie_in_files() {
        let servers = r#"{"a":{"command":"x","args":["--key","sk-arg"],"env":{"KEY":"sk-env","EMPTY":"","PADDED":" sk "}},
            "b":{"type":"http","url":"https://x/?k=sk-url","headers":{"Authorization":"Bearer sk-header"}}}"#;
        let world = World::new().mcp(servers);
        let planned = world.plan(plan).unwrap();
        let mcp = mcp_of(&planned);
        let file = |n: usize| {
            format!("{{file:{}}}", world.path("root/e").join(SECRETS).join(n.to_string()).display())
        };
        assert_eq!(mcp["a"]["environment"], json!({ "KEY": file(0), "EMPTY": "", "PADDED": " sk " }));
        assert_eq!(mcp["a"]["command"], json!(["x", file(1), file(2)]));
        assert_eq!(mcp["b"]["headers"], json!({ "Authorization": file(3) }));
        assert_eq!(mcp["b"]["url"], json!(file(4)));
        let texts = ["sk-env", "--key", "sk-arg", "Bearer sk-header", "https://x/?k=sk-url"];
        for (n, text) in texts.iter().enumerate() {
            assert_eq!(file_text(&planned, SECRETS, &n.to_string(), 0o600), *text);
        }
    }

    #[test]
    fn a_folder_of_skills_has_the_ignore_file_that_opencode_would_make() {
        assert!(World::new().plan(plan).unwrap().sidecars.is_empty());
        let skill = crate::task::Skill { name: "s".into(), content: "x".into(), ..Default::default() };
        let planned = World::new().skills(&[skill]).plan(plan).unwrap();
        assert_eq!(planned.sidecars[0].path, Path::new(".opencode/.gitignore"));
        assert_eq!(planned.sidecars[0].if_taken, IfTaken::Keep);
    }

    #[test]
    fn a_server_of_the_same_name_inherits_no_secret() {
        let world = World::new()
            .file(
                "home/.config/opencode/opencode.json",
                r#"{"mcp":{"a":{"type":"local","environment":{"TOKEN":"sk-user","MODE":"u"}}}}"#,
            )
            .mcp(r#"{"a":{"command":"x","env":{"MODE":"task"}}}"#);
        let planned = world.plan(plan).unwrap();
        let mode = format!("{{file:{}}}", world.path("root/e").join(SECRETS).join("0").display());
        assert_eq!(mcp_of(&planned)["a"]["environment"], json!({ "MODE": mode, "TOKEN": "" }));
        assert_eq!(planned.warnings.len(), 1);
    }

    #[test]
    fn a_configuration_in_the_variable_stays_but_for_its_servers() {
        let world = World::new().variable(CONTENT, r#"{"model":"m","mcp":{"own":{"type":"local"}}}"#);
        let strict = world.mcp("{}").plan(plan).unwrap();
        assert_eq!(strict.private_exports[CONTENT], r#"{"model":"m","mcp":{}}"#);
        let world = World::new().variable(CONTENT, r#"{"model":"m","mcp":{"own":{"type":"local"}}}"#);
        let merged = world.mcp("{}").merge().plan(plan).unwrap();
        assert_eq!(merged.private_exports[CONTENT], r#"{"model":"m","mcp":{"own":{"type":"local"}}}"#);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error() {
        let world = World::new().file("root/e/workdir/opencode.json", "{").mcp("{}");
        assert!(world.plan(plan).unwrap_err().to_string().contains("opencode.json, line 1"));
    }
}
