//! What was asked for, with every input read.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::heartbeat::Heartbeats;
use super::on_success::OnSuccess;
use super::sandbox_request::SandboxRequest;
use crate::brief::Role;
use crate::environment::{RenewedLogins, WorkspacesRoot};
use crate::git::{Git, GitIdentity};
use crate::protocol::Permission;

/// Variables with their values.
pub(super) type Variables = Vec<(OsString, OsString)>;

/// The options of one run.
#[derive(Debug)]
pub struct RunOptions {
    /// The environment's name as it was typed, for hints.
    pub env: String,
    /// A program with its arguments, to be run instead of the provider's agent; empty for the agent.
    pub command: Vec<OsString>,
    /// The prompt, where one was given.
    pub prompt: Option<String>,
    /// The session to resume.
    pub resume: Option<Resume>,
    /// The record of an earlier conversation, for an agent whose session is lost.
    pub history: Option<String>,
    /// The agent's part in a larger task.
    pub role: Option<Role>,
    /// The way to run the agent, where its CLI has several; `None`: the first.
    pub dialect: Option<String>,
    /// What an agent that asks for a permission is answered.
    pub permission: Permission,
    /// The model.
    pub model: Option<String>,
    /// The most turns of the model.
    pub max_turns: Option<u32>,
    /// The highest price in US dollars.
    pub max_cost: Option<f64>,
    /// The most tokens.
    pub max_tokens: Option<u64>,
    /// The longest log of the agent's output, in bytes.
    pub max_log: Option<u64>,
    /// The most memory of each process of the agent, in bytes.
    pub max_memory: Option<u64>,
    /// A text for the agent's system prompt.
    pub system_prompt: Option<String>,
    /// Variables of the operator's.
    pub variables: Vec<(OsString, OsString)>,
    /// Whether the agent inherits only the most basic variables.
    pub clear_env: bool,
    /// In whose name the agent makes commits; `None`: as the environment's record says.
    pub git_identity: Option<GitIdentity>,
    /// The agent's program: a name, or an absolute path.
    pub agent_bin: Option<PathBuf>,
    /// Further arguments for the agent's program.
    pub agent_args: Vec<OsString>,
    /// The longest that the agent may run.
    pub timeout: Option<Duration>,
    /// The longest silence of the agent.
    pub idle_timeout: Option<Duration>,
    /// The time between SIGTERM and SIGKILL.
    pub kill_grace: Duration,
    /// What becomes of a login that the agent renews in its home.
    pub renewed_logins: RenewedLogins,
    /// The CLI is logged in with a person's help where the agent asks for it.
    pub auth_login: bool,
    /// The agent goes on by itself, for so many turns at most; `None`: one turn.
    pub autonomous: Option<u32>,
    /// How often the work is saved; `None`: not at all.
    pub heartbeats: Option<Heartbeats>,
    /// The work is published after a run that completed.
    pub on_success: Option<OnSuccess>,
    /// The run ends when this file appears.
    pub cancel_file: Option<PathBuf>,
    /// What shuts the agent in.
    pub sandbox: SandboxRequest,
    /// Set where the environment is to be cleaned up after the run.
    pub cleanup_after: Option<CleanupAfter>,
}

/// The session to resume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resume {
    /// The environment's last one, where it can be resumed.
    Last,
    /// The same, for a task that an engine may start for the first time or once more.
    LastIfBegun,
    /// This one, whatever is known of it.
    Named(String),
}

/// When the environment that a run was prepared for stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// However the run ends.
    Always,
    /// Where the run did not complete.
    #[default]
    Failed,
    /// Not at all.
    Never,
}

impl Keep {
    /// The words of the option.
    pub const WORDS: [(&'static str, Keep); 3] =
        [("always", Keep::Always), ("failed", Keep::Failed), ("never", Keep::Never)];

    /// The words of `--cleanup-after`, which names the runs after which the environment goes.
    pub const CLEANUP_AFTER_WORDS: [(&'static str, Keep); 2] =
        [("always", Keep::Never), ("completed", Keep::Failed)];
}

/// A clean-up after the run, and what it needs.
#[derive(Debug)]
pub struct CleanupAfter {
    /// When the environment stays.
    pub keep: Keep,
    /// The workspaces root.
    pub root: WorkspacesRoot,
    /// The user's git.
    pub git: Git,
    /// Set by a signal that arrives when the run is over: the clean-up ends after the step in progress.
    pub stop: Arc<AtomicBool>,
}
