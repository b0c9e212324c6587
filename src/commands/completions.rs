//! `execenv completions`.

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;

use crate::cli::{Context, registration};
use crate::output::Answer;

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

pub(super) fn run(args: &CompletionsArgs, _context: &Context) -> Result<Answer> {
    let text = registration(&args.shell).context("write the script")?;
    Ok(Answer::new(text.trim_end(), json!({"schema": 1, "shell": args.shell, "script": text})))
}
