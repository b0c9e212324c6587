//! Asks the multica server about the issue, chat, run or task that an environment belongs to.
//!
//! - A doubtful answer is [`Parent::Unknown`]: nothing is ever deleted because a server was slow, unreachable, redirected
//!   or misconfigured.
//! - Each question is sent at most once per cycle and never repeated. After the first failure of the connection, or a 401,
//!   no further request is sent. So a cycle takes a bounded time, whatever the server does.
//! - The token is in the `Authorization` header and nowhere else.

mod address;
mod client;
mod gc_check;
mod lookup;
mod memory;
mod parent;
mod proxy;
mod resolver;
mod token;
mod trust;

use std::ffi::OsString;
use std::time::Duration;

use anyhow::Result;

pub use address::normalise;
pub use lookup::Lookup;
pub use parent::{Parent, ParentKind, Question};
pub use proxy::Proxy;
pub use token::Token;
pub use trust::Roots;

/// How long one request may take, from connecting to the last byte of the answer (multica's own limit).
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// How the server is reached.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Scheme, host, port and prefix, without a slash at the end: see [`normalise`].
    pub base_url: String,
    /// Identifies the user to the server.
    pub token: Option<Token>,
    /// The time limit of each request.
    pub timeout: Duration,
    /// The proxy to use.
    pub proxy: Option<Proxy>,
    /// The certificates that an https server has to be signed by.
    pub roots: Roots,
}

impl Connection {
    /// A connection to an address as a user writes it, with the proxy and the certificates that these variables and the
    /// platform name, and upstream's time limit.
    ///
    /// # Errors
    /// A [`Code::BadConfig`](crate::failure::Code::BadConfig) failure for an address or a proxy that cannot be used, or
    /// where https finds no certificates.
    pub fn new(
        address: &str,
        token: Option<Token>,
        variables: &[(OsString, OsString)],
    ) -> Result<Connection> {
        let base_url = normalise(address)?;
        let proxy = Proxy::choose(&base_url, variables)?;
        let is_https = base_url.starts_with("https:");
        let roots = if is_https { Roots::load(variables)? } else { Roots::none() };
        Ok(Connection { base_url, token, timeout: TIMEOUT, proxy, roots })
    }
}
