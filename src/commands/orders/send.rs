//! `execenv send`.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::{Given, RunningEnvArgs, give, no_answer, no_run, too_late};
use crate::failure::{Code, Failure};
use crate::invocation::{Context, UserInput};
use crate::output::Answer;
use crate::supervise::{Order, Reply};

/// Give the running agent of an environment a message
///
/// The agent gets it as a further message of its user: at once where its CLI takes one during a turn, else when the turn is
/// over. A paused agent goes on first. The answer says what became of the message; an error says that the agent did not get it.
/// CLIs that take messages: those that speak stream-json with an open input (claude, codebuddy), ACP, or Codex' app-server.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv send \"$env\" 'leave the tests as they are'
  git diff main | execenv send \"$env\" -")]
pub struct SendArgs {
    /// The environment.
    #[command(flatten)]
    pub env: RunningEnvArgs,
    /// The message; `-` reads it from standard input
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    pub text: String,
}

pub(crate) fn run(args: &SendArgs, context: &Context) -> Result<Answer> {
    let found = context.find(&args.env.env)?;
    let text = match args.text.as_str() {
        "-" => context.read_text(UserInput::MESSAGE, Path::new("-"))?,
        text => text.to_owned(),
    };
    if text.trim().is_empty() {
        return Err(Failure::new(Code::Usage, "the message is empty").hint("give a text, or `-`").into());
    }
    context.defer_signals()?;
    let reply = match give(&found, Order::Send { text }, context)? {
        Given::Replied(reply) => reply,
        Given::NoRun => return Err(no_run(&found).into()),
        Given::Silent(_) => return Err(no_answer(&found).into()),
    };
    let (delivery, text) = match reply {
        Reply::Done | Reply::Unchanged | Reply::Written => ("written", "sent"),
        Reply::Queued => ("queued", "waits for the end of the turn"),
        Reply::TooLate => return Err(too_late(&found).into()),
        Reply::Unsupported => {
            let message = "this agent takes no messages while it works";
            return Err(Failure::new(Code::NoInput, message)
                .hint(format!(
                    "when it has ended: `execenv run {} --resume --prompt TEXT`",
                    found.env.path.display()
                ))
                .into());
        }
        Reply::Full => {
            return Err(Failure::new(Code::QueueFull, "100 messages wait for the agent already")
                .hint("send it again when the agent has read some")
                .into());
        }
    };
    Ok(Answer::new(text, json!({"schema": 1, "root_dir": found.env.path, "delivery": delivery})))
}
