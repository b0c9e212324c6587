//! Dialects of one JSON object a line.
//!
//! [`stream`] is what all of them share: a dialect is a [`LineReader`]. [`lines`] cuts the stream into lines, and shortens oversized ones; [`skipped`] counts what is not understood; each
//! dialect is a module.

pub mod claude;
mod codex_exec;
mod grok;
pub mod lines;
mod shorten;
pub mod skipped;
pub mod stream;

pub use claude::Claude;
pub use codex_exec::{CodexExec, codex_exec};
pub use grok::Grok;
pub use stream::{LineReader, LineStream, Understood};
