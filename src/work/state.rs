//! What a work dir holds at a moment, so that two moments can be compared.

use std::path::Path;

use anyhow::{Context, Result};

use super::diff::BOUNDS;
use super::ours::ours;
use super::place::Place;
use crate::environment::{FoundEnv, Trust};
use crate::git::{Git, Objects};

/// A text that is another one as soon as a file has changed or a commit was made: of a repository, the commit that is checked
/// out and the tree of its working files; else how many files there are, their size, and the newest time. Nothing is changed.
///
/// # Errors
/// As git and the system report them; where there is too much to take in.
pub fn state(found: &FoundEnv, git: &Git, trust: Trust<'_>) -> Result<String> {
    let Ok(place) = Place::find(found, None, trust) else {
        let work_dir = found.open_work_dir(trust)?;
        let looking = || format!("look at {}", work_dir.path().display());
        let size = work_dir.measure().with_context(looking)?;
        let newest = work_dir.newest_change(Path::new(".")).with_context(looking)?;
        return Ok(format!("{} {} {newest:?}", size.entries, size.bytes));
    };
    let checkout = place.checkout(git)?;
    let head = checkout.head()?.commit.unwrap_or_default();
    let picture = checkout.picture(&ours(found, &place)?, BOUNDS, Objects::Dropped)?;
    Ok(format!("{head} {}", picture.tree()))
}
