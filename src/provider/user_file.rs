//! The user's own configuration files, which are only read.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

use super::plan::{Entry, Home, HomeContent, HomeRequest};
use super::row::HomeFolder;
use crate::failure::{Code, Failure};
use crate::formats::jsonc::{self, NotAnObject};
use crate::layout::names;
use crate::skills::files::PlannedSkill;
use crate::sys::tree::{Kind, Tree};

/// The longest configuration file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// The text of a file; `None` where nothing is.
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
/// nothing is, or only blanks.
///
/// # Errors
/// A [`Code::BadConfig`] failure that names the file, never its content: that may be a secret.
pub(super) fn read_object(path: &Path) -> Result<Option<Map<String, Value>>> {
    match read_text(path)? {
        Some(text) => parse_object(&text, &path.display().to_string()),
        None => Ok(None),
    }
}

/// The same for a text that is there already. `origin` is its name in an error.
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

/// The folder of the user's that a variable names, made absolute.
///
/// `None` also where it lies in an environment: a shell with an environment's exports names that one's home, which is
/// made from the user's and may be the very one that is to be made.
pub(super) fn named_folder(request: &HomeRequest<'_>, variable: &str) -> Option<PathBuf> {
    let (_, value) = request.inherited.iter().find(|(name, value)| name == variable && !value.is_empty())?;
    std::path::absolute(value).ok().filter(|path| !is_of_an_environment(path))
}

/// Whether a path is an env root, or stands at the top of one.
pub(super) fn is_of_an_environment(path: &Path) -> bool {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.ancestors().take(2).any(|above| above.join(names::META).symlink_metadata().is_ok())
}

/// Links to everything in a folder of the user's but what `is_ours` names. What the agent has put into the home of
/// the task itself at a name stays there: it may be a session or a login.
///
/// # Errors
/// When the folder is there and cannot be listed.
pub(super) fn links_to(
    request: &HomeRequest<'_>,
    home: &str,
    source: &Path,
    is_ours: impl Fn(&str) -> bool,
) -> Result<Vec<(PathBuf, Entry)>> {
    let mut links = Vec::new();
    for name in names_in(source)? {
        let made_by_agent = request.present.is_some_and(|tree| {
            let kind = tree.kind(&Path::new(home).join(&name));
            matches!(kind, Ok(Some(kind)) if kind != Kind::Link)
        });
        let target = source.join(&name);
        // A link that leads nowhere would only be in the way.
        if made_by_agent || is_ours(&name.to_string_lossy()) || !target.exists() {
            continue;
        }
        links.push((PathBuf::from(name), Entry::Link { target }));
    }
    Ok(links)
}

/// The links of an older home that nothing of a new one replaces: what they lead to is not the user's any more.
///
/// # Errors
/// When the older home cannot be listed.
pub(super) fn stale_links(
    request: &HomeRequest<'_>,
    home: &str,
    entries: &[(PathBuf, Entry)],
) -> Result<Vec<OsString>> {
    let folder = Path::new(home);
    let Some(tree) = request.present.filter(|tree| matches!(tree.kind(folder), Ok(Some(Kind::Dir)))) else {
        return Ok(Vec::new());
    };
    let mut stale =
        tree.names(folder).with_context(|| format!("list {}", request.env_root.join(home).display()))?;
    stale.retain(|name| {
        let is_link = matches!(tree.kind(&folder.join(name)), Ok(Some(Kind::Link)));
        is_link && !entries.iter().any(|(path, _)| path.as_os_str() == name)
    });
    stale.sort();
    Ok(stale)
}

/// A home that is not needed any more: `ours` and every link go, and with them the home, unless the agent has put
/// something of its own there, such as sessions. That stays, for when the home is needed again.
///
/// # Errors
/// When the home cannot be listed.
pub(super) fn given_up(request: &HomeRequest<'_>, name: &'static str, ours: &[&str]) -> Result<Home> {
    match request.present {
        Some(tree) => given_up_in(tree, name, ours),
        None => Ok(Home { name, content: HomeContent::Nothing }),
    }
}

/// The same for a home of an env root that stands.
///
/// # Errors
/// As [`given_up`].
fn given_up_in(tree: &Tree, name: &'static str, ours: &[&str]) -> Result<Home> {
    let folder = Path::new(name);
    let nothing = Home { name, content: HomeContent::Nothing };
    if !matches!(tree.kind(folder), Ok(Some(Kind::Dir))) {
        return Ok(nothing);
    }
    let names = tree.names(folder).with_context(|| format!("list {}", tree.path().join(name).display()))?;
    let goes = |entry: &OsString| {
        let is_link = matches!(tree.kind(&folder.join(entry)), Ok(Some(Kind::Link)));
        is_link || ours.iter().any(|ours| entry == ours)
    };
    let (mut dropped, kept): (Vec<OsString>, Vec<OsString>) = names.into_iter().partition(goes);
    dropped.sort();
    if kept.is_empty() {
        return Ok(nothing);
    }
    Ok(Home { name, content: HomeContent::Folder { mode: 0o700, entries: Vec::new(), dropped } })
}

/// For [`HomeFolder::without_secrets`]: the home's own files and all its links go, and with them the home, unless the
/// agent has put something there.
///
/// # Errors
/// As [`given_up`].
pub(super) fn without_own_files(tree: &Tree, folder: &HomeFolder) -> Result<Option<Home>> {
    given_up_in(tree, folder.name, folder.own_files).map(Some)
}

/// Adds a skill's folder below `parent`, which is there already, under its name `slug`.
pub(super) fn folder_of_skill(
    entries: &mut Vec<(PathBuf, Entry)>,
    parent: &Path,
    skill: &PlannedSkill,
    slug: &str,
) {
    let folder = parent.join(slug);
    entries.push((folder.clone(), Entry::Dir { mode: 0o755 }));
    for (path, bytes) in skill.files_for(slug) {
        let mut above: Vec<&Path> =
            path.ancestors().skip(1).filter(|dir| !dir.as_os_str().is_empty()).collect();
        above.reverse();
        for dir in above.into_iter().map(|dir| folder.join(dir)) {
            if !entries.iter().any(|(known, _)| *known == dir) {
                entries.push((dir, Entry::Dir { mode: 0o755 }));
            }
        }
        entries.push((folder.join(path), Entry::File { bytes, mode: 0o644 }));
    }
}

/// The names in a folder, sorted; none where there is no folder.
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
    names.sort();
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
