//! Pull requests, through GitHub's own program `gh`: it has the user's login.

use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::order::{Job, Published};
use crate::environment::quoted;
use crate::failure::{Code, Failure};
use crate::sys::child::{Captured, Program, Streams, exchange};
use crate::sys::fault;

/// The longest that a call of gh may take.
const LIMIT: Duration = Duration::from_secs(120);
/// No question, no colour, no look for an update.
const QUIET: [(&str, &str); 4] =
    [("GH_PROMPT_DISABLED", "1"), ("GH_NO_UPDATE_NOTIFIER", "1"), ("NO_COLOR", "1"), ("GH_PAGER", "cat")];
const INSTALL: &str = "install it (https://cli.github.com)";
/// What is asked of each pull request.
const FIELDS: &str = "url,number,baseRefName,isCrossRepository";

/// How gh is started.
#[derive(Clone, Copy, Debug)]
pub struct Forge<'a> {
    /// The program; `None`: it is not installed.
    pub program: Option<&'a Path>,
    /// The variables of this process.
    pub inherited: &'a [(OsString, OsString)],
    /// Ends a call once it is set.
    pub stop: &'a AtomicBool,
}

/// A pull request, as gh prints it.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Listed {
    url: String,
    number: u64,
    base_ref_name: String,
    /// It is from a fork, which has a branch of the same name.
    is_cross_repository: bool,
}

impl Job<'_> {
    pub(super) fn to_pr(&self, published: &mut Published, forge: &Forge<'_>) -> Result<()> {
        let url = self.server()?;
        let repository = url.on_forge().with_context(|| {
            let message = format!("{} is no address of the form HOST/OWNER/NAME", url.address());
            Failure::new(Code::Usage, message)
                .hint("`gh` opens pull requests on GitHub; elsewhere use `--to branch`, then its own program")
        })?;
        self.push(&url, published)?;
        let branch = &published.branch;
        let again = format!(
            "the branch {branch} is pushed; repeat the command, or open one by hand: `gh pr create --repo {} --head {}`",
            quoted(Path::new(&repository)),
            quoted(Path::new(branch))
        );
        forge.program(Some(&again))?;
        let failed = |error: anyhow::Error| {
            error.context(Failure::new(Code::Failed, "no pull request was opened").hint(again.clone()))
        };
        let listed = forge.open(&repository, branch).map_err(failed)?;
        if let Some(open) = chosen(listed, self.order.base) {
            (published.url, published.number) = (Some(open.url), Some(open.number));
            published.base = Some(open.base_ref_name);
            return Ok(());
        }
        let mut words = vec!["pr", "create", "--repo", &repository, "--head", branch, "--title", &self.title];
        if let Some(base) = &published.base {
            words.extend(["--base", base]);
        }
        words.extend(["--body-file", "-"]);
        let body = self.order.body.map_or_else(|| format!("{}.\n", self.title), str::to_owned);
        fault::step()?;
        let said = forge.call(&words, Some(body.into_bytes())).map_err(failed)?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let address = said.lines().map(str::trim).rfind(|line| line.starts_with("https://"));
        let address = address.context("gh printed no address").map_err(failed)?;
        published.number = address.rsplit('/').next().and_then(|number| number.parse().ok());
        published.url = Some(address.to_owned());
        Ok(())
    }
}

/// The open pull request of the branch of this repository, to the base that is asked for.
fn chosen(listed: Vec<Listed>, base: Option<&str>) -> Option<Listed> {
    let is_it =
        |open: &Listed| !open.is_cross_repository && base.is_none_or(|base| base == open.base_ref_name);
    listed.into_iter().find(is_it)
}

impl<'a> Forge<'a> {
    /// # Errors
    /// A [`Code::GhMissing`] failure.
    pub(super) fn program(&self, then: Option<&str>) -> Result<&'a Path> {
        self.program.ok_or_else(|| {
            let message = "gh, the program that opens pull requests, is not in PATH";
            let hint = then.map_or_else(|| INSTALL.to_owned(), |then| format!("{INSTALL}; {then}"));
            Failure::new(Code::GhMissing, message).hint(hint).into()
        })
    }

    /// The open pull requests of branches with this name.
    fn open(&self, repository: &str, branch: &str) -> Result<Vec<Listed>> {
        let list =
            ["pr", "list", "--repo", repository, "--head", branch, "--state", "open", "--json", FIELDS];
        let said = self.call(&list, None)?;
        serde_json::from_slice(&said.stdout).context("read what `gh pr list` printed")
    }

    fn call(&self, words: &[&str], input: Option<Vec<u8>>) -> Result<Captured> {
        let program = self.program(None)?;
        let is_set = |name: &OsString| QUIET.iter().any(|(known, _)| name == known);
        let is_gits = |name: &OsString| name.as_encoded_bytes().starts_with(b"GIT_");
        let kept = self.inherited.iter().filter(|(name, _)| !is_set(name) && !is_gits(name)).cloned();
        let env: Vec<_> = kept.chain(QUIET.map(|(name, value)| (name.into(), value.into()))).collect();
        let args: Vec<OsString> = words.iter().map(OsString::from).collect();
        // Not in the work dir: gh would ask git there, by the repository's configuration.
        let started = Program { path: program, args: &args, dir: Some(Path::new("/")), env: &env };
        let streams = Streams { input, ..Streams::default() };
        let (said, cut) = exchange(started, streams, LIMIT, self.stop).context("run gh")?;
        let words = words[..2].join(" ");
        anyhow::ensure!(cut.is_none(), "`gh {words}` was ended: it took too long, or a signal arrived");
        let stderr = String::from_utf8_lossy(&said.stderr);
        anyhow::ensure!(said.status.success(), "`gh {words}`: {}", stderr.trim());
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pull_request_of_a_fork_or_to_another_base_is_not_ours() {
        let one = |number, base: &str, is_cross_repository| Listed {
            url: format!("https://h/o/n/pull/{number}"),
            number,
            base_ref_name: base.to_owned(),
            is_cross_repository,
        };
        let all = || vec![one(1, "main", true), one(2, "next", false), one(3, "main", false)];
        for (base, expected) in [(None, Some(2)), (Some("main"), Some(3)), (Some("other"), None)] {
            assert_eq!(chosen(all(), base).map(|open| open.number), expected, "{base:?}");
        }
    }
}
