//! Reads the user's own configuration files. Nothing is changed.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

use super::plan::HomeRequest;
use crate::failure::{Code, Failure};
use crate::formats::jsonc::{self, NotAnObject};
use crate::layout::names;
use crate::order;

/// The longest configuration file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// The text of a file; `None` where there is none.
///
/// # Errors
/// Names the file: unreadable, too long, not UTF-8.
pub(super) fn read_text(path: &Path) -> Result<Option<String>> {
    let reading = || format!("read {}", path.display());
    let bytes = match super::read::read_bounded(path, MAX_FILE) {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(reading),
    };
    let text = String::from_utf8(bytes).map_err(|error| error.utf8_error()).with_context(reading)?;
    Ok(Some(text))
}

/// A file with one JSON object, comments and trailing commas allowed as the agent CLIs allow them; `None` where
/// there is no file, or a blank one.
///
/// # Errors
/// A [`Code::BadConfig`] failure that names the file, never its content: that may be a secret.
pub(super) fn read_object(path: &Path) -> Result<Option<Map<String, Value>>> {
    match read_text(path)? {
        Some(text) => parse_object(&text, &path.display().to_string()),
        None => Ok(None),
    }
}

/// The same for a text. `origin` is its name in an error.
///
/// # Errors
/// As [`read_object`].
pub(super) fn parse_object(text: &str, origin: &str) -> Result<Option<Map<String, Value>>> {
    jsonc::parse_object(text).map_err(|NotAnObject { line, column }| {
        Failure::new(Code::BadConfig, format!("{origin}, line {line}, column {column}: not one JSON object"))
            .hint("the agent could not read this file either: correct it first")
            .into()
    })
}

/// The object below a key; empty where there is none or it is something else.
pub(super) fn object<'a>(
    map: &'a Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = (&'a str, &'a Value)> {
    map.get(key).and_then(Value::as_object).into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// The texts in a list below two keys.
pub(super) fn texts<'a>(map: &'a Map<String, Value>, outer: &str, inner: &str) -> Option<Vec<&'a str>> {
    let list = map.get(outer)?.get(inner)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).collect())
}

/// The user's folder that a variable names, made absolute.
///
/// `None` also where it lies in an environment: in a shell with an environment's exports the variable names that
/// environment's home, which is made from the user's, and may be the one that is about to be planned.
pub(super) fn named_folder(request: &HomeRequest<'_>, variable: &str) -> Option<PathBuf> {
    let (_, value) = request.inherited.iter().find(|(name, value)| name == variable && !value.is_empty())?;
    std::path::absolute(value).ok().filter(|path| !is_of_an_environment(path))
}

/// Whether a path is an env root, or stands at the top of one.
pub(super) fn is_of_an_environment(path: &Path) -> bool {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.ancestors().take(2).any(|above| above.join(names::META).symlink_metadata().is_ok())
}

/// The names in a folder, sorted; empty where there is no folder.
///
/// # Errors
/// Names the folder.
pub(super) fn names_in(folder: &Path) -> Result<Vec<OsString>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error).with_context(|| format!("list {}", folder.display())),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.with_context(|| format!("list {}", folder.display()))?.file_name());
    }
    order::sort(&mut names);
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_is_an_error_without_its_text() {
        for text in ["[]", "\"sk-secret\"", "{\"key\":\"sk-secret\"", "{,}", "{\"a\" 1}", "/* sk-secret"] {
            let error = parse_object(text, "/home/ada/x.json").unwrap_err();
            assert_eq!(Failure::code_of(&error), Code::BadConfig);
            let message = format!("{error:#}");
            assert!(message.starts_with("/home/ada/x.json, line 1") && !message.contains("sk-"), "{message}");
        }
    }
}
