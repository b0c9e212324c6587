//! The last step of `prepare` and `reuse`: the answer is printed. What no caller learns of is taken back.

use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};

use super::read_task::Task;
use crate::environment::trash::{entries, restore};
use crate::environment::{CleanupOptions, CleanupOutcome, FoundEnv, Prepared, Trust, cleanup};
use crate::failure::{Code, Failure};
use crate::invocation::Context;
use crate::output::{Deed, answer};

/// Prints what was prepared or refreshed, and returns the exit status.
///
/// # Errors
/// When a signal has arrived or the answer cannot be printed: a new environment is removed then. One that was refreshed
/// cannot be put back; the failure says so.
pub(super) fn announce(task: &Task, prepared: &Prepared, context: &Context) -> Result<u8> {
    if context.is_stopped() && !prepared.reused {
        let message = format!("interrupted by a signal; {}", undo(prepared, context));
        return Err(Failure::new(Code::Interrupted, message).into());
    }
    let built = task.answer(prepared, context)?;
    let deed = if prepared.reused {
        let env = prepared.root_dir.display();
        let hint = format!("`execenv show {env}` prints what it is");
        Deed::Stays { what: format!("{env} is ready for a run"), hint }
    } else {
        Deed::TakenBack(Box::new(|| undo(prepared, context)))
    };
    answer(&built, deed, context.settings.output)
}

/// Removes what was prepared, because no caller will learn of it: a signal has arrived, or the answer could not be printed.
/// An environment that was replaced comes back. Returns what became of it, in words.
pub(super) fn undo(prepared: &Prepared, context: &Context) -> String {
    let options = CleanupOptions { all: true, undoes: true, ..CleanupOptions::default() };
    // The user has just named the folder, also where no key could be had for a proof.
    let hooks = context.hooks.undisturbed();
    let word = prepared.meta.local_directory.then_some(prepared.work_dir.as_path());
    let trust = Trust { hooks: &hooks, ..context.trust(word) };
    let undone = FoundEnv::open(&prepared.root_dir)
        // The signal that asks for this must not stop it.
        .and_then(|found| {
            let never = AtomicBool::new(false);
            cleanup(&context.root, found, options, trust, &context.git(), &never, context.now)
        });
    match undone {
        Ok(report) if report.outcome == CleanupOutcome::Removed => {
            report.teardown.notice().iter().for_each(|notice| log::warn!("{notice}"));
        }
        Ok(_) | Err(_) => return format!("{} was not removed", prepared.root_dir.display()),
    }
    match prepared.replaced.as_ref().map(|entry| (entry, put_back(entry, context))) {
        None => "the environment was removed".to_owned(),
        Some((_, Ok(()))) => "the environment was removed, and the one before it is back".to_owned(),
        Some((entry, Err(error))) => {
            format!("the environment was removed; the one before it is in the trash as {entry}: {error:#}")
        }
    }
}

/// Restores an entry of the trash to where it was.
fn put_back(entry: &str, context: &Context) -> Result<()> {
    let tree = context.root.open()?.context("the workspaces root is gone")?;
    let found = entries(&context.root, &tree)?;
    let entry = found.iter().find(|other| other.name == entry).context("it is not there")?;
    restore(&tree, entry, None, (&context.keys, context.settings.lease), context.now)
}
