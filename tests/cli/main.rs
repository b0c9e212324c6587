//! The contract of the command line, through the built binary: one file a subcommand.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test makes and changes its own fixtures, and tells its counts"
)]

#[path = "../support/mod.rs"]
mod support;

mod acp_streams;
mod artifacts;
mod auth_login;
mod autonomous;
mod branch;
mod checkout;
mod checkout_gc;
mod checkout_remote;
mod checkpoint;
mod cleanup;
mod clone;
mod codex_runs;
mod codex_worktree;
mod config;
mod connection;
mod continued;
mod current_folder;
mod described;
mod dialects;
mod diff;
mod doctor;
mod documented;
mod du;
mod engines;
mod everything;
mod examples;
mod file_systems;
mod fresh_shell;
mod gc;
mod gc_bounds;
mod gc_promises;
mod gc_server;
mod generated;
mod git_codes;
mod git_identity;
mod habits;
mod heartbeat;
mod home_changes;
mod home_contents;
mod homes;
mod hook;
mod hostile;
mod hostile_git;
mod imports;
mod inputs;
mod last_copies;
mod laws;
mod layout;
mod list;
mod locks;
mod logins;
mod machines;
mod manual;
mod mcp;
mod merge;
mod new_repository;
mod occupants;
mod old_roots;
mod on_success;
mod orders;
mod other_tasks;
mod own_refs;
mod papers;
mod prepare;
mod provider_homes;
mod publish;
mod record;
mod recovery;
mod ref_formats;
mod report;
mod repos;
mod restore;
mod reuse;
mod roles;
mod run;
mod run_bounds;
mod run_new;
mod run_terminal;
mod sandbox;
mod server_client;
mod show;
mod skills;
mod slots;
mod source_drift;
mod special_files;
mod stopped;
mod streams;
mod supervise;
mod together;
mod trash;
mod trust;
mod unprinted;
mod unsaved;
mod upstream;
mod upstream_collector;
mod usage;
mod verify;
mod what_is_an_environment;
mod whose_repository;
mod worktree;
mod worktree_folder;
mod worktree_include;
mod worktree_remote;
