//! The configuration file: one JSON object with the settings' keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value};

use super::rows::SETTINGS;
use crate::environment::CurrentFolder;
use crate::failure::{Code, Failure};
use crate::invocation::UserInput;
use crate::provider::{Provider, described};

/// The configuration file that was read.
#[derive(Default)]
pub(super) struct ConfigFile {
    /// Where it is; `None`: there is none.
    pub(super) path: Option<PathBuf>,
    /// The values of settings as text.
    pub(super) values: BTreeMap<String, String>,
    /// The providers that it describes.
    pub(super) providers: Vec<Provider>,
}

/// The key of the providers that the user describes.
const PROVIDERS: &str = "providers";

/// Reads the file that the user names, else the default one if it exists.
///
/// # Errors
/// A [`Code::BadConfig`] failure that names the file and the key.
pub(super) fn load(named: Option<&Path>, cwd: &CurrentFolder) -> Result<ConfigFile> {
    let path = match named {
        Some(path) => cwd.join(path)?,
        None => match dirs::config_dir() {
            Some(dir) => dir.join("execenv/config.json"),
            None => return Ok(ConfigFile::default()),
        },
    };
    let text = match named {
        Some(_) => UserInput::CONFIG.read(&path, cwd)?,
        None => match UserInput::CONFIG.read_if_exists(&path, cwd)? {
            Some(text) => text,
            None => return Ok(ConfigFile::default()),
        },
    };
    let bad = |why: String| {
        let keys: Vec<&str> = SETTINGS.iter().map(|row| row.key).chain([PROVIDERS]).collect();
        Failure::new(Code::BadConfig, format!("the configuration {}: {why}", path.display()))
            .hint(format!("it must be one JSON object with these keys: {}", keys.join(", ")))
    };
    let object: Map<String, Value> = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
    let (mut values, mut providers) = (BTreeMap::new(), Vec::new());
    for (key, value) in object {
        if key == PROVIDERS {
            providers = described::read(&value).map_err(|wrong| {
                let message =
                    format!("the configuration {}: `{}`: {}", path.display(), wrong.place, wrong.why);
                Failure::new(Code::BadConfig, message).hint(wrong.hint())
            })?;
            continue;
        }
        if !SETTINGS.iter().any(|row| row.key == key) {
            return Err(bad(format!("the key `{}` is unknown", key.escape_debug())).into());
        }
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return Err(bad(format!("`{key}` must be a text or a number")).into()),
        };
        values.insert(key, text);
    }
    Ok(ConfigFile { path: Some(path), values, providers })
}
