//! What setup and teardown commands are started with.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::trusted::TrustedFile;
use crate::environment::ports::{self, PortRange};
use crate::environment::record::Own;
use crate::git::Git;
use crate::supervise::environment::{Variables, compose};
use crate::supervise::find_program;

/// What a command of execenv's has for setup and teardown commands.
#[derive(Clone, Debug)]
pub struct Hooks {
    /// What the user has trusted.
    pub trusted: TrustedFile,
    /// The ports that environments may get.
    pub port_range: PortRange,
    /// The variables that the process was started with.
    pub inherited: Vec<(OsString, OsString)>,
    /// Set by a signal: a command that runs is ended.
    pub stop: Arc<AtomicBool>,
}

impl Hooks {
    /// The same, whatever signal has arrived: for what undoes something because of it.
    #[must_use]
    pub fn undisturbed(&self) -> Hooks {
        Hooks { stop: Arc::default(), ..self.clone() }
    }

    /// The user's git, until a signal arrives.
    pub fn git(&self) -> Git {
        let path = self.inherited.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone());
        let program = find_program(None, None, "git", &path.unwrap_or_default()).ok();
        Git::new(program, &self.inherited).until(Arc::clone(&self.stop))
    }

    /// The variables of a command in the environment at `env_root`, without those that only its agent gets. The record is a
    /// claim by the time of the teardown: only ids and ports are taken from it.
    pub(super) fn variables(
        &self,
        own: &Own,
        workspace: &str,
        env_root: &Path,
        agent_dir: &Path,
    ) -> Variables {
        let mut set: Variables = vec![
            ("EXECENV_ROOT".into(), env_root.into()),
            ("EXECENV_WORKDIR".into(), agent_dir.into()),
            ("EXECENV_TASK_ID".into(), (&own.task_id).into()),
            ("EXECENV_WORKSPACE_ID".into(), workspace.into()),
            ("EXECENV_PROVIDER".into(), (&own.provider).into()),
        ];
        set.extend(ports::variables(&own.ports).map(|(name, value)| (name.into(), value.into())));
        compose(self.inherited.clone(), set, Vec::new(), Vec::new(), false).0
    }
}
