//! The line at the bottom of a terminal that shows how a long command is going. It is never part of an answer: it is on standard
//! error only, appears after half a second, and whatever else is printed removes it first.

mod command;
mod line;
mod run;

pub use command::LiveLine;
pub(super) use line::{above, end, hide};
pub(super) use run::{Live, used};
