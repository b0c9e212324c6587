//! What a run has printed, read again for a person or a report.
//!
//! | module | answers for |
//! |---|---|
//! | `recorded` | which run there is to look at, what is known of it, and its files |
//! | `player` | its events in their order: what the agent printed, mixed with what only the run itself knew |
//! | `output` | the log of what the agent printed, also while it grows and is shortened |
//! | `errors` | the same for standard error |
//! | `notices` | where an event stands; notices that come twice |
//! | `gist` | what a call of a tool is about, in one line |
//! | `bytes` | a log as it is, from its end or its beginning |
//! | `story` | `run.log`, line by line |
//! | `times` | when each part was read |
//! | `printed` | dialects that only listen, and the parts of a log |
//!
//! Everything here is a claim of the agent's, as its output was: it is shown, and nothing is decided by it. Logs are read in
//! pieces, so their length takes no memory.

mod bytes;
mod errors;
mod gist;
mod notices;
mod output;
mod player;
mod printed;
mod recorded;
mod story;
mod times;

pub use bytes::{LogBytes, Read};
pub use gist::gist;
pub use notices::{At, Sink};
pub use player::{Heard, Pause, follow, replay, replay_with_spent};
pub(super) use printed::{Part, listener, turns};
pub use recorded::{Recorded, RunEnd};
