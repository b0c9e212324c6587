//! Which machine this is.

use std::os::unix::fs::MetadataExt;

/// The running system: two processes with one boot id are on one kernel, and see each other's locks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its host name, for messages.
    pub host: String,
    /// A new one at each start of the system; empty where it is not known.
    pub boot_id: String,
    /// The inode of the namespace in which process ids count; 0 where it is not known.
    pub pid_namespace: u64,
}

impl Machine {
    /// The name of this machine.
    pub fn host() -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }

    /// This machine.
    pub fn this() -> Machine {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let namespace = std::fs::metadata("/proc/self/ns/pid").map_or(0, |file| file.ino());
        Machine {
            host: Machine::host(),
            boot_id: read("/proc/sys/kernel/random/boot_id"),
            pid_namespace: namespace,
        }
    }
}
