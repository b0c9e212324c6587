//! Hermes.

mod home;
pub mod launch;
mod source;

pub use self::home::plan;
pub(super) use self::home::{FOLDER, HOME_VARIABLE, YOLO_VARIABLE};
