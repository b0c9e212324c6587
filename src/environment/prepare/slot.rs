//! Where the environment of a task stands, or will.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::environment::lookup::{self, is_gone};
use crate::environment::record::{Identity, Meta};
use crate::environment::request::Request;
use crate::environment::root::{EnvRoot, WorkspacesRoot};
use crate::failure::{Code, Failure};
use crate::sys::tree::{FileKind, Tree};

pub(super) enum Slot {
    Free(Place),
    Own(Place, EnvRoot),
}

/// The first key that is free or ours (decision D1): an env root of another task is never touched. multica may have made
/// one for this task under other names.
pub(super) fn find_slot(request: &Request<'_>, root: &Tree) -> Result<Slot> {
    let slot = find_key(request, root)?;
    let Slot::Free(_) = slot else { return Ok(slot) };
    let (workspace, task) = (&request.workspace_id, &request.task_id);
    let Some(place) = lookup::made_by_multica_for(request.root, root, workspace, task)? else {
        return Ok(slot);
    };
    let (Some(folder), Some(key)) =
        (place.parent().and_then(Path::to_str), place.file_name().and_then(OsStr::to_str))
    else {
        return Ok(slot);
    };
    let env = EnvRoot::open(&request.root.path().join(&place))?;
    Ok(Slot::Own(Place::new(folder, key), env))
}

fn find_key(request: &Request<'_>, root: &Tree) -> Result<Slot> {
    for key in request.task_id.keys() {
        let place = Place::new(request.workspace_id.as_str(), key.as_str());
        let relative = place.relative();
        match root.kind(&relative).with_context(|| format!("look at {}", relative.display()))? {
            None => return Ok(Slot::Free(place)),
            Some(FileKind::Dir) => {
                let env = match EnvRoot::open(&place.path(request.root)) {
                    Ok(env) => env,
                    Err(error) if is_gone(&error) => return Ok(Slot::Free(place)),
                    Err(error) => return Err(error),
                };
                if owner(&env.tree).as_deref() == Some(request.task_id.as_str()) {
                    return Ok(Slot::Own(place, env));
                }
            }
            Some(_) => {}
        }
    }
    Err(Failure::new(Code::Occupied, format!("every key for the task {} is taken", request.task_id))
        .hint("clean up old environments, or give the task another id")
        .into())
}

/// Whose env root this is (decision D2). An unreadable record names no task.
fn owner(env: &Tree) -> Option<String> {
    let meta = Meta::load(env).ok()?;
    Some(Identity::of(env, meta.as_ref()).task_id).filter(|id| !id.is_empty())
}

/// Where an environment stands below the root.
pub(super) struct Place {
    pub(super) workspace: String,
    pub(super) key: String,
}

impl Place {
    pub(super) fn new(workspace: &str, key: &str) -> Place {
        Place { workspace: workspace.to_owned(), key: key.to_owned() }
    }

    pub(super) fn relative(&self) -> PathBuf {
        Path::new(&self.workspace).join(&self.key)
    }

    pub(super) fn path(&self, root: &WorkspacesRoot) -> PathBuf {
        root.path().join(self.relative())
    }
}
