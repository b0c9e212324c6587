//! The variables that the agent gets.

use std::ffi::OsString;

use anyhow::Result;

use crate::environment::{Exports, LaunchFile};
use crate::provider;
use crate::run::codex;
use crate::run::options::{RunOptions, Variables};
use crate::run::record::RunningEnv;
use crate::run::variables::{self, ThisRun};
use crate::supervise::environment;

/// The agent's variables.
pub(super) struct AgentVariables {
    pub(super) all: Variables,
    pub(super) shell_names: Option<Vec<String>>,
    pub(super) warnings: Vec<String>,
}

impl AgentVariables {
    pub(super) fn compose(
        options: &RunOptions,
        inherited: &Variables,
        env: &RunningEnv,
        file: &LaunchFile,
        exports: &Exports,
        this: &ThisRun<'_>,
    ) -> Result<AgentVariables> {
        let custom: Variables = file.custom_env.iter().map(|(k, v)| (k.into(), v.into())).collect();
        let operator = options.variables.clone();
        let set = variables::of_environment(inherited, env, exports, this)?;
        let given: Vec<OsString> = custom.iter().chain(&operator).map(|(name, _)| name.clone()).collect();
        let (all, warnings) =
            environment::compose(inherited.clone(), set.clone(), custom, operator, options.clear_env);
        let is_codex = env.own().provider == provider::codex::NAME;
        let shell_names = is_codex.then(|| codex::shell_names(&all, &set, given.into_iter()));
        Ok(AgentVariables { all, shell_names, warnings })
    }
}
