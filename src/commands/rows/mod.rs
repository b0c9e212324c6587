//! Rows of environments, sorted and filtered as the user asks: `--sort`, `--reverse`, `--filter`, `--watch`.

mod field;
mod filter;
mod selection;
mod sort;
mod tone;
mod watch;

pub(super) use field::{Field, Value};
pub(super) use selection::{SelectArgs, Selection, describe};
pub(super) use tone::tone;
pub(super) use watch::watch;
