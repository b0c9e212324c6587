//! The sidecars of a task's work dir: chosen by the task document, planned against what the work dir contains.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::places::{CONTEXT, RESOURCES, TASK_MARKER};
use super::request::{Request, Sidecars, platform_plan};
use crate::brief::{self, BriefOptions, Platform};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::provider::homes;
use crate::provider::plan::{HomePlan, HomeRequest, HomeSidecar, IfTaken, LookedFor, Mcp, Os};
use crate::provider::{self, Provider};
use crate::sidecar::{Planner, SidecarPlan};
use crate::skills::files::{self, PlannedFile, PlannedSkill};
use crate::skills::slug;
use crate::sys::tree::{FileKind, Tree};
use crate::task::TaskDocument;

/// A task's sidecars, before the work dir is examined.
#[derive(Debug)]
pub struct Contents<'a> {
    task: &'a TaskDocument,
    provider: Option<&'static Provider>,
    platform: &'a Platform,
    skills: Vec<PlannedSkill>,
    mcp: Mcp,
    sidecars: Sidecars,
}

impl<'a> Contents<'a> {
    /// Checks the document's skills and servers without reading the disk.
    ///
    /// # Errors
    /// A [`Code::BadDocument`] failure for a skill file outside its folder, or servers that are not an object.
    pub fn new(
        task: &'a TaskDocument,
        provider: Option<&'static Provider>,
        platform: &'a Platform,
        sidecars: Sidecars,
    ) -> Result<Self> {
        let skills = files::plan(&task.agent.skills)?;
        let mcp = Mcp::parse(task.agent.mcp_config.as_ref())?;
        Ok(Self { task, provider, platform, skills, mcp, sidecars })
    }

    /// The homes that the provider needs for an environment at `env_root`, whose agent runs in `work_dir`; `is_local`: that is
    /// a user folder; `present` is the existing environment.
    ///
    /// # Errors
    /// Those of the provider's module; nothing is changed.
    pub fn home_plan(
        &self,
        request: &Request<'_>,
        env_root: &Path,
        work_dir: &Path,
        is_local: bool,
        present: Option<&Tree>,
        git_folders: &dyn Fn() -> Vec<PathBuf>,
    ) -> Result<HomePlan> {
        let (given, config) = platform_plan(request, env_root);
        let mut plan = homes::plan(&HomeRequest {
            task: self.task,
            given: &given,
            workspace_id: request.workspace_id.as_str(),
            env_root,
            work_dir,
            is_local,
            stores: &request.root.path().join(names::STORES),
            user_home: request.home.as_deref(),
            inherited: request.inherited,
            skills: &self.skills,
            mcp: &self.mcp,
            options: request.options,
            present,
            git_folders: LookedFor(git_folders),
            os: Os::PRESENT,
            now: request.now,
        })?;
        plan.warnings.extend(self.mended_skills());
        plan.homes.extend(config);
        plan.exports.extend(given);
        Ok(plan)
    }

    /// Names the skills whose frontmatter is no YAML: some CLI would have read them otherwise.
    fn mended_skills(&self) -> Option<String> {
        let shown = |skill: &PlannedSkill| {
            let keys = skill.mended.as_ref()?;
            let mut named: Vec<_> = keys.iter().take(5).map(|key| format!("`{key}`")).collect();
            named.extend((keys.len() > 5).then(|| format!("and {} more", keys.len() - 5)));
            Some(format!("{}/SKILL.md ({})", skill.slug, named.join(", ")))
        };
        let all: Vec<_> = self.skills.iter().filter_map(shown).collect();
        (!all.is_empty()).then(|| {
            format!(
                "the frontmatter of these skills is not valid YAML; execenv wrote it with quotes, so that every agent CLI \
                 reads it alike: {}",
                all.join(", ")
            )
        })
    }

    /// Plans all sidecars for the folder `below` of a work dir; `home_plan` has the provider's own ones.
    ///
    /// # Errors
    /// If a path that execenv needs is taken, or a link leads out of the work dir.
    pub fn plan(&self, work_tree: &Tree, below: &Path, home_plan: &HomePlan) -> Result<SidecarPlan> {
        let mut planner = Planner::new(work_tree, below);
        if self.sidecars == Sidecars::None {
            return Ok(planner.finish());
        }
        if self.platform.cli().is_some() {
            self.task_marker(&mut planner, work_tree)?;
        }
        planner.dir(Path::new(".agent_context"))?;
        let text = brief::issue_context(self.task, self.platform);
        plan_unless_taken(&mut planner, CONTEXT, text.into_bytes())?;
        let visible = self.skills(&mut planner, home_plan)?;
        if let Some(json) = brief::resources_json(self.task) {
            plan_unless_taken(&mut planner, RESOURCES, json.into_bytes())?;
        }
        for sidecar in &home_plan.sidecars {
            plan_sidecar(&mut planner, sidecar)?;
        }
        if self.sidecars == Sidecars::All
            && let Some(file) = self.provider.and_then(|provider| provider.brief_file)
        {
            let options = BriefOptions { platform: self.platform, skills: &visible, os: brief::HostOs::Unix };
            planner.brief(Path::new(file), &brief::render(self.task, &options))?;
        }
        Ok(planner.finish())
    }

    /// Plans the skills in the work dir. Returns the skills that the brief lists.
    fn skills(&self, planner: &mut Planner<'_>, home_plan: &HomePlan) -> Result<Vec<String>> {
        let mut visible = Vec::new();
        let folder = match self.provider {
            Some(provider) => provider.skills_dir,
            None => Some(provider::GENERIC_SKILLS_DIR),
        };
        let Some(folder) = folder.map(PathBuf::from) else {
            // In a home they keep their own names.
            let listed = self.skills.iter().filter(|skill| !skill.hidden && !home_plan.homes.is_empty());
            return Ok(listed.map(|skill| skill.slug.clone()).collect());
        };
        for skill in &self.skills {
            let mut allocated = None;
            for name in slug::candidates(&skill.slug) {
                if !planner.is_taken(&folder.join(&name))? {
                    allocated = Some(name);
                    break;
                }
            }
            let Some(name) = allocated else {
                return Err(Failure::new(
                    Code::Occupied,
                    format!("every name for the skill `{}` is taken in {}", skill.slug, folder.display()),
                )
                .hint("remove old copies of the skill")
                .into());
            };
            let place = folder.join(&name);
            planner.dir(&place)?;
            for PlannedFile { path, bytes, mode } in skill.files_for(&name) {
                planner
                    .file(&place.join(path), bytes, mode)
                    .with_context(|| format!("skill `{}`", skill.slug))?;
            }
            if !skill.hidden {
                visible.push(name);
            }
        }
        Ok(visible)
    }

    /// multica's marker that a process is inside a task. A file of another program at its path is refused, one that
    /// multica left is kept.
    fn task_marker(&self, planner: &mut Planner<'_>, work_tree: &Tree) -> Result<()> {
        let path = Path::new(TASK_MARKER);
        planner.dir(Path::new(".multica"))?;
        if planner.is_taken(path)? {
            let place = &planner.place(path);
            let parsed = match work_tree.kind(place) {
                Ok(Some(FileKind::File { .. })) => work_tree.read(place, 1 << 20).ok().flatten(),
                _ => None,
            };
            let managed = parsed
                .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
                .is_some_and(|value| value["managed_by"] == "multica-daemon-task");
            if managed {
                return Ok(());
            }
            return Err(Failure::new(
                Code::Occupied,
                format!("{} was created by another program", work_tree.path().join(place).display()),
            )
            .hint("remove the file, or prepare with `--platform-cli none`")
            .into());
        }
        let mut marker = Map::new();
        marker.insert("managed_by".into(), "multica-daemon-task".into());
        for (key, value) in [
            ("agent_id", self.task.agent_id()),
            ("issue_id", &self.task.issue_id),
            ("chat_session_id", &self.task.chat_session_id),
        ] {
            if !value.is_empty() {
                marker.insert(key.into(), value.into());
            }
        }
        let text = serde_json::to_vec_pretty(&marker).context("encode the task marker")?;
        planner.file(path, text, 0o644)
    }
}

fn plan_sidecar(planner: &mut Planner<'_>, sidecar: &HomeSidecar) -> Result<()> {
    if sidecar.if_taken != IfTaken::Refuse && planner.is_taken(&sidecar.path)? {
        if let IfTaken::Leave(text) = &sidecar.if_taken {
            planner.warn(text.clone());
        }
        return Ok(());
    }
    planner.file(&sidecar.path, sidecar.bytes.clone(), sidecar.mode)
}

fn plan_unless_taken(planner: &mut Planner<'_>, path: &str, bytes: Vec<u8>) -> Result<()> {
    let path = Path::new(path);
    if let Some(parent) = path.parent() {
        planner.dir(parent)?;
    }
    if planner.is_taken(path)? {
        planner.warn(format!("{} already exists and stays as it is", path.display()));
        return Ok(());
    }
    planner.file(path, bytes, 0o644)
}

/// The platform whose CLI the brief and the context file tell the agent to use (decision D22).
///
/// # Errors
/// A [`Code::Usage`] failure if the name cannot be a program's name.
pub(crate) fn choose_platform(task: &TaskDocument, asked: Option<&str>) -> Result<Platform> {
    match asked {
        None => Ok(Platform::for_task(task)),
        Some(name) => Platform::named(name).ok_or_else(|| {
            let message = format!("`{}` cannot be the name of a platform's program", name.escape_debug());
            Failure::new(Code::Usage, message)
                .hint("`--platform-cli NAME` takes a program's name, or `none`")
                .into()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sidecar::Step;
    use crate::task::parse_document;

    /// The brief and the context file as one provider's agent finds them.
    fn texts(task: &TaskDocument, provider: &'static Provider) -> (Option<String>, String) {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::open(folder.path()).unwrap();
        let platform = Platform::for_task(task);
        let contents = Contents::new(task, Some(provider), &platform, Sidecars::All).unwrap();
        let plan = contents.plan(&tree, Path::new(""), &HomePlan::default()).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_owned()).unwrap();
        let brief = plan.steps.iter().find_map(|step| match step {
            Step::Brief { path, bytes, .. } => Some((path, text(bytes))),
            _ => None,
        });
        let context = plan.steps.iter().find_map(|step| match step {
            Step::File { path, bytes, .. } if path == Path::new(CONTEXT) => Some(text(bytes)),
            _ => None,
        });
        assert_eq!(brief.as_ref().map(|(path, _)| path.to_str().unwrap()), provider.brief_file);
        (brief.map(|(_, text)| text), context.unwrap())
    }

    /// So that what the texts say, fact by fact, holds for each of them.
    #[test]
    fn every_provider_gets_the_same_texts_for_each_kind_of_task() {
        for own in [
            r#""issue_id":"i","trigger_comment_id":"c","trigger_comment_content":"x","is_squad_leader":true"#,
            r#""chat_session_id":"s","chat_message":"hello","chat_channel_type":"slack""#,
            r#""quick_create_prompt":"fix it""#,
            r#""autopilot_run_id":"run-1""#,
            r#""workspace_context":"We ship on Fridays.""#,
        ] {
            let document = format!(r#"{{"id":"t","agent":{{"id":"a","name":"Ada"}},{own}}}"#);
            let task = parse_document(document.as_bytes(), "test").unwrap().0;
            let expected = texts(&task, provider::find("claude").unwrap());
            assert!(expected.0.as_ref().is_some_and(|brief| brief.contains("Ada")), "{expected:?}");
            for provider in provider::all() {
                let (brief, context) = texts(&task, provider);
                assert!(brief.is_none() || brief == expected.0, "{}: {brief:?}", provider.name);
                assert_eq!(context, expected.1, "{}", provider.name);
            }
        }
    }
}
