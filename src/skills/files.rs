//! Which files a skill's folder gets.
//!
//! The paths come from outside. They are checked as a path of *any* system would be read, because a document
//! written for one may be used on another; everything is checked before the caller writes the first byte.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::Result;

use super::{frontmatter, slug};
use crate::failure::{Code, Failure};
use crate::task::Skill;

/// The file that makes a folder a skill.
pub const SKILL_FILE: &str = "SKILL.md";

/// The longest path of a supporting file, and the longest name in it, in bytes.
const MAX_PATH: usize = 4096;
const MAX_NAME: usize = 255;

/// A skill, ready to be written into a folder whose name is found out last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedSkill {
    /// The name in the task document.
    pub name: String,
    /// The folder name within the batch: the first of the caller's candidates.
    pub slug: String,
    /// Written, but not listed in the brief.
    pub hidden: bool,
    /// The keys of a frontmatter that is no YAML, and was mended; `None` where it was sound.
    pub mended: Option<Vec<String>>,
    /// The description of the task document, for a frontmatter that has to be made.
    pub description: String,
    /// The text of `SKILL.md` as it came.
    pub content: String,
    /// The files beside `SKILL.md`, in the order of the document.
    pub files: Vec<PlannedFile>,
}

/// One file of a skill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFile {
    /// Its checked path, relative to the skill's folder.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its permission bits: a script without its executable bit does not run (decision D32).
    pub mode: u32,
}

impl PlannedSkill {
    /// All files for the folder `allocated`, `SKILL.md` first; its frontmatter carries that folder's name.
    pub fn files_for(&self, allocated: &str) -> Vec<PlannedFile> {
        let text = frontmatter::normalise(&self.content, allocated, &self.description);
        let first = PlannedFile { path: SKILL_FILE.into(), bytes: text.into_bytes(), mode: 0o644 };
        std::iter::once(first).chain(self.files.iter().cloned()).collect()
    }
}

/// Plans a batch of skills.
///
/// # Errors
/// A [`Code::BadDocument`] failure for a path that may not be used, or two that cannot both be written.
pub fn plan(skills: &[Skill]) -> Result<Vec<PlannedSkill>> {
    let slugs = slug::resolve_batch(skills.iter().map(|skill| skill.name.as_str()));
    let plan_one = |(skill, slug): (&Skill, String)| {
        let frontmatter::Notes { hidden, mended } = frontmatter::notes(&skill.content);
        Ok(PlannedSkill {
            name: skill.name.clone(),
            hidden,
            mended,
            description: skill.description.clone(),
            content: skill.content.clone(),
            files: supporting_files(skill)?,
            slug,
        })
    };
    skills.iter().zip(slugs).map(plan_one).collect()
}

/// The files beside `SKILL.md`. Another `SKILL.md` is left out: the skill's own text wins.
fn supporting_files(skill: &Skill) -> Result<Vec<PlannedFile>> {
    let mut files = Vec::new();
    // Folded names, because two that differ only in case are one file on some systems.
    let mut seen = HashMap::from([(SKILL_FILE.to_lowercase(), SKILL_FILE)]);
    for file in skill.files.iter().filter(|file| !is_reserved(&file.path)) {
        let path = check_path(&skill.name, &file.path)?;
        if let Some(other) = seen.insert(folded(&path), &file.path) {
            return Err(clash(skill, other, &file.path, "would be the same file").into());
        }
        files.push(PlannedFile { path, bytes: file.content.clone(), mode: file.mode });
    }
    for PlannedFile { path, .. } in &files {
        let folded = folded(path);
        let folders = folded.match_indices('/').map(|(end, _)| &folded[..end]);
        if let Some(parent) = folders.filter_map(|folder| seen.get(folder)).next() {
            return Err(clash(skill, parent, seen[&folded], "need one name as file and as folder").into());
        }
    }
    Ok(files)
}

fn folded(path: &std::path::Path) -> String {
    path.to_string_lossy().to_lowercase()
}

fn clash(skill: &Skill, first: &str, second: &str, why: &str) -> Failure {
    Failure::new(
        Code::BadDocument,
        format!(
            "skill `{}`: the files `{}` and `{}` {why}",
            skill.name.escape_debug(),
            first.escape_debug(),
            second.escape_debug()
        ),
    )
}

/// Whether a supporting path is `SKILL.md` itself, however it is spelled.
pub fn is_reserved(path: &str) -> bool {
    matches!(resolve(path).as_deref(), Ok([only]) if only.eq_ignore_ascii_case(SKILL_FILE))
}

/// Checks the path of a supporting file and returns it without detours, relative to the skill's folder.
///
/// # Errors
/// A [`Code::BadDocument`] failure that names the skill, the path and what is wrong with it.
pub fn check_path(skill: &str, path: &str) -> Result<PathBuf, Failure> {
    resolve(path).map(|names| names.iter().collect()).map_err(|wrong| {
        let shown: String = path.chars().take(80).collect();
        Failure::new(
            Code::BadDocument,
            format!("skill `{}`: the file path `{}` {wrong}", skill.escape_debug(), shown.escape_debug()),
        )
        .hint("a path is relative to the skill's folder and stays inside it")
    })
}

/// The names of a path, `.` and `..` worked off; or what is wrong with it.
fn resolve(path: &str) -> Result<Vec<&str>, &'static str> {
    let bytes = path.as_bytes();
    if path.is_empty() {
        return Err("is empty");
    } else if path.len() > MAX_PATH {
        return Err("is too long");
    } else if path.contains('\0') {
        return Err("contains a NUL");
    } else if path.starts_with(['/', '\\']) {
        return Err("is absolute");
    } else if bytes.len() > 1 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' {
        return Err("starts with a drive letter");
    }
    let mut names = Vec::new();
    for name in path.split(['/', '\\']) {
        match name {
            "" | "." => {}
            ".." if names.pop().is_none() => return Err("leads out of the skill's folder"),
            ".." => {}
            _ if name.len() > MAX_NAME => return Err("has a name that is too long"),
            _ => names.push(name),
        }
    }
    if names.is_empty() { Err("is the skill's folder itself") } else { Ok(names) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::SkillFile;
    use std::path::Path;

    fn skill(files: &[(&str, &str)]) -> Skill {
        let file = |(path, content): &(&str, &str)| SkillFile {
            path: (*path).into(),
            content: (*content).into(),
            ..SkillFile::default()
        };
        Skill {
            name: "Go Review".into(),
            description: "d".into(),
            content: "body\n".into(),
            files: files.iter().map(file).collect(),
        }
    }

    #[test]
    fn another_skill_md_is_reserved_however_it_is_spelled() {
        for path in ["SKILL.md", "skill.md", "SKILL.MD", "./SKILL.md", "foo/../SKILL.md", ".\\Skill.md"] {
            assert!(is_reserved(path), "{path}");
        }
        for path in ["README.md", "docs/SKILL.md", "skills/SKILL.md", "SKILL.md.bak", "", "/SKILL.md"] {
            assert!(!is_reserved(path), "{path}");
        }
    }

    #[test]
    fn a_path_stays_inside_the_folder() {
        for (path, expected) in [
            ("a", "a"),
            ("./docs//a.md", "docs/a.md"),
            ("a/../b", "b"),
            ("docs\\a.md", "docs/a.md"),
            ("...", "..."),
            ("..a", "..a"),
        ] {
            assert_eq!(check_path("s", path).unwrap(), Path::new(expected), "{path}");
        }
        let long = "x".repeat(256);
        let longer = "a/".repeat(3000);
        for path in [
            "",
            ".",
            "./",
            "a/..",
            "..",
            "../x",
            "a/../../x",
            "..\\x",
            "a\\..\\..\\x",
            "/abs",
            "//host/share",
            "\\abs",
            "\\\\host\\share",
            "C:\\x",
            "c:x",
            "C:/x",
            "a\0b",
            &long,
            &longer,
        ] {
            let failure = check_path("my skill", path).unwrap_err();
            assert_eq!(failure.code, Code::BadDocument, "{path:?}");
            assert!(failure.message.starts_with("skill `my skill`: the file path `"), "{}", failure.message);
        }
    }

    #[test]
    fn a_plan_skips_reserved_files_and_keeps_the_order() {
        let files = [("SKILL.md", "x"), ("z.md", "z"), ("./SKILL.md", "y"), ("docs/a.md", "a")];
        let plan = plan(&[skill(&files), skill(&[])]).unwrap();
        assert_eq!((plan[0].slug.as_str(), plan[1].slug.as_str()), ("go-review", "go-review-multica"));
        let written = plan[0].files_for("go-review-multica-2");
        let paths: Vec<_> = written.iter().map(|file| file.path.to_str().unwrap()).collect();
        assert_eq!(paths, ["SKILL.md", "z.md", "docs/a.md"]);
        assert_eq!(written[0].bytes, b"---\nname: go-review-multica-2\ndescription: \"d\"\n---\n\nbody\n");
    }

    #[test]
    fn files_that_cannot_both_be_written_are_refused_by_name() {
        for (first, second) in [
            ("a.md", "a.md"),
            ("a.md", "./x/../a.md"),
            ("a.md", "A.MD"),
            ("Ä", "ä"),
            ("a", "a/b"),
            ("a/b/c", "A"),
            ("SKILL.md", "skill.md/x"),
        ] {
            let error = plan(&[skill(&[(first, ""), (second, "")])]).unwrap_err();
            let message = error.to_string();
            assert_eq!(Failure::code_of(&error), Code::BadDocument);
            assert!(message.contains(&format!("`{first}`")), "{message}");
            assert!(message.contains(&format!("`{second}`")), "{message}");
            assert!(message.contains("`Go Review`"), "{message}");
        }
        assert!(plan(&[skill(&[("a", ""), ("ab", ""), ("a.d/x", ""), ("a.d/y", "")])]).is_ok());
    }

    #[test]
    fn one_bad_path_stops_the_plan() {
        assert!(plan(&[skill(&[("ok", ""), ("../x", "")])]).is_err());
    }
}
