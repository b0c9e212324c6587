//! The one place that starts git: the user's own, because it has their configuration and their credentials.
//!
//! Every call is cut off from the variables that would point git elsewhere (`beyond.md` F12), from a repository
//! above the one that is meant, from the network, and from hooks and monitors that a repository in a hostile work dir
//! may name; it takes no optional lock, asks nobody, and ends in time. Calls that read working files go through
//! [`Git::filters_off`].

mod hidden;
mod search;
mod snapshot;
mod tracked;
mod unsaved;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::failure::{Code, Failure};
use crate::sys::child::{self, Captured, Program};

pub use unsaved::{Unsaved, UnsavedKind};

/// The longest that a call may take.
const LIMIT: Duration = Duration::from_secs(120);
/// More filters than this in one repository are no honest configuration.
const MOST_FILTERS: usize = 500;

/// The user's git.
#[derive(Clone, Debug)]
pub struct Git {
    program: Option<PathBuf>,
    pub(crate) env: Vec<(OsString, OsString)>,
    stop: Arc<AtomicBool>,
}

impl Git {
    /// `program` is git's path, `None` where there is none; `inherited` the variables of this process.
    pub fn new(program: Option<PathBuf>, inherited: &[(OsString, OsString)]) -> Git {
        let is_gits = |name: &OsStr| name.as_encoded_bytes().starts_with(b"GIT_");
        let kept = |name: &OsStr| matches!(name.to_str(), Some("GIT_CONFIG_GLOBAL" | "GIT_CONFIG_NOSYSTEM"));
        let env = inherited.iter().filter(|(name, _)| !is_gits(name) || kept(name)).cloned().collect();
        let mut git = Git { program, env, stop: Arc::default() };
        for (name, value) in [
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_TERMINAL_PROMPT", "0"),
            // A partial clone names the program that would fetch what it lacks.
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_ALLOW_PROTOCOL", "none"),
            ("LC_ALL", "C"),
        ] {
            git.set(name, value);
        }
        git
    }

    /// The same git for a command that may be cut short anywhere: a call ends as soon as `stop` is set, as a failed one.
    #[must_use]
    pub fn until(self, stop: Arc<AtomicBool>) -> Git {
        Git { stop, ..self }
    }

    pub(crate) fn set(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        let name = name.as_ref();
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.as_ref().to_owned()));
    }

    /// The same git with the filters switched off that the repository at `dir` names itself: `status` and `add` would
    /// run them on working files, and who can write to a work dir can write such a configuration. Those of the
    /// user's own configuration stay.
    ///
    /// # Errors
    /// As [`Git::run`].
    fn filters_off(&self, dir: &Path) -> Result<Git> {
        // `git lfs` is a filter of the user's that runs what a repository calls an extension of it.
        let keys = r"^(filter\..*\.(clean|smudge|process|required)|lfs\.extension\..*)$";
        let args = ["config", "--includes", "--show-scope", "--name-only", "-z", "--get-regexp", keys];
        let listed = self.run(dir, &args)?;
        anyhow::ensure!(
            matches!(listed.status.code(), Some(0 | 1)),
            "list the filters of {}: {}",
            dir.display(),
            String::from_utf8_lossy(&listed.stderr).trim()
        );
        let mut names: Vec<&[u8]> = Vec::new();
        let mut words = listed.stdout.split(|byte| *byte == 0);
        while let (Some(scope), Some(key)) = (words.next(), words.next()) {
            let name = match key.strip_prefix(b"filter.") {
                _ if matches!(scope, b"system" | b"global") => continue,
                Some(rest) => rest.rsplitn(2, |byte| *byte == b'.').last().unwrap_or(rest),
                None => b"lfs",
            };
            if !names.contains(&name) {
                names.push(name);
            }
            anyhow::ensure!(names.len() <= MOST_FILTERS, "{} names too many filters", dir.display());
        }
        let mut git = self.clone();
        // Not `-c`: a filter's name may hold `=`.
        let settings = names.iter().flat_map(|name| {
            [
                (*name, "clean", ""),
                (*name, "smudge", ""),
                (*name, "process", ""),
                (*name, "required", "false"),
            ]
        });
        let mut count = 0;
        for (name, key, value) in settings {
            let key = [b"filter.", name, b".", key.as_bytes()].concat();
            git.set(format!("GIT_CONFIG_KEY_{count}"), OsStr::from_bytes(&key));
            git.set(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        git.set("GIT_CONFIG_COUNT", count.to_string());
        Ok(git)
    }

    /// Runs `git ARGS` in a repository's own folder. A status other than 0 is an answer, not an error.
    ///
    /// # Errors
    /// When git is missing, cannot be started, or does not end in time.
    fn run(&self, dir: &Path, args: &[impl AsRef<OsStr>]) -> Result<Captured> {
        self.run_unless(dir, args, LIMIT, &self.stop)
    }

    /// The same within another time, and ended as soon as `stop` is set.
    ///
    /// # Errors
    /// As [`Git::run`]; when it was stopped.
    pub(crate) fn run_unless(
        &self,
        dir: &Path,
        args: &[impl AsRef<OsStr>],
        limit: Duration,
        stop: &AtomicBool,
    ) -> Result<Captured> {
        let program = self.program.as_deref().ok_or_else(|| {
            Failure::new(Code::Failed, "git is not in PATH").hint("install git 2.38 or later")
        })?;
        let safe = [
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.hooksPath=/dev/null",
            // A bare clone in a work dir is looked at, too.
            "-c",
            "safe.bareRepository=all",
        ];
        let safe = safe.iter().map(OsString::from);
        let args: Vec<OsString> = safe.chain(args.iter().map(|arg| arg.as_ref().to_owned())).collect();
        let mut env = self.env.clone();
        if let Some(above) = dir.parent() {
            env.push(("GIT_CEILING_DIRECTORIES".into(), above.into()));
        }
        let call = Program { path: program, args: &args, dir: Some(dir), env: &env };
        child::capture_unless(call, limit, stop).with_context(|| format!("run git in {}", dir.display()))
    }

    /// Runs `git ARGS` and gives back its output.
    ///
    /// # Errors
    /// As [`Git::run`]; also when git itself fails, with its own words, and when the output is too long to be whole.
    fn output(&self, dir: &Path, args: &[impl AsRef<OsStr>]) -> Result<Vec<u8>> {
        said(self.run(dir, args)?, dir, args)
    }

    /// The same where the answer is one line of text.
    fn text(&self, dir: &Path, args: &[impl AsRef<OsStr>]) -> Result<String> {
        let output = self.output(dir, args)?;
        Ok(String::from_utf8_lossy(&output).trim_end().to_owned())
    }
}

/// The whole output of a call that succeeded; of another one, git's own words as an error.
pub(crate) fn said(captured: Captured, dir: &Path, args: &[impl AsRef<OsStr>]) -> Result<Vec<u8>> {
    let name = || args.first().map(|arg| arg.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
    if captured.status.success() {
        let is_whole = (captured.stdout.len() as u64) < child::MOST_CAPTURED;
        anyhow::ensure!(is_whole, "`git {}` in {} says too much", name(), dir.display());
        return Ok(captured.stdout);
    }
    let words = String::from_utf8_lossy(&captured.stderr).trim().to_owned();
    anyhow::bail!("`git {}` in {}: {words}", name(), dir.display())
}
