//! The user's profiles: `NAME.config.toml` beside `config.toml`, which Codex from 0.134 on lays over it with
//! `--profile NAME`. Without the file Codex starts without a warning, with another model than was chosen.
//!
//! A profile overrides `config.toml`, so execenv's keys are put into each.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use toml_edit::Document;

use super::config::{self, Wishes};
use super::draft::Draft;
use super::mirror;
use super::shared::SharedHome;
use crate::failure::{Code, Failure};
use crate::order;
use crate::provider::plan::{HomeEntry, HomeRequest};

const ENDING: &str = ".config.toml";

/// A profile and its text.
pub(super) struct Profile {
    name: String,
    pub(super) text: String,
}

impl Profile {
    /// The file's name in a Codex home.
    pub(super) fn file(&self) -> String {
        format!("{}{ENDING}", self.name)
    }
}

/// The user's profiles in the order of their names. One that cannot be read is left out with a warning, as Codex reads
/// it only when it is asked for.
///
/// # Errors
/// A [`Code::BadConfig`] failure when the one that the task asks for cannot be read.
pub(super) fn load(
    draft: &mut Draft<'_>,
    shared: Option<&SharedHome>,
    arguments: &[String],
) -> Result<Vec<Profile>> {
    let Some(shared) = shared else { return Ok(Vec::new()) };
    let asked = selected(arguments);
    let mut profiles = Vec::new();
    for name in names(&shared.path).with_context(|| format!("list {}", shared.path.display()))? {
        let file = format!("{name}{ENDING}");
        let read = mirror::read_config(Some(shared), &file).and_then(|text| {
            if let Some(text) = &text {
                mirror::parse_config(Some(shared), &file, text)?;
            }
            Ok(text)
        });
        match read {
            Ok(text) => profiles.extend(text.map(|text| Profile { name, text })),
            Err(error) if asked == Some(name.as_str()) => return Err(error),
            Err(error) => draft.warnings.push(format!("the task has no copy of a Codex profile: {error}")),
        }
    }
    Ok(profiles)
}

/// Puts the profiles into the home, each with what is ours; older ones go.
///
/// # Errors
/// When the one that the task asks for names files that are not there, or cannot be made.
pub(super) fn plan<'a>(
    draft: &mut Draft<'_>,
    profiles: impl Iterator<Item = (&'a Profile, &'a Document<&'a str>)>,
    request: &HomeRequest<'_>,
    shared: Option<&SharedHome>,
    wishes: &Wishes<'_>,
) -> Result<()> {
    let old = draft.present.and_then(|home| home.names(Path::new("")).ok()).unwrap_or_default();
    for name in old.into_iter().filter(|name| is_profile(name)) {
        draft.drop_old(name);
    }
    for (profile, document) in profiles {
        if let Err(error) = mirror::named_files(draft, document, request, shared) {
            if selected(&request.task.agent.custom_args) == Some(&profile.name) {
                return Err(error);
            }
            draft
                .warnings
                .push(format!("the task has no copy of your Codex profile `{}`: {error}", profile.file()));
            continue;
        }
        let text =
            config::build_profile(&profile.text, wishes).map_err(|error| unbuildable(profile, &error))?;
        draft.put(profile.file(), HomeEntry::File { bytes: text.into_bytes(), mode: 0o600 });
    }
    Ok(())
}

fn unbuildable(profile: &Profile, error: &anyhow::Error) -> Failure {
    Failure::new(Code::BadConfig, format!("`{}` in your Codex home: {error:#}", profile.file()))
}

/// The profile that Codex is started with; of several, it refuses the second.
fn selected(arguments: &[String]) -> Option<&str> {
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        match argument {
            "-p" | "--profile" => return arguments.next(),
            "--" => return None,
            _ => {}
        }
        let joined = argument.strip_prefix("--profile=");
        let short = || argument.strip_prefix("-p").map(|name| name.trim_start_matches('='));
        if let Some(name) = joined.or_else(|| short().filter(|_| !argument.starts_with("--"))) {
            return Some(name);
        }
    }
    None
}

fn names(home: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(home) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        names.extend(name.to_str().and_then(profile_of).map(str::to_owned));
    }
    order::sort(&mut names);
    Ok(names)
}

/// Whether a file of a Codex home is a profile, which may hold the variables of MCP servers.
pub(super) fn is_profile(file: &OsStr) -> bool {
    file.to_str().and_then(profile_of).is_some()
}

/// The profile that a file of a Codex home is; Codex takes only plain names.
fn profile_of(file: &str) -> Option<&str> {
    let name = file.strip_suffix(ENDING)?;
    let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    (is_plain && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests;
