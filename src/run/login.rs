//! Whether a run may log its agent's CLI in, and what became of that.

use super::options::RunOptions;
use crate::failure::{Code, Failure};
use crate::provider::registry;
use crate::supervise::RunVerdict;

/// The arguments by which the CLI of a run logs in; `None`: it is not to.
///
/// # Errors
/// A [`Code::Usage`] failure for a CLI that cannot do so without a terminal.
pub(super) fn args_to_log_in(
    options: &RunOptions,
    provider: &str,
) -> Result<Option<&'static [&'static str]>, Failure> {
    if !options.auth_login {
        return Ok(None);
    }
    let args = registry::find(provider).and_then(|row| row.auth_login);
    args.map(Some).ok_or_else(|| {
        Failure::new(Code::Usage, format!("`--auth-login` cannot log {provider} in"))
            .hint("leave it out; the event `auth_required` says what to do by hand")
    })
}

/// What became of it.
pub(super) enum Login {
    /// The CLI is logged in.
    Done,
    /// It is not, and a person knows why.
    GivenUp,
    /// The run is to end.
    Stopped(RunVerdict),
}
