//! What a run's options ask for, and whether its agent can have it.

use anyhow::Result;

use crate::environment::LaunchFile;
use crate::failure::{Code, Failure};
use crate::provider::Provider;
use crate::provider::launch::{Dialect, Tells};
use crate::run::options::RunOptions;
use crate::supervise::Bounds;

/// An option that a program has no use for.
pub(super) fn of_agents_only(options: &RunOptions) -> Option<&'static str> {
    let asked = [
        ("--autonomous", options.autonomous.is_some()),
        ("--role", options.role.is_some()),
        ("--history", options.history.is_some()),
    ];
    asked.into_iter().find(|(_, is_asked)| *is_asked).map(|(option, _)| option)
}

pub(super) fn bounds(options: &RunOptions) -> Bounds {
    Bounds { cost_usd: options.max_cost, tokens: options.max_tokens, turns: options.max_turns.map(u64::from) }
}

/// Refuses a bound on something that the agent never says: it would never be reached.
pub(super) fn refuse_untold(options: &RunOptions, tells: Tells, who: &str, how: &str) -> Result<(), Failure> {
    let bounds = bounds(options);
    let untold = [
        ("--max-cost", "what it costs", bounds.cost_usd.is_some() && !tells.cost),
        ("--max-tokens", "how many tokens it uses", bounds.tokens.is_some() && !tells.tokens),
        ("--max-turns", "where a turn ends", bounds.turns.is_some() && !tells.turns),
    ];
    let Some((option, what, _)) = untold.into_iter().find(|(.., is_untold)| *is_untold) else {
        return Ok(());
    };
    let message = format!("`{option}`: {who} does not say {what} ({how})");
    Err(Failure::new(Code::Usage, message)
        .hint(format!("leave `{option}` out; `--timeout` bounds every run")))
}

/// The dialect that was asked for, else the first.
pub(super) fn dialect(row: &Provider, asked: Option<&str>) -> Result<&'static Dialect, Failure> {
    let found = match asked {
        None => row.dialects.first(),
        Some(name) => row.dialects.iter().find(|dialect| dialect.name == name),
    };
    found.ok_or_else(|| {
        let known: Vec<String> = row.dialects.iter().map(|dialect| format!("`{}`", dialect.name)).collect();
        Failure::new(Code::Usage, format!("{} has no dialect of that name", row.name)).hint(format!(
            "`--dialect` takes {} for {}",
            known.join(" or "),
            row.name
        ))
    })
}

pub(super) fn not_runnable(provider: &str, env: &str) -> Failure {
    let message = if provider.is_empty() {
        "the environment has no provider, so there is no agent to run".to_owned()
    } else {
        format!("this version cannot run the agent of `{provider}` itself")
    };
    Failure::new(Code::Usage, message).hint(format!("name the program: `execenv run {env} -- PROGRAM ARG…`"))
}

pub(super) fn prompt(options: &RunOptions, file: &LaunchFile) -> Result<String> {
    let prompt = options.prompt.clone().or_else(|| file.prompt.clone());
    prompt.filter(|text| !text.trim().is_empty()).ok_or_else(|| {
        Failure::new(Code::Usage, "there is no prompt, and the task document has none")
            .hint(
                "give one: `--prompt TEXT` or `--prompt-file FILE`, or a field `prompt` in the task document",
            )
            .into()
    })
}
