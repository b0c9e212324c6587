//! Environments, one folder on disk for each task: layout, locks, records, and the steps that change them.

mod agent_process;
mod busy;
mod checkout;
mod cleanup;
mod commits;
mod contents;
mod conversations;
mod copied;
mod damage;
mod elsewhere;
mod excluded;
mod exposed;
mod folder_refs;
mod found_work_dir;
pub mod health;
mod held_work;
mod homes;
mod included;
mod key;
mod lacking;
mod launch_file;
mod local;
mod lock;
mod locked;
mod lookup;

mod occupants;
mod origin;
mod other_tasks;
mod own_files;
mod own_refs;
mod path;
mod places;
mod ports;
mod prepare;
mod reattach;
mod record;
mod recover;
mod repository;
mod repository_proof;
mod repository_request;
mod request;
mod reuse;
mod root;
mod run_folder;
mod sandbox_notes;
mod sandboxed;
mod setup;
mod staged;
mod status;
mod stores;
mod taking_back;
mod temporary;
pub(crate) mod trash;
mod trust;
mod unsaved;
mod user_folder;
mod verify;
mod work_dir;

pub use busy::Held;
pub(crate) use busy::{cannot_lock, holder_of_env, root_busy};
pub(crate) use cleanup::retained_for;
pub use cleanup::{CleanupOptions, CleanupOutcome, CleanupReport, Kept, cleanup};
pub(crate) use contents::choose_platform;
pub use conversations::prune as prune_conversations;
pub use copied::{CopiedFrom, Files};
pub use damage::{Damage, damage};
pub(crate) use elsewhere::may_be_built_elsewhere;
pub(crate) use excluded::git_variables;
pub(crate) use exposed::is_root_exposed;
pub use homes::{Exports, RenewedLogins};
pub(crate) use homes::{
    Logins, check_exports, check_needs, is_unfinished as has_unfinished_homes, private_exports,
    private_files, renew_store_links,
};
pub use key::KeyFile;
pub use launch_file::{LaunchFile, LaunchInput};
pub use lock::EnvLock;
pub(crate) use lock::{root_lock, staging_lock_alone};
pub use locked::{LockedEnv, LockedRoot};
pub use lookup::{FoundEnv, find, find_even_damaged, has_workspace};
pub use occupants::Occupants;
pub use origin::{MadeBy, UpstreamRoot, made_by, upstream_roots};
pub use own_files::own_files;
pub(crate) use own_refs::ref_key;
pub use path::CurrentFolder;
pub(crate) use path::quoted;
pub use places::CONTEXT as CONTEXT_FILE;
pub(crate) use ports::refuse_taken as refuse_taken_ports;
pub use ports::{PortName, PortRange};
pub use prepare::{find_of_task, prepare, prepare_and_hold};
pub use reattach::name_registration;
#[cfg(test)]
pub(crate) use record::MetaFile;
pub use record::{
    CheckpointRecord, CurrentMerge, Durability, EnvStatus, FailedStart, Identity, IterationRecord,
    LastResult, MergeRecord, MergedBranch, Meta, Own, PatchRecord, PublishedRecord, RepositoryRecord,
    RunRecord, SessionRecord, SetupRecord, SetupState, SkippedBranch,
};
pub(crate) use repository::{Deletion, release_staged};
pub use repository_request::{NEW as NEW_REPOSITORY, RepositoryFrom, RepositoryRequest};
pub use request::{Existing, Prepared, Request, Sidecars};
pub use reuse::{reuse, reuse_held};
pub(crate) use root::is_environment;
pub use root::{EnvRoot, WorkspacesRoot};
pub(crate) use run_folder::sweep_run_folders;
pub use sandbox_notes::SandboxNotes;
pub use setup::{
    Hooks, Marks, OnUntrusted, PROJECT_FILE, ProjectFile, Reviewed, SetupRequest, Teardown, TrustedEntry,
    TrustedFile, finish_setup,
};
pub(crate) use staged::is_whole as is_whole_staging;
pub use stores::{Pruned, Pruning, count as count_stores, prune as prune_stores};
pub(crate) use temporary::{TemporaryPlaces, is_too_long, is_writable};
pub use trash::TrashEntry;
pub(crate) use trash::put_aside_as;
pub use trust::Trust;
pub(crate) use unsaved::{unsaved_in_trash, unsaved_work};
pub use verify::{Difference, Verification, is_restored, verify};
pub use work_dir::WorkDir;
