//! A plan as the paths of Landlock, which allows what is named and all that is below: what leads to something hidden cannot be listed.

use std::path::{Path, PathBuf};

use super::plan::{Entry, Part, Plan, around};
use crate::failure::{Code, Failure};
use crate::supervise::sandbox::Jail;

/// Devices, of which each process has need, and the only ones.
const DEVICES: [&str; 5] = ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];
/// The others, among them the user's terminals, and memory that programs share.
const ALL_DEVICES: &str = "/dev";

/// What shuts the agent in.
///
/// # Errors
/// A [`Code::NoSandbox`] failure where something must not be written that lies in what can be.
pub(super) fn jail(plan: &Plan, entries: &dyn Fn(&Path) -> Vec<Entry>) -> Result<Jail, Failure> {
    if let Some(folder) = plan.sealed.iter().find(|path| path.is_dir()) {
        let message = format!(
            "Landlock cannot keep the agent from the settings and hooks in {}, which git runs as you",
            folder.display()
        );
        return Err(Failure::new(Code::NoSandbox, message)
            .hint("use `--sandbox bwrap`, or a worktree: `execenv prepare --local-dir DIR --worktree`"));
    }
    let lies_in_writable = |folder: &&PathBuf| plan.writable.iter().any(|above| folder.starts_with(above));
    if let Some(folder) = plan.scratch.iter().find(lies_in_writable) {
        let message = format!(
            "Landlock cannot keep the agent from {}, from which its CLI starts programs for you",
            folder.display()
        );
        return Err(Failure::new(Code::NoSandbox, message).hint("use `--sandbox bwrap`"));
    }
    let mut hidden = plan.hidden.clone();
    hidden.push(ALL_DEVICES.into());
    let bases = std::iter::once(Path::new("/")).chain(plan.shown.iter().map(PathBuf::as_path));
    let parts = bases.flat_map(|base| around(base, &hidden, entries));
    let whole = parts.filter_map(|part| match part {
        Part::Whole(path) => Some(path),
        Part::Folder(_) | Part::Link(..) => None,
    });
    let devices = DEVICES.iter().map(PathBuf::from);
    Ok(Jail::Landlock {
        readable: whole.collect(),
        writable: plan.writable.iter().cloned().chain(devices).collect(),
        has_network: plan.has_network,
    })
}
