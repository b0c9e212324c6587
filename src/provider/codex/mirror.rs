//! What the task's home takes over from the user's: configuration as copies, login and plugins as links.
//!
//! Everything is read again each time. A login file is never copied: the first refresh of one copy would revoke all the
//! others.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use toml_edit::Document;

use super::draft::Draft;
use super::shared::{SharedHome, read_regular};
use super::{config, hooks, source};
use crate::failure::{Code, Failure};
use crate::provider::plan::{HomeEntry, HomeRequest};
use crate::sys::tree::FileKind;

/// The configuration's name in a Codex home.
pub(super) const CONFIG: &str = "config.toml";
/// The login's name in a Codex home.
pub(super) const AUTH: &str = "auth.json";
const RULES: &str = "rules";

/// The most that is read of a configuration, and of a file that one names, in bytes.
const MAX_CONFIG: u64 = 4 << 20;
const MAX_NAMED: u64 = 32 << 20;

/// Names of the home that a file named by the configuration may not lie at or below: another's, or the agent's work.
const TAKEN: [&str; 10] = [
    "archived_sessions",
    AUTH,
    CONFIG,
    "hooks",
    hooks::FILE,
    "memories",
    "plugins",
    RULES,
    "sessions",
    "skills",
];

/// A configuration of the user's, `config.toml` or a profile, as text, without a byte order mark; `None` where there is none.
///
/// # Errors
/// When it cannot be read: with a guess in its place, the agent would run with another model, provider
/// and sandbox than the user chose. Codex itself refuses the same file.
pub(super) fn read_config(shared: Option<&SharedHome>, name: &str) -> Result<Option<String>> {
    let Some(shared) = shared else { return Ok(None) };
    let bad = |what: String| bad_config(shared, name, &what);
    let bytes = shared.read(Path::new(name), MAX_CONFIG).map_err(|error| bad(format!(": {error}")))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let mut text = String::from_utf8(bytes)
        .map_err(|error| bad(format!(": byte {} is not UTF-8", error.utf8_error().valid_up_to())))?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(Some(text))
}

/// The parsed text of [`read_config`].
///
/// # Errors
/// As [`read_config`], for a text that is not TOML.
pub(super) fn parse_config<'a>(
    shared: Option<&SharedHome>,
    name: &str,
    text: &'a str,
) -> Result<Document<&'a str>> {
    source::parse(text).map_err(|malformed| match shared {
        Some(shared) => bad_config(shared, name, &format!(", {malformed}")).into(),
        None => malformed.into(),
    })
}

fn bad_config(shared: &SharedHome, name: &str, what: &str) -> Failure {
    Failure::new(Code::BadConfig, format!("{}{what}", shared.path.join(name).display())).hint(
        "Codex refuses this file, too (`codex features list` shows its error): correct it, then try again",
    )
}

/// Files that are copied unchanged. `AGENTS.md` is what Codex 0.169 reads of the user's own instructions, `instructions.md` what
/// older versions read.
const COPIES: [&str; 4] = ["AGENTS.md", "AGENTS.override.md", "config.json", "instructions.md"];

/// The user's instructions and the like as they are in the user's home now.
pub(super) fn copies(draft: &mut Draft<'_>, shared: Option<&SharedHome>) {
    for name in COPIES {
        let found = shared.map_or(Ok(None), |shared| shared.read(Path::new(name), MAX_CONFIG));
        match found {
            Ok(Some(bytes)) => draft.put(name, HomeEntry::File { bytes, mode: 0o600 }),
            Ok(None) => draft.drop_old(name),
            Err(error) => {
                draft.warnings.push(format!("`{name}` of your Codex home is not in the task's: {error}"));
            }
        }
    }
}

/// The user's rules on commands: what they forbid is forbidden here too. Rules that Codex adds
/// in the task stay in the task, until the next copy.
///
/// # Errors
/// A [`Code::BadConfig`] failure for one that cannot be read: the agent could do what the user has forbidden.
pub(super) fn rules(draft: &mut Draft<'_>, shared: Option<&SharedHome>) -> Result<()> {
    draft.drop_old(RULES);
    let Some(shared) = shared else { return Ok(()) };
    let folder = shared.path.join(RULES);
    let bad = |path: &Path, error: std::io::Error| {
        Failure::new(
            Code::BadConfig,
            format!("rules in your Codex home: {} {}", path.display(), reason(&error)),
        )
    };
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(bad(&folder, error).into()),
    };
    for entry in entries {
        let path = entry.map_err(|error| bad(&folder, error))?.path();
        let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|end| end == "rules"))
        else {
            continue;
        };
        if let Some(bytes) = read_regular(&path, MAX_CONFIG).map_err(|error| bad(&path, error))? {
            draft.put(Path::new(RULES).join(name), HomeEntry::File { bytes, mode: 0o600 });
        }
    }
    Ok(())
}

/// The login: a link to the user's file, so that a refresh on either side is one for both.
pub(super) fn login(draft: &mut Draft<'_>, shared: Option<&SharedHome>) {
    let target = shared.map(|shared| shared.path.join(AUTH));
    let found = target.as_deref().map(std::fs::metadata);
    let is_file = matches!(&found, Some(Ok(metadata)) if metadata.is_file());
    let present = draft.kind(AUTH);
    match target {
        Some(target) if is_file => {
            if matches!(present, Some(FileKind::File { .. })) {
                draft.warnings.push(
                    "the task's Codex login was replaced by a file; it is a link to your login again"
                        .to_owned(),
                );
            }
            draft.put(AUTH, HomeEntry::Link { target });
        }
        _ => {
            if matches!(found, Some(Ok(_))) {
                draft.warnings.push(format!(
                    "`{AUTH}` in your Codex home is not a regular file: the task has no login"
                ));
            }
            // A link would dangle. A file is a login that was made within the task.
            if !matches!(present, Some(FileKind::File { .. })) {
                draft.drop_old(AUTH);
            }
        }
    }
}

/// The plugins that the user has downloaded. Where there are none, an own folder; nothing is made in the user's home.
pub(super) fn plugins(draft: &mut Draft<'_>, shared: Option<&SharedHome>) {
    let cache = Path::new("plugins/cache");
    let target = shared.map(|shared| shared.path.join(cache)).filter(|target| target.is_dir());
    match target {
        // Already so: what the agent has beside it stays.
        Some(target) if draft.link(cache).as_deref() == Some(&target) => {}
        Some(target) => draft.put(cache, HomeEntry::Link { target }),
        None if draft.kind(cache) == Some(FileKind::Dir) => {}
        None => draft.put(cache, HomeEntry::Dir { mode: 0o755 }),
    }
}

/// The files that the configuration names by a relative path, at the same place in the task's home.
///
/// # Errors
/// A [`Code::BadConfig`] failure with key and path for a file that is missing, unreadable, or not below the home.
pub(super) fn named_files(
    draft: &mut Draft<'_>,
    config: &Document<&str>,
    request: &HomeRequest<'_>,
    shared: Option<&SharedHome>,
) -> Result<()> {
    for (key, value) in config::named_files(config) {
        let path = Path::new(&value);
        let bad = |path: &Path, what: &str| {
            Failure::new(
                Code::BadConfig,
                format!("`{key}` in your Codex configuration: {} {what}", path.display()),
            )
        };
        if let Some(outside) = outside(path, request.user_home) {
            let outside = outside.ok_or_else(|| bad(path, "is in another user's home"))?;
            match std::fs::metadata(&outside) {
                Ok(metadata) if metadata.is_file() => continue,
                Ok(_) => return Err(bad(&outside, "is not a regular file").into()),
                Err(error) => return Err(bad(&outside, &reason(&error)).into()),
            }
        }
        let Some(local) = local(path) else { return Err(bad(path, "leads out of the Codex home").into()) };
        let first = local.iter().next().and_then(|name| name.to_str());
        if first.is_some_and(|first| TAKEN.iter().any(|taken| first.eq_ignore_ascii_case(taken))) {
            return Err(bad(path, "has a name that the task needs itself").into());
        }
        let source = shared.map_or_else(|| local.clone(), |shared| shared.path.join(&local));
        match read_regular(&source, MAX_NAMED) {
            Ok(Some(bytes)) => draft.put(&local, HomeEntry::File { bytes, mode: 0o600 }),
            Ok(None) => return Err(bad(&source, "is missing").into()),
            Err(error) => return Err(bad(&source, &format!("cannot be read: {error}")).into()),
        }
    }
    Ok(())
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "is missing".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// A path that is not relative to the Codex home; `Some(None)` for one in another user's home.
fn outside(path: &Path, user_home: Option<&Path>) -> Option<Option<PathBuf>> {
    if path.is_absolute() {
        return Some(Some(path.to_owned()));
    }
    let first = path.iter().next()?.to_str().filter(|first| first.starts_with('~'))?;
    let rest = path.strip_prefix(first).ok()?;
    Some(user_home.filter(|_| first == "~").map(|home| home.join(rest)))
}

/// A relative path without `.`; `None` with a `..`, which may lead out through a link.
fn local(path: &Path) -> Option<PathBuf> {
    let mut local = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => local.push(name),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!local.as_os_str().is_empty()).then_some(local)
}

/// The bytes of the first configured catalog, for the models cache; the path is checked by [`named_files`].
pub(super) fn catalog(
    config: &Document<&str>,
    user_home: Option<&Path>,
    shared: Option<&SharedHome>,
) -> Result<Option<Vec<u8>>> {
    let Some((_, value)) =
        config::named_files(config).into_iter().find(|(key, _)| *key == "model_catalog_json")
    else {
        return Ok(None);
    };
    let path = match (outside(Path::new(&value), user_home), shared) {
        (Some(Some(path)), _) => path,
        (None, Some(shared)) => shared.path.join(&value),
        _ => return Ok(None),
    };
    read_regular(&path, MAX_NAMED).with_context(|| format!("read {}", path.display()))
}
