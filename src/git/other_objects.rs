//! What refs hold that is no commit, in a repository that goes: annotated tags with their texts, and files or trees that a ref
//! names by itself.
//!
//! A clone has the tags of its remote, and nothing says whether the remote has a tag. So only a tag counts that is younger than the
//! repository: whoever works there has made it, or fetched it since.

use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::Result;

use super::reftable::TABLES;
use super::repository::Repository;

/// Files that git writes when it makes a repository, and no more.
const AT_BIRTH: [&str; 2] = ["description", "info/exclude"];

/// What the refs of a repository hold besides the commits of branches.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Others {
    /// Refs that hold something else than a commit.
    pub(super) refs: Vec<String>,
    /// The commit of the newest checkpoint.
    pub(super) checkpoints: Vec<String>,
}

impl Repository<'_> {
    /// Looks at all refs. `newest` is the one that holds the newest checkpoint.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub(super) fn other_objects(&self, common: &Path, newest: &str) -> Result<Others> {
        let format = "--format=%(objecttype) %(objectname) %(creatordate:unix) %(refname)";
        let mut listed = Vec::new();
        self.look(["for-each-ref", format]).pass_on(&mut |block| {
            listed.extend_from_slice(block);
            Ok(())
        })?;
        // In tables nothing tells what a clone has fetched.
        let has_tables = common.join(TABLES).is_dir();
        let is_packed = |name: &str| !has_tables && !common.join(name).is_file();
        Ok(sort(&String::from_utf8_lossy(&listed), birth(common), newest, &is_packed))
    }
}

/// When the repository was made, in seconds since 1970, by its folder and by files that a copy of it keeps the times of. `None`:
/// nothing says so.
fn birth(common: &Path) -> Option<u64> {
    let modified = |name: &&str| common.join(name).symlink_metadata().and_then(|file| file.modified()).ok();
    let created = common.symlink_metadata().and_then(|folder| folder.created()).ok();
    let times = AT_BIRTH.iter().filter_map(modified).chain(created);
    times.filter_map(|time| time.duration_since(UNIX_EPOCH).ok()).map(|time| time.as_secs()).min()
}

fn is_younger(date: &str, birth: Option<u64>) -> bool {
    date.parse().ok().zip(birth).is_some_and(|(date, birth): (u64, u64)| date > birth)
}

fn sort(listed: &str, birth: Option<u64>, newest: &str, is_packed: &dyn Fn(&str) -> bool) -> Others {
    let mut others = Others::default();
    for line in listed.lines() {
        let mut words = line.splitn(4, ' ');
        let (Some(kind), Some(id), Some(date), Some(name)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        match kind {
            "commit" if name == newest => {
                others.checkpoints.push(id.to_owned());
            }
            "commit" => {}
            "tag" if !is_younger(date, birth) => {}
            // A clone packs what it has fetched.
            "blob" | "tree" if is_packed(name) => {}
            _ => others.refs.push(name.to_owned()),
        }
    }
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_made_there_counts() {
        let listed = "commit a 5 refs/heads/main\ntag b 5 refs/tags/theirs\ntag c 15 refs/tags/ours\n\
                      blob d  refs/keep/x\nblob e  refs/tags/packed\ncommit f 5 refs/execenv/k/wip\n";
        let others = sort(listed, Some(10), "refs/execenv/k/wip", &|name| name.ends_with("packed"));
        let expected = Others {
            refs: vec!["refs/tags/ours".into(), "refs/keep/x".into()],
            checkpoints: vec!["f".into()],
        };
        assert_eq!(others, expected);
    }
}
