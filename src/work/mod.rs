//! Work on the repository in a work dir that is not a run: comparing, saving, and bringing it to others. A file a piece of
//! work; [`place`] decides which repository it is about.

mod base;
mod branch;
mod checkpoint;
mod chosen;
mod clone;
mod diff;
mod half_cloned;
mod left_behind;
mod lock;
pub mod merge;
mod mirror;
mod missing;
mod ours;
mod patch;
mod place;
pub mod publish;
mod reattach;
mod restore;
mod state;

pub use branch::branch;
pub use checkpoint::{Wanted, checkpoint};
pub use clone::{clone, look_at_target};
pub use diff::{Compared, DiffForm, diff};
pub use half_cloned::left_clones;
pub use left_behind::{LeftBehind, is_half_switched, look_behind, take_switch_back};
pub use mirror::Mirror;
pub use patch::patch_of_checkpoint;
pub use place::Place;
pub use restore::{Restoring, Source, restore};
pub use state::state;
