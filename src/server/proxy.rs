//! Chooses the proxy by the variables that curl, git and Go use.
//!
//! Both http and https servers are reached through the proxy's CONNECT. NO_PROXY is a list of hosts, each also for
//! the hosts below it, with or without a dot or a port; `*` is every host. Ranges such as 10.0.0.0/8 are not understood.

use std::ffi::OsString;

use anyhow::Result;
use ureq::http::Uri;

use crate::failure::{Code, Failure};

/// A proxy. `Debug` shows no password.
#[derive(Clone, Debug)]
pub struct Proxy(pub(super) ureq::Proxy);

impl Proxy {
    /// The proxy for a server: HTTPS_PROXY or HTTP_PROXY by its scheme, else ALL_PROXY, unless NO_PROXY has its host or
    /// it is this machine (as Go, and so multica, does it). Each name also counts in lower case, which has precedence.
    ///
    /// # Errors
    /// A [`Code::BadConfig`] failure that names the variable, never its value: it may have a password.
    pub fn choose(base_url: &str, variables: &[(OsString, OsString)]) -> Result<Option<Proxy>> {
        let value = |name: &'static str| {
            let named =
                |wanted: &str| variables.iter().find(|(key, _)| key == wanted).map(|(_, value)| value);
            let found = named(&name.to_ascii_lowercase()).or_else(|| named(name))?;
            found.to_str().map(str::trim).filter(|text| !text.is_empty()).map(|text| (name, text))
        };
        let by_scheme = if base_url.starts_with("https:") { "HTTPS_PROXY" } else { "HTTP_PROXY" };
        let Some((name, proxy)) = value(by_scheme).or_else(|| value("ALL_PROXY")) else { return Ok(None) };
        let exceptions: Vec<&str> = value("NO_PROXY").map_or(Vec::new(), |(_, list)| {
            list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).collect()
        });
        let uri: Uri = base_url.parse().unwrap_or_default();
        let host = uri.host().unwrap_or_default();
        if is_this_machine(host) || exceptions.iter().any(|entry| covers(entry, host)) {
            return Ok(None);
        }
        let bad = |why: String| {
            Failure::new(Code::BadConfig, format!("the proxy in the variable {name} cannot be used: {why}"))
                .hint("write it as `http://proxy.example.org:3128`, or unset it")
        };
        let named = ureq::Proxy::new(proxy).map_err(|error| bad(error.to_string()))?;
        let mut builder = ureq::Proxy::builder(named.protocol()).host(named.host()).port(named.port());
        builder = builder.resolve_target(named.resolve_target());
        if let Some(user) = named.username() {
            builder = builder.username(user);
        }
        if let Some(password) = named.password() {
            builder = builder.password(password);
        }
        for entry in exceptions {
            // For what a redirect leads to.
            let bare = entry.trim_start_matches(['*', '.']);
            if !bare.is_empty() {
                builder = builder.no_proxy(bare).no_proxy(&format!(".{bare}"));
            }
        }
        Ok(Some(Proxy(builder.build().map_err(|error| bad(error.to_string()))?)))
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_matches(['[', ']']);
    host == "localhost" || bare.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn covers(entry: &str, host: &str) -> bool {
    if entry == "*" {
        return true;
    }
    let without_port = match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => entry,
    };
    let name = without_port.trim_start_matches('*').trim_start_matches('.').to_ascii_lowercase();
    let host = host.trim_matches(['[', ']']);
    let above = host.strip_suffix(&name).filter(|_| !name.is_empty());
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(base_url: &str, variables: &[(&str, &str)]) -> Option<String> {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let proxy = Proxy::choose(base_url, &variables).unwrap();
        proxy.map(|proxy| format!("{}:{}", proxy.0.host(), proxy.0.port()))
    }

    #[test]
    fn the_scheme_the_lower_case_name_and_the_exceptions_decide() {
        let (http, https, all) =
            (("HTTP_PROXY", "http://a:1"), ("HTTPS_PROXY", "b:2"), ("ALL_PROXY", "socks5://c"));
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<&'a str>);
        let cases: &[Case<'_>] = &[
            ("http://h", &[http, https, all], Some("a:1")),
            ("https://h", &[http, https, all], Some("b:2")),
            ("https://h", &[http, all], Some("c:1080")),
            ("https://h", &[http], None),
            ("http://h", &[http, ("http_proxy", "http://d:4")], Some("d:4")),
            ("http://h", &[("HTTP_PROXY", " ")], None),
            ("http://h", &[http, ("NO_PROXY", "x, h")], None),
            ("http://h.example.org", &[http, ("no_proxy", "example.org")], None),
            ("http://h.example.org:80", &[http, ("NO_PROXY", "*.Example.org:80")], None),
            ("http://hexample.org", &[http, ("NO_PROXY", "example.org")], Some("a:1")),
            ("http://h", &[http, ("NO_PROXY", "*")], None),
            ("http://localhost:8080", &[http], None),
            ("http://127.0.0.2", &[http], None),
            ("http://[::1]:8080", &[http], None),
        ];
        for (base_url, variables, want) in cases {
            assert_eq!(choose(base_url, variables).as_deref(), *want, "{base_url} {variables:?}");
        }
    }

    #[test]
    fn a_bad_one_is_named_and_its_password_is_not() {
        for value in ["ftp://ada:hunter2@p", "http://ada:hunter2@", "::::hunter2"] {
            let variables = [("HTTPS_PROXY".into(), value.into())];
            let error = format!("{:?}", Proxy::choose("https://h", &variables).unwrap_err());
            assert!(error.contains("HTTPS_PROXY") && !error.contains("hunter2"), "{error}");
        }
        let proxy =
            Proxy::choose("http://h", &[("ALL_PROXY".into(), "http://ada:hunter2@p".into())]).unwrap();
        assert!(!format!("{proxy:?}").contains("hunter2"));
    }
}
