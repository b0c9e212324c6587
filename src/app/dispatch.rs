//! From a parsed command line to the command that it names.

use std::ffi::OsString;
use std::sync::Arc;

use anyhow::Result;
use clap::CommandFactory;

use super::grammar::{Cli, Command};
use super::{completions, man, schema};
use crate::commands::{
    branch, checkout, checkpoint, cleanup, clone, config, demo, diff, doctor, du, gc, hook, list, logs,
    merge, orders, prepare, publish, report, restore, reuse, run, shell, show, trash, trust, verify,
};
use crate::invocation::Context;
use crate::output::{Format, LiveLine, answer, no_shell_form};

/// Runs a command, prints its answer, and returns the exit status.
///
/// # Errors
/// The command's own.
pub(super) fn run(command: Command, context: &Context) -> Result<u8> {
    let format = context.settings.output;
    if format == Format::Shell && !matches!(command, Command::Prepare(_) | Command::Reuse(_)) {
        return Err(no_shell_form().into());
    }
    // Commands that read the user's input defer signals themselves, after they have read it; so do those that do not always
    // change something. Commands that only look, which may take long, end at once.
    let changes = match &command {
        Command::Branch(_) | Command::Checkpoint(_) | Command::Cleanup(_) => true,
        Command::Pause(_) | Command::Resume(_) | Command::Stop(_) => true,
        Command::Doctor(args) => args.fix,
        _ => false,
    };
    if changes {
        context.defer_signals()?;
    }
    let _live = shown(&command).and_then(|name| LiveLine::start(name, Arc::clone(&context.progress)));
    let done = match command {
        // These stream.
        Command::Diff(args) => return diff::run(&args, context),
        Command::Run(args) => return run::run(&args, context),
        Command::Gc(args) => return gc::run(&args, context),
        Command::Demo(args) => return demo::run(&args, context),
        Command::Prepare(args) => return prepare::run(&args, context),
        Command::Reuse(args) => return reuse::run(&args, context),
        Command::Hook(args) => return hook::run(&args, context),
        Command::Checkout(args) => return checkout::run(&args, context),
        Command::Clone(args) => return clone::run(&args, context),
        Command::Branch(args) => return branch::run(&args, context),
        Command::Cleanup(args) => cleanup::run(&args, context),
        Command::Checkpoint(args) => checkpoint::run(&args, context),
        Command::Restore(args) => restore::run(&args, context),
        Command::Du(args) => du::run(&args, context),
        Command::List(args) => list::run(&args, context),
        Command::Merge(args) => merge::run(&args, context),
        Command::Publish(args) => publish::run(&args, context),
        Command::Send(args) => orders::send::run(&args, context),
        Command::Pause(args) => orders::pause::run(&args, context),
        Command::Resume(args) => orders::resume::run(&args, context),
        Command::Stop(args) => orders::stop::run(&args, context),
        Command::Report(args) => return report::run(&args, context),
        Command::Shell(args) => return shell::run(&args, context),
        Command::Logs(args) => return logs::run(&args, context),
        Command::Show(args) => return show::run(&args, context),
        Command::Verify(args) => verify::run(&args, context),
        Command::Trash(args) => trash::run(&args, context),
        Command::Trust(args) => trust::run(&args, context),
        Command::Doctor(args) => doctor::run(&args, context),
        Command::Config(args) => config::run(&args, context),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args, Cli::command(), context),
        Command::Schema(args) => schema::run(&args),
    };
    let mut done = done?;
    let deed = std::mem::take(&mut done.deed);
    answer(&done, deed, format)
}

/// The name of a command that may take long and does not draw on the terminal itself: a line shows its progress.
fn shown(command: &Command) -> Option<&'static str> {
    Some(match command {
        Command::Prepare(_) => "prepare",
        Command::Reuse(_) => "reuse",
        Command::Run(_) => "run", // until the agent starts
        Command::Cleanup(_) => "cleanup",
        Command::Gc(args) if args.stream => return None,
        Command::Gc(_) => "gc",
        Command::Checkout(_) => "checkout",
        Command::Clone(_) => "clone",
        Command::Branch(_) => "branch",
        Command::Checkpoint(_) => "checkpoint",
        Command::Restore(_) => "restore",
        Command::Du(_) => "du",
        Command::List(_) => "list",
        Command::Merge(_) => "merge",
        Command::Publish(_) => "publish",
        Command::Stop(_) => "stop",
        Command::Verify(_) => "verify",
        Command::Trash(_) => "trash",
        Command::Doctor(_) => "doctor",
        _ => return None,
    })
}

/// The internal entry of the program. `None`: this is an ordinary command line.
pub(super) fn hidden(arguments: &[OsString]) -> Option<u8> {
    crate::supervise::guard::entry(arguments)
        .or_else(|| crate::supervise::sandbox::stage(arguments))
        .or_else(|| crate::sys::child::bound(arguments))
}
