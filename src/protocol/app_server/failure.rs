//! Why a turn failed: the server's own words for it come before its text.

use serde_json::Value;

use crate::protocol::{AgentFailure, FailureReason};

/// A failure, and whether the thread cannot go on after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Failed {
    pub(super) failure: AgentFailure,
    pub(super) poisoned: Option<FailureReason>,
}

/// Reads an error of a turn.
pub(super) fn read(error: &Value) -> Failed {
    let message = error["message"].as_str().unwrap_or_default();
    let details = error["additionalDetails"].as_str().unwrap_or_default();
    let text = match (message, details) {
        ("", "") => "the turn failed".to_owned(),
        (text, "") | ("", text) => text.to_owned(),
        (message, details) if message.contains(details) => message.to_owned(),
        (message, details) => format!("{message} ({details})"),
    };
    let reason = reason(&error["codexErrorInfo"]);
    Failed {
        failure: AgentFailure { error: text, reason, is_resume_refused: false },
        poisoned: reason.filter(|reason| *reason == FailureReason::ContextOverflow),
    }
}

/// The reason in the server's own words, where it gives one.
fn reason(info: &Value) -> Option<FailureReason> {
    use FailureReason::{
        AuthOrAccess, ContextOverflow, InvalidRequest, ModelUnavailable, Network, ProcessFailure, QuotaLimit,
        RateLimit, ServerError, Unknown,
    };
    if let Some((kind, status)) = info.as_object().and_then(|info| info.iter().next()) {
        return match status["httpStatusCode"].as_u64() {
            Some(401 | 403) => Some(AuthOrAccess),
            Some(402) => Some(QuotaLimit),
            Some(404) => Some(ModelUnavailable),
            Some(429 | 529) => Some(RateLimit),
            Some(400) => Some(InvalidRequest),
            Some(500..=599) => Some(ServerError),
            Some(_) => None,
            None => (kind != "activeTurnNotSteerable").then_some(Network),
        };
    }
    Some(match info.as_str()? {
        "contextWindowExceeded" => ContextOverflow,
        "usageLimitExceeded" | "sessionBudgetExceeded" => QuotaLimit,
        "rateLimitExceeded" | "flexUnavailable" | "serverOverloaded" | "policyCapacityUnavailable" => {
            RateLimit
        }
        "modelNotFound" => ModelUnavailable,
        "internalServerError" => ServerError,
        "unauthorized" => AuthOrAccess,
        "badRequest" => InvalidRequest,
        "sandboxError" => ProcessFailure,
        "cyberPolicy"
        | "bioPolicy"
        | "misalignmentPolicyViolation"
        | "tooManyDenials"
        | "inferenceHookDenied" => Unknown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_servers_words_come_before_its_text() {
        use FailureReason::*;
        for (info, expected) in [
            (json!("contextWindowExceeded"), Some(ContextOverflow)),
            (json!("usageLimitExceeded"), Some(QuotaLimit)),
            (json!("serverOverloaded"), Some(RateLimit)),
            (json!("unauthorized"), Some(AuthOrAccess)),
            (json!("badRequest"), Some(InvalidRequest)),
            (json!({"httpConnectionFailed":{"httpStatusCode":401}}), Some(AuthOrAccess)),
            (json!({"responseTooManyFailedAttempts":{"httpStatusCode":503}}), Some(ServerError)),
            (json!({"responseStreamDisconnected":{"httpStatusCode":null}}), Some(Network)),
            (json!({"responseStreamConnectionFailed":{}}), Some(Network)),
            (json!({"activeTurnNotSteerable":{"turnKind":"review"}}), None),
            (json!("other"), None),
            (json!(null), None),
            (json!([7]), None),
        ] {
            assert_eq!(reason(&info), expected, "{info}");
        }
        let failed =
            read(&json!({"message":"m","additionalDetails":"d","codexErrorInfo":"contextWindowExceeded"}));
        assert_eq!((failed.failure.error.as_str(), failed.poisoned), ("m (d)", Some(ContextOverflow)));
    }
}
