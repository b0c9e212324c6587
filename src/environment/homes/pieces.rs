//! A plan divided into pieces that one rename each puts into place: a home, or a top-level entry of an existing home.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use super::exports::is_variable;
use super::swap::{Swap, is_name};
use crate::layout::{self, names};
use crate::provider::plan::{Home, HomeContent, HomeEntry, HomePlan, MOST_COPIED};
use crate::sys::tree::{FileKind, Folders, Tree};

/// One file, link or folder with its content; a piece without parts is a removal.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    /// Its target path, below the env root.
    pub(super) place: PathBuf,
    /// The parts by their paths relative to the piece; the piece itself comes first, with an empty path.
    parts: Vec<(PathBuf, Part<'a>)>,
}

/// An entry of the plan, or one that stands for a file or a folder that the plan has otherwise.
type Part<'a> = Cow<'a, HomeEntry>;

/// Each home of a plan as one piece, for an env root without homes.
pub(super) fn whole_pieces(plan: &HomePlan) -> Result<Vec<Piece<'_>>> {
    let homes =
        plan.homes.iter().map(whole).filter(|piece| !matches!(piece, Ok(piece) if piece.is_removal()));
    homes.chain(variables(plan)?.map(Ok)).collect()
}

/// The pieces that differ from a plan or must be removed, including homes with secrets that the plan does not have.
/// Also gives folders that stay the mode of the plan.
pub(super) fn changed_pieces<'a>(env: &Tree, plan: &'a HomePlan) -> Result<Vec<Piece<'a>>> {
    let mut changed = Vec::new();
    for home in &plan.homes {
        let doing = || format!("compare {}", home.name);
        whole(home)?.compare(env, &mut changed).with_context(doing)?;
        let HomeContent::Folder { dropped, entries, .. } = &home.content else { continue };
        let Ok(tree) = env.subtree(Path::new(home.name)) else { continue };
        for name in dropped.iter().filter(|name| is_name(name)) {
            let is_planned = entries.iter().any(|(path, _)| path.starts_with(name));
            if !is_planned && tree.kind(Path::new(name)).with_context(doing)?.is_some() {
                changed.push(Piece::removal(Path::new(home.name).join(name)));
            }
        }
    }
    for name in layout::secret_homes().filter(|name| plan.homes.iter().all(|home| home.name != *name)) {
        Piece::removal(PathBuf::from(name)).compare(env, &mut changed)?;
    }
    let place = Path::new(names::LAUNCH).join(names::LAUNCH_ENV);
    let launch = variables(plan)?.unwrap_or_else(|| Piece::removal(place));
    launch.compare(env, &mut changed).context("compare the launch folder")?;
    Ok(changed)
}

/// The folder with the variables that are secrets; `None` if there are none.
fn variables(plan: &HomePlan) -> Result<Option<Piece<'_>>> {
    if plan.private_exports.is_empty() {
        return Ok(None);
    }
    for name in plan.private_exports.keys().chain(plan.exports.keys()) {
        anyhow::ensure!(is_variable(name), "{name:?} is not a valid name of a variable");
    }
    let files =
        plan.private_exports.iter().map(|(name, value)| (PathBuf::from(name), file(value.as_bytes(), 0o600)));
    let parts =
        std::iter::once((PathBuf::new(), Cow::Owned(HomeEntry::Dir { mode: 0o700 }))).chain(files).collect();
    Ok(Some(Piece { place: Path::new(names::LAUNCH).join(names::LAUNCH_ENV), parts }))
}

fn whole(home: &Home) -> Result<Piece<'_>> {
    let is_home = is_name(OsStr::new(home.name)) && layout::may_be_home(home.name);
    anyhow::ensure!(is_home, "{} is not a valid name of a home", home.name);
    let parts = match &home.content {
        HomeContent::Nothing => Vec::new(),
        HomeContent::File { bytes, mode } => vec![(PathBuf::new(), file(bytes, *mode))],
        HomeContent::Folder { mode, entries, .. } => {
            let mut parts = vec![(PathBuf::new(), Cow::Owned(HomeEntry::Kept { mode: *mode }))];
            parts.extend(entries.iter().map(|(path, entry)| (path.clone(), Cow::Borrowed(entry))));
            parts
        }
    };
    for (path, _) in parts.iter().skip(1) {
        let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
        anyhow::ensure!(
            stays && !path.as_os_str().is_empty(),
            "{} is not a path inside {}",
            path.display(),
            home.name
        );
    }
    Ok(Piece { place: home.name.into(), parts })
}

impl<'a> Piece<'a> {
    fn removal(place: PathBuf) -> Piece<'a> {
        Piece { place, parts: Vec::new() }
    }

    pub(super) fn is_removal(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn swap(&self) -> Swap {
        let place = self.place.iter().map(OsStr::to_owned).collect();
        Swap { place, comes: !self.is_removal() }
    }

    /// Adds to `changed` what differs from this piece: the whole piece, or parts of a folder that stays.
    fn compare(self, env: &Tree, changed: &mut Vec<Piece<'a>>) -> Result<()> {
        let looking = || format!("look at {}", self.place.display());
        let (folder, name) = match (self.place.parent(), self.place.file_name()) {
            (Some(above), Some(name)) if !above.as_os_str().is_empty() => match env.subtree(above) {
                Ok(folder) => (Some(folder), Path::new(name)),
                Err(_) if !self.is_removal() => {
                    changed.push(self);
                    return Ok(());
                }
                Err(_) => return Ok(()),
            },
            _ => (None, self.place.as_path()),
        };
        let folder = folder.as_ref().unwrap_or(env);
        let kind = folder.kind(name).with_context(looking)?;
        match (self.parts.first().map(|(_, part)| &**part), kind) {
            (None | Some(HomeEntry::Absent), None) => {}
            (None | Some(HomeEntry::Absent), Some(_)) => changed.push(Piece::removal(self.place)),
            (Some(HomeEntry::Kept { mode }), Some(FileKind::Dir)) => {
                if folder.mode(name).with_context(looking)? != Some(*mode) {
                    folder.set_dir_mode(name, *mode).with_context(looking)?;
                }
                for top in self.tops() {
                    top.compare(env, changed)?;
                }
            }
            _ if self.stands(folder, name) => {}
            _ => changed.push(self),
        }
        Ok(())
    }

    /// The top-level entries of a folder as pieces.
    fn tops(&self) -> Vec<Piece<'a>> {
        let mut tops: Vec<Piece<'a>> = Vec::new();
        let mut numbers: HashMap<&OsStr, usize> = HashMap::new();
        for (path, part) in self.parts.iter().skip(1) {
            let mut parts = path.components();
            let Some(top) = parts.next().map(Component::as_os_str) else { continue };
            let number = *numbers.entry(top).or_insert(tops.len());
            if number == tops.len() {
                tops.push(Piece { place: self.place.join(top), parts: Vec::new() });
            }
            tops[number].parts.push((parts.as_path().to_owned(), part.clone()));
        }
        tops
    }

    /// Writes the piece to a free path in a folder under construction.
    pub(super) fn write(&self, tree: &Tree, at: &Path) -> Result<()> {
        let mut folders = Folders::below(tree);
        for (path, part) in &self.parts {
            let place = join(at, path);
            let written = folders.parent_of(&place).and_then(|(folder, name)| write(part, folder, name));
            written.with_context(|| format!("write {}", self.place.join(path).display()))?;
        }
        Ok(())
    }

    /// Whether the folder contains exactly the piece: the same bytes and no other entries.
    fn stands(&self, folder: &Tree, name: &Path) -> bool {
        let mut children: HashMap<&Path, usize> = HashMap::new();
        let present = self.parts.iter().filter(|(_, part)| **part != HomeEntry::Absent);
        for parent in present.filter_map(|(path, _)| path.parent()) {
            *children.entry(parent).or_default() += 1;
        }
        self.parts.iter().all(|(path, part)| {
            let place = join(name, path);
            let planned = children.get(path.as_path()).copied().unwrap_or(0);
            // An entry that cannot be read is replaced.
            stands(part, folder, &place).unwrap_or(false)
                && (!matches!(**part, HomeEntry::Dir { .. } | HomeEntry::Kept { .. })
                    || folder.names(&place).is_ok_and(|names| names.len() == planned))
        })
    }
}

/// The piece's own path, or one inside it. (Joining an empty path would add a slash.)
fn join(at: &Path, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { at.to_owned() } else { at.join(path) }
}

fn file<'a>(bytes: &[u8], mode: u32) -> Part<'a> {
    Cow::Owned(HomeEntry::File { bytes: bytes.to_owned(), mode })
}

fn write(entry: &HomeEntry, tree: &Tree, place: &Path) -> io::Result<()> {
    let mode = match entry {
        HomeEntry::Dir { mode } | HomeEntry::Kept { mode } => {
            tree.make_dir(place, *mode)?;
            *mode
        }
        HomeEntry::File { bytes, mode } => {
            tree.create_unseen(place, bytes, *mode)?;
            *mode
        }
        HomeEntry::Link { target } => return tree.make_link(place, target),
        HomeEntry::Copied { source } => return tree.duplicate(place, source, MOST_COPIED),
        HomeEntry::Shared { source } => return tree.share(place, source),
        HomeEntry::Absent => return Ok(()),
    };
    // A mode without bits for others is not reduced by any usable umask.
    if mode & 0o077 != 0 && tree.mode(place)? != Some(mode) {
        tree.set_mode_unseen(place, mode)?;
    }
    Ok(())
}

fn stands(entry: &HomeEntry, tree: &Tree, place: &Path) -> io::Result<bool> {
    let kind = tree.kind(place)?;
    Ok(match (entry, kind) {
        (HomeEntry::Dir { mode } | HomeEntry::Kept { mode }, Some(FileKind::Dir)) => {
            tree.mode(place)? == Some(*mode)
        }
        (HomeEntry::Absent, None) => true,
        // With a hard link another program could change it.
        (HomeEntry::File { bytes, mode }, Some(FileKind::File { len, mode: present })) => {
            present == *mode
                && len == bytes.len() as u64
                && tree.link_count(place)? == 1
                && tree.read(place, len)?.as_deref() == Some(bytes.as_slice())
        }
        (HomeEntry::Link { target }, Some(FileKind::Link)) => tree.read_link(place)? == *target,
        // The agent may have changed it since; the changes belong to the task.
        (HomeEntry::Copied { .. }, Some(FileKind::File { .. })) => true,
        (HomeEntry::Shared { source }, Some(FileKind::Link)) => tree.read_link(place)? == *source,
        (HomeEntry::Shared { source }, Some(FileKind::File { .. })) => tree.is_same_file(place, source)?,
        _ => false,
    })
}
