//! From flags, variables and the configuration file to the settings in force.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::file;
use super::rows::{SETTINGS, Settings};
use super::setting::{Origin, Resolved, Row, Setting};
use crate::environment::CurrentFolder;
use crate::failure::{Code, Failure};
use crate::invocation::GlobalArgs;

impl Settings {
    /// Puts all sources together.
    ///
    /// # Errors
    /// A [`Code::BadConfig`] failure that names the file or the variable, and the value.
    pub fn resolve(flags: &GlobalArgs, inherited: Vec<(OsString, OsString)>) -> Result<Settings> {
        let cwd = CurrentFolder::new(std::env::current_dir());
        let home = variable(&inherited, "HOME").and_then(|home| cwd.join(Path::new(home)).ok());
        let home = home.or_else(|| dirs::home_dir().filter(|home| home.is_absolute()));
        let named = flags.config.clone();
        let named = named.or_else(|| variable(&inherited, "EXECENV_CONFIG").map(PathBuf::from));
        let (file, from_file) = file::load(named.as_deref(), &cwd)?;
        let all =
            SETTINGS.iter().map(|row| choose(row, flags, &inherited, &from_file)).collect::<Vec<Setting>>();
        let mut resolved = Resolved { all, file, inherited, cwd, home };
        resolved.complete_root()?;
        Settings::read(resolved)
    }

    /// A variable of the environment, if it is set and is text.
    pub fn variable(&self, name: &str) -> Option<&str> {
        variable(&self.inherited, name)
    }

    /// Where a setting's value came from; `None` where no setting has this key.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.all.iter().find(|setting| setting.row.key == key).map(|setting| &setting.origin)
    }
}

fn variable<'a>(inherited: &'a [(OsString, OsString)], name: &str) -> Option<&'a str> {
    let (_, value) = inherited.iter().find(|(key, _)| key == name)?;
    value.to_str().filter(|value| !value.is_empty())
}

fn choose(
    row: &'static Row,
    flags: &GlobalArgs,
    inherited: &[(OsString, OsString)],
    from_file: &BTreeMap<String, String>,
) -> Setting {
    let by_variable = || row.variables.iter().find_map(|name| Some((*name, variable(inherited, name)?)));
    let (value, origin) = if let Some(value) = flags.setting(row.key) {
        (value, Origin::Flag)
    } else if let Some((name, value)) = by_variable() {
        (value.to_owned(), Origin::Variable(name))
    } else if let Some(value) = from_file.get(row.key) {
        (value.clone(), Origin::File)
    } else {
        (row.default.to_owned(), Origin::Default)
    };
    Setting { row, value, origin }
}

impl Resolved {
    /// Makes the workspaces root absolute, and gives it its default.
    fn complete_root(&mut self) -> Result<()> {
        let root = self.all.iter().position(|setting| setting.row.key == "workspaces_root");
        let root = root.expect("the workspaces root is a row of the table");
        let Setting { value, origin, .. } = &self.all[root];
        let path = if value.is_empty() {
            self.default_root()?
        } else if *origin == Origin::File {
            // A path in the configuration file means the same from wherever it is read.
            let folder = self.file.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
            match (value.strip_prefix("~/"), &self.home) {
                (Some(rest), Some(home)) => home.join(rest),
                _ => folder.join(value),
            }
        } else {
            value.into()
        };
        let path = self.cwd.absolute(&path)?;
        let Some(text) = path.to_str() else {
            let message = format!("the path of the workspaces root is not valid UTF-8: {}", path.display());
            return Err(Failure::new(Code::BadConfig, message)
                .hint("name another one with `--workspaces-root DIR`")
                .into());
        };
        self.all[root].value = text.to_owned();
        Ok(())
    }

    fn default_root(&self) -> Result<PathBuf> {
        let data = variable(&self.inherited, "XDG_DATA_HOME").map(PathBuf::from);
        let data = data.filter(|path| path.is_absolute()).or_else(dirs::data_dir);
        let data = data.ok_or_else(|| {
            Failure::new(
                Code::BadConfig,
                "the home folder is unknown, so there is no default workspaces root",
            )
            .hint("set HOME, or name a folder with `--workspaces-root DIR`")
        })?;
        Ok(data.join("execenv/workspaces"))
    }
}
