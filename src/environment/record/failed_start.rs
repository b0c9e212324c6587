//! A run that failed before its agent started: it has no logs and no result, so the record is all that tells of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest message that is recorded, in characters.
const LONGEST: usize = 500;

/// The last `run` that failed before its agent started, since the last start that did not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct FailedStart {
    /// When it failed.
    pub at: Option<DateTime<Utc>>,
    /// The code of the failure, as in an error's JSON.
    pub code: String,
    /// The message of the failure, at most 500 characters, without known secrets.
    pub message: String,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl FailedStart {
    /// A failure at this time; `message` has no secrets any more.
    pub fn new(at: DateTime<Utc>, code: &str, message: &str) -> FailedStart {
        let message = message.chars().take(LONGEST).collect();
        FailedStart { at: Some(at), code: code.to_owned(), message, other: Map::new() }
    }

    /// What a person is told of it. An agent can have written the record: it is to be escaped.
    pub fn words(&self) -> String {
        format!("the last start {}", self.how())
    }

    /// The same without its beginning.
    pub fn how(&self) -> String {
        let at = self.at.map(|at| format!(" at {}", at.format("%Y-%m-%d %H:%M UTC"))).unwrap_or_default();
        format!("failed{at}: {}", self.message.chars().take(LONGEST).collect::<String>())
    }
}
