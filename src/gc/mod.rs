//! The collector: looks at every environment, decides by a pure function, reclaims what it decided.
//!
//! Where a server is named, the state of each environment's parent decides; without one, age does. One cycle a root at
//! a time; a cycle that dies leaves what the next one finishes: removal is a rename into the trash, deletion goes by a
//! name of its own, an artifact that is half removed is removed by its name again.

pub mod artifacts;
mod bounds;
mod collect;
mod cycle;
mod decide;
mod dry_run;
mod due;
mod effects;
mod evict;
mod explain;
mod facts;
mod hold;
mod judged;
mod look;
mod parallel;
mod parents;
mod reclaim;
mod request;
mod staging;
mod state;
mod summary;
mod sweep;
pub mod usage;

pub use artifacts::Patterns;
pub use bounds::Bounds;
pub use cycle::cycle;
pub use decide::{Policy, Reason};
pub use due::{Due, due};
pub use explain::explain;
pub use facts::Facts;
pub use judged::Judged;
pub use look::look;
pub use request::{GcRequest, StorePolicy};
pub use staging::sweep_staging;
pub use summary::Summary;
