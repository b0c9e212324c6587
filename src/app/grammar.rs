//! The grammar of the command line.

use clap::{Parser, Subcommand};

use super::{completions, man};
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
    #[expect(missing_docs, reason = "the options carry their own help")]
    pub global: GlobalArgs,
    #[command(subcommand)]
    #[expect(missing_docs, reason = "the commands carry their own help")]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "each command's help stands at its arguments")]
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
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}
