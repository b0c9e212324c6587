//! The mounts that this process sees.

use std::path::{Path, PathBuf};

/// A mount at or below a folder, bind mounts included: what lies there would not be removed with the folder. `None` also
/// where the system does not say.
#[cfg(target_os = "linux")]
pub fn mount_within(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    let table = std::fs::read("/proc/self/mountinfo").ok()?;
    mount_points(&table).find(|point| point.starts_with(&folder))
}

/// A mount at or below a folder. This system does not say.
#[cfg(not(target_os = "linux"))]
pub fn mount_within(_folder: &Path) -> Option<PathBuf> {
    None
}

/// The mount that a path lies below by its words alone, other than the root file system. The mount itself is not asked.
#[cfg(target_os = "linux")]
pub(super) fn mount_above(path: &Path) -> Option<PathBuf> {
    let table = std::fs::read("/proc/self/mountinfo").ok()?;
    let above = mount_points(&table).filter(|point| point != Path::new("/") && path.starts_with(point));
    above.max_by_key(|point| point.as_os_str().len())
}

/// The mount that a path lies below. This system does not say.
#[cfg(not(target_os = "linux"))]
pub(super) fn mount_above(_path: &Path) -> Option<PathBuf> {
    None
}

/// The mount points of a `mountinfo` table: the fifth field of each line, with blanks as octal numbers.
#[cfg(target_os = "linux")]
fn mount_points(table: &[u8]) -> impl Iterator<Item = PathBuf> {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let fields =
        table.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    fields.map(|field| {
        let mut bytes = Vec::with_capacity(field.len());
        let mut rest = field;
        while let Some((first, after)) = rest.split_first() {
            let octal = (*first == b'\\').then(|| after.get(..3)).flatten();
            let byte = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
            bytes.push(byte.unwrap_or(*first));
            rest = if byte.is_some() { &after[3..] } else { after };
        }
        PathBuf::from(OsString::from_vec(bytes))
    })
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_with_their_blanks() {
        let table = b"22 27 0:21 / /proc rw - proc proc rw\n30 27 0:5 /x /a\\040b\\134c rw - tmpfs none rw\n\nshort line\n";
        let points: Vec<PathBuf> = mount_points(table).collect();
        assert_eq!(points, ["/proc", "/a b\\c"].map(PathBuf::from));
        assert_eq!(mount_within(Path::new("/proc")).as_deref(), Some(Path::new("/proc")));
        assert_eq!(mount_within(Path::new("/nonexistent")), None);
        assert_eq!(mount_above(Path::new("/proc/self/x")).as_deref(), Some(Path::new("/proc")));
        assert_eq!(mount_above(Path::new("/nonexistent")), None);
    }
}
