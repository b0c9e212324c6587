//! The grammar of the command line, and the life of the process.

pub mod completions;
mod dispatch;
mod grammar;
pub mod man;

use std::ffi::OsString;
use std::num::ParseIntError;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

pub use grammar::{Cli, Command};

use crate::failure::{Code, Failure};
use crate::invocation::{Context, Settings};
use crate::output::{self, Format};
use crate::provider::plan::ALWAYS_EXPORTED;

/// Runs the program with the process's own arguments and returns its exit status.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(status) = dispatch::hidden(&arguments) {
        return ExitCode::from(status);
    }
    if let Some(status) = completions::answer(&arguments) {
        return ExitCode::from(status);
    }
    // The whole grammar takes longer to build than to say this.
    if matches!(&arguments[..], [_, word] if word == "--version" || word == "-V") {
        return match output::line(concat!("execenv ", env!("CARGO_PKG_VERSION"))) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let inherited: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    let parsed =
        Cli::command().try_get_matches_from(&arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(usage_error(&error, &arguments, &inherited)),
    };
    let is_run = matches!(cli.command, Command::Run(_));
    let asked = asked_format(&arguments, &inherited);
    let settings = Settings::resolve(&cli.global, inherited);
    let format = settings.as_ref().map_or(asked, |settings| settings.output);
    let mut interrupted = None;
    let status = settings.and_then(Context::new).and_then(|context| {
        output::log::start(context.settings.log, context.settings.color);
        let status = dispatch::run(cli.command, &context);
        interrupted = context.interrupted();
        Ok(interrupted.unwrap_or(status?))
    });
    ExitCode::from(match status {
        Ok(status) => status,
        // A reader that left is a quiet success, but never a success of a run.
        Err(error) if output::is_broken_pipe(&error) => {
            if is_run {
                141
            } else {
                0
            }
        }
        Err(error) => {
            let code = Failure::code_of(&error);
            tell(&error, format);
            match code {
                // Below `run` any failure of our own is 125, so that it is never taken for the agent's.
                Code::Failed if is_run => Code::RunFailed.status(),
                Code::Interrupted => interrupted.unwrap_or(Code::Interrupted.status()),
                // Statuses from 124 on are `run`'s.
                Code::AgentNotFound | Code::AgentNotStarted if !is_run => Code::Failed.status(),
                code => code.status(),
            }
        }
    })
}

/// Prints what clap has to say: help and version to stdout, a mistake as any other failure.
fn usage_error(error: &clap::Error, arguments: &[OsString], inherited: &[(OsString, OsString)]) -> u8 {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    if matches!(error.kind(), DisplayHelp | DisplayVersion) {
        let _ = error.print();
        return 0;
    }
    if error.kind() == DisplayHelpOnMissingArgumentOrSubcommand {
        output::story(&error.render().to_string());
        return Code::Usage.status();
    }
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    // The library's own words for a number that is none say nothing of what is wanted.
    if let Some(cause) = std::error::Error::source(error).filter(|cause| cause.is::<ParseIntError>()) {
        message = message.replace(&cause.to_string(), "a whole number such as `20` is wanted");
    }
    let mut hint = match subcommand(arguments) {
        Some(name) => format!("`execenv {name} --help` lists its options"),
        None => "`execenv --help` lists commands and options".to_owned(),
    };
    for line in lines {
        if let Some(tip) = line.strip_prefix("tip: ") {
            tip.clone_into(&mut hint);
        } else if let Some(usage) = line.strip_prefix("Usage: ") {
            hint = format!("{hint}; usage: {usage}");
        } else if !line.starts_with("For more information") {
            message = format!("{message} {line}");
        }
    }
    tell(&Failure::new(Code::Usage, message).hint(hint).into(), asked_format(arguments, inherited));
    Code::Usage.status()
}

/// Tells a failure. A shell that evaluates the answer fails, and goes on with no environment of an earlier one.
fn tell(error: &anyhow::Error, format: Format) {
    if format == Format::Shell {
        // A reader that has gone evaluates nothing.
        let _ = output::line(&format!("unset {}; false", ALWAYS_EXPORTED.join(" ")));
    }
    output::failure(error, format == Format::Json);
}

/// The command that a command line names, which may be wrong otherwise.
fn subcommand(arguments: &[OsString]) -> Option<String> {
    let grammar = Cli::command();
    let words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    words.filter_map(|word| grammar.find_subcommand(word)).map(|found| found.get_name().to_owned()).next()
}

/// The output format as far as it can be told when the command line as a whole makes no sense.
fn asked_format(arguments: &[OsString], inherited: &[(OsString, OsString)]) -> Format {
    let words: Vec<&str> =
        arguments.iter().filter_map(|word| word.to_str()).take_while(|word| *word != "--").collect();
    let asks = |format: &str| {
        let short = words.iter().any(|word| {
            let value = word.strip_prefix("--output=").or_else(|| word.strip_prefix("-o"));
            value.is_some_and(|value| value.trim_start_matches('=') == format)
        });
        let pair = |pair: &[&str]| matches!(pair[0], "-o" | "--output") && pair[1] == format;
        let by_variable =
            || inherited.iter().any(|(name, value)| name == "EXECENV_OUTPUT" && value == format);
        short || words.windows(2).any(pair) || by_variable()
    };
    match (asks("json"), asks("shell")) {
        (true, _) => Format::Json,
        (_, true) => Format::Shell,
        _ => Format::Text,
    }
}
