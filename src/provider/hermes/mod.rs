//! Hermes.

mod home;
mod source;
mod yaml_edit;

pub(super) use self::home::FOLDER;
pub use self::home::plan;
