//! What a command does first that makes an environment ready for its next task: the run before may have died in it.

use anyhow::Result;

use crate::environment::{FoundEnv, LockedEnv, LockedRoot, Meta};
use crate::invocation::Context;
use crate::output::escape;
use crate::run::recover;

/// Recovers an environment whose run has died. Returns it as it is then.
///
/// # Errors
/// 4 when it is in use; as [`recover`].
pub(super) fn recover_first(found: FoundEnv, context: &Context) -> Result<FoundEnv> {
    if !found.meta.as_ref().is_some_and(|meta| Meta::status(meta).is_active()) {
        return Ok(found);
    }
    Ok(recover_held(LockedRoot::acquire(found.env)?.read()?, context)?.unlock())
}

/// The same for one that is held.
///
/// # Errors
/// As [`recover`].
pub(super) fn recover_held(env: LockedEnv, context: &Context) -> Result<LockedEnv> {
    let Some(dead) = recover(&env, &context.git(), context.trust(None), context.now)? else { return Ok(env) };
    log::warn!("the last run in {} died; {}", escape(&env.env.path.display().to_string()), dead.words());
    let (found, lock) = env.into_parts();
    LockedRoot::held(found.env, lock).read()
}
