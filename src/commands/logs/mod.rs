//! `execenv logs`.

mod bytes;
mod events;
mod follow;

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::Args;

use crate::environment::{FailedStart, FoundEnv};
use crate::failure::{Code, Failure};
use crate::invocation::{Context, env_completer, parse_duration};
use crate::layout::names;
use crate::output::{Format, note};
use crate::run::Which;
use crate::run::transcript::Recorded;

/// Print what the agent of the last run did, or follow the run that is on
///
/// Prints a transcript: the prompt, what the agent wrote, each tool that it called with the important part of its input, the beginning of each
/// answer, the tokens, what execenv had to say, and how the run ended. Times are those at which execenv read the output, in your time
/// zone; a run of an older execenv has none. What a program (`run ENV -- PROGRAM`) printed comes line by line, without times.
///
/// `--events`, and `-o json`, print the events that `run -o json` printed, one JSON object a line, with the result as the last one;
/// `time` is null where it is not known. `--raw`, `--stderr` and `--run` print a log as it is. On a terminal, nothing that an agent
/// has printed can change the terminal's state.
///
/// With -f the command prints what is there, then what follows, and ends with the run. Its exit status is 0 however the run ends;
/// Ctrl-C ends it with 130, and the run goes on. If no run is on, -f changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv logs 3f9c
  execenv logs 3f9c -f
  execenv logs 3f9c --previous -n 20
  execenv logs 3f9c --since 15m
  execenv logs 3f9c --events | jq -r 'select(.type==\"tool_use\").tool'
  execenv logs 3f9c --stderr -n 50")]
pub struct LogsArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// Go on with what the run prints from now on, until it ends
    #[arg(short, long)]
    pub follow: bool,
    /// Print the events of the run as JSON, one a line, as `run -o json` does
    #[arg(long, group = "form")]
    pub events: bool,
    /// Print what the agent printed on standard output, unchanged
    #[arg(long, group = "form")]
    pub raw: bool,
    /// Print what the agent printed on standard error, unchanged
    #[arg(long, group = "form")]
    pub stderr: bool,
    /// Print the log of execenv itself: what was started, the notices, and how the run ended
    #[arg(long = "run", group = "form")]
    pub run_log: bool,
    /// Print only the last N entries of the transcript, or the last N lines
    #[arg(short = 'n', long = "last", value_name = "N")]
    pub last: Option<usize>,
    /// Of the transcript or the events, print only what is not older than this: a duration before now, or a time such as
    /// 2026-06-01T12:00:00Z. Entries without a time are kept. The logs themselves (--raw, --stderr, --run) have no such limit
    #[arg(long, value_name = "TIME", value_parser = parse_since, conflicts_with_all = ["raw", "stderr", "run_log"])]
    pub since: Option<Since>,
    /// Print the run before the last one
    #[arg(long, conflicts_with = "follow")]
    pub previous: bool,
}

/// The earliest time of what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So long before now.
    Ago(chrono::Duration),
    /// A time.
    Time(DateTime<Utc>),
}

fn parse_since(text: &str) -> Result<Since, String> {
    if let Ok(time) = text.parse::<DateTime<Utc>>() {
        return Ok(Since::Time(time));
    }
    parse_duration(text).map(Since::Ago).map_err(|_| {
        format!(
            "`{}` is neither a duration such as `15m` nor a time such as `2026-06-01T12:00:00Z`",
            text.escape_debug()
        )
    })
}

/// What is printed of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Transcript,
    Events,
    /// The log of this name.
    Log(&'static str),
}

impl LogsArgs {
    fn form(&self, output: Format) -> Form {
        match (self.raw, self.stderr, self.run_log) {
            (true, ..) => Form::Log(names::AGENT_LOG),
            (_, true, _) => Form::Log(names::STDERR_LOG),
            (.., true) => Form::Log(names::RUN_LOG),
            _ if self.events || output == Format::Json => Form::Events,
            _ => Form::Transcript,
        }
    }
}

pub(crate) fn run(args: &LogsArgs, context: &Context) -> Result<u8> {
    let found = context.find_even_damaged(&args.env)?;
    let which = if args.previous { Which::Previous } else { Which::Last };
    let recorded = Recorded::find(&found, which)?.ok_or_else(|| no_run(&found, args))?;
    if let Some(start) = failed_start(&found).filter(|_| !args.previous) {
        note(&format!("this is the run before: {}", start.words()));
    }
    if args.follow {
        context.defer_signals()?;
    }
    let follower = follow::Follower::new(&recorded, args.follow, context);
    let since = args.since.map(|since| match since {
        Since::Time(time) => time,
        Since::Ago(ago) => context.now.checked_sub_signed(ago).unwrap_or(DateTime::<Utc>::MIN_UTC),
    });
    match args.form(context.settings.output) {
        Form::Log(name) => bytes::print(name, args.last, follower)?,
        Form::Events => events::print_json(args.last, since, follower)?,
        Form::Transcript => events::print_text(args.last, since, follower)?,
    }
    Ok(follow::status(context))
}

/// A run that has no logs, because it failed before its agent started.
fn failed_start(found: &FoundEnv) -> Option<&FailedStart> {
    found.meta.as_ref()?.own.as_ref()?.failed_start.as_ref()
}

/// The failure where there is no such run.
fn no_run(found: &FoundEnv, args: &LogsArgs) -> Failure {
    let path = found.env.path.display();
    let key = found.env.key();
    let failed = failed_start(found).map(|start| format!("; {}", start.words())).unwrap_or_default();
    match args.previous {
        true => Failure::new(Code::NoLogs, format!("{path} has no run before the last one"))
            .hint(format!("`execenv logs {key}` prints the last one")),
        false => Failure::new(Code::NoLogs, format!("nothing has run in {path} yet{failed}"))
            .hint(format!("`execenv run {key} --prompt TEXT` runs the agent")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_takes_a_duration_or_a_time() {
        let time = "2026-06-01T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("15m", Some(Since::Ago(chrono::Duration::minutes(15)))),
            ("2026-06-01T14:00:00+02:00", Some(Since::Time(time))),
            ("2026-06-01", None),
            ("yesterday", None),
        ] {
            assert_eq!(parse_since(text).ok(), expected, "{text}");
        }
    }
}
