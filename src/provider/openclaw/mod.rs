//! OpenClaw.

mod cache;
mod cli;
mod deadline;
mod discover;
mod gateway;
mod home;
mod include;
mod locate;
mod wrapper;

pub use self::home::plan;
pub(super) use self::home::{CONFIG_VARIABLE, ROOTS_VARIABLE};
