//! What a process that is about to become an agent in a sandbox does to itself: none of it can be taken off again. It has one
//! thread, and starts nothing else.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use rustix::io::FdFlags;

mod system_calls;

use system_calls as calls;

use super::confine::Right;

/// The signals that a run passes on to its agent, and those that a terminal sends.
const REQUESTS: [i32; 6] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2];

/// An open file that the program before this one has left open, with its number. From here on no program gets it that is started.
pub fn handed(number: i32) -> Option<(File, i32)> {
    let file = File::from(calls::own(number)?);
    rustix::io::fcntl_setfd(&file, FdFlags::CLOEXEC).ok()?;
    Some((file, number))
}

/// Lets no program have an open file that whoever started execenv has left open: it may lead anywhere.
pub fn close_others() {
    calls::close_others();
}

/// Leaves such a file open for the program that this process becomes.
pub fn keep_through_start(file: impl std::os::fd::AsFd) {
    let _ = rustix::io::fcntl_setfd(file, FdFlags::empty()); // it is open, so that this cannot fail
}

/// Ignores the signals that are meant for the agent, also in the program that this process becomes: bubblewrap stands between the
/// run and the agent, in one group with it, and would end the sandbox at once.
pub fn ignore_requests() {
    REQUESTS.into_iter().for_each(|signal| calls::set_default(signal, false));
}

/// Undoes [`ignore_requests`] for the agent.
pub fn heed_requests() {
    REQUESTS.into_iter().for_each(|signal| calls::set_default(signal, true));
}

/// Leaves behind the keys that the user's session has in the kernel.
pub fn leave_keyring() {
    calls::leave_keyring();
}

/// Leaves the network for an empty one of its own, in which a process reaches itself by the loopback device.
///
/// # Errors
/// Where the system allows no user or network namespace.
pub fn leave_network() -> io::Result<()> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    calls::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET)?;
    for (name, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{user} {user} 1")),
        ("gid_map", format!("{group} {group} 1")),
    ] {
        #[expect(clippy::disallowed_methods, reason = "a file of the process's own, in /proc")]
        std::fs::write(format!("/proc/self/{name}"), text)?;
    }
    calls::raise_loopback()
}

/// Gives up every capability, also those that a program of root's would get when it starts.
///
/// # Errors
/// As the system reports them.
pub fn drop_capabilities() -> io::Result<()> {
    calls::forbid_new_privileges()?;
    calls::drop_capabilities()
}

/// Forbids this process, and those that it becomes and starts, what no other part of a sandbox keeps from it. `is_apart`: namespaces keep
/// it from other processes.
///
/// # Errors
/// As the system reports them; [`io::ErrorKind::Unsupported`] on a processor whose calls are not known here.
pub fn forbid(is_apart: bool) -> io::Result<()> {
    calls::forbid_new_privileges()?;
    calls::forbid(is_apart)
}

/// Confines this process, and all that it starts, to these paths. What is not there is left out.
///
/// # Errors
/// Where the system cannot confine, or a path cannot be opened.
pub fn confine(rights: &[(PathBuf, Right)]) -> io::Result<()> {
    super::confine::for_good(rights)
}

/// Keeps this process, and all that it starts, from sockets without a path that others have made. Returns whether the system can.
pub fn leave_sockets_without_path() -> bool {
    super::confine::scoped()
}
