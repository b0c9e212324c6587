//! What `doctor -o json` prints.

use serde::Serialize;

use crate::environment::health::HeldEnv;

/// The whole answer.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct DoctorDocument {
    /// Version of this object.
    pub(super) schema: u32,
    /// The workspaces root.
    pub(super) root: String,
    /// The programs that were looked for; none with `--fix`.
    pub(super) programs: Vec<ProgramReport>,
    /// What Codex's own sandbox needs.
    pub(super) codex_sandbox: CodexSandbox,
    /// The sandboxes of `run --sandbox`; nothing with `--fix`.
    pub(super) sandboxes: Option<SandboxReport>,
    /// How many environments the root has.
    pub(super) environments: usize,
    /// How far locks reach on the root's file system, where that is known.
    pub(super) locks: Option<LockReach>,
    /// What is wrong, and what was fixed.
    pub(super) problems: Vec<ProblemReport>,
    /// The environments that are in use.
    pub(super) live: Vec<LiveReport>,
}

/// An environment that a process holds.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct LiveReport {
    /// The env root.
    pub(super) path: String,
    /// Who holds it, in words; nothing where the system does not name it.
    pub(super) holder: Option<String>,
}

impl LiveReport {
    pub(super) fn of(held: &HeldEnv) -> LiveReport {
        LiveReport {
            path: held.path.to_string_lossy().into_owned(),
            holder: held.holder.as_ref().map(ToString::to_string),
        }
    }
}

/// A program that was looked for.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ProgramReport {
    /// The agent CLI's name in execenv, or the program's.
    pub(super) name: &'static str,
    /// The program's file name.
    pub(super) program: &'static str,
    /// It was found.
    pub(super) found: bool,
    /// Where.
    pub(super) path: Option<String>,
    /// Its version, where it prints one.
    pub(super) version: Option<String>,
    /// execenv needs a later version.
    pub(super) too_old: bool,
    /// The least version that execenv needs.
    pub(super) minimum: Option<String>,
    /// What execenv makes of it; nothing for a program that is no agent CLI.
    pub(super) agent: Option<AgentReport>,
    /// Whether a login was seen; nothing where execenv does not know where the program keeps one.
    pub(super) login: Option<LoginReport>,
}

/// What execenv makes of an agent CLI.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct AgentReport {
    /// The dialects that execenv reads of it, the one in use first.
    pub(super) dialects: Vec<DialectReport>,
    /// Which MCP servers the agent sees.
    pub(super) mcp: McpReport,
    /// `run --resume` works with it.
    pub(super) resumes: bool,
    /// What becomes of its own sandbox.
    pub(super) own_sandbox: &'static str,
}

/// A dialect.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct DialectReport {
    /// Its name.
    pub(super) name: &'static str,
    /// What the agent says of what it uses up.
    pub(super) tells: TellsReport,
}

/// What an agent says, while it works, of what it uses up.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct TellsReport {
    /// Tokens.
    pub(super) tokens: bool,
    /// The price in US dollars.
    pub(super) cost: bool,
    /// Turns of the model.
    pub(super) turns: bool,
}

/// Which MCP servers an agent sees.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct McpReport {
    /// The agent can be limited to the task's.
    pub(super) strict: bool,
    /// In words.
    pub(super) why: &'static str,
}

/// Whether a login was seen.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct LoginReport {
    /// One was seen.
    pub(super) seen: bool,
    /// Where: a variable or a file.
    pub(super) by: Option<String>,
}

/// What Codex's own sandbox needs.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct CodexSandbox {
    /// This user can make namespaces; nothing: not known.
    pub(super) namespaces: Option<bool>,
}

/// The sandboxes of `run --sandbox`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SandboxReport {
    /// `--sandbox bwrap` works.
    pub(super) bwrap: bool,
    /// `--sandbox landlock` works.
    pub(super) landlock: bool,
    /// The system's version of Landlock; 0: it has none.
    pub(super) landlock_version: i32,
    /// This user can make namespaces; nothing: not known.
    pub(super) namespaces: Option<bool>,
}

/// How far locks reach.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct LockReach {
    /// The type of the file system.
    pub(super) file_system: String,
    /// `local`, `shared` or `this_machine`.
    pub(super) reach: &'static str,
}

/// A problem, and what was or can be done about it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ProblemReport {
    /// Where.
    pub(super) path: String,
    /// What is wrong, as a stable word.
    pub(super) complaint: &'static str,
    /// It was fixed.
    pub(super) fixed: bool,
    /// What is wrong, in words.
    pub(super) note: String,
    /// What `--fix` did or would do; nothing where it does nothing.
    pub(super) repair: Option<&'static str>,
    /// What is known of a run that died.
    #[serde(flatten)]
    pub(super) dead: Option<DeadRunReport>,
}

/// What is known of a run that died.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct DeadRunReport {
    /// What there is to go on with: `resume`, `restore` or `lost`.
    pub(super) recoverable: &'static str,
    /// The command to type next.
    pub(super) next: String,
    /// With `--fix`: how the run ended, as far as can be known.
    pub(super) status: Option<&'static str>,
    /// With `--fix`: how many processes were left of it, and were killed.
    pub(super) killed: Option<usize>,
    /// With `--fix`: the checkpoint that its work was saved as.
    pub(super) checkpoint: Option<SavedWork>,
    /// With `--fix`: what git was in the middle of.
    pub(super) operations: Option<Vec<&'static str>>,
    /// With `--fix`: what else was found.
    pub(super) notes: Option<Vec<String>>,
}

/// The checkpoint that work was saved as.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SavedWork {
    /// Its number.
    pub(super) n: u64,
    /// Its commit.
    pub(super) commit: String,
}
