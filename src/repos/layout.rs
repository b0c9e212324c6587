//! `<root>/.repos/<workspace>/<repository>`: bare clones whose worktrees are checked out into environments, and what
//! a checkout and the collector have to agree on.

use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, Utc};

use crate::layout::names;
use crate::sys::tree::Tree;

/// How the reason begins with which a checkout locks its worktree (`git worktree lock`): such a lock does not outlive
/// the environment, a lock of anybody else's does.
pub const LOCK_REASON: &str = "execenv";
/// When a checkout last began, in upstream's format.
const LAST_USE: &str = ".multica_last_used";
/// The largest stamp that is read, in bytes.
const MOST_OF_A_STAMP: u64 = 256;

/// When a checkout last began in an open repository. `None`: nobody knows.
pub fn last_use(bare: &Tree) -> Option<DateTime<Utc>> {
    let text = bare.read(Path::new(LAST_USE), MOST_OF_A_STAMP).ok()??;
    let text = std::str::from_utf8(&text).ok()?;
    Some(DateTime::parse_from_rfc3339(text.trim()).ok()?.to_utc())
}

/// Notes that a repository is in use now. The caller holds its lock.
///
/// # Errors
/// As the system reports them.
pub fn stamp_use(bare: &Tree, now: DateTime<Utc>) -> Result<()> {
    let text = now.to_rfc3339_opts(SecondsFormat::Nanos, true);
    bare.replace_unsynced(Path::new(LAST_USE), text.as_bytes(), 0o644, names::TEMPORARY)
        .with_context(|| format!("note the use of {}", bare.path().display()))
}
