//! Parts of homes that several providers plan alike: links to the user's files, folders of skills, and what is left of a
//! home that is not needed any more.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::plan::{Home, HomeContent, HomeEntry, HomeRequest};
use super::row::HomeFolder;
use super::user_file::names_in;
use crate::order;
use crate::skills::files::{PlannedFile, PlannedSkill};
use crate::sys::tree::{FileKind, Tree};

/// Links to everything in a folder of the user's, except the names for which `is_ours` holds. A name where the agent has
/// put something into the task's home gets no link, because it may be a session; but a login is a link again.
///
/// # Errors
/// When the folder is there and cannot be listed.
pub(super) fn links_to(
    request: &HomeRequest<'_>,
    folder: &HomeFolder,
    source: &Path,
    is_ours: impl Fn(&str) -> bool,
) -> Result<Vec<(PathBuf, HomeEntry)>> {
    let mut links = Vec::new();
    for name in names_in(source)? {
        let made_by_agent = request.present.is_some_and(|tree| {
            let kind = tree.kind(&Path::new(folder.name).join(&name));
            match kind {
                Ok(Some(FileKind::File { .. })) => !folder.is_login(&name),
                Ok(Some(kind)) => kind != FileKind::Link,
                _ => false,
            }
        });
        let target = source.join(&name);
        // A link to nothing would be of no use, and the agent could not create the file.
        if made_by_agent || is_ours(&name.to_string_lossy()) || !target.exists() {
            continue;
        }
        links.push((PathBuf::from(name), HomeEntry::Link { target }));
    }
    Ok(links)
}

/// The links of an older home that the new one does not replace: their targets are not the user's files any more.
///
/// # Errors
/// When the older home cannot be listed.
pub(super) fn stale_links(
    request: &HomeRequest<'_>,
    home: &str,
    entries: &[(PathBuf, HomeEntry)],
) -> Result<Vec<OsString>> {
    let folder = Path::new(home);
    let Some(tree) = request.present.filter(|tree| matches!(tree.kind(folder), Ok(Some(FileKind::Dir))))
    else {
        return Ok(Vec::new());
    };
    let mut stale =
        tree.names(folder).with_context(|| format!("list {}", request.env_root.join(home).display()))?;
    stale.retain(|name| {
        let is_link = matches!(tree.kind(&folder.join(name)), Ok(Some(FileKind::Link)));
        is_link && !entries.iter().any(|(path, _)| path.as_os_str() == name)
    });
    order::sort(&mut stale);
    Ok(stale)
}

/// Plans the end of a home that the task does not need: its own files, logins and all links are removed, and the home with
/// them unless the agent has put something there, such as sessions. That stays for a task that needs the home again.
///
/// # Errors
/// When the home cannot be listed.
pub(super) fn empty_home(request: &HomeRequest<'_>, folder: &HomeFolder) -> Result<Home> {
    match request.present {
        Some(tree) => empty_home_in(tree, folder),
        None => Ok(Home { name: folder.name, content: HomeContent::Nothing }),
    }
}

/// The same for a home of an env root that stands.
///
/// # Errors
/// As [`empty_home`].
fn empty_home_in(tree: &Tree, row: &HomeFolder) -> Result<Home> {
    let name = row.name;
    let folder = Path::new(name);
    let nothing = Home { name, content: HomeContent::Nothing };
    if !matches!(tree.kind(folder), Ok(Some(FileKind::Dir))) {
        return Ok(nothing);
    }
    let names = tree.names(folder).with_context(|| format!("list {}", tree.path().join(name).display()))?;
    let goes = |entry: &OsString| {
        let is_own = row.own_files.iter().any(|own| entry == own);
        match tree.kind(&folder.join(entry)) {
            Ok(Some(FileKind::Link)) => true,
            Ok(Some(FileKind::File { .. })) => is_own || row.is_login(entry),
            _ => is_own,
        }
    };
    let (mut dropped, kept): (Vec<OsString>, Vec<OsString>) = names.into_iter().partition(goes);
    order::sort(&mut dropped);
    if kept.is_empty() {
        return Ok(nothing);
    }
    Ok(Home { name, content: HomeContent::Folder { mode: 0o700, entries: Vec::new(), dropped } })
}

/// For [`HomeFolder::without_secrets`]: removes the home's own files, its logins and all its links, and the home itself unless the agent
/// has put something there.
///
/// # Errors
/// As [`empty_home`].
pub(super) fn without_own_files(tree: &Tree, folder: &HomeFolder) -> Result<Option<Home>> {
    empty_home_in(tree, folder).map(Some)
}

/// Adds a skill's folder below `parent`, which is there already, under its name `slug`.
pub(super) fn folder_of_skill(
    entries: &mut Vec<(PathBuf, HomeEntry)>,
    parent: &Path,
    skill: &PlannedSkill,
    slug: &str,
) {
    let folder = parent.join(slug);
    entries.push((folder.clone(), HomeEntry::Dir { mode: 0o755 }));
    for PlannedFile { path, bytes, mode } in skill.files_for(slug) {
        let mut above: Vec<&Path> =
            path.ancestors().skip(1).filter(|dir| !dir.as_os_str().is_empty()).collect();
        above.reverse();
        for dir in above.into_iter().map(|dir| folder.join(dir)) {
            if !entries.iter().any(|(known, _)| *known == dir) {
                entries.push((dir, HomeEntry::Dir { mode: 0o755 }));
            }
        }
        entries.push((folder.join(path), HomeEntry::File { bytes, mode }));
    }
}
