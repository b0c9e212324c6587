//! Hermes.

mod home;
mod source;
mod yaml_edit;

pub use self::home::plan;
pub(super) use self::home::{HOME, OURS};
pub use self::source::without_profile;
