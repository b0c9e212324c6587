//! Addresses: as users and multica's configuration write them, and as paths of requests.

use anyhow::Result;
use ureq::http::Uri;
use uuid::Uuid;

use super::parent::{ParentKind, Question};
use crate::failure::{Code, Failure};

/// Turns an address as a user or multica's configuration writes it (`wss://host/ws`) into the prefix of every request.
///
/// By multica's rules `ws` and `wss` stand for `http` and `https`; the path `/ws`, query, fragment and trailing slashes
/// are dropped; any other path is kept as a prefix.
///
/// # Errors
/// A [`Code::BadConfig`] failure for another scheme, no host, or a user name or password in the address.
pub fn normalise(address: &str) -> Result<String> {
    let trimmed = address.trim();
    let bad = |why: &str| {
        // Without what stands before an `@`: it may be a password.
        let shown = trimmed.rsplit_once('@').map_or(trimmed, |(_, rest)| rest);
        Failure::new(Code::BadConfig, format!("the server's address `{}`: {why}", shown.escape_debug()))
            .hint("give it as `--server https://multica.example.org`")
    };
    let (scheme, rest) = trimmed.split_once("://").ok_or_else(|| bad("it has no scheme such as https://"))?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => "http",
        "https" | "wss" => "https",
        _ => return Err(bad("its scheme is none of http, https, ws, wss").into()),
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if host.contains('@') {
        return Err(bad(
            "it holds a user name or password; put a token into a file instead (`--token-file`)",
        )
        .into());
    }
    let path = if path == "/ws" { "" } else { path.trim_end_matches('/') };
    let url = format!("{scheme}://{}{path}", host.to_ascii_lowercase());
    let parsed: Uri = url.parse().map_err(|error| bad(&format!("{error}")))?;
    let has_port = parsed.port_u16().is_some() || !host.rsplit(']').next().unwrap_or_default().contains(':');
    if parsed.host().is_none_or(str::is_empty) || !has_port {
        return Err(bad("it has no host, or its port is not a number").into());
    }
    Ok(url)
}

/// Scheme, host and port of an address: tokens, and belief in answers, stay within them (decision D42).
pub(super) fn origin(address: &str) -> Option<(String, String, u16)> {
    let uri: Uri = address.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let default = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    // A user name in front of the host names another server to no one, but it is nothing that was asked for.
    let has_user = uri.authority()?.as_str().contains('@');
    (!has_user).then_some((scheme, uri.host()?.to_ascii_lowercase(), uri.port_u16().unwrap_or(default)))
}

/// The address that a redirect from `from` leads to; `None`: it is none.
pub(super) fn redirected(from: &str, location: &str) -> Option<String> {
    let uri: Uri = from.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let location = location.split('#').next()?;
    let to = match location {
        _ if location.contains("://") && !location.starts_with('/') => location.to_owned(),
        _ if location.starts_with("//") => format!("{scheme}:{location}"),
        _ if location.starts_with('/') => format!("{scheme}://{authority}{location}"),
        _ if location.starts_with('?') => format!("{scheme}://{authority}{}{location}", uri.path()),
        "" => return None,
        _ => {
            let folder = uri.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{location}")
        }
    };
    to.parse::<Uri>().ok().map(|_| to)
}

/// The path of the question about one thing.
pub(super) fn single_path(question: &Question) -> String {
    let collection = match question.kind {
        ParentKind::Issue => "issues",
        ParentKind::Chat => "chat-sessions",
        ParentKind::AutopilotRun => "autopilot-runs",
        ParentKind::QuickCreate => "tasks",
    };
    format!("/api/daemon/{collection}/{}/gc-check", question.id)
}

/// The path of the question about many issues of one workspace.
pub(super) fn batch_path(workspace: Uuid) -> String {
    format!("/api/daemon/workspaces/{workspace}/issues/gc-check")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_upstream_writes_them() {
        let cases = [
            ("ws://localhost:8080/ws", "http://localhost:8080"),
            (" wss://api.multica.ai/ws ", "https://api.multica.ai"),
            ("HTTPS://API.multica.ai", "https://api.multica.ai"),
            ("http://h/", "http://h"),
            ("http://h/ws/", "http://h/ws"),
            ("http://h/Base/ws", "http://h/Base/ws"),
            ("https://h:8443/base//?q=1#f", "https://h:8443/base"),
            ("http://[::1]:80?x", "http://[::1]:80"),
            ("http://[::1]", "http://[::1]"),
        ];
        for (address, want) in cases {
            assert_eq!(normalise(address).unwrap(), want, "{address}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_a_password() {
        for address in
            ["", "localhost:8080", "ftp://h", "http://", "http:///x", "http://h:port", "http://a b"]
        {
            let error = normalise(address).unwrap_err();
            assert_eq!(Failure::code_of(&error), Code::BadConfig, "{address}");
        }
        let error = normalise("https://ada:hunter2@h").unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn a_redirect_leads_to_one_address_and_only_the_same_origin_counts() {
        const FROM: &str = "http://h:8080/api/x?q=1";
        for (location, to, stays) in [
            ("/moved", Some("http://h:8080/moved"), true),
            ("moved#part", Some("http://h:8080/api/moved"), true),
            ("?q=2", Some("http://h:8080/api/x?q=2"), true),
            ("//h:8080/y", Some("http://h:8080/y"), true),
            ("HTTP://H:8080/y", Some("HTTP://H:8080/y"), true),
            ("//other/y", Some("http://other/y"), false),
            ("http://h/y", Some("http://h/y"), false),
            ("http://h:8081/y", Some("http://h:8081/y"), false),
            ("https://h:8080/y", Some("https://h:8080/y"), false),
            ("http://h:8080@other/y", Some("http://h:8080@other/y"), false),
            ("http://u@h:8080/y", Some("http://u@h:8080/y"), false),
            ("ftp://h:8080/y", Some("ftp://h:8080/y"), false),
            ("", None, false),
            ("http://", None, false),
        ] {
            let led = redirected(FROM, location);
            assert_eq!(led.as_deref(), to, "{location}");
            let is_same = led.is_some_and(|to| origin(&to) == origin("http://h:8080"));
            assert_eq!(is_same, stays, "{location}");
        }
        assert_eq!(origin("https://h"), origin("https://h:443"));
    }
}
