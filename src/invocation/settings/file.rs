//! The configuration file: one JSON object with the settings' keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value};

use super::rows::SETTINGS;
use crate::environment::CurrentFolder;
use crate::failure::{Code, Failure};
use crate::invocation::UserInput;

/// The configuration file that was read, and its values as text.
pub(super) type ConfigFile = (Option<PathBuf>, BTreeMap<String, String>);

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
        let keys: Vec<&str> = SETTINGS.iter().map(|row| row.key).collect();
        Failure::new(Code::BadConfig, format!("the configuration {}: {why}", path.display()))
            .hint(format!("it must be one JSON object with these keys: {}", keys.join(", ")))
    };
    let object: Map<String, Value> = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
    let mut values = BTreeMap::new();
    for (key, value) in object {
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
    Ok((Some(path), values))
}
