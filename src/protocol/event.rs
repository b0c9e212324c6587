//! The events of a run, the same for all dialects.

use std::collections::BTreeMap;
use std::io;

use serde::{Serialize, Serializer};
use serde_json::Number;
use serde_json::value::RawValue;

use super::permission::Permission;
use super::text::JsonText;

/// Tokens of one model. The buckets do not overlap: `input_tokens` leaves out what came from the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Usage {
    /// Read by the model, and not from its cache.
    pub input_tokens: u64,
    /// Written by the model.
    pub output_tokens: u64,
    /// Read from the cache.
    pub cache_read_tokens: u64,
    /// Put into the cache.
    pub cache_write_tokens: u64,
}

impl Usage {
    /// Whether nothing was counted.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// All tokens together.
    pub fn all(&self) -> u64 {
        [self.input_tokens, self.output_tokens, self.cache_read_tokens, self.cache_write_tokens]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// Adds another count to this one.
    pub fn add(&mut self, other: &Usage) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cache_read_tokens = self.cache_read_tokens.saturating_add(other.cache_read_tokens);
        self.cache_write_tokens = self.cache_write_tokens.saturating_add(other.cache_write_tokens);
    }
}

/// What an agent used up so far, as far as it tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spent {
    /// Tokens of all models and kinds.
    pub tokens: u64,
    /// The price in US dollars.
    pub cost_usd: Option<Number>,
    /// Turns of the model.
    pub turns: u64,
}

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NoticeLevel {
    /// Information.
    Info,
    /// Something was ignored or looks wrong; the run goes on.
    Warning,
    /// The agent reported an error that did not end it.
    Error,
}

/// One event of a run, borrowed from the line it came in.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are those of the event stream's contract")]
pub enum Event<'a> {
    /// The agent named its session; once per id.
    Session {
        session_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        model: Option<&'a str>,
    },
    /// Text for the user.
    Text {
        text: JsonText<'a>,
        /// More of the same message follows.
        #[serde(rename = "partial", skip_serializing_if = "std::ops::Not::not")]
        is_part: bool,
    },
    /// The model's reasoning.
    Thinking { text: JsonText<'a> },
    /// A tool was called.
    ToolUse { id: &'a str, tool: &'a str, input: &'a RawValue },
    /// A tool answered. At most [`TOOL_OUTPUT`] bytes of `output` are printed; the log has all of it.
    ToolResult {
        id: &'a str,
        tool: &'a str,
        #[serde(serialize_with = "cut")]
        output: JsonText<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        is_error: Option<bool>,
    },
    /// The tokens of the whole run by model; once, at its end.
    Usage { usage: &'a BTreeMap<String, Usage> },
    /// The agent asked for a permission or for an answer, and got one by the rule of the run.
    Permission { request: &'a str, decision: Permission },
    /// A notice for the user.
    Notice { level: NoticeLevel, text: &'a str },
    /// A line of the agent's standard error, without what looks like a secret.
    Stderr { text: &'a str },
    /// A turn of an autonomous run has ended.
    Iteration {
        n: u32,
        /// The agent says that it is done.
        ready: bool,
        /// Why, or why not, in its words.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
    },
    /// The work was saved as a commit.
    Heartbeat {
        commit: &'a str,
        /// It is on the remote, too.
        pushed: bool,
        /// The file of its patch, below the env root; missing where that would be too long.
        #[serde(skip_serializing_if = "Option::is_none")]
        patch: Option<&'a str>,
    },
    /// The agent asks for a login.
    AuthRequired { provider: &'a str, hostname: &'a str, login_url: Option<&'a str>, hint: &'a str },
    /// Bytes of a program that speaks no dialect, as they came. Has no JSON form of its own: `output` gives it one.
    #[serde(skip)]
    Output(&'a [u8]),
    /// The same for its standard error: as text it goes on to standard error.
    #[serde(skip)]
    Errors(&'a [u8]),
    /// Bytes of the standard error of an agent that speaks a dialect, as they came. `output` makes each line a
    /// [`Event::Stderr`]; as text it is not printed, because the agent's answer says what matters.
    #[serde(skip)]
    AgentErrors(&'a [u8]),
    /// The agent is at work, and has used up so much: once in a while, also where nothing else happens. Has no JSON form.
    #[serde(skip)]
    Working(&'a Spent),
    /// The agent was paused by order (`true`), or goes on. Has no JSON form: a notice says it.
    #[serde(skip)]
    Paused(bool),
    /// Nothing more is waiting: whatever was collected is to be printed now. Has no JSON form.
    #[serde(skip)]
    Idle,
}

/// What takes the events.
pub type Sink<'a> = dyn FnMut(Event<'_>) -> io::Result<()> + 'a;

/// The most of a tool's output that goes into an event, in bytes.
pub const TOOL_OUTPUT: usize = 8192;

fn cut<S: Serializer>(output: &JsonText<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(prefix(&output.decode(), TOOL_OUTPUT))
}

/// The longest prefix of at most `limit` bytes that ends between two characters.
pub fn prefix(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_serialise_flat_with_their_type_first() {
        let input = serde_json::from_str::<&RawValue>(r#"{"b":1.50, "a":"x"}"#).unwrap();
        let json = serde_json::to_string(&Event::ToolUse { id: "t", tool: "Bash", input }).unwrap();
        assert_eq!(json, r#"{"type":"tool_use","id":"t","tool":"Bash","input":{"b":1.50, "a":"x"}}"#);
        let json = serde_json::to_string(&Event::Notice { level: NoticeLevel::Warning, text: "n" }).unwrap();
        assert_eq!(json, r#"{"type":"notice","level":"warning","text":"n"}"#);
        assert!(serde_json::to_string(&Event::Output(b"x")).is_err());
    }

    #[test]
    fn a_prefix_never_cuts_a_character() {
        assert_eq!(prefix("aäb", 2), "a");
        assert_eq!(prefix("ab", 9), "ab");
    }
}
