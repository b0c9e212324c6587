//! From the plan to one start of the agent: opens the logs, and writes the files that the agent is started with.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::codex;
use super::plan::{AgentPlan, RunPlan};
use super::record::RunningEnv;
use super::result::{AGENT_LOG, STDERR_LOG};
use crate::environment::mcp_file;
use crate::layout::names;
use crate::protocol::ndjson::Claude;
use crate::protocol::{Conversation, Raw};
use crate::provider::claude;
use crate::supervise::{self, AgentCommand};
use crate::sys::tree::Tree;

/// The word that leads to the guard.
const GUARD_WORD: &str = "__guard";

/// One start of the agent: its command, and the conversation with it.
pub(super) struct Start {
    pub(super) command: AgentCommand,
    pub(super) conversation: Box<dyn Conversation>,
}

impl RunPlan {
    /// Prepares one start of the agent.
    ///
    /// # Errors
    /// When a log or a file cannot be written.
    pub(super) fn start(&self, env: &RunningEnv, resume: Option<&str>) -> Result<Start> {
        let tree = &env.found.env.tree;
        if let Some(allowed) = &self.shell_names {
            codex::renew_policy(tree, allowed)?;
        }
        let (args, conversation): (_, Box<dyn Conversation>) = match &self.agent {
            AgentPlan::Command { args, input } => (args.clone(), Box::new(Raw::new(input.clone()))),
            AgentPlan::Claude { options, servers, prompt } => {
                let mut options = options.clone();
                options.resume = resume.map(str::to_owned);
                write_claude_files(tree, servers.as_deref(), &mut options)?;
                let conversation = Claude::new(prompt.clone(), options.model.clone());
                (claude::launch::arguments(options), Box::new(conversation))
            }
        };
        let command = AgentCommand {
            provider: self.provider.clone(),
            program: self.program.clone(),
            args,
            work_dir: self.work_dir.clone(),
            env: self.variables.clone(),
            run_id: self.run_id.clone(),
            resume: resume.map(str::to_owned),
            limits: self.limits,
            lock: env.lock_handle()?,
            log: open_log(tree, AGENT_LOG)?,
            stderr_log: open_log(tree, STDERR_LOG)?,
            guard_program: std::env::current_exe().context("find the program's own file")?,
            guard_args: vec![GUARD_WORD.into()],
        };
        Ok(Start { command, conversation })
    }
}

/// The guard's entry: `execenv __guard RUN_ID GRACE_MS`, started by a run. `None` for any other command line.
pub fn guard(arguments: &[OsString]) -> Option<u8> {
    let [_, word, run_id, grace] = arguments else { return None };
    if word != GUARD_WORD {
        return None;
    }
    supervise::guard::main(run_id.to_str()?, grace.to_str()?.parse().ok()?);
    Some(0)
}

/// Writes the file with the MCP servers, and names it and the settings file, where there is one.
fn write_claude_files(
    tree: &Tree,
    servers: Option<&[u8]>,
    options: &mut claude::launch::Options,
) -> Result<()> {
    if let Some(bytes) = servers {
        let relative = mcp_file();
        tree.ensure_dir(Path::new(names::LAUNCH), 0o700)
            .and_then(|()| tree.replace_unsynced(&relative, bytes, 0o600, names::TEMPORARY))
            .context("write the file with the MCP servers")?;
        options.mcp_config = Some(tree.path().join(relative));
    }
    let settings = Path::new(claude::SETTINGS);
    if matches!(tree.kind(settings), Ok(Some(_))) {
        options.settings = Some(tree.path().join(settings));
    }
    Ok(())
}

/// Opens a log; the one of the run before is kept beside it.
///
/// # Errors
/// As the system reports them.
pub(super) fn open_log(tree: &Tree, name: &str) -> Result<File> {
    let logs = Path::new(names::LOGS);
    let path = logs.join(name);
    tree.ensure_dir(logs, 0o755)
        .and_then(|()| tree.keep_previous(&path, &logs.join(format!("{name}.previous"))))
        .and_then(|()| tree.open_log(&path))
        .with_context(|| format!("open {}", tree.path().join(&path).display()))
}
