//! The command line of Codex.

use std::ffi::{OsStr, OsString};

use anyhow::Result;

use crate::protocol::app_server::{AppServer, Setup};
use crate::protocol::ndjson::codex_exec;
use crate::provider::launch::{Arguments, Dialect, LaunchPlan, LaunchRequest, Tells};
use crate::provider::row::OwnArgument;
use crate::provider::row::Takes::{Nothing, Value};

/// The arguments that `run` sets, or that would change what they mean.
pub const OWN_ARGUMENTS: &[OwnArgument] = &[
    ("--listen", Value),
    ("--json", Nothing),
    ("--experimental-json", Nothing),
    ("-C", Value),
    ("--cd", Value),
    ("-o", Value),
    ("--output-last-message", Value),
    ("--last", Nothing),
    ("--ephemeral", Nothing),
    ("resume", Nothing),
];

/// How Codex is run.
pub const DIALECTS: &[Dialect] = &[
    Dialect {
        name: "app-server",
        start: app_server,
        listener: || Box::new(AppServer::new(Setup::default())),
        tells: Tells { tokens: true, cost: false, turns: true },
    },
    Dialect {
        name: "exec",
        start: exec,
        listener: || Box::new(codex_exec(String::new(), None, false)),
        tells: Tells { tokens: false, cost: false, turns: false },
    },
];

/// Plans one start of the app-server. Sandbox, approvals and servers are in the configuration of the task's home.
///
/// # Errors
/// None.
pub fn app_server(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    let mut args = Arguments::of(&["app-server", "--listen", "stdio://"]);
    let (custom, mut notices) = custom(request);
    args.extend(&custom);
    if request.max_turns.is_some() {
        notices.push("Codex takes no limit on turns".to_owned());
    }
    let conversation = AppServer::new(Setup {
        prompt: request.prompt.to_owned(),
        work_dir: request.work_dir.to_string_lossy().into_owned(),
        model: request.model.map(str::to_owned),
        instructions: request.system_prompt.map(str::to_owned),
        resume: request.resume.map(str::to_owned),
        permission: request.permission,
    });
    Ok(LaunchPlan { notices, ..LaunchPlan::new(args.into_vec(), conversation) })
}

/// Plans one start of `codex exec`, which takes its prompt by standard input and asks no questions. Options stand before `resume`.
///
/// # Errors
/// None.
pub fn exec(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    let mut args = Arguments::of(&["exec", "--json", "--skip-git-repo-check"]);
    args.pair("-m", request.model);
    let instructions = request.system_prompt.map(toml_edit::Value::from);
    args.pair("-c", instructions.map(|text| format!("developer_instructions={text}")));
    let (custom, mut notices) = custom(request);
    args.extend(&custom);
    args.pair("resume", request.resume);
    args.push("-");
    if request.max_turns.is_some() {
        notices.push("Codex takes no limit on turns".to_owned());
    }
    let conversation = codex_exec(request.prompt.to_owned(), request.model, request.resume.is_some());
    Ok(LaunchPlan { notices, ..LaunchPlan::new(args.into_vec(), conversation) })
}

/// The user's arguments without settings that the environment makes, and what was left out.
fn custom(request: &LaunchRequest<'_>) -> (Vec<OsString>, Vec<String>) {
    let (mut kept, mut notices) = (Vec::new(), Vec::new());
    let mut args = request.custom.iter();
    while let Some(arg) = args.next() {
        let (flag, inline) = match arg.to_str().and_then(|arg| arg.split_once('=')) {
            Some((flag @ ("-c" | "--config"), setting)) => (flag, Some(OsStr::new(setting))),
            _ => (arg.to_str().unwrap_or_default(), None),
        };
        let is_setting = matches!(flag, "-c" | "--config");
        let next = if is_setting && inline.is_none() { args.next() } else { None };
        let setting = inline.or(next.map(OsString::as_os_str)).filter(|_| is_setting);
        match setting.and_then(|setting| managed(setting, request.servers.is_some())) {
            Some(table) => {
                notices.push(format!("dropped the argument {flag}: execenv sets `{table}` itself"));
            }
            None => kept.extend([Some(arg), next].into_iter().flatten().cloned()),
        }
    }
    (kept, notices)
}

/// The table that the environment makes and this setting would change.
fn managed(setting: &OsStr, manages_servers: bool) -> Option<&'static str> {
    const SERVERS: &str = "mcp_servers";
    const SHELL: &str = "shell_environment_policy";
    let setting = setting.to_string_lossy();
    let key = setting.split('=').next().unwrap_or_default().trim();
    let first = key.split('.').map(|part| part.trim().trim_matches(['"', '\''])).collect::<Vec<_>>();
    match first[..] {
        [SERVERS, ..] if manages_servers => Some(SERVERS),
        [SHELL, ..] | ["profiles", _, SHELL, ..] => Some(SHELL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tree::Tree;

    #[test]
    fn options_stand_before_the_session() {
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let custom = ["--search".into()];
        let bare = LaunchRequest::example(&env, folder.path());
        let args = |request: LaunchRequest<'_>| {
            let args = exec(&request).unwrap().args;
            args[3..].iter().map(|arg| arg.to_str().unwrap()).collect::<Vec<_>>().join("|")
        };
        assert_eq!(args(bare), "-");
        let all = LaunchRequest {
            model: Some("m"),
            system_prompt: Some("be \"terse\""),
            resume: Some("t"),
            custom: &custom,
            ..bare
        };
        assert_eq!(args(all), r#"-m|m|-c|developer_instructions='be "terse"'|--search|resume|t|-"#);
    }

    #[test]
    fn settings_of_the_environment_are_not_the_users() {
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let servers = serde_json::from_str(r#"{"a":{"command":"c"}}"#).unwrap();
        for (given, unmanaged, managed) in [
            ("-c model_provider=x --search", "-c model_provider=x --search", "-c model_provider=x --search"),
            ("-c mcp_servers.a.command=x y", "-c mcp_servers.a.command=x y", "y"),
            ("--config=mcp_servers={}", "--config=mcp_servers={}", ""),
            ("-c \"mcp_servers\".a.url=x", "-c \"mcp_servers\".a.url=x", ""),
            ("-c shell_environment_policy.inherit=all", "", ""),
            ("--config profiles.p.shell_environment_policy.inherit=all -x", "-x", "-x"),
            ("-c mcp_serverss=1", "-c mcp_serverss=1", "-c mcp_serverss=1"),
            ("-c", "-c", "-c"),
        ] {
            let custom: Vec<OsString> = given.split(' ').map(OsString::from).collect();
            for (servers, expected) in [(None, unmanaged), (Some(&servers), managed)] {
                let request =
                    LaunchRequest { custom: &custom, servers, ..LaunchRequest::example(&env, folder.path()) };
                let plan = app_server(&request).unwrap();
                let args: Vec<_> = plan.args[3..].iter().map(|arg| arg.to_str().unwrap()).collect();
                assert_eq!(args.join(" "), expected, "{given}");
                assert_eq!(plan.notices.len(), usize::from(expected.len() < given.len()));
            }
        }
    }
}
