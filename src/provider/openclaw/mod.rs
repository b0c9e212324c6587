//! OpenClaw.

mod cache;
mod cli;
mod deadline;
mod discover;
mod gateway;
mod home;
mod include;
pub(super) mod launch;
mod locate;
mod plugins;
mod wrapper;

pub(super) use self::home::{CONFIG_VARIABLE, MINIMUM, ROOTS_VARIABLE};
pub use self::home::{NAME, plan};
pub(super) use self::launch::DIALECTS;
