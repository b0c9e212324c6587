//! Hermes.

mod home;
mod source;

pub use self::home::plan;
pub(super) use self::home::{FOLDER, HOME_VARIABLE, YOLO_VARIABLE};
