//! Dialects of one JSON object a line.
//!
//! [`stream`] is what all of them share: a dialect is a [`LineReader`]. [`lines`] cuts the stream into lines, [`bounded`] shortens oversized ones; [`skipped`] counts what is not understood; each
//! dialect is a module.

pub mod bounded;
pub mod claude;
mod codex_exec;
pub mod copilot;
pub mod cursor;
pub mod field;
pub mod gemini;
mod grok;
pub mod lines;
pub mod opencode;
pub mod pi;
pub mod reasonix;
mod shorten;
pub mod skipped;
pub mod stream;

pub use claude::{Claude, Counting};
pub use codex_exec::{CodexExec, codex_exec};
pub use copilot::Copilot;
pub use cursor::Cursor;
pub use gemini::Gemini;
pub use grok::Grok;
pub use opencode::OpenCode;
pub use pi::Pi;
pub use reasonix::Reasonix;
pub use stream::{LineReader, LineStream, Understood};
