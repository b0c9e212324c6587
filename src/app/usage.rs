//! Wrong usage of the command line, from what the parser found to a failure with a way out.

use std::ffi::OsString;
use std::num::ParseIntError;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::grammar::Cli;
use crate::failure::{Code, Failure};

/// The failure for a mistake that the parser found.
pub(super) fn failure(error: &clap::Error, arguments: &[OsString]) -> Failure {
    let command = subcommand(arguments);
    let hint = suggestion(error).unwrap_or_else(|| match &command {
        Some(name) => format!("`execenv {name} --help` lists its options"),
        None => "`execenv --help` lists the commands and options".to_owned(),
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
                None => "it is not valid".to_owned(),
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

/// What may have been meant.
fn suggestion(error: &clap::Error) -> Option<String> {
    let kinds = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let similar = kinds.into_iter().map(|kind| words(error, kind)).find(|words| !words.is_empty())?;
    Some(format!("did you mean `{}`?", similar.join("` or `")))
}

fn words(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(word)) => vec![word.clone()],
        Some(ContextValue::Strings(words)) => words.clone(),
        _ => Vec::new(),
    }
}

/// The command that a command line names, which may be wrong otherwise.
fn subcommand(arguments: &[OsString]) -> Option<String> {
    let grammar = Cli::command();
    let words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    words.filter_map(|word| grammar.find_subcommand(word)).map(|found| found.get_name().to_owned()).next()
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
            (&["cleanup"], "missing argument: <ENV>...", "cleanup --help"),
            (&["run", "x", "--resume=a", "--timeout"], "`--timeout <DURATION>` needs a value", "run --help"),
            (&["-q", "-v", "list"], "`--quiet` and `--verbose...` cannot be used together", "list --help"),
            (&["list", "--sizes", "--sizes"], "`--sizes` can be given only once", "list --help"),
            (&["show", "a", "b"], "unknown argument `b`", "show --help"),
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
