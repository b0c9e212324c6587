//! What the system allows an agent's own sandbox.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::sys::child::{self, Program};

/// The limit on a trial.
const TRIAL: Duration = Duration::from_secs(5);

/// Whether a program of this user can confine its commands in namespaces: Codex's `workspace-write` needs that on Linux
/// (decision D9). Tried with bubblewrap where it is installed, else derived from the kernel's switches. `None`: unknown.
pub fn can_use_namespaces(bwrap: Option<&Path>, env: &[(OsString, OsString)]) -> Option<bool> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    if let Some(path) = bwrap {
        let words = ["--ro-bind", "/", "/", "--unshare-user", "--unshare-pid", "true"];
        let args = words.map(OsString::from);
        let tried = child::capture(Program { path, args: &args, dir: None, env }, TRIAL);
        return tried.ok().map(|done| done.status.success());
    }
    let is_root = rustix::process::geteuid().is_root();
    by_kernel(is_root, &|name| {
        let text = std::fs::read_to_string(Path::new("/proc/sys").join(name)).ok()?;
        text.trim().parse().ok()
    })
}

/// The kernel's switches only prove that it cannot: a container may forbid what they allow.
fn by_kernel(is_root: bool, switch: &dyn Fn(&str) -> Option<u64>) -> Option<bool> {
    let is_off = switch("user/max_user_namespaces") == Some(0)
        || !is_root
            && (switch("kernel/unprivileged_userns_clone") == Some(0)
                || switch("kernel/apparmor_restrict_unprivileged_userns") == Some(1));
    is_off.then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_can_only_say_no() {
        for (is_root, name, value, expected) in [
            (false, "user/max_user_namespaces", 0, Some(false)),
            (true, "user/max_user_namespaces", 0, Some(false)),
            (false, "user/max_user_namespaces", 100, None),
            (false, "kernel/unprivileged_userns_clone", 0, Some(false)),
            (true, "kernel/unprivileged_userns_clone", 0, None),
            (false, "kernel/apparmor_restrict_unprivileged_userns", 1, Some(false)),
            (false, "kernel/apparmor_restrict_unprivileged_userns", 0, None),
        ] {
            let switch = |asked: &str| (asked == name).then_some(value);
            assert_eq!(by_kernel(is_root, &switch), expected, "{name} = {value}");
        }
    }
}
