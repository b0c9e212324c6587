//! `execenv run`.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use chrono::Duration;
use clap::Args;

use crate::failure::{Code, Failure};
use crate::invocation::{Context, UserInput, describe_setting, env_completer, parse_duration};
use crate::output::Printer;
use crate::run::{CleanupAfter, Resume, RunOptions, Surroundings, execute};
use crate::sys::clock;

/// Run the provider's agent, or any program, in an environment and wait for it
///
/// Exits with the agent's result: its own status, 124 when it ran out of time, 128+N when it died of signal N, 126
/// or 127 when its program could not be started or found, 125 when execenv itself failed. What the agent printed is in
/// logs/ (agent.ndjson, agent.stderr.log), the result in output/result.json. No process of the agent outlives the run.
#[derive(Debug, Args)]
#[command(mut_args(describe_setting))]
#[command(after_help = "Examples:
  execenv run \"$env\" --prompt 'fix the failing test'
  execenv run \"$env\" --resume --prompt 'and now the docs'
  execenv run \"$env\" --timeout 30m -o json | jq -r 'select(.type==\"result\").text'
  execenv run \"$env\" -- make test")]
pub struct RunArgs {
    /// The environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// Any program instead of the provider's agent, with its arguments; its standard input is the prompt, if one is given
    #[arg(last = true, value_name = "PROGRAM", num_args = 0..)]
    pub command: Vec<OsString>,
    /// What the agent is asked to do [default: composed from the task document]
    #[arg(long, value_name = "TEXT", conflicts_with = "prompt_file")]
    pub prompt: Option<String>,
    /// A file with the prompt; `-` reads standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub prompt_file: Option<PathBuf>,
    /// Go on with the environment's last session, or with the one named
    #[arg(long, value_name = "SESSION", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub resume: Option<String>,
    /// The model
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// The most turns the agent may take
    #[arg(long, value_name = "N")]
    pub max_turns: Option<u32>,
    /// A file whose text is added to the agent's system prompt
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub system_prompt_file: Option<PathBuf>,
    /// A variable for the agent; may be given more than once
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub env_vars: Vec<String>,
    /// A file of NAME=VALUE lines for the agent
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub env_file: Option<PathBuf>,
    /// Pass on no variables but PATH, HOME, USER, SHELL, TERM, LANG and the like
    #[arg(long)]
    pub clear_env: bool,
    /// The agent's program
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::ExecutablePath)]
    pub agent_bin: Option<PathBuf>,
    /// One more argument for the agent's program
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub agent_arg: Vec<OsString>,
    /// End the run after this time; 0: no limit
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// End the run when the agent prints nothing for this long and no tool runs; 0: no limit, as for a PROGRAM
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub idle_timeout: Option<Duration>,
    /// Time between SIGTERM and SIGKILL
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub kill_grace: Option<Duration>,
    /// End the run when this file appears
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    pub cancel_file: Option<PathBuf>,
    /// Clean the environment up when the run has ended, however it ends
    #[arg(long)]
    pub cleanup_after: bool,
}

impl RunArgs {
    /// Reads every input that the options name.
    fn options(&self, context: &Context) -> Result<RunOptions> {
        let settings = &context.settings;
        let read = |input, path: &Option<PathBuf>| {
            path.as_ref().map(|path| context.read_text(input, path)).transpose()
        };
        let prompt = match &self.prompt {
            Some(text) => Some(text.clone()),
            None => read(UserInput::PROMPT, &self.prompt_file)?,
        };
        let idle_timeout = match self.idle_timeout {
            // A program that is no agent may be as silent as it likes.
            None if !self.command.is_empty() => None,
            given => limit(given.unwrap_or(settings.idle_timeout)),
        };
        Ok(RunOptions {
            env: self.env.clone(),
            command: self.command.clone(),
            prompt,
            resume: self.resume.as_ref().map(|session| match session.as_str() {
                "" => Resume::Last,
                id => Resume::Named(id.to_owned()),
            }),
            model: self.model.clone(),
            max_turns: self.max_turns,
            system_prompt: read(UserInput::SYSTEM_PROMPT, &self.system_prompt_file)?,
            variables: self.variables(context)?,
            clear_env: self.clear_env,
            agent_bin: self.agent_bin.as_ref().map(|path| match path.components().count() {
                0 | 1 => path.clone(), // a name, to be found in PATH
                _ => context.absolute(path),
            }),
            agent_args: self.agent_arg.clone(),
            timeout: limit(self.timeout.unwrap_or(settings.timeout)),
            idle_timeout,
            kill_grace: self.kill_grace.unwrap_or(settings.kill_grace).to_std().unwrap_or_default(),
            cancel_file: self.cancel_file.as_ref().map(|path| context.absolute(path)),
            cleanup_after: self
                .cleanup_after
                .then(|| CleanupAfter { root: context.root.clone(), git: context.git() }),
        })
    }

    /// The variables of `--env-file` and `--env`.
    fn variables(&self, context: &Context) -> Result<Vec<(OsString, OsString)>> {
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
            let path = context.absolute(path);
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

pub(crate) fn run(args: &RunArgs, context: &Context) -> Result<u8> {
    let found = context.find(&args.env)?;
    let options = args.options(context)?;
    let surroundings = Surroundings {
        inherited: &context.settings.inherited,
        now: &|| clock::now(context.settings.variable("EXECENV_TEST_NOW")),
    };
    execute(found, &options, &surroundings, &mut Printer::new(context.settings.output))
}

/// A limit of time; zero is none.
fn limit(duration: Duration) -> Option<std::time::Duration> {
    duration.to_std().ok().filter(|limit| !limit.is_zero())
}
