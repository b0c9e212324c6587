//! Which processes have a file open.

use std::os::unix::fs::MetadataExt;

/// Whether a process that this one can look at has the file with this identity (device and inode) open. Where that cannot be
/// known, one may have.
pub fn may_be_open(identity: (u64, u64)) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return true };
    let is_process = |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.parse::<u32>().is_ok());
    let mut processes = processes.flatten().filter(|entry| is_process(&entry.file_name())).peekable();
    if processes.peek().is_none() {
        return true; // a system without such a folder
    }
    // What another user's process has open cannot be seen, and nothing of it is ours to remove.
    processes.any(|process| {
        let open = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        open.filter_map(|entry| std::fs::metadata(entry.path()).ok())
            .any(|file| (file.dev(), file.ino()) == identity)
    })
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_is_found_and_a_closed_one_is_not() {
        let file = tempfile::tempfile().unwrap();
        let identity = file.metadata().map(|file| (file.dev(), file.ino())).unwrap();
        assert!(may_be_open(identity));
        let (named, path) = tempfile::NamedTempFile::new().unwrap().into_parts();
        let identity = named.metadata().map(|file| (file.dev(), file.ino())).unwrap();
        drop(named);
        assert!(!may_be_open(identity), "{}", path.display());
    }
}
