//! Folders with skills (`<name>/SKILL.md`) that the command line names, read into a task's skills.

use std::fs::FileType;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::failure::{Code, Failure};
use crate::invocation::{Context, UserInput};
use crate::skills::{files, frontmatter};
use crate::task::{Skill, SkillFile};

/// Reads a folder of skills: each child with a `SKILL.md` is one.
pub(super) fn read_skills(
    folder: &Path,
    context: &Context,
    warnings: &mut Vec<String>,
) -> Result<Vec<Skill>> {
    let mut found = Vec::new();
    for (path, file_type) in sorted(folder)? {
        if file_type.is_file() || !path.join("SKILL.md").is_file() {
            continue;
        }
        let content = context.read_text(UserInput::SKILL_FILE, &path.join("SKILL.md"))?;
        let (name, description) = frontmatter::read_name_description(&content);
        let name = if name.is_empty() {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        } else {
            name
        };
        let mut beside = Vec::new();
        read_skill_files(&path, &path, context, &mut beside, warnings)?;
        found.push(Skill { name, description, content, files: beside });
    }
    if found.is_empty() {
        return Err(Failure::new(Code::BadDocument, format!("{} contains no skill", folder.display()))
            .hint("`--skills DIR` takes a folder with `<name>/SKILL.md` in it")
            .into());
    }
    Ok(found)
}

/// The entries of a folder by name, each with its type: listing tells it, so that no entry need be asked for it.
fn sorted(folder: &Path) -> Result<Vec<(PathBuf, FileType)>> {
    let unreadable = |error: std::io::Error| {
        Failure::new(Code::BadDocument, format!("cannot list {}: {error}", folder.display()))
    };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        entries.push((entry.path(), entry.file_type().map_err(unreadable)?));
    }
    entries.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    Ok(entries)
}

fn read_skill_files(
    skill: &Path,
    folder: &Path,
    context: &Context,
    beside: &mut Vec<SkillFile>,
    warnings: &mut Vec<String>,
) -> Result<()> {
    for (path, file_type) in sorted(folder)? {
        let relative = path.strip_prefix(skill).unwrap_or(&path).display().to_string();
        if file_type.is_dir() {
            read_skill_files(skill, &path, context, beside, warnings)?;
        } else if !file_type.is_file() || files::is_binary_name(&relative) {
            warnings.push(format!("the skill file {} is not text and is left out", path.display()));
        } else if !files::is_reserved(&relative) {
            let bytes = context.read(UserInput::SKILL_FILE, &path)?;
            match String::from_utf8(bytes) {
                Ok(content) if !content.contains('\0') => beside.push(SkillFile { path: relative, content }),
                _ => warnings.push(format!("the skill file {} is not text and is left out", path.display())),
            }
        }
    }
    Ok(())
}
