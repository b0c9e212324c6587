//! A request to try a provider's plan with: folders of its own, nothing of the developer's.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests make their own fixtures")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::home::{Entry, Home, HomeContent, HomeOptions, HomePlan, HomeRequest, Mcp, Os};
use crate::task::TaskDocument;

/// One test's world.
pub(super) struct World {
    pub(super) tmp: PathBuf,
    pub(super) home: PathBuf,
    pub(super) env_root: PathBuf,
    pub(super) work_dir: PathBuf,
    pub(super) stores: PathBuf,
    pub(super) is_local: bool,
    pub(super) task: TaskDocument,
    pub(super) inherited: Vec<(OsString, OsString)>,
    pub(super) mcp: Mcp,
    pub(super) options: HomeOptions,
    pub(super) now: DateTime<Utc>,
    _guard: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> World {
        let guard = tempfile::tempdir().unwrap();
        let tmp = guard.path().canonicalize().unwrap();
        let env_root = tmp.join("root/ws/key");
        std::fs::create_dir_all(tmp.join("home")).unwrap();
        World {
            home: tmp.join("home"),
            work_dir: env_root.join("workdir"),
            stores: tmp.join("root/.stores"),
            env_root,
            tmp,
            is_local: false,
            task: TaskDocument::default(),
            inherited: vec![("PATH".into(), "/usr/bin:/bin".into())],
            mcp: Mcp::Unmanaged,
            options: HomeOptions::default(),
            now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            _guard: guard,
        }
    }

    pub(super) fn request(&self) -> HomeRequest<'_> {
        HomeRequest {
            task: &self.task,
            workspace_id: "ws",
            env_root: &self.env_root,
            work_dir: &self.work_dir,
            is_local: self.is_local,
            stores: &self.stores,
            user_home: Some(&self.home),
            inherited: &self.inherited,
            skills: &[],
            mcp: &self.mcp,
            options: &self.options,
            present: None,
            os: Os::Linux,
            now: self.now,
        }
    }

    pub(super) fn variable(&mut self, name: &str, value: impl Into<OsString>) {
        self.inherited.retain(|(known, _)| known != name);
        self.inherited.push((name.into(), value.into()));
    }

    pub(super) fn manage(&mut self, servers: &str) {
        self.mcp = Mcp::Managed(serde_json::from_str::<Map<String, Value>>(servers).unwrap());
    }

    pub(super) fn write(&self, path: impl AsRef<Path>, text: &str) -> PathBuf {
        let path = self.tmp.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
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
pub(super) fn entry<'a>(content: &'a HomeContent, path: &str) -> &'a Entry {
    match content {
        HomeContent::Folder { mode: 0o700, entries, .. } => {
            &entries.iter().find(|(known, _)| known == Path::new(path)).expect(path).1
        }
        other => panic!("{other:?}"),
    }
}
