//! The user's own folder as a work dir: which folders may be one, and who has it (decisions D20, D33).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::lookup;
use super::path::clean;
use super::record::EnvStatus;
use super::root::WorkspacesRoot;
use super::work_dir::WorkDir;
use crate::failure::{Code, Failure};
use crate::sys::silent::is_one_path;
use crate::sys::tree::Tree;

/// Folders that are never a project, on Linux and macOS alike.
const SYSTEM: [&str; 16] = [
    "/",
    "/Users",
    "/Users/Shared",
    "/home",
    "/root",
    "/var",
    "/etc",
    "/tmp",
    "/usr",
    "/opt",
    "/bin",
    "/lib",
    "/private",
    "/proc",
    "/sys",
    "/dev",
];

/// A user's folder that has passed the checks.
#[derive(Clone, Debug)]
pub(super) struct LocalDir {
    /// As it was given, absolute and without `.` and `..`.
    pub(super) path: PathBuf,
    /// With every link resolved.
    pub(super) canonical: PathBuf,
    /// Device and inode.
    pub(super) identity: (u64, u64),
}

impl LocalDir {
    /// Checks a folder. `home` is the user's; both spellings of a banned folder are refused.
    ///
    /// # Errors
    /// A [`Code::BadPath`] failure that says which rule the folder breaks.
    pub(super) fn check(given: &Path, home: Option<&Path>, root: &WorkspacesRoot) -> Result<LocalDir> {
        let refuse = |why: &str, hint: &str| -> anyhow::Error {
            Failure::new(Code::BadPath, format!("the local directory {} {why}", given.display()))
                .hint(hint)
                .into()
        };
        let path = clean(given);
        if path.to_str().is_none() {
            return Err(refuse(
                "is not valid UTF-8",
                "the state files hold paths as text; rename the folder",
            ));
        }
        let canonical = match path.canonicalize() {
            Ok(canonical) => canonical,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(refuse("does not exist", "make it first; execenv does not create it"));
            }
            Err(error) => return Err(error).with_context(|| format!("look at {}", given.display())),
        };
        if !canonical.is_dir() {
            return Err(refuse("is not a folder", "name the project's folder"));
        }
        for candidate in [&path, &canonical] {
            if home.is_some_and(|home| same(candidate, home)) {
                return Err(refuse("is the user's home", "name a project inside it"));
            }
            if SYSTEM.iter().any(|banned| same(candidate, Path::new(banned))) {
                return Err(refuse("is a protected system folder", "name a project's folder"));
            }
        }
        let root_path = root.path().canonicalize().unwrap_or_else(|_| root.path().to_owned());
        if canonical.starts_with(&root_path) || root_path.starts_with(&canonical) {
            return Err(refuse(
                "and the workspaces root lie inside each other",
                "keep the workspaces root outside of the project: `--workspaces-root DIR`",
            ));
        }
        let tree = Tree::open(&canonical).with_context(|| format!("open {}", given.display()))?;
        let access = rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        if rustix::fs::access(&canonical, access).is_err() {
            return Err(refuse("cannot be read and written", "check its permissions"));
        }
        let identity = tree.identity().with_context(|| format!("look at {}", given.display()))?;
        Ok(LocalDir { path, canonical, identity })
    }

    /// Opens the folder that was checked.
    ///
    /// # Errors
    /// A [`Code::Occupied`] failure when another one stands in its place by now.
    pub(super) fn open(&self) -> Result<Tree> {
        let opening = || format!("open {}", self.canonical.display());
        let tree = Tree::open(&self.canonical).with_context(opening)?;
        if tree.identity().with_context(opening)? == self.identity {
            return Ok(tree);
        }
        let message = format!("another folder has just come in the place of {}", self.path.display());
        Err(Failure::new(Code::Occupied, message)
            .hint("let nothing else move the folder meanwhile, then try again")
            .into())
    }

    /// The environment that has this folder, other than `except`.
    ///
    /// # Errors
    /// A [`Code::PathBusy`] failure that names it.
    pub(super) fn refuse_second_user(
        &self,
        root: &WorkspacesRoot,
        tree: &Tree,
        except: Option<&Path>,
    ) -> Result<()> {
        let holder = lookup::scan(root, tree, &mut |env_root, meta| {
            let WorkDir::UserFolder { path, identity } = WorkDir::recorded(meta) else { return false };
            Some(env_root) != except
                && meta.own.as_ref().is_some_and(|own| own.status != EnvStatus::Cleaned)
                && (identity == Some(self.identity) || is_one_path(&path, &self.canonical))
        })?;
        let Some(holder) = holder else { return Ok(()) };
        Err(Failure::new(
            Code::PathBusy,
            format!("{} is the work dir of {}", self.path.display(), holder.display()),
        )
        .hint(format!("end that one first: `execenv cleanup {}`", holder.display()))
        .into())
    }
}

fn same(path: &Path, banned: &Path) -> bool {
    path == banned || banned.canonicalize().is_ok_and(|resolved| path == resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, home: &str) -> String {
        let root = WorkspacesRoot::new("/nonexistent/root".into());
        match LocalDir::check(Path::new(path), Some(Path::new(home)), &root) {
            Ok(_) => "ok".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn folders_that_are_no_project_are_refused_by_any_spelling() {
        let tmp = tempfile::tempdir().unwrap();
        let tmp = tmp.path().canonicalize().unwrap();
        let link = |name: &str, target: &Path| {
            std::os::unix::fs::symlink(target, tmp.join(name)).unwrap();
            tmp.join(name).display().to_string()
        };
        rustix::fs::mkdir(tmp.join("home"), 0o755.into()).unwrap();
        rustix::fs::mkdir(tmp.join("ok"), 0o755.into()).unwrap();
        let home = tmp.join("home");
        let home_text = home.display().to_string();
        assert!(check("/", &home_text).ends_with("protected system folder"));
        assert!(check("/usr/../etc", &home_text).ends_with("protected system folder"));
        assert!(check(&link("etc", Path::new("/etc")), &home_text).ends_with("protected system folder"));
        assert!(check(&home_text, &home_text).ends_with("the user's home"));
        assert!(check(&link("to-home", &home), &home_text).ends_with("the user's home"));
        assert!(check("/nonexistent/x", &home_text).ends_with("does not exist"));
        assert!(check("/etc/passwd", &home_text).ends_with("not a folder"));
        assert_eq!(check(&link("fine", &tmp.join("ok")), &home_text), "ok");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn another_folder_in_its_place_is_not_taken_for_the_one_that_was_checked() {
        let tmp = tempfile::tempdir().unwrap();
        let folder = tmp.path().join("project");
        std::fs::create_dir(&folder).unwrap();
        let root = WorkspacesRoot::new("/nonexistent/root".into());
        let local = LocalDir::check(&folder, None, &root).unwrap();
        local.open().unwrap();
        std::fs::rename(&folder, tmp.path().join("moved")).unwrap();
        std::fs::create_dir(&folder).unwrap();
        assert_eq!(Failure::code_of(&local.open().unwrap_err()), Code::Occupied);
    }
}
