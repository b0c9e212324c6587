//! The page of a report.

mod changes;
mod excerpt;
mod page;
mod picture;
mod summary;
mod transcript;

pub use page::page;
pub(super) use summary::{answer_title, prompt_title, title};
