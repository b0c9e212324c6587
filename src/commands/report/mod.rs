//! `execenv report`.

mod target;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Args;

use self::target::Target;
use crate::failure::{Code, Failure};
use crate::invocation::{Context, env_completer};
use crate::output::{Answer, Deed, Format, answer, stream};
use crate::report::{Report, Sources, gather, html, markdown, text};
use crate::run::Which;

/// Show one run as a page: how it ended, a timeline, the transcript, the changes
///
/// Without an option it prints a short summary. `--html` writes one file that a browser shows without a network: the prompt, how the
/// run ended and why, a timeline of turns and tool calls, the transcript with folded outputs, the changed files with their diff,
/// checkpoints and warnings. Of a long run it shows the beginning and the end, and says how much was left out. The changes are those of all
/// runs of the environment together.
///
/// `report` changes nothing and waits for no lock. It also works while the run is on, after `cleanup`, and for a run that died. Texts and
/// outputs of the agent are shown as text and can run nothing. They, and the prompt, may hold secrets, so look at a report before you
/// pass it on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv report \"$env\"
  execenv report \"$env\" --html report.html
  execenv report \"$env\" --markdown - >> \"$GITHUB_STEP_SUMMARY\"
  execenv report \"$env\" --json | jq '.timeline.lanes[] | {tool, calls, errors}'")]
pub struct ReportArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// Write a page to FILE, which is replaced as a whole and can be read by you only; `-`: to standard output
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    /// Write Markdown to FILE, which is replaced as a whole; `-`: to standard output. It is shorter than 65,536 characters, so that
    /// it fits into the text of a pull request
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub markdown: Option<PathBuf>,
    /// Print the data of the report; the same as `-o json`
    #[arg(long)]
    pub json: bool,
    /// The run before the last one
    #[arg(long)]
    pub previous: bool,
}

pub(crate) fn run(args: &ReportArgs, context: &Context) -> Result<u8> {
    let as_json = args.json || context.settings.output == Format::Json;
    let to_stdout = [&args.html, &args.markdown].into_iter().flatten().filter(|file| is_stdout(file)).count();
    if to_stdout + usize::from(as_json) > 1 {
        return Err(Failure::new(Code::Usage, "two forms of the report cannot both go to standard output")
            .hint("name a file for one of them: `--html report.html`")
            .into());
    }
    let found = context.find(&args.env)?;
    let places = [&args.html, &args.markdown].map(|file| {
        file.as_deref()
            .filter(|file| !is_stdout(file))
            .map(|file| Target::of(file, context, &found))
            .transpose()
    });
    let [page, summary] = places;
    let (page, summary) = (page?, summary?);
    let git = context.git().until(Arc::clone(&context.stop));
    let which = if args.previous { Which::Previous } else { Which::Last };
    let report =
        gather(&Sources { found: &found, trust: context.trust(None), git: &git, now: context.now, which })?;
    for (target, form) in [(&page, html as fn(&Report) -> String), (&summary, markdown)] {
        if let Some(target) = target {
            target.write(&form(&report))?;
        }
    }
    let is_written = page.is_some() || summary.is_some();
    match (&args.html, &args.markdown) {
        _ if as_json => {
            let json = serde_json::to_value(&report).context("write the report as JSON")?;
            answer(&Answer::new("", json), Deed::Nothing, Format::Json)
        }
        (Some(file), _) if is_stdout(file) => print(&html(&report)),
        (_, Some(file)) if is_stdout(file) => print(&markdown(&report)),
        _ if is_written => Ok(0),
        _ => answer(&Answer::new(text(&report), serde_json::Value::Null), Deed::Nothing, Format::Text),
    }
}

fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

fn print(text: &str) -> Result<u8> {
    use std::io::Write as _;
    let mut out = stream();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(0)
}
