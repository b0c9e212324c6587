//! The options that give an agent variables.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::failure::{Code, Failure};
use crate::invocation::{Context, UserInput};

/// Variables for the agent
#[derive(Debug, Args)]
pub struct VariableArgs {
    /// Set a variable for the agent; may be repeated
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub env_vars: Vec<String>,
    /// Set variables for the agent from this file of NAME=VALUE lines
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub env_file: Option<PathBuf>,
    /// Pass on only basic variables: PATH, HOME, USER, LOGNAME, SHELL, TERM, LANG, LC_*, TZ, TMPDIR
    #[arg(long)]
    pub clear_env: bool,
}

impl VariableArgs {
    /// The variables of `--env-file` and `--env`.
    ///
    /// # Errors
    /// 2 for a file that cannot be read, and for what is not of the form.
    pub(crate) fn read(&self, context: &Context) -> Result<Vec<(OsString, OsString)>> {
        let mut variables = Vec::new();
        let mut add = |line: &str, origin: &dyn Fn() -> String| -> Result<()> {
            match line.split_once('=') {
                Some((name, value)) if !name.trim().is_empty() => {
                    variables.push((name.trim().into(), value.into()));
                    Ok(())
                }
                // The text is not shown: it may be a secret.
                _ => {
                    Err(Failure::new(Code::Usage, format!("{} is not of the form NAME=VALUE", origin()))
                        .into())
                }
            }
        };
        if let Some(path) = &self.env_file {
            let text = context.read_text(UserInput::ENV_FILE, path)?;
            let path = context.absolute(path)?;
            for (number, line) in text.lines().enumerate() {
                let line = line.trim_start();
                if !line.is_empty() && !line.starts_with('#') {
                    add(line, &|| format!("{}, line {}", path.display(), number + 1))?;
                }
            }
        }
        for (number, line) in self.env_vars.iter().enumerate() {
            add(line, &|| format!("the value of `--env` number {}", number + 1))?;
        }
        Ok(variables)
    }
}
