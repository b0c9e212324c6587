//! What is known before the first message, and what is particular to an agent.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::protocol::Permission;

/// How an agent counts the tokens that it states with the answer to a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// Those of this prompt.
    Prompt,
    /// Those of all prompts since its process began.
    Process,
}

/// What is particular to an agent.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// How it counts tokens.
    pub counting: Counting,
    /// It ends by itself when its input ends.
    pub leaves_on_eof: bool,
    /// It states tokens with the answer to each prompt that a model has answered, and tells errors of the model's server in
    /// the words of its answer: a text that looks like an error, without tokens, is one.
    pub errors_as_text: bool,
    /// It tells errors of the model's server on its standard error.
    pub errors_on_stderr: bool,
    /// A request for a permission carries the id of the tool call that it is for, which may not have been announced.
    pub asks_by_call: bool,
    /// Options of its sessions that are set where the run gives permissions: the option's id, and its value.
    pub allow_options: &'static [(&'static str, &'static str)],
    /// A text for the system prompt can stand before the prompt.
    pub takes_system_prompt: bool,
    /// It writes a new, empty conversation under the id by which it is told to load a session, over the one to be loaded, and
    /// finds the session by an id with a blank before it too: by that it is told.
    pub writes_over_id: bool,
    /// How long it may be silent before it has answered what must be settled before the first prompt. Some load for seconds of
    /// processor time before they read a byte, which are minutes on a machine that is busy.
    pub handshake: Duration,
}

impl Profile {
    /// An agent that does as the protocol says.
    pub const PLAIN: Profile = Profile {
        counting: Counting::Prompt,
        leaves_on_eof: true,
        errors_as_text: false,
        errors_on_stderr: false,
        asks_by_call: true,
        allow_options: &[],
        takes_system_prompt: true,
        writes_over_id: false,
        handshake: Duration::from_secs(180),
    };
}

/// What is known before the first message.
#[derive(Clone, Debug, Default)]
pub struct AcpRequest {
    /// The prompt.
    pub prompt: String,
    /// A text for the system prompt; it stands before the first prompt.
    pub system_prompt: Option<String>,
    /// The folder that the agent works in.
    pub work_dir: String,
    /// The requested model.
    pub model: Option<String>,
    /// The session to resume.
    pub resume: Option<String>,
    /// MCP servers to be named to the agent, by their names; those that are switched off are left out.
    pub servers: Map<String, Value>,
    /// What an agent that asks for a permission is answered.
    pub permission: Permission,
}
