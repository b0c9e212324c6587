//! The table of settings. `Settings`, `execenv config`, the configuration file's keys, the `[default: …]` in an option's
//! help and the manual pages all come from it.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use chrono::Duration;
use clap::Arg;

use super::setting::{Resolved, Row, Setting};
use super::value::{self, CODEX_SANDBOXES, MCP_MODES};
use crate::environment::{CurrentFolder, PortRange};
use crate::output::{Color, Format, log::Verbosity};
use crate::provider::plan::McpMode;
use crate::run::SandboxKind;

macro_rules! settings {
    ($($key:ident: $type:ty, $read:expr, $default:literal, [$($variable:literal),+], $command:literal $option:literal, $help:literal;)*) => {
        /// The table of settings.
        pub static SETTINGS: &[Row] = &[$(Row {
            key: stringify!($key),
            variables: &[$($variable),+],
            default: $default,
            option: $option,
            command: $command,
            help: $help,
        }),*];

        /// All settings in force, and the surroundings of the process.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $(#[doc = $help] pub $key: $type,)*
            /// Every setting as text, in the order of the table.
            pub all: Vec<Setting>,
            /// The configuration file that was read.
            pub file: Option<PathBuf>,
            /// The variables that the process was started with.
            pub inherited: Vec<(OsString, OsString)>,
            /// The current folder, if there is one.
            pub cwd: CurrentFolder,
            /// The user's home folder.
            pub home: Option<PathBuf>,
            /// The workspaces root that is used where no other is named.
            pub default_root: Option<PathBuf>,
        }

        impl Settings {
            /// Reads every setting in its type.
            pub(super) fn read(resolved: Resolved) -> Result<Settings> {
                let mut rows = resolved.all.iter();
                let mut next = || rows.next().expect("there is one setting a row");
                $(let $key: $type = resolved.typed(next(), $read)?;)*
                let default_root = resolved.default_root();
                let Resolved { all, file, inherited, cwd, home } = resolved;
                Ok(Settings { $($key,)* all, file, inherited, cwd, home, default_root })
            }
        }
    };
}

settings! {
    workspaces_root: PathBuf, value::path, "", ["EXECENV_WORKSPACES_ROOT", "MULTICA_WORKSPACES_ROOT"],
        "" "--workspaces-root", "Folder that holds the environments";
    key_file: Option<PathBuf>, value::path_if_any, "", ["EXECENV_KEY_FILE"],
        "" "", "File with the key by which execenv recognises its records of your folders; made when it is needed";
    trusted_file: Option<PathBuf>, value::path_if_any, "", ["EXECENV_TRUSTED_FILE"],
        "" "", "File with the list of what you have trusted by `execenv trust`";
    port_range: PortRange, |text| text.value.parse(), "20000-29999", ["EXECENV_PORTS_RANGE"],
        "prepare" "", "Ports that environments may get (`prepare --port`)";
    output: Format, |text| value::word(text, &Format::WORDS), "text", ["EXECENV_OUTPUT"],
        "" "--output", "Format of the answer: text, json, or shell (prepare and reuse)";
    log: Verbosity, |text| value::word(text, &Verbosity::WORDS), "warnings", ["EXECENV_LOG"],
        "" "", "What is printed on standard error: errors, warnings, info or debug (-q, -v and -vv set it)";
    color: Color, |text| value::word(text, &Color::WORDS), "auto", ["EXECENV_COLOR"],
        "" "--color", "When to use colour: auto, always or never";
    lease: Duration, value::duration, "24h", ["EXECENV_LEASE"],
        "prepare" "--lease", "How long `gc` keeps an environment that has not been run yet";
    ttl: Duration, value::duration, "24h", ["EXECENV_GC_TTL", "MULTICA_GC_TTL"],
        "gc" "--ttl", "Remove an environment this long after its issue or chat was closed or, without one, after its run ended";
    orphan_ttl: Duration, value::duration, "72h", ["EXECENV_GC_ORPHAN_TTL", "MULTICA_GC_ORPHAN_TTL"],
        "gc" "--orphan-ttl", "Remove an environment unused for this long whose task is unknown";
    completed_ttl: Duration, value::duration, "0", ["EXECENV_GC_COMPLETED_TTL", "MULTICA_GC_COMPLETED_TASK_TTL"],
        "gc" "--completed-ttl", "Remove any environment this long after its run ended; 0 disables this rule";
    artifact_ttl: Duration, value::duration, "12h", ["EXECENV_GC_ARTIFACT_TTL", "MULTICA_GC_ARTIFACT_TTL"],
        "gc" "--artifact-ttl", "Remove build artifacts this long after the run; 0: never";
    artifact_patterns: String, value::text, "node_modules,.next,.turbo",
        ["EXECENV_GC_ARTIFACT_PATTERNS", "MULTICA_GC_ARTIFACT_PATTERNS"],
        "gc" "--artifact-pattern", "Names of folders that are build artifacts, separated by commas";
    server: String, value::text, "none", ["EXECENV_SERVER", "MULTICA_SERVER_URL"],
        "gc" "--server", "Multica server to ask about issues, chats and runs: an address, `multica` or `none`";
    server_timeout: Duration, value::timeout, "30s", ["EXECENV_SERVER_TIMEOUT"],
        "gc" "", "How long to wait for an answer of the server";
    trash_ttl: Duration, value::duration, "24h", ["EXECENV_TRASH_TTL"],
        "gc" "--trash-ttl", "Keep removed environments in the trash this long; 0 deletes them at once";
    repo_ttl: Duration, value::duration, "30d", ["EXECENV_GC_REPO_TTL", "MULTICA_GC_REPO_TTL"],
        "gc" "", "Remove a repository cache unused for this long; 0: never";
    session_ttl: Duration, value::duration, "14d",
        ["EXECENV_GC_SESSION_TTL", "MULTICA_GC_CODEX_SESSION_TTL", "MULTICA_GC_HERMES_SESSION_TTL"],
        "gc" "", "Remove an agent's stored conversation unused for this long; 0: never";
    memory_ttl: Duration, value::duration, "90d", ["EXECENV_GC_MEMORY_TTL", "MULTICA_GC_HERMES_MEMORY_TTL"],
        "gc" "", "Remove an agent's stored memory unused for this long; 0: never";
    max_total: Option<u64>, value::bound, "", ["EXECENV_GC_MAX_TOTAL"],
        "gc" "--max-total", "Keep everything below the workspaces root within this size";
    max_count: Option<u64>, value::count, "", ["EXECENV_GC_MAX_COUNT"],
        "gc" "--max-count", "Keep at most this many environments";
    keep_younger: Duration, value::duration, "1h", ["EXECENV_GC_KEEP_YOUNGER"],
        "gc" "--keep-younger", "Bounds never remove an environment that ended less than this ago";
    min_free: Option<u64>, value::bound, "", ["EXECENV_GC_MIN_FREE"],
        "gc" "--min-free", "Keep this much space free on the disk of the workspaces root";
    gc: bool, value::switch, "on", ["EXECENV_GC_ENABLED", "MULTICA_GC_ENABLED"],
        "gc" "", "off: `gc` removes nothing and says so; --dry-run and --explain still work";
    repo_maintenance: bool, value::switch, "on",
        ["EXECENV_GC_REPO_MAINTENANCE", "MULTICA_GC_REPO_MAINTENANCE_ENABLED"],
        "gc" "", "Whether `gc` runs git's maintenance on the repository caches it keeps";
    timeout: Duration, value::duration, "0", ["EXECENV_TIMEOUT", "MULTICA_AGENT_TIMEOUT"],
        "run" "--timeout", "End the run after this time; 0: no limit";
    idle_timeout: Duration, value::duration, "30m", ["EXECENV_IDLE_TIMEOUT", "MULTICA_AGENT_IDLE_WATCHDOG"],
        "run" "--idle-timeout", "End the run when the agent prints nothing for this long and no tool runs; 0: no limit";
    kill_grace: Duration, value::duration, "5s", ["EXECENV_KILL_GRACE"],
        "run" "--kill-grace", "Time between SIGTERM and SIGKILL";
    sandbox: SandboxKind, |text| value::word(text, &SandboxKind::WORDS), "none", ["EXECENV_SANDBOX"],
        "run" "--sandbox", "What shuts the agent in: none, bwrap or landlock";
    sandbox_net: bool, |text| value::word(text, &value::SWITCH), "on", ["EXECENV_SANDBOX_NET"],
        "run" "--sandbox-net", "Whether an agent in a sandbox has a network";
    max_concurrent: Option<u32>, value::count, "", ["EXECENV_MAX_CONCURRENT"],
        "run" "--max-concurrent", "Start only if fewer runs than this that have such a limit are on in the workspaces root";
    mcp_mode: McpMode, |text| value::word(text, &MCP_MODES), "strict", ["EXECENV_MCP_MODE"],
        "prepare" "--mcp-mode", "strict: the agent sees only the task's MCP servers; merge: yours as well";
    agent_memory: bool, value::switch, "off", ["EXECENV_AGENT_MEMORY"],
        "prepare" "--agent-memory", "on: the agent CLI may remember things from one task to the next";
    codex_sandbox: &'static str, |text| value::word(text, &CODEX_SANDBOXES.map(|word| (word, word))), "auto",
        ["EXECENV_CODEX_SANDBOX"],
        "prepare" "--codex-sandbox", "Codex's sandbox mode; auto: chosen by system and Codex version";
}

/// Adds the variable and the default of a setting to the help of the option that sets it, once: a global option comes
/// here for the program and again for the subcommand.
pub fn describe_setting(arg: Arg) -> Arg {
    let option = arg.get_long().map(|long| format!("--{long}"));
    let row = SETTINGS.iter().find(|row| option.as_deref() == Some(row.option));
    let (Some(row), Some(help)) = (row, arg.get_help().map(ToString::to_string)) else { return arg };
    if help.contains("[env: ") {
        return arg;
    }
    let default = if row.default.is_empty() { String::new() } else { format!(" [default: {}]", row.default) };
    let help = format!("{help}{default} [env: {}]", row.variables.join(", "));
    arg.help(help)
}
