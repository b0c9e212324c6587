//! The ports of environments: each belongs to one environment of the workspaces root, as the records say.

mod choose;
mod given;
mod name;
mod taken;

pub use choose::PortRange;
pub(super) use given::reserve;
pub(super) use name::MOST_PORTS;
pub use name::PortName;
pub(super) use name::variables;
pub(super) use taken::note_those_of_setup;
pub(crate) use taken::refuse_taken;
