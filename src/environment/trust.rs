//! What a command can prove a record with: the operator's key, and the user's word.

use std::path::Path;

use super::key::KeyFile;
use super::setup::Hooks;

/// What a command can prove a record with (decision D36).
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// The operator's key.
    pub keys: &'a KeyFile,
    /// The folder of which the user says that the environment works in it (`--local-dir`).
    pub local_dir: Option<&'a Path>,
    /// What the user's setup and teardown commands are started with.
    pub hooks: &'a Hooks,
}
