//! The grammar of the command line.

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::invocation::{GlobalArgs, describe_setting};

/// Isolated execution environments for coding-agent tasks: prepare, reuse, run, clean up, collect
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
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// One subcommand with its arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    Prepare(commands::prepare::PrepareArgs),
    Reuse(commands::reuse::ReuseArgs),
    Run(commands::run::RunArgs),
    Cleanup(commands::cleanup::CleanupArgs),
    Gc(commands::gc::GcArgs),
    List(commands::list::ListArgs),
    Du(commands::du::DuArgs),
    Show(commands::show::ShowArgs),
    Verify(commands::verify::VerifyArgs),
    Trash(commands::trash::TrashArgs),
    Doctor(commands::doctor::DoctorArgs),
    Demo(commands::demo::DemoArgs),
    Config(commands::config::ConfigArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// The shells, by the names of their scripts.
pub const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "powershell", "elvish"];

/// Print the completions for a shell
///
/// The script asks execenv itself, so that ENV completes from what is on disk.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv completions bash > ~/.local/share/bash-completion/completions/execenv
  execenv completions zsh > \"${fpath[1]}/_execenv\"
  execenv completions fish > ~/.config/fish/completions/execenv.fish")]
pub struct CompletionsArgs {
    /// bash, zsh, fish, powershell or elvish
    #[arg(value_name = "SHELL", value_parser = SHELLS, hide_possible_values = true)]
    pub shell: String,
}

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
