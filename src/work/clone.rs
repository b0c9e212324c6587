//! An environment's work as a repository of its own, somewhere else.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::diff::{BOUNDS, too_much};
use super::half_cloned::{Making, sweep};
use super::ours::ours;
use super::place::Place;
use crate::environment::{FoundEnv, quoted};
use crate::failure::{Code, Failure};
use crate::git::Git;
use crate::sys::tree::{FileKind, Tree};

/// What stands at the place of a clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Something does.
    pub exists: bool,
    /// It is a folder with nothing in it, or nothing does.
    pub is_empty: bool,
    /// It is a link, wherever that leads.
    pub is_link: bool,
}

/// A clone that was made.
#[derive(Debug)]
pub struct Cloned {
    /// Where it is.
    pub path: PathBuf,
    /// The repositories among its files, of which only the commit was copied.
    pub links: Vec<PathBuf>,
    spot: Spot,
    /// How it was made, and its open folder.
    made: (Making, Tree),
    /// The mode of the empty folder that was in its place.
    before: Option<u32>,
}

impl Cloned {
    /// Removes it again: what was in its place is back.
    ///
    /// # Errors
    /// As the system reports them, and where something else is in its place by now.
    pub fn take_back(self) -> Result<()> {
        let (Making { name: temporary, .. }, folder) = &self.made;
        let (above, name) = (&self.spot.above, Path::new(&self.spot.name));
        let removing = || format!("remove {}", self.path.display());
        let is_it = above.plain_subtree(name).and_then(|there| Ok(there.identity()? == folder.identity()?));
        ensure!(is_it.with_context(removing)?, "another folder is in the place of {}", self.path.display());
        // By its first name, as what a killed clone leaves.
        above.move_to(name, above, temporary).with_context(removing)?;
        above.remove_all(temporary).with_context(removing)?;
        match self.before {
            Some(mode) => above.make_dir(name, mode).with_context(removing),
            None => Ok(()),
        }
    }
}

/// The folder that a clone comes into, and its name there.
#[derive(Debug)]
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
pub fn clone(found: &FoundEnv, place: &Place, dir: &Path, git: &Git) -> Result<Cloned> {
    let spot = spot(found, dir)?;
    let target = spot.look()?;
    let occupied = || {
        let what = if target.is_link { "is a link" } else { "is not empty" };
        Failure::new(Code::Occupied, format!("{} {what}", dir.display()))
            .hint("name a folder that is empty or does not exist")
    };
    if !target.is_empty {
        return Err(occupied().into());
    }
    let checkout = place.checkout(git)?;
    let head = checkout.head()?;
    let ours = ours(found, place)?;
    let making = || format!("make {}", dir.display());
    sweep(&spot.above);
    let root = found.env.path.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    let begun = Making::begin(&spot.above, root);
    let temporary = &begun.name;
    spot.above.make_dir(temporary, 0o755).with_context(making)?;
    let folder = spot.above.plain_subtree(temporary).with_context(making);
    let before = spot.above.mode(Path::new(&spot.name)).ok().flatten();
    // Locked, so that no other clone takes it for one that a killed command has left.
    let is_held = folder.as_ref().map(Tree::try_hold);
    log::debug!("{}: {is_held:?}", temporary.display());
    let made = folder
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error:#}"))
        .and_then(|folder| {
            checkout.copy_to(folder, &head, &ours, BOUNDS).map_err(|error| too_much(error, place))
        })
        .and_then(|links| {
            let name = Path::new(&spot.name);
            if target.exists {
                spot.above.remove_dir(name).with_context(making)?;
            }
            place.notes().folder(&spot.above.path().join(name))?;
            match spot.above.move_to(temporary, &spot.above, name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(occupied().into()),
                moved => moved.with_context(making).map(|()| links),
            }
        });
    if made.is_err()
        && let Err(error) = spot.above.remove_all(temporary)
    {
        log::warn!("remove {}: {error}", spot.above.path().join(temporary).display());
    }
    let (links, folder) = (made?, folder?);
    let path = spot.above.path().join(&spot.name);
    Ok(Cloned { path, links, spot, made: (begun, folder), before })
}

fn spot(found: &FoundEnv, dir: &Path) -> Result<Spot> {
    let bad = |why: String, hint: &str| Failure::new(Code::BadPath, why).hint(hint);
    let (Some(above), Some(name)) = (dir.parent(), dir.file_name()) else {
        let why = format!("{} cannot be a clone", dir.display());
        return Err(bad(why, "name a folder that is empty or does not exist").into());
    };
    let real = match above.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let why = format!("{} does not exist", above.display());
            return Err(bad(why, &format!("make it first: `mkdir -p {}`", quoted(above))).into());
        }
        real => real.with_context(|| format!("look at {}", above.display()))?,
    };
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
        Ok(Target { exists: kind.is_some(), is_empty, is_link: kind == Some(FileKind::Link) })
    }
}
