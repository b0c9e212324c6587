//! Crash tests: each command is killed before a change to the disk, or the disk refuses the change, and afterwards
//! nothing of the user's is lost and nothing half-made is left. And the tests in which an agent puts a link in the place of a
//! folder while a command runs, and those of streams that are too long for every day.
//!
//! A case has as many points as its command makes changes. `cargo test` visits a few points of each case;
//! `EXECENV_SOAK=N` visits N of each, `EXECENV_SOAK=full` all of them:
//! `EXECENV_SOAK=full cargo test --locked --test soak`.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test makes and changes its own fixtures, and prints its counts"
)]

#[path = "../support/mod.rs"]
mod support;

mod addressed;
mod checkouts;
mod clones;
mod collector;
mod commands;
mod dialects;
mod homes;
mod logins;
mod merges;
mod publishes;
mod runs;
mod sessions;
mod setups;
mod swapped;
mod sweep;
mod work;
mod worktrees;

use libtest_mimic::Arguments;

fn main() {
    let mut arguments = Arguments::from_args();
    // The commands wait for the disk more than they compute.
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    arguments.test_threads.get_or_insert(2 * cores);
    let trials = [
        addressed::trials(),
        checkouts::trials(),
        clones::trials(),
        commands::trials(),
        homes::trials(),
        logins::trials(),
        runs::trials(),
        sessions::trials(),
        setups::trials(),
        collector::trials(),
        swapped::trials(),
        dialects::trials(),
        merges::trials(),
        publishes::trials(),
        work::trials(),
        worktrees::trials(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        sweep::report();
    }
    conclusion.exit();
}
