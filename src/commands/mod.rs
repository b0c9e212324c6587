//! One file per command: its arguments, whose doc comments are the help, and `run`, which calls the library and returns
//! the answer.

mod addressed;
mod announce;
pub mod branch;
pub mod checkout;
pub mod checkpoint;
pub mod cleanup;
pub mod clone;
pub mod config;
mod copies;
mod dead_run;
pub mod demo;
pub mod diff;
pub mod doctor;
pub mod du;
pub mod gc;
pub mod hook;
mod identity;
pub mod list;
pub mod merge;
mod on_success;
pub mod orders;
mod own_env;
pub mod prepare;
pub mod publish;
pub mod repository;
pub mod restore;
pub mod reuse;
mod rows;
pub mod run;
pub mod show;
mod skill_folders;
mod slots;
pub mod task_input;
pub mod trash;
pub mod verify;
pub mod worktree;
