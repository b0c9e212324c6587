//! What the tests of this module stand on: a world with a `.codex`, and a plan carried out.

use std::ffi::OsString;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::plan;
use crate::provider::fixture::World;
pub(super) use crate::provider::fixture::{make_dirs, put as write, remove};
use crate::provider::plan::{HomeContent, HomeEntry, HomePlan};
use crate::skills::files::{self, PlannedSkill};
use crate::task::{Skill, SkillFile};

/// A world whose user has a `.codex`.
pub(super) struct Bench(World);

impl Deref for Bench {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl DerefMut for Bench {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.0
    }
}

impl Bench {
    pub(super) fn new(shared: &[(&str, &str)]) -> Bench {
        let mut bench = Bench(World::new().dir("home/.codex"));
        bench.inherited.clear();
        for (path, text) in shared {
            bench.write(path, text);
        }
        bench
    }

    pub(super) fn shared(&self, path: &str) -> PathBuf {
        self.tmp.join("home/.codex").join(path)
    }

    pub(super) fn home(&self, path: &str) -> PathBuf {
        self.env_root.join("codex-home").join(path)
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        write(&self.shared(path), text);
    }

    pub(super) fn plan(&self) -> Result<HomePlan> {
        self.0.plan(plan)
    }

    /// Carries a plan out, as `environment` does, without the care for crashes.
    pub(super) fn prepare(&self) -> HomePlan {
        let plan = self.plan().unwrap();
        let home = self.home("");
        make_dirs(&home);
        plan.stores.iter().for_each(|store| make_dirs(store));
        for (place, source) in plan.store_files.iter().filter(|(place, _)| !place.exists()) {
            write(place, &std::fs::read_to_string(source).unwrap());
        }
        let (entries, dropped) = folder(&plan);
        let tops = entries.iter().filter(|(path, _)| path.components().count() == 1);
        for name in tops.map(|(path, _)| path.as_os_str()).chain(dropped.iter().map(OsString::as_os_str)) {
            remove(&home.join(name));
        }
        for (path, entry) in entries {
            let place = home.join(path);
            match entry {
                HomeEntry::Dir { .. } | HomeEntry::Kept { .. } => make_dirs(&place),
                HomeEntry::Absent => {}
                HomeEntry::File { bytes, .. } => write(&place, std::str::from_utf8(bytes).unwrap()),
                HomeEntry::Link { target } => symlink(target, &place).unwrap(),
                HomeEntry::Copied { source } => drop(std::fs::copy(source, &place).unwrap()),
                HomeEntry::Shared { source } => std::fs::hard_link(source, &place).unwrap(),
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

fn folder(plan: &HomePlan) -> (&[(PathBuf, HomeEntry)], &[OsString]) {
    match &plan.homes[..] {
        [crate::provider::plan::Home { name: "codex-home", content }] => match content {
            HomeContent::Folder { mode: 0o700, entries, dropped } => (entries, dropped),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

pub(super) fn entry<'a>(plan: &'a HomePlan, path: &str) -> Option<&'a HomeEntry> {
    folder(plan).0.iter().find(|(place, _)| place == Path::new(path)).map(|(_, entry)| entry)
}

pub(super) fn skill(name: &str, files: &[(&str, &str)]) -> PlannedSkill {
    let file = |(path, content): &(&str, &str)| SkillFile {
        path: (*path).into(),
        content: (*content).into(),
        ..SkillFile::default()
    };
    let skill = Skill {
        name: name.into(),
        description: "d".into(),
        content: "task\n".into(),
        files: files.iter().map(file).collect(),
    };
    files::plan(&[skill]).unwrap().remove(0)
}
