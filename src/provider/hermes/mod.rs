//! Hermes.

mod home;
mod source;

pub(super) use self::home::FOLDER;
pub use self::home::plan;
