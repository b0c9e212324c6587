//! What a file has besides its bytes, and giving all of it to the file that replaces it.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use cap_std::fs::{OpenOptions, OpenOptionsExt};
use rustix::fs::{
    Gid, IFlags, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, fchmod, fchown, fgetxattr, flistxattr,
    fremovexattr, fsetxattr, fstat, futimens, ioctl_getflags, ioctl_setflags,
};
use rustix::io::Errno;

use super::{Tree, fault};

/// What a regular file has besides its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Its user and group.
    pub owner: (u32, u32),
    /// When its bytes were last changed: seconds and nanoseconds.
    pub modified: (i64, u32),
    /// Its extended attributes, access control lists among them.
    pub extended: BTreeMap<CString, Vec<u8>>,
    /// Flags of the file system, as `lsattr` shows them; only those that a user sets.
    pub flags: u32,
}

/// Flags that a user sets and a new file can get.
const CARRIED: IFlags =
    IFlags::COMPRESSED.union(IFlags::SYNC).union(IFlags::NODUMP).union(IFlags::NOATIME).union(IFlags::NOCOW);
/// Flags that keep a file from being replaced.
const LOCKED: IFlags = IFlags::IMMUTABLE.union(IFlags::APPEND);
/// The longest extended attribute that Linux knows.
const MOST_EXTENDED: usize = 64 << 10;

impl Tree {
    /// What the file at `relative` has besides its bytes and its mode.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn attributes(&self, relative: &Path) -> io::Result<Attributes> {
        attributes(self.open_plain(relative)?)
    }

    /// Why this process cannot replace the file at `relative` by one with the same owner and attributes; `None`: it can,
    /// as far as can be told without trying.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn why_not_replaced(&self, relative: &Path) -> io::Result<Option<String>> {
        let Attributes { owner: (user, group), flags, .. } = self.attributes(relative)?;
        let own_user = rustix::process::geteuid();
        if IFlags::from_bits_retain(flags).intersects(LOCKED) {
            return Ok(Some("has the flag immutable or append-only (`lsattr`)".to_owned()));
        }
        if own_user.is_root() {
            return Ok(None);
        }
        if user != own_user.as_raw() {
            return Ok(Some(format!("belongs to the user with the id {user}")));
        }
        let is_own_group = group == rustix::process::getegid().as_raw()
            || rustix::process::getgroups()?.iter().any(|own| own.as_raw() == group);
        Ok((!is_own_group)
            .then(|| format!("belongs to the group with the id {group}, of which you are no member")))
    }

    /// Gives the file at `relative` this modification time.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn set_file_modified(&self, relative: &Path, modified: (i64, u32)) -> io::Result<()> {
        fault::step()?;
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
            last_modification: Timespec { tv_sec: modified.0, tv_nsec: modified.1.into() },
        };
        Ok(futimens(self.open_plain(relative)?, &times)?)
    }

    /// Opens a file to look at, never through a link and without waiting for a FIFO.
    pub(super) fn open_plain(&self, relative: &Path) -> io::Result<cap_std::fs::File> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits() as i32);
        self.root.open_with(relative, &options)
    }
}

/// Gives a new file, still without bytes, all that another one has. `owner` is what it gets where that one's owner cannot be
/// given away.
pub(super) fn carry(from: impl AsFd, to: impl AsFd, owner: Option<(u32, u32)>) -> io::Result<()> {
    let (source, target) = (fstat(&from)?, fstat(&to)?);
    let wanted = attributes(&from)?;
    let present = attributes(&to)?;
    let flags = IFlags::from_bits_retain(wanted.flags) & CARRIED;
    if flags != IFlags::from_bits_retain(present.flags) & CARRIED {
        let others = ioctl_getflags(&to)? - CARRIED;
        ioctl_setflags(&to, others | flags)?;
    }
    let give = |(user, group)| fchown(&to, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)));
    if wanted.owner != (target.st_uid, target.st_gid) {
        give(wanted.owner).or_else(|error| match owner {
            Some(owner) if owner == (target.st_uid, target.st_gid) => Ok(()),
            Some(owner) => give(owner),
            None => Err(error),
        })?;
    }
    // A folder may give each new file an access control list that the old file does not have.
    for name in present.extended.keys().filter(|name| !wanted.extended.contains_key(*name)) {
        match fremovexattr(&to, name) {
            Err(error) if !name.as_bytes().starts_with(b"security.") => return Err(error.into()),
            _ => {}
        }
    }
    for (name, value) in &wanted.extended {
        if present.extended.get(name) != Some(value) {
            fsetxattr(&to, name, value, XattrFlags::empty())?;
        }
    }
    // Last: a change of owner takes bits away.
    Ok(fchmod(&to, Mode::from_raw_mode(source.st_mode & 0o7777))?)
}

fn attributes(file: impl AsFd) -> io::Result<Attributes> {
    let stat = fstat(&file)?;
    let mut extended = BTreeMap::new();
    for name in names_of_extended(&file)? {
        let mut value = Vec::with_capacity(256);
        let got = loop {
            match fgetxattr(&file, &name, rustix::buffer::spare_capacity(&mut value)) {
                Err(Errno::RANGE) if value.capacity() < MOST_EXTENDED => value.reserve(MOST_EXTENDED),
                other => break other,
            }
        };
        match got {
            Ok(_) => _ = extended.insert(name, value),
            // Removed meanwhile, or for other eyes.
            Err(Errno::NODATA | Errno::PERM | Errno::ACCESS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let flags = ioctl_getflags(&file).unwrap_or(IFlags::empty()) & (CARRIED | LOCKED);
    Ok(Attributes {
        owner: (stat.st_uid, stat.st_gid),
        modified: (stat.st_mtime, stat.st_mtime_nsec as u32),
        extended,
        flags: flags.bits(),
    })
}

fn names_of_extended(file: impl AsFd) -> io::Result<Vec<CString>> {
    let mut list = Vec::with_capacity(256);
    let listed = loop {
        match flistxattr(&file, rustix::buffer::spare_capacity(&mut list)) {
            Err(Errno::RANGE) if list.capacity() < MOST_EXTENDED => list.reserve(MOST_EXTENDED),
            other => break other,
        }
    };
    match listed {
        Ok(_) => {}
        Err(Errno::NOTSUP | Errno::NOSYS) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    }
    let names = list.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.filter_map(|name| CString::new(name).ok()).collect())
}
