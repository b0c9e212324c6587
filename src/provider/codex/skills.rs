//! The skills of a task's home: the task's own as files, the user's as links.
//!
//! The folder is rebuilt each time. A user's skill is linked, not copied: they reach 100 MB, and a change is seen at
//! once. Codex finds the user's other skills (`~/.agents/skills`) by itself; one of those, or a linked one, is switched
//! off by an entry in the configuration.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use super::draft::Draft;
use super::shared::SharedHome;
use crate::formats::yaml::edit as yaml;
use crate::order;
use crate::provider::plan::HomeEntry;
use crate::skills::files::{PlannedFile, PlannedSkill, SKILL_FILE};
use crate::skills::slug::slug;
use crate::task::DisabledSkill;

const FOLDER: &str = "skills";
/// What Codex reads of a skill besides its `SKILL.md`.
const POLICY: &str = "agents/openai.yaml";

/// Puts the task's skills and links to the user's into the home.
pub(super) fn plan(draft: &mut Draft<'_>, skills: &[PlannedSkill], shared: Option<&SharedHome>) {
    draft.drop_old(FOLDER);
    let taken = taken(skills);
    match shared.map_or(Ok(Vec::new()), |shared| user_skills(&shared.path.join(FOLDER))) {
        Ok(found) => {
            for (name, target) in found {
                let Some(target) = target else {
                    draft
                        .warnings
                        .push("a skill of the Codex home leads nowhere and was left out".to_owned());
                    continue;
                };
                if !taken.contains(&slug(&name)) {
                    draft.put(Path::new(FOLDER).join(name), HomeEntry::Link { target });
                }
            }
        }
        Err(error) => draft.warnings.push(format!("the skills of the Codex home were left out: {error}")),
    }
    for skill in skills {
        let mut files = skill.files_for(&skill.slug);
        if skill.hidden && hide(&mut files).is_none() {
            let shown = skill.slug.clone() + "/" + POLICY;
            draft.warnings.push(format!("{shown} is not one YAML mapping, so Codex offers the hidden skill"));
        }
        for PlannedFile { path, bytes, mode } in files {
            draft.put(Path::new(FOLDER).join(&skill.slug).join(path), HomeEntry::File { bytes, mode });
        }
    }
}

/// Keeps a skill from the model in Codex' own words: it knows no `disable-model-invocation` (0.171). `None`: the skill has
/// such a file itself, and it cannot be changed.
fn hide(files: &mut Vec<PlannedFile>) -> Option<()> {
    let own = files.iter_mut().find(|file| file.path == Path::new(POLICY));
    let text = own.as_ref().map_or(Ok(""), |file| std::str::from_utf8(&file.bytes)).ok()?;
    let text = yaml::set(text, "policy", "allow_implicit_invocation", &false.into())?;
    match own {
        Some(file) => file.bytes = text.into_bytes(),
        None => files.push(PlannedFile { path: POLICY.into(), bytes: text.into_bytes(), mode: 0o644 }),
    }
    Some(())
}

/// The names that a skill of the user's must not have: the task's win.
fn taken(skills: &[PlannedSkill]) -> HashSet<String> {
    skills.iter().flat_map(|skill| [skill.slug.clone(), slug(&skill.name)]).collect()
}

/// The user's skills in the order of their names, each with the folder it leads to; `None` where it leads nowhere.
/// Anything but a folder is skipped.
fn user_skills(folder: &Path) -> io::Result<Vec<(String, Option<PathBuf>)>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // Codex keeps its own in `.system`, and systems keep their notes in dotted files.
        if name.starts_with('.') {
            continue;
        }
        match entry.path().canonicalize() {
            Ok(target) if target.is_dir() => found.push((name, Some(target))),
            Ok(_) => {}
            Err(_) => found.push((name, None)),
        }
    }
    order::sort(&mut found);
    Ok(found)
}

/// The `SKILL.md` of each skill that the task switches off.
///
/// A key that is absolute or leads out is none. A skill of the task's with the same name stays on.
pub(super) fn disabled(
    refs: &[DisabledSkill],
    skills: &[PlannedSkill],
    home: &Path,
    user_home: Option<&Path>,
) -> Vec<PathBuf> {
    let taken = taken(skills);
    let path = |skill: &DisabledSkill| {
        let key = safe_key(&skill.key)?;
        let first = key.iter().next()?.to_str()?;
        match skill.root.as_str() {
            "universal" => Some(user_home?.join(".agents/skills").join(key).join(SKILL_FILE)),
            "provider" | "" if !taken.contains(&slug(first)) => {
                Some(home.join(FOLDER).join(key).join(SKILL_FILE))
            }
            _ => None,
        }
    };
    refs.iter().filter_map(path).collect()
}

/// The `SKILL.md` of each skill that the user has switched off by name: an entry by path says it to every version.
/// A name of a plugin's skill has no folder. A skill of the task's with the same name stays on.
pub(super) fn named(
    names: &[String],
    skills: &[PlannedSkill],
    home: &Path,
    shared: &SharedHome,
    user_home: Option<&Path>,
) -> Vec<PathBuf> {
    let taken = taken(skills);
    let mut paths = Vec::new();
    for key in names.iter().filter_map(|name| safe_key(name)) {
        let file = key.join(SKILL_FILE);
        let is_taken = key.to_str().is_some_and(|name| taken.contains(&slug(name)));
        if !is_taken && shared.path.join(FOLDER).join(&file).is_file() {
            paths.push(home.join(FOLDER).join(&file));
        }
        let universal = user_home.map(|user| user.join(".agents/skills").join(&file));
        paths.extend(universal.filter(|path| path.is_file()));
    }
    paths
}

fn safe_key(key: &str) -> Option<PathBuf> {
    let key = key.trim();
    crate::skills::files::check_path("", key).ok()
}

#[cfg(test)]
mod tests;
