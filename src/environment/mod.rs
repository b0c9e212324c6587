//! One task's folder on disk: where everything lies, who holds it, what is remembered, and the steps that change it.

mod cleanup;
mod contents;
pub mod health;
mod launch;
mod layout;
mod local;
mod lock;
mod lookup;
mod meta;
mod prepare;
mod reuse;
mod run_record;
pub(crate) mod trash;
mod verify;

pub use cleanup::{CleanupOptions, CleanupReport, Kept, Outcome, cleanup};
pub(crate) use cleanup::{retained_for, unsaved_in_trash, unsaved_work};
pub use contents::Contents;
pub(crate) use contents::choose_platform;
pub use launch::Launch;
pub(crate) use layout::looks_like_env_root;
pub use layout::{EnvRoot, WorkspacesRoot, names};
pub(crate) use local::clean;
pub(crate) use lock::staging_lock_file;
pub use lock::{EnvLock, Held, path_lock};
pub use lookup::{Found, find, find_even_damaged};
pub use meta::{LastResult, Meta, Own, RunRecord, SessionRecord, Status};
pub(crate) use prepare::STAGING;
pub use prepare::{Existing, Prepared, Request, prepare, recover};
pub(crate) use reuse::open_work_dir;
pub use reuse::reuse;
pub use run_record::RunningEnv;
pub(crate) use run_record::{forget_temporary, make_temporary, mcp_file, temporary_dir};
pub(crate) use trash::put_aside_as;
pub use trash::{TrashEntry, TrashName};
pub use verify::{Difference, Verdict, verify};
