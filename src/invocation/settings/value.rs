//! How the text of a setting becomes a value.

use std::path::PathBuf;
use std::str::FromStr;

use chrono::Duration;

use crate::formats::parse_whole;
use crate::invocation::duration::{parse_duration, parse_go_duration};
use crate::invocation::size::parse_size;
use crate::provider::plan::McpMode;

/// The words of `mcp_mode`: whether the agent also sees the user's own MCP servers (decision D10).
pub const MCP_MODES: [(&str, McpMode); 2] = [("strict", McpMode::Strict), ("merge", McpMode::Merge)];
/// The words of `codex_sandbox`: what Codex may do to the system (decision D9).
pub const CODEX_SANDBOXES: [&str; 4] = ["auto", "read-only", "workspace-write", "danger-full-access"];

/// The words of a switch that must not be misread.
pub(super) const SWITCH: [(&str, bool); 2] = [("on", true), ("off", false)];

/// A setting's text.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) value: &'a str,
    /// Whether it comes from a variable of multica's, which has Go's grammar.
    pub(super) is_go: bool,
}

/// What a setting's text means, or a sentence that says what is accepted.
pub(super) type Read<T> = Result<T, String>;

pub(super) fn text(text: Text<'_>) -> Read<String> {
    Ok(text.value.to_owned())
}

pub(super) fn path(text: Text<'_>) -> Read<PathBuf> {
    Ok(text.value.into())
}

/// A path; `None`: there is none.
pub(super) fn path_if_any(text: Text<'_>) -> Read<Option<PathBuf>> {
    Ok((!text.value.is_empty()).then(|| text.value.into()))
}

pub(super) fn duration(text: Text<'_>) -> Read<Duration> {
    if text.is_go { parse_go_duration(text.value) } else { parse_duration(text.value) }
}

/// A duration that must not be zero.
pub(super) fn timeout(text: Text<'_>) -> Read<Duration> {
    match duration(text)? {
        timeout if timeout.is_zero() => Err("it must be longer than 0".into()),
        timeout => Ok(timeout),
    }
}

/// A count; `None`: there is no bound.
pub(super) fn count<T: FromStr>(text: Text<'_>) -> Read<Option<T>> {
    let wrong = || format!("`{}` is not a whole number", text.value.escape_debug());
    if text.value.is_empty() { Ok(None) } else { parse_whole(text.value).map(Some).ok_or_else(wrong) }
}

/// A size; `None`: there is no bound.
pub(super) fn bound(text: Text<'_>) -> Read<Option<u64>> {
    if text.value.is_empty() { Ok(None) } else { parse_size(text.value).map(Some) }
}

/// On, unless it says otherwise.
pub(super) fn switch(text: Text<'_>) -> Read<bool> {
    Ok(!["false", "0", "off", "no"].contains(&text.value.to_ascii_lowercase().as_str()))
}

pub(super) fn word<T: Copy>(text: Text<'_>, words: &[(&'static str, T)]) -> Read<T> {
    words.iter().find(|(word, _)| *word == text.value).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("accepted are {}", known.join(", "))
    })
}
