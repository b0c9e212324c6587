//! The stable words for why a run did not complete.

use serde::{Serialize, Serializer};

macro_rules! reasons {
    ($(#[doc = $meaning:literal] $name:ident = $word:literal,)*) => {
        /// Why a run did not complete. The word is part of the result's contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FailureReason {
            $(#[doc = $meaning] $name,)*
        }

        impl FailureReason {
            /// The stable word.
            pub fn word(self) -> &'static str {
                match self {
                    $(FailureReason::$name => $word,)*
                }
            }

            /// The reason with this word. `None`: this version does not know it.
            pub fn of_word(word: &str) -> Option<FailureReason> {
                match word {
                    $($word => Some(FailureReason::$name),)*
                    _ => None,
                }
            }

            /// The same in plain words: one sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(FailureReason::$name => $meaning,)*
                }
                .trim_start()
            }
        }

        #[cfg(test)]
        impl FailureReason {
            /// All words.
            pub const WORDS: &[&str] = &[$($word),*];
        }
    };
}

reasons! {
    /// The conversation is longer than the model can take.
    ContextOverflow = "agent_error.context_overflow",
    /// The agent lacks a setting, such as an API key.
    MissingConfig = "agent_error.missing_config",
    /// The model's server refused the login or the access.
    AuthOrAccess = "agent_error.provider_auth_or_access",
    /// The account's quota or credit is used up.
    QuotaLimit = "agent_error.provider_quota_limit",
    /// The model's server limits the rate of requests, or is overloaded.
    RateLimit = "agent_error.provider_capacity_or_rate_limit",
    /// The model's server had an error.
    ServerError = "agent_error.provider_server_error",
    /// The model's server could not be reached, or the connection broke.
    Network = "agent_error.provider_network",
    /// The model does not exist, or the account cannot use it.
    ModelUnavailable = "agent_error.model_not_found_or_unavailable",
    /// The agent's output cannot be read.
    UnreadableOutput = "agent_error.empty_or_unparseable_output",
    /// A limit of the agent's own ended it.
    AgentTimeout = "agent_error.agent_timeout",
    /// The agent's program does not exist or cannot be executed.
    MissingExecutable = "agent_error.runtime_missing_executable",
    /// The agent's program is too old.
    UnsupportedVersion = "agent_error.runtime_version_unsupported",
    /// The agent's process failed.
    ProcessFailure = "agent_error.process_failure",
    /// The agent failed with a text that fits no other reason.
    Unknown = "agent_error.unknown",
    /// The run's own limit on its duration.
    Timeout = "timeout",
    /// The run's own limit on silence.
    IdleWatchdog = "idle_watchdog",
    /// The work dir went away, or another folder came into its place, while the agent worked.
    WorkDirMissing = "workdir_missing",
    /// A signal, the cancel file, or a reader of the events that went away.
    Cancelled = "cancelled",
    /// The agent reached its limit on turns, or an autonomous run that on iterations.
    IterationLimit = "iteration_limit",
    /// An autonomous run whose agent got no further.
    CircuitBreaker = "circuit_breaker",
    /// The agent reached the run's bound on its price.
    CostLimit = "cost_limit",
    /// The agent reached the run's bound on tokens.
    TokenLimit = "token_limit",
    /// The agent answered with a canned message instead of an answer.
    FallbackMessage = "agent_fallback_message",
    /// The model's server refuses the conversation as it is, now and at each retry.
    InvalidRequest = "api_invalid_request",
    /// Codex reported no activity within its turn.
    CodexInactivity = "codex_semantic_inactivity",
    /// The session is too long for Codex to resume.
    CodexResumeOversized = "codex_resume_oversized",
    /// The agent was done, but its work could not be published as the run was asked to.
    PublishFailed = "publish_failed",
    /// The run ended before its agent was started.
    NotStarted = "not_started",
    /// The run died before it could say how it ended.
    Crashed = "crashed",
}

impl FailureReason {
    /// What an HTTP status of the model's server means, where it means the same for every server.
    pub fn of_status(status: u64) -> Option<FailureReason> {
        match status {
            401 | 403 => Some(FailureReason::AuthOrAccess),
            402 => Some(FailureReason::QuotaLimit),
            404 => Some(FailureReason::ModelUnavailable),
            413 => Some(FailureReason::ContextOverflow),
            429 | 529 => Some(FailureReason::RateLimit),
            500..=599 => Some(FailureReason::ServerError),
            _ => None,
        }
    }

    /// Whether the agent, not the run, is the reason.
    pub fn is_agent_error(self) -> bool {
        self.word().starts_with("agent_error.")
    }
}

impl Serialize for FailureReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}
