//! Failure reasons, unusable sessions and refused resumes, found in the texts of agent CLIs. What is known from a code, a
//! field or a limit is not looked up here.

use super::status::numbers;
use crate::protocol::FailureReason;
use crate::provider::codex;

/// Rows in order, the first match wins. Within a row each list is an alternative whose terms must all occur. `#401`
/// is that number with no digit beside it, `#5xx` any number from 500 to 599; in a log, where most numbers are something
/// else, only where the words beside it make it a status. `!internal error` does not count in a log: there it may be what a
/// JSON-RPC library prints for every failure.
const ROWS: &[(FailureReason, &[&[&str]])] = &[
    (
        FailureReason::ContextOverflow,
        &[
            &["context length"],
            &["context_length_exceeded"],
            &["maximum context"],
            &["prompt is too long"],
            &["context size has been exceeded"],
            &["context window limit"],
            &["model_context_window_exceeded"],
            &["prompt_too_long"],
            &["token", "limit"],
        ],
    ),
    (
        FailureReason::MissingConfig,
        &[
            &["missing environment variable"],
            &["missing", "api_key"],
            &["api key", "required"],
            &["no llm provider configured"],
            &["no provider configured"],
        ],
    ),
    (
        FailureReason::AuthOrAccess,
        &[
            &["#401"],
            &["#403"],
            &["unauthorized"],
            &["login required"],
            &["not logged in"],
            &["please login again"],
            &["refresh token"],
            &["invalid api key"],
            &["access token"],
            &["subscription access"],
            &["may not have access"],
            &["does not have access"],
        ],
    ),
    (
        FailureReason::QuotaLimit,
        &[
            &["#402"],
            &["insufficient_balance"],
            &["balance is too low"],
            &["usage limit"],
            &["you've hit your limit"],
            &["you’ve hit your limit"],
            &["credits"],
            &["quota"],
        ],
    ),
    (
        FailureReason::RateLimit,
        &[&["#429"], &["#529"], &["rate limit"], &["overloaded"], &["no capacity available"]],
    ),
    (
        FailureReason::ServerError,
        &[
            &["#5xx"],
            &["server had an error"],
            &["experiencing high demand"],
            &["provider returned error"],
            &["!internal error"],
            &["service unavailable"],
            &["bad gateway"],
        ],
    ),
    (
        FailureReason::Network,
        &[
            &["stream disconnected"],
            &["opencode stream ended"],
            &["connection closed"],
            &["connection error"],
            &["mid-response"],
            &["error sending request"],
            &["unable to connect"],
            &["dial tcp"],
            &["connection refused"],
            &["econnrefused"],
            &["could not connect"],
            &["cannot connect"],
            &["connectionrefused"],
            &["dns"],
            &["i/o timeout"],
            &["deadline exceeded"],
            &["timeout exceeded while awaiting"],
        ],
    ),
    (
        FailureReason::ModelUnavailable,
        &[
            &["model", "not found"],
            &["unknown model"],
            &["selected model"],
            &["http 404"],
            &["404 page not found"],
        ],
    ),
    (FailureReason::UnreadableOutput, &[&["returned empty output"], &["returned no parseable output"]]),
    (FailureReason::AgentTimeout, &[&["timed out after"]]),
    (FailureReason::MissingExecutable, &[&["executable not found"], &["exec format error"]]),
    (
        FailureReason::UnsupportedVersion,
        &[&["below the minimum supported version"], &["requires a newer version"]],
    ),
    (
        FailureReason::ProcessFailure,
        &[
            &["exit status"],
            &["signal"],
            &["panic"],
            &["sigsegv"],
            &["process exited"],
            &["start codex:"],
            &["pipe has been ended"],
            &["file already closed"],
            &["initialize failed"],
        ],
    ),
];

/// The reason for the words in which an agent states its failure.
pub fn classify(error: &str) -> FailureReason {
    find(&error.to_lowercase(), Text::Failure)
}

/// The reason in a log of an agent's: in its last words, and in the lines about errors before them.
pub fn classify_log(last_words: &str, searched: &str) -> FailureReason {
    const WORDS: [&str; 3] = ["error", "exception", "fatal"];
    let (last_words, searched) = (last_words.to_lowercase(), searched.to_lowercase());
    let is_about_error = |line: &&str| WORDS.iter().any(|word| line.contains(word));
    let lines: Vec<&str> = searched.lines().filter(is_about_error).chain(last_words.lines()).collect();
    find(&lines.join("\n"), Text::Log)
}

/// What a text is.
#[derive(Clone, Copy, PartialEq)]
enum Text {
    /// The words of a failure.
    Failure,
    /// Lines of a log, which may hold anything.
    Log,
}

fn find(text: &str, kind: Text) -> FailureReason {
    let row = ROWS.iter().find(|(_, any)| any.iter().any(|all| all.iter().all(|term| has(text, term, kind))));
    row.map_or(FailureReason::Unknown, |(reason, _)| *reason)
}

fn has(text: &str, term: &str, kind: Text) -> bool {
    let is_failure = kind == Text::Failure;
    if let Some(wanted) = term.strip_prefix('#') {
        return numbers(text).any(|number| number.is(wanted) && (is_failure || number.is_status()));
    }
    match term.strip_prefix('!') {
        Some(term) => is_failure && text.contains(term),
        None => text.contains(term),
    }
}

/// The longest answer, in bytes, that can be a CLI's own message. A longer one that quotes a marker is a real answer.
const SHORT: usize = 320;

/// Why a session must not be resumed after this answer, although the run looks completed.
pub fn poisoned_by_output(text: &str) -> Option<FailureReason> {
    let text = text.trim();
    if text.len() > SHORT {
        return None;
    }
    let text = text.to_lowercase();
    let all = |terms: [&str; 2]| terms.iter().all(|term| text.contains(term));
    if text.contains("i reached the iteration limit") {
        Some(FailureReason::IterationLimit)
    } else if text.contains("put your final update inside the content string") {
        Some(FailureReason::FallbackMessage)
    } else if all(["prompt is too long", "cannot be compacted"])
        || all(["conversation too long", "press esc twice"])
        || all(["compaction failed", "reduced below the context limit"])
    {
        Some(FailureReason::ContextOverflow)
    } else {
        None
    }
}

/// Why a session must not be resumed after this error: the model's server would refuse its history again.
pub fn poisoned_by_error(provider: &str, error: &str) -> Option<FailureReason> {
    const EMPTY: [&str; 6] = [
        "must not be empty",
        "must be non-empty",
        "must have non-empty",
        "non-empty content",
        "cannot be empty",
        "should not be empty",
    ];
    const PLACE: [&str; 7] = [
        "role: assistant",
        "role 'assistant'",
        "role \"assistant\"",
        "assistant message",
        "message at position",
        "messages.",
        "messages[",
    ];
    let text = error.to_lowercase();
    let any = |terms: &[&str]| terms.iter().any(|term| text.contains(term));
    let all = |terms: [&str; 2]| terms.iter().all(|term| text.contains(term));
    let located = any(&PLACE[..5])
        || PLACE[5..].iter().any(|place| {
            text.match_indices(place)
                .any(|(at, _)| text[at + place.len()..].starts_with(|c: char| c.is_ascii_digit()))
        });
    if all(["400", "invalid_request_error"])
        || all(["image dimensions exceed max allowed size", "image.source.base64.data"])
        || (any(&EMPTY) && located)
    {
        Some(FailureReason::InvalidRequest)
    } else if provider == codex::NAME
        && any(&["codex semantic inactivity timeout", "codex app-server no progress timeout"])
    {
        Some(FailureReason::CodexInactivity)
    } else if provider == codex::NAME && all(["thread/resume failed", "too long"]) {
        Some(FailureReason::CodexResumeOversized)
    } else {
        None
    }
}

/// Whether a text says that the session asked for cannot be resumed.
pub fn is_resume_refused(text: &str) -> bool {
    const PHRASES: [&str; 13] = [
        "no conversation found",
        "no saved session found",
        "no session found",
        "no session matches",
        "no session, task, or name matched",
        "no previous sessions found",
        "no rollout found",
        "session not found",
        "unknown session",
        "invalid session identifier",
        "已绑定另外",
        "bound to another account",
        "bound to a different account",
    ];
    let text = text.to_lowercase();
    PHRASES.iter().any(|phrase| text.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_in_order() {
        let cases = [
            ("", "agent_error.unknown"),
            ("Prompt is too long (429)", "agent_error.context_overflow"),
            ("output Token LIMIT reached", "agent_error.context_overflow"),
            ("missing OPENAI_API_KEY", "agent_error.missing_config"),
            ("API Error: 401 bad", "agent_error.provider_auth_or_access"),
            ("request 14012 lost", "agent_error.unknown"),
            ("You’ve hit your limit", "agent_error.provider_quota_limit"),
            ("HTTP 529", "agent_error.provider_capacity_or_rate_limit"),
            ("status=503;", "agent_error.provider_server_error"),
            ("We’re currently experiencing high demand", "agent_error.provider_server_error"),
            ("took 5030 ms", "agent_error.unknown"),
            ("dial tcp 1.2.3.4", "agent_error.provider_network"),
            ("API call failed after 3 retries: Connection error.", "agent_error.provider_network"),
            ("Connection error. (cause: connect ECONNREFUSED 1.2.3.4:5)", "agent_error.provider_network"),
            ("Could not connect to local model provider", "agent_error.provider_network"),
            ("model x not found", "agent_error.model_not_found_or_unavailable"),
            ("openclaw returned no parseable output", "agent_error.empty_or_unparseable_output"),
            ("timed out after 3s", "agent_error.agent_timeout"),
            ("Exec format error", "agent_error.runtime_missing_executable"),
            ("below the minimum supported version", "agent_error.runtime_version_unsupported"),
            ("exit status 3", "agent_error.process_failure"),
        ];
        for (text, reason) in cases {
            assert_eq!(classify(text).word(), reason, "{text}");
        }
    }

    #[test]
    fn a_number_in_a_log_is_a_status_only_in_the_words_of_one() {
        let server_error = "agent_error.provider_server_error";
        let refused = "agent_error.provider_auth_or_access";
        let unknown = "agent_error.unknown";
        for (line, reason) in [
            ("INFO /site-packages/channels/manager.py:549 | stopped", unknown),
            ("File \"server.py\", line 503, in prompt", unknown),
            ("fetched in 543 ms", unknown),
            ("listening on 127.0.0.1:503", unknown),
            ("error after 512 tries", unknown),
            ("error: 12401 bytes", unknown),
            ("error.py:501: it failed", unknown),
            ("HTTP/1.1 503", server_error),
            ("\"POST /v1 HTTP/2\" 502", server_error),
            ("{\"status\": 500}", server_error),
            ("statusCode=503", server_error),
            ("the server answered 504 Gateway Timeout", server_error),
            ("openai.AuthenticationError: Error code: 401 - {'type': 'error'}", refused),
            ("API Error: 403", refused),
            ("request failed (HTTP 401)", refused),
            ("403 Forbidden", refused),
        ] {
            assert_eq!(classify_log(line, "").word(), reason, "{line}");
        }
    }

    #[test]
    fn what_a_server_answered_is_found_before_a_stack_trace() {
        let trace = "  File \"server.py\", line 503, in prompt\n".repeat(90);
        let log = format!(
            "dial tcp\nAuthenticationError: Error code: 401 - {{}}\n{trace}RequestError: Internal error\n"
        );
        let last_words = &log[log.len() - 500..];
        assert_eq!(classify_log(last_words, &log), FailureReason::AuthOrAccess);
        assert_eq!(classify_log(last_words, ""), FailureReason::Unknown);
        assert_eq!(classify_log("", "dial tcp"), FailureReason::Unknown, "no line about an error");
    }

    #[test]
    fn poisoned_answers_are_short() {
        let marker = "I reached the iteration limit.";
        assert_eq!(poisoned_by_output(&format!("  {marker}\n")), Some(FailureReason::IterationLimit));
        assert_eq!(poisoned_by_output(&format!("{marker}{}", "x".repeat(SHORT))), None);
        assert_eq!(
            poisoned_by_output("Prompt is too long and cannot be compacted"),
            Some(FailureReason::ContextOverflow)
        );
        assert_eq!(poisoned_by_output("fine"), None);
    }

    #[test]
    fn poisoned_errors() {
        let cases = [
            (
                "claude",
                "API Error: 400 {\"type\":\"invalid_request_error\"}",
                Some(FailureReason::InvalidRequest),
            ),
            ("claude", "messages.3: text must be non-empty", Some(FailureReason::InvalidRequest)),
            ("claude", "messages.x must be non-empty", None),
            ("claude", "name cannot be empty", None),
            ("codex", "codex semantic inactivity timeout", Some(FailureReason::CodexInactivity)),
            ("claude", "codex semantic inactivity timeout", None),
            ("claude", "429 rate limit", None),
        ];
        for (provider, error, reason) in cases {
            assert_eq!(poisoned_by_error(provider, error), reason, "{error}");
        }
    }

    #[test]
    fn refusals() {
        for text in [
            "No conversation found with session ID: x",
            "Error resuming session: No previous sessions found for this project.",
            "Error resuming session: Invalid session identifier \"x\".",
            "No session found matching 'x'",
            "error: no session matches \"x\"",
            "Error: No session, task, or name matched 'x'.",
            "Error: Session not found",
            "no rollout found for thread id x",
        ] {
            assert!(is_resume_refused(text), "{text}");
        }
        assert!(!is_resume_refused("connection refused"));
    }
}
