//! The only code that changes the disk, reads the clock or starts a child.
//!
//! Every change to the disk passes [`fault::step`] first, so that the tests can kill the process, or let one call
//! fail, at the 1st, 2nd, 3rd … change.

pub mod boot;
pub mod child;
pub mod clock;
pub mod confine;
pub mod fault;
pub mod handles;
#[cfg(target_os = "linux")]
pub mod jail;
pub mod lock;
pub mod machine;
pub mod mount_points;
pub mod mounts;
pub mod openers;
mod platform;
pub mod ports;
pub mod private;
pub mod remove;
pub mod silent;
pub mod space;
pub mod tree;
pub mod walk;
