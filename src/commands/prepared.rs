//! What `prepare` and `reuse` print as JSON.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::environment::{Own, Prepared, RepositoryRecord, SetupRecord};
use crate::output::Version;

/// An environment that is ready for a run.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PreparedDocument<'a> {
    schema: Version,
    /// The env root.
    root_dir: &'a Path,
    /// The folder in which the agent runs.
    work_dir: &'a Path,
    /// The agent CLI; empty: none.
    provider: &'a str,
    /// The full id of the task.
    task_id: &'a str,
    /// The workspace.
    workspace_id: &'a str,
    /// Whether the work dir is a folder of the user.
    local_directory: bool,
    /// What the work dir is.
    #[serde(rename = "type")]
    kind: WorkDirKind,
    /// The branch of the repository that the work dir is, or is a worktree of; else null.
    branch_name: Option<&'a str>,
    /// The variables with which the agent must be started.
    env: &'a BTreeMap<String, String>,
    /// The same for secrets: the file that holds the value.
    private_env: &'a BTreeMap<String, PathBuf>,
    /// The setup of the environment; null: there is none.
    setup: Option<&'a SetupRecord>,
    /// The ports that it was given, by their names.
    ports: BTreeMap<&'a str, u16>,
    /// What execenv created in the work dir.
    sidecars: CreatedFiles<'a>,
    /// The warnings that were printed.
    warnings: &'a [String],
    /// Whether the environment existed before.
    reused: bool,
    /// The environment that was replaced; null: none.
    replaced: Option<Replaced<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum WorkDirKind {
    /// A folder of its own, or the user's.
    Directory,
    /// A worktree of a repository that stays.
    GitWorktree,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CreatedFiles<'a> {
    /// Files, by their absolute paths.
    files: &'a [PathBuf],
    /// Folders, by their absolute paths.
    dirs: &'a [PathBuf],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Replaced<'a> {
    /// The name of its entry in the trash, as `trash restore` takes it.
    entry: &'a str,
    /// The path of the entry.
    path: PathBuf,
}

impl<'a> PreparedDocument<'a> {
    /// The document of an environment: with its record, the variables for its agent, the warnings, and the folder of the trash.
    pub(super) fn of(
        prepared: &'a Prepared,
        own: &'a Own,
        env: &'a BTreeMap<String, String>,
        warnings: &'a [String],
        trash: &Path,
    ) -> PreparedDocument<'a> {
        let repository = own.repository.as_ref();
        let is_worktree = repository.is_some_and(RepositoryRecord::is_worktree);
        PreparedDocument {
            schema: Version,
            root_dir: &prepared.root_dir,
            work_dir: &prepared.work_dir,
            provider: &own.provider,
            task_id: &own.task_id,
            workspace_id: &prepared.meta.workspace_id,
            local_directory: prepared.meta.local_directory,
            kind: if is_worktree { WorkDirKind::GitWorktree } else { WorkDirKind::Directory },
            branch_name: repository.map(|repository| repository.branch.as_str()),
            env,
            private_env: &prepared.private_env,
            setup: own.setup.as_ref(),
            ports: own.named_ports(),
            sidecars: CreatedFiles { files: &prepared.files, dirs: &prepared.dirs },
            warnings,
            reused: prepared.reused,
            replaced: prepared.replaced.as_deref().map(|entry| Replaced { entry, path: trash.join(entry) }),
        }
    }
}
