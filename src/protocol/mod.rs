//! What agents say, in one vocabulary, and the dialects that they say it in. No I/O.

mod event;
pub mod ndjson;

pub use event::{Event, NoticeLevel, Sink, TOOL_OUTPUT, Usage, prefix};
