//! `execenv send`.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::{Given, RunningEnvArgs, give, no_answer, no_run, too_late};
use crate::failure::{Code, Failure};
use crate::invocation::{Context, UserInput};
use crate::output::{Answer, Version};
use crate::supervise::{LoginCode, Order, Reply};

/// Give the running agent of an environment a message
///
/// The agent gets it as a further message of its user: at once where its CLI takes one during a turn, else when the turn is
/// over. A paused agent goes on first. The answer says what became of the message; an error says that the agent did not get it.
/// CLIs that take messages: those that speak stream-json with an open input (claude, codebuddy), ACP, or Codex' app-server.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv send \"$env\" 'leave the tests as they are'
  git diff main | execenv send \"$env\" -
  execenv send \"$env\" --auth-code -     # of the page that a `run --auth-login` has named")]
pub struct SendArgs {
    /// The environment.
    #[command(flatten)]
    pub env: RunningEnvArgs,
    /// The message; `-` reads it from standard input
    #[arg(value_name = "TEXT", allow_hyphen_values = true, required_unless_present = "auth_code")]
    pub text: Option<String>,
    /// Give a login that `run --auth-login` has begun its code; `-` reads it from standard input, where no list of processes shows it
    #[arg(long, value_name = "CODE", conflicts_with = "text", allow_hyphen_values = true)]
    pub auth_code: Option<String>,
}

impl SendArgs {
    /// What the run is asked, and its text.
    fn order(&self, context: &Context) -> Result<Order> {
        let read = |given: &str| match given {
            "-" => context.read_text(UserInput::MESSAGE, Path::new("-")),
            text => Ok(text.to_owned()),
        };
        let empty = |what: &str| {
            Failure::new(Code::Usage, format!("the {what} is empty")).hint("give a text, or `-`").into()
        };
        if let Some(code) = &self.auth_code {
            let code = read(code)?.trim().to_owned();
            return match code.as_str() {
                "" => Err(empty("code")),
                code if code.contains(char::is_control) => {
                    Err(Failure::new(Code::Usage, "a code is one line")
                        .hint("copy it from the page again")
                        .into())
                }
                _ => Ok(Order::AuthCode { code: LoginCode(code) }),
            };
        }
        let text = read(self.text.as_deref().unwrap_or_default())?;
        if text.trim().is_empty() { Err(empty("message")) } else { Ok(Order::Send { text }) }
    }

    /// The failure where the agent, or the login, takes nothing of the kind.
    fn unsupported(&self, path: &Path) -> Failure {
        if self.auth_code.is_some() {
            return Failure::new(Code::NoInput, "no login waits for a code")
                .hint("`execenv run --auth-login` begins one when its agent asks for it");
        }
        Failure::new(Code::NoInput, "this agent takes no messages while it works")
            .hint(format!("when it has ended: `execenv run {} --resume --prompt TEXT`", path.display()))
    }
}

pub(crate) fn run(args: &SendArgs, context: &Context) -> Result<Answer> {
    let found = context.find(&args.env.env)?;
    let order = args.order(context)?;
    context.defer_signals()?;
    let reply = match give(&found, order, context)? {
        Given::Replied(reply) => reply,
        Given::NoRun => return Err(no_run(&found).into()),
        Given::Silent(_) => return Err(no_answer(&found).into()),
    };
    let (delivery, text) = match reply {
        Reply::Done | Reply::Unchanged | Reply::Written => (Delivery::Written, "sent"),
        Reply::Queued => (Delivery::Queued, "waits for the end of the turn"),
        Reply::TooLate => return Err(too_late(&found).into()),
        Reply::Unsupported => return Err(args.unsupported(&found.env.path).into()),
        Reply::TooEarly => {
            return Err(Failure::new(Code::NoInput, "the login has not asked for a code yet")
                .hint("wait for its address: the run prints it")
                .into());
        }
        Reply::Full => {
            return Err(Failure::new(Code::QueueFull, "100 messages wait for the agent already")
                .hint("send it again when the agent has read some")
                .into());
        }
    };
    Ok(Answer::new(text, SendDocument { schema: Version, root_dir: &found.env.path, delivery }))
}

/// What became of a message to an agent.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SendDocument<'a> {
    schema: Version,
    /// The env root.
    root_dir: &'a Path,
    /// How far the message came.
    delivery: Delivery,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Delivery {
    /// It is on its way to the agent.
    Written,
    /// It waits for the end of the turn.
    Queued,
}
