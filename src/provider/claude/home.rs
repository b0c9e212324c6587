//! Claude Code's settings file for `--settings`: it disables the user's skills that the task switches off.
//!
//! Managed MCP servers need nothing here: `run` passes them in a file of its own, with `--strict-mcp-config` unless the
//! agent is to see the user's own as well.

use std::path::{Component, Path};

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::layout::names;
use crate::provider::plan::{Home, HomeContent, HomePlan, HomeRequest};
use crate::skills::slug;
use crate::task::DisabledSkill;

/// The settings file's name in the env root; `run` passes it where it exists.
pub const SETTINGS: &str = names::CLAUDE_SETTINGS;

/// The variable that switches its memory off (2.1.332).
pub(crate) const MEMORY_VARIABLE: &str = "CLAUDE_CODE_DISABLE_AUTO_MEMORY";

/// Plans the settings file, and a user folder without the memory.
///
/// # Errors
/// Never in practice: settings always encode as JSON.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let mut plan = HomePlan::default();
    let slugs: Vec<&str> = request.skills.iter().map(|skill| skill.slug.as_str()).collect();
    let content = match settings(&request.task.agent.disabled_runtime_skills, &slugs) {
        None => HomeContent::Nothing,
        Some(settings) => HomeContent::File { bytes: serde_json::to_vec_pretty(&settings)?, mode: 0o600 },
    };
    plan.homes.push(Home { name: SETTINGS, content });
    // Its notes lie beside the conversations of the folder: those of a work dir in the env root are the task's own.
    if request.is_local && !request.options.keeps_memory && request.variable(MEMORY_VARIABLE).is_none() {
        plan.exports.insert(MEMORY_VARIABLE.into(), "1".into());
    }
    Ok(plan)
}

/// The settings; `None` where no skill is switched off. A skill of the task with the same name stays on.
fn settings(disabled: &[DisabledSkill], slugs: &[&str]) -> Option<Value> {
    let mut overrides = Map::new();
    let mut deny: Vec<String> = Vec::new();
    for skill in disabled {
        let Some(name) = invocation_name(skill) else { continue };
        let claimed = slug::resolve_batch([name.as_str()]).iter().any(|slug| slugs.contains(&slug.as_str()));
        if claimed && skill.plugin.is_empty() {
            continue;
        }
        if skill.plugin.is_empty() {
            overrides.insert(name.clone(), json!("off"));
        }
        for rule in [format!("Skill({name})"), format!("Skill({name} *)")] {
            if !deny.contains(&rule) {
                deny.push(rule);
            }
        }
    }
    if deny.is_empty() {
        return None;
    }
    let mut settings = Map::new();
    if !overrides.is_empty() {
        settings.insert("skillOverrides".into(), overrides.into());
    }
    settings.insert("permissions".into(), json!({ "deny": deny }));
    Some(settings.into())
}

/// The name by which Claude Code calls the skill: the whole key for a plugin's, else its name, else the key's last part.
/// `None` for a key that is absolute or leads out of the skills folder.
fn invocation_name(skill: &DisabledSkill) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in Path::new(skill.key.trim()).components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?),
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            _ => return None,
        }
    }
    let last = parts.last()?;
    Some(match skill.name.trim() {
        _ if !skill.plugin.is_empty() => parts.join("/"),
        "" => (*last).to_owned(),
        name => name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fixture::{World, file_text};

    fn off(key: &str, name: &str, plugin: bool) -> DisabledSkill {
        DisabledSkill {
            root: "provider".into(),
            key: key.into(),
            name: name.into(),
            plugin: if plugin { "p".into() } else { String::new() },
        }
    }

    #[test]
    fn each_skill_is_off_and_denied() {
        for (skills, expected) in [
            (vec![], None),
            (
                vec![off("a/review", "", false)],
                Some(
                    json!({"skillOverrides":{"review":"off"},"permissions":{"deny":["Skill(review)","Skill(review *)"]}}),
                ),
            ),
            (
                vec![off("x", "Given", false), off("y", "Given", false)],
                Some(
                    json!({"skillOverrides":{"Given":"off"},"permissions":{"deny":["Skill(Given)","Skill(Given *)"]}}),
                ),
            ),
            (
                vec![off("tools:review", "review", true)],
                Some(json!({"permissions":{"deny":["Skill(tools:review)","Skill(tools:review *)"]}})),
            ),
            (vec![off("mine", "", false)], None),
            (vec![off("x", "Mine", false)], None),
            (
                vec![
                    off("/etc/x", "x", false),
                    off("../x", "x", false),
                    off(".", "x", false),
                    off("", "x", false),
                ],
                None,
            ),
        ] {
            assert_eq!(settings(&skills, &["mine"]), expected, "{skills:?}");
        }
    }

    #[test]
    fn a_user_folder_has_no_memory_unless_that_is_asked_for() {
        let exports = |world: World| world.plan(plan).unwrap().exports;
        let local = || {
            let mut world = World::new();
            world.is_local = true;
            world
        };
        assert!(exports(World::new()).is_empty(), "the notes lie beside the env root's own conversations");
        assert_eq!(exports(local())[MEMORY_VARIABLE], "1");
        assert!(exports(local().variable(MEMORY_VARIABLE, "0")).is_empty());
        let mut keeping = local();
        keeping.options.keeps_memory = true;
        assert!(exports(keeping).is_empty());
    }

    #[test]
    fn the_file_is_private_and_goes_when_it_is_empty() {
        let mut world = World::new();
        assert_eq!(world.plan(plan).unwrap().homes[0].content, HomeContent::Nothing);
        world.task.agent.disabled_runtime_skills = vec![off("a", "", false)];
        let planned = world.plan(plan).unwrap();
        assert!(file_text(&planned, SETTINGS, "", 0o600).contains("\"a\": \"off\""));
    }
}
