//! Claude Code.

mod home;
pub mod launch;

pub(super) use self::home::MEMORY_VARIABLE;
pub use self::home::{SETTINGS, plan};
pub use self::launch::DIALECTS;
