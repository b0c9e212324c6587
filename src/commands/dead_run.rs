//! What a command does first that refreshes an environment for its next task: the run before may have died in it.

use anyhow::Result;

use crate::environment::{FoundEnv, LockedRoot, Meta};
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
    let locked = LockedRoot::acquire(found.env)?.read()?;
    let dead = recover(&locked, &context.git(), context.trust(None), context.now)?;
    if let Some(dead) = dead {
        log::warn!(
            "the last run in {} died; {}",
            escape(&locked.env.path.display().to_string()),
            dead.words()
        );
    }
    FoundEnv::read_again(&locked.env)
}
