//! How far a lock on a file system reaches: to every machine that mounts it, or to this one only.

use std::fmt;
use std::io;
use std::path::Path;

use super::tree::Tree;

/// Which machines see a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// No other machine can mount the file system.
    Local,
    /// Other machines can mount it, and they see the locks.
    Shared,
    /// Other machines may mount it, and do not see the locks.
    ThisMachine,
}

impl Reach {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Reach::Local => "local",
            Reach::Shared => "shared",
            Reach::ThisMachine => "this_machine",
        }
    }
}

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its type, such as `nfs4` or `fuse.sshfs`.
    pub kind: String,
    /// How far its locks reach.
    pub reach: Reach,
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)
    }
}

/// File systems with a number that `statfs` returns, which only one machine can mount: for these nothing else is looked at.
const LOCAL: [u64; 7] = [
    0xEF53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683E, // btrfs
    0x0102_1994, // tmpfs
    0x794C_7630, // overlayfs
    0xF2F5_2010, // f2fs
    0x2FC1_2FC1, // zfs
];

/// The type that stands for every file system of [`LOCAL`].
pub const LOCAL_KIND: &str = "local";

/// Whether others can open a file or folder that was made for its owner alone: the file system keeps no modes.
pub fn is_open_to_others(tree: &Tree, path: &Path) -> bool {
    let plays_vfat = played().is_some_and(|played| played.starts_with("vfat"));
    plays_vfat || tree.mode(path).ok().flatten().is_some_and(|mode| mode & 0o077 != 0)
}

/// How far locks reach in an open folder.
///
/// # Errors
/// As the system reports them. A mount that is not listed counts as one whose locks reach this machine only.
pub fn mount_of(tree: &Tree) -> io::Result<Mount> {
    if let Some(played) = played() {
        return Ok(mount(&played));
    }
    if is_local(tree)? {
        return Ok(Mount { kind: LOCAL_KIND.into(), reach: Reach::Local });
    }
    let (device, _) = tree.identity()?;
    let list = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let unlisted = || Mount { kind: "unknown".into(), reach: Reach::ThisMachine };
    Ok(listed(&list, device, tree.path()).map_or_else(unlisted, |found| mount(&found)))
}

#[cfg(target_os = "linux")]
fn is_local(tree: &Tree) -> io::Result<bool> {
    use std::os::fd::AsFd;
    let number = rustix::fs::fstatfs(tree.root.as_fd())?.f_type;
    // The number has 32 bits, and some systems extend its sign.
    Ok(u64::try_from(number & 0xFFFF_FFFF).is_ok_and(|number| LOCAL.contains(&number)))
}

#[cfg(not(target_os = "linux"))]
fn is_local(_: &Tree) -> io::Result<bool> {
    Ok(true)
}

/// The type and the options of the mount with this device, as `TYPE OPTIONS`, from the text of `/proc/self/mountinfo`.
/// Several mounts may share a device: the one that the path lies below decides, and the last of these.
fn listed(list: &str, device: u64, path: &Path) -> Option<String> {
    let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let mut best: Option<(usize, String)> = None;
    for line in list.lines() {
        // `36 35 98:0 /root /mount rw,noatime shared:1 - ext3 /dev/root rw,errors=continue`
        let Some((mount, file_system)) = line.split_once(" - ") else { continue };
        let mut mount = mount.split(' ').skip(2);
        let (Some(on), Some(place), Some(options)) = (mount.next(), mount.nth(1), mount.next()) else {
            continue;
        };
        let mut file_system = file_system.split(' ');
        let (Some(kind), Some(more)) = (file_system.next(), file_system.nth(1)) else { continue };
        if on != device {
            continue;
        }
        let depth = if path.starts_with(place) { place.len() + 1 } else { 0 };
        if best.as_ref().is_none_or(|(known, _)| depth >= *known) {
            best = Some((depth, format!("{kind} {options},{more}")));
        }
    }
    best.map(|(_, found)| found)
}

/// From `TYPE OPTIONS` to how far locks reach. What is not known to be local or to share its locks reaches one machine.
fn mount(text: &str) -> Mount {
    let (kind, options) = text.split_once(' ').unwrap_or((text, ""));
    let has = |wanted: &str| options.split(',').any(|option| option == wanted);
    let unless = |is_own: bool| if is_own { Reach::ThisMachine } else { Reach::Shared };
    let reach = match kind {
        "nfs" | "nfs4" => unless(has("nolock") || has("local_lock=all") || has("local_lock=flock")),
        "cifs" | "smb3" => unless(has("nobrl")),
        "lustre" => unless(!has("flock")),
        "ceph" | "gpfs" | "ocfs2" | "gfs2" => Reach::Shared,
        "9p" | "virtiofs" | "afs" | "beegfs" | "orangefs" | "coda" | "vboxsf" | "ncpfs" => Reach::ThisMachine,
        "fuse" => Reach::ThisMachine,
        kind if kind.starts_with("fuse.") => Reach::ThisMachine,
        "unknown" => Reach::ThisMachine,
        _ => Reach::Local, // disks (fuseblk, too), memory, and what lies above them
    };
    Mount { kind: kind.to_owned(), reach }
}

/// The file system that a test plays; none in a release build.
#[cfg(debug_assertions)]
#[expect(clippy::disallowed_methods, reason = "a hook of the tests, outside of the settings on purpose")]
fn played() -> Option<String> {
    std::env::var("EXECENV_TEST_MOUNT").ok()
}

#[cfg(not(debug_assertions))]
fn played() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_locks_reach_by_type_and_options() {
        for (text, reach) in [
            ("ext4 rw", Reach::Local),
            ("fuseblk rw", Reach::Local),
            ("nfs4 rw,vers=4.2,local_lock=none", Reach::Shared),
            ("nfs rw,vers=3,local_lock=none", Reach::Shared),
            ("nfs rw,vers=3,nolock,local_lock=all", Reach::ThisMachine),
            ("nfs rw,local_lock=flock", Reach::ThisMachine),
            ("nfs rw,local_lock=posix", Reach::Shared),
            ("cifs rw", Reach::Shared),
            ("cifs rw,nobrl", Reach::ThisMachine),
            ("lustre rw,flock", Reach::Shared),
            ("lustre rw,localflock", Reach::ThisMachine),
            ("lustre rw", Reach::ThisMachine),
            ("ceph rw", Reach::Shared),
            ("fuse.sshfs rw", Reach::ThisMachine),
            ("fuse rw", Reach::ThisMachine),
            ("9p rw", Reach::ThisMachine),
            ("virtiofs", Reach::ThisMachine),
            ("beegfs rw", Reach::ThisMachine),
        ] {
            assert_eq!(mount(text).reach, reach, "{text}");
        }
    }

    #[test]
    fn a_mount_is_found_by_its_device_and_its_place() {
        let list = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                    30 22 0:50 / /mnt/a rw shared:9 - nfs4 srv:/x rw,vers=4.2\n\
                    31 22 0:50 / /mnt/b rw - nfs4 srv:/x rw,local_lock=all\n\
                    32 22 0:51 / /mnt/b/c rw master:3 - fuse.sshfs srv: rw\n\
                    damaged line\n";
        let nfs = rustix::fs::makedev(0, 50);
        let found = |device, path: &str| listed(list, device, Path::new(path));
        assert_eq!(found(nfs, "/mnt/a/root").as_deref(), Some("nfs4 rw,rw,vers=4.2"));
        assert_eq!(found(nfs, "/mnt/b/root").as_deref(), Some("nfs4 rw,rw,local_lock=all"));
        assert_eq!(found(rustix::fs::makedev(0, 51), "/mnt/b/c").as_deref(), Some("fuse.sshfs rw,rw"));
        assert_eq!(found(rustix::fs::makedev(0, 52), "/x"), None);
    }
}
