//! Finds the addresses of a server, in the time that a request has. The resolver of ureq does the same, and panics where
//! the system gives it no thread.

use std::net::ToSocketAddrs;
use std::sync::mpsc::sync_channel;
use std::thread;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How many addresses of a server are tried: as many as ureq takes.
const MOST_ADDRESSES: usize = 16;

/// Asks the system on a thread of its own.
#[derive(Debug)]
pub(super) struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(Error::HostNotFound);
        };
        let name = DefaultResolver::host_and_port(scheme, authority).ok_or(Error::HostNotFound)?;
        let (send, receive) = sync_channel(1);
        let ask = move || drop(send.send(name.to_socket_addrs()));
        thread::Builder::new().name("resolver".into()).spawn(ask)?;
        let answer = receive.recv_timeout(*timeout.after).map_err(|_| Error::Timeout(timeout.reason))?;
        let mut found = self.empty();
        config.ip_family().keep_wanted(answer?).take(MOST_ADDRESSES).for_each(|address| found.push(address));
        if found.is_empty() { Err(Error::HostNotFound) } else { Ok(found) }
    }
}
