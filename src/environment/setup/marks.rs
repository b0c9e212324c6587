//! What agents in a sandbox have written and the user has not looked at: marks beside the list of what the user has trusted, on
//! folders of the user's and on commits. Pure.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::git::is_commit_id;

/// The marks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Marks {
    /// Folders of the user's in which one has worked, without links.
    pub folders: Vec<PathBuf>,
    /// Commits with what one has written. What is built on them needs no mark.
    pub commits: Vec<String>,
    /// Runs whose end is not recorded: what their agents have committed counts as marked.
    pub runs: Vec<OpenRun>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A run in a sandbox whose agent may commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct OpenRun {
    /// The env root when it began.
    pub env: PathBuf,
    /// The git folder of the repository.
    pub repository: PathBuf,
    /// The name of the worktree's registration there.
    pub worktree: String,
    /// Where its agent may write branches: `refs/heads/…/`.
    pub refs: String,
    /// The commits that these branches and HEAD of the worktree led to before it, and those that the user has looked at since.
    pub known: Vec<String>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Marks {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.commits.is_empty() && self.runs.is_empty() && self.other.is_empty()
    }

    /// Why they cannot be relied upon; `None`: they can.
    pub(super) fn damage(&self) -> Option<String> {
        let known = self.runs.iter().flat_map(|run| &run.known);
        let odd = self.commits.iter().chain(known).find(|id| !is_commit_id(id))?;
        Some(format!("`{}` is no id of a commit", odd.escape_debug()))
    }

    /// The marked folder that a folder is, lies in, or has in it.
    pub(super) fn folder_of(&self, folder: &Path) -> Option<&Path> {
        let related = |marked: &&PathBuf| folder.starts_with(marked) || marked.starts_with(folder);
        self.folders.iter().find(related).map(PathBuf::as_path)
    }

    /// Marks a folder. `false`: it is marked already.
    pub(super) fn add_folder(&mut self, folder: &Path) -> bool {
        let is_new = !self.folders.iter().any(|marked| marked == folder);
        self.folders.extend(is_new.then(|| folder.to_owned()));
        is_new
    }

    /// Marks commits. `false`: they all are already.
    pub(super) fn add_commits(&mut self, commits: &[String]) -> bool {
        let before = self.commits.len();
        for commit in commits {
            if !self.commits.contains(commit) {
                self.commits.push(commit.clone());
            }
        }
        self.commits.len() > before
    }

    /// Notes that a run begins. One of the same worktree whose end is not recorded goes on: what was known before it counts.
    pub(super) fn begin(&mut self, run: OpenRun) -> bool {
        let is_new = !self.runs.iter().any(|open| open.is_of(&run));
        self.runs.extend(is_new.then_some(run));
        is_new
    }

    /// Notes that a run has ended, and what its agent has committed.
    pub(super) fn end(&mut self, run: &OpenRun, commits: &[String]) -> bool {
        let before = self.runs.len();
        self.runs.retain(|open| !open.is_of(run));
        self.add_commits(commits) || self.runs.len() < before
    }

    /// Takes marks off.
    pub(super) fn clear(&mut self, reviewed: &Reviewed) -> bool {
        let before = self.clone();
        self.folders.retain(|folder| !reviewed.folders.contains(folder));
        self.commits.retain(|commit| !reviewed.commits.contains(commit));
        for open in &mut self.runs {
            let seen =
                reviewed.runs.iter().find(|(run, _)| run.is_of(open)).map(|(_, heads)| heads.as_slice());
            let new = seen.unwrap_or_default().iter().filter(|head| !open.known.contains(head));
            let new: Vec<String> = new.cloned().collect();
            open.known.extend(new);
        }
        *self != before
    }
}

impl OpenRun {
    /// Whether it is of the same worktree.
    pub(super) fn is_of(&self, other: &OpenRun) -> bool {
        self.repository == other.repository && self.worktree == other.worktree
    }
}

/// The marks that are about one folder and the commit that is checked out there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reviewed {
    /// The folder itself, and marked folders in it.
    pub folders: Vec<PathBuf>,
    /// Commits that lead to what is checked out.
    pub commits: Vec<String>,
    /// Runs whose end is not recorded, and the commits up to which the user has looked.
    pub(super) runs: Vec<(OpenRun, Vec<String>)>,
    /// Marked folders in which the folder lies: their marks stay.
    pub above: Vec<PathBuf>,
}

impl Reviewed {
    /// Whether there is nothing to take off.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty() && self.commits.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(worktree: &str, known: &str) -> OpenRun {
        OpenRun {
            repository: "/r/.git".into(),
            worktree: worktree.to_owned(),
            known: vec![known.to_owned()],
            ..OpenRun::default()
        }
    }

    #[test]
    fn a_folder_counts_with_all_that_is_in_it_and_around_it() {
        let marks = Marks { folders: vec!["/p/app".into()], ..Marks::default() };
        for (folder, is_marked) in [
            ("/p/app", true),
            ("/p/app/sub", true),
            ("/p", true),
            ("/p/app2", false),
            ("/p/ap", false),
            ("/q", false),
        ] {
            assert_eq!(marks.folder_of(Path::new(folder)).is_some(), is_marked, "{folder}");
        }
    }

    #[test]
    fn a_run_counts_from_its_first_beginning_until_its_end() {
        let mut marks = Marks::default();
        assert!(marks.begin(run("one", "a")) && marks.begin(run("two", "a")));
        assert!(!marks.begin(run("one", "b")), "its end was not recorded");
        assert_eq!(marks.runs[0].known, ["a"]);
        assert!(marks.end(&run("one", ""), &["c".to_owned()]) && !marks.end(&run("one", ""), &[]));
        assert_eq!((marks.runs.len(), &marks.commits[..]), (1, &["c".to_owned()][..]));
        let reviewed = Reviewed {
            commits: vec!["c".to_owned()],
            runs: vec![(run("two", ""), vec!["d".to_owned()])],
            ..Reviewed::default()
        };
        assert!(marks.clear(&reviewed) && !marks.clear(&reviewed));
        assert_eq!((marks.commits.len(), &marks.runs[0].known[..]), (0, &["a".to_owned(), "d".into()][..]));
    }

    #[test]
    fn what_is_no_id_is_damage() {
        let id = "a".repeat(40);
        assert_eq!(Marks { commits: vec![id.clone()], ..Marks::default() }.damage(), None);
        assert!(Marks { commits: vec!["^x".to_owned()], ..Marks::default() }.damage().is_some());
        assert!(Marks { runs: vec![run("one", "--all")], ..Marks::default() }.damage().is_some());
    }
}
