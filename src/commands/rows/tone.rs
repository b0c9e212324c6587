//! How a status looks.

use crate::environment::EnvStatus;
use crate::output::Tone;

/// The tone of a status. Its word says the same.
pub(in crate::commands) fn tone(status: EnvStatus) -> Tone {
    match status {
        EnvStatus::Completed => Tone::Good,
        EnvStatus::Starting | EnvStatus::Running | EnvStatus::Paused => Tone::Busy,
        EnvStatus::Failed
        | EnvStatus::Timeout
        | EnvStatus::Interrupted
        | EnvStatus::Killed
        | EnvStatus::Crashed => Tone::Bad,
        EnvStatus::Cleaned | EnvStatus::Unknown => Tone::Faint,
        EnvStatus::Prepared => Tone::Plain,
    }
}
