//! `execenv completions`, and the answers to a shell that completes a line.

use std::ffi::OsString;

use anyhow::{Context as _, Result};
use clap::CommandFactory;
use clap_complete::env::{CompleteEnv, Shells};
use serde_json::json;

pub use super::grammar::SHELLS;
use super::grammar::{Cli, CompletionsArgs};
use crate::invocation::Context;
use crate::output::Answer;

/// The variable by which a shell's script asks for candidates; a private one, because other programs use `COMPLETE`.
const VARIABLE: &str = "EXECENV_COMPLETE";

pub(super) fn run(args: &CompletionsArgs, _context: &Context) -> Result<Answer> {
    let text = registration(&args.shell).context("write the script")?;
    Ok(Answer::new(text.trim_end(), json!({"schema": 1, "shell": args.shell, "script": text})))
}

/// Answers a shell that asks for candidates. `None`: nobody asks.
pub(super) fn answer(arguments: &[OsString]) -> Option<u8> {
    #[expect(clippy::disallowed_methods, reason = "variables are read in `cli`")]
    std::env::var_os(VARIABLE)?;
    let current_dir = std::env::current_dir().ok();
    let completer = CompleteEnv::with_factory(Cli::command).var(VARIABLE).bin("execenv").completer("execenv");
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
