//! Asking OpenClaw's CLI, and understanding what it answers.
//!
//! Its standard output may hold secrets of the user's: it is never part of an error, but for the words that the CLI
//! itself calls its error.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::failure::{Code, Failure};
use crate::formats::shortened;
use crate::sys::child::{self, Captured, Program};

/// The longest text of an error, in characters.
const MAX_WORDS: usize = 1024;
/// What stands in the place of a secret.
const BLACKENED: &str = "__OPENCLAW_REDACTED__";

/// OpenClaw's CLI, with the variables of `execenv` itself: they steer which configuration it means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cli<'a> {
    pub(super) program: &'a Path,
    pub(super) env: &'a [(OsString, OsString)],
    /// How long one call may take.
    pub(super) limit: Duration,
    /// Ends a call before.
    pub(super) stop: &'a AtomicBool,
}

/// What a call came to.
#[derive(Debug)]
pub(super) enum Answer<T> {
    Given(T),
    /// It refused, in these words of its own.
    Refused(Words),
}

/// The error that the CLI printed: bounded, on one line.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Words {
    /// From standard error.
    plain: String,
    /// The error of a JSON answer.
    json: String,
}

/// Why a question about a key has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// The key is not set.
    Unset,
    /// The schema of this version has no such key: it is that of 2026.9 and later.
    Unknown,
}

impl Cli<'_> {
    /// Runs `openclaw ARGS` and returns what it printed.
    ///
    /// # Errors
    /// Where it cannot be started, does not end in time (an [`io::ErrorKind::TimedOut`] is in the chain), or prints too
    /// much.
    pub(super) fn ask(&self, args: &[&str]) -> Result<Answer<String>> {
        let shown = format!("`openclaw {}`", args.join(" "));
        let owned: Vec<OsString> = args.iter().map(OsString::from).collect();
        let call = Program { path: self.program, args: &owned, dir: None, env: self.env };
        let captured = child::capture_unless(call, self.limit, self.stop);
        let captured = captured.map_err(|error| self.not_ended(error, &shown))?;
        if captured.stdout.len() as u64 >= child::MOST_CAPTURED {
            bail!("{shown} printed too much");
        }
        let stdout = String::from_utf8_lossy(&captured.stdout).into_owned();
        // A version says so with status 0.
        let json_error = args.contains(&"--json").then(|| error_of(&stdout)).flatten();
        if captured.status.success() && json_error.is_none() {
            return Ok(Answer::Given(stdout));
        }
        Ok(Answer::Refused(Words::of(&captured, json_error)))
    }

    /// The same for an answer in JSON. Nothing printed is `null`.
    ///
    /// # Errors
    /// As [`Cli::ask`]; also for an answer that is no JSON, which is not quoted.
    pub(super) fn ask_json(&self, args: &[&str]) -> Result<Answer<Value>> {
        Ok(match self.ask(args)? {
            Answer::Refused(words) => Answer::Refused(words),
            Answer::Given(text) if text.trim().is_empty() => Answer::Given(Value::Null),
            Answer::Given(text) => Answer::Given(document_in(&text).ok_or_else(|| {
                let shown = args.join(" ");
                Failure::new(Code::Failed, format!("`openclaw {shown}` printed no JSON")).hint(format!(
                    "run `openclaw {shown}` to see what a plugin, or OpenClaw itself, prints instead"
                ))
            })?),
        })
    }

    fn not_ended(&self, error: io::Error, shown: &str) -> anyhow::Error {
        let failure = match error.kind() {
            io::ErrorKind::TimedOut => {
                Failure::new(Code::Failed, format!("{shown} did not end within {:?}", self.limit)).hint(
                    format!(
                        "run it by hand to see why; the variable `{}` allows up to 60s",
                        super::deadline::VARIABLE
                    ),
                )
            }
            io::ErrorKind::Interrupted => {
                Failure::new(Code::Interrupted, format!("stopped on request while {shown} was running"))
            }
            io::ErrorKind::NotFound => {
                Failure::new(Code::AgentNotFound, format!("{} does not exist", self.program.display()))
            }
            _ => Failure::new(Code::AgentNotStarted, format!("{shown} cannot be started")),
        };
        anyhow::Error::new(error).context(failure)
    }
}

impl Words {
    fn of(captured: &Captured, json_error: Option<String>) -> Words {
        let plain = one_line(&String::from_utf8_lossy(&captured.stderr));
        let json = json_error.map(|text| one_line(&text)).unwrap_or_default();
        if plain.is_empty() && json.is_empty() {
            return Words { plain: format!("it printed nothing ({})", captured.status), json };
        }
        Words { plain, json }
    }

    /// Everything, for an error.
    pub(super) fn text(&self) -> String {
        match (self.plain.as_str(), self.json.as_str()) {
            (plain, "") => plain.to_owned(),
            ("", json) => json.to_owned(),
            // The newest versions print the same on both.
            (plain, json) if plain.contains(json) || json.contains(plain) => json.to_owned(),
            (plain, json) => format!("{plain}; {json}"),
        }
    }

    /// Whether and how the words mean that `key` is absent.
    pub(super) fn absence_of(&self, key: &str) -> Option<Absence> {
        let plain = self.plain.to_lowercase();
        let json = self.json.to_lowercase();
        if [&plain, &json].iter().any(|text| text.contains(&format!("unknown config path: {key}"))) {
            return Some(Absence::Unknown);
        }
        // What could be said of anything, such as a missing API key, counts only beside the key's name.
        let clear = ["no value at ", "path not found"].iter().any(|phrase| plain.contains(phrase));
        let phrases = ["no value at ", "not set", "missing key", "path not found", "valid but unset"];
        let named = |text: &str| text.contains(key) && phrases.iter().any(|phrase| text.contains(phrase));
        (clear || named(&plain) || named(&json)).then_some(Absence::Unset)
    }

    /// Whether they say that this CLI has no such command or takes no such argument.
    pub(super) fn is_unknown_command(&self) -> bool {
        let text = self.text().to_lowercase();
        let unknown = ["unknown command", "unknown option", "unknown argument", "too many arguments"];
        unknown.iter().any(|phrase| text.contains(phrase))
    }

    /// Whether they say that `config get` wants a path, as it does since it stopped printing everything.
    pub(super) fn wants_path(&self) -> bool {
        let text = self.text().to_lowercase();
        text.contains("missing required argument") && text.contains("path")
    }
}

/// The JSON document of an answer: all of it, or what follows or stands between lines that plugins print.
fn document_in(stdout: &str) -> Option<Value> {
    if let Ok(whole) = serde_json::from_str(stdout.trim()) {
        return Some(whole);
    }
    let starts = || {
        let lines = stdout.split_inclusive('\n').scan(0, |at, line| {
            let start = *at;
            *at += line.len();
            Some(&stdout[start..])
        });
        lines.skip(1)
    };
    if let Some(last) = starts().find_map(|rest| serde_json::from_str(rest.trim()).ok()) {
        return Some(last);
    }
    // Lines may follow, too: then only an object or a list that ends with its line is one.
    std::iter::once(stdout).chain(starts()).filter(|rest| rest.starts_with(['{', '['])).find_map(|rest| {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let value = values.next()?.ok()?;
        rest[values.byte_offset()..].trim_start_matches([' ', '\t', '\r']).starts_with('\n').then_some(value)
    })
}

/// The error of an answer in JSON: a text, or an object with a `message`.
fn error_of(stdout: &str) -> Option<String> {
    let answer = document_in(stdout)?;
    match answer.get("error")? {
        Value::String(text) => Some(text.clone()),
        Value::Object(error) if answer.get("ok") == Some(&Value::Bool(false)) => {
            Some(error.get("message").and_then(Value::as_str).unwrap_or_default().to_owned())
        }
        _ => None,
    }
}

/// White space collapsed, colours gone, cut with an ellipsis.
fn one_line(text: &str) -> String {
    let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    shortened(&line, MAX_WORDS).into_owned()
}

/// Whether a secret in a value was redacted, so that the value cannot be passed on.
pub(super) fn is_redacted(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(BLACKENED),
        Value::Array(items) => items.iter().any(is_redacted),
        Value::Object(object) => object.values().any(is_redacted),
        _ => false,
    }
}

/// An error that names the step and carries the CLI's own words.
pub(super) fn refused(step: &str, words: &Words) -> anyhow::Error {
    Failure::new(Code::Failed, format!("{step}: OpenClaw's CLI says: {}", words.text()))
        .hint("`openclaw config validate` shows what is wrong with its configuration")
        .into()
}

/// Names the step that an error belongs to.
pub(super) fn at<T>(step: &str, outcome: Result<T>) -> Result<T> {
    outcome.with_context(|| step.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(plain: &str, json: &str) -> Words {
        Words { plain: plain.into(), json: json.into() }
    }

    #[test]
    fn a_missing_key_is_told_from_other_failures() {
        use Absence::{Unknown, Unset};
        for (plain, json, expected) in [
            ("Error: No value at agents.list", "", Some(Unset)),
            ("NO VALUE AT agents.list", "", Some(Unset)),
            ("agents.list is not set", "", Some(Unset)),
            ("missing key agents.list", "", Some(Unset)),
            ("Config path not found: agents.list", "", Some(Unset)),
            ("", "Path not found: agents.list", Some(Unset)),
            ("", "Unknown config path: agents.list. Run openclaw config schema", Some(Unknown)),
            ("", "Config path is valid but unset: agents.list. The runtime", Some(Unset)),
            ("", "OPENAI_API_KEY is not set", None),
            ("OPENAI_API_KEY is not set", "", None),
            ("", "OpenClaw config is invalid: ~/.openclaw/openclaw.json", None),
            ("", "", None),
        ] {
            assert_eq!(words(plain, json).absence_of("agents.list"), expected, "{plain}{json}");
        }
    }

    #[test]
    fn only_the_error_of_a_json_answer_is_kept() {
        for (stdout, expected) in [
            (r#"{"error":"bad","resolved":{"key":"sk-secret"}}"#, Some("bad")),
            (r#"{"ok":false,"error":{"type":"cli_error","message":"bad"},"x":"sk-secret"}"#, Some("bad")),
            (r#"{"ok":false,"error":{"type":"sk-secret"}}"#, Some("")),
            // A configuration may have a key of that name.
            (r#"{"error":{"message":"sk-secret"}}"#, None),
            (r#"[{"error":"x"}]"#, None),
            ("sk-secret", None),
        ] {
            assert_eq!(error_of(stdout).as_deref(), expected, "{stdout}");
        }
    }

    #[test]
    fn the_document_is_found_among_the_lines_of_plugins() {
        for (stdout, expected) in [
            ("{\"a\":1}\n", Some(json!({"a": 1}))),
            ("[plugins] loaded 3\nplugin x: {ready}\n[\n  1\n]\n", Some(json!([1]))),
            ("[plugins] loaded\n\"text\"\n", Some(json!("text"))),
            ("[plugins] loaded\nnull\n", Some(Value::Null)),
            ("{\n \"a\": {}\n}\n[plugins] bye\n", Some(json!({"a": {}}))),
            ("hello\n{\"a\":1}\nbye\n", Some(json!({"a": 1}))),
            ("[1] loaded\nbye\n", None),
            ("sk-secret", None),
            ("", None),
        ] {
            assert_eq!(document_in(stdout), expected, "{stdout:?}");
        }
    }

    #[test]
    fn words_are_one_line_and_cut() {
        assert_eq!(one_line(" a\n\t b\u{1b}[31m "), "a b [31m");
        let long = one_line(&"ä".repeat(5000));
        assert_eq!((long.chars().count(), long.chars().last()), (1024, Some('…')));
        assert_eq!(one_line(&"x".repeat(1024)).len(), 1024);
    }

    #[test]
    fn a_repeated_warning_is_shown_once() {
        assert_eq!(words("Error: bad", "bad").text(), "bad");
        assert_eq!(words("one", "two").text(), "one; two");
    }

    #[test]
    fn a_redacted_secret_is_seen_at_any_depth() {
        let value = serde_json::json!({"a": [{"b": "__OPENCLAW_REDACTED__"}]});
        assert!(is_redacted(&value) && !is_redacted(&serde_json::json!({"a": ["x", 1, null]})));
    }
}
