//! `execenv completions`, and the answers to a shell that completes a line.

use std::ffi::OsString;

use anyhow::{Context as _, Result};
use clap::Args;
use clap_complete::env::{CompleteEnv, Shells};
use serde::Serialize;

use crate::output::{Answer, Version};

/// The variable with which a shell's script asks for candidates; not `COMPLETE`, which other programs use.
const VARIABLE: &str = "EXECENV_COMPLETE";
/// The shells, by the names of their scripts.
pub const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "powershell", "elvish"];

/// Print the completion script for a shell
///
/// The script calls execenv, so that ENV completes to the environments that exist.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv completions bash > ~/.local/share/bash-completion/completions/execenv
  execenv completions zsh > \"${fpath[1]}/_execenv\"
  execenv completions fish > ~/.config/fish/completions/execenv.fish")]
pub struct CompletionsArgs {
    /// Shell: bash, zsh, fish, powershell or elvish
    #[arg(value_name = "SHELL", value_parser = SHELLS, hide_possible_values = true)]
    pub shell: String,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<Answer> {
    let text = registration(&args.shell).context("write the script")?;
    Ok(Answer::new(
        text.trim_end(),
        CompletionsDocument { schema: Version, shell: &args.shell, script: &text },
    ))
}

/// Answers a shell that asks for candidates. `None`: this is an ordinary call.
pub(super) fn answer(arguments: &[OsString], grammar: fn() -> clap::Command) -> Option<u8> {
    #[expect(clippy::disallowed_methods, reason = "asked before anything else is read")]
    std::env::var_os(VARIABLE)?;
    let current_dir = std::env::current_dir().ok();
    let completer = CompleteEnv::with_factory(grammar).var(VARIABLE).bin("execenv").completer("execenv");
    match completer.try_complete(arguments.iter().cloned(), current_dir.as_deref()) {
        Ok(true) => Some(0),
        Ok(false) => None,
        Err(_) => Some(1),
    }
}

/// The script that a shell loads; `shell` by its name.
///
/// # Errors
/// Never in practice: writing to memory does not fail.
pub fn registration(shell: &str) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(completer) = Shells::builtins().completer(shell) {
        completer.write_registration(VARIABLE, "execenv", "execenv", "execenv", &mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The script with which a shell completes execenv's command lines.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct CompletionsDocument<'a> {
    schema: Version,
    /// The shell.
    shell: &'a str,
    /// The script.
    script: &'a str,
}
