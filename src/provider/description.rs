//! How a user describes the command line of an agent CLI.

use std::ffi::OsString;

use serde::Deserialize;

/// How a described CLI is started.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// A name on `PATH`, or a path.
    pub program: String,
    /// Its arguments.
    arguments: Vec<Piece>,
    /// What it speaks.
    #[serde(default = "text")]
    pub dialect: String,
    /// The file in the work dir that it reads when it starts.
    #[serde(default)]
    pub brief_file: Option<String>,
    /// The folder where it looks for skills, relative to the work dir.
    #[serde(default)]
    pub skills_dir: Option<String>,
}

/// What a description has, for a person.
pub const EXPECTED: &str = "`program` (a text), `arguments` (a list of texts, or of lists of texts that stay together) and, \
    where needed, `dialect`, `brief_file` and `skills_dir` (texts)";

fn text() -> String {
    "text".to_owned()
}

/// An argument, or several that stay together.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected a text, or a list of texts that stay together")]
enum Piece {
    One(String),
    Together(Vec<String>),
}

impl Piece {
    fn words(&self) -> &[String] {
        match self {
            Piece::One(word) => std::slice::from_ref(word),
            Piece::Together(words) => words,
        }
    }
}

/// The place of the prompt.
pub const PROMPT: &str = "{prompt}";
/// The place of the model.
pub const MODEL: &str = "{model}";
/// The place of the session to resume.
pub const SESSION: &str = "{session}";
/// The place of the file with the task's MCP servers.
pub const SERVERS: &str = "{mcp_config}";
/// The dialect that carries model, session and servers itself.
pub const ACP: &str = "acp";
/// The places in an argument.
pub const PLACES: [&str; 4] = [PROMPT, MODEL, SESSION, SERVERS];

impl Description {
    /// Whether a session can be resumed.
    pub fn resumes(&self) -> bool {
        self.dialect == ACP || self.has(SESSION)
    }

    /// Whether an argument has this place.
    pub fn has(&self, place: &str) -> bool {
        self.arguments.iter().flat_map(Piece::words).any(|word| word.contains(place))
    }

    /// The arguments, with the value of each place.
    pub fn fill<'a>(&self, value: impl Fn(&str) -> Option<&'a str>) -> Vec<OsString> {
        let filled = |piece: &Piece| -> Option<Vec<String>> {
            piece.words().iter().map(|word| fill(word, &value)).collect()
        };
        self.arguments.iter().filter_map(filled).flatten().map(OsString::from).collect()
    }
}

/// A word with its places filled; `None` where one has no value. What is filled in is not looked through again.
fn fill<'a>(word: &str, value: &impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let next = |rest: &str| PLACES.iter().filter_map(|place| Some((rest.find(place)?, *place))).min();
    let (mut filled, mut rest) = (String::new(), word);
    while let Some((at, place)) = next(rest) {
        filled.push_str(&rest[..at]);
        filled.push_str(value(place)?);
        rest = &rest[at + place.len()..];
    }
    filled.push_str(rest);
    Some(filled)
}
