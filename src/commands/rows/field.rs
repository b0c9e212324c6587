//! What a row can be sorted and filtered by.

use std::borrow::Cow;

use crate::environment::{EnvStatus, MadeBy};

/// A field of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Field {
    /// The name of the env root.
    Key,
    /// The task's id.
    Task,
    /// The workspace's id, or the name of its folder.
    Workspace,
    /// The agent CLI.
    Provider,
    /// What the task belongs to.
    Kind,
    /// The status.
    Status,
    /// How the last run ended, whatever has been done with the environment since.
    Result,
    /// Whether a process holds it.
    Live,
    /// Whether it works in a user folder.
    Local,
    /// The program that created it.
    MadeBy,
    /// Time since it was used.
    Age,
    /// Its size.
    Size,
    /// The size of its build artifacts.
    Artifacts,
}

/// What a field holds, and so what it can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Any text.
    Text,
    /// One of a few words.
    Word(&'static [&'static str]),
    /// Yes or no.
    Flag,
    /// A time.
    Age,
    /// Bytes.
    Size,
}

/// What a row has in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Value<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// Yes or no.
    Flag(bool),
    /// Bytes or seconds.
    Number(u64),
    /// It is not known.
    Unknown,
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Value<'a> {
        Value::Text(text.into())
    }
}

impl From<Option<u64>> for Value<'_> {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Value::Unknown, Value::Number)
    }
}

const STATUSES: [&str; EnvStatus::ALL.len()] = {
    let mut words = [""; EnvStatus::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = EnvStatus::ALL[at].word();
        at += 1;
    }
    words
};

const fn count_of_ends() -> usize {
    let (mut count, mut at) = (0, 0);
    while at < EnvStatus::ALL.len() {
        count += EnvStatus::ALL[at].is_end() as usize;
        at += 1;
    }
    count
}

const RESULTS: [&str; count_of_ends()] = {
    let mut words = [""; count_of_ends()];
    let (mut next, mut at) = (0, 0);
    while at < EnvStatus::ALL.len() {
        if EnvStatus::ALL[at].is_end() {
            words[next] = EnvStatus::ALL[at].word();
            next += 1;
        }
        at += 1;
    }
    words
};

const MAKERS: [&str; MadeBy::ALL.len()] = {
    let mut words = [""; MadeBy::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = MadeBy::ALL[at].word();
        at += 1;
    }
    words
};

impl Field {
    /// Its name on the command line.
    pub(super) fn word(self) -> &'static str {
        match self {
            Field::Key => "key",
            Field::Task => "task",
            Field::Workspace => "workspace",
            Field::Provider => "provider",
            Field::Kind => "kind",
            Field::Status => "status",
            Field::Result => "result",
            Field::Live => "live",
            Field::Local => "local",
            Field::MadeBy => "made_by",
            Field::Age => "age",
            Field::Size => "size",
            Field::Artifacts => "artifacts",
        }
    }

    pub(super) fn form(self) -> Form {
        match self {
            Field::Key | Field::Task | Field::Workspace | Field::Provider | Field::Kind => Form::Text,
            Field::Status => Form::Word(&STATUSES),
            Field::Result => Form::Word(&RESULTS),
            Field::MadeBy => Form::Word(&MAKERS),
            Field::Live | Field::Local => Form::Flag,
            Field::Age => Form::Age,
            Field::Size | Field::Artifacts => Form::Size,
        }
    }

    /// The field of this name among those that a table has.
    pub(super) fn find(word: &str, fields: &[Field]) -> Result<Field, String> {
        fields.iter().copied().find(|field| field.word() == word).ok_or_else(|| {
            format!("there is no field `{}`; the fields are {}", word.escape_debug(), names(fields))
        })
    }
}

/// The names of fields, in one line.
pub(super) fn names(fields: &[Field]) -> String {
    fields.iter().map(|field| field.word()).collect::<Vec<_>>().join(", ")
}
