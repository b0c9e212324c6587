//! `execenv man`.

mod facts;
mod guide;
mod page;
mod plain;

use std::io::IsTerminal;

use anyhow::Result;
use clap::Args;
use clap_complete::ArgValueCandidates;
use serde::Serialize;

use crate::failure::{Code, Failure};
use crate::invocation::Context;
use crate::output::{Answer, Format, Version};
use crate::supervise::find_program;
use crate::sys::child::{self, Program};
#[cfg(test)]
pub(super) use facts::DOCUMENT;

/// Show the manual page of a command, or the user's guide
///
/// `execenv man guide` shows the guide: from the first environment to a fleet of machines.
///
/// On a terminal the page is shown by `man`, else as plain text. Into a file or a pipe, and with --roff, it is printed in
/// roff.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv man gc
  execenv man trash restore
  execenv man guide
  execenv man gc > ~/.local/share/man/man1/execenv-gc.1")]
pub struct ManArgs {
    /// Command, such as `gc` or `trash restore`, or `guide` [default: execenv itself]
    #[arg(value_name = "COMMAND", add = ArgValueCandidates::new(candidates))]
    pub command: Vec<String>,
    /// Print the page in roff also on a terminal
    #[arg(long)]
    pub roff: bool,
}

fn candidates() -> Vec<clap_complete::CompletionCandidate> {
    let commands = facts::pages().filter(|facts| !facts.page.contains('-')).map(|facts| facts.page);
    commands.chain(["guide"]).map(Into::into).collect()
}

/// Shows or prints a page.
///
/// # Errors
/// [`Code::Usage`] for a command that does not exist.
pub(super) fn run(args: &ManArgs, grammar: clap::Command, context: &Context) -> Result<Answer> {
    let words: Vec<&str> = args.command.iter().flat_map(|word| word.split(['-', ' '])).collect();
    let words = if words.first() == Some(&"execenv") { &words[1..] } else { &words[..] };
    let wanted = words.iter().fold("execenv".to_owned(), |name, word| format!("{name}-{word}"));
    let mut pages = pages(grammar)?;
    pages.push((guide::NAME.to_owned(), guide::page()));
    let page = pages.iter().find(|(name, _)| *name == wanted).ok_or_else(|| {
        Failure::new(Code::Usage, format!("there is no command `{}`", args.command.join(" ")))
            .hint("`execenv --help` lists the commands")
    })?;
    let json = ManDocument { schema: Version, name: &page.0, roff: &page.1 };
    let is_for_a_person =
        std::io::stdout().is_terminal() && context.settings.output == Format::Text && !args.roff;
    if !is_for_a_person {
        return Ok(Answer::new(page.1.trim_end(), json));
    }
    let text = if is_shown(&page.1, context) { String::new() } else { plain::text(&page.1) };
    Ok(Answer::new(text, json))
}

/// Shows a page with the system's `man`; `false`: there is none, or it failed.
fn is_shown(page: &str, context: &Context) -> bool {
    let inherited = &context.settings.inherited;
    let path = inherited.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone());
    let Ok(man) = find_program(None, None, "man", &path.unwrap_or_default()) else { return false };
    let args = ["-l".into(), "-".into()];
    let program = Program { path: &man, args: &args, dir: None, env: inherited };
    child::run_with_input(program, page.as_bytes()).is_ok_and(|status| status.success())
}

/// Every page by its name; `tests/cli/generated.rs` compares the files in `man/` with them.
///
/// # Errors
/// Never in practice: writing to memory does not fail.
pub fn pages(mut root: clap::Command) -> Result<Vec<(String, String)>> {
    root.build();
    let mut commands = vec![("execenv".to_owned(), root.clone())];
    below(&root, "execenv", &mut commands);
    let names: Vec<String> = commands.iter().map(|(name, _)| name.clone()).collect();
    commands.iter().map(|(name, command)| Ok((name.clone(), page::page(command, name, &names)?))).collect()
}

/// The codes of the failures that the command of a page can end with. `None`: there is no such page.
pub fn codes_of(page: &str) -> Option<Vec<Code>> {
    facts::pages().find(|facts| facts.page == page).map(facts::Facts::codes)
}

/// Whether the command of a page returns the status of the program that it has started, besides its own.
pub fn is_of_program(page: &str) -> bool {
    facts::pages().any(|facts| facts.page == page && facts.is_of_program())
}

/// The exit statuses that the command of a page returns, besides those of its program. `None`: there is no such page.
pub fn statuses_of(page: &str) -> Option<Vec<u8>> {
    let facts = facts::pages().find(|facts| facts.page == page)?;
    let of_failures = facts.codes().into_iter().flat_map(|code| facts.statuses_of(code));
    Some(std::iter::once(0).chain(of_failures).collect())
}

fn below(command: &clap::Command, prefix: &str, found: &mut Vec<(String, clap::Command)>) {
    for command in
        command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
    {
        let name = format!("{prefix}-{}", command.get_name());
        let shown = command.clone().name(name.clone()).version(env!("CARGO_PKG_VERSION"));
        found.push((name.clone(), shown));
        below(command, &name, found);
    }
}

/// A manual page.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ManDocument<'a> {
    schema: Version,
    /// Its name, such as `execenv-gc`.
    name: &'a str,
    /// Its text, in roff.
    roff: &'a str,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::app::Cli;

    #[test]
    fn every_page_has_its_facts() {
        let pages = pages(Cli::command()).unwrap();
        let names: Vec<&str> = pages.iter().filter_map(|(name, _)| name.strip_prefix("execenv-")).collect();
        let facts: Vec<&str> = facts::pages().map(|facts| facts.page).collect();
        let has = |list: &[&str], name: &&str| list.contains(name);
        assert!(names.iter().all(|name| has(&facts, name)), "{names:?}");
        assert!(facts.iter().all(|name| has(&names, name)), "{facts:?}");
    }
}
