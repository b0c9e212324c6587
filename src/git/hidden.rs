//! Edits that the index hides from `git status`: files marked assume-unchanged or skip-worktree.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::Result;

use super::repository::Repository;
use super::view::View;

/// The most files that one call hashes.
const CHUNK: usize = 500;

/// A hidden entry of the index whose file is there.
struct Hidden {
    path: PathBuf,
    object: Vec<u8>,
}

impl Repository<'_> {
    /// Hidden files that are there and differ from what the index holds. Compared byte by byte: where a file is only
    /// written otherwise (line ends), that counts as a change, too.
    pub(super) fn hidden_changes(&self, view: &View) -> Result<Vec<PathBuf>> {
        let listed = self.look(["ls-files", "-s", "-v", "-z"]).through(view).output()?;
        let (mut changed, mut files) = (Vec::new(), Vec::new());
        for (entry, mode) in listed.split(|byte| *byte == 0).filter_map(hidden) {
            let path = self.dir().join(&entry.path);
            let Ok(metadata) = path.symlink_metadata() else { continue };
            match mode {
                b"120000" if metadata.is_symlink() => {
                    let object = std::str::from_utf8(&entry.object)?;
                    let text = self.look(["cat-file", "blob", object]).through(view).output()?;
                    if std::fs::read_link(&path)?.as_os_str().as_bytes() != text {
                        changed.push(entry.path);
                    }
                }
                b"160000" if metadata.is_dir() => {} // a submodule is checked on its own
                // Only a regular file is opened: reading a pipe may never end.
                b"100644" | b"100755" if metadata.is_file() => files.push(entry),
                _ => changed.push(entry.path),
            }
        }
        for chunk in files.chunks(CHUNK) {
            let hash = self.look(["hash-object", "--no-filters", "--"]).through(view);
            let hashes = hash.args(chunk.iter().map(|entry| &entry.path)).output()?;
            let mut hashes = hashes.split(|byte| *byte == b'\n');
            let differs = |entry: &&Hidden| hashes.next() != Some(entry.object.as_slice());
            changed.extend(chunk.iter().filter(differs).map(|entry| entry.path.clone()));
        }
        Ok(changed)
    }
}

/// One line of `git ls-files -s -v`, `TAG MODE OBJECT STAGE<tab>PATH`, and its mode, if the entry is hidden.
fn hidden(line: &[u8]) -> Option<(Hidden, &[u8])> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let mut words = line[..tab].split(|byte| *byte == b' ');
    let (tag, mode, object) = (words.next()?, words.next()?, words.next()?);
    let is_hidden = tag == b"S" || tag.first().is_some_and(u8::is_ascii_lowercase);
    let path = PathBuf::from(OsStr::from_bytes(&line[tab + 1..]));
    is_hidden.then(|| (Hidden { path, object: object.to_owned() }, mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hidden_entries_are_of_interest() {
        let path = |line: &str| hidden(line.as_bytes()).map(|(entry, _)| entry.path);
        for (line, expected) in [
            ("H 100644 ab 0\tf", None),
            ("S 100644 ab 0\tf", Some("f")),
            ("h 100644 ab 0\ta b\tc", Some("a b\tc")),
            ("s 120000 ab 0\tl", Some("l")),
            ("M 100644 ab 1\tf", None),
            ("", None),
        ] {
            assert_eq!(path(line), expected.map(PathBuf::from), "{line}");
        }
    }
}
