//! The collector: looks at every environment, decides by a pure function, and carries that out.
//!
//! With a server the state of each environment's parent decides, without one its age. One cycle runs per root at a time.
//! The next cycle finishes what a killed one left: an environment is removed by a rename into the trash, deleted under a
//! name of its own, and a half-removed artifact still has its name.

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
mod reach;
mod reclaim;
mod request;
mod staging;
mod state;
mod summary;
mod sweep;
pub mod usage;
mod way_out;

pub use artifacts::{Patterns, Tally};
pub use bounds::{Bound, BoundReport, Bounds};
pub use cycle::cycle;
pub use decide::{Policy, Reason};
pub use due::{Due, due};
pub use explain::explain;
pub use facts::GcFacts;
pub use judged::Judged;
pub use look::look;
pub use request::{GcRequest, StorePolicy};
pub use staging::sweep_staging;
pub use summary::Summary;
pub use way_out::TRY_AGAIN;
