//! Cursor.

mod approval;
mod home;
mod javascript;

pub use self::home::plan;
pub(super) use self::home::{DATA, forgotten};
