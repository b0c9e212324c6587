//! The repository that a path lies in, and the commit from which a task's branch begins.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::command::{Git, Repository};
use super::failure::GitFailure;
use super::remote::Remote;

/// What git says where it finds no repository.
const NO_REPOSITORY: &str = "not a git repository";

/// A repository from which worktrees are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its git folder, which all of its worktrees share.
    pub common: PathBuf,
    /// The top of the working files that the path lies in; `None`: a bare repository, or a path in a git folder.
    pub top: Option<PathBuf>,
    /// It is a repository of the cache, which every agent can write.
    pub shared: Option<Shared>,
}

/// What is special about a repository of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Where a partial clone fetches what it lacks.
    pub remote: Option<Remote>,
}

/// The commit from which a branch begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The ref, as short as it was found.
    pub name: String,
    /// Its commit.
    pub commit: String,
}

/// Where the default branch of a repository is looked for, before its own HEAD: not what someone happens to have checked
/// out.
const DEFAULTS: [&str; 3] =
    ["refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master"];

impl Git {
    /// The repository that `path`, a folder, lies in. `None`: it lies in none.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn source(&self, path: &Path) -> Result<Option<Source>> {
        // The path last: it alone may hold line ends.
        let questions =
            ["--path-format=absolute", "--is-inside-work-tree", "--show-cdup", "--git-common-dir"];
        let answer = match self.at(path).upwards().look(["rev-parse"]).args(questions).output() {
            Ok(answer) => answer,
            Err(error) if is_no_repository(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let answer = answer.strip_suffix(b"\n").unwrap_or(&answer);
        let (inside, rest) = split_line(answer);
        let (up, common) = if inside == b"true" { split_line(rest) } else { (&b""[..], rest) };
        let common = PathBuf::from(OsStr::from_bytes(common));
        anyhow::ensure!(
            common.is_absolute(),
            "git does not say where the repository of {} lies",
            path.display()
        );
        let top = (inside == b"true").then(|| path.join(OsStr::from_bytes(up)));
        let real = |path: PathBuf| path.canonicalize().with_context(|| format!("resolve {}", path.display()));
        Ok(Some(Source { common: real(common)?, top: top.map(real).transpose()?, shared: None }))
    }
}

fn is_no_repository(error: &anyhow::Error) -> bool {
    GitFailure::find(error).is_some_and(|failure| failure.stderr.contains(NO_REPOSITORY))
}

fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, b""),
    }
}

impl Repository<'_> {
    /// The commit that `asked` names: a local ref or commit, else a branch of origin. Without it that of the default
    /// branch: origin's HEAD, `main` or `master`, else the repository's own HEAD. `None`: there is no such commit.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn base(&self, asked: Option<&str>) -> Result<Option<Base>> {
        let Some(asked) = asked else { return self.default_base() };
        for name in [asked.to_owned(), format!("refs/remotes/origin/{asked}")] {
            if let Some(commit) = self.commit_of(&name)? {
                return Ok(Some(Base { name: asked.to_owned(), commit }));
            }
        }
        Ok(None)
    }

    fn default_base(&self) -> Result<Option<Base>> {
        let format = "--format=%(refname) %(objectname) %(symref)";
        let there = self.look(["for-each-ref", format]).args(DEFAULTS).text()?;
        let found = DEFAULTS.iter().find_map(|name| {
            let line = there.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
            let (commit, target) = line.split_once(' ').unwrap_or((line, ""));
            let name = if target.is_empty() { name } else { target };
            Some((name.strip_prefix("refs/remotes/").unwrap_or(name).to_owned(), commit.to_owned()))
        });
        if let Some((name, commit)) = found {
            return Ok(Some(Base { name, commit }));
        }
        let commit = self.commit_of("HEAD")?;
        Ok(commit.map(|commit| Base { name: "HEAD".to_owned(), commit }))
    }
}
