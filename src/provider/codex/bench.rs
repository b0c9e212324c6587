//! What the tests of this module stand on: a user's home, an env root, and a plan carried out.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Result;
use chrono::{DateTime, Utc};
use tempfile::TempDir;

use super::plan;
use crate::provider::home::{Entry, HomeContent, HomeOptions, HomePlan, HomeRequest, Mcp, Os};
use crate::skills::files::{self, PlannedSkill};
use crate::sys::tree::Tree;
use crate::task::{Skill, SkillFile, TaskDocument};

/// A user's home with `.codex`, and an env root beside it.
pub(super) struct Bench {
    _folder: TempDir,
    pub(super) root: PathBuf,
    pub(super) task: TaskDocument,
    pub(super) skills: Vec<PlannedSkill>,
    pub(super) mcp: Mcp,
    pub(super) options: HomeOptions,
    pub(super) inherited: Vec<(OsString, OsString)>,
    pub(super) is_local: bool,
}

impl Bench {
    pub(super) fn new(shared: &[(&str, &str)]) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let bench = Bench {
            root,
            _folder: folder,
            task: TaskDocument::default(),
            skills: Vec::new(),
            mcp: Mcp::Unmanaged,
            options: HomeOptions::default(),
            inherited: Vec::new(),
            is_local: false,
        };
        make_dirs(&bench.root.join("user/.codex"));
        make_dirs(&bench.env_root());
        for (path, text) in shared {
            bench.write(path, text);
        }
        bench
    }

    pub(super) fn shared(&self, path: &str) -> PathBuf {
        self.root.join("user/.codex").join(path)
    }

    pub(super) fn env_root(&self) -> PathBuf {
        self.root.join("env")
    }

    pub(super) fn home(&self, path: &str) -> PathBuf {
        self.env_root().join("codex-home").join(path)
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        write(&self.shared(path), text);
    }

    pub(super) fn plan(&self) -> Result<HomePlan> {
        let tree = Tree::open(&self.env_root()).unwrap();
        let user_home = self.root.join("user");
        plan(&HomeRequest {
            task: &self.task,
            workspace_id: "w",
            env_root: &self.env_root(),
            work_dir: &self.env_root().join("workdir"),
            is_local: self.is_local,
            stores: &self.root.join("stores"),
            user_home: Some(&user_home),
            inherited: &self.inherited,
            skills: &self.skills,
            mcp: &self.mcp,
            options: &self.options,
            present: Some(&tree),
            os: Os::Linux,
            now: DateTime::<Utc>::UNIX_EPOCH,
        })
    }

    /// Carries a plan out, as `environment` does, without the care for crashes.
    pub(super) fn prepare(&self) -> HomePlan {
        let plan = self.plan().unwrap();
        let home = self.home("");
        make_dirs(&home);
        plan.stores.iter().for_each(|store| make_dirs(store));
        let (entries, dropped) = folder(&plan);
        let tops = entries.iter().filter(|(path, _)| path.components().count() == 1);
        for name in tops.map(|(path, _)| path.as_os_str()).chain(dropped.iter().map(OsString::as_os_str)) {
            remove(&home.join(name));
        }
        for (path, entry) in entries {
            let place = home.join(path);
            match entry {
                Entry::Dir { .. } | Entry::Kept { .. } => make_dirs(&place),
                Entry::Absent => {}
                Entry::File { bytes, .. } => write(&place, std::str::from_utf8(bytes).unwrap()),
                Entry::Link { target } => symlink(target, &place).unwrap(),
                Entry::Shared { source } => std::fs::hard_link(source, &place).unwrap(),
            }
        }
        plan
    }

    pub(super) fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.home(path)).ok()
    }

    pub(super) fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.home("")).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[expect(clippy::disallowed_methods, reason = "a test makes its own files")]
pub(super) fn write(path: &Path, text: &str) {
    make_dirs(path.parent().unwrap());
    std::fs::write(path, text).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "a test makes its own folders")]
pub(super) fn make_dirs(path: &Path) {
    std::fs::create_dir_all(path).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "a test takes back what it has made")]
pub(super) fn remove(path: &Path) {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path).unwrap(),
        Ok(_) => std::fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

fn folder(plan: &HomePlan) -> (&[(PathBuf, Entry)], &[OsString]) {
    match &plan.homes[..] {
        [crate::provider::home::Home { name: "codex-home", content }] => match content {
            HomeContent::Folder { mode: 0o700, entries, dropped } => (entries, dropped),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

pub(super) fn entry<'a>(plan: &'a HomePlan, path: &str) -> Option<&'a Entry> {
    folder(plan).0.iter().find(|(place, _)| place == Path::new(path)).map(|(_, entry)| entry)
}

pub(super) fn skill(name: &str, files: &[(&str, &str)]) -> PlannedSkill {
    let file =
        |(path, content): &(&str, &str)| SkillFile { path: (*path).into(), content: (*content).into() };
    let skill = Skill {
        name: name.into(),
        description: "d".into(),
        content: "task\n".into(),
        files: files.iter().map(file).collect(),
    };
    files::plan(&[skill]).unwrap().remove(0)
}
