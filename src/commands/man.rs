//! `execenv man`.

use anyhow::{Context as _, Result};
use clap::{Args, CommandFactory};
use clap_mangen::Man;
use serde_json::json;

use crate::cli::{Cli, Context};
use crate::failure::{Code, Failure};
use crate::gc::Reason;
use crate::output::Answer;

/// When the pages last changed. Fixed, so that they change only when a command does.
const DATE: &str = "2026-11-21";

/// Print a manual page, in the form that `man -l -` reads
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv man | man -l -
  execenv man gc > ~/.local/share/man/man1/execenv-gc.1")]
pub struct ManArgs {
    /// The command, `trash restore` for one; without it the page of execenv itself
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

pub(super) fn run(args: &ManArgs, _context: &Context) -> Result<Answer> {
    let wanted = args.command.iter().fold("execenv".to_owned(), |name, word| format!("{name}-{word}"));
    let pages = pages()?;
    let page = pages.iter().find(|(name, _)| *name == wanted).ok_or_else(|| {
        Failure::new(Code::Usage, format!("there is no command `{}`", args.command.join(" ")))
            .hint("`execenv --help` lists the commands")
    })?;
    Ok(Answer::new(page.1.trim_end(), json!({"schema": 1, "name": page.0, "roff": page.1})))
}

/// Every page by its name; `tests/generated.rs` compares the files in `man/` with them.
///
/// # Errors
/// Never in practice: writing to memory does not fail.
pub fn pages() -> Result<Vec<(String, String)>> {
    let mut root = Cli::command();
    root.build();
    let mut pages = vec![("execenv".to_owned(), page(root.clone(), &tables())?)];
    below(&root, "execenv", &mut pages)?;
    Ok(pages)
}

fn below(command: &clap::Command, prefix: &str, pages: &mut Vec<(String, String)>) -> Result<()> {
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = format!("{prefix}-{}", command.get_name());
        let extra = if name == "execenv-gc" { reasons() } else { String::new() };
        let shown = command.clone().name(name.clone()).version(env!("CARGO_PKG_VERSION"));
        pages.push((name.clone(), page(shown, &extra)?));
        below(command, &name, pages)?;
    }
    Ok(())
}

fn page(command: clap::Command, extra: &str) -> Result<String> {
    let mut bytes = Vec::new();
    Man::new(command)
        .date(DATE)
        .manual("execenv manual")
        .render(&mut bytes)
        .context("render a manual page")?;
    let mut text = String::from_utf8(bytes).context("render a manual page")?;
    text.push_str(extra);
    Ok(text)
}

fn tables() -> String {
    let mut text = String::from(".SH \"EXIT STATUS\"\n.TP\n0\ndone\n");
    for code in Code::ALL {
        text.push_str(&format!(".TP\n{} \\fI{}\\fR\n{}\n", code.status(), code.word(), roff(code.meaning())));
    }
    text.push_str(".PP\nBelow \\fBrun\\fR also 128+N when the agent died of signal N, else the agent's own status, and 1 where the agent ended with 0 but reported a failure.\n");
    text.push_str(".SH FILES\n.TP\n\\fI<env root>/.gc_meta.json\\fR\nthe environment's record\n.TP\n\\fI<env root>/.multica_sidecar_manifest.json\\fR\nwhat was put into the work dir\n.TP\n\\fI<env root>/output/result.json\\fR\nthe last run's result\n.TP\n\\fI<env root>/logs/agent.ndjson\\fR\nwhat the agent printed\n");
    text
}

fn reasons() -> String {
    let mut text = String::from(".SH REASONS\nThe words that say why an environment stays or goes.\n");
    for (_, word, meaning) in Reason::ALL {
        text.push_str(&format!(".TP\n\\fI{word}\\fR\n{}\n", roff(meaning)));
    }
    text
}

/// Text as roff reads it: no line begins with a control character, no dash turns into a hyphen.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace("\n.", "\n\\&.").replace("\n'", "\n\\&'")
}
