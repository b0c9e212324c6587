//! File systems that keep no modes (vfat, exfat, SMB, a Windows disk): a file that was made for its owner alone can be read
//! by everyone there, secrets included.

use std::path::Path;

use crate::layout::names;
use crate::sidecar::SidecarPlan;
use crate::sys::mounts::{LOCAL_KIND, is_open_to_others, mount_of};
use crate::sys::tree::Tree;

/// What to say of an env root whose private files others can read.
pub(super) fn exposed_env(env: &Tree) -> Option<String> {
    is_open_to_others(env, Path::new(names::META)).then(|| {
        format!(
            "{} keeps no file modes: other users can read the secrets and conversations of this environment. Name a \
             workspaces root on another one with `--workspaces-root`",
            file_system(env)
        )
    })
}

/// What to say of sidecars that may hold secrets and that others can read.
pub(super) fn exposed_sidecars(work_tree: &Tree, plan: &SidecarPlan) -> Option<String> {
    let exposed = plan.private_files().filter(|path| is_open_to_others(work_tree, path));
    let exposed: Vec<String> = exposed.map(|path| path.display().to_string()).collect();
    (!exposed.is_empty()).then(|| {
        format!(
            "{} keeps no file modes: other users can read {}, which may hold secrets",
            file_system(work_tree),
            exposed.join(", ")
        )
    })
}

/// Whether other users can open what execenv makes for its owner alone in a workspaces root. An older release made it
/// readable on every file system; on one that keeps modes the next command changes that.
pub(crate) fn is_root_exposed(root: &Tree) -> bool {
    let keeps_modes = mount_of(root).map_or(true, |mount| mount.kind == LOCAL_KIND);
    !keeps_modes && is_open_to_others(root, Path::new(names::LOCKS))
}

fn file_system(tree: &Tree) -> String {
    let shown = tree.path().display();
    match mount_of(tree) {
        Ok(mount) if mount.kind != LOCAL_KIND => format!("the file system of {shown} ({mount})"),
        _ => format!("the file system of {shown}"),
    }
}
