//! Wrong usage of the command line, from what the parser found to a failure with a way out.

use std::ffi::OsString;
use std::num::ParseIntError;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::grammar::Cli;
use super::meant::Place;
use crate::failure::{Code, Failure};

/// The failure for a mistake that the parser found.
pub(super) fn failure(error: &clap::Error, arguments: &[OsString]) -> Failure {
    let mut grammar = Cli::command();
    grammar.build();
    let all: Vec<&str> = arguments.iter().skip(1).filter_map(|word| word.to_str()).collect();
    let place = place(&grammar, &all);
    let hint = place.hint(error).unwrap_or_else(|| {
        let command: String = place.names.iter().map(|name| format!(" {name}")).collect();
        let has_commands = place.command.get_subcommands().any(|command| command.get_name() != "help");
        let lists = if has_commands { "the commands and options" } else { "its options" };
        format!("`execenv{command} --help` lists {lists}")
    });
    Failure::new(Code::Usage, message(error)).hint(hint)
}

fn message(error: &clap::Error) -> String {
    let get = |kind| words(error, kind).join(", ");
    let argument = get(ContextKind::InvalidArg);
    let value = get(ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::InvalidValue if value.is_empty() => format!("`{argument}` needs a value"),
        ErrorKind::InvalidValue => {
            let accepted = get(ContextKind::ValidValue);
            format!("`{value}` is not a value of `{argument}`; accepted are {accepted}")
        }
        ErrorKind::ValueValidation => {
            let source = std::error::Error::source(error);
            // The standard library's words for a number that cannot be read do not say what is accepted.
            let why = match source {
                Some(cause) if cause.is::<ParseIntError>() => {
                    "expected a whole number such as `20`".to_owned()
                }
                Some(cause) => cause.to_string(),
                // Only the parser's own refusal of a sign has no cause.
                None => "expected a whole number such as `20`".to_owned(),
            };
            format!("`{argument}` cannot be `{value}`: {why}")
        }
        ErrorKind::UnknownArgument => format!("unknown argument `{argument}`"),
        ErrorKind::InvalidSubcommand => format!("unknown command `{}`", get(ContextKind::InvalidSubcommand)),
        ErrorKind::NoEquals => format!("`{argument}` takes its value after `=`"),
        ErrorKind::TooManyValues => format!("`{value}` is one value too many for `{argument}`"),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => format!("`{argument}` needs more values"),
        ErrorKind::ArgumentConflict => {
            let others = words(error, ContextKind::PriorArg);
            match others.is_empty() || others == [argument.clone()] {
                true => format!("`{argument}` can be given only once"),
                false => format!("`{argument}` and `{}` cannot be used together", others.join("`, `")),
            }
        }
        ErrorKind::MissingRequiredArgument => {
            format!("missing argument: {}", words(error, ContextKind::InvalidArg).join(" "))
        }
        ErrorKind::InvalidUtf8 => "an argument is not valid UTF-8".to_owned(),
        other => other.as_str().unwrap_or("the arguments cannot be understood").to_owned(),
    }
}

fn words(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(word)) => vec![word.clone()],
        Some(ContextValue::Strings(words)) => words.clone(),
        _ => Vec::new(),
    }
}

/// The command that a command line names, which may be wrong otherwise.
fn place<'a>(grammar: &'a clap::Command, words: &'a [&'a str]) -> Place<'a> {
    let mut place = Place { names: Vec::new(), command: grammar, words };
    let mut is_value = false;
    for word in words.iter().take_while(|word| **word != "--") {
        if std::mem::take(&mut is_value) {
            continue;
        }
        if let Some(long) = word.strip_prefix("--") {
            let option = place.command.get_arguments().find(|argument| argument.get_long() == Some(long));
            is_value = option.is_some_and(|option| option.get_action().takes_values());
        } else if let Some(command) = place.command.find_subcommand(word).filter(|it| it.get_name() != "help")
        {
            place.names.push(command.get_name().to_owned());
            place.command = command;
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_named_with_a_way_out() {
        for (words, message, hint) in [
            (
                &["gc", "--max-total", "1X"][..],
                "`--max-total <SIZE>` cannot be `1X`: ",
                "`execenv gc --help` lists",
            ),
            (&["gc", "--max-count", "x"], "cannot be `x`: expected a whole number such as `20`", "gc --help"),
            (&["gc", "--jobs", "0"], "`--jobs <N>` cannot be `0`: 0 is not in 1..=256", "gc --help"),
            (
                &["prepare", "--mcp-mode", "loose"],
                "`--mcp-mode <MODE>`; accepted are strict, merge",
                "prepare --help",
            ),
            (&["prepare", "--mcp-mode", "strictt"], "`strictt` is not a value of", "did you mean `strict`?"),
            (&["gc", "--dry-rum"], "unknown argument `--dry-rum`", "did you mean `--dry-run`?"),
            (&["cleanpu"], "unknown command `cleanpu`", "did you mean `cleanup`?"),
            (&["nope"], "unknown command `nope`", "`execenv --help` lists"),
            (&["help", "nope"], "unknown command `nope`", "`execenv --help` lists"),
            (&["gc", "--max-size", "3G"], "unknown argument `--max-size`", "`--max-total SIZE`"),
            (&["reuse", "x", "y"], "unknown argument `y`", "takes one environment"),
            (&["cleanup"], "missing argument: <ENV>...", "`execenv list` shows the environments"),
            (&["run", "x", "--resume=a", "--timeout"], "`--timeout <DURATION>` needs a value", "run --help"),
            (&["-q", "-v", "list"], "`--quiet` and `--verbose...` cannot be used together", "list --help"),
            (&["list", "--sizes", "--sizes"], "`--sizes` can be given only once", "list --help"),
            (&["show", "a", "b"], "unknown argument `b`", "takes one environment"),
            (&["prepare", "--git", "x"], "unknown argument `--git`", "`--repo DIR` makes"),
            (&["prepare", "--branch", "x"], "unknown argument `--branch`", "`--repo DIR --base REF`"),
            (&["prepare", "--local", "x"], "unknown argument `--local`", "did you mean `--local-dir`?"),
            (&["prepare", "--force"], "unknown argument `--force`", "`--replace`"),
            (&["prepare", "--prompt=x"], "unknown argument `--prompt`", "option of `execenv run`"),
            (&["prepare", "."], "unknown argument `.`", "`--local-dir .`"),
            (&["prepare", "task.json"], "unknown argument `task.json`", "`--task task.json`"),
            (&["prepare", "--json"], "unknown argument `--json`", "`-o json`"),
            (
                &["run", "x", "--container"],
                "unknown argument `--container`",
                "`execenv run --help` lists its options",
            ),
            (&["run", "x", "echo", "hi"], "unknown argument `echo`", "`execenv run ENV -- echo …`"),
            (&["run", "x", "--resume", "s"], "unknown argument `s`", "`--resume=s`"),
            (&["run", "x", "--continue"], "unknown argument `--continue`", "`--resume`"),
            (&["run", "x", "-p", "hi"], "unknown argument `-p`", "`--prompt TEXT`"),
            (&["gc", "--older-than", "3d"], "unknown argument `--older-than`", "`--ttl DURATION`"),
            (&["gc", "--force"], "unknown argument `--force`", "cleanup --all ENV"),
            (&["gc", "x"], "unknown argument `x`", "gc --explain x"),
            (&["gc", "-n"], "unknown argument `-n`", "`--dry-run`"),
            (&["cleanup", "x", "--dry-run"], "unknown argument `--dry-run`", "`--trash`"),
            (&["rm", "x"], "unknown command `rm`", "`execenv cleanup ENV`"),
            (&["remove", "x"], "unknown command `remove`", "`execenv cleanup ENV`"),
            (&["create"], "unknown command `create`", "`execenv prepare`"),
            (&["status", "x"], "unknown command `status`", "`execenv list`"),
            (&["undelete", "x"], "unknown command `undelete`", "`execenv trash restore ENV`"),
            (&["version"], "unknown command `version`", "`execenv --version`"),
            (&["blame"], "unknown command `blame`", "`execenv --help` lists the commands and options"),
            (&["shelf"], "unknown command `shelf`", "did you mean `shell`?"),
            (&["completions", "tcsh"], "`tcsh` is not a value of `<SHELL>`", "completions --help"),
            (&["trash", "rm", "x"], "unknown command `rm`", "`execenv trash empty`"),
            (&["trash", "nope"], "unknown command `nope`", "`execenv trash --help` lists the commands"),
            (&["trash", "restore"], "missing argument: <ENTRY>", "`execenv trash restore --help` lists its"),
            (&["config", "get", "ttl"], "unknown argument `get`", "`execenv config` shows all settings"),
            (&["--config", "prepare", "gc", "--nope"], "unknown argument `--nope`", "`execenv gc --help`"),
        ] {
            let arguments: Vec<OsString> =
                std::iter::once("execenv").chain(words.iter().copied()).map(OsString::from).collect();
            let error = Cli::command().try_get_matches_from(&arguments).unwrap_err();
            let failure = failure(&error, &arguments);
            assert!(failure.message.contains(message), "{words:?}: {}", failure.message);
            assert!(failure.hint.as_deref().unwrap().contains(hint), "{words:?}: {:?}", failure.hint);
        }
    }
}
