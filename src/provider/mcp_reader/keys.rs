//! The keys of a server: which mean the same, which belong to one tool, which say nothing to an agent.

use serde_json::{Map, Value};

/// Keys of the one form.
const KNOWN: [&str; 10] =
    ["type", "command", "args", "env", "cwd", "url", "headers", "enabled", "disabled", "timeout"];

/// The same under the name that another tool has for it.
const SYNONYMS: [(&str, &str); 11] = [
    ("environment", "env"), // OpenCode
    ("envs", "env"),        // Goose
    ("cmd", "command"),
    ("uri", "url"),
    ("httpUrl", "url"),          // Gemini
    ("serverUrl", "url"),        // Windsurf
    ("http_headers", "headers"), // Codex
    ("requestHeaders", "headers"),
    ("transport", "type"), // OpenClaw
    ("transportType", "type"),
    ("workingDirectory", "cwd"),
];

/// For people, or for a tool that asks before it uses a server: nothing that an agent without a person needs.
const IGNORED: [&str; 16] = [
    "description",
    "name",
    "title",
    "icon",
    "version",
    "source",
    "gallery",
    "alwaysAllow",
    "autoApprove",
    "trust",
    "prompts",
    "resources",
    "$schema",
    "comment",
    "_comment",
    "//",
];

/// Keys that these providers understand, and no other: without them a server would get a wider reach or no login.
const EXTRAS: [(&str, &[&str]); 18] = [
    ("oauth", &["opencode", "claude", "codebuddy", "copilot", "gemini", "qwen", "codex"]),
    ("headersHelper", &["claude", "codebuddy"]),
    ("alwaysLoad", &["claude", "codebuddy"]),
    ("envFile", &["cursor"]),
    ("auth", &["cursor", "openclaw"]),
    ("includeTools", &["gemini", "qwen"]),
    ("excludeTools", &["gemini", "qwen"]),
    ("tools", &["copilot", "codex"]),
    ("startup_timeout_sec", &["codex"]),
    ("startup_timeout_ms", &["codex"]),
    ("tool_timeout_sec", &["codex"]),
    ("enabled_tools", &["codex"]),
    ("disabled_tools", &["codex"]),
    ("bearer_token_env_var", &["codex"]),
    ("env_http_headers", &["codex"]),
    ("env_vars", &["codex"]),
    ("scopes", &["codex"]),
    ("required", &["codex"]),
];

/// What a key means in the one form.
pub(super) enum Meaning {
    /// This key.
    Key(&'static str),
    /// Itself, for the providers that understand it.
    Extra,
    /// Nothing.
    Ignored,
    /// It is in no table.
    Unknown,
}

/// What a key means.
pub(super) fn meaning(key: &str) -> Meaning {
    if let Some(known) = KNOWN.iter().find(|known| **known == key) {
        return Meaning::Key(known);
    }
    if let Some((_, known)) = SYNONYMS.iter().find(|(other, _)| *other == key) {
        return Meaning::Key(known);
    }
    if is_extra(key) {
        return Meaning::Extra;
    }
    if IGNORED.contains(&key) { Meaning::Ignored } else { Meaning::Unknown }
}

/// Whether a key is one of one tool's own.
pub(in crate::provider) fn is_extra(key: &str) -> bool {
    EXTRAS.iter().any(|(extra, _)| *extra == key)
}

/// A key of a server that the provider does not understand.
pub(in crate::provider) fn foreign_key<'a>(
    server: &'a Map<String, Value>,
    provider: &str,
) -> Option<&'a str> {
    let is_foreign = |key: &str, value: &Value| {
        let extra = EXTRAS.iter().find(|(extra, _)| *extra == key);
        let says_all = key == "tools" && value[0] == "*" && value[1].is_null();
        extra.is_some_and(|(_, providers)| !providers.contains(&provider)) && !says_all
    };
    server.iter().find(|(key, value)| is_foreign(key, value)).map(|(key, _)| key.as_str())
}
