//! What only the registration of a worktree holds: a commit that is checked out without a branch, those of an operation in
//! progress, the refs of this worktree alone, and what is staged.

use anyhow::Result;

use super::commit::NewCommit;
use super::identity::GitIdentity;
use super::operation::COMMITS;
use super::refs::{STASH, is_commit_id};
use super::reftable::has_tables;
use super::registration::Registration;
use super::repository::Repository;
use super::view::GitFolders;
use crate::order;

/// The log of what was checked out.
const LOG: &str = "logs/HEAD";
/// Refs that belong to one worktree and are lost with it.
const REFS: &str = "refs";

impl Registration {
    /// The commits that it names itself, rather than by a branch. Where its HEAD is damaged, the one that was checked out last.
    fn commits(&self) -> Vec<String> {
        let text = |name: &str| self.read(name).map(|text| String::from_utf8_lossy(&text).into_owned());
        let head = text("HEAD").unwrap_or_default();
        let logged = || {
            let log = text(LOG)?;
            // `OLD NEW WHO<tab>WHY`
            log.lines().last()?.split(' ').nth(1).map(str::to_owned)
        };
        let head = if head.starts_with("ref: ") || is_commit_id(&head) { Some(head) } else { logged() };
        let operation = COMMITS.iter().filter_map(|name| text(name));
        let mut named: Vec<String> = head
            .into_iter()
            .chain(operation.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()))
            .collect();
        named.retain(|id| is_commit_id(id) && id.bytes().any(|byte| byte != b'0'));
        order::sort(&mut named);
        named.dedup();
        named
    }
}

impl Repository<'_> {
    /// The commits that are lost with a registration: no ref holds them. A stash, which holds nothing for good, does not count.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn only_in(&self, registered: &Registration) -> Result<Vec<String>> {
        let mut named = registered.commits();
        let own = registered.git_dir().to_owned();
        if has_tables(registered.folder()) {
            let in_it = |name: &str| name == "HEAD" || COMMITS.contains(&name);
            let refs = self.top_refs(&own)?.into_iter();
            named.extend(refs.filter(|(name, _)| in_it(name)).map(|(_, id)| id));
        }
        if own.join(REFS).is_dir() {
            let refs =
                ["for-each-ref", "--format=%(objectname)", "refs/worktree", "refs/bisect", "refs/rewritten"];
            let refs = self.by(&own).look(refs).text().unwrap_or_else(|error| {
                log::debug!("{error:#}");
                String::new()
            });
            named.extend(refs.lines().map(str::to_owned));
        }
        let mut lost = Vec::new();
        for id in named {
            // What is no commit there cannot be kept.
            let Some(id) = self.commit_of(&id)? else { continue };
            let unheld = ["rev-list", "--max-count=1", "--single-worktree", &id, "--not"];
            let unheld =
                self.as_stored().look(unheld).args([&format!("--exclude={STASH}"), "--all"]).text()?;
            if !unheld.is_empty() && !lost.contains(&id) {
                lost.push(id);
            }
        }
        Ok(lost)
    }

    /// A commit of what is staged in a worktree whose files are gone and that is not committed; only the index names it. `kept` begins the
    /// names of refs that may hold it already.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output), also where a merge has left conflicts.
    pub fn staged_in(
        &self,
        registered: &Registration,
        kept: &str,
        by: &GitIdentity,
    ) -> Result<Option<String>> {
        let own = registered.git_dir().to_owned();
        if !own.join("index").is_file() {
            return Ok(None);
        }
        let folders = GitFolders { own, common: registered.common().to_owned() };
        let view = self.view(&folders, true)?;
        let head =
            self.look(["rev-parse", "--quiet", "--verify", "HEAD^{commit}"]).through(&view).answer()?;
        let head = head.map(|id| String::from_utf8_lossy(&id).trim_end().to_owned());
        let Some(head) = head else { return Ok(None) };
        // What is only staged as removed is in the commit.
        let differing =
            ["diff-index", "--cached", "--name-only", "--no-renames", "--diff-filter=d", "-z", &head];
        if self.look(differing).through(&view).output()?.is_empty() {
            return Ok(None);
        }
        let tree = self.work(["write-tree"]).through(&view).and_to(view.tree()).text()?;
        let held = self.look(["for-each-ref", "--format=%(tree)", kept]).text()?;
        if held.lines().any(|held| held == tree) {
            return Ok(None);
        }
        let message = "staged, and not committed\n";
        self.make_commit(NewCommit { tree: &tree, parents: &[&head], message, by }).map(Some)
    }
}
