//! Dialects of one JSON object a line.
//!
//! [`lines`] cuts the stream into lines, and shortens oversized ones; [`skipped`] counts what is not understood; each
//! dialect is a module.

pub mod claude;
pub mod lines;
mod shorten;
pub mod skipped;

pub use claude::Claude;
