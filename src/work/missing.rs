//! The commit that a patch begins from, where the repository does not have it yet.
//!
//! It is fetched only into a repository of the user's, from the remotes that this one has, and only if the user has named the
//! commit. Who can write a repository in a work dir, or a shared one, could name another of the user's repositories there, and would
//! get its files; who can write the record could name a commit of it.

use anyhow::{Context, Result};

use super::place::Place;
use crate::environment::quoted;
use crate::failure::{Code, Failure};
use crate::git::{Checkout, is_commit_id};
use crate::repos::RepoUrl;

/// The most remotes that are asked.
const MOST: usize = 5;

/// Who says that a commit is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The user (`--base`).
    User,
    /// The record, which an agent can write.
    Record,
}

/// Makes sure that the repository has a commit. Returns the address from which it was fetched.
///
/// # Errors
/// [`Code::UnknownBase`] where it is nowhere to be had; as git reports it.
pub(super) fn ensure(place: &Place, checkout: &Checkout, commit: &str, by: By) -> Result<Option<String>> {
    if checkout.has_commit(commit)? {
        return Ok(None);
    }
    let message = format!("{} has no commit {}", place.path().display(), commit.escape_debug());
    let way = format!("`git -C {} fetch REMOTE {}`", quoted(place.path()), commit.escape_debug());
    let failure = Failure::new(Code::UnknownBase, message);
    let is_users = place.is_users(checkout);
    if by == By::Record && is_users && is_commit_id(commit) {
        let hint = format!(
            "the record names it, which an agent can write. `git -C {} remote -v` says where it would be fetched from; if it is \
             right, add `--base {commit}`",
            quoted(place.path())
        );
        return Err(failure.hint(hint).into());
    }
    if !is_commit_id(commit) || !is_users {
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
