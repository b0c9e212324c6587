//! The result that a run wrote before it died: the record did not get to point to it.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::environment::LastResult;
use crate::run::result::result_file;
use crate::supervise::RunStatus;
use crate::sys::tree::Tree;

/// The longest result that is read, in bytes: texts in it have limits, and each byte of one may be written as six.
const MOST: u64 = 16 << 20;
/// The longest word of a reason, in bytes.
const LONGEST_WORD: usize = 64;

/// What the record says of such a result.
#[derive(Debug, Deserialize)]
pub(super) struct Written {
    run_id: String,
    pub(super) status: RunStatus,
    #[serde(default)]
    recovered: bool,
    exit_code: u8,
    failure_reason: Option<String>,
    ended_at: DateTime<Utc>,
}

/// The result that the run with this id wrote itself. `None`: it wrote none, or what stands there is none.
pub(super) fn by(env: &Tree, run_id: &str) -> Option<Written> {
    let bytes = env.read(Path::new(&result_file()), MOST).ok()??;
    let written: Written = serde_json::from_slice(&bytes).ok()?;
    let is_word = written.failure_reason.as_ref().is_none_or(|word| word.len() <= LONGEST_WORD);
    let is_own = !run_id.is_empty() && written.run_id == run_id && !written.recovered;
    (is_own && is_word && written.status != RunStatus::Crashed).then_some(written)
}

impl Written {
    /// The result in the environment's record.
    pub(super) fn record(self) -> LastResult {
        LastResult {
            status: self.status.word().into(),
            exit_code: self.exit_code,
            failure_reason: self.failure_reason,
            file: result_file().to_string_lossy().into_owned(),
            ended_at: Some(self.ended_at),
            ..LastResult::default()
        }
    }
}
