//! The refs of ours that an environment has left in a repository which stays: they go with it, unless one holds the only copy
//! of something.
//!
//! The record is a claim of the agent's. All that it decides is whether a checkpoint that was made by itself may go, and then
//! only the commit of that checkpoint is let go of, never one that it is built on.

use std::collections::HashSet;

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::path::quoted;
use super::record::CheckpointRecord;
use crate::git::{Branch, NEWEST, Repository, Unheld, is_passing};

/// How many digits of a key's digest tell it from others that read alike.
const DIGITS: usize = 12;

/// The part of a ref's name that stands for an environment's key. Two keys never have the same one.
pub fn ref_key(key: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(is_plain) {
        return key.to_owned();
    }
    let digest = crate::task::hex(&Sha256::digest(key.as_bytes()));
    format!("{}+{}", key.replace(|c| !is_plain(c), "-"), &digest[..DIGITS])
}

/// What of an environment's refs may be lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnRefs<'a> {
    /// The environment's key.
    pub(super) key: &'a str,
    /// The checkpoints that its record lists.
    pub(super) checkpoints: &'a [CheckpointRecord],
}

impl OwnRefs<'_> {
    /// Deletes those whose commits are held elsewhere, and returns the others, each with a text that says why it stays and what
    /// deletes it.
    ///
    /// # Errors
    /// As git reports them.
    pub(super) fn release(&self, repository: &Repository<'_>) -> Result<Vec<(String, String)>> {
        let refs = repository.own_refs(&ref_key(self.key))?;
        if refs.is_empty() {
            return Ok(Vec::new());
        }
        let unheld = repository.held_by_none_but(&refs)?;
        let (go, stay) = judge(&refs, &unheld, self.checkpoints);
        if !go.is_empty() {
            repository.delete_refs(&go)?;
        }
        let way = format!("git -C {} update-ref -d", quoted(repository.dir()));
        let same = repository.with_a_tree_of_a_branch(&stay)?;
        let told = |one: &&Branch| {
            let name = one.name.clone();
            let why = match same.contains(&name) {
                true => "has the files of a commit on a branch, in a commit of its own",
                false => "holds work that is on no branch",
            };
            let what = format!("{name} {why}; `{way} {name}` deletes it");
            (name, what)
        };
        Ok(stay.iter().map(told).collect())
    }
}

/// Which refs go, and which stay: `unheld` are the commits that no branch holds.
fn judge<'r>(
    refs: &'r [Branch],
    unheld: &Unheld,
    checkpoints: &[CheckpointRecord],
) -> (Vec<&'r Branch>, Vec<&'r Branch>) {
    let may_go = |one: &Branch| {
        let is_listed = checkpoints.iter().any(|listed| !listed.manual && listed.sha == one.tip);
        // What it is built on is no part of the checkpoint.
        let has_more = || unheld[&one.tip].iter().any(|parent| unheld.contains_key(parent));
        is_passing(&one.name) && is_listed && !has_more()
    };
    let (stay, mut go): (Vec<&Branch>, Vec<&Branch>) =
        refs.iter().partition(|one| unheld.contains_key(&one.tip) && !may_go(one));
    // The newest checkpoint has a ref of its number, too, if it was asked for.
    let kept: HashSet<&str> = stay.iter().filter(|one| !is_newest(one)).map(|one| one.tip.as_str()).collect();
    let (twice, stay): (Vec<&Branch>, Vec<&Branch>) =
        stay.into_iter().partition(|one| is_newest(one) && kept.contains(one.tip.as_str()));
    go.extend(twice);
    (go, stay)
}

fn is_newest(one: &Branch) -> bool {
    one.name.rsplit('/').next() == Some(NEWEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::OWN_REFS;

    #[test]
    fn two_keys_never_share_a_name() {
        let keys = ["0123456789ab", "a.b", "a-b", "a b", "a_b", "a/b", "", "ä", "ö"];
        let names: HashSet<String> = keys.iter().map(|key| ref_key(key)).collect();
        assert_eq!(names.len(), keys.len());
        assert_eq!(ref_key("0123456789ab"), "0123456789ab");
        assert!(ref_key("a.b").starts_with("a-b+"));
    }

    #[test]
    fn a_ref_goes_only_if_nothing_is_lost_with_it() {
        let unheld = |commits: &[(&str, &[&str])]| -> Unheld {
            let owned = |(id, parents): &(&str, &[&str])| {
                ((*id).to_owned(), parents.iter().map(|parent| (*parent).to_owned()).collect())
            };
            commits.iter().map(owned).collect()
        };
        let auto = CheckpointRecord { n: 1, sha: "c".into(), ..CheckpointRecord::default() };
        let manual = CheckpointRecord { manual: true, ..auto.clone() };
        let none: &[CheckpointRecord] = &[];
        let only = unheld(&[("c", &["p"])]);
        let with_parent = unheld(&[("c", &["p"]), ("p", &["q"])]);
        for (names, unheld, listed, expected, why) in [
            (&["wip", "snapshot-1", "branch"][..], &unheld(&[]), none, &[][..], "all of it is on a branch"),
            (&["wip"], &only, none, &["wip"], "the record lists no such checkpoint"),
            (&["wip"], &only, std::slice::from_ref(&auto), &[], "made by itself"),
            (&["wip", "checkpoint-1"], &only, std::slice::from_ref(&auto), &[], "made by itself"),
            (&["wip", "checkpoint-1"], &only, std::slice::from_ref(&manual), &["checkpoint-1"], "asked for"),
            (&["wip"], &with_parent, std::slice::from_ref(&auto), &["wip"], "built on what is nowhere else"),
            (&["snapshot-1"], &only, std::slice::from_ref(&auto), &["snapshot-1"], "no checkpoint"),
            (&["merge-1", "branch"], &only, none, &["merge-1", "branch"], "kept work"),
        ] {
            let refs: Vec<Branch> = names
                .iter()
                .map(|name| Branch { name: format!("{OWN_REFS}k/{name}"), tip: "c".into() })
                .collect();
            let (go, stay) = judge(&refs, unheld, listed);
            let stay: Vec<&str> = stay.iter().map(|one| &one.name[OWN_REFS.len() + 2..]).collect();
            assert_eq!(stay, expected, "{why}");
            assert_eq!(go.len() + stay.len(), names.len(), "{why}");
        }
    }
}
