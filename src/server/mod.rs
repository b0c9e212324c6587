//! What the multica server says of the issue, chat, run or task that an environment belongs to.
//!
//! - A doubtful answer is [`Parent::Unknown`]: nothing is ever deleted because a server was slow, cut off, redirected,
//!   misconfigured or strange.
//! - Each question goes out at most once a cycle and is never repeated; after the first failure of the connection, or
//!   a 401, no further one goes out. So a cycle takes a bounded time, whatever the server does.
//! - The token is in the `Authorization` header and nowhere else.

mod address;
mod client;
mod gc_check;
mod lookup;
mod memory;
mod proxy;
mod token;
mod trust;

use std::ffi::OsString;
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use address::normalise;
pub use lookup::Lookup;
pub use proxy::Proxy;
pub use token::Token;
pub use trust::Roots;

/// How long one request may take, from connecting to the last byte of the answer (upstream's limit).
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// How the server is reached.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Scheme, host, port and prefix, without a slash at the end: see [`normalise`].
    pub base_url: String,
    /// Who asks.
    pub token: Option<Token>,
    /// For each request as a whole.
    pub timeout: Duration,
    /// Which proxy stands between.
    pub proxy: Option<Proxy>,
    /// Which certificates an https server is trusted by.
    pub roots: Roots,
}

impl Connection {
    /// A connection to an address as a user writes it, with the proxy and the certificates that these variables and the
    /// platform name, and upstream's time limit.
    ///
    /// # Errors
    /// A [`Code::BadConfig`](crate::failure::Code::BadConfig) failure for an address or a proxy that makes no sense, or
    /// for named certificates that cannot be read.
    pub fn new(
        address: &str,
        token: Option<Token>,
        variables: &[(OsString, OsString)],
    ) -> Result<Connection> {
        let base_url = normalise(address)?;
        let proxy = Proxy::choose(&base_url, variables)?;
        let roots = Roots::load(variables)?;
        Ok(Connection { base_url, token, timeout: TIMEOUT, proxy, roots })
    }
}

/// What an environment can belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ParentKind {
    /// An issue.
    Issue,
    /// A chat session.
    Chat,
    /// A run of an autopilot.
    AutopilotRun,
    /// A quick-create task.
    QuickCreate,
}

/// One thing to ask about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// What it is.
    pub kind: ParentKind,
    /// Its id.
    pub id: Uuid,
    /// The name of the workspace's folder, under which the server is asked about issues.
    pub workspace: String,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parent {
    /// It is there.
    Found {
        /// The server's word; never empty.
        status: String,
        /// When it last changed (issues, chats) or ended (runs, tasks), if the server says so.
        at: Option<DateTime<Utc>>,
    },
    /// The server does not know it, or does not show it to this token.
    Gone {
        /// The answer can only mean that it was deleted: a chat session's own 404.
        certain: bool,
    },
    /// No answer that could be understood.
    Unknown {
        /// Why, in a few words for a person; safe to print.
        why: String,
    },
}
