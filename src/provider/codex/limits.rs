//! What the user's configuration forbids an agent and the task's does not: execenv chooses sandbox, network and the
//! variables of shell commands itself, and each limit that this lifts is a warning.

use toml_edit::{Document, TableLike};

use super::sandbox::{Mode, Policy};
use crate::provider::plan::HomeRequest;

/// The limits of one configuration that do not hold, each as a warning. `place` names it: `your Codex configuration`.
pub(super) fn lifted(
    place: &str,
    document: &Document<&str>,
    request: &HomeRequest<'_>,
    policy: &Policy,
) -> Vec<String> {
    let root = document.as_table();
    let profiles = root.get("profiles").and_then(|profiles| profiles.as_table_like());
    let profiles = profiles.into_iter().flat_map(|profiles| profiles.iter());
    let profiles = profiles.filter_map(|(name, profile)| Some((Some(name), profile.as_table_like()?)));
    let mut warnings = Vec::new();
    for (profile, table) in std::iter::once((None, root as &dyn TableLike)).chain(profiles) {
        let place = match profile {
            None => place.to_owned(),
            Some(name) => format!("the profile `{}` in {place}", name.escape_debug()),
        };
        let found = of_table(table, request, policy);
        warnings.extend(found.into_iter().map(|(key, what)| format!("{place} has {key}, but {what}")));
    }
    warnings
}

/// The keys of a table whose limits do not hold, each with what holds instead.
fn of_table(
    table: &dyn TableLike,
    request: &HomeRequest<'_>,
    policy: &Policy,
) -> Vec<(&'static str, String)> {
    let mut lifted = Vec::new();
    let is_asked = request.options.codex_sandbox.is_some();
    let mode = table.get("sandbox_mode").and_then(|mode| mode.as_str());
    if mode == Some(Mode::ReadOnly.word()) && policy.mode != Mode::ReadOnly && !is_asked {
        let holds = "the agent can write its work dir; `--codex-sandbox read-only` keeps the limit";
        lifted.push(("`sandbox_mode = \"read-only\"`", holds.to_owned()));
    }
    if table.contains_key("default_permissions") && !is_asked {
        lifted.push((
            "`default_permissions`",
            format!("the task has the sandbox mode {} instead", policy.mode.word()),
        ));
    }
    let network = table
        .get("sandbox_workspace_write")
        .and_then(|t| t.as_table_like()?.get("network_access")?.as_bool());
    if network == Some(false) && policy.network && request.options.codex_network.is_none() {
        let holds = "commands in the task reach the network; `--codex-network off` keeps the limit";
        lifted.push(("`network_access = false`", holds.to_owned()));
    }
    if table
        .get("shell_environment_policy")
        .and_then(|policy| policy.as_table_like())
        .is_some_and(hides_variables)
    {
        let holds = "commands in the task get every variable whose name does not sound like a secret's, and those of the \
                     task; `execenv run --clear-env` gives them few";
        lifted.push(("a `shell_environment_policy` that hides variables", holds.to_owned()));
    }
    lifted
}

/// Whether a policy hides more variables than Codex does without one.
fn hides_variables(policy: &dyn TableLike) -> bool {
    let has_entries =
        |key| policy.get(key).and_then(|list| list.as_array()).is_some_and(|list| !list.is_empty());
    let inherit = policy.get("inherit").and_then(|inherit| inherit.as_str());
    has_entries("exclude") || has_entries("include_only") || inherit.is_some_and(|inherit| inherit != "all")
}

/// A warning where the user trusts the project that the task works in and the task's Codex does not: then nothing in the
/// project's `.codex` counts.
pub(super) fn untrusted_project(document: &Document<&str>, request: &HomeRequest<'_>) -> Option<String> {
    let projects = document.as_table().get("projects")?.as_table_like()?;
    let is_trusted = |folder: &str| {
        let project = projects.get(folder).and_then(|project| project.as_table_like());
        project.and_then(|project| project.get("trust_level")?.as_str()) == Some("trusted")
    };
    let project = request.work_dir.ancestors().find(|folder| folder.to_str().is_some_and(is_trusted))?;
    let settings = request.work_dir.ancestors().map(|folder| folder.join(".codex"));
    let mut settings = settings.take_while(|folder| folder.starts_with(project));
    let has_limits = |folder: std::path::PathBuf| {
        ["config.toml", "hooks.json", "rules"].iter().any(|name| folder.join(name).exists())
    };
    settings.any(has_limits).then(|| {
        "the MCP servers of the task are the only ones, so Codex reads nothing in the project's `.codex`: hooks, rules and \
         settings there do not hold; `--mcp-mode merge` keeps them"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::super::sandbox::policy;
    use super::super::source;
    use super::*;
    use crate::provider::fixture::World;

    fn warnings(config: &str, sandbox: Option<&str>, network: Option<bool>) -> Vec<String> {
        let mut world = World::new();
        world.options.codex_sandbox = sandbox.map(str::to_owned);
        world.options.codex_network = network;
        let policy = policy(world.os, None, sandbox, network).unwrap();
        lifted("your Codex configuration", &source::parse(config).unwrap(), &world.request(), &policy)
    }

    #[test]
    fn each_limit_that_does_not_hold_is_named() {
        const READ_ONLY: &str = "sandbox_mode = \"read-only\"\n";
        const OFF: &str = "[sandbox_workspace_write]\nnetwork_access = false\n";
        for (config, sandbox, network, named) in [
            ("model = \"m\"\n", None, None, None),
            ("sandbox_mode = \"workspace-write\"\n", None, None, None),
            (READ_ONLY, None, None, Some("--codex-sandbox read-only")),
            (READ_ONLY, Some("read-only"), None, None),
            (READ_ONLY, Some("workspace-write"), None, None),
            (OFF, None, None, Some("--codex-network off")),
            (OFF, None, Some(false), None),
            (OFF, None, Some(true), None),
            (OFF, Some("read-only"), None, None),
            ("default_permissions = \"strict\"\n", None, None, Some("workspace-write")),
            ("[profiles.p]\nsandbox_mode = \"read-only\"\n", None, None, Some("the profile `p`")),
            ("[shell_environment_policy]\ninherit = \"core\"\n", None, None, Some("--clear-env")),
            ("[shell_environment_policy]\nexclude = [\"AWS_*\"]\n", None, None, Some("hides variables")),
            ("shell_environment_policy.include_only = [\"PATH\"]\n", None, None, Some("hides variables")),
            ("[shell_environment_policy]\ninherit = \"all\"\nset = { A = \"1\" }\n", None, None, None),
        ] {
            let found = warnings(config, sandbox, network);
            assert_eq!(found.len(), usize::from(named.is_some()), "{config}: {found:?}");
            assert!(named.is_none_or(|named| found[0].contains(named)), "{config}: {found:?}");
        }
    }

    #[test]
    fn a_project_that_the_task_does_not_trust_is_named_where_it_has_limits() {
        let mut world = World::new().file("project/.codex/hooks.json", "{}").file("project/sub/x", "");
        world.work_dir = world.path("project/sub");
        let trusted = |folder: &std::path::Path, level: &str| {
            format!("[projects.\"{}\"]\ntrust_level = \"{level}\"\n", folder.display())
        };
        let project = world.path("project");
        for (config, is_named) in [
            (String::new(), false),
            (trusted(&project, "trusted"), true),
            (trusted(&project, "untrusted"), false),
            (trusted(&project.join("sub"), "trusted"), false),
            (trusted(&world.path("other"), "trusted"), false),
        ] {
            let document = source::parse(&config).unwrap();
            assert_eq!(untrusted_project(&document, &world.request()).is_some(), is_named, "{config}");
        }
    }
}
