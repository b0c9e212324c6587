//! What the record says of setup commands and of ports.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How far the setup of an environment has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SetupState {
    /// Its commands are at work, or a kill ended them.
    Running,
    /// Every command has ended well.
    Done,
    /// A command failed. Only `reuse` leaves an environment so.
    Failed,
    /// They were left out (`--no-setup`, or no trust).
    Skipped,
    /// Its teardown has run: what the setup started is gone.
    TornDown,
    /// A state of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// The setup of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct SetupRecord {
    /// How far it has come.
    pub state: SetupState,
    /// The SHA-256 of the `.execenv.json` that it was made by; empty: there is none.
    pub digest: String,
    /// How many commands it had.
    pub commands: usize,
    /// How many of them were given with `--setup`. They are not kept.
    #[serde(skip_serializing_if = "is_none")]
    pub given: usize,
    /// When it came so far.
    pub at: Option<DateTime<Utc>>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

impl SetupRecord {
    /// Whether no agent may start yet: the commands have not all run.
    pub fn is_unfinished(&self) -> bool {
        matches!(self.state, SetupState::Running | SetupState::Failed)
    }
}

/// A port that the environment has for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct PortRecord {
    /// Its name.
    pub name: String,
    /// Its number.
    pub port: u16,
    /// The setup has started something that listens on it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_set_up: bool,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}
