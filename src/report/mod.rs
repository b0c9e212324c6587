//! One run as a page: how it ended, its timeline, its transcript, what it changed.
//!
//! | module | answers for |
//! |---|---|
//! | `gather` | what is known of a run, read from its environment |
//! | `collect` | events to transcript and timeline, in one pass |
//! | `transcript`, `timeline` | what of a long run is kept |
//! | `waiting` | calls that have no answer yet |
//! | `claim` | texts of the agent and of the task, which only escaped get out |
//! | `excerpt` | the beginning and the end of a long text |
//! | `diff` | a patch, file by file |
//! | `model` | the data behind all forms of a report |
//! | `layout` | where everything of the picture lies |
//! | `html`, `markdown`, `text` | the forms |
//! | `words` | numbers and states in words |

mod claim;
mod collect;
mod diff;
mod excerpt;
mod gather;
mod html;
mod layout;
mod markdown;
mod model;
#[cfg(test)]
mod sample;
mod text;
mod timeline;
mod transcript;
mod waiting;
mod words;

pub use gather::{Sources, gather};
pub use html::page as html;
pub use markdown::markdown;
pub use model::Report;
pub use text::text;
