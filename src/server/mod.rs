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
mod parent;
mod proxy;
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
