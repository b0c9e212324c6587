//! A plan cut into what is put into its place by one rename each: a home, or what is at the top of one that stands.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use super::{NOT_A_HOME, Swap, names};
use crate::provider::home::{Entry, Home, HomeContent, HomePlan};
use crate::sys::tree::{Kind, Tree};

/// One file, link or folder with all that is in it; with nothing in it at all it is a removal.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    pub(super) home: &'a str,
    entry: Option<OsString>,
    /// Paths relative to the piece, which itself comes first with an empty one.
    parts: Vec<(PathBuf, Part<'a>)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part<'a> {
    Dir { mode: u32 },
    File { bytes: &'a [u8], mode: u32 },
    Link { target: &'a Path },
    Shared { source: &'a Path },
}

impl<'a> From<&'a Entry> for Part<'a> {
    fn from(entry: &'a Entry) -> Self {
        match entry {
            Entry::Dir { mode } => Part::Dir { mode: *mode },
            Entry::File { bytes, mode } => Part::File { bytes, mode: *mode },
            Entry::Link { target } => Part::Link { target },
            Entry::Shared { source } => Part::Shared { source },
        }
    }
}

/// Every home of a plan as one piece, for an env root that has none.
pub(super) fn whole_pieces(plan: &HomePlan) -> Result<Vec<Piece<'_>>> {
    let homes =
        plan.homes.iter().map(whole).filter(|piece| !matches!(piece, Ok(piece) if piece.is_removal()));
    homes.chain(variables(plan).map(Ok)).collect()
}

/// What is not as a plan says, or should not be there. `secret` are names that go unless the plan has them.
pub(super) fn changed_pieces<'a>(
    env: &Tree,
    plan: &'a HomePlan,
    secret: &'a [&'static str],
) -> Result<Vec<Piece<'a>>> {
    let mut changed = Vec::new();
    for home in &plan.homes {
        let piece = whole(home)?;
        let present = env.kind(Path::new(home.name)).with_context(|| format!("look at {}", home.name))?;
        match (&home.content, present) {
            (HomeContent::Nothing, None) => {}
            (HomeContent::Folder { mode, dropped, .. }, Some(Kind::Dir)) => {
                enforce_mode(env, home.name, *mode)?;
                let tree =
                    env.subtree(Path::new(home.name)).with_context(|| format!("open {}", home.name))?;
                let tops = piece.tops();
                let has = |name: &OsStr| tops.iter().any(|top| top.entry.as_deref() == Some(name));
                for name in dropped.iter().filter(|name| !has(name)) {
                    if is_name(name) && tree.kind(Path::new(name)).context("look at what goes")?.is_some() {
                        changed.push(Piece { home: home.name, entry: Some(name.clone()), parts: Vec::new() });
                    }
                }
                changed.extend(tops.into_iter().filter(|top| !top.stands(&tree)));
            }
            _ if piece.is_removal() || !piece.stands(env) => changed.push(piece),
            _ => {}
        }
    }
    for name in secret.iter().filter(|name| plan.homes.iter().all(|home| home.name != **name)) {
        if env.kind(Path::new(name)).with_context(|| format!("look at {name}"))?.is_some() {
            changed.push(Piece { home: name, entry: None, parts: Vec::new() });
        }
    }
    changed.extend(changed_variables(env, plan)?);
    Ok(changed)
}

/// A home that stands has the mode of the plan, whatever becomes of the rest.
fn enforce_mode(env: &Tree, name: &str, mode: u32) -> Result<()> {
    let path = Path::new(name);
    if env.mode(path).with_context(|| format!("look at {name}"))? != Some(mode) {
        env.set_dir_mode(path, mode).with_context(|| format!("set the mode of {name}"))?;
    }
    Ok(())
}

fn changed_variables<'a>(env: &Tree, plan: &'a HomePlan) -> Result<Option<Piece<'a>>> {
    let place = Path::new(names::LAUNCH).join(names::LAUNCH_ENV);
    if let Some(piece) = variables(plan) {
        let stands = matches!(env.subtree(Path::new(names::LAUNCH)), Ok(launch) if piece.stands(&launch));
        return Ok((!stands).then_some(piece));
    }
    let is_there = env.kind(&place).context("look at the launch folder")?.is_some();
    Ok(is_there.then(|| Piece {
        home: names::LAUNCH,
        entry: Some(names::LAUNCH_ENV.into()),
        parts: Vec::new(),
    }))
}

/// The folder of the variables that are secrets; `None` where there are none.
fn variables(plan: &HomePlan) -> Option<Piece<'_>> {
    if plan.private_exports.is_empty() {
        return None;
    }
    let files = plan
        .private_exports
        .iter()
        .map(|(name, value)| (PathBuf::from(name), Part::File { bytes: value.as_bytes(), mode: 0o600 }));
    let parts = std::iter::once((PathBuf::new(), Part::Dir { mode: 0o700 })).chain(files).collect();
    Some(Piece { home: names::LAUNCH, entry: Some(names::LAUNCH_ENV.into()), parts })
}

fn whole(home: &Home) -> Result<Piece<'_>> {
    let is_ours = is_name(OsStr::new(home.name)) && !NOT_A_HOME.contains(&home.name);
    anyhow::ensure!(is_ours && home.name != names::LAUNCH, "{} is no name for a home", home.name);
    let parts = match &home.content {
        HomeContent::Nothing => Vec::new(),
        HomeContent::File { bytes, mode } => vec![(PathBuf::new(), Part::File { bytes, mode: *mode })],
        HomeContent::Folder { mode, entries, .. } => {
            let mut parts = vec![(PathBuf::new(), Part::Dir { mode: *mode })];
            parts.extend(entries.iter().map(|(path, entry)| (path.clone(), Part::from(entry))));
            parts
        }
    };
    for (path, _) in parts.iter().skip(1) {
        let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
        anyhow::ensure!(
            stays && !path.as_os_str().is_empty(),
            "{} is no place in {}",
            path.display(),
            home.name
        );
    }
    Ok(Piece { home: home.name, entry: None, parts })
}

fn is_name(text: &OsStr) -> bool {
    let mut parts = Path::new(text).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(name)), None) if name == text)
}

impl<'a> Piece<'a> {
    pub(super) fn is_removal(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn swap(&self) -> Swap {
        Swap { home: self.home.to_owned(), entry: self.entry.clone(), comes: !self.is_removal() }
    }

    pub(super) fn place(&self) -> PathBuf {
        self.swap().place()
    }

    /// A folder's pieces at its top.
    fn tops(&self) -> Vec<Piece<'a>> {
        let mut tops: Vec<Piece<'a>> = Vec::new();
        let mut places: HashMap<OsString, usize> = HashMap::new();
        for (path, part) in self.parts.iter().skip(1) {
            let mut parts = path.components();
            let Some(top) = parts.next().map(|top| top.as_os_str().to_owned()) else { continue };
            let below = (parts.as_path().to_owned(), *part);
            let place = *places.entry(top.clone()).or_insert(tops.len());
            if place == tops.len() {
                tops.push(Piece { home: self.home, entry: Some(top), parts: Vec::new() });
            }
            tops[place].parts.push(below);
        }
        tops
    }

    /// Writes the piece to a free place of a folder that nobody looks into.
    pub(super) fn write(&self, tree: &Tree, at: &Path) -> Result<()> {
        for (path, part) in &self.parts {
            let place = join(at, path);
            part.write(tree, &place).with_context(|| format!("write {}", place.display()))?;
        }
        Ok(())
    }

    /// Whether the folder has the piece already, to the byte and with nothing more in it.
    fn stands(&self, folder: &Tree) -> bool {
        let top = self.entry.as_deref().unwrap_or(OsStr::new(self.home));
        let mut children: HashMap<&Path, usize> = HashMap::new();
        for parent in self.parts.iter().filter_map(|(path, _)| path.parent()) {
            *children.entry(parent).or_default() += 1;
        }
        self.parts.iter().all(|(path, part)| {
            let place = join(Path::new(top), path);
            let planned = children.get(path.as_path()).copied().unwrap_or(0);
            // What cannot be looked at is made anew.
            part.stands(folder, &place).unwrap_or(false)
                && (!matches!(part, Part::Dir { .. })
                    || folder.names(&place).is_ok_and(|names| names.len() == planned))
        })
    }
}

/// The piece's own place, or one inside it. (An empty path joined would end in a slash.)
fn join(at: &Path, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { at.to_owned() } else { at.join(path) }
}

impl Part<'_> {
    fn write(&self, tree: &Tree, place: &Path) -> io::Result<()> {
        let mode = match self {
            Part::Dir { mode } => {
                tree.make_dir(place, *mode)?;
                *mode
            }
            Part::File { bytes, mode } => {
                tree.create_unseen(place, bytes, *mode)?;
                *mode
            }
            Part::Link { target } => return tree.make_link(place, target),
            Part::Shared { source } => return tree.share(place, source),
        };
        // No umask that lets its owner work takes anything from a mode without others' bits.
        if mode & 0o077 != 0 && tree.mode(place)? != Some(mode) {
            tree.set_mode_unseen(place, mode)?;
        }
        Ok(())
    }

    fn stands(&self, tree: &Tree, place: &Path) -> io::Result<bool> {
        let kind = tree.kind(place)?;
        Ok(match (self, kind) {
            (Part::Dir { mode }, Some(Kind::Dir)) => tree.mode(place)? == Some(*mode),
            // A second name is somebody else's way to change it.
            (Part::File { bytes, mode }, Some(Kind::File { len, mode: present })) => {
                present == *mode
                    && len == bytes.len() as u64
                    && tree.link_count(place)? == 1
                    && tree.read(place, len)?.as_deref() == Some(*bytes)
            }
            (Part::Link { target }, Some(Kind::Link)) => tree.read_link(place)? == *target,
            (Part::Shared { source }, Some(Kind::Link)) => tree.read_link(place)? == *source,
            (Part::Shared { source }, Some(Kind::File { .. })) => tree.is_same_file(place, source)?,
            _ => false,
        })
    }
}
