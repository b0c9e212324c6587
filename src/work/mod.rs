//! Work on the repository in a work dir that is not a run: comparing, saving, and bringing it to others. A file a piece of
//! work; [`place`] decides which repository it is about.

mod base;
mod branch;
mod diff;
mod lock;
mod ours;
mod place;

pub use branch::branch;
pub use diff::{Compared, DiffForm, diff};
pub use place::Place;
