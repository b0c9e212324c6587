//! Confines work to some folders: by Landlock, the thread that does it and every child that it starts can write nowhere
//! else, through whatever link, mount or path they try.
//!
//! A thread of its own does the work, because a confinement cannot be taken off again.

#[cfg(target_os = "linux")]
use std::{io, path::PathBuf};

use super::tree::Tree;

/// What may be done below a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Read, list and execute.
    Read,
    /// The same, and change.
    Write,
}

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

/// The version of Landlock that the system has, as far as execenv knows it; 0: none.
pub fn landlock_version() -> i32 {
    #[cfg(target_os = "linux")]
    return std::thread::spawn(linux::version).join().unwrap_or(0);
    #[cfg(not(target_os = "linux"))]
    0
}

/// Confines this thread to paths, for good.
///
/// # Errors
/// Where the system cannot, or a path cannot be opened.
#[cfg(target_os = "linux")]
pub(super) fn for_good(rights: &[(PathBuf, Right)]) -> io::Result<()> {
    linux::confine_to(rights)
}

/// Keeps this thread from abstract sockets that others have made; whether the system can.
#[cfg(target_os = "linux")]
pub(super) fn scoped() -> bool {
    linux::scope_sockets().is_ok()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::os::fd::AsFd;
    use std::path::PathBuf;

    use landlock::{
        ABI, Access as _, AccessFs, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
        RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
    };
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;

    use super::{CannotConfine, Right};
    use crate::sys::fault;
    use crate::sys::tree::Tree;

    /// The version with which an agent is confined.
    const OF_AGENTS: ABI = ABI::V6;

    pub(super) fn version() -> i32 {
        let restricted = Ruleset::default()
            .handle_access(AccessFs::Execute)
            .and_then(Ruleset::create)
            .and_then(RulesetCreated::restrict_self);
        match restricted.map(|status| status.landlock) {
            Ok(LandlockStatus::Available { effective_abi, .. }) if !fault::is_without_landlock() => {
                effective_abi as i32
            }
            _ => 0,
        }
    }

    pub(super) fn confine_to(rights: &[(PathBuf, Right)]) -> io::Result<()> {
        let (all, of_files) = (AccessFs::from_all(OF_AGENTS), AccessFs::from_file(OF_AGENTS));
        let reading = AccessFs::from_read(OF_AGENTS);
        // No device is made, and none is controlled.
        let writing = all & !(AccessFs::MakeChar | AccessFs::MakeBlock);
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(all)
            .and_then(|rules| rules.scope(Scope::from_all(OF_AGENTS)))
            .and_then(Ruleset::create)
            .map_err(refused)?;
        for (path, right) in rights {
            let pin = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let place = match rustix::fs::open(path, pin, Mode::empty()) {
                Ok(place) => place,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => continue,
                Err(error) => return Err(error.into()),
            };
            let right = match right {
                Right::Read => reading,
                Right::Write => writing,
            };
            let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&place)?.st_mode);
            let right = match kind {
                rustix::fs::FileType::Directory => right,
                // What it leads to has a rule of its own, or none.
                rustix::fs::FileType::Symlink => continue,
                _ => right & of_files,
            };
            rules = rules.add_rule(PathBeneath::new(place, right)).map_err(refused)?;
        }
        rules.restrict_self().map(drop).map_err(refused)
    }

    /// What the kernel said: the library's own words would make the program larger.
    fn refused(_: RulesetError) -> io::Error {
        io::Error::last_os_error()
    }

    pub(super) fn scope_sockets() -> Result<(), RulesetError> {
        let rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        rules.scope(Scope::from_all(OF_AGENTS))?.create()?.restrict_self().map(drop)
    }

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
