//! A user's home and an environment in a temporary folder, for the tests of the providers' plans.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::home::{HomeOptions, HomePlan, HomeRequest, Mcp, McpMode, Os};
use crate::skills::files::{self, PlannedSkill};
use crate::sys::tree::Tree;
use crate::task::{Skill, TaskDocument};

/// Everything that a plan may look at. `[T]` in a value is the temporary folder.
pub(super) struct Scene {
    folder: tempfile::TempDir,
    pub(super) task: TaskDocument,
    pub(super) os: Os,
    inherited: Vec<(OsString, OsString)>,
    skills: Vec<PlannedSkill>,
    mcp: Mcp,
    options: HomeOptions,
}

impl Scene {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for dir in ["home", "root/e/workdir"] {
            std::fs::DirBuilder::new().recursive(true).create(folder.path().join(dir)).unwrap();
        }
        Self {
            folder,
            task: TaskDocument::default(),
            os: Os::Linux,
            inherited: Vec::new(),
            skills: Vec::new(),
            mcp: Mcp::Unmanaged,
            options: HomeOptions::default(),
        }
    }

    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    fn expanded(&self, text: &str) -> String {
        text.replace("[T]", self.folder.path().to_str().unwrap())
    }

    pub(super) fn file(self, relative: &str, text: &str) -> Self {
        self.add(relative, text);
        self
    }

    pub(super) fn add(&self, relative: &str, text: &str) {
        put(&self.path(relative), &self.expanded(text));
    }

    pub(super) fn dir(self, relative: &str) -> Self {
        std::fs::DirBuilder::new().recursive(true).create(self.path(relative)).unwrap();
        self
    }

    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        let value = self.expanded(value);
        self.inherited.push((name.into(), value.into()));
        self
    }

    pub(super) fn custom(mut self, name: &str, value: &str) -> Self {
        let value = self.expanded(value);
        self.task.agent.custom_env.insert(name.into(), value);
        self
    }

    pub(super) fn skill(mut self, name: &str) -> Self {
        let skill = Skill { name: name.into(), content: "body\n".into(), ..Skill::default() };
        self.skills.extend(files::plan(&[skill]).unwrap());
        self
    }

    pub(super) fn skills(mut self, skills: &[Skill]) -> Self {
        self.skills = files::plan(skills).unwrap();
        self
    }

    pub(super) fn mcp(mut self, servers: &str) -> Self {
        self.mcp = Mcp::Managed(serde_json::from_str(servers).unwrap());
        self
    }

    pub(super) fn merge(mut self) -> Self {
        self.options.mcp_mode = McpMode::Merge;
        self
    }

    pub(super) fn plan(&self, plan: impl Fn(&HomeRequest<'_>) -> Result<HomePlan>) -> Result<HomePlan> {
        let (env_root, home) = (self.path("root/e"), self.path("home"));
        let present = Tree::open(&env_root).unwrap();
        plan(&HomeRequest {
            task: &self.task,
            workspace_id: "w",
            env_root: &env_root,
            work_dir: &env_root.join("workdir"),
            is_local: false,
            stores: &self.path("root/.stores"),
            user_home: Some(&home),
            inherited: &self.inherited,
            skills: &self.skills,
            mcp: &self.mcp,
            options: &self.options,
            present: Some(&present),
            os: self.os,
            now: chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        })
    }
}

/// A file of the user's, which is there before execenv comes.
#[expect(clippy::disallowed_methods, reason = "it is not execenv that writes it")]
pub(super) fn put(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// The text of a planned file, whose mode must be `mode`.
pub(super) fn file_text(plan: &HomePlan, home: &str, path: &str, mode: u32) -> String {
    use super::home::{Entry, HomeContent};
    let found = plan.homes.iter().find(|planned| planned.name == home).expect("the home is planned");
    match &found.content {
        HomeContent::File { bytes, mode: is } if path.is_empty() => {
            assert_eq!(*is, mode, "{home}");
            String::from_utf8(bytes.clone()).unwrap()
        }
        HomeContent::Folder { entries, .. } => match entries.iter().find(|(at, _)| at == Path::new(path)) {
            Some((_, Entry::File { bytes, mode: is })) => {
                assert_eq!(*is, mode, "{path}");
                String::from_utf8(bytes.clone()).unwrap()
            }
            other => panic!("{path}: {other:?}"),
        },
        other => panic!("{home}: {other:?}"),
    }
}

/// Where the planned links of a home lead, by name.
pub(super) fn links(plan: &HomePlan, home: &str) -> Vec<(PathBuf, PathBuf)> {
    use super::home::{Entry, HomeContent};
    let found = plan.homes.iter().find(|planned| planned.name == home).expect("the home is planned");
    let HomeContent::Folder { entries, .. } = &found.content else { panic!("{home} is no folder") };
    let link = |(path, entry): &(PathBuf, Entry)| match entry {
        Entry::Link { target } => Some((path.clone(), target.clone())),
        _ => None,
    };
    entries.iter().filter_map(link).collect()
}
