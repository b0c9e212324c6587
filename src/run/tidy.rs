//! The clean-up after a run.

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::options::{CleanupAfter, Keep, RunOptions};
use super::surroundings::Surroundings;
use crate::environment::{CleanupOptions, CleanupOutcome, FoundEnv, RenewedLogins, Trust, cleanup, quoted};
use crate::failure::{Code, Failure};

/// Cleans up after a run where that was asked for. Returns how both ended.
pub(super) fn tidy(
    ended: Result<u8>,
    found: FoundEnv,
    options: &RunOptions,
    surroundings: &Surroundings<'_>,
) -> Result<u8> {
    let Some(after) = &options.cleanup_after else { return ended };
    if is_kept(after.keep, &ended) {
        if after.keep == Keep::Failed && surroundings.has_started.get() {
            let path = found.env.path.display();
            log::warn!(
                "the environment stays, as the run did not complete; `execenv cleanup {path}` cleans it up"
            );
        }
        return ended;
    }
    let clean_up =
        || clean_up(after, found, options.renewed_logins, surroundings.trust, (surroundings.now)());
    let cleaned_up = (surroundings.ends)().and_then(|()| clean_up());
    match (ended, cleaned_up) {
        (Ok(0), Err(error)) => Err(error),
        (ended, Err(error)) => {
            // The agent's own end says more.
            log::error!("{error:#}");
            ended
        }
        (ended, Ok(())) => ended,
    }
}

/// Whether the environment stays as the run left it.
fn is_kept(keep: Keep, ended: &Result<u8>) -> bool {
    match (keep, ended) {
        // A wrong option is corrected and typed again: that was no run yet.
        (_, Err(error)) if Failure::code_of(error) == Code::Usage => true,
        (Keep::Always, _) | (Keep::Failed, Ok(1..) | Err(_)) => true,
        (Keep::Failed, Ok(0)) | (Keep::Never, _) => false,
    }
}

fn clean_up(
    after: &CleanupAfter,
    found: FoundEnv,
    renewed_logins: RenewedLogins,
    trust: Trust<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    let path = found.env.path.clone();
    let options = CleanupOptions { renewed_logins, ..CleanupOptions::default() };
    let mut report = cleanup(&after.root, found, options, trust, &after.git, &after.stop, now)?;
    let stopped = if report.is_stopped { report.kept.pop() } else { None };
    for notice in &report.notices {
        log::warn!("{notice}");
    }
    for kept in &report.kept {
        log::warn!("kept {}: {}", kept.path.display(), kept.why);
    }
    if let Some(stopped) = stopped {
        let message = format!("the clean-up after the run: {}", stopped.why);
        return Err(Failure::new(Code::Interrupted, message)
            .hint(format!("`execenv cleanup {}` does the rest", quoted(&path)))
            .into());
    }
    if report.teardown.has_failed() {
        let why = report.teardown.why.unwrap_or_default();
        return Err(Failure::new(Code::RunFailed, format!("the teardown after the run: {why}"))
            .hint("the environment was cleaned up; end by hand what its setup has started outside")
            .into());
    }
    if report.errors.is_empty() {
        match report.outcome {
            CleanupOutcome::Removed | CleanupOutcome::Trashed => return Ok(()),
            // The run did what it should, and so did the clean-up: nothing failed.
            CleanupOutcome::RetainedDirty | CleanupOutcome::RetainedUnpushed => {
                log::warn!(
                    "the environment stays, as its work is saved in no other place; `execenv publish {path} --to branch` commits it, \
                     and `execenv cleanup {path}` then removes the environment",
                    path = quoted(&path)
                );
                return Ok(());
            }
            _ => {}
        }
    }
    let why = report.errors.first().or_else(|| Some(&report.kept.first()?.why));
    let why = why.map_or("it cannot be removed", |why| why);
    Err(Failure::new(Code::RunFailed, format!("the clean-up after the run: {why}"))
        .hint(format!("remove the cause, then `execenv cleanup {}`", path.display()))
        .into())
}
