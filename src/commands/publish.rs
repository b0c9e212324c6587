//! `execenv publish`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;

use super::merge::{Shown, lines, shown};
use super::on_success::gh;
use super::repository::{RepositoryArgs, git_under, hold};
use crate::failure::{Code, Failure};
use crate::invocation::{Context, UserInput, WaitArgs, env_completer};
use crate::output::{self, Answer, Format, Version, escape};
use crate::work::publish::{Forge, Order, Published, To, publish};

/// Hand the work of an environment on: as a branch, merged, or as a pull request
///
/// Uncommitted work is committed on the branch first.
///
/// `branch`: the branch is in the repository that the work dir is a worktree of. A repository that stands alone, or that `checkout`
/// made, gives it to its remote `origin`; `--target` names another repository of yours.
///
/// `merge`: the branch is there, too, and is merged into `--base`, or `--base` is moved to it where nothing else was committed. If
/// `--base` is checked out somewhere, its files follow; uncommitted changes there stop the command. A repository that the work dir is
/// no worktree of must be named by `--target`.
///
/// `pr`: the branch is pushed to the remote `origin`, and `gh` opens a pull request, or finds the open one.
///
/// Every one can be repeated. No hook, and no program that the repository names, runs. Status 5: conflicts (then nothing is
/// merged), other commits, or uncommitted work are in the way.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv publish \"$env\" --to branch
  execenv publish \"$env\" --to merge --base main --squash
  execenv publish \"$env\" --to pr --body-file notes.txt -o json | jq -r .pr_url")]
pub struct PublishArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// How: branch, merge or pr
    #[arg(long, value_name = "HOW", value_parser = to(), hide_possible_values = true)]
    pub to: To,
    /// Name of the branch [default: the one that is checked out]
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,
    /// Branch to merge into; of a pull request, the branch that it is for [default there: the default branch of the server]
    #[arg(long, value_name = "BRANCH")]
    pub base: Option<String>,
    /// Another repository of yours, by its folder
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub target: Option<PathBuf>,
    /// With `--to merge`, merge as one commit with one parent
    #[arg(long)]
    pub squash: bool,
    /// Replace what a branch of that name has there, if this environment has published it
    #[arg(long)]
    pub force_with_lease: bool,
    /// Refuse uncommitted work instead of committing it
    #[arg(long)]
    pub no_commit: bool,
    /// Title of the commits and of the pull request [default: agent and task]
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Text of the pull request; `-`: from standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub body_file: Option<PathBuf>,
    /// The repository.
    #[command(flatten)]
    pub repository: RepositoryArgs,
    /// The wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

fn to() -> impl TypedValueParser<Value = To> {
    PossibleValuesParser::new(To::ALL.map(To::word))
        .map(|word| To::ALL.into_iter().find(|to| to.word() == word).expect("clap checked the word"))
}

pub(crate) fn run(args: &PublishArgs, context: &Context) -> Result<Answer> {
    args.refuse_pointless()?;
    let body = match &args.body_file {
        Some(file) => Some(String::from_utf8_lossy(&context.read(UserInput::BODY, file)?).into_owned()),
        None => None,
    };
    let target = args.target.as_ref().map(|dir| context.absolute(dir)).transpose()?;
    context.defer_signals()?;
    let env = args.wait.begin().while_busy(context, || hold(&args.env, context))?;
    let place = args.repository.find(&env, context)?;
    let order = Order {
        to: args.to,
        branch: args.branch.as_deref(),
        base: args.base.as_deref(),
        target: target.as_deref(),
        squash: args.squash,
        force: args.force_with_lease,
        commit: !args.no_commit,
        title: args.title.as_deref(),
        body: body.as_deref(),
        now: context.now,
    };
    let inherited = &context.settings.inherited;
    let gh = gh(context);
    let forge = Forge { program: gh.as_deref(), inherited, stop: &context.stop };
    let git = git_under(&env, context)?.until(Arc::clone(&context.stop));
    answer(args.to, &publish(&env, &place, &order, &git, &forge)?, &env.env.key(), context)
}

impl PublishArgs {
    fn refuse_pointless(&self) -> Result<()> {
        let pointless = [
            ("--squash", self.squash && self.to != To::Merge, "merge"),
            ("--body-file", self.body_file.is_some() && self.to != To::Pr, "pr"),
            ("--base", self.base.is_some() && self.to == To::Branch, "merge"),
        ];
        let Some((option, _, to)) = pointless.into_iter().find(|(_, is_pointless, _)| *is_pointless) else {
            return Ok(());
        };
        let message = format!("`{option}` means nothing with `--to {}`", self.to.word());
        Err(Failure::new(Code::Usage, message).hint(format!("leave it out, or use `--to {to}`")).into())
    }
}

fn answer(to: To, published: &Published, key: &str, context: &Context) -> Result<Answer> {
    let Published {
        branch,
        commit,
        saved,
        base,
        merged,
        conflicts,
        target,
        is_elsewhere,
        url,
        number,
        links: _,
    } = published;
    let json = PublishDocument {
        schema: Version,
        to: to.word(),
        branch,
        commit,
        saved: *saved,
        target,
        base: base.as_deref(),
        merged: merged.as_deref(),
        conflicts: shown(conflicts),
        pr_url: url.as_deref(),
        pr_number: *number,
    };
    for warning in published.warnings() {
        log::warn!("{}", escape(&warning));
    }
    if *is_elsewhere {
        output::log::note(&format!("the branch {} is in {}", escape(branch), escape(target)));
    }
    if let Some(message) = published.conflict() {
        let (message, base) = (escape(&message), escape(base.as_deref().unwrap_or_default()));
        let failure = Failure::new(Code::Conflicts, message).hint(format!(
            "merge {base} into the work first: `execenv merge start {key} {base}`, then repeat the command"
        ));
        output::failure(&failure.into(), context.settings.output == Format::Json);
        return Ok(Answer::new(lines(conflicts), json).with_status(Some(Code::Conflicts)));
    }
    let text = url.as_ref().or(merged.as_ref()).unwrap_or(branch);
    let what = escape(&published.says());
    Ok(Answer::new(escape(text), json).after(what, "the same command again prints the answer"))
}

/// What `publish` handed on.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PublishDocument<'a> {
    schema: Version,
    /// `branch`, `merge` or `pr`.
    to: &'static str,
    /// The branch.
    branch: &'a str,
    /// Its commit.
    commit: &'a str,
    /// Whether uncommitted work was committed first.
    saved: bool,
    /// Where it went: the folder of a repository, or an address without a login.
    target: &'a str,
    /// The branch that it was merged into, or that the pull request is for; else null.
    base: Option<&'a str>,
    /// The commit of that branch with the work in it, with `--to merge`; else null.
    merged: Option<&'a str>,
    /// Where the merge stopped.
    conflicts: Vec<Shown<'a>>,
    /// The address of the pull request; null without `--to pr`.
    pr_url: Option<&'a str>,
    /// Its number; null without `--to pr`.
    pr_number: Option<u64>,
}
