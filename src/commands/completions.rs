//! `execenv completions`.

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};
use serde_json::json;

use crate::cli::{Cli, Context};
use crate::output::Answer;

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv completions bash > ~/.local/share/bash-completion/completions/execenv
  execenv completions zsh > \"${fpath[1]}/_execenv\"
  execenv completions fish > ~/.config/fish/completions/execenv.fish")]
pub struct CompletionsArgs {
    /// bash, zsh, fish, powershell or elvish
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, _context: &Context) -> Result<Answer> {
    let text = script(args.shell);
    Ok(Answer::new(text.trim_end(), json!({"schema": 1, "shell": args.shell.to_string(), "script": text})))
}

/// The script for a shell; `tests/generated.rs` compares the files in `completions/` with it.
pub fn script(shell: Shell) -> String {
    let mut bytes = Vec::new();
    generate(shell, &mut Cli::command(), "execenv", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
