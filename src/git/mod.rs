//! The one place that starts git: the user's own, because it has their configuration and their credentials.
//!
//! Every call is cut off from the variables that would point git elsewhere (`beyond.md` F12) and from hooks and
//! monitors that a repository in a hostile work dir may name; it takes no optional lock, asks nobody, and ends in time.

mod unsaved;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::failure::{Code, Failure};
use crate::sys::child::{self, Captured, Program};

pub use unsaved::{Unsaved, UnsavedKind};

/// The longest that a call may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The user's git.
#[derive(Clone, Debug)]
pub struct Git {
    program: Option<PathBuf>,
    env: Vec<(OsString, OsString)>,
}

impl Git {
    /// `program` is git's path, `None` where there is none; `inherited` the variables of this process.
    pub fn new(program: Option<PathBuf>, inherited: &[(OsString, OsString)]) -> Git {
        let is_gits = |name: &OsStr| name.as_encoded_bytes().starts_with(b"GIT_");
        let kept = |name: &OsStr| matches!(name.to_str(), Some("GIT_CONFIG_GLOBAL" | "GIT_CONFIG_NOSYSTEM"));
        let mut env: Vec<_> =
            inherited.iter().filter(|(name, _)| !is_gits(name) || kept(name)).cloned().collect();
        for (name, value) in [("GIT_OPTIONAL_LOCKS", "0"), ("GIT_TERMINAL_PROMPT", "0"), ("LC_ALL", "C")] {
            env.retain(|(known, _)| known != name);
            env.push((name.into(), value.into()));
        }
        Git { program, env }
    }

    /// Runs `git ARGS` in a folder. A status other than 0 is an answer, not an error.
    ///
    /// # Errors
    /// When git is missing, cannot be started, or does not end in time.
    fn run(&self, dir: &Path, args: &[&str]) -> Result<Captured> {
        let program = self.program.as_deref().ok_or_else(|| {
            Failure::new(Code::Failed, "git is not in PATH").hint("install git 2.38 or later")
        })?;
        let safe = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"];
        let args: Vec<OsString> = safe.iter().chain(args).map(OsString::from).collect();
        let call = Program { path: program, args: &args, dir: Some(dir), env: &self.env };
        child::capture(call, LIMIT).with_context(|| format!("run git in {}", dir.display()))
    }

    /// Runs `git ARGS` and gives back its output.
    ///
    /// # Errors
    /// As [`Git::run`]; also when git itself fails, with its own words.
    fn output(&self, dir: &Path, args: &[&str]) -> Result<Vec<u8>> {
        let captured = self.run(dir, args)?;
        if captured.status.success() {
            return Ok(captured.stdout);
        }
        let words = String::from_utf8_lossy(&captured.stderr).trim().to_owned();
        anyhow::bail!("`git {}` in {}: {words}", args.join(" "), dir.display())
    }
}
