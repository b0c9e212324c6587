//! One setting: its row in the table, its value as text, and where that came from.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::value::{Read, Text};
use crate::environment::CurrentFolder;
use crate::failure::{Code, Failure};

/// One row of the table of settings.
#[derive(Debug)]
pub struct Row {
    /// The key in the configuration file.
    pub key: &'static str,
    /// Variables that set it; the first that is set wins.
    pub variables: &'static [&'static str],
    /// The default as text; empty where there is none.
    pub default: &'static str,
    /// The option that sets it, `--ttl` for one; empty where there is none.
    pub option: &'static str,
    /// The command that uses it; empty: all of them.
    pub command: &'static str,
    /// What it does.
    pub help: &'static str,
}

/// Where a setting's value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// A variable of the environment, by its name.
    Variable(&'static str),
    /// The configuration file.
    File,
    /// Built in.
    Default,
}

/// A setting in force, as text.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its row in the table.
    pub row: &'static Row,
    /// Its value.
    pub value: String,
    /// Where that came from.
    pub origin: Origin,
}

/// Every setting as text, before it is read in its type.
pub(super) struct Resolved {
    pub(super) all: Vec<Setting>,
    pub(super) file: Option<PathBuf>,
    pub(super) inherited: Vec<(OsString, OsString)>,
    pub(super) cwd: CurrentFolder,
    pub(super) home: Option<PathBuf>,
}

impl Resolved {
    /// A setting in its type.
    ///
    /// # Errors
    /// A [`Code::BadConfig`] failure that names where the value comes from, and what is accepted.
    pub(super) fn typed<T>(&self, setting: &Setting, read: impl Fn(Text<'_>) -> Read<T>) -> Result<T> {
        let is_go = matches!(setting.origin, Origin::Variable(name) if name.starts_with("MULTICA_"));
        read(Text { value: &setting.value, is_go }).map_err(|why| self.bad(setting, &why))
    }

    fn bad(&self, setting: &Setting, why: &str) -> anyhow::Error {
        let source = match &setting.origin {
            Origin::Flag => format!("`{}`", setting.row.option),
            Origin::Variable(name) => format!("the variable {name}"),
            Origin::File | Origin::Default => {
                let file = self.file.as_deref().unwrap_or(Path::new("?")).display();
                format!("`{}` in {file}", setting.row.key)
            }
        };
        let message = format!("{source} is `{}`: {why}", setting.value.escape_debug());
        Failure::new(Code::BadConfig, message)
            .hint("fix the value there (precedence: option, environment variable, configuration file)")
            .into()
    }
}
