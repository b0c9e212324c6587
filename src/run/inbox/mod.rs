//! The way from a command to the run that holds an environment: a folder in the env root.
//!
//! A command writes its order as one file, `NAME.order`. The run looks ten times a second; it takes an order by removing its
//! file, and writes what became of it as `NAME.answer`, which the command reads and removes. So an order is either taken or
//! still there to be withdrawn, whatever is killed in between, and the orders are carried out in the order of their names,
//! which begin with the time.
//!
//! Nothing here is state: a run empties the folder before it has its id, and an order names the run that it is for. An agent
//! can write orders, as it can signal the run's processes; and an answer is one of few words.

mod put;
mod take;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::layout::names;
use crate::supervise::Order;
use crate::sys::tree::Tree;

pub use put::Letter;
pub(super) use take::Inbox;

const ORDER: &str = "order";
const ANSWER: &str = "answer";

/// The longest message to an agent, in bytes.
pub const LONGEST_MESSAGE: usize = 1 << 20;

/// The longest file of an order: each byte of a message may be written as six.
const LONGEST_ORDER: u64 = 6 * LONGEST_MESSAGE as u64 + 4096;

/// An order as it is written down.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    /// The run that it is for.
    run_id: String,
    #[serde(flatten)]
    order: Order,
}

/// Removes what a run that died has left in the inbox of an env root.
pub(super) fn clear(env: &Tree) {
    if let Err(error) = env.remove_all(Path::new(names::INBOX)) {
        log::debug!("empty {}: {error}", env.path().join(names::INBOX).display());
    }
}

fn place(name: &str, extension: &str) -> PathBuf {
    Path::new(names::INBOX).join(format!("{name}.{extension}"))
}
