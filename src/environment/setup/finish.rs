//! The setup of an environment whose caller had to let go of something first.

use anyhow::Result;

use super::carry_out::{Scene, carry_out};
use crate::environment::lock::EnvLock;
use crate::environment::lookup::FoundEnv;
use crate::environment::request::{Prepared, Request};
use crate::environment::root::EnvRoot;

/// Carries out the setup that a request has deferred. After a failure the environment stays, and no agent starts there: the
/// caller takes it back.
///
/// # Errors
/// As a setup in [`prepare`](fn@crate::environment::prepare).
pub fn finish_setup(request: &Request<'_>, prepared: &mut Prepared, lock: &EnvLock) -> Result<()> {
    let Some(pending) = prepared.pending.take() else { return Ok(()) };
    let env = EnvRoot::open(&prepared.root_dir)?;
    let work_dir = FoundEnv::read_again(&env)?.work_dir_path();
    let scene = Scene {
        env: &env.tree,
        env_root: &env.path,
        lock: lock.file(),
        work_dir: &work_dir,
        agent_dir: &prepared.work_dir,
        now: request.now,
    };
    if let Some(meta) = carry_out(&pending, request.hooks, &scene, &prepared.meta)? {
        prepared.meta = meta;
    }
    Ok(())
}
