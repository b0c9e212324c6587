//! The remote to which the work is pushed while an agent works on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::place::Place;
use crate::environment::ref_key;
use crate::failure::{Code, Failure};
use crate::git::{Git, GitFolder, OWN_REFS, Push};
use crate::repos::RepoUrl;

/// The longest that a push may take: the next heartbeat brings what this one could not.
const LIMIT: Duration = Duration::from_secs(60);

/// A remote that holds a copy of the work. Its address is read once, before the agent can change it.
#[derive(Clone, Debug)]
pub struct Mirror {
    address: String,
    to: To,
    /// The ref there: one of this run only, so that nothing is ever written over.
    name: String,
}

#[derive(Clone, Debug)]
enum To {
    Server(RepoUrl),
    /// A repository on this machine, by its git folder.
    Folder(PathBuf),
}

impl Mirror {
    /// The remote `origin` of a repository, for the work of one run.
    ///
    /// # Errors
    /// A [`Code::Usage`] failure where it has none; as [`Place::checkout`].
    pub fn of(place: &Place, key: &str, run_id: &str, git: &Git) -> Result<Mirror> {
        let checkout = place.checkout(git)?;
        let Some(address) = checkout.origin()? else {
            let message = format!("{} has no remote `origin` to push to", place.path().display());
            return Err(Failure::new(Code::Usage, message)
                .hint("`git remote add origin ADDRESS` adds one; without `--checkpoint-push` the work is saved here only")
                .into());
        };
        let url = RepoUrl::parse(&address, |path| Ok(place.path().join(path)))?;
        let address = url.address().to_owned();
        let to = match Path::new(&address) {
            folder if folder.is_absolute() => match git.source(folder)? {
                Some(source) => To::Folder(source.common),
                None => {
                    let message = format!("the remote `origin`, {}, is no git repository", folder.display());
                    return Err(Failure::new(Code::Usage, message).into());
                }
            },
            _ => To::Server(url),
        };
        let run = run_id.get(..8).unwrap_or(run_id);
        Ok(Mirror { address, to, name: format!("{OWN_REFS}{}/wip-{run}", ref_key(key)) })
    }

    /// Its address, without secrets.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The ref that the work has there.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Brings a commit there. `last`: the one that was brought before.
    ///
    /// # Errors
    /// As git reports them; also where the ref has another commit.
    pub fn push(&self, place: &Place, commit: &str, last: Option<&str>, git: &Git) -> Result<()> {
        let checkout = place.checkout(git)?;
        match &self.to {
            To::Server(url) => {
                let push =
                    Push { commit, name: &self.name, over: Some(last.unwrap_or_default()), limit: LIMIT };
                checkout.push(&url.remote(false), push)
            }
            To::Folder(common) => {
                let folder = GitFolder::open(git, common)?;
                folder.take(&checkout, commit)?;
                folder.repository().keep(std::slice::from_ref(&self.name), commit)
            }
        }
    }
}
