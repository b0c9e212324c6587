//! Errors of an agent: by their codes, else by their words; and those that it passes off as an answer.

use super::read::{ErrorData, object, text};
use crate::protocol::rpc::RpcError;
use crate::protocol::{AgentFailure, FailureReason, prefix};

/// The code for a login that is missing.
pub(super) const AUTH_REQUIRED: i64 = -32000;
/// The code for a request whose form is wrong.
const INVALID_PARAMS: i64 = -32602;

/// The codes with which agents refuse a session that they do not know.
const REFUSALS: [i64; 3] = [-32603, INVALID_PARAMS, -32002];
/// Their words for it.
const UNKNOWN_SESSION: [&str; 8] = [
    "session not found",
    "no session found",
    "unknown session",
    "resource not found",
    "service failure",
    "invalid session identifier",
    "no previous sessions found",
    "no conversation found",
];

/// What an error says: its details, where its message is as good as none.
pub(super) fn words(error: &RpcError) -> String {
    let data = serde_json::value::to_raw_value(&error.data).ok();
    let data = data.as_deref();
    let details = object::<ErrorData<'_>>(data)
        .map(|data| [text(data.details), text(data.message)])
        .and_then(|texts| texts.into_iter().find(|text| !text.trim().is_empty()))
        .unwrap_or_else(|| text(data))
        .into_owned();
    let message = error.message.trim();
    let message =
        message.strip_prefix("Internal error").map_or(message, |rest| rest.trim_start_matches(':').trim());
    match (message, details.trim()) {
        ("", "") => {
            format!("the agent answered with the error {} {}", error.code, error.message).trim_end().into()
        }
        ("", details) => details.to_owned(),
        (message, "") => message.to_owned(),
        (message, details) if message.contains(details) => message.to_owned(),
        (message, details) => format!("{message}: {details}"),
    }
}

/// An error as a failure.
pub(super) fn of(error: &RpcError) -> AgentFailure {
    let reason = match error.code {
        AUTH_REQUIRED | 401 | 403 => Some(FailureReason::AuthOrAccess),
        402 => Some(FailureReason::QuotaLimit),
        404 => Some(FailureReason::ModelUnavailable),
        429 | 529 => Some(FailureReason::RateLimit),
        500..=599 => Some(FailureReason::ServerError),
        _ => None,
    };
    AgentFailure { error: words(error), reason, is_resume_refused: false }
}

/// The same for an error in answer to the wish to resume a session.
pub(super) fn of_resume(error: &RpcError) -> AgentFailure {
    let all = format!("{} {}", error.message, error.data).to_lowercase();
    let is_resume_refused =
        REFUSALS.contains(&error.code) && UNKNOWN_SESSION.iter().any(|phrase| all.contains(phrase));
    AgentFailure { is_resume_refused, ..of(error) }
}

/// Whether an agent may have taken no id of that form, or knows no such session.
pub(super) fn finds_no_session(error: &RpcError) -> bool {
    error.code == INVALID_PARAMS || of_resume(error).is_resume_refused
}

/// The error in the words of an answer: of one without tokens, so that a model's own words are not taken for one.
pub(super) fn in_answer(answer: &str) -> Option<String> {
    let text = answer.trim();
    let is_status = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    let from = if text.starts_with("HTTP ") && is_status(&text[5..]) {
        0
    } else {
        let at_start = text.starts_with("Error: ").then_some(0);
        at_start.or_else(|| text.find("API call failed")).or_else(|| text.find("Error: "))?
    };
    Some(text[from..].to_owned())
}

/// The lines of standard error that tell errors of the model's server.
#[derive(Debug, Default)]
pub(super) struct Stderr {
    partial: String,
    /// The last line after which the agent has no hope.
    pub(super) terminal: Option<String>,
    /// The last line of any error.
    pub(super) any: Option<String>,
}

/// The most that is kept of a line.
const LINE: usize = 2048;

impl Stderr {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for piece in String::from_utf8_lossy(bytes).split_inclusive('\n') {
            if self.partial.len() < LINE {
                self.partial.push_str(prefix(piece, LINE));
            }
            if piece.ends_with('\n') {
                let line = std::mem::take(&mut self.partial);
                self.line(line.trim());
            }
        }
    }

    fn line(&mut self, line: &str) {
        const MARKS: [&str; 4] = ["⚠️", "❌", "[ERROR]", "HTTP "];
        const NAMES: [&str; 5] =
            ["BadRequestError", "AuthenticationError", "RateLimitError", "Non-retryable", "API call failed"];
        const TERMINAL: [&str; 5] =
            ["❌", "[ERROR]", "Non-retryable", "BadRequestError", "AuthenticationError"];
        let has = |terms: &[&str]| terms.iter().any(|term| line.contains(term));
        let is_error = has(&NAMES) || (has(&MARKS) && (line.contains("HTTP ") || line.contains("Error")));
        if !is_error {
            return;
        }
        self.any = Some(line.to_owned());
        if has(&TERMINAL) || line.contains(" retr") && line.contains("after ") {
            self.terminal = Some(line.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: &str) -> RpcError {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn an_error_is_told_in_the_words_that_say_most() {
        for (json, words, reason) in [
            (r#"{"code":-32603,"message":"Internal error","data":{"details":"401 no"}}"#, "401 no", None),
            (r#"{"code":-32603,"message":"Internal error: gone","data":{"service":"s"}}"#, "gone", None),
            (
                r#"{"code":-32603,"message":"Internal error"}"#,
                "the agent answered with the error -32603 Internal error",
                None,
            ),
            (r#"{"code":401,"message":"m"}"#, "m", Some(FailureReason::AuthOrAccess)),
            (
                r#"{"code":-32000,"message":"Authentication required"}"#,
                "Authentication required",
                Some(FailureReason::AuthOrAccess),
            ),
            (r#"{"code":1,"message":"m","data":"d"}"#, "m: d", None),
        ] {
            let failure = of(&error(json));
            assert_eq!((&*failure.error, failure.reason), (words, reason), "{json}");
        }
    }

    #[test]
    fn a_session_is_refused_by_code_and_words() {
        for (json, is_refused) in [
            (
                r#"{"code":-32603,"message":"Internal error","data":{"details":"Invalid session identifier \"x\""}}"#,
                true,
            ),
            (r#"{"code":-32603,"message":"Internal error: OpenCode service failure"}"#, true),
            (r#"{"code":-32002,"message":"Resource not found: session:x"}"#, true),
            (r#"{"code":-32602,"message":"session/resume: unknown session x"}"#, true),
            (r#"{"code":-32603,"message":"Internal error: fetch failed"}"#, false),
            (r#"{"code":-32000,"message":"unknown session"}"#, false),
        ] {
            assert_eq!(of_resume(&error(json)).is_resume_refused, is_refused, "{json}");
        }
    }

    #[test]
    fn an_error_is_found_in_an_answer() {
        for (answer, expected) in [
            ("HTTP 401: no", Some("HTTP 401: no")),
            ("Info: x. Retrying...Error: Authentication failed", Some("Error: Authentication failed")),
            ("API call failed after 3 retries: x", Some("API call failed after 3 retries: x")),
            ("HTTP is a protocol", None),
            ("all done", None),
        ] {
            assert_eq!(in_answer(answer).as_deref(), expected, "{answer}");
        }
    }

    #[test]
    fn lines_of_standard_error_are_told_apart() {
        let mut stderr = Stderr::default();
        stderr.push("⚠️ API call failed (attempt 1/3): RateLi".as_bytes());
        stderr.push("mitError\n INFO all is well\n".as_bytes());
        assert!(stderr.any.as_deref().unwrap().ends_with("RateLimitError"));
        assert_eq!(stderr.terminal, None);
        stderr.push("❌ Non-retryable error (HTTP 401)\n".as_bytes());
        assert!(stderr.terminal.is_some());
    }
}
