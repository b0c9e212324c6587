//! Files that a repository tracks below folders of certain names.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Git;

impl Git {
    /// What the index of the repository at `dir` lists below folders of these names, wherever they lie. The paths
    /// are relative to `dir`.
    ///
    /// # Errors
    /// When git cannot tell, in its own words.
    pub fn tracked_below<'a>(
        &self,
        dir: &Path,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<BTreeSet<PathBuf>> {
        let mut args: Vec<String> = ["ls-files", "--cached", "-z", "--"].map(str::to_owned).into();
        args.extend(names.map(|name| format!(":(glob)**/{}/**", literal(name))));
        let listed = self.output(dir, &args)?;
        let paths = listed.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(paths.map(|path| PathBuf::from(OsStr::from_bytes(path))).collect())
    }
}

/// The name as a part of a glob that nothing else matches.
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
