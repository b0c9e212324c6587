//! The command line of Claude Code, and of its fork CodeBuddy.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::failure::{Code, Failure};
use crate::provider::row::OwnArgument;
use crate::provider::row::Takes::{Nothing, Optional, Value};

/// The arguments that [`arguments`] sets, or that would change what they mean.
pub const OWN_ARGUMENTS: &[OwnArgument] = &[
    ("-p", Nothing),
    ("--print", Nothing),
    ("--output-format", Value),
    ("--input-format", Value),
    ("--permission-mode", Value),
    ("--mcp-config", Value),
    ("--effort", Value),
    ("--resume", Optional),
    ("-r", Optional),
    ("--continue", Nothing),
    ("-c", Nothing),
    ("--session-id", Value),
    ("--fork-session", Nothing),
    ("--replay-user-messages", Nothing),
    ("--no-session-persistence", Nothing),
];

/// The choices of one run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The file with the managed MCP servers. With one, the agent does not see the user's own servers.
    pub mcp_config: Option<PathBuf>,
    /// The agent sees the user's own servers as well (decision D10).
    pub merge_mcp: bool,
    /// Settings of the environment's: `--settings`.
    pub settings: Option<PathBuf>,
    /// `--model`.
    pub model: Option<String>,
    /// `--effort`.
    pub effort: Option<String>,
    /// `--max-turns`.
    pub max_turns: Option<u32>,
    /// `--append-system-prompt`: added to the CLI's own, which stays.
    pub append_system_prompt: Option<String>,
    /// `--resume`.
    pub resume: Option<String>,
    /// Further arguments, filtered by [`crate::provider::argv::filter`].
    pub custom: Vec<OsString>,
}

/// The command line after the program's name.
pub fn arguments(options: Options) -> Vec<OsString> {
    let mut args: Vec<OsString> = [
        "-p",
        "--output-format",
        "stream-json",
        "--input-format",
        "stream-json",
        "--verbose", // demanded by the CLI for stream-json in print mode
        "--permission-mode",
        "bypassPermissions",
        "--disallowedTools",
        "AskUserQuestion", // no person answers it; the agent would continue with an empty answer
    ]
    .map(OsString::from)
    .into();
    let mut pair = |flag: &str, value: Option<OsString>| {
        if let Some(value) = value {
            args.extend([flag.into(), value]);
        }
    };
    let is_strict = options.mcp_config.is_some() && !options.merge_mcp;
    pair("--mcp-config", options.mcp_config.map(Into::into));
    pair("--model", options.model.map(Into::into));
    pair("--effort", options.effort.map(Into::into));
    pair("--max-turns", options.max_turns.map(|turns| turns.to_string().into()));
    pair("--append-system-prompt", options.append_system_prompt.map(Into::into));
    pair("--resume", options.resume.map(Into::into));
    if is_strict {
        args.push("--strict-mcp-config".into());
    }
    args.extend(options.custom);
    // Last, so that it wins over one that was asked for.
    args.extend(options.settings.into_iter().flat_map(|path| ["--settings".into(), path.into()]));
    args
}

/// As root Claude Code bypasses permissions only where `IS_SANDBOX` is exactly `1`; it takes no other value.
///
/// # Errors
/// [`Code::AgentNotStarted`], where it would refuse.
pub fn check_root(is_root: bool, env: &[(OsString, OsString)]) -> Result<(), Failure> {
    let told = env.iter().any(|(name, value)| name == "IS_SANDBOX" && value == OsStr::new("1"));
    if !is_root || told {
        return Ok(());
    }
    Err(Failure::new(
        Code::AgentNotStarted,
        "Claude Code does not run unattended as root unless the variable IS_SANDBOX is exactly 1",
    )
    .hint("run as another user, or, if this machine may be changed by the agent, add `--env IS_SANDBOX=1`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_has_its_flag_and_custom_comes_last() {
        let bare = arguments(Options::default());
        assert_eq!(bare.len(), 10);
        let full = arguments(Options {
            mcp_config: Some("/m".into()),
            settings: Some("/s".into()),
            merge_mcp: false,
            model: Some("opus".into()),
            effort: Some("high".into()),
            max_turns: Some(3),
            append_system_prompt: Some("be brief".into()),
            resume: Some("s1".into()),
            custom: vec!["--add-dir".into(), "/x".into()],
        });
        let text: Vec<_> = full[10..].iter().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(
            text.join("|"),
            "--mcp-config|/m|--model|opus|--effort|high|--max-turns|3|--append-system-prompt|be brief|--resume|s1|\
             --strict-mcp-config|--add-dir|/x|--settings|/s"
        );
        let merged =
            arguments(Options { mcp_config: Some("/m".into()), merge_mcp: true, ..Options::default() });
        assert_eq!(merged[10..], ["--mcp-config", "/m"]);
    }

    #[test]
    fn root_needs_the_exact_word() {
        let env = |value: &str| vec![(OsString::from("IS_SANDBOX"), OsString::from(value))];
        assert!(check_root(false, &[]).is_ok());
        assert!(check_root(true, &env("1")).is_ok());
        assert_eq!(check_root(true, &env("yes")).unwrap_err().code, Code::AgentNotStarted);
        assert!(check_root(true, &[]).is_err());
    }
}
