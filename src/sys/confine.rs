//! Confines work to some folders: by Landlock, the thread that does it and every child that it starts can write nowhere
//! else, through whatever link, mount or path they try.
//!
//! A thread of its own does the work, because a confinement cannot be taken off again.

use super::tree::Tree;

/// The system cannot confine: it is not Linux 5.13 or later, Landlock is switched off, or there is no thread to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotConfine;

/// Does `work` on a thread that can write below `folders` only. Reading is not restricted.
///
/// # Errors
/// Where the system cannot confine; the work is not done then.
#[cfg(target_os = "linux")]
pub fn confined<T: Send>(folders: &[&Tree], work: impl FnOnce() -> T + Send) -> Result<T, CannotConfine> {
    std::thread::scope(|scope| {
        let work = || linux::restrict_thread(folders).map(|()| work());
        // Without a thread there is no confinement.
        let confined = std::thread::Builder::new().spawn_scoped(scope, work).map_err(|_| CannotConfine)?;
        confined.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Does nothing: no confinement is known here.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn confined<T: Send>(_: &[&Tree], _: impl FnOnce() -> T + Send) -> Result<T, CannotConfine> {
    Err(CannotConfine)
}

/// Whether the system can confine.
pub fn can_confine() -> bool {
    confined(&[], || ()).is_ok()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::AsFd;

    use landlock::{
        ABI, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
        RulesetCreatedAttr, RulesetError,
    };

    use super::CannotConfine;
    use crate::sys::fault;
    use crate::sys::tree::Tree;

    pub(super) fn restrict_thread(folders: &[&Tree]) -> Result<(), CannotConfine> {
        let restricted = if fault::is_without_landlock() { None } else { restrict(folders).ok() };
        restricted.ok_or(CannotConfine)
    }

    fn restrict(folders: &[&Tree]) -> Result<(), RulesetError> {
        // The first version must be there. Later ones add truncation and renames between folders.
        let writing = AccessFs::from_write(ABI::V3);
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_write(ABI::V1))?
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(writing)?
            .create()?;
        for folder in folders {
            rules = rules.add_rule(PathBeneath::new(folder.root.as_fd(), writing))?;
        }
        // A child's standard input.
        if let Ok(null) = PathFd::new("/dev/null") {
            rules = rules.add_rule(PathBeneath::new(null, AccessFs::WriteFile))?;
        }
        rules.restrict_self().map(drop)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn a_confined_thread_writes_below_its_folders_only_and_the_others_as_before() {
        let tmp = tempfile::tempdir().unwrap();
        for folder in ["in", "out"] {
            std::fs::create_dir(tmp.path().join(folder)).unwrap();
        }
        std::os::unix::fs::symlink("../out", tmp.path().join("in/link")).unwrap();
        std::fs::write(tmp.path().join("out/kept"), "").unwrap();
        let folder = Tree::open(&tmp.path().join("in")).unwrap();
        let at = |name: &str| tmp.path().join(name);
        let tried = confined(&[&folder], || {
            let made = |name| std::fs::write(at(name), "").is_ok();
            let removed = std::fs::remove_file(at("in/link/kept")).is_ok();
            (made("in/a"), made("in/link/b"), made("out/c"), removed, std::fs::read(at("out/kept")).is_ok())
        });
        assert_eq!(tried, Ok((true, false, false, false, true)));
        folder.create_unseen(Path::new("after"), b"", 0o600).unwrap();
        std::fs::write(at("out/after"), "").unwrap();
    }
}
