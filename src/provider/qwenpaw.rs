//! QwenPaw: a workspace of the task with exactly its skills and their manifest.
//!
//! QwenPaw has no variable for it: whoever starts it passes `--workspace "$EXECENV_QWENPAW_WORKSPACE"`, after `acp` and
//! after the user's arguments.

use std::path::Path;

use anyhow::Result;
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

use super::overlay;
use super::plan::{Home, HomeContent, HomeEntry, HomePlan, HomeRequest};
use crate::layout::names;

/// The workspace's name in the env root.
pub const HOME: &str = names::QWENPAW_HOME;
/// The variable that names the workspace to whoever starts QwenPaw.
pub(super) const WORKSPACE_VARIABLE: &str = "EXECENV_QWENPAW_WORKSPACE";
const MANIFEST: &str = "skill.json";

/// Plans the workspace.
///
/// # Errors
/// Never in practice: the manifest always encodes as JSON.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let mut plan = HomePlan::default();
    let mut entries = Vec::new();
    let mut dropped = Vec::new();
    if request.skills.is_empty() {
        dropped.extend(["skills".into(), MANIFEST.into()]);
    } else {
        entries.push(("skills".into(), HomeEntry::Dir { mode: 0o700 }));
        let now = request.now.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut listed = Map::new();
        for skill in request.skills {
            overlay::folder_of_skill(&mut entries, Path::new("skills"), skill, &skill.slug);
            listed.insert(skill.slug.clone(), row(&skill.slug, &now));
        }
        let manifest =
            json!({ "schema_version": "workspace-skill-manifest.v1", "version": 0, "skills": listed });
        entries.push((
            MANIFEST.into(),
            HomeEntry::File { bytes: serde_json::to_vec_pretty(&manifest)?, mode: 0o644 },
        ));
    }
    plan.homes.push(Home { name: HOME, content: HomeContent::Folder { mode: 0o700, entries, dropped } });
    plan.exports.insert(WORKSPACE_VARIABLE.into(), request.env_root.join(HOME).display().to_string());
    Ok(plan)
}

fn row(slug: &str, now: &str) -> Value {
    json!({
        "enabled": true,
        "channels": ["all"],
        "source": "customized",
        "metadata": {
            "name": slug, "description": "", "source": "customized", "protected": false, "updated_at": now,
        },
        "updated_at": now,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fixture::{World, file_text};
    use crate::task::{Skill, SkillFile};

    fn skill(name: &str) -> Skill {
        let file = SkillFile { path: "docs/a.md".into(), content: "x".into(), ..SkillFile::default() };
        Skill { name: name.into(), content: "body\n".into(), files: vec![file], ..Skill::default() }
    }

    #[test]
    fn manifest_and_files_are_exactly_the_tasks_skills() {
        let planned = World::new().skills(&[skill("A B"), skill("a-b")]).plan(plan).unwrap();
        let manifest: Value = serde_json::from_str(&file_text(&planned, HOME, MANIFEST, 0o644)).unwrap();
        assert_eq!(
            manifest["skills"].as_object().unwrap().keys().collect::<Vec<_>>(),
            ["a-b", "a-b-multica"]
        );
        assert_eq!(manifest["skills"]["a-b"]["updated_at"], "2023-11-14T22:13:20Z");
        for slug in ["a-b", "a-b-multica"] {
            assert!(file_text(&planned, HOME, &format!("skills/{slug}/SKILL.md"), 0o644).contains(slug));
            assert_eq!(file_text(&planned, HOME, &format!("skills/{slug}/docs/a.md"), 0o644), "x");
        }
        let HomeContent::Folder { mode, entries, .. } = &planned.homes[0].content else { panic!() };
        assert_eq!((*mode, entries.len()), (0o700, 2 + 2 * 4));
    }

    #[test]
    fn without_skills_both_go() {
        let planned = World::new().plan(plan).unwrap();
        let content = HomeContent::Folder {
            mode: 0o700,
            entries: vec![],
            dropped: vec!["skills".into(), MANIFEST.into()],
        };
        assert_eq!(planned.homes, [Home { name: HOME, content }]);
    }
}
