//! The life of the process: arguments, settings, the command, its end.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::CommandFactory;

use super::grammar::{self, Cli, Command};
use super::{completions, dispatch, early, usage};
use crate::exit::{End, of_command};
use crate::failure::{BeforeAgent, Code, Failure};
use crate::invocation::{Context, Origin, Setting, Settings};
use crate::output::{self, Format, terminal};
use crate::provider::plan::ALWAYS_EXPORTED;

/// The exit status of a program of Rust's whose main thread has panicked.
const PANICKED: i32 = 101;

/// Runs the program with the process's own arguments and returns its exit status.
pub fn main() -> ExitCode {
    end_on_panic();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let special = dispatch::hidden(&arguments).or_else(|| completions::answer(&arguments, Cli::command));
    ExitCode::from(special.or_else(|| version(&arguments)).unwrap_or_else(|| run(&arguments)))
}

/// Lets a panic, in whichever thread, end the process once it is told. By itself the release build would abort, and leave a
/// core dump with whatever secrets are in memory. No backtrace is taken: the release build has no tables for it (`build.rs`).
#[expect(clippy::exit, reason = "nothing of a process that has panicked is to go on")]
fn end_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(
            std::io::stderr(),
            "error: execenv has a bug: {panic}\n\
             hint: report these lines at {}/issues; `execenv doctor` tells what is left to repair",
            env!("CARGO_PKG_REPOSITORY")
        );
        std::process::exit(PANICKED);
    }));
}

/// Answers `--version` without building the grammar, which takes longer than to print one line.
fn version(arguments: &[OsString]) -> Option<u8> {
    let asked = matches!(arguments, [_, word] if word == "--version" || word == "-V");
    asked.then(|| {
        end_of(output::line(concat!("execenv ", env!("CARGO_PKG_VERSION"))).map(|()| 0), false, None)
    })
}

fn run(arguments: &[OsString]) -> u8 {
    let inherited: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    let asked = early::asked(arguments, &inherited);
    // Help and wrong usage are printed before the settings are known.
    terminal::start(asked.color(), &inherited);
    let cli = match grammar::parse(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let (format, color) = asked.with_file(&inherited);
            terminal::start(color, &inherited);
            return usage_error(&error, arguments, format);
        }
    };
    let is_run = matches!(cli.command, Command::Run(_) | Command::Shell(_));
    let settings = Settings::resolve(&cli.global, inherited);
    let format = settings.as_ref().map_or_else(|_| asked.format(), |settings| settings.output);
    let mut signal = None;
    let done = settings.and_then(Context::new).and_then(|context| {
        terminal::start(context.settings.color, &context.settings.inherited);
        output::log::start(context.settings.log);
        tell_settings(&context.settings);
        let status = dispatch::run(cli.command, &context);
        signal = context.signal();
        status
    });
    if let Err(error) = &done
        && !output::is_broken_pipe(error)
    {
        report(error, format);
    }
    let is_run = is_run && !done.as_ref().is_err_and(BeforeAgent::is);
    end_of(done, is_run, signal)
}

/// Says with `-v` what every command rests on.
fn tell_settings(settings: &Settings) {
    log::info!("workspaces root: {}", settings.workspaces_root.display());
    if let Some(file) = &settings.file {
        log::info!("configuration: {}", file.display());
    }
    for Setting { row, value, origin } in &settings.all {
        if *origin != Origin::Default {
            log::debug!("{} = {value}", row.key);
        }
    }
}

fn end_of(done: Result<u8>, is_run: bool, signal: Option<i32>) -> u8 {
    let end = match done {
        Ok(status) => End::Answered(status),
        Err(error) if output::is_broken_pipe(&error) => End::ReaderGone,
        Err(error) => End::Failed(Failure::code_of(&error)),
    };
    of_command(end, is_run, signal)
}

/// Prints help on standard output, and wrong usage as any other failure.
fn usage_error(error: &clap::Error, arguments: &[OsString], format: Format) -> u8 {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    match error.kind() {
        DisplayHelp | DisplayVersion => {
            let _ = output::help(&error.render().ansi().to_string()); // a reader that has left needs no help
            0
        }
        DisplayHelpOnMissingArgumentOrSubcommand => {
            output::story(&output::terminal::for_stderr(&error.render().ansi().to_string()));
            Code::Usage.status()
        }
        _ => {
            report(&usage::failure(error, arguments).into(), format);
            Code::Usage.status()
        }
    }
}

/// Prints a failure. A shell that evaluates the answer fails, and forgets the environment of an earlier `prepare`.
fn report(error: &anyhow::Error, format: Format) {
    if format == Format::Shell {
        // A reader that has gone evaluates nothing.
        let _ = output::line(&format!("unset {}; false", ALWAYS_EXPORTED.join(" ")));
    }
    output::failure(error, format == Format::Json);
}
