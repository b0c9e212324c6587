//! The grammar of the command line.

use std::any::TypeId;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::{completions, man, schema};
use crate::commands;
use crate::invocation::{GlobalArgs, describe_setting};

/// Give every task of a coding agent its own folder: prepare it, run the agent in it, remove it
#[derive(Debug, Parser)]
#[command(name = "execenv", version, arg_required_else_help = true, max_term_width = 100)]
#[command(mut_args(describe_setting))]
#[command(after_help = "Examples:
  env=$(execenv prepare --provider claude --instructions rules.md)
  execenv run \"$env\" --prompt 'fix the failing test'
  execenv cleanup \"$env\"
  execenv gc --dry-run")]
pub struct Cli {
    #[command(flatten)]
    #[expect(missing_docs, reason = "a doc comment would become help; the options carry their own")]
    pub global: GlobalArgs,
    #[command(subcommand)]
    #[expect(missing_docs, reason = "a doc comment would become help; the commands carry their own")]
    pub command: Command,
}

/// The commands. The line here is the one of `execenv --help`; it is also the first of the command's own help, which a test
/// compares. The options of a command are built only when it is called: that is most of the time that the grammar takes.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Create an environment and print the path of its env root
    Prepare(commands::prepare::PrepareArgs),
    /// Refresh an existing environment for a new task document
    Reuse(commands::reuse::ReuseArgs),
    /// Run the agent, or any program, in an environment and wait for it
    Run(Box<commands::run::RunArgs>),
    /// Remove what execenv wrote, then the work dir; output/ and logs/ stay
    Cleanup(commands::cleanup::CleanupArgs),
    /// Check out a repository into the work dir, through a clone that all environments share
    Checkout(commands::checkout::CheckoutArgs),
    /// Remove old environments: one cycle over the workspaces root
    Gc(commands::gc::GcArgs),
    /// List all environments in the workspaces root
    List(commands::list::ListArgs),
    /// Show the disk usage of environments, and how much of it is build artifacts
    Du(commands::du::DuArgs),
    /// Show one environment in full: record, generated files, last run, paths
    Show(commands::show::ShowArgs),
    /// Show one run as a page: how it ended, a timeline, the transcript, the changes
    Report(commands::report::ReportArgs),
    /// Print what the agent of the last run did, or follow the run that is on
    Logs(commands::logs::LogsArgs),
    /// Show what the work in an environment has changed
    Diff(commands::diff::DiffArgs),
    /// Save the work in an environment as a commit and as a patch
    Checkpoint(commands::checkpoint::CheckpointArgs),
    /// Rebuild the work dir of an environment from a checkpoint or a patch
    Restore(commands::restore::RestoreArgs),
    /// Copy the work in an environment into a repository of its own
    Clone(commands::clone::CloneArgs),
    /// Begin a new branch in the repository of an environment
    Branch(commands::branch::BranchArgs),
    /// Merge the branches of tasks into the branch of one environment, step by step
    Merge(commands::merge::MergeArgs),
    /// Hand the work of an environment on: as a branch, merged, or as a pull request
    Publish(commands::publish::PublishArgs),
    /// Open a shell in the work dir of an environment, with the variables that a run would give
    Shell(commands::shell::ShellArgs),
    /// Give the running agent of an environment a message
    Send(commands::orders::send::SendArgs),
    /// Stop the agent of a run where it is, until `resume`
    Pause(commands::orders::pause::PauseArgs),
    /// Let the paused agent of a run go on
    Resume(commands::orders::resume::ResumeArgs),
    /// End the agent of a run, and wait for the end of the run
    Stop(commands::orders::stop::StopArgs),
    /// Check that a work dir is as it was before prepare, and list each difference
    Verify(commands::verify::VerifyArgs),
    /// List, restore or delete removed environments
    Trash(commands::trash::TrashArgs),
    /// Allow the setup and teardown commands that a repository names in its .execenv.json
    Trust(commands::trust::TrustArgs),
    /// Make and remove environments for an agent CLI that asks for worktrees itself
    Hook(commands::hook::HookArgs),
    /// Check programs, logins, the workspaces root and crashed environments
    Doctor(commands::doctor::DoctorArgs),
    /// Show the five steps with a built-in task; needs no account, server or agent CLI
    Demo(commands::demo::DemoArgs),
    /// Show every setting, its value and where the value comes from
    Config(commands::config::ConfigArgs),
    /// Print the completion script for a shell
    Completions(completions::CompletionsArgs),
    /// Show the manual page of a command, or the user's guide
    Man(man::ManArgs),
    /// Print the JSON Schema of a JSON answer, of the task document or of a state file
    Schema(schema::SchemaArgs),
}

/// Parses a command line.
///
/// # Errors
/// Where it is wrong or asks for help.
pub(super) fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let whole = Cli::command();
    let quick = first_word_only(&whole, arguments);
    let matches = match quick.and_then(|mut grammar| grammar.try_get_matches_from_mut(arguments).ok()) {
        Some(matches) => matches,
        None => whole_unless_help(whole, arguments).try_get_matches_from(arguments)?,
    };
    if arguments.iter().any(|word| word.as_encoded_bytes().contains(&b'+')) {
        let mut grammar = Cli::command();
        grammar.build();
        refuse_signs(&grammar, &matches)?;
    }
    Cli::from_arg_matches(&matches)
}

/// Refuses a number with a sign in front, which the standard library reads: `--last +5` means something else to other programs.
fn refuse_signs(command: &clap::Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    for arg in command.get_arguments() {
        let form = arg.get_value_parser().type_id();
        let is_number =
            [TypeId::of::<u64>(), TypeId::of::<u32>(), TypeId::of::<u16>(), TypeId::of::<usize>()]
                .iter()
                .any(|number| form == *number);
        let id = arg.get_id().as_str();
        let signed = |mut values: clap::parser::RawValues<'_>| {
            values.find(|value| value.as_encoded_bytes().starts_with(b"+")).map(ToOwned::to_owned)
        };
        if is_number
            && matches.value_source(id) == Some(ValueSource::CommandLine)
            && let Some(value) = matches.get_raw(id).and_then(signed)
        {
            let mut error = clap::Error::new(ErrorKind::ValueValidation);
            let text = value.to_string_lossy().into_owned();
            error.insert(ContextKind::InvalidArg, ContextValue::String(arg.to_string()));
            error.insert(ContextKind::InvalidValue, ContextValue::String(text));
            return Err(error);
        }
    }
    match matches.subcommand() {
        Some((name, below)) => {
            command.find_subcommand(name).map_or(Ok(()), |command| refuse_signs(command, below))
        }
        None => Ok(()),
    }
}

/// The grammar without the commands that the first word does not name: each gets a copy of every global option, which takes
/// most of the time of a short command. What it does not accept is left to the whole grammar, which knows what else there is.
fn first_word_only(whole: &clap::Command, arguments: &[OsString]) -> Option<clap::Command> {
    let command = whole.find_subcommand(arguments.get(1)?)?.clone();
    Some(clap::Command::new("execenv").args(whole.get_arguments().cloned()).subcommand(command))
}

/// Where the whole line is `--help`, no command needs its copies of the global options.
fn whole_unless_help(whole: clap::Command, arguments: &[OsString]) -> clap::Command {
    let is_help = matches!(arguments, [_, word] if word == "--help" || word == "-h");
    if is_help { whole.mut_args(|option| option.global(false)) } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_commands_has_the_first_line_of_each_command_s_help() {
        let listed = Cli::command();
        let mut built = Cli::command();
        built.build();
        for command in listed.get_subcommands() {
            let full = built.find_subcommand(command.get_name()).unwrap();
            let lines = [command, full].map(|command| command.get_about().unwrap().to_string());
            assert_eq!(lines[0], lines[1], "{}", command.get_name());
        }
    }

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_line_means_the_same_to_the_grammar_of_its_command_and_to_the_whole() {
        for line in [
            "execenv list",
            "execenv list -o json -vv --workspaces-root /r",
            "execenv show 3f9c --quiet --color=never",
            "execenv prepare --provider claude --skills a --skills b --config c",
            "execenv run 3f9c --timeout 1m -- true -o x --help",
            "execenv trash list",
            "execenv man run",
        ] {
            let line = words(line);
            let narrow =
                first_word_only(&Cli::command(), &line).unwrap().try_get_matches_from(&line).unwrap();
            let whole = Cli::command().try_get_matches_from(&line).unwrap();
            let read =
                [narrow, whole].map(|matches| format!("{:?}", Cli::from_arg_matches(&matches).unwrap()));
            assert_eq!(read[0], read[1], "{line:?}");
        }
    }

    #[test]
    fn help_and_a_wrong_line_are_told_by_the_whole_grammar() {
        for line in [
            "execenv --help",
            "execenv -h",
            "execenv list --help",
            "execenv help list",
            "execenv -q list --what",
            "execenv list --what",
            "execenv show",
            "execenv lost",
            "execenv",
        ] {
            let line = words(line);
            let told = parse(&line).unwrap_err().render().ansi().to_string();
            let whole = Cli::command().try_get_matches_from(&line).unwrap_err().render().ansi().to_string();
            assert_eq!(told, whole, "{line:?}");
        }
    }
}
