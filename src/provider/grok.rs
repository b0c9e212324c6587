//! Grok: the `grok` program of npm prints its chat messages, when it is done. As of 0.0.34.

use anyhow::Result;

use super::launch::{Arguments, Dialect, LaunchPlan, LaunchRequest, Tells};
use super::row::OwnArgument;
use super::row::Takes::Value;
use crate::protocol::ndjson::{Grok, LineStream};
use crate::protocol::{Opening, Permission};

/// The arguments that execenv sets.
pub const OWN_ARGUMENTS: &[OwnArgument] = &[("-p", Value), ("--prompt", Value)];

/// One question; its messages come at the end. It asks for no permission and resumes no session.
pub const CHAT: Dialect = Dialect {
    name: "chat",
    start: chat,
    listener: || Box::new(LineStream::new(Opening::Nothing, Grok::default())),
    tells: Tells { tokens: false, cost: false, turns: false },
};

fn chat(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    let (prompt, files, mut notices) = request.prompt_argument();
    if request.permission == Permission::Deny {
        notices.push("this agent asks for no permissions, so `--permission deny` changes nothing".into());
    }
    let mut args = Arguments::of(&["-p", &prompt]);
    args.pair("--model", request.model);
    args.extend(request.custom);
    let conversation = LineStream::new(Opening::Nothing, Grok::default());
    Ok(LaunchPlan { files, notices, ..LaunchPlan::new(args.into_vec(), conversation) })
}
