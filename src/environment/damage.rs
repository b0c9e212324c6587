//! What of an environment's state cannot be read, for the commands with which one looks into it.

use std::path::PathBuf;

use serde::Serialize;

use super::record::Meta;
use super::root::EnvRoot;
use crate::layout::names;
use crate::sidecar::Manifest;

/// A state file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Damage {
    /// Its path.
    pub path: PathBuf,
    /// Why it cannot be read.
    pub why: String,
}

/// The state files of an environment that cannot be read.
pub fn damage(env: &EnvRoot) -> Vec<Damage> {
    let record = Meta::load(&env.tree).map(drop);
    let manifest = Manifest::load(&env.tree).map(drop);
    let files = [(names::META, record), (names::MANIFEST, manifest)];
    let damaged = files.into_iter().filter_map(|(name, loaded)| {
        let why = format!("{:#}", loaded.err()?);
        Some(Damage { path: env.path.join(name), why })
    });
    damaged.collect()
}
