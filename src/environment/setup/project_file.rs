//! `.execenv.json`: setup and teardown commands and ports that a repository names. Whoever can write to the repository writes
//! it: it is read through no link, within a bound, and nothing in it runs unless its bytes are trusted.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Deserializer, de};
use sha2::{Digest, Sha256};

use crate::environment::ports::{MOST_PORTS, PortName};
use crate::failure::{Code, Failure};
use crate::formats::{escape_unseen, parse_duration, with_meant};
use crate::object;
use crate::sys::tree::Tree;
use crate::task::{hex, parse_json};

/// Its name, at the top of a work dir.
pub const NAME: &str = ".execenv.json";
/// The key by which editors find a schema.
const EDITORS: &str = "$schema";
/// The longest file that is read, in bytes.
const MOST: u64 = 64 << 10;
/// The most commands of a kind.
const MOST_COMMANDS: usize = 64;

/// How long the commands may take where the file does not say it, and at most.
const SETUP_TIMEOUT: Duration = Duration::from_secs(15 * 60);
const TEARDOWN_TIMEOUT: Duration = Duration::from_secs(2 * 60);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

const HINT: &str = "it is one JSON object, such as {\"setup\": [\"npm ci\"], \"teardown\": [], \"ports\": [\"web\"]}: see `execenv \
                    man trust`; `--no-setup` goes on without it";

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a text, which is a command for `sh -c`, or a list of words")]
pub enum Command {
    /// For `sh -c`.
    Shell(String),
    /// A program and its arguments.
    Words(Vec<String>),
}

impl Command {
    fn flaw(&self) -> Option<&'static str> {
        let is_empty = match self {
            Command::Shell(text) => text.trim().is_empty(),
            Command::Words(words) => words.first().is_none_or(String::is_empty),
        };
        let has_nul = match self {
            Command::Shell(text) => text.contains('\0'),
            Command::Words(words) => words.iter().any(|word| word.contains('\0')),
        };
        if is_empty { Some("the command is empty") } else { has_nul.then_some("the command has a NUL byte") }
    }
}

/// As a person would type it. Escaped: it is printed on terminals, and a person decides by it.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
        match self {
            Command::Shell(text) => write!(f, "{}", escape_unseen(text)),
            Command::Words(words) => {
                let shown = words.iter().map(|word| match word {
                    word if !word.is_empty() && word.chars().all(is_plain) => word.clone(),
                    word => format!("'{}'", escape_unseen(word).replace('\'', "'\\''")),
                });
                f.write_str(&shown.collect::<Vec<_>>().join(" "))
            }
        }
    }
}

/// A limit of time.
#[derive(Clone, Copy, Debug)]
struct Limit(Duration);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Limit, D::Error> {
        let text = String::deserialize(deserializer)?;
        let limit = parse_duration(&text).map_err(de::Error::custom)?.to_std().unwrap_or_default();
        if limit.is_zero() || limit > LONGEST_TIMEOUT {
            return Err(de::Error::custom("it must be longer than 0 and at most `24h`"));
        }
        Ok(Limit(limit))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    setup: Vec<Command>,
    teardown: Vec<Command>,
    ports: Vec<PortName>,
    setup_timeout: Option<Limit>,
    teardown_timeout: Option<Limit>,
}

/// What a `.execenv.json` says, and the digest of the bytes that say it.
#[derive(Clone, Debug)]
pub struct ProjectFile {
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub digest: String,
    /// The setup commands.
    pub setup: Vec<Command>,
    /// The teardown commands.
    pub teardown: Vec<Command>,
    /// The ports that an environment gets.
    pub ports: Vec<PortName>,
    /// How long all setup commands together may take.
    pub setup_timeout: Duration,
    /// How long all teardown commands together may take.
    pub teardown_timeout: Duration,
    /// Keys that this version does not know.
    pub unknown: Vec<String>,
}

impl ProjectFile {
    /// Reads the file at the top of an open folder, which messages call `origin`. `None`: there is none.
    ///
    /// # Errors
    /// A [`Code::BadDocument`] failure that names the file, the line and the field.
    pub fn read(folder: &Tree, origin: &str) -> Result<Option<ProjectFile>> {
        match ProjectFile::bytes(folder) {
            Ok(Some(bytes)) => parse(&bytes, origin).map(Some).map_err(Into::into),
            Ok(None) => Ok(None),
            Err(why) => {
                Err(Failure::new(Code::BadDocument, format!("cannot read {origin}: {why}")).hint(HINT).into())
            }
        }
    }

    /// The bytes of the file at the top of an open folder. `None`: there is none. An error says why they cannot be read.
    pub(super) fn bytes(folder: &Tree) -> Result<Option<Vec<u8>>, String> {
        folder.read(Path::new(NAME), MOST).map_err(|error| match error.kind() {
            std::io::ErrorKind::FileTooLarge => format!("it is longer than {} KiB", MOST >> 10),
            _ => error.to_string(),
        })
    }

    /// What to say of the keys that this version does not know, if there are any.
    pub fn unknown_keys(&self) -> Option<String> {
        let named = with_meant(&self.unknown, object::fields::<Written>());
        (!self.unknown.is_empty()).then(|| format!("unknown fields in {NAME} are ignored: {named}"))
    }

    /// Whether it names anything that would run.
    pub fn has_commands(&self) -> bool {
        !self.setup.is_empty() || !self.teardown.is_empty()
    }
}

/// Parses the bytes of a file that is called `origin`.
fn parse(bytes: &[u8], origin: &str) -> Result<ProjectFile, Failure> {
    let bad = |failure: Failure| failure.hint(HINT);
    let (written, mut unknown): (Written, Vec<String>) = parse_json(bytes, origin).map_err(|error| {
        let message = Failure::find(&error).map_or_else(|| error.to_string(), |f| f.message.clone());
        bad(Failure::new(Code::BadDocument, message))
    })?;
    unknown.retain(|key| key != EDITORS);
    let wrong = |field: &str, why: &str| {
        Err(bad(Failure::new(Code::BadDocument, format!("{origin}: field `{field}`: {why}"))))
    };
    for (field, commands) in [("setup", &written.setup), ("teardown", &written.teardown)] {
        if commands.len() > MOST_COMMANDS {
            return wrong(field, &format!("more than {MOST_COMMANDS} commands"));
        }
        for (number, command) in commands.iter().enumerate() {
            if let Some(flaw) = command.flaw() {
                return wrong(&format!("{field}[{number}]"), flaw);
            }
        }
    }
    if written.ports.len() > MOST_PORTS {
        return wrong("ports", &format!("more than {MOST_PORTS} ports"));
    }
    let limit = |given: Option<Limit>, default| given.map_or(default, |Limit(limit)| limit);
    Ok(ProjectFile {
        digest: hex(&Sha256::digest(bytes)),
        setup: written.setup,
        teardown: written.teardown,
        ports: written.ports,
        setup_timeout: limit(written.setup_timeout, SETUP_TIMEOUT),
        teardown_timeout: limit(written.teardown_timeout, TEARDOWN_TIMEOUT),
        unknown,
    })
}

/// How long the setup commands of the command line may take, where no file says it.
pub(super) const DEFAULT_SETUP_TIMEOUT: Duration = SETUP_TIMEOUT;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_is_read_with_its_defaults() {
        let text = r#"{"setup":["npm ci",["cp","a b","c"]],"ports":["web"],"teardown_timeout":"30s","$schema":"x","later":1}"#;
        let file = parse(text.as_bytes(), "f").unwrap();
        let shown: Vec<String> = file.setup.iter().map(Command::to_string).collect();
        assert_eq!(shown, ["npm ci", "cp 'a b' c"]);
        assert_eq!((file.setup_timeout, file.teardown_timeout.as_secs()), (SETUP_TIMEOUT, 30));
        assert_eq!((file.ports[0].as_str(), &file.unknown), ("web", &vec!["later".to_owned()]));
        assert_eq!(file.digest.len(), 64);
        assert!(!parse(b"{}", "f").unwrap().has_commands());
    }

    #[test]
    fn an_unknown_key_is_named_with_what_it_may_have_been_meant_to_be() {
        let told = |text: &str| parse(text.as_bytes(), "f").unwrap().unknown_keys();
        assert_eq!(told("{\"$schema\":\"x\",\"ports\":[]}"), None);
        let both = told("{\"setpu\":[\"x\"],\"colour\":1}").unwrap();
        assert!(both.ends_with("ignored: setpu (did you mean `setup`?), colour"), "{both}");
    }

    #[test]
    fn a_wrong_file_is_named_with_line_and_field() {
        for (text, part) in [
            ("{", "f, line 1"),
            ("[]", "a JSON object"),
            ("\"x\"", "a JSON object"),
            ("{\n\"setup\": 1}", "line 2"),
            ("{\"setup\": [1]}", "setup"),
            ("{\"setup\": [\"\"]}", "field `setup[0]`: the command is empty"),
            ("{\"teardown\": [[]]}", "field `teardown[0]`: the command is empty"),
            ("{\"teardown\": [\"a\\u0000b\"]}", "NUL"),
            ("{\"ports\": [\"a b\"]}", "no name of a port"),
            ("{\"setup_timeout\": \"0\"}", "setup_timeout"),
            ("{\"setup_timeout\": \"9d\"}", "at most `24h`"),
            ("{\"teardown_timeout\": 5}", "teardown_timeout"),
            ("{} {}", "line 1"),
        ] {
            let failure = parse(text.as_bytes(), "f").unwrap_err();
            assert!(failure.message.contains(part), "{text}: {failure}");
            assert_eq!((failure.code.status(), failure.hint.is_some()), (2, true));
        }
        let many = format!("{{\"setup\": [{}]}}", vec!["\"x\""; 65].join(","));
        assert!(parse(many.as_bytes(), "f").unwrap_err().message.contains("more than 64 commands"));
    }

    #[test]
    fn what_is_shown_cannot_command_a_terminal() {
        let command = Command::Shell("echo \u{1b}[2J\u{202e}".into());
        assert!(!command.to_string().contains(['\u{1b}', '\u{202e}']), "{command}");
    }
}
