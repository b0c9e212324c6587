//! Linked worktrees of a repository.

use std::path::PathBuf;

use anyhow::Result;

use super::repository::Repository;

/// A linked worktree, or the repository's own folder, which git lists first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worktree {
    /// Where it is, or was.
    pub path: PathBuf,
    /// The commit that is checked out.
    pub head: String,
    /// The branch, in full; empty where a commit is checked out without a branch.
    pub branch: String,
    /// It is the repository itself, which is bare.
    pub is_bare: bool,
}

impl Repository<'_> {
    /// The repository itself, first, and its linked worktrees, also those whose folder is gone.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn worktrees(&self) -> Result<Vec<Worktree>> {
        let worktrees = parse(&self.look(["worktree", "list", "--porcelain", "-z"]).text()?);
        anyhow::ensure!(
            !worktrees.is_empty(),
            "`git worktree list` in {} printed nothing",
            self.dir().display()
        );
        Ok(worktrees)
    }
}

/// Reads `git worktree list --porcelain -z`: attributes that end in NUL, an empty one behind each worktree.
fn parse(text: &str) -> Vec<Worktree> {
    let mut found: Vec<Worktree> = Vec::new();
    for attribute in text.split('\0') {
        let (word, value) = attribute.split_once(' ').unwrap_or((attribute, ""));
        if word == "worktree" {
            found.push(Worktree { path: value.into(), ..Worktree::default() });
        }
        let Some(worktree) = found.last_mut() else { continue };
        match word {
            "HEAD" => value.clone_into(&mut worktree.head),
            "branch" => value.clone_into(&mut worktree.branch),
            "bare" => worktree.is_bare = true,
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worktrees_are_read_whatever_their_paths_hold() {
        let text = "worktree /c/r.git\0bare\0\0worktree /a\nbranch x\0HEAD 12\0branch refs/heads/agent/a/1\0\0\
                    worktree /b\0HEAD 34\0detached\0locked why\never\0prunable gone\0\0";
        let worktree = |path: &str, head: &str, branch: &str, is_bare| Worktree {
            path: path.into(),
            head: head.into(),
            branch: branch.into(),
            is_bare,
        };
        let expected = [
            worktree("/c/r.git", "", "", true),
            worktree("/a\nbranch x", "12", "refs/heads/agent/a/1", false),
            worktree("/b", "34", "", false),
        ];
        assert_eq!(parse(text), expected);
        assert_eq!(parse(""), []);
    }
}
