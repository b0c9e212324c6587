//! The repository that a path lies in, and the commit from which a task's branch begins.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::failure::GitFailure;
use super::program::Git;
use super::refs::is_commit_id;
use super::remote::Remote;
use super::repository::Repository;
use crate::sys::tree::Tree;

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
/// out. As patterns of `rev-parse --glob`, which says nothing where there is no such ref, with their short names.
const DEFAULTS: [(&str, &str); 3] = [
    ("refs/remotes/origin/HEA[D]", "origin/HEAD"),
    ("refs/remotes/origin/mai[n]", "origin/main"),
    ("refs/remotes/origin/maste[r]", "origin/master"),
];
/// The repository's own HEAD, whichever worktree the path lies in.
const OWN_HEAD: &str = "main-worktree/HEAD";
/// Has one word for an answer, `true` or `false`, which ends one part of an answer.
const MARK: &str = "--is-bare-repository";
/// Where the files of a repository say which branch its origin has for the default one.
const ORIGIN_HEAD: &str = "refs/remotes/origin/HEAD";
/// The longest such file that is read, in bytes.
const MOST_OF_A_REF: u64 = 4 << 10;

impl Git {
    /// The repository that `path`, a folder, lies in. `None`: it lies in none.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn source(&self, path: &Path) -> Result<Option<Source>> {
        let answer = self.ask(path, &[])?;
        answer.map(|answer| source_in(path, answer.strip_suffix(b"\n").unwrap_or(&answer))).transpose()
    }

    /// The repository that `path`, a folder, lies in, and the commit that `asked` names: seen from there, else a branch of origin.
    /// Without it that of the default branch: origin's HEAD, `main` or `master`, else the repository's own HEAD. `None` of
    /// the inner one: there is no such commit.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn source_and_base(
        &self,
        path: &Path,
        asked: Option<&str>,
    ) -> Result<Option<(Source, Option<Base>)>> {
        let globs = DEFAULTS.map(|(pattern, _)| format!("--glob={pattern}"));
        let wanted = asked.map_or(OWN_HEAD.to_owned(), |asked| format!("{asked}^{{commit}}"));
        // What `--default` names comes last, and only where no pattern has an answer.
        let mut more = vec!["--default", &wanted, MARK];
        if asked.is_none() {
            more.extend(globs.iter().flat_map(|glob| [glob.as_str(), MARK]));
        }
        let Some(answer) = self.ask(path, &more)? else { return Ok(None) };
        let marks = more.iter().filter(|word| **word == MARK).count();
        let Some((about, ids)) = parts(&answer, marks) else {
            anyhow::bail!("git does not say where the repository of {} lies", path.display());
        };
        let source = source_in(path, about)?;
        let base = match asked {
            None => self.default_base(&source, ids)?,
            Some(asked) => {
                let here = ids.into_iter().next().flatten().filter(|_| !asked.starts_with('-'));
                let of_origin = format!("refs/remotes/origin/{asked}");
                let commit = match here {
                    None => self.at(&source.common).commit_of(&of_origin)?,
                    here => here,
                };
                commit.map(|commit| Base { name: asked.to_owned(), commit })
            }
        };
        Ok(Some((source, base)))
    }

    /// Asks what [`source_in`] reads, and `more`. `None`: the path lies in no repository.
    fn ask(&self, path: &Path, more: &[&str]) -> Result<Option<Vec<u8>>> {
        // The path last: it alone may hold line ends.
        let questions =
            ["--path-format=absolute", "--is-inside-work-tree", "--show-cdup", "--git-common-dir"];
        match self.at(path).upwards().look(["rev-parse"]).args(questions).args(more).output() {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_no_repository(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The default branch: `ids` are the commits of [`DEFAULTS`] and of [`OWN_HEAD`], as far as there are any.
    fn default_base(&self, source: &Source, ids: Vec<Option<String>>) -> Result<Option<Base>> {
        let names = DEFAULTS.iter().map(|(_, name)| *name).chain(["HEAD"]);
        let found = names.zip(ids).find_map(|(name, id)| Some((name, id?)));
        let Some((name, commit)) = found else { return Ok(None) };
        let name = if name == "origin/HEAD" { self.default_of_origin(source)? } else { name.to_owned() };
        Ok(Some(Base { name, commit }))
    }

    /// The branch that origin's HEAD names.
    fn default_of_origin(&self, source: &Source) -> Result<String> {
        let file =
            Tree::open(&source.common).and_then(|tree| tree.read(Path::new(ORIGIN_HEAD), MOST_OF_A_REF));
        let file = file.ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
        let target = match file.as_deref().and_then(|text| text.trim_end().strip_prefix("ref: ")) {
            Some(target) => target.to_owned(),
            // Refs may lie elsewhere than in files.
            None => {
                let asked =
                    self.at(&source.common).look(["symbolic-ref", "--quiet", ORIGIN_HEAD]).answer()?;
                asked.map_or(ORIGIN_HEAD.to_owned(), |target| {
                    String::from_utf8_lossy(&target).trim_end().to_owned()
                })
            }
        };
        Ok(target.strip_prefix("refs/remotes/").unwrap_or(&target).to_owned())
    }
}

impl Repository<'_> {
    /// The default branch, as [`Git::source_and_base`] finds it, and its commit. `None`: there is no commit.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn default_base(&self) -> Result<Option<Base>> {
        let found = self.git().source_and_base(self.dir(), None)?;
        Ok(found.and_then(|(_, base)| base))
    }
}

/// What git says of the repository of `path`.
fn source_in(path: &Path, answer: &[u8]) -> Result<Source> {
    let (inside, rest) = split_line(answer);
    let (up, common) = if inside == b"true" { split_line(rest) } else { (&b""[..], rest) };
    let common = PathBuf::from(OsStr::from_bytes(common));
    anyhow::ensure!(common.is_absolute(), "git does not say where the repository of {} lies", path.display());
    let top = (inside == b"true").then(|| path.join(OsStr::from_bytes(up)));
    let real = |path: PathBuf| path.canonicalize().with_context(|| format!("resolve {}", path.display()));
    Ok(Source { common: real(common)?, top: top.map(real).transpose()?, shared: None })
}

/// Splits an answer into what comes before the first of so many marks, which may be any bytes, and what comes after each: one id at
/// most.
fn parts(answer: &[u8], marks: usize) -> Option<(&[u8], Vec<Option<String>>)> {
    let mut rest = answer.strip_suffix(b"\n").unwrap_or(answer);
    let (mut ids, mut id) = (Vec::new(), None);
    while ids.len() < marks {
        let end = rest.iter().rposition(|byte| *byte == b'\n')?;
        let last = std::str::from_utf8(&rest[end + 1..]).ok()?;
        match last {
            "true" | "false" => ids.push(id.take()),
            last if is_commit_id(last) && id.is_none() => id = Some(last.to_owned()),
            _ => return None,
        }
        rest = &rest[..end];
    }
    ids.reverse();
    Some((rest, ids))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_from_its_end_because_a_path_may_hold_anything() {
        let id = "a".repeat(40);
        for (answer, marks, expected) in [
            ("true\n\n/r/.git\nfalse\n".to_owned(), 1, Some(("true\n\n/r/.git", vec![None]))),
            (
                format!("true\n\n/r\ntrue/.git\nfalse\n{id}\n"),
                1,
                Some(("true\n\n/r\ntrue/.git", vec![Some(id.clone())])),
            ),
            (
                format!("false\n/r\ntrue\ntrue\n{id}\ntrue\n"),
                2,
                Some(("false\n/r\ntrue", vec![Some(id.clone()), None])),
            ),
            (format!("false\n/r\ntrue\n{id}\n{id}\n"), 1, None),
            ("false\n/r\n".to_owned(), 1, None),
        ] {
            let expected = expected.map(|(about, ids)| (about.as_bytes(), ids));
            assert_eq!(parts(answer.as_bytes(), marks), expected, "{answer:?}");
        }
    }
}
