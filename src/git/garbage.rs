//! `git gc`.

use anyhow::Result;

use super::repository::Repository;

impl Repository<'_> {
    /// Packs this bare repository, and drops objects that have been unreferenced for as long as `kept` says in git's
    /// words. Takes minutes.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn collect_garbage(&self, kept: &str) -> Result<()> {
        // The repository's configuration could name a program for this (`gc.recentObjectsHook`).
        let view = self.view(&self.git_folders()?, true)?;
        // Registrations of worktrees are dropped one by one, by a rule of our own.
        let prune = format!("--prune={kept}");
        let collect = ["-c", "gc.worktreePruneExpire=never", "gc", "--quiet", &prune];
        self.work(collect).through(&view).and_to(view.tree()).output().map(drop)
    }
}
