//! A plan as the arguments of bubblewrap. Its root is empty, and what can be seen is mounted there, so that a file which another
//! program puts in the place of a hidden one stays hidden, too.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::plan::{Entry, PRIVATE, Part, Plan, around};
use crate::supervise::sandbox::copied;

/// What bubblewrap makes itself.
const MADE: [&str; 2] = ["/dev", "/proc"];

/// What root may write in the system's table of processes, although it has no capability: it changes the machine.
const OF_ROOT: [&str; 6] =
    ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi"];

/// The largest file that is copied, in bytes.
const MOST_COPIED: u64 = 1 << 20;

/// The arguments up to the program.
pub(super) fn arguments(
    plan: &Plan,
    work_dir: &Path,
    entries: &dyn Fn(&Path) -> Vec<Entry>,
) -> Vec<OsString> {
    let mut args = Arguments(Vec::new());
    args.words(&[
        "--die-with-parent",
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--cap-drop",
        "ALL",
    ]);
    if !plan.has_network {
        args.words(&["--unshare-net"]);
    }
    let mut hidden = plan.hidden.clone();
    hidden.extend(MADE.map(Into::into));
    let mut folders = vec![plan.root.clone()];
    let mut has_root = false;
    let root = Path::new("/");
    for base in std::iter::once(root).chain(plan.shown.iter().map(AsRef::as_ref)) {
        // After the home, in which it may lie, and before what is in it.
        if !has_root && base.starts_with(&plan.root) {
            has_root = true;
            args.at("--tmpfs", &plan.root);
        }
        for part in around(base, &hidden, entries) {
            match part {
                Part::Folder(path) if path == root => {}
                Part::Folder(path) => {
                    args.at("--tmpfs", &path);
                    folders.push(path);
                }
                Part::Whole(path) => args.bind("--ro-bind-try", &path), // it may be gone by then
                Part::Link(path, target) => args.link(&target, &path),
            }
        }
        if base == root {
            args.words(&["--dev", "/dev", "--proc", "/proc"]);
            PRIVATE.iter().for_each(|path| args.at("--tmpfs", Path::new(path)));
        }
    }
    if plan.is_root {
        OF_ROOT.iter().for_each(|path| args.bind("--ro-bind-try", Path::new(path)));
    }
    if !has_root {
        args.at("--tmpfs", &plan.root);
    }
    let lies_in_writable = |folder: &&PathBuf| plan.writable.iter().any(|above| folder.starts_with(above));
    let (inside, outside): (Vec<_>, Vec<_>) = plan.scratch.iter().partition(lies_in_writable);
    outside.iter().for_each(|folder| args.copy_of(folder, plan, entries));
    plan.links.iter().for_each(|(path, target)| args.link(target, path));
    plan.writable.iter().for_each(|path| args.bind("--bind", path));
    inside.iter().for_each(|folder| args.copy_of(folder, plan, entries));
    plan.sealed.iter().for_each(|path| args.bind("--ro-bind", path));
    // Nothing that is written there would stay.
    folders.iter().chain([&root.to_path_buf()]).for_each(|path| args.at("--remount-ro", path));
    args.at("--chdir", work_dir);
    args.0
}

struct Arguments(Vec<OsString>);

impl Arguments {
    fn words(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    fn at(&mut self, option: &str, path: &Path) {
        self.0.extend([option.into(), path.into()]);
    }

    fn bind(&mut self, option: &str, path: &Path) {
        self.0.extend([option.into(), path.into(), path.into()]);
    }

    /// A folder in memory with what is in another one: copies of its files, which stay as they are.
    fn copy_of(&mut self, folder: &Path, plan: &Plan, entries: &dyn Fn(&Path) -> Vec<Entry>) {
        self.at("--tmpfs", folder);
        for (name, link) in entries(folder) {
            let path = folder.join(name);
            let is_other = plan.hidden.contains(&path) || plan.writable.contains(&path);
            match (link, path.metadata()) {
                _ if is_other => {}
                (Some(target), _) => self.link(&target, &path),
                (None, Ok(file)) if file.is_file() && file.len() <= MOST_COPIED => {
                    self.0.extend(["--file".into(), copied(&path), path.into()]);
                }
                (None, _) => self.bind("--ro-bind", &path),
            }
        }
    }

    fn link(&mut self, target: &Path, path: &Path) {
        self.0.extend(["--symlink".into(), target.into(), path.into()]);
    }
}
