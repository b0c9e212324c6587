//! The options of `run` that hand the work on when the agent is done.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;

use crate::failure::{Code, Failure};
use crate::invocation::{Context, one_of};
use crate::run::OnSuccess;
use crate::supervise::find_program;
use crate::work::publish::To;

/// How work is published; `None`: not at all.
type Wanted = Option<To>;

/// The words of `--on-success`.
const WORDS: [(&str, Wanted); 4] =
    [("none", None), ("branch", Some(To::Branch)), ("merge", Some(To::Merge)), ("pr", Some(To::Pr))];

/// What becomes of the work
#[derive(Debug, Args)]
pub struct OnSuccessArgs {
    /// When the agent has completed, publish its work as `publish --to` does: none, branch, merge or pr
    #[arg(long, value_name = "HOW", default_value = "none", value_parser = one_of(&WORDS), hide_possible_values = true)]
    pub on_success: Wanted,
    /// With --on-success merge, the branch to merge into; with pr, the branch that the pull request is for
    #[arg(long, value_name = "BRANCH")]
    pub into: Option<String>,
}

impl OnSuccessArgs {
    /// What a run is told of it.
    ///
    /// # Errors
    /// A [`Code::Usage`] failure where a branch is missing, or means nothing.
    pub(super) fn read(&self, context: &Context) -> Result<Option<OnSuccess>> {
        let refused = |message: &str, hint: &str| Err(Failure::new(Code::Usage, message).hint(hint).into());
        match (self.on_success, &self.into) {
            (Some(To::Merge), None) => refused(
                "`--on-success merge` needs the name of the branch to merge into",
                "`--into main`, if that is the one",
            ),
            (None | Some(To::Branch), Some(_)) => refused(
                "`--into` means nothing without `--on-success merge` or `--on-success pr`",
                "leave it out, or say which of them is meant",
            ),
            (None, None) => Ok(None),
            (Some(to), into) => {
                let (into, stop) = (into.clone(), Arc::clone(&context.stop));
                Ok(Some(OnSuccess { to, into, gh: gh(context), stop }))
            }
        }
    }
}

/// The program that opens pull requests, where it is in PATH.
pub(super) fn gh(context: &Context) -> Option<PathBuf> {
    let inherited = &context.settings.inherited;
    let path = inherited.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone());
    find_program(None, None, "gh", &path.unwrap_or_default()).ok()
}
