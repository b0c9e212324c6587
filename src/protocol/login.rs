//! Login trouble, as it shows in an agent's texts.

/// An agent's request for a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRequest {
    /// The address to open, where the agent printed one that is known.
    pub url: Option<String>,
}

/// Finds a request for a login in standard error, or in output that is no conversation.
pub fn find_request(text: &str) -> Option<LoginRequest> {
    asks_for_login(text).then(|| LoginRequest { url: login_url(text) })
}

fn asks_for_login(text: &str) -> bool {
    let has = |word: &str| memchr::memmem::find(text.as_bytes(), word.as_bytes()).is_some();
    (has("Please run /login") && has("authenticate"))
        || (has("Invalid API key") && has("ANTHROPIC_API_KEY"))
        || (has("authentication_error")
            && (has("OAuth token has expired") || has("Please obtain a new token")))
        || (has("\"type\":\"error\"") && has("authentication"))
}

/// The first known login address in a text.
pub(super) fn login_url(text: &str) -> Option<String> {
    let start = ["https://claude.ai/oauth", "https://console.anthropic.com/oauth"]
        .iter()
        .filter_map(|known| text.find(known))
        .min()?;
    let rest = &text[start..];
    let stop = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '>' | ')' | ']' | '\x07' | '\x1b');
    let mut url = &rest[..rest.find(stop).unwrap_or(rest.len())];
    // A terminal's hyperlink prints the address twice, back to back.
    if let Some((at, _)) = url.match_indices("https://").find(|(at, _)| *at >= 20) {
        url = &url[..at];
    }
    (url.len() > 20).then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_trouble() {
        let cases = [
            ("Not authenticated. Please run /login to authenticate", true),
            ("Please run /login", false),
            (r#"{"type":"error","error":{"type":"authentication_error"}}"#, true),
            ("all is well", false),
        ];
        for (text, trouble) in cases {
            assert_eq!(asks_for_login(text), trouble, "{text}");
        }
    }

    #[test]
    fn the_address_ends_where_it_ends() {
        let url = "https://claude.ai/oauth/authorize?code=1";
        for text in [format!("go to {url} now"), format!("\x1b]8;;{url}\x07x"), format!("<{url}{url}>")] {
            assert_eq!(login_url(&text).as_deref(), Some(url));
        }
        assert_eq!(login_url("https://example.com/oauth"), None);
    }
}
