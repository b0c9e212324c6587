//! The options of every command.

use std::path::PathBuf;

use clap::Args;

/// Options of every command
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Folder that holds the environments
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub workspaces_root: Option<PathBuf>,
    /// Format of the answer: text, json, or shell (prepare and reuse)
    #[arg(short, long, global = true, value_name = "FORMAT", value_parser = ["text", "json", "shell"], hide_possible_values = true)]
    pub output: Option<String>,
    /// Print only errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more details (-vv: all) [env: EXECENV_LOG=errors|warnings|info|debug]
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colour: auto, always or never; auto respects NO_COLOR, CLICOLOR_FORCE and TERM=dumb
    #[arg(long, global = true, value_name = "WHEN", value_parser = ["auto", "always", "never"], hide_possible_values = true)]
    pub color: Option<String>,
    /// Configuration file, JSON [default: ~/.config/execenv/config.json] [env: EXECENV_CONFIG]
    #[arg(long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub config: Option<PathBuf>,
}

impl GlobalArgs {
    /// The value that these options give to the setting `key`.
    pub(super) fn setting(&self, key: &str) -> Option<String> {
        match key {
            "workspaces_root" => self.workspaces_root.as_ref().map(|path| path.display().to_string()),
            "output" => self.output.clone(),
            "color" => self.color.clone(),
            "log" => self.verbosity().map(str::to_owned),
            _ => None,
        }
    }

    fn verbosity(&self) -> Option<&'static str> {
        match (self.quiet, self.verbose) {
            (true, _) => Some("errors"),
            (_, 0) => None,
            (_, 1) => Some("info"),
            _ => Some("debug"),
        }
    }
}
