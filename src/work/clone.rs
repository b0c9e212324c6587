//! An environment's work as a repository of its own, somewhere else.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::diff::too_much;
use super::ours::ours;
use super::place::Place;
use crate::environment::FoundEnv;
use crate::failure::{Code, Failure};
use crate::git::{Bounds, Git};
use crate::sys::tree::{FileKind, Tree};

/// The same bounds as those of a checkpoint.
const BOUNDS: Bounds = Bounds { files: 50_000, bytes: 500 << 20 };
/// Begins the name of a clone that is being made, beside its place.
const MAKING: &str = ".execenv-clone-";

/// What stands at the place of a clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Something does.
    pub exists: bool,
    /// It is a folder with nothing in it, or nothing does.
    pub is_empty: bool,
}

/// The folder that a clone comes into, and its name there.
struct Spot {
    above: Tree,
    name: OsString,
}

/// What stands at the place of a clone.
///
/// # Errors
/// [`Code::BadPath`] for a place that cannot be used.
pub fn look_at_target(found: &FoundEnv, dir: &Path) -> Result<Target> {
    spot(found, dir)?.look()
}

/// Makes a repository with the work of an environment at `dir`, which is not there or is empty. It appears by one rename.
///
/// # Errors
/// [`Code::Occupied`] where something is there; [`Code::BadPath`] for a place that cannot be used; as git reports it.
pub fn clone(found: &FoundEnv, place: &Place, dir: &Path, git: &Git) -> Result<PathBuf> {
    let spot = spot(found, dir)?;
    let occupied = || {
        Failure::new(Code::Occupied, format!("{} is not empty", dir.display()))
            .hint("name a folder that is empty or does not exist")
    };
    let target = spot.look()?;
    if !target.is_empty {
        return Err(occupied().into());
    }
    let checkout = place.checkout(git)?;
    let head = checkout.head()?;
    let ours = ours(found, place)?;
    let making = || format!("make {}", dir.display());
    let token = &uuid::Uuid::new_v4().simple().to_string()[..12];
    let temporary = PathBuf::from(format!("{MAKING}{token}"));
    spot.above.make_dir(&temporary, 0o755).with_context(making)?;
    let made = spot
        .above
        .plain_subtree(&temporary)
        .with_context(making)
        .and_then(|folder| {
            checkout.copy_to(&folder, &head, &ours, BOUNDS).map_err(|error| too_much(error, place))
        })
        .and_then(|()| {
            let name = Path::new(&spot.name);
            if target.exists {
                spot.above.remove_dir(name).with_context(making)?;
            }
            match spot.above.move_to(&temporary, &spot.above, name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(occupied().into()),
                moved => moved.with_context(making),
            }
        });
    if made.is_err()
        && let Err(error) = spot.above.remove_all(&temporary)
    {
        log::warn!("remove {}: {error}", spot.above.path().join(&temporary).display());
    }
    made.map(|()| spot.above.path().join(&spot.name))
}

fn spot(found: &FoundEnv, dir: &Path) -> Result<Spot> {
    let bad = |why: String, hint: &str| Failure::new(Code::BadPath, why).hint(hint);
    let (Some(above), Some(name)) = (dir.parent(), dir.file_name()) else {
        let why = format!("{} cannot be a clone", dir.display());
        return Err(bad(why, "name a folder that is empty or does not exist").into());
    };
    let real = above.canonicalize().with_context(|| format!("look at {}", above.display()))?;
    let env = found.env.path.canonicalize().unwrap_or_else(|_| found.env.path.clone());
    if real.starts_with(&env) {
        let why = format!("{} is inside the environment", dir.display());
        return Err(bad(why, "name a folder elsewhere: the environment will be removed").into());
    }
    let above = Tree::open(&real).with_context(|| format!("open {}", real.display()))?;
    Ok(Spot { above, name: name.to_owned() })
}

impl Spot {
    fn look(&self) -> Result<Target> {
        let name = Path::new(&self.name);
        let looking = || format!("look at {}", self.above.path().join(name).display());
        let kind = self.above.kind(name).with_context(looking)?;
        let is_empty = match kind {
            None => true,
            Some(FileKind::Dir) => self.above.names(name).with_context(looking)?.is_empty(),
            Some(_) => false,
        };
        Ok(Target { exists: kind.is_some(), is_empty })
    }
}
