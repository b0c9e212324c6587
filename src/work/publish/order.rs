//! What is published, and what every step needs.

use std::path::{Path, PathBuf};

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::Map;

use crate::environment::{Durability, LockedEnv, Meta, Own, PublishedRecord};
use crate::failure::{Code, Failure};
use crate::git::{Checkout, CommitNotes as _, Conflict, Git, GitIdentity};
use crate::work::Place;

/// How the work is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// As a branch of the target.
    Branch,
    /// Merged into a branch of the target.
    Merge,
    /// As a pull request.
    Pr,
}

impl To {
    /// All of them.
    pub const ALL: [To; 3] = [To::Branch, To::Merge, To::Pr];

    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            To::Branch => "branch",
            To::Merge => "merge",
            To::Pr => "pr",
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// How.
    pub to: To,
    /// The name of the branch; `None`: that of the environment.
    pub branch: Option<&'a str>,
    /// The branch that it goes to; `None`: of a pull request, the default branch of the server.
    pub base: Option<&'a str>,
    /// Another repository, by its folder; `None`: the one that the work dir is a worktree of, or else its remote.
    pub target: Option<&'a Path>,
    /// Merge as one commit with one parent.
    pub squash: bool,
    /// A branch of that name may have other commits.
    pub force: bool,
    /// Uncommitted work is committed first; else it is refused.
    pub commit: bool,
    /// The title of commits and of the pull request.
    pub title: Option<&'a str>,
    /// The text of the pull request.
    pub body: Option<&'a str>,
    /// The time.
    pub now: DateTime<Utc>,
}

/// So many paths of a conflict are named in a sentence.
const NAMED: usize = 3;

/// What was published.
#[derive(Debug, Default)]
pub struct Published {
    /// The branch.
    pub branch: String,
    /// Its commit.
    pub commit: String,
    /// Uncommitted work was committed first.
    pub saved: bool,
    /// The branch that it went to.
    pub base: Option<String>,
    /// The commit of that branch now.
    pub merged: Option<String>,
    /// The paths at which the merge stopped; nothing was merged then.
    pub conflicts: Vec<Conflict>,
    /// The repository's folder or address, without secrets.
    pub target: String,
    /// It is another repository than that of the work dir.
    pub is_elsewhere: bool,
    /// Submodules and other repositories in the work whose commit is on no branch of a remote of theirs.
    pub links: Vec<PathBuf>,
    /// The pull request.
    pub url: Option<String>,
    /// Its number.
    pub number: Option<u64>,
}

impl Published {
    /// What was done, in a sentence without an end; as git has the names.
    pub fn says(&self) -> String {
        let Published { branch, base, merged, target, url, .. } = self;
        match (url, base) {
            (Some(url), _) => format!("{branch} is the pull request {url}"),
            (None, Some(base)) if merged.is_some() => format!("{branch} is merged into {base}"),
            _ => format!("{branch} is in {target}"),
        }
    }

    /// What stopped a merge; `None`: nothing did. The paths are as git has them.
    pub fn conflict(&self) -> Option<String> {
        let named: Vec<_> = self.conflicts.iter().take(NAMED).map(|one| one.path.to_string_lossy()).collect();
        let more = match self.conflicts.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let base = self.base.as_deref().unwrap_or_default();
        let all = named.join(", ");
        (!named.is_empty())
            .then(|| format!("{} and {base} conflict in {all}{more}; nothing was merged", self.branch))
    }

    /// What a person should know of it.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let of = |link: &PathBuf| {
            let link = link.display();
            format!(
                "{link} is a repository of its own: which commit it is at is published, that commit is not, and it is on no remote: push it there"
            )
        };
        self.links.iter().map(of)
    }
}

/// What every step needs.
pub(super) struct Job<'a> {
    pub(super) order: &'a Order<'a>,
    pub(super) env: &'a LockedEnv,
    pub(super) place: &'a Place,
    pub(super) checkout: Checkout,
    pub(super) git: Git,
    pub(super) by: GitIdentity,
    pub(super) title: String,
}

impl<'a> Job<'a> {
    /// # Errors
    /// As [`Place::checkout`].
    pub(super) fn new(
        env: &'a LockedEnv,
        place: &'a Place,
        order: &'a Order<'a>,
        git: &'a Git,
    ) -> Result<Job<'a>> {
        let own = env.meta.as_ref().and_then(|meta| meta.own.as_ref());
        let by = git.committer(own.and_then(|own| own.git_identity.as_ref()));
        let title = order.title.map_or_else(|| title(own), str::to_owned);
        Ok(Job { order, env, place, checkout: place.checkout(git)?, git: place.noting(git), by, title })
    }

    /// All work in a commit, and the name of its branch.
    pub(super) fn start(&self) -> Result<Published> {
        if let Some(name) = self.order.branch {
            self.refuse_bad_name(name)?; // before anything is committed
        }
        let (commit, own_branch, saved) = self.save()?;
        let branch = match self.order.branch.map(str::to_owned).or(own_branch) {
            Some(branch) => branch,
            None => return Err(self.is_detached().into()),
        };
        self.refuse_bad_name(&branch)?;
        self.place.notes().made(&commit)?; // also one of the agent's
        let links = self.checkout.links_on_no_remote(&commit)?;
        Ok(Published { branch, commit, saved, links, ..Published::default() })
    }

    fn refuse_bad_name(&self, name: &str) -> Result<()> {
        if self.checkout.is_branch_name(name)? {
            return Ok(());
        }
        let message = format!("git allows no branch called `{}`", name.escape_debug());
        Err(Failure::new(Code::Usage, message).hint("`git help check-ref-format` has the rules").into())
    }

    pub(super) fn is_detached(&self) -> Failure {
        let message = format!("no branch is checked out in {}", self.place.path().display());
        let key = self.env.env.key();
        Failure::new(Code::Failed, message)
            .hint(format!("`execenv branch {key} NAME` begins one where the work is"))
    }

    pub(super) fn record(&self, published: &Published) -> Result<()> {
        let entry = PublishedRecord {
            to: self.order.to.word().to_owned(),
            repository: self.place.below().to_owned(),
            target: published.target.clone(),
            branch: published.branch.clone(),
            commit: published.commit.clone(),
            base: published.base.clone(),
            merged: published.merged.clone(),
            url: published.url.clone(),
            at: Some(self.order.now),
            other: Map::new(),
        };
        Meta::change_own(&self.env.env.tree, Durability::Synced, |_, own| {
            own.published.retain(|earlier| !earlier.is_again(&entry));
            own.published.push(entry);
        })?;
        Ok(())
    }
}

/// What the work is called where nothing else is said.
fn title(own: Option<&Own>) -> String {
    let task = own.map(|own| own.task_id.as_str()).filter(|task| !task.is_empty()).unwrap_or("unknown");
    let agent = own.map(|own| own.agent_name.trim()).filter(|agent| !agent.is_empty());
    let text = match agent {
        Some(agent) => format!("Work of {agent} on task {task}"),
        None => format!("Work on task {task}"),
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
