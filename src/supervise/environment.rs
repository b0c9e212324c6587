//! The agent's variables.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::order;
use crate::provider;

/// Names with values.
pub type Variables = Vec<(OsString, OsString)>;

/// The variables that `--clear-env` keeps, besides `LC_*`.
const KEPT: [&str; 9] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "TZ", "TMPDIR"];

/// Variables that describe the session of an agent which started execenv.
const CLAUDE_SESSION: [&str; 5] = [
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_EXECPATH",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_SSE_PORT",
];

/// Variables that point git at a repository other than that of the current folder: those of `git rev-parse
/// --local-env-vars`, and more.
const GIT_PLACES: [&str; 18] = [
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_CEILING_DIRECTORIES",
];

/// Variables that a task may not set, besides [`provider::own_variables`].
const BLOCKED: [&str; 9] = ["HOME", "PATH", "USER", "SHELL", "TERM", "PWD", "TMPDIR", "TMP", "TEMP"];

/// Variables that say which run this is: not even the operator may set them.
const IDENTITY: [&str; 5] = [
    "MULTICA_WORKSPACE_ID",
    "MULTICA_AGENT_NAME",
    "MULTICA_AGENT_ID",
    "MULTICA_TASK_ID",
    "MULTICA_TASK_SLOT",
];

/// Combines an agent's variables; each group overrides the one before: `inherited` (only the basic ones with `clear`),
/// `custom` from the task, `set` by the environment, `operator` from the command line. Returns them sorted by name, with
/// warnings that name the ignored ones, never a value.
pub fn compose(
    inherited: Variables,
    set: Variables,
    custom: Variables,
    operator: Variables,
    clear: bool,
) -> (Variables, Vec<String>) {
    let mut warnings = Vec::new();
    let kept = inherited.into_iter().filter(|(name, _)| !is_removed(name) && (!clear || is_kept(name)));
    let mut all = order::map(kept);
    for (name, value) in custom {
        let shown = name.to_string_lossy();
        if !is_valid(&name, &value) {
            warnings.push(format!(
                "ignored variable {shown:?} of the task: its name or value cannot be passed on"
            ));
        } else if is_of_plan(&name) {
            // `prepare` has read it; it means nothing to the agent.
        } else if is_blocked(&name) {
            warnings.extend(refused_names([&*shown].into_iter()));
        } else if set.iter().any(|(ours, _)| *ours == name) {
            warnings.push(format!("ignored variable {shown} of the task: the environment sets it"));
        } else {
            all.insert(name, value);
        }
    }
    all.extend(set);
    for (name, value) in operator {
        let shown = name.to_string_lossy();
        if !is_valid(&name, &value) {
            warnings.push(format!("ignored variable {shown:?}: its name or value cannot be passed on"));
        } else if starts(&name, "EXECENV_") || IDENTITY.iter().any(|identity| name == *identity) {
            warnings.push(format!("ignored variable {shown}: execenv sets it for each run"));
        } else {
            all.insert(name, value);
        }
    }
    (all.into_iter().collect(), warnings)
}

/// A warning for each variable that a task may not set.
pub fn refused_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let is_refused = |name: &&str| is_blocked(OsStr::new(name)) && !is_of_plan(OsStr::new(name));
    names
        .filter(is_refused)
        .map(|name| format!("ignored variable {name} of the task: a task may not set it"))
        .collect()
}

fn starts(name: &OsStr, prefix: &str) -> bool {
    name.as_bytes().len() >= prefix.len()
        && name.as_bytes()[..prefix.len()].eq_ignore_ascii_case(prefix.as_bytes())
}

fn is_kept(name: &OsStr) -> bool {
    KEPT.iter().any(|kept| name == *kept) || name.as_bytes().starts_with(b"LC_")
}

fn is_removed(name: &OsStr) -> bool {
    let one_of = |names: &[&str]| names.iter().any(|other| name == *other);
    let has = |prefix: &str| name.as_bytes().starts_with(prefix.as_bytes());
    one_of(&CLAUDE_SESSION)
        || one_of(&GIT_PLACES)
        || provider::plan_variables().any(|other| name == other)
        || ["CLAUDECODE_", "MULTICA_", "EXECENV_", "MAKIMA_", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"]
            .iter()
            .any(|prefix| has(prefix))
}

fn is_blocked(name: &OsStr) -> bool {
    starts(name, "MULTICA_")
        || starts(name, "EXECENV_")
        || BLOCKED
            .iter()
            .copied()
            .chain(provider::own_variables())
            .any(|blocked| name.eq_ignore_ascii_case(blocked))
}

/// Whether `prepare` has read a variable of the task, which then has no meaning for the agent.
fn is_of_plan(name: &OsStr) -> bool {
    provider::plan_variables().any(|other| name.eq_ignore_ascii_case(other))
}

fn is_valid(name: &OsStr, value: &OsStr) -> bool {
    !name.is_empty()
        && !name.as_bytes().iter().any(|byte| matches!(byte, b'=' | 0))
        && !value.as_bytes().contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(text: &str) -> Variables {
        let pair =
            |word: &str| word.split_once(':').map(|(name, value)| (name.into(), value.into())).unwrap();
        text.split_whitespace().map(pair).collect()
    }

    fn names(variables: &Variables) -> String {
        variables.iter().map(|(name, _)| name.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn inherited_variables_of_another_session_go() {
        let inherited = vars(
            "PATH:/bin CLAUDECODE:1 CLAUDECODE_X:1 CLAUDE_CODE_ENTRYPOINT:cli CLAUDE_CODE_USE_BEDROCK:1 MULTICA_TOKEN:t \
             EXECENV_ROOT:/x MAKIMA_A:b GIT_DIR:/g GIT_SHALLOW_FILE:/s GIT_CONFIG_COUNT:1 GIT_CONFIG_KEY_0:a GIT_CONFIG_VALUE_0:b \
             GIT_AUTHOR_NAME:ada GIT_SSH_COMMAND:ssh LC_ALL:C",
        );
        let (env, warnings) = compose(inherited.clone(), vec![], vec![], vec![], false);
        assert_eq!(names(&env), "CLAUDE_CODE_USE_BEDROCK GIT_AUTHOR_NAME GIT_SSH_COMMAND LC_ALL PATH");
        assert!(warnings.is_empty());
        assert_eq!(names(&compose(inherited, vec![], vec![], vec![], true).0), "LC_ALL PATH");
    }

    #[test]
    fn each_group_overrides_what_it_may() {
        let (env, warnings) = compose(
            vars("A:inherited HOME:/h CURSOR_MCP_AUTH_SOURCE:/a"),
            vars("EXECENV_RUN_ID:r MULTICA_TASK_ID:t CODEX_HOME:/c OPENCODE_CONFIG_CONTENT:{}"),
            vars(
                "A:custom CURSOR_MCP_AUTH_SOURCE:/b home:/evil multica_x:1 LD_PRELOAD:l OPENCODE_CONFIG_CONTENT:x",
            ),
            vars("HOME:/mine CODEX_HOME:/d EXECENV_RUN_ID:z MULTICA_TASK_ID:z MULTICA_TOKEN:secret"),
            false,
        );
        let text: Vec<_> =
            env.iter().map(|(n, v)| format!("{}:{}", n.to_str().unwrap(), v.to_str().unwrap())).collect();
        assert_eq!(
            text.join(" "),
            "A:custom CODEX_HOME:/d EXECENV_RUN_ID:r HOME:/mine LD_PRELOAD:l MULTICA_TASK_ID:t MULTICA_TOKEN:secret \
             OPENCODE_CONFIG_CONTENT:{}"
        );
        assert_eq!(warnings.len(), 5, "{warnings:?}");
        assert!(warnings.iter().all(|warning| !warning.contains("evil")));
    }
}
