//! What the tests of the providers' plans stand on: a user's home, an environment and everything else that a plan may
//! look at, in a temporary folder. Nothing of the developer's.
#![expect(clippy::disallowed_methods, reason = "tests make their own fixtures")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::plan::{
    Home, HomeContent, HomeEntry, HomeOptions, HomePlan, HomeRequest, LookedFor, Mcp, McpMode, Os,
};
use crate::skills::files::{self, PlannedSkill};
use crate::sys::tree::Tree;
use crate::task::{Skill, TaskDocument};

/// One test's world. `[T]` in a text or value is its folder.
pub(super) struct World {
    pub(super) tmp: PathBuf,
    pub(super) home: PathBuf,
    pub(super) env_root: PathBuf,
    pub(super) work_dir: PathBuf,
    pub(super) stores: PathBuf,
    pub(super) is_local: bool,
    pub(super) task: TaskDocument,
    pub(super) os: Os,
    pub(super) inherited: Vec<(OsString, OsString)>,
    pub(super) given: BTreeMap<String, String>,
    pub(super) skills: Vec<PlannedSkill>,
    pub(super) mcp: Mcp,
    pub(super) options: HomeOptions,
    pub(super) now: DateTime<Utc>,
    _guard: tempfile::TempDir,
}

impl World {
    /// A user without anything, and an empty environment.
    pub(super) fn new() -> World {
        let guard = tempfile::tempdir().unwrap();
        let tmp = guard.path().canonicalize().unwrap();
        let env_root = tmp.join("root/e");
        make_dirs(&tmp.join("home"));
        make_dirs(&env_root.join("workdir"));
        World {
            home: tmp.join("home"),
            work_dir: env_root.join("workdir"),
            stores: tmp.join("root/.stores"),
            env_root,
            tmp,
            is_local: false,
            task: TaskDocument::default(),
            os: Os::Linux,
            inherited: vec![("PATH".into(), "/usr/bin:/bin".into())],
            skills: Vec::new(),
            mcp: Mcp::Unmanaged,
            options: HomeOptions::default(),
            given: BTreeMap::new(),
            now: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
            _guard: guard,
        }
    }

    /// A request of a first prepare.
    pub(super) fn request(&self) -> HomeRequest<'_> {
        HomeRequest {
            task: &self.task,
            workspace_id: "w",
            env_root: &self.env_root,
            work_dir: &self.work_dir,
            is_local: self.is_local,
            stores: &self.stores,
            user_home: Some(&self.home),
            inherited: &self.inherited,
            given: &self.given,
            skills: &self.skills,
            mcp: &self.mcp,
            options: &self.options,
            present: None,
            git_folders: LookedFor(&Vec::new),
            os: self.os,
            now: self.now,
        }
    }

    /// What is planned for the environment as it stands.
    pub(super) fn plan(&self, plan: impl Fn(&HomeRequest<'_>) -> Result<HomePlan>) -> Result<HomePlan> {
        let present = Tree::open(&self.env_root).unwrap();
        plan(&HomeRequest { present: Some(&present), ..self.request() })
    }

    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.tmp.join(relative)
    }

    fn expanded(&self, text: &str) -> String {
        text.replace("[T]", self.tmp.to_str().unwrap())
    }

    pub(super) fn write(&self, path: impl AsRef<Path>, text: &str) -> PathBuf {
        let path = self.tmp.join(path);
        put(&path, &self.expanded(text));
        path
    }

    pub(super) fn set_variable(&mut self, name: &str, value: impl Into<OsString>) {
        self.inherited.retain(|(known, _)| known != name);
        self.inherited.push((name.into(), value.into()));
    }

    pub(super) fn manage(&mut self, servers: &str) {
        self.mcp = Mcp::Managed(serde_json::from_str::<Map<String, Value>>(servers).unwrap());
    }
}

/// The same in one expression.
impl World {
    pub(super) fn file(self, path: &str, text: &str) -> World {
        self.write(path, text);
        self
    }

    pub(super) fn dir(self, path: &str) -> World {
        make_dirs(&self.path(path));
        self
    }

    pub(super) fn variable(mut self, name: &str, value: &str) -> World {
        let value = self.expanded(value);
        self.set_variable(name, value);
        self
    }

    pub(super) fn custom(mut self, name: &str, value: &str) -> World {
        let value = self.expanded(value);
        self.task.agent.custom_env.insert(name.into(), value);
        self
    }

    pub(super) fn skill(mut self, name: &str) -> World {
        let skill = Skill { name: name.into(), content: "body\n".into(), ..Skill::default() };
        self.skills.extend(files::plan(&[skill]).unwrap());
        self
    }

    pub(super) fn skills(mut self, skills: &[Skill]) -> World {
        self.skills = files::plan(skills).unwrap();
        self
    }

    pub(super) fn mcp(mut self, servers: &str) -> World {
        self.manage(servers);
        self
    }

    pub(super) fn merge(mut self) -> World {
        self.options.mcp_mode = McpMode::Merge;
        self
    }
}

/// A file that is there before execenv comes, with the folders above it.
pub(super) fn put(path: &Path, text: &str) {
    make_dirs(path.parent().unwrap());
    std::fs::write(path, text).unwrap();
}

pub(super) fn make_dirs(path: &Path) {
    std::fs::create_dir_all(path).unwrap();
}

pub(super) fn remove(path: &Path) {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path).unwrap(),
        Ok(_) => std::fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

/// What a plan says of one name.
pub(super) fn home<'a>(plan: &'a HomePlan, name: &str) -> &'a HomeContent {
    let found: Vec<&Home> = plan.homes.iter().filter(|home| home.name == name).collect();
    assert_eq!(found.len(), 1, "{name}");
    &found[0].content
}

/// The JSON of a planned private file.
pub(super) fn private_json(content: &HomeContent) -> Value {
    match content {
        HomeContent::File { bytes, mode: 0o600 } => serde_json::from_slice(bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The entry of a planned folder; the folder is the agent's own.
pub(super) fn entry<'a>(content: &'a HomeContent, path: &str) -> &'a HomeEntry {
    match content {
        HomeContent::Folder { mode: 0o700, entries, .. } => {
            &entries.iter().find(|(known, _)| known == Path::new(path)).expect(path).1
        }
        other => panic!("{other:?}"),
    }
}

/// The text of a planned file, whose mode must be `mode`.
pub(super) fn file_text(plan: &HomePlan, home: &str, path: &str, mode: u32) -> String {
    match self::home(plan, home) {
        HomeContent::File { bytes, mode: is } if path.is_empty() => {
            assert_eq!(*is, mode, "{home}");
            String::from_utf8(bytes.clone()).unwrap()
        }
        HomeContent::Folder { entries, .. } => match entries.iter().find(|(at, _)| at == Path::new(path)) {
            Some((_, HomeEntry::File { bytes, mode: is })) => {
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
    let HomeContent::Folder { entries, .. } = self::home(plan, home) else { panic!("{home} is no folder") };
    let link = |(path, entry): &(PathBuf, HomeEntry)| match entry {
        HomeEntry::Link { target } => Some((path.clone(), target.clone())),
        _ => None,
    };
    entries.iter().filter_map(link).collect()
}
