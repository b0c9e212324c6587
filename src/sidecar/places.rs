//! The places of a work dir at which any provider's plan puts something. Where only the user's word speaks for a record,
//! nothing else is touched: an agent may have written the record.

use std::path::{Component, Path};

/// The places, relative to a work dir.
#[derive(Clone, Debug)]
pub struct Places {
    /// Files that get execenv's marked block.
    pub briefs: Vec<&'static str>,
    /// Folders that hold a folder for each skill.
    pub skills: Vec<&'static str>,
    /// All other files.
    pub files: Vec<&'static str>,
}

impl Places {
    /// Whether a plan may put a file there.
    pub fn has_file(&self, path: &Path) -> bool {
        is_plain(path)
            && (self.files.iter().any(|file| path == Path::new(file))
                || self.skill_of(path).is_some_and(|below| below.components().count() >= 2))
    }

    /// Whether a plan may make a folder there.
    pub fn has_dir(&self, path: &Path) -> bool {
        let above = |place: &&str| Path::new(place).starts_with(path) && Path::new(place) != path;
        is_plain(path)
            && !path.as_os_str().is_empty()
            && (self.files.iter().chain(&self.briefs).any(above)
                || self.skills.iter().any(|folder| Path::new(folder).starts_with(path))
                || self.skill_of(path).is_some())
    }

    /// Whether a plan may put the block into this file.
    pub fn has_brief(&self, path: &Path) -> bool {
        self.briefs.iter().any(|brief| path == Path::new(brief))
    }

    /// The work dir that a file belongs to, if it is at one of the places of that.
    pub fn work_dir_of<'p>(&self, file: &'p Path) -> Option<&'p Path> {
        let is_it = |above: &&Path| file.strip_prefix(above).is_ok_and(|relative| self.has_file(relative));
        // `skills` is a place in the work dir itself, and ends the paths of others.
        file.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev().find(is_it)
    }

    /// The path below a skills folder; `None`: it is in none.
    fn skill_of<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        let below = self.skills.iter().filter_map(|folder| path.strip_prefix(folder).ok());
        below.filter(|below| !below.as_os_str().is_empty()).min_by_key(|below| below.components().count())
    }
}

fn is_plain(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places {
            briefs: vec!["CLAUDE.md", ".mycli/RULES.md"],
            skills: vec![".claude/skills", ".agent_context/skills", "skills"],
            files: vec![".agent_context/issue_context.md", ".cursor/mcp.json", "reasonix.toml"],
        }
    }

    #[test]
    fn only_what_a_plan_makes_is_a_place() {
        let places = places();
        for (path, file, dir) in [
            (".agent_context/issue_context.md", true, false),
            (".agent_context", false, true),
            (".agent_context/other.md", false, false),
            (".claude", false, true),
            (".claude/skills", false, true),
            (".claude/skills/s", false, true),
            (".claude/skills/s/SKILL.md", true, true),
            (".claude/settings.json", false, false),
            ("reasonix.toml", true, false),
            ("src/main.rs", false, false),
            ("src", false, false),
            ("CLAUDE.md", false, false),
            (".mycli", false, true),
            ("", false, false),
            ("/", false, false),
            (".claude/skills/../../src/main.rs", false, false),
        ] {
            assert_eq!(
                (places.has_file(Path::new(path)), places.has_dir(Path::new(path))),
                (file, dir),
                "{path}"
            );
        }
        assert!(places.has_brief(Path::new("CLAUDE.md")) && !places.has_brief(Path::new("a/CLAUDE.md")));
    }

    #[test]
    fn the_work_dir_is_the_folder_above_the_place() {
        for (file, work_dir) in [
            ("/p/q/.agent_context/issue_context.md", Some("/p/q")),
            ("/p/q/.claude/skills/s/SKILL.md", Some("/p/q")),
            ("/p/reasonix.toml", Some("/p")),
            ("/p/q/src/main.rs", None),
        ] {
            assert_eq!(places().work_dir_of(Path::new(file)), work_dir.map(Path::new), "{file}");
        }
    }
}
