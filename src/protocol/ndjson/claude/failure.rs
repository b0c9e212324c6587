//! Why a turn of Claude Code failed, and whether its session can go on: from the fields of the result line, which state
//! the answer of the model's server. What they do not state is left to the words.

use serde_json::value::RawValue;

use super::message::Line;
use crate::protocol::FailureReason;

/// What the fields of a result line say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stated {
    pub(super) reason: Option<FailureReason>,
    /// Why the session must not be resumed: the server would refuse its history again.
    pub(super) poisoned: Option<FailureReason>,
}

/// Reads the fields of a failed result line.
pub(super) fn stated(line: &Line<'_>) -> Stated {
    use FailureReason::{
        AuthOrAccess, ContextOverflow, CostLimit, InvalidRequest, IterationLimit, ModelUnavailable, Network,
        QuotaLimit, RateLimit, ServerError,
    };
    let poisoned = |reason| Stated { reason: Some(reason), poisoned: Some(reason) };
    let fails = |reason| Stated { reason: Some(reason), poisoned: None };
    if &*line.subtype == "error_max_turns" {
        return fails(IterationLimit);
    }
    if &*line.subtype == "error_max_budget_usd" {
        return fails(CostLimit);
    }
    if &*line.terminal_reason == "prompt_too_long" {
        return poisoned(ContextOverflow);
    }
    match (&*line.api_error_type, status(line.api_error_status)) {
        // The account has no credit left: the conversation itself is sound.
        ("invalid_request_error", _) | (_, Some(400)) if is_about_money(&line.result) => fails(QuotaLimit),
        ("request_too_large", _) | (_, Some(413)) => poisoned(ContextOverflow),
        ("invalid_request_error", _) | (_, Some(400)) => poisoned(InvalidRequest),
        ("authentication_error" | "permission_error", _) | (_, Some(401 | 403)) => fails(AuthOrAccess),
        ("billing_error", _) | (_, Some(402)) => fails(QuotaLimit),
        ("not_found_error", _) | (_, Some(404)) => fails(ModelUnavailable),
        ("rate_limit_error", _) | (_, Some(429)) if is_about_money(&line.result) => fails(QuotaLimit),
        ("rate_limit_error" | "overloaded_error", _) | (_, Some(429 | 529)) => fails(RateLimit),
        ("api_error" | "timeout_error", _) | (_, Some(500..=599)) => fails(ServerError),
        _ if &*line.api_error == "connection_failed" => fails(Network),
        _ => Stated::default(),
    }
}

fn status(raw: Option<&RawValue>) -> Option<u16> {
    raw?.get().parse().ok()
}

/// Whether an error is about the account's credit or quota, which the API tells in words only.
fn is_about_money(text: &str) -> bool {
    let text = text.to_lowercase();
    ["credit balance", "balance is too low", "usage limit", "hit your limit", "quota"]
        .iter()
        .any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_before_words() {
        use FailureReason::*;
        for (fields, reason, poisoned) in [
            (
                r#""api_error_status":400,"api_error_type":"invalid_request_error""#,
                Some(InvalidRequest),
                true,
            ),
            (r#""api_error_status":400"#, Some(InvalidRequest), true),
            (
                r#""api_error_type":"invalid_request_error","result":"Your credit balance is too low""#,
                Some(QuotaLimit),
                false,
            ),
            (r#""api_error_status":413,"api_error_type":"request_too_large""#, Some(ContextOverflow), true),
            (r#""terminal_reason":"prompt_too_long","api_error_status":400"#, Some(ContextOverflow), true),
            (r#""api_error_status":401,"api_error_type":"authentication_error""#, Some(AuthOrAccess), false),
            (r#""api_error_status":403"#, Some(AuthOrAccess), false),
            (r#""api_error_status":404,"api_error_type":"not_found_error""#, Some(ModelUnavailable), false),
            (r#""api_error_status":429,"api_error_type":"rate_limit_error""#, Some(RateLimit), false),
            (r#""api_error_status":429,"result":"You've hit your limit""#, Some(QuotaLimit), false),
            (r#""api_error_status":529,"api_error_type":"overloaded_error""#, Some(RateLimit), false),
            (r#""api_error_status":500,"api_error_type":"api_error""#, Some(ServerError), false),
            (
                r#""api_error_status":null,"api_error":"connection_failed","terminal_reason":"api_error""#,
                Some(Network),
                false,
            ),
            (r#""subtype":"error_max_turns""#, Some(IterationLimit), false),
            (r#""subtype":"error_max_budget_usd""#, Some(CostLimit), false),
            (r#""api_error_status":"400""#, None, false),
            (r#""terminal_reason":"api_error""#, None, false),
            (r#""result":"API Error: 400 invalid_request_error""#, None, false),
        ] {
            let text = format!("{{{fields}}}");
            let line: Line<'_> = serde_json::from_str(&text).unwrap();
            let expected = Stated { reason, poisoned: reason.filter(|_| poisoned) };
            assert_eq!(stated(&line), expected, "{fields}");
        }
    }
}
