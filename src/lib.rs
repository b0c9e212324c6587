//! Isolated execution environments for coding-agent tasks: prepare, reuse, run, clean up, collect.
//!
//! | module | answers for |
//! |---|---|
//! | [`app`] | the grammar of the command line, and the life of the process |
//! | [`commands`] | one file a subcommand: arguments in, result out |
//! | [`invocation`] | what every command gets: settings and their origin, time, signals, completers |
//! | [`output`] | the only code that prints |
//! | [`failure`] | stable codes, exit statuses, hints |
//! | [`task`] | the task document, ids, kinds |
//! | [`environment`] | layout, lookup, locks, `.gc_meta.json`, and the steps prepare, reuse, cleanup, verify |
//! | [`sidecar`] | what was put into a work dir, and how it comes out again: journal, roll-back, marker block |
//! | [`brief`] | what the agent is told: pure functions, task to text |
//! | [`skills`] | slugs, frontmatter, folders |
//! | [`formats`] | YAML, JSON with comments, TOML: pure |
//! | [`provider`] | the table of agent CLIs |
//! | [`run`] | one run of an agent in an environment |
//! | [`supervise`] | the agent's process and its limits: start, read, stop, judge |
//! | [`protocol`] | what agents say and are told: a dialect as a conversation without I/O |
//! | [`git`] | the one place that starts git, and what it says of unsaved work |
//! | [`repos`] | the shared bare clones below `.repos`: layout, lock, upkeep |
//! | [`server`] | asking the multica server what became of an environment's parent |
//! | [`gc`] | facts, decision (pure), reclaiming |
//! | [`sys`] | the only code that changes the disk or starts a child |
//!
//! Imports point one way: `app` → `commands` → `invocation`, `output` → `run` → `environment`, `gc`, `supervise` → `provider`, `protocol`, `sidecar`, `brief`,
//! `skills` → `task` → `sys`. Below `commands` nothing prints, exits, or reads arguments, variables or the clock.

pub mod app;
pub mod brief;
pub mod commands;
pub mod environment;
pub mod failure;
pub mod formats;
pub mod gc;
pub mod git;
pub mod invocation;
pub mod layout;
pub mod output;
pub mod protocol;
pub mod provider;
pub mod repos;
pub mod run;
pub mod server;
pub mod sidecar;
pub mod skills;
pub mod supervise;
pub mod sys;
pub mod task;
