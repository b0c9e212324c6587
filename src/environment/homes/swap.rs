//! One path of a change of homes: the old entry moves aside, the new one moves in.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::layout::{self, names};
use crate::sys::tree::{FileKind, Tree};

/// One path of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Swap {
    /// The components of its path below the env root, beginning with the home.
    pub(super) place: Vec<OsString>,
    /// Whether a new entry moves in; `false`: the old one is only removed.
    pub(super) comes: bool,
}

impl Swap {
    pub(super) fn place(&self) -> PathBuf {
        self.place.iter().collect()
    }

    pub(super) fn is_within_homes(&self) -> bool {
        let is_launch_env = self.place == [names::LAUNCH, names::LAUNCH_ENV];
        let is_ours = |home: &OsString| home.to_str().is_none_or(layout::may_be_home);
        self.place.iter().all(|name| is_name(name))
            && self.place.first().is_some_and(|home| is_launch_env || is_ours(home))
    }

    pub(super) fn go_on(&self, env: &Tree, next: &Tree, number: usize) -> Result<()> {
        let new = new_name(number);
        if self.comes && next.kind(&new).context("look for the new one")?.is_none() {
            return Ok(()); // it is already in place
        }
        let Some((name, above)) = self.place.split_last() else { return Ok(()) };
        let mut folder = None;
        for part in above {
            let opened = folder.as_ref().unwrap_or(env).subtree(Path::new(part));
            match opened {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && !self.comes => return Ok(()),
                opened => folder = Some(opened.context("a folder above it was replaced by something else")?),
            }
        }
        let (folder, name) = (folder.as_ref().unwrap_or(env), Path::new(name));
        if folder.kind(name)?.is_some() {
            set_aside(folder, name, next, number).context("put the old one aside")?;
        }
        if self.comes { Ok(next.move_to(&new, folder, name)?) } else { Ok(()) }
    }
}

/// Moves an old entry into the folder of the change, with which it is removed. A read-only folder is made writable
/// first, because moving a folder changes its `..`.
fn set_aside(folder: &Tree, name: &Path, next: &Tree, number: usize) -> std::io::Result<()> {
    let mut again = 0;
    let aside = loop {
        let aside = PathBuf::from(format!("old-{number}-{again}"));
        if next.kind(&aside)?.is_none() {
            break aside;
        }
        again += 1;
    };
    match folder.move_to(name, next, &aside) {
        Err(error)
            if error.kind() == std::io::ErrorKind::PermissionDenied
                && folder.kind(name)? == Some(FileKind::Dir) =>
        {
            folder.set_dir_mode(name, 0o700)?;
            folder.move_to(name, next, &aside)
        }
        other => other,
    }
}

pub(super) fn new_name(number: usize) -> PathBuf {
    PathBuf::from(format!("new-{number}"))
}

/// Whether a text is a single file name.
pub(in crate::environment) fn is_name(text: &OsStr) -> bool {
    let mut parts = Path::new(text).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(name)), None) if name == text)
}
