//! From flags, variables and the configuration file to the settings in force.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::file::{self, ConfigFile};
use super::rows::{SETTINGS, Settings};
use super::setting::{Origin, Resolved, Row, Setting};
use crate::environment::CurrentFolder;
use crate::failure::{Code, Failure};
use crate::invocation::GlobalArgs;
use crate::provider;

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
        let ConfigFile { path: file, values: from_file, providers } = file::load(named.as_deref(), &cwd)?;
        provider::describe(providers);
        let all =
            SETTINGS.iter().map(|row| choose(row, flags, &inherited, &from_file)).collect::<Vec<Setting>>();
        let mut resolved = Resolved { all, file, inherited, cwd, home };
        resolved.complete_paths()?;
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
    /// Makes the paths of the workspaces root and of the key absolute, and gives them their defaults.
    fn complete_paths(&mut self) -> Result<()> {
        let data = self.data_dir();
        let named = self.path_of("workspaces_root")?;
        let root = named.or_else(|| self.default_root());
        let root = root.ok_or_else(|| {
            Failure::new(
                Code::BadConfig,
                "the home folder is unknown, so there is no default workspaces root",
            )
            .hint("set HOME, or name a folder with `--workspaces-root DIR`")
        })?;
        // Whoever can write to an environment could read a key that is inside the root.
        let by_default = || {
            Some(data?.join("execenv/key")).filter(|key| !key.starts_with(&root) && key.to_str().is_some())
        };
        let key = self.outside_of(&root, "key_file", "the key", "EXECENV_KEY_FILE")?.or_else(by_default);
        let trusted = self.outside_of(
            &root,
            "trusted_file",
            "the list of what you have trusted",
            "EXECENV_TRUSTED_FILE",
        )?;
        let trusted = trusted.or_else(|| {
            // Below a relative HOME it would be in whatever folder the command is called in, and could be anyone's.
            Some(dirs::config_dir()?.join("execenv/trusted.json"))
                .filter(|list| list.is_absolute() && !list.starts_with(&root) && list.to_str().is_some())
        });
        self.set_path("workspaces_root", "name another one with `--workspaces-root DIR`", &root)?;
        for (setting, variable, path) in
            [("key_file", "EXECENV_KEY_FILE", key), ("trusted_file", "EXECENV_TRUSTED_FILE", trusted)]
        {
            if let Some(path) = path {
                self.set_path(setting, &format!("name another one with {variable}"), &path)?;
            }
        }
        Ok(())
    }

    /// The path of a setting that no agent may be able to write to.
    fn outside_of(&self, root: &Path, setting: &str, what: &str, variable: &str) -> Result<Option<PathBuf>> {
        let row = self.all.iter().find(|row| row.row.key == setting).expect("it is a row of the table");
        // In the folder in which a command is called, a repository could bring its own.
        if row.origin != Origin::File && !row.value.is_empty() && Path::new(&row.value).is_relative() {
            let message = format!(
                "{what} must be named by an absolute path, and {variable} is `{}`",
                row.value.escape_debug()
            );
            let hint = format!("set {variable} to a path that begins with `/`, or unset it");
            return Err(Failure::new(Code::BadConfig, message).hint(hint).into());
        }
        let named = self.path_of(setting)?;
        let Some(inside) = named.as_ref().filter(|path| path.starts_with(root)) else { return Ok(named) };
        let message = format!("{what} {} is inside the workspaces root", inside.display());
        let hint =
            format!("name a place outside of it: `{setting}` in the configuration file, or {variable}");
        Err(Failure::new(Code::BadConfig, message).hint(hint).into())
    }

    /// The absolute path that a setting names; `None` if it is empty.
    fn path_of(&self, key: &str) -> Result<Option<PathBuf>> {
        let setting = self.all.iter().find(|setting| setting.row.key == key);
        let Setting { value, origin, .. } = setting.expect("it is a row of the table");
        if value.is_empty() {
            return Ok(None);
        }
        let path = if *origin == Origin::File {
            // A path in the configuration file means the same from wherever it is read.
            let folder = self.file.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
            match (value.strip_prefix("~/"), &self.home) {
                (Some(rest), Some(home)) => home.join(rest),
                _ => folder.join(value),
            }
        } else {
            value.into()
        };
        Ok(Some(self.cwd.absolute(&path)?))
    }

    fn set_path(&mut self, key: &str, hint: &str, path: &Path) -> Result<()> {
        let Some(text) = path.to_str() else {
            let what = key.replace('_', " ");
            let message = format!("the path of the {what} is not valid UTF-8: {}", path.display());
            return Err(Failure::new(Code::BadConfig, message).hint(hint).into());
        };
        let setting = self.all.iter_mut().find(|setting| setting.row.key == key);
        text.clone_into(&mut setting.expect("it is a row of the table").value);
        Ok(())
    }

    pub(super) fn default_root(&self) -> Option<PathBuf> {
        Some(self.data_dir()?.join("execenv/workspaces"))
    }

    fn data_dir(&self) -> Option<PathBuf> {
        let data = variable(&self.inherited, "XDG_DATA_HOME").map(PathBuf::from);
        data.filter(|path| path.is_absolute()).or_else(dirs::data_dir)
    }
}
