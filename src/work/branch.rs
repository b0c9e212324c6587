//! A new branch for an environment's work.

use std::path::PathBuf;

use anyhow::Result;

use super::lock::GitLock;
use super::place::{Place, shown};
use crate::environment::{Durability, LockedEnv, Meta, RepositoryRecord};
use crate::failure::{Code, Failure};
use crate::git::{Git, NewBranch, NotMade};

/// A branch that was made.
#[derive(Debug)]
pub struct Branched {
    /// The repository's folder.
    pub repository: PathBuf,
    /// What git made.
    pub new: NewBranch,
    name: String,
    /// What the record said before.
    before: Option<RepositoryRecord>,
}

impl Branched {
    /// Takes the branch back: what was checked out before is so again, and the record says so.
    ///
    /// # Errors
    /// As git reports them, and where the branch has been used.
    pub fn take_back(self, env: &LockedEnv, place: &Place, git: &Git) -> Result<()> {
        let _lock = GitLock::acquire(&env.env)?;
        place.checkout(git)?.end_branch(&self.name, &self.new)?;
        put_back(env, self.before)
    }
}

/// Makes the branch `name` at `from`, or where the work is now, and checks it out. Uncommitted changes stay.
///
/// The record is written first: a branch that it names and that is not there means nothing.
///
/// # Errors
/// [`Code::Usage`] for a name or a commit that does not exist, [`Code::Occupied`] where a branch has the name or changes
/// are in the way; as git reports it.
pub fn branch(env: &LockedEnv, place: &Place, name: &str, from: Option<&str>, git: &Git) -> Result<Branched> {
    let _lock = GitLock::acquire(&env.env)?;
    let checkout = place.checkout(git)?;
    let before = note(env, place, name)?;
    let made = checkout.start_branch(name, from, &env.env.key());
    if !matches!(made, Ok(Ok(_)))
        && let Err(error) = put_back(env, before.clone())
    {
        log::warn!("the record names the branch {}: {error:#}", name.escape_debug());
    }
    let not_made = match made? {
        Ok(new) => {
            let (repository, name) = (place.path().to_owned(), name.to_owned());
            return Ok(Branched { repository, new, name, before });
        }
        Err(not_made) => not_made,
    };
    let (name, from) = (name.escape_debug(), from.unwrap_or("HEAD").escape_debug());
    let failure = match &not_made {
        NotMade::BadName => Failure::new(Code::Usage, format!("git allows no branch called `{name}`"))
            .hint("`git help check-ref-format` has the rules"),
        NotMade::Exists => {
            let message = format!("{} has a branch `{name}`", place.path().display());
            Failure::new(Code::Occupied, message).hint("choose another name")
        }
        NotMade::NoCommit => {
            let message = format!("{} has no commit `{from}`", place.path().display());
            Failure::new(Code::Usage, message)
                .hint("`--from` takes a branch, a tag or a commit that is there")
        }
        NotMade::Ignored(files) => {
            let path = place.path().display();
            Failure::new(
                Code::Occupied,
                format!("files in {path} that git does not know are in the way: {}", shown(files)),
            )
            .hint("move or remove them first, then repeat the command")
        }
        NotMade::InTheWay(words) => {
            let message = format!("uncommitted changes in {} are in the way", place.path().display());
            let failure = Failure::new(Code::Occupied, message)
                .hint("commit or stash them first, then repeat the command");
            return Err(anyhow::anyhow!(words.clone()).context(failure));
        }
    };
    Err(failure.into())
}

/// Notes in the record that the task works on this branch now, if the work dir is the repository that the record is about. Returns
/// what it said before.
fn note(env: &LockedEnv, place: &Place, name: &str) -> Result<Option<RepositoryRecord>> {
    let own = env.require_meta()?.own.unwrap_or_default();
    let Some(before) = own.repository.filter(|_| place.below().as_os_str().is_empty()) else {
        return Ok(None);
    };
    Meta::change_own(&env.env.tree, Durability::Synced, |_, own| {
        if let Some(repository) = &mut own.repository {
            repository.begin(name);
        }
    })?;
    Ok(Some(before))
}

fn put_back(env: &LockedEnv, before: Option<RepositoryRecord>) -> Result<()> {
    let Some(before) = before else { return Ok(()) };
    Meta::change_own(&env.env.tree, Durability::Synced, |_, own| own.repository = Some(before)).map(drop)
}
