//! The variables that the environment sets for its agent.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::options::Variables;
use super::record::RunningEnv;
use crate::brief::Role;
use crate::environment::{Exports, git_variables, private_exports};
use crate::failure::{Code, Failure};

/// The variable that names the folder in which runs get their folders for temporary files. The multica daemon sets it.
const TEMP_BASE: &str = "MULTICA_AGENT_TEMP_BASE";
/// The platform whose agents look for their slot in a variable of its own.
const MULTICA: &str = "multica";
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The folder that the operator names for temporary files.
///
/// # Errors
/// A [`Code::BadConfig`] failure where it is no folder.
pub(super) fn temp_base(inherited: &Variables) -> Result<Option<PathBuf>> {
    let Some(base) = value(inherited, TEMP_BASE).filter(|value| !value.is_empty()) else { return Ok(None) };
    let base = PathBuf::from(base);
    let what = match base.metadata() {
        _ if !base.is_absolute() => "is not an absolute path",
        Ok(metadata) if metadata.is_dir() => return Ok(Some(base)),
        Ok(_) => "is not a folder",
        Err(_) => "does not exist",
    };
    Err(Failure::new(Code::BadConfig, format!("{TEMP_BASE}: {} {what}", base.display()))
        .hint("name a folder that the agent can write to, with a short path: agents put sockets below it")
        .into())
}

/// Where runs with these variables have their folders for temporary files, if not in their env roots.
pub fn temporary_places(inherited: &Variables) -> Vec<PathBuf> {
    let named = |name| value(inherited, name).map(PathBuf::from).filter(|path| path.is_absolute());
    let usual = named("TMPDIR").unwrap_or_else(|| "/tmp".into());
    named(TEMP_BASE).into_iter().chain([usual]).collect()
}

/// What tells one run from another.
pub(super) struct ThisRun<'a> {
    pub(super) id: &'a str,
    /// The number of its slot, where runs are counted.
    pub(super) slot: Option<u32>,
    /// The agent's part in a larger task.
    pub(super) role: Option<Role>,
    /// The agent's private folder for temporary files.
    pub(super) temporary: &'a Path,
}

/// The variables that describe the run and its environment.
///
/// # Errors
/// When the environment's own variables cannot be read.
pub(super) fn of_environment(
    inherited: &Variables,
    env: &RunningEnv,
    exports: &Exports,
    this: &ThisRun<'_>,
) -> Result<Variables> {
    let own = env.own();
    let work_dir = env.found.agent_dir();
    let mut set: Variables = Vec::new();
    let mut put = |name: &str, value: &OsStr| set.push((name.into(), value.into()));
    put("EXECENV_ROOT", env.found.env.path.as_os_str());
    put("EXECENV_WORKDIR", work_dir.as_os_str());
    put("EXECENV_TASK_ID", own.task_id.as_ref());
    put("EXECENV_WORKSPACE_ID", env.meta.workspace_id.as_ref());
    put("EXECENV_PROVIDER", own.provider.as_ref());
    put("EXECENV_RUN_ID", this.id.as_ref());
    put("EXECENV_ITERATION", "1".as_ref());
    if let Some(role) = this.role {
        put("EXECENV_ROLE", role.word().as_ref());
    }
    if let Some(slot) = this.slot {
        put("EXECENV_SLOT", slot.to_string().as_ref());
        if own.platform == MULTICA {
            put("MULTICA_TASK_SLOT", slot.to_string().as_ref());
        }
    }
    put("PWD", work_dir.as_os_str());
    for name in ["TMPDIR", "TMP", "TEMP"] {
        put(name, this.temporary.as_os_str());
    }
    let private = private_exports(&env.found.env.tree, &own.provider)?;
    for (name, value) in exports.variables.iter().chain(&private) {
        put(name, value.as_ref());
    }
    for (name, value) in git_variables(&env.found.env.tree, &own) {
        put(&name, &value);
    }
    put("PATH", &path_with_execenv(inherited)?);
    Ok(set)
}

/// The inherited PATH with the folder of this executable in front, so that the agent can call execenv.
fn path_with_execenv(inherited: &Variables) -> Result<OsString> {
    let exe = std::env::current_exe().context("find the program's own file")?;
    let own_dir = exe.parent().map(Path::to_path_buf).unwrap_or_default();
    let path = value(inherited, "PATH").unwrap_or(OsStr::new(DEFAULT_PATH));
    let others = std::env::split_paths(path).filter(|dir| *dir != own_dir);
    let dirs = std::iter::once(own_dir.clone()).chain(others);
    Ok(std::env::join_paths(dirs).unwrap_or_else(|_| path.to_owned()))
}

/// A variable's value.
pub(super) fn value<'a>(variables: &'a Variables, name: &str) -> Option<&'a OsStr> {
    variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_os_str())
}
