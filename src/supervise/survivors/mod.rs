//! The processes that an agent leaves: they left its group, and are found by descent and by the mark in their environment.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(super) use linux::{
    ProcessTree, adopt, ancestors, at_work, group_alive, has_ended, is_stopped, kill_marked, name_of,
    start_time, working_in,
};

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub(super) use other::{
    ProcessTree, adopt, ancestors, at_work, group_alive, has_ended, is_stopped, kill_marked, name_of,
    start_time, working_in,
};

/// A process, and the folder in which it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtWork {
    /// Its number.
    pub pid: i32,
    /// Its current folder, without a link.
    pub folder: PathBuf,
}

/// The variable that marks every process of a run.
pub(super) const MARK: &str = "EXECENV_RUN_ID";
/// The variable that names the env root of every process of a run.
const ROOT: &[u8] = b"EXECENV_ROOT=";

/// What the processes of one run have in their variables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks<'a> {
    run_id: &'a str,
    env_root: Option<&'a Path>,
}

impl<'a> Marks<'a> {
    /// Of a run of this process, whose id it has chosen itself.
    pub(super) fn of_run(run_id: &'a str) -> Marks<'a> {
        Marks { run_id, env_root: None }
    }

    /// Of a run that a record names. The record is a claim: with another run's id in it, processes of that run would be
    /// killed, but those name another environment. The workspaces root may have been moved since the run began.
    pub(super) fn of_recorded_run(run_id: &'a str, env_root: &'a Path) -> Marks<'a> {
        Marks { run_id, env_root: Some(env_root) }
    }

    /// Whether a process has them, by its variables as the system lists them, each ended by a zero byte.
    pub(super) fn are_in(self, environ: &[u8]) -> bool {
        let has = |is: &dyn Fn(&[u8]) -> bool| environ.split(|byte| *byte == 0).any(is);
        let run_id = self.run_id.as_bytes();
        has(&|entry| {
            entry.strip_prefix(MARK.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")) == Some(run_id)
        }) && self.env_root.is_none_or(|root| {
            has(&|entry| entry.strip_prefix(ROOT).is_some_and(|named| is_same_place(named, root)))
        })
    }
}

/// Whether two paths of env roots end in the same workspace and key.
fn is_same_place(named: &[u8], root: &Path) -> bool {
    let named = Path::new(OsStr::from_bytes(named));
    named.components().rev().take(2).eq(root.components().rev().take(2))
}

/// How long killing is repeated before a process that cannot die is left.
pub(super) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_run_has_only_processes_of_its_own_environment() {
        let environ = b"A=b\0EXECENV_RUN_ID=r1\0EXECENV_ROOT=/old/ws/abc\0";
        for (root, expected) in
            [("/old/ws/abc", true), ("/moved/ws/abc", true), ("/old/ws/abd", false), ("/old/w/abc", false)]
        {
            assert_eq!(Marks::of_recorded_run("r1", Path::new(root)).are_in(environ), expected, "{root}");
        }
        assert!(Marks::of_run("r1").are_in(environ));
        assert!(!Marks::of_run("r").are_in(environ) && !Marks::of_run("r11").are_in(environ));
        assert!(!Marks::of_recorded_run("r1", Path::new("/old/ws/abc")).are_in(b"EXECENV_RUN_ID=r1\0"));
    }
}
