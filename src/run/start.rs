//! From the plan to one start of the agent: opens the logs, and writes the files that the agent is started with.

use std::path::Path;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};

use super::codex;
use super::logs::Logs;
use super::options::Variables;
use super::plan::{AgentPlan, RunPlan, Turn};
use super::record::RunningEnv;
use super::sandbox::Places;
use super::slots::Slots;
use crate::layout::names;
use crate::protocol::{Conversation, Raw};
use crate::provider::launch::LaunchPlan;
use crate::supervise::sandbox::Jail;
use crate::supervise::{AgentCommand, TimesFile};
use crate::sys::tree::Tree;

/// One start of the agent: its command, and the conversation with it.
pub(super) struct Start {
    pub(super) command: AgentCommand,
    /// The session's id, where it is known before the agent's first word.
    pub(super) session: Option<String>,
    pub(super) conversation: Box<dyn Conversation>,
}

impl RunPlan {
    /// Prepares one start of the agent.
    ///
    /// # Errors
    /// When a log or a file cannot be written.
    pub(super) fn start(
        &self,
        env: &RunningEnv,
        slots: &Slots,
        turn: Turn<'_>,
        logs: &mut Option<Logs>,
        now: DateTime<Utc>,
        places: Option<&Places>,
    ) -> Result<Start> {
        let tree = &env.found.env.tree;
        if let Some(allowed) = &self.shell_names {
            codex::renew_policy(tree, allowed)?;
        }
        let launch = match &self.agent {
            AgentPlan::Command { args, input } => LaunchPlan::new(args.clone(), Raw::new(input.clone())),
            AgentPlan::Provider(agent) => {
                agent.launch(self, tree, turn, &uuid::Uuid::new_v4().to_string())?
            }
        };
        for (file, bytes) in &launch.files {
            write_private(tree, file, bytes)?;
        }
        let jail = self.jail(places, tree, launch.files.iter().map(|(file, _)| file.as_path()))?;
        let LaunchPlan { args, mut variables, session, conversation, .. } = launch;
        if turn.iteration > 1 {
            variables.push(("EXECENV_ITERATION".into(), turn.iteration.to_string().into()));
        }
        let logs = match logs {
            Some(logs) => &*logs,
            None => &*logs.insert(Logs::create(tree)?),
        };
        let command = AgentCommand {
            provider: self.provider.clone(),
            program: self.program.clone(),
            args,
            work_dir: self.work_dir.clone(),
            env: with(&self.variables, variables),
            jail,
            run_id: self.run_id.clone(),
            resume: turn.resume.map(str::to_owned),
            limits: self.limits,
            lock: env.lock_handle()?,
            slots: slots.handles().context("duplicate the handle of a slot")?,
            log: Some(logs.output.try_clone().context("duplicate the handle of a log")?),
            stderr_log: Some(logs.errors.try_clone().context("duplicate the handle of a log")?),
            times: Some(TimesFile {
                file: logs.times.try_clone().context("duplicate the handle of a log")?,
                now,
            }),
        };
        Ok(Start { command, session, conversation })
    }
}

impl RunPlan {
    /// What shuts the agent in. It can read the files that it is started with.
    pub(super) fn jail<'a>(
        &self,
        places: Option<&Places>,
        env: &Tree,
        files: impl Iterator<Item = &'a Path>,
    ) -> Result<Option<Jail>> {
        let (Some(means), Some(places)) = (&self.sandbox, places) else { return Ok(None) };
        let files = files.map(|file| env.path().join(file)).collect();
        Ok(Some(means.jail(places, files, &self.work_dir)?))
    }
}

/// The variables, with others that win over them.
fn with(variables: &Variables, others: Variables) -> Variables {
    let kept = variables.iter().filter(|(name, _)| !others.iter().any(|(other, _)| other == name));
    let mut all: Variables = kept.cloned().collect();
    all.extend(others);
    all
}

/// Writes a file of a start, which may hold secrets.
fn write_private(tree: &Tree, file: &Path, bytes: &[u8]) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new(""));
    tree.ensure_dir(folder, 0o700)
        .and_then(|()| tree.replace_unsynced(file, bytes, 0o600, names::TEMPORARY))
        .with_context(|| format!("write {}", tree.path().join(file).display()))
}
