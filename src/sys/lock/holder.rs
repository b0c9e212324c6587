//! Who has a lock: for messages only. Nothing is decided by a process id, which is soon another process's.

use std::fmt;
use std::fs::File;
use std::os::unix::fs::MetadataExt;

/// How often the system's list of locks is read for one that is certainly there.
const LOOKS: usize = 3;

/// The process that took a lock, as far as the system tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pid: i32,
    /// `None`: it has ended, and a process that inherited its handle still has the lock.
    name: Option<String>,
}

impl Holder {
    /// Whether it is a shell that a person has opened.
    pub fn is_shell(&self) -> bool {
        self.name.as_deref().is_some_and(|name| name.ends_with(&format!(" {SHELL}")))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "pid {}, {name}", self.pid),
            None => write!(f, "a process that pid {} left behind", self.pid),
        }
    }
}

/// The process that has a lock on an open file. `None`: there is none, it runs on another machine or in another
/// container, or the system does not tell.
pub fn holder_of(file: &File) -> Option<Holder> {
    let metadata = file.metadata().ok()?;
    // The list is read in pieces: an entry is missed when others before it go in between.
    let pid = (0..LOOKS).find_map(|_| {
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        holder_in(&locks, metadata.dev(), metadata.ino())
    })?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok();
    let name = name.map(|name| name.trim_end().escape_debug().to_string());
    Some(Holder { pid, name: name.map(|name| if is_shell(pid) { format!("{name} {SHELL}") } else { name }) })
}

/// The command that holds an environment for as long as a person likes.
const SHELL: &str = "shell";

/// Whether a process was started by that command.
fn is_shell(pid: i32) -> bool {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words.split(|byte| *byte == 0).nth(1) == Some(SHELL.as_bytes())
}

/// The first process that has a lock on this file, from the text of `/proc/locks`. Some file systems (btrfs, overlayfs)
/// name another device there than in the file's own data: then the inode decides, if one device only has it.
fn holder_in(locks: &str, device: u64, inode: u64) -> Option<i32> {
    let device = format!("{:02x}:{:02x}", rustix::fs::major(device), rustix::fs::minor(device));
    let mut elsewhere: Vec<(&str, i32)> = Vec::new();
    for line in locks.lines() {
        // `1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF`; one that waits has `->` after its number.
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (Some("FLOCK"), Some(pid), Some(place)) = (fields.next(), fields.nth(2), fields.next()) else {
            continue;
        };
        let (Some((on, number)), Ok(pid)) = (place.rsplit_once(':'), pid.parse()) else { continue };
        if number.parse() != Ok(inode) {
            continue;
        }
        if on == device {
            return Some(pid);
        }
        elsewhere.push((on, pid));
    }
    let (first, pid) = *elsewhere.first()?;
    elsewhere.iter().all(|(on, _)| *on == first).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_read_from_the_systems_list() {
        let list = "1: POSIX  ADVISORY  WRITE 1 08:01:131 0 EOF\n\
                    2: FLOCK  ADVISORY  WRITE 22 08:01:131 0 EOF\n\
                    2: -> FLOCK  ADVISORY  WRITE 23 08:01:131 0 EOF\n\
                    3: FLOCK  ADVISORY  READ  33 00:2a:500 0 EOF\n\
                    4: FLOCK  ADVISORY  WRITE 44 00:2a:600 0 EOF\n\
                    5: FLOCK  ADVISORY  WRITE 45 00:2b:600 0 EOF\n\
                    6: FLOCK  short\n\n";
        let (disk, other) = (rustix::fs::makedev(8, 1), rustix::fs::makedev(0, 77));
        for (device, inode, expected) in [
            (disk, 131, Some(22)),
            (other, 500, Some(33)),
            (other, 600, None), // two devices have it
            (disk, 132, None),
        ] {
            assert_eq!(holder_in(list, device, inode), expected, "{device} {inode}");
        }
        assert_eq!(holder_in("", disk, 131), None);
    }

    #[test]
    fn the_holder_of_a_lock_is_this_process() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(holder_of(&file), None);
        file.lock().unwrap();
        let holder = holder_of(&file).unwrap();
        assert_eq!(holder.pid, i32::try_from(std::process::id()).unwrap());
        assert!(holder.to_string().starts_with(&format!("pid {}, ", std::process::id())));
    }
}
