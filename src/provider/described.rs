//! Agent CLIs that the user describes in the configuration file, so that a CLI of tomorrow needs no release.
//!
//! ```json
//! { "providers": { "mycli": {
//!     "program": "mycli",
//!     "arguments": ["run", "--json", ["--model", "{model}"], ["--resume", "{session}"]],
//!     "dialect": "claude",
//!     "brief_file": "AGENTS.md",
//!     "skills_dir": ".mycli/skills" } } }
//! ```
//!
//! A list in `arguments` stays together: it is left out where one of its places has no value. Without the place `{prompt}` the
//! prompt is written to standard input.

use std::path::{Component, Path};

use anyhow::Result;
use serde_json::{Map, Value};

use super::description::{ACP, Description, EXPECTED, MODEL, PLACES, PROMPT, SERVERS, SESSION};
use super::launch::{Dialect, LaunchPlan, LaunchRequest, Tells};
use super::mcp_file;
use super::registry;
use super::row::{McpChannel, Program, Provider};
use super::{acp, cursor, gemini, opencode, pi, reasonix};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::protocol::acp::Acp;
use crate::protocol::ndjson::{Claude, Counting, Cursor, Gemini, Grok, LineStream, OpenCode, Pi, Reasonix};
use crate::protocol::{Conversation, Opening, Permission, Plain, SessionMark};

const NOTHING: Tells = Tells { tokens: false, cost: false, turns: false };

/// The lines of a CLI that has a row: they tell the same, whoever prints them.
macro_rules! lines {
    ($name:literal, $reader:ty, $dialect:expr) => {
        Speech {
            name: $name,
            converse: |request, opening| Box::new(<$reader>::conversation(opening, request.model)),
            listener: $dialect.listener,
            tells: $dialect.tells,
            channel: Channel::Any,
        }
    };
}

/// What a described CLI may speak.
const SPEECHES: &[Speech] = &[
    Speech {
        name: "text",
        converse: |_, opening| Box::new(Plain::new(opening, SessionMark::None)),
        listener: || Box::new(Plain::new(Opening::Nothing, SessionMark::None)),
        tells: NOTHING,
        channel: Channel::Any,
    },
    Speech {
        name: "claude",
        converse: |request, _| {
            Box::new(Claude::new(
                request.prompt.to_owned(),
                request.model.map(str::to_owned),
                request.permission,
            ))
        },
        listener: || Box::new(Claude::new(String::new(), None, Permission::Allow)),
        tells: Tells { tokens: true, cost: true, turns: false },
        channel: Channel::Input,
    },
    Speech {
        name: "claude-output",
        converse: |request, opening| Box::new(Claude::fork(opening, request.model, Counting::Stated)),
        listener: || Box::new(Claude::fork(Opening::Nothing, None, Counting::Stated)),
        tells: Tells { tokens: true, cost: true, turns: true },
        channel: Channel::Any,
    },
    lines!("cursor", Cursor, cursor::DIALECTS[0]),
    lines!("gemini", Gemini, gemini::DIALECTS[0]),
    lines!("opencode", OpenCode, opencode::DIALECTS[0]),
    lines!("pi", Pi, pi::DIALECTS[0]),
    lines!("reasonix", Reasonix, reasonix::launch::STREAM),
    Speech {
        name: ACP,
        converse: |request, _| Box::new(acp::conversation(request)),
        listener: || Box::new(Acp::listener()),
        tells: NOTHING,
        channel: Channel::Session,
    },
    Speech {
        name: "chat",
        converse: |_, opening| Box::new(LineStream::new(opening, Grok::default())),
        listener: || Box::new(LineStream::new(Opening::Nothing, Grok::default())),
        tells: NOTHING,
        channel: Channel::Any,
    },
];

/// One way to speak.
struct Speech {
    name: &'static str,
    converse: fn(&LaunchRequest<'_>, Opening) -> Box<dyn Conversation>,
    listener: fn() -> Box<dyn Conversation>,
    tells: Tells,
    channel: Channel,
}

/// How the prompt gets to the CLI.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Channel {
    /// As an argument or by standard input.
    Any,
    /// By standard input, in frames of the dialect.
    Input,
    /// So do the model, the session to resume and the MCP servers.
    Session,
}

/// Reads the providers of a configuration.
///
/// # Errors
/// What is wrong with one of them, and where.
pub fn read(providers: &Value) -> Result<Vec<Provider>, Wrong> {
    let no_object = || Wrong {
        place: "providers".to_owned(),
        why: "it must be an object of descriptions by name".to_owned(),
    };
    let providers: &Map<String, Value> = providers.as_object().ok_or_else(no_object)?;
    let row = |(name, description): (&String, &Value)| {
        row(name, description).map_err(|(below, why)| {
            let place = format!("providers.{}{below}", name.escape_debug());
            Wrong { place, why }
        })
    };
    providers.iter().map(row).collect()
}

/// What is wrong with a description.
#[derive(Debug)]
pub struct Wrong {
    /// The path of the key in the configuration.
    pub place: String,
    /// What is wrong with its value.
    pub why: String,
}

impl Wrong {
    /// What is expected there.
    pub fn hint(&self) -> String {
        let name = self.place.split('.').nth(1).unwrap_or("NAME");
        format!("`providers.{name}` is an object with {EXPECTED}")
    }
}

/// Reads one. An error has the path of the key below the provider, and what is wrong.
fn row(name: &str, description: &Value) -> Result<Provider, (String, String)> {
    let wrong = |key: &str, why: String| Err((format!(".{key}"), why));
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 40 || !name.chars().all(is_word) {
        return Err((String::new(), "a name has lower-case letters, digits and hyphens, at most 40".into()));
    }
    if registry::built_in().any(|provider| provider.name == name) {
        return Err((String::new(), "execenv knows a provider of that name".into()));
    }
    let description: Description = serde_path_to_error::deserialize(description).map_err(|error| {
        let path = error.path().to_string();
        (if path == "." { String::new() } else { format!(".{path}") }, error.inner().to_string())
    })?;
    let speech = SPEECHES.iter().find(|speech| speech.name == description.dialect).ok_or_else(|| {
        let known: Vec<&str> = SPEECHES.iter().map(|speech| speech.name).collect();
        (".dialect".to_owned(), format!("it must be one of {}", known.join(", ")))
    })?;
    if description.program.is_empty() || description.program.starts_with('-') {
        return wrong("program", "it must be a name or a path".to_owned());
    }
    let paths = [("brief_file", &description.brief_file), ("skills_dir", &description.skills_dir)];
    for (key, path) in paths.into_iter().filter_map(|(key, path)| Some((key, path.as_ref()?))) {
        let is_inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if path.is_empty() || !is_inside || path.starts_with(".git/") || path == ".git" {
            return wrong(key, format!("`{}` must be a path inside the work dir", path.escape_debug()));
        }
    }
    if speech.channel == Channel::Session
        && let Some(place) = PLACES.iter().find(|place| description.has(place))
    {
        let why = format!("the dialect `{}` passes it by itself: leave {place} out", speech.name);
        return wrong("arguments", why);
    }
    if speech.channel == Channel::Input && description.has(PROMPT) {
        let why = format!(
            "with the dialect `{}` the prompt goes to standard input: leave {PROMPT} out",
            speech.name
        );
        return wrong("arguments", why);
    }
    Ok(describe(name, description, speech))
}

/// A row of the table lives as long as the program does, and so does what it names.
fn describe(name: &str, description: Description, speech: &'static Speech) -> Provider {
    let keep = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let skills_dir = description.skills_dir.as_deref().map_or(registry::GENERIC_SKILLS_DIR, keep);
    let program = Program { name: keep(&description.program), path_variable: "", minimum: None };
    let dialect = Dialect { name: speech.name, start, listener: speech.listener, tells: speech.tells };
    let row = Provider::new(keep(name), skills_dir).dialects(Box::leak(Box::new([dialect])));
    Provider {
        brief_file: Some(description.brief_file.as_deref().map_or("AGENTS.md", keep)),
        program: Some(program),
        mcp: match speech.channel {
            Channel::Session => McpChannel::Session,
            _ if description.has(SERVERS) => McpChannel::Planned,
            _ => McpChannel::Unknown,
        },
        described: Some(Box::leak(Box::new(description))),
        ..row
    }
}

/// Plans one start by the description.
fn start(request: &LaunchRequest<'_>) -> Result<LaunchPlan> {
    let description = request.described.expect("only a described provider starts so");
    let speech = SPEECHES.iter().find(|speech| speech.name == description.dialect);
    let speech = speech.expect("the description was read");
    let name = request.provider;
    for (place, option, is_asked) in
        [(SESSION, "--resume", request.resume.is_some()), (MODEL, "--model", request.model.is_some())]
    {
        if is_asked && speech.channel != Channel::Session && !description.has(place) {
            let message = format!("the description of {name} has no place for {place}");
            let hint = format!("leave `{option}` out, or add the place in the configuration file");
            return Err(Failure::new(Code::Usage, message).hint(hint).into());
        }
    }
    let by_argument = description.has(PROMPT);
    let (prompt, mut files, notices) =
        if by_argument { request.prompt_argument() } else { Default::default() };
    let servers = request.servers.filter(|_| description.has(SERVERS)).map(|servers| {
        let file = Path::new(names::LAUNCH).join(names::LAUNCH_MCP);
        files.push((file.clone(), mcp_file::bytes(servers)));
        request.env.path().join(file).display().to_string()
    });
    let value = |place: &str| match place {
        PROMPT => by_argument.then_some(prompt.as_str()),
        MODEL => request.model,
        SESSION => request.resume,
        _ => servers.as_deref(),
    };
    let mut args = description.fill(value);
    args.extend_from_slice(request.custom);
    let opening =
        if by_argument { Opening::Nothing } else { Opening::Whole(request.prompt.as_bytes().to_vec()) };
    Ok(LaunchPlan {
        args,
        variables: Vec::new(),
        files,
        session: None,
        notices,
        conversation: (speech.converse)(request, opening),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::tree::Tree;
    use serde_json::json;

    fn described(description: Value) -> Result<&'static Provider, String> {
        let mut rows = read(&json!({ "mycli": description })).map_err(|wrong| wrong.why)?;
        Ok(Box::leak(Box::new(rows.remove(0))))
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, description, why) in [
            ("My", json!({}), "providers.My: a name has lower-case letters"),
            ("x", json!(1), "providers.x: invalid type"),
            ("x", json!({ "program": 1, "arguments": [] }), "providers.x.program: invalid type"),
            (
                "x",
                json!({ "program": "x", "arguments": ["a", 1] }),
                "providers.x.arguments[1]: expected a text, or a list",
            ),
            ("claude", json!({ "program": "x", "arguments": [] }), "knows a provider of that name"),
            ("x", json!({ "arguments": [] }), "missing field `program`"),
            ("x", json!({ "program": "x", "arguments": [], "typo": 1 }), "unknown field `typo`"),
            (
                "x",
                json!({ "program": "x", "arguments": [], "dialect": "no" }),
                "providers.x.dialect: it must be one of text, claude",
            ),
            ("x", json!({ "program": "-x", "arguments": [] }), "a name or a path"),
            ("x", json!({ "program": "x", "arguments": [], "brief_file": "../y" }), "inside the work dir"),
            ("x", json!({ "program": "x", "arguments": [], "skills_dir": "/abs" }), "inside the work dir"),
            ("x", json!({ "program": "x", "arguments": [], "skills_dir": ".git/x" }), "inside the work dir"),
            ("x", json!({ "program": "x", "arguments": ["{model}"], "dialect": "acp" }), "leave {model} out"),
            (
                "x",
                json!({ "program": "x", "arguments": ["{prompt}"], "dialect": "claude" }),
                "standard input",
            ),
        ] {
            let error = read(&json!({ name: description })).unwrap_err();
            let told = format!("{}: {}", error.place, error.why);
            assert!(told.contains(why), "{told}");
            assert!(
                error.hint().contains(&format!("`providers.{name}` is an object with `program`")),
                "{told}"
            );
        }
    }

    #[test]
    fn arguments_that_belong_together_are_left_out_together() {
        let row = described(json!({
            "program": "mycli",
            "arguments": ["run", ["--model", "{model}"], ["--resume", "{session}"], "--servers={mcp_config}", "say: {prompt}"],
        }))
        .unwrap();
        assert_eq!((row.mcp, row.brief_file), (McpChannel::Planned, Some("AGENTS.md")));
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let bare = LaunchRequest { described: row.described, ..LaunchRequest::example(&env, folder.path()) };
        let args = |request: LaunchRequest<'_>| start(&request).unwrap().args.join(std::ffi::OsStr::new("|"));
        assert_eq!(args(bare), "run|say: go");
        let servers = serde_json::Map::new();
        let full = LaunchRequest {
            prompt: "a {model} b",
            model: Some("m"),
            resume: Some("s"),
            servers: Some(&servers),
            ..bare
        };
        let text = args(full).into_string().unwrap().replace(folder.path().to_str().unwrap(), "@");
        assert_eq!(text, "run|--model|m|--resume|s|--servers=@/launch/mcp.json|say: a {model} b");
    }

    #[test]
    fn a_protocol_carries_what_has_no_place() {
        let row = described(json!({ "program": "mycli", "arguments": ["acp"], "dialect": "acp" })).unwrap();
        assert_eq!((row.mcp, row.resumes()), (McpChannel::Session, true));
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let request = LaunchRequest {
            described: row.described,
            resume: Some("s"),
            model: Some("m"),
            ..LaunchRequest::example(&env, folder.path())
        };
        assert!(matches!(start(&request).unwrap().conversation.open(), Opening::Frames(_)));
    }

    #[test]
    fn an_option_without_a_place_is_refused() {
        let row = described(json!({ "program": "mycli", "arguments": ["run"] })).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let bare = LaunchRequest { described: row.described, ..LaunchRequest::example(&env, folder.path()) };
        assert_eq!(start(&bare).unwrap().conversation.open(), Opening::Whole(b"go".to_vec()));
        assert!(start(&LaunchRequest { resume: Some("s"), ..bare }).is_err());
        assert!(start(&LaunchRequest { model: Some("m"), ..bare }).is_err());
    }
}
