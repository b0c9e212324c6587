//! The options of every command.

use std::path::PathBuf;

use clap::Args;

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
