//! What agents print and read, as conversations without I/O.
//!
//! A dialect implements [`Conversation`]: bytes of the agent go in; events, bytes for the agent and the news that its turn
//! is over come out. `supervise` moves the bytes and applies the limits; it knows no dialect. So a dialect is tested
//! from a recorded stream, without a process.
//!
//! | module | answers for |
//! |---|---|
//! | `conversation` | the trait, and the values that go in and out |
//! | `event` | the events, the same for all dialects |
//! | `text` | strings that are decoded only where their text is needed |
//! | `models` | tokens by model, and their sum |
//! | `price` | what can be a price |
//! | `reason` | the stable words for why a run failed |
//! | `transcript` | what is collected for the end of a conversation, with the events that go with it |
//! | `permission` | the rule for an agent that asks a person |
//! | `login_talk` | a CLI's own login, with a code from a person |
//! | [`login`] | login trouble, as it shows in an agent's texts |
//! | `plain` | an agent that prints its answer as text |
//! | `raw` | a program that speaks no dialect: its bytes are its output, its exit status its result |
//! | [`ndjson`] | dialects of one JSON object a line |
//! | [`acp`] | the Agent Client Protocol, over JSON-RPC in both directions |
//! | `openclaw` | OpenClaw's one object |
//! | [`rpc`] | JSON-RPC, for dialects of requests and answers |
//! | [`app_server`] | the JSON-RPC of Codex |

pub mod acp;
pub mod app_server;
mod conversation;
mod event;
mod kept_text;
pub mod login;
mod login_talk;
mod models;
pub mod ndjson;
mod openclaw;
mod permission;
mod plain;
mod price;
mod raw;
mod reason;
pub mod rpc;
mod text;
mod transcript;

pub use conversation::{
    AgentFailure, AgentResult, Conversation, Delivery, Ending, GiveUp, Opening, Properties, Step,
};
pub use event::{Event, NoticeLevel, Sink, Spent, TOOL_OUTPUT, Usage, prefix};
pub use login_talk::LoginTalk;
pub use models::Models;
pub use openclaw::OpenClaw;
pub use permission::Permission;
pub use plain::{Plain, SessionMark};
pub use price::is_price;
pub use raw::Raw;
pub use reason::FailureReason;
pub use text::JsonText;
pub use transcript::Transcript;
