//! Files that git tracks below folders of certain names.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::Result;

use super::repository::Repository;

impl Repository<'_> {
    /// The files of the index below folders of these names, wherever they lie, relative to the repository.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn tracked_below<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<BTreeSet<PathBuf>> {
        let list = self.look(["ls-files", "--cached", "-z", "--"]);
        let listed = list.args(names.map(|name| format!(":(glob)**/{}/**", literal(name)))).output()?;
        let paths = listed.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(paths.map(|path| PathBuf::from(OsStr::from_bytes(path))).collect())
    }

    /// The files of the index that have this attribute, relative to the repository.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn tracked_with(&self, attribute: &str) -> Result<Vec<PathBuf>> {
        let listed =
            self.look(["ls-files", "--cached", "-z", "--", &format!(":(top,attr:{attribute})")]).output()?;
        let paths = listed.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(paths.map(|path| PathBuf::from(OsStr::from_bytes(path))).collect())
    }
}

/// The name as part of a glob that matches only this name.
fn literal(name: &str) -> String {
    let mut glob = String::with_capacity(name.len());
    for character in name.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            glob.push('\\');
        }
        glob.push(character);
    }
    glob
}
