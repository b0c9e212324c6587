//! Formats of files that people and agents write: parsing with positions, and writing into them.

pub mod base64;
mod duration;
mod harmless;
pub(crate) mod jsonc;
pub mod path_text;
pub(crate) mod scan;
mod short;
mod similar;
mod whole;
pub(crate) mod yaml;

pub use duration::parse_duration;
pub use harmless::{HarmlessJson, escape, escape_unseen, harmless_json, visible, write_lines, write_part};
pub use short::shortened;
pub use similar::{closest, with_meant};
pub use whole::parse_whole;
