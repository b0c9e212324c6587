//! The commit that a patch begins from, where the repository does not have it yet.
//!
//! It is fetched only into a repository of the user's, from the remotes that this one has. Who can write a repository in a work
//! dir, or a shared one, could name another of the user's repositories there, and would get its files.

use std::path::Path;

use anyhow::{Context, Result};

use super::place::Place;
use crate::environment::{FoundEnv, quoted};
use crate::failure::{Code, Failure};
use crate::git::{Checkout, is_commit_id};
use crate::layout::names;
use crate::repos::RepoUrl;

/// The most remotes that are asked.
const MOST: usize = 5;

/// Makes sure that the repository has a commit. Returns the address from which it was fetched.
///
/// # Errors
/// [`Code::UnknownBase`] where it is nowhere to be had; as git reports it.
pub(super) fn ensure(
    found: &FoundEnv,
    place: &Place,
    checkout: &Checkout,
    commit: &str,
) -> Result<Option<String>> {
    if checkout.has_commit(commit)? {
        return Ok(None);
    }
    let message = format!("{} has no commit {}", place.path().display(), commit.escape_debug());
    let way = format!("`git -C {} fetch REMOTE {}`", quoted(place.path()), commit.escape_debug());
    let failure = Failure::new(Code::UnknownBase, message);
    if !is_commit_id(commit) || !is_users(found, checkout) {
        let hint = format!("fetch it there ({way}), then repeat the command; `--base` names another commit");
        return Err(failure.hint(hint).into());
    }
    let mut trouble = None;
    for text in checkout.addresses()?.into_iter().take(MOST) {
        let fetched = address(checkout, &text).and_then(|text| {
            let url = RepoUrl::parse(&text, |path| Ok(path.to_owned()))?;
            checkout.fetch_objects(&url.remote(false), commit)?;
            Ok(url.address().to_owned())
        });
        match fetched {
            Ok(address) if checkout.has_commit(commit)? => return Ok(Some(address)),
            Ok(_) => {}
            Err(error) => trouble = Some(error),
        }
    }
    let hint =
        format!("if another remote has it: {way}, then repeat the command; `--base` names another commit");
    let failure = failure.hint(hint);
    Err(match trouble {
        Some(error) => error.context(failure),
        None => failure.into(),
    })
}

/// The address of a remote; git takes a relative path from the top of the working files.
fn address(checkout: &Checkout, text: &str) -> Result<String> {
    if !text.starts_with('.') {
        return Ok(text.to_owned());
    }
    let top = checkout.git_dir().parent().unwrap_or(checkout.git_dir());
    let path = top.join(text);
    let real = path.canonicalize().with_context(|| format!("look at {}", path.display()))?;
    Ok(real.to_string_lossy().into_owned())
}

/// Whether the repository is one of the user's: it lies neither in the environment nor among the shared ones.
fn is_users(found: &FoundEnv, checkout: &Checkout) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let root = found.env.path.parent().and_then(Path::parent).map(|root| real(root).join(names::REPOS));
    checkout.outlives(&found.env.path)
        && root.is_some_and(|shared| !real(checkout.git_dir()).starts_with(shared))
}
