//! Folders with skills (`<name>/SKILL.md`) that the command line names, read into a task's skills.
//!
//! A skill's files are read through a handle of its folder: a link is followed where it stays inside and read nowhere else,
//! because a folder may come from a repository of another person. What is left out is named in one warning.

mod left_out;
mod supporting;

use std::path::{Path, PathBuf};

use anyhow::Result;

use self::left_out::LeftOut;
use self::supporting::{Folder, Room, unlistable};
use crate::failure::{Code, Failure};
use crate::invocation::UserInput;
use crate::order;
use crate::skills::files::SKILL_FILE;
use crate::skills::frontmatter;
use crate::sys::tree::{FileKind, Tree};
use crate::task::Skill;

/// How deep below the folder a skill is looked for that stands too deep to be one.
const NESTED: usize = 4;

/// How many folders are searched for such a skill.
const SEARCHED: usize = 1000;

/// Reads a folder of skills: each child folder with a `SKILL.md` is one. Warnings name what is left out.
///
/// # Errors
/// A [`Code::BadDocument`] failure for what cannot be read or is too large, and where there is no skill.
pub(super) fn read_skills(folder: &Path, warnings: &mut Vec<String>) -> Result<Vec<Skill>> {
    let mut found = Vec::new();
    let mut left_out = LeftOut::default();
    let mut room = Room::new(folder);
    for name in sorted_names(folder)? {
        let path = folder.join(&name);
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                let Ok(skill) = Folder::open(&path, Path::new(&name)) else {
                    left_out.add(Path::new(&name), "cannot be opened");
                    continue;
                };
                found.extend(read_skill(&skill, &mut room, &mut left_out)?);
            }
            // A file beside the skills, such as a README, is none of theirs.
            Ok(_) => {}
            Err(_) => left_out.add(Path::new(&name), "a link that leads nowhere"),
        }
    }
    let is_skill_itself = folder.join(SKILL_FILE).is_file();
    if found.is_empty() {
        let message = format!("{} contains no skill{}", folder.display(), left_out.in_brackets());
        let hint = if is_skill_itself {
            "it is a skill itself: `--skills DIR` takes the folder above it"
        } else {
            "`--skills DIR` takes a folder with `<name>/SKILL.md` in it"
        };
        return Err(Failure::new(Code::BadDocument, message).hint(hint).into());
    }
    if is_skill_itself {
        left_out.add(Path::new(SKILL_FILE), "a skill is a folder below");
    }
    warnings.extend(left_out.warning(folder));
    Ok(found)
}

/// Reads one child of the folder; `None` where it is no skill.
fn read_skill(skill: &Folder<'_>, room: &mut Room<'_>, left_out: &mut LeftOut) -> Result<Option<Skill>> {
    let main = match skill.look(Path::new(SKILL_FILE))? {
        Ok((real, FileKind::File { .. })) => real,
        Ok(_) => {
            left_out.add(&skill.name.join(SKILL_FILE), "not a file");
            return Ok(None);
        }
        Err(Some(why)) => {
            left_out.add(&skill.name.join(SKILL_FILE), why);
            return Ok(None);
        }
        Err(None) => {
            note_misplaced(&skill.tree, skill.name, left_out);
            return Ok(None);
        }
    };
    let content = UserInput::SKILL_FILE.read_text_in(&skill.tree, &main)?;
    let (name, description) = frontmatter::read_name_description(&content);
    let name = if name.is_empty() { skill.name.to_string_lossy().into_owned() } else { name };
    let files = supporting::read(skill, room, left_out)?;
    Ok(Some(Skill { name, description, content, files }))
}

/// Names what looks like a skill and is none: its file has another case, or it stands deeper than a child.
fn note_misplaced(tree: &Tree, name: &Path, left_out: &mut LeftOut) {
    let mut folders = vec![(PathBuf::new(), 0)];
    // The folder may be a project: it is not searched through for a note.
    for _ in 0..SEARCHED {
        let Some((folder, depth)) = folders.pop() else { return };
        let mut names = tree.names(&folder).unwrap_or_default();
        order::sort(&mut names);
        for entry in names {
            let path = folder.join(&entry);
            match tree.kind(&path) {
                Ok(Some(FileKind::Dir)) if depth < NESTED && entry != ".git" && entry != "node_modules" => {
                    folders.push((path, depth + 1));
                }
                Ok(Some(FileKind::File { .. } | FileKind::Link))
                    if entry.eq_ignore_ascii_case(SKILL_FILE) && (depth > 0 || entry != SKILL_FILE) =>
                {
                    let why = if entry == SKILL_FILE {
                        "only a direct subfolder is a skill"
                    } else {
                        "its name must be `SKILL.md`"
                    };
                    left_out.add(&name.join(path), why);
                }
                _ => {}
            }
        }
    }
}

/// The names in the folder, sorted.
fn sorted_names(folder: &Path) -> Result<Vec<std::ffi::OsString>> {
    let listed = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect::<Result<Vec<_>, _>>());
    let mut names = listed.map_err(|error| unlistable(folder, &error))?;
    order::sort(&mut names);
    Ok(names)
}
