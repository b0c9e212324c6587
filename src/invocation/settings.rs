//! Settings: flag, then variable, then configuration file, then default; each with its origin.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use chrono::Duration;
use serde_json::{Map, Value};

use super::duration::{parse_duration, parse_go_duration};
use super::global::GlobalArgs;
use super::input::UserInput;
use super::size::parse_size;
use crate::failure::{Code, Failure};
use crate::output::{Color, Format, log::Level};

/// Where a setting's value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// A variable of the environment, by its name.
    Variable(&'static str),
    /// The configuration file.
    File,
    /// Built in.
    Default,
}

/// One row of the table of settings.
struct Row {
    /// The key in the configuration file; the flag is the same with dashes.
    key: &'static str,
    /// Variables that set it, the first that is there wins.
    variables: &'static [&'static str],
    default: &'static str,
}

const ROWS: [Row; 26] = [
    Row {
        key: "workspaces_root",
        variables: &["EXECENV_WORKSPACES_ROOT", "MULTICA_WORKSPACES_ROOT"],
        default: "",
    },
    Row { key: "output", variables: &["EXECENV_OUTPUT"], default: "text" },
    Row { key: "log", variables: &["EXECENV_LOG"], default: "warnings" },
    Row { key: "color", variables: &["EXECENV_COLOR"], default: "auto" },
    Row { key: "lease", variables: &["EXECENV_LEASE"], default: "24h" },
    Row { key: "ttl", variables: &["EXECENV_GC_TTL", "MULTICA_GC_TTL"], default: "24h" },
    Row { key: "orphan_ttl", variables: &["EXECENV_GC_ORPHAN_TTL", "MULTICA_GC_ORPHAN_TTL"], default: "72h" },
    Row {
        key: "completed_ttl",
        variables: &["EXECENV_GC_COMPLETED_TTL", "MULTICA_GC_COMPLETED_TASK_TTL"],
        default: "0",
    },
    Row {
        key: "artifact_ttl",
        variables: &["EXECENV_GC_ARTIFACT_TTL", "MULTICA_GC_ARTIFACT_TTL"],
        default: "12h",
    },
    Row {
        key: "artifact_patterns",
        variables: &["EXECENV_GC_ARTIFACT_PATTERNS", "MULTICA_GC_ARTIFACT_PATTERNS"],
        default: "node_modules,.next,.turbo",
    },
    Row { key: "server", variables: &["EXECENV_SERVER", "MULTICA_SERVER_URL"], default: "none" },
    Row { key: "server_timeout", variables: &["EXECENV_SERVER_TIMEOUT"], default: "30s" },
    Row { key: "trash_ttl", variables: &["EXECENV_TRASH_TTL"], default: "24h" },
    Row { key: "repo_ttl", variables: &["EXECENV_GC_REPO_TTL", "MULTICA_GC_REPO_TTL"], default: "30d" },
    Row {
        key: "session_ttl",
        variables: &[
            "EXECENV_GC_SESSION_TTL",
            "MULTICA_GC_CODEX_SESSION_TTL",
            "MULTICA_GC_HERMES_SESSION_TTL",
        ],
        default: "14d",
    },
    Row {
        key: "memory_ttl",
        variables: &["EXECENV_GC_MEMORY_TTL", "MULTICA_GC_HERMES_MEMORY_TTL"],
        default: "90d",
    },
    // Bounds: empty means none.
    Row { key: "max_total", variables: &["EXECENV_GC_MAX_TOTAL"], default: "" },
    Row { key: "max_count", variables: &["EXECENV_GC_MAX_COUNT"], default: "" },
    Row { key: "min_free", variables: &["EXECENV_GC_MIN_FREE"], default: "" },
    Row { key: "gc", variables: &["EXECENV_GC_ENABLED", "MULTICA_GC_ENABLED"], default: "on" },
    Row {
        key: "repo_maintenance",
        variables: &["EXECENV_GC_REPO_MAINTENANCE", "MULTICA_GC_REPO_MAINTENANCE_ENABLED"],
        default: "on",
    },
    Row { key: "timeout", variables: &["EXECENV_TIMEOUT", "MULTICA_AGENT_TIMEOUT"], default: "0" },
    Row {
        key: "idle_timeout",
        variables: &["EXECENV_IDLE_TIMEOUT", "MULTICA_AGENT_IDLE_WATCHDOG"],
        default: "30m",
    },
    Row { key: "kill_grace", variables: &["EXECENV_KILL_GRACE"], default: "5s" },
    Row { key: "mcp_mode", variables: &["EXECENV_MCP_MODE"], default: "strict" },
    Row { key: "codex_sandbox", variables: &["EXECENV_CODEX_SANDBOX"], default: "auto" },
];

/// What becomes of the user's own MCP servers (decision D10).
pub const MCP_MODES: [&str; 2] = ["strict", "merge"];
/// What Codex may do to the system (decision D9); `auto` goes by system and version.
pub const CODEX_SANDBOXES: [&str; 4] = ["auto", "read-only", "workspace-write", "danger-full-access"];

/// The table of settings: key, variables, default.
pub fn setting_rows() -> impl Iterator<Item = (&'static str, &'static [&'static str], &'static str)> {
    ROWS.iter().map(|row| (row.key, row.variables, row.default))
}

/// A setting in force.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its key.
    pub key: &'static str,
    /// Its value as text.
    pub value: String,
    /// Where that came from.
    pub origin: Origin,
}

/// All settings in force.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Every setting, for `execenv config` and for the commands' own.
    pub all: Vec<Setting>,
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
    /// Where environments live, absolute.
    pub workspaces_root: PathBuf,
    /// How answers are printed.
    pub output: Format,
    /// How much is told on stderr.
    pub log: Level,
    /// Whether to colour.
    pub color: Color,
    /// The variables that the process was started with.
    pub inherited: Vec<(OsString, OsString)>,
    /// The current folder.
    pub cwd: PathBuf,
    /// The user's home.
    pub home: Option<PathBuf>,
}

impl Settings {
    /// Puts all sources together.
    ///
    /// # Errors
    /// A [`Code::BadConfig`] failure that names the file or the variable, and the value.
    pub fn resolve(flags: &GlobalArgs, inherited: Vec<(OsString, OsString)>) -> Result<Settings> {
        let cwd = std::env::current_dir().context("find out the current folder")?;
        let variable = |name: &str| {
            let found = inherited.iter().find(|(key, _)| key == name)?;
            found.1.to_str().filter(|value| !value.is_empty()).map(str::to_owned)
        };
        let home = variable("HOME").map(|home| cwd.join(home)).or_else(dirs::home_dir);
        let asked_file = flags.config.clone().or_else(|| variable("EXECENV_CONFIG").map(PathBuf::from));
        let (file, from_file) = read_file(asked_file.as_deref(), &cwd)?;
        let verbosity = flags.log_level();
        let by_flag = |key: &str| match key {
            "workspaces_root" => flags.workspaces_root.as_ref().map(|path| path.display().to_string()),
            "output" => flags.output.clone(),
            "color" => flags.color.clone(),
            "log" => verbosity.map(str::to_owned),
            _ => None,
        };
        let mut all = Vec::with_capacity(ROWS.len());
        for row in &ROWS {
            let named = row.variables.iter().find_map(|name| Some((*name, variable(name)?)));
            let (value, origin) = if let Some(value) = by_flag(row.key) {
                (value, Origin::Flag)
            } else if let Some((name, value)) = named {
                (value, Origin::Variable(name))
            } else if let Some(value) = from_file.get(row.key) {
                (value.clone(), Origin::File)
            } else {
                (row.default.to_owned(), Origin::Default)
            };
            all.push(Setting { key: row.key, value, origin });
        }
        let mut settings = Settings {
            workspaces_root: PathBuf::new(),
            output: Format::Text,
            log: Level::Warnings,
            color: Color::Auto,
            all,
            file,
            inherited,
            cwd,
            home,
        };
        settings.interpret()?;
        Ok(settings)
    }

    fn interpret(&mut self) -> Result<()> {
        if self.text("workspaces_root").is_empty() {
            let data = self.variable("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
            let data = data.or_else(dirs::data_dir).ok_or_else(|| {
                Failure::new(
                    Code::BadConfig,
                    "no home directory is known, so there is no default workspaces root",
                )
                .hint("set HOME, or name one with `--workspaces-root DIR`")
            })?;
            let root = data.join("execenv/workspaces").display().to_string();
            self.all[0].value = root;
        }
        // A path in the configuration file means the same from wherever it is read.
        let base = match (&self.all[0].origin, self.file.as_deref().and_then(Path::parent)) {
            (Origin::File, Some(folder)) => folder.to_owned(),
            _ => self.cwd.clone(),
        };
        let text = self.text("workspaces_root");
        let path = match (text.strip_prefix("~/"), &self.home, &self.all[0].origin) {
            (Some(rest), Some(home), Origin::File) => home.join(rest),
            _ => base.join(text),
        };
        self.workspaces_root = crate::environment::clean(&path);
        self.all[0].value = self.workspaces_root.display().to_string();
        if self.workspaces_root.to_str().is_none() {
            return Err(Failure::new(Code::BadConfig, "the workspaces root's path is not valid UTF-8").into());
        }
        self.output = self.word("output", &Format::WORDS)?;
        self.log = self.word("log", &Level::WORDS)?;
        self.color = match self.variable("NO_COLOR") {
            Some(_) if self.setting("color").origin == Origin::Default => Color::Never,
            _ if self.variable("CLICOLOR_FORCE").is_some_and(|value| value != "0")
                && self.setting("color").origin == Origin::Default =>
            {
                Color::Always
            }
            _ => self.word("color", &Color::WORDS)?,
        };
        for key in [
            "lease",
            "ttl",
            "orphan_ttl",
            "completed_ttl",
            "artifact_ttl",
            "trash_ttl",
            "repo_ttl",
            "session_ttl",
            "memory_ttl",
            "server_timeout",
            "timeout",
            "idle_timeout",
            "kill_grace",
        ] {
            self.duration(key)?;
        }
        self.word("mcp_mode", &MCP_MODES.map(|word| (word, ())))?;
        self.word("codex_sandbox", &CODEX_SANDBOXES.map(|word| (word, ())))?;
        for key in ["max_total", "min_free", "max_count"] {
            self.size(key)?;
        }
        Ok(())
    }

    fn setting(&self, key: &str) -> &Setting {
        self.all.iter().find(|setting| setting.key == key).expect("keys are literals out of the table")
    }

    /// A setting as text.
    pub fn text(&self, key: &str) -> &str {
        &self.setting(key).value
    }

    fn word<T: Copy>(&self, key: &str, words: &[(&'static str, T)]) -> Result<T> {
        let setting = self.setting(key);
        words.iter().find(|(word, _)| *word == setting.value).map(|(_, value)| *value).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.bad(setting, &format!("known are {}", known.join(", ")))
        })
    }

    /// A duration among the settings.
    ///
    /// # Errors
    /// A [`Code::BadConfig`] failure for a text that is none.
    pub fn duration(&self, key: &str) -> Result<Duration> {
        let setting = self.setting(key);
        let parsed = match setting.origin {
            Origin::Variable(name) if name.starts_with("MULTICA_") => parse_go_duration(&setting.value),
            _ => parse_duration(&setting.value),
        };
        parsed.map_err(|why| self.bad(setting, &why))
    }

    /// A size among the settings, in bytes, or a count. `None`: there is no bound.
    ///
    /// # Errors
    /// A [`Code::BadConfig`] failure for a text that is none.
    pub fn size(&self, key: &str) -> Result<Option<u64>> {
        let setting = self.setting(key);
        if setting.value.is_empty() {
            return Ok(None);
        }
        parse_size(&setting.value).map(Some).map_err(|why| self.bad(setting, &why))
    }

    /// A switch among the settings: on, unless it says otherwise.
    pub fn is_on(&self, key: &str) -> bool {
        !["false", "0", "off", "no"].contains(&self.text(key).to_ascii_lowercase().as_str())
    }

    fn bad(&self, setting: &Setting, why: &str) -> anyhow::Error {
        let source = match &setting.origin {
            Origin::Flag => format!("`--{}`", setting.key.replace('_', "-")),
            Origin::Variable(name) => format!("the variable {name}"),
            Origin::File | Origin::Default => {
                format!("`{}` in {}", setting.key, self.file.as_deref().unwrap_or(Path::new("?")).display())
            }
        };
        let value = setting.value.escape_debug();
        Failure::new(Code::BadConfig, format!("{source} is `{value}`: {why}"))
            .hint("mend it there; a flag goes before a variable, a variable before the file")
            .into()
    }

    /// A variable of the environment, if it is there and is text.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let found = self.inherited.iter().find(|(key, _)| key == name)?;
        found.1.to_str().filter(|value| !value.is_empty())
    }
}

fn read_file(
    asked: Option<&Path>,
    cwd: &Path,
) -> Result<(Option<PathBuf>, std::collections::BTreeMap<String, String>)> {
    let path = match asked {
        Some(path) => cwd.join(path),
        None => match dirs::config_dir() {
            Some(dir) => dir.join("execenv/config.json"),
            None => return Ok((None, Default::default())),
        },
    };
    let text = match asked {
        Some(_) => UserInput::CONFIG.read(&path, cwd)?,
        None => match UserInput::CONFIG.read_if_exists(&path, cwd)? {
            Some(text) => text,
            None => return Ok((None, Default::default())),
        },
    };
    let bad = |why: String| {
        let known: Vec<&str> = ROWS.iter().map(|row| row.key).collect();
        Failure::new(Code::BadConfig, format!("the configuration {}: {why}", path.display()))
            .hint(format!("it is one JSON object with these keys: {}", known.join(", ")))
    };
    let object: Map<String, Value> = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
    let mut values = std::collections::BTreeMap::new();
    for (key, value) in object {
        if !ROWS.iter().any(|row| row.key == key) {
            return Err(bad(format!("the key `{}` is not known", key.escape_debug())).into());
        }
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return Err(bad(format!("`{key}` is neither text nor a number")).into()),
        };
        values.insert(key, text);
    }
    Ok((Some(path), values))
}
