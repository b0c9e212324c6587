//! Which program created an environment, and where multica keeps its own.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use super::record::Meta;
use crate::layout::names;
use crate::order;
use crate::sidecar::Manifest;
use crate::sys::tree::{FileKind, Tree};

/// The program that created an environment, judging by its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MadeBy {
    /// execenv.
    Execenv,
    /// multica's daemon.
    Multica,
    /// Unknown: its files do not show it.
    Unknown,
}

impl MadeBy {
    /// All of them.
    pub const ALL: [MadeBy; 3] = [MadeBy::Execenv, MadeBy::Multica, MadeBy::Unknown];

    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            MadeBy::Execenv => "execenv",
            MadeBy::Multica => "multica",
            MadeBy::Unknown => "unknown",
        }
    }
}

/// Which program created the environment in this folder, which has this record.
pub fn made_by(env: &Tree, record: &Result<Option<Meta>>) -> MadeBy {
    if matches!(record, Ok(Some(Meta { own: Some(_), .. }))) {
        return MadeBy::Execenv;
    }
    let manifest = Manifest::load(env);
    // multica rewrites the record of an environment that it takes over, but not the manifest.
    if matches!(&manifest, Ok(Some(Manifest { record: Some(_), .. }))) {
        return MadeBy::Execenv;
    }
    let has = |name: &str| matches!(env.kind(Path::new(name)), Ok(Some(FileKind::File { .. })));
    match (record, manifest) {
        (Ok(Some(_)), _) | (Ok(None), Ok(Some(_))) => MadeBy::Multica,
        // multica writes its record only when a task ends; these files exist from the start.
        (Ok(None), _) if has(names::MANAGED) || has(names::OWNER) => MadeBy::Multica,
        _ => MadeBy::Unknown,
    }
}

/// A folder in which multica keeps environments by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamRoot {
    /// The profile's name; `default` for the one without a name.
    pub profile: String,
    /// Its path.
    pub path: PathBuf,
}

/// multica's default folder, whether it exists or not, then the existing folders of its profiles, by name. Folders of
/// removed profiles are included.
pub fn upstream_roots(home: &Path) -> Vec<UpstreamRoot> {
    const ROOT: &str = "multica_workspaces";
    let folders_in = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect::<Vec<_>>()
    };
    let mut profiles = folders_in(&home.join(".multica/profiles"));
    let left = folders_in(home);
    profiles
        .extend(left.iter().filter_map(|name| name.strip_prefix(ROOT)?.strip_prefix('_')).map(str::to_owned));
    profiles.retain(|name| !name.is_empty());
    order::sort(&mut profiles);
    profiles.dedup();
    let named = profiles.into_iter().map(|profile| {
        let path = home.join(format!("{ROOT}_{profile}"));
        UpstreamRoot { profile, path }
    });
    let mut roots = vec![UpstreamRoot { profile: "default".to_owned(), path: home.join(ROOT) }];
    roots.extend(named.filter(|root| root.path.is_dir()));
    roots
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests make their own fixtures")]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_files_say_who_made_it() {
        let ours = r#"{"workspace_id":"w","execenv":{"schema":1}}"#;
        let theirs = r#"{"workspace_id":"w","issue_id":"i"}"#;
        let our_manifest = r#"{"files":[],"execenv":{"version":1,"work_dir":"/w"}}"#;
        let cases: [(&[(&str, &str)], MadeBy); 9] = [
            (&[(names::META, ours)], MadeBy::Execenv),
            (&[(names::META, theirs)], MadeBy::Multica),
            (&[(names::META, theirs), (names::MANIFEST, our_manifest)], MadeBy::Execenv),
            (&[(names::META, theirs), (names::MANIFEST, r#"{"files":["/w/a"]}"#)], MadeBy::Multica),
            (&[(names::META, "{"), (names::OWNER, "t")], MadeBy::Unknown),
            (&[(names::META, "{"), (names::MANIFEST, our_manifest)], MadeBy::Execenv),
            (&[(names::MANAGED, "{}")], MadeBy::Multica),
            (&[(names::OWNER, "t")], MadeBy::Multica),
            (&[(names::LOCK, "")], MadeBy::Unknown),
        ];
        for (files, expected) in cases {
            let tmp = tempfile::tempdir().unwrap();
            files.iter().for_each(|(name, text)| fs::write(tmp.path().join(name), text).unwrap());
            let env = Tree::open(tmp.path()).unwrap();
            assert_eq!(made_by(&env, &Meta::load(&env)), expected, "{files:?}");
        }
    }

    #[test]
    fn upstreams_folder_comes_first_and_only_profiles_with_one_follow() {
        let home = tempfile::tempdir().unwrap();
        let names = || upstream_roots(home.path()).into_iter().map(|root| root.profile).collect::<Vec<_>>();
        assert_eq!(names(), ["default"]);
        for folder in [".multica/profiles/b c", ".multica/profiles/no-root", "multica_workspaces_b c"] {
            fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        fs::create_dir(home.path().join("multica_workspaces_a")).unwrap();
        fs::write(home.path().join("multica_workspaces_file"), "").unwrap();
        fs::create_dir(home.path().join("multica_workspaces_")).unwrap();
        assert_eq!(names(), ["default", "a", "b c"]);
        assert_eq!(upstream_roots(home.path())[2].path, home.path().join("multica_workspaces_b c"));
    }
}
