//! One request and its reply, with bounds on time, size and redirects; failures in words that are safe to print.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ureq::config::{Config, RedirectAuthHeaders};
use ureq::http::{Response, Uri, header};
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body};

use super::resolver::SystemResolver;
use super::{Connection, Roots, Token, address};

/// How many redirects are followed.
const MOST_REDIRECTS: u32 = 10;
/// A longer answer is an error. Five hundred issues take about 65 kB.
const LONGEST_BODY: u64 = 1 << 20;
/// How much of a text from elsewhere goes into a message, in characters.
const LONGEST_EXCERPT: usize = 160;

/// A complete reply.
pub(super) struct ServerReply {
    /// 200 … 599.
    pub(super) status: u16,
    /// At most [`LONGEST_BODY`].
    pub(super) body: Vec<u8>,
    /// The reply says where its body ends, so that an empty body is not one that was cut off.
    pub(super) has_length: bool,
}

/// Why there is no usable reply.
#[derive(Clone, Debug)]
pub(super) struct RequestFailure {
    /// For a person; safe to print.
    pub(super) why: String,
    /// The next request would fail the same way, after as long a wait: send no more.
    pub(super) ends_cycle: bool,
}

/// Connections to one server.
pub(super) struct Client {
    agent: Agent,
    base_url: String,
    base: Uri,
    token: Option<Token>,
    timeout: Duration,
    sent: AtomicU64,
}

fn tls(roots: Roots) -> TlsConfig {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    TlsConfig::builder().root_certs(roots.0).unversioned_rustls_crypto_provider(ring).build()
}

impl Client {
    /// Keeps up to `connections` open between requests. Nothing is sent yet.
    pub(super) fn new(connection: Connection, connections: usize) -> Client {
        let Connection { base_url, token, timeout, proxy, roots } = connection;
        let config = Config::builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            // They are followed here, within the address that was named (decision D42).
            .max_redirects(0)
            .redirect_auth_headers(RedirectAuthHeaders::Never)
            // Over plain http anyone on the way could answer that an issue is gone.
            .https_only(base_url.starts_with("https:"))
            .proxy(proxy.map(|proxy| proxy.0))
            .tls_config(tls(roots))
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .user_agent(concat!("execenv/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .build();
        let base = base_url.parse().unwrap_or_default(); // of a bad address each request reports so
        let agent = Agent::with_parts(config, DefaultConnector::default(), SystemResolver);
        Client { agent, base_url, base, token, timeout, sent: AtomicU64::new(0) }
    }

    /// How many requests have been sent, redirects not counted.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Sends a GET, or with a JSON body a POST. The reply comes from the scheme, host and port that were named, and so
    /// does the token stay there: a redirect to any other is a failure.
    pub(super) fn send(&self, path: &str, body: Option<&str>) -> Result<ServerReply, RequestFailure> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let mut url = format!("{}{path}", self.base_url);
        let begun = Instant::now();
        for _ in 0..=MOST_REDIRECTS {
            let response = self.send_once(&url, body, self.timeout.saturating_sub(begun.elapsed()))?;
            if response.status().is_redirection() && response.headers().contains_key(header::LOCATION) {
                if body.is_some() {
                    return Err(self.failure(ureq::Error::RedirectFailed));
                }
                url = self.redirected(&url, &response)?;
                continue;
            }
            let reply = self.read(response)?;
            if reply.status == 401 {
                return Err(RequestFailure { ends_cycle: true, ..self.refusal(&reply) });
            }
            return Ok(reply);
        }
        Err(self.failure(ureq::Error::TooManyRedirects))
    }

    fn send_once(
        &self,
        url: &str,
        body: Option<&str>,
        left: Duration,
    ) -> Result<Response<Body>, RequestFailure> {
        let response = match body {
            None => {
                let request = self.agent.get(url).config().timeout_global(Some(left)).build();
                self.with_headers(request).call()
            }
            Some(body) => {
                let request = self.agent.post(url).config().timeout_global(Some(left)).build();
                let request = request.header(header::CONTENT_TYPE, "application/json");
                self.with_headers(request).send(body)
            }
        };
        response.map_err(|error| self.failure(error))
    }

    /// Where a redirect leads, if that is at the address that was named.
    fn redirected(&self, url: &str, response: &Response<Body>) -> Result<String, RequestFailure> {
        let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        let leads = location.and_then(|location| address::redirected(url, location));
        let here = leads.filter(|to| address::origin(to) == address::origin(&self.base_url));
        here.ok_or_else(|| {
            let to = location.unwrap_or("an address that is not text");
            let why = format!(
                "it redirects to {to}, which is not followed; name the server that answers (`--server`)"
            );
            RequestFailure { why: format!("{}: {}", self.base_url, self.excerpt(&why)), ends_cycle: true }
        })
    }

    /// The failure for a reply with an error status.
    pub(super) fn refusal(&self, reply: &ServerReply) -> RequestFailure {
        let body = String::from_utf8_lossy(&reply.body);
        let why = match body.trim() {
            "" => format!("the server answered {}", reply.status),
            body => format!("the server answered {}: {}", reply.status, self.excerpt(body)),
        };
        RequestFailure { why, ends_cycle: false }
    }

    fn with_headers<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        // What upstream's collector calls itself; its version is not ours to claim.
        let request =
            request.header("X-Client-Platform", "daemon").header("X-Client-OS", std::env::consts::OS);
        match &self.token {
            Some(token) => request.header(header::AUTHORIZATION, token.bearer()),
            None => request,
        }
    }

    fn read(&self, response: Response<Body>) -> Result<ServerReply, RequestFailure> {
        let headers = response.headers();
        let has_length =
            headers.contains_key(header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING);
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let reader = response.into_body().into_reader();
        let read = reader.take(LONGEST_BODY + 1).read_to_end(&mut body);
        read.map_err(|error| self.failure(error.into()))?;
        if body.len() as u64 > LONGEST_BODY {
            return Err(RequestFailure { why: "the answer is longer than 1 MiB".into(), ends_cycle: false });
        }
        Ok(ServerReply { status, body, has_length })
    }

    fn failure(&self, error: ureq::Error) -> RequestFailure {
        use ureq::Error;
        let is_https = self.base.scheme_str() == Some("https");
        let why = match error {
            Error::Timeout(_) => format!("no complete answer within {} s", self.timeout.as_secs_f32()),
            Error::HostNotFound => "there is no such host".into(),
            Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the connection was cut".into()
            }
            // What rustls does not accept, above all a certificate.
            Error::Io(error) if is_https && error.kind() == io::ErrorKind::InvalidData => {
                format!("{error}; if a company's own CA signed the certificate, set SSL_CERT_FILE to the CA's")
            }
            Error::Io(error) => error.to_string(),
            Error::RequireHttpsOnly(_) => {
                "refused a redirect from https to http".into()
            }
            Error::TooManyRedirects => "too many redirects".into(),
            Error::RedirectFailed => {
                "it redirects a POST, which is not followed; set the server's address to the redirect's target".into()
            }
            error => error.to_string(),
        };
        RequestFailure { why: format!("{}: {}", self.base_url, self.excerpt(&why)), ends_cycle: true }
    }

    /// A text from elsewhere: without the token, on one line, harmless for a terminal, and short.
    pub(super) fn excerpt(&self, text: &str) -> String {
        excerpt(text, self.token.as_ref())
    }
}

fn excerpt(text: &str, token: Option<&Token>) -> String {
    // Cut first, far behind what is shown, so that a megabyte costs nothing; a token has its place in the first part.
    let start: String = text.trim().chars().take(4096).collect();
    let masked = token.map_or(start.clone(), |token| token.mask(&start));
    let hostile = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut out = String::new();
    for (n, c) in masked.chars().enumerate() {
        if n == LONGEST_EXCERPT {
            out.push('…');
            break;
        }
        if hostile(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_harmless_and_without_the_token() {
        let token = Token::new("mul_secret").unwrap();
        assert_eq!(
            excerpt(" a\u{1b}[31m\nmul_secret\u{202e} ", Some(&token)),
            "a\\u{1b}[31m\\n<token>\\u{202e}"
        );
        // A token that begins where the text is cut is taken out before.
        let long = format!("{}mul_secret{}", "x".repeat(155), "y".repeat(5000));
        let shown = excerpt(&long, Some(&token));
        assert!(!shown.contains("mul") && shown.chars().count() == 161, "{shown}");
    }
}
