//! The grammar of the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands;

/// Isolated execution environments for coding-agent tasks: prepare, reuse, run, clean up, collect
#[derive(Debug, Parser)]
#[command(name = "execenv", version, arg_required_else_help = true, max_term_width = 100)]
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

/// Options of every command
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub workspaces_root: Option<PathBuf>,
    /// How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]
    #[arg(short, long, global = true, value_name = "FORMAT", value_parser = ["text", "json", "shell"], hide_possible_values = true)]
    pub output: Option<String>,
    /// Tell nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]
    #[arg(long, global = true, value_name = "WHEN", value_parser = ["auto", "always", "never"], hide_possible_values = true)]
    pub color: Option<String>,
    /// The configuration file [variable: EXECENV_CONFIG]
    #[arg(long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

impl GlobalArgs {
    pub(super) fn log_level(&self) -> Option<&'static str> {
        match (self.quiet, self.verbose) {
            (true, _) => Some("errors"),
            (_, 0) => None,
            (_, 1) => Some("info"),
            _ => Some("debug"),
        }
    }
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
    Completions(commands::completions::CompletionsArgs),
    Man(commands::man::ManArgs),
}
