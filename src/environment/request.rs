//! The input of prepare and reuse, and what both derive from it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value};

use super::LaunchFile;
use super::copied::CopiedFrom;
use super::homes::{RenewedLogins, links_logins};
use super::key::KeyFile;
use super::record::{Meta, Own};
use super::repository_request::RepositoryRequest;
use super::root::WorkspacesRoot;
use super::setup::{Hooks, Setup, SetupRequest, write_proof};
use super::trust::Trust;
use super::work_dir::WorkDir;
use crate::brief::{self, HostOs, Platform, Session, TurnOptions};
use crate::failure::{Code, Failure};
use crate::formats::closest;
use crate::git::{Git, GitIdentity};
use crate::layout::names;
use crate::order;
use crate::provider::plan::{Home, HomeContent, HomeOptions, HomePlan, McpMode};
use crate::provider::{self, Provider};
use crate::sidecar::Seal;
use crate::supervise::find_program;
use crate::sys::tree::Tree;
use crate::task::{TaskDocument, TaskId, WorkspaceId};

/// What to do about an environment of the same task that stands already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Replace it, but not while it is reserved and holds work; the old one is moved to the trash.
    #[default]
    Replace,
    /// The same, whatever it holds.
    ReplaceAny,
    /// Replace it, but not if its task is done, nor while it is reserved and holds work.
    ReplaceUndone,
    /// Return it unchanged.
    Keep,
}

/// Which files for the agent go into the work dir.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sidecars {
    /// All that the task and its provider have.
    #[default]
    All,
    /// All but the brief (`--no-brief`).
    NoBrief,
    /// None: whoever works there has brought their own.
    None,
}

/// What prepare and reuse need to know.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Where environments live.
    pub root: &'a WorkspacesRoot,
    /// The task.
    pub task: &'a TaskDocument,
    /// Its id.
    pub task_id: TaskId,
    /// Its workspace.
    pub workspace_id: WorkspaceId,
    /// The platform that brief and context speak of.
    pub platform: &'a Platform,
    /// The user folder to work in; `None`: a managed work dir.
    pub local_dir: Option<PathBuf>,
    /// The repository that a managed work dir is to be a worktree of.
    pub repository: Option<RepositoryRequest>,
    /// Files of other environments that a managed work dir begins with.
    pub copied: &'a [CopiedFrom],
    /// Whether an inventory of the user folder is made, for `verify`.
    pub inventory: bool,
    /// The operator's key, which proves the record of a user folder.
    pub keys: &'a KeyFile,
    /// What setup and teardown commands are started with.
    pub hooks: &'a Hooks,
    /// What is asked for the setup.
    pub setup: SetupRequest,
    /// Which files for the agent go into the work dir.
    pub sidecars: Sidecars,
    /// How long `gc` leaves the environment alone without a run.
    pub lease: Duration,
    /// What to do about an environment of the same task.
    pub existing: Existing,
    /// The user's home, which is never a work dir.
    pub home: Option<PathBuf>,
    /// Other workspaces roots that are known without a setting.
    pub other_roots: Vec<PathBuf>,
    /// The variables that the process was started with.
    pub inherited: &'a [(OsString, OsString)],
    /// In whose name commits are made; `None`: as git finds it there.
    pub git_identity: Option<GitIdentity>,
    /// What was asked of the provider's homes.
    pub options: &'a HomeOptions,
    /// What becomes of a login that the agent of an earlier run has renewed.
    pub renewed_logins: RenewedLogins,
    /// The present time.
    pub now: DateTime<Utc>,
}

/// What a seal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SealFor {
    /// A user folder.
    UserFolder,
    /// A home that links to logins of the user's.
    Logins,
    /// A worktree in a repository of the user's, and whatever else the env root holds.
    Worktree,
    /// Whatever the env root holds.
    EnvRoot,
}

impl SealFor {
    /// What the seal of an environment is for.
    pub(super) fn of(is_user_folder: bool, home_plan: &HomePlan) -> SealFor {
        match (is_user_folder, links_logins(home_plan)) {
            (true, _) => SealFor::UserFolder,
            (false, true) => SealFor::Logins,
            (false, false) => SealFor::EnvRoot,
        }
    }
}

impl Request<'_> {
    /// The user's git.
    pub(super) fn git(&self) -> Git {
        let path = self.inherited.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone());
        Git::new(find_program(None, None, "git", &path.unwrap_or_default()).ok(), self.inherited)
    }

    /// What a record can be proved with: who names a folder to work in says that it may be cleaned up.
    pub(super) fn trust(&self) -> Trust<'_> {
        Trust { local_dir: self.local_dir.as_deref(), ..self.proof_only() }
    }

    /// The same without the user's word.
    pub(super) fn proof_only(&self) -> Trust<'_> {
        Trust { keys: self.keys, local_dir: None, hooks: self.hooks }
    }

    /// Proves that the commands of a file with this digest were accepted for the environment; a warning where that cannot be
    /// done.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn prove_commands(&self, tree: &Tree, env: &str, digest: &str) -> Result<Option<String>> {
        match self.keys.seal_or_make(env) {
            Ok(seal) => write_proof(tree, digest, &seal).map(|()| None),
            Err(why) => Ok(Some(format!(
                "no key to prove with that these commands were accepted ({why}): no teardown will run"
            ))),
        }
    }

    /// What the files in an env root are proved with. For a user folder, a worktree and logins the key is made; without one a
    /// warning says what follows for the folder. All else takes the key that is there.
    ///
    /// # Errors
    /// A [`Code::Failed`] failure where the disk has no room for the key of a worktree, or fails.
    pub(super) fn seal(
        &self,
        env: &str,
        what: SealFor,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Seal<'_>>> {
        if what == SealFor::EnvRoot {
            return Ok(self.keys.seal(env));
        }
        Ok(match self.keys.seal_or_make(env) {
            Ok(seal) => Some(seal),
            Err(why) if what == SealFor::Worktree && why.is_of_disk => {
                let message = format!("no key to prove the worktree with ({why})");
                return Err(Failure::new(Code::Failed, message)
                    .hint("mend the disk, or make room on it, then repeat the command")
                    .into());
            }
            // `run --keep-login` says it.
            Err(why) if what == SealFor::Logins => {
                log::debug!("no key to prove the list of logins with ({why})");
                None
            }
            Err(why) if what == SealFor::Worktree => {
                warnings.push(format!(
                    "no key to prove the worktree with ({why}): when the environment goes, its branch and its registration \
                     stay in the repository"
                ));
                None
            }
            Err(why) => {
                warnings.push(format!(
                    "no key to prove the record of this folder with ({why}): `cleanup` will ask for `--local-dir`"
                ));
                None
            }
        })
    }
}

/// An environment that is ready for a run.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The env root.
    pub root_dir: PathBuf,
    /// Where the agent runs.
    pub work_dir: PathBuf,
    /// The record.
    pub meta: Meta,
    /// Files in the work dir that are ours.
    pub files: Vec<PathBuf>,
    /// Folders in the work dir that are ours.
    pub dirs: Vec<PathBuf>,
    /// Variables whose values are secrets, and the files that hold them.
    pub private_env: BTreeMap<String, PathBuf>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// Whether it was there before.
    pub reused: bool,
    /// The trash entry of the environment whose place it took.
    pub replaced: Option<String>,
    /// The setup that is still to be carried out.
    pub(super) pending: Option<Setup>,
}

/// The provider's row and what its environment still lacks.
pub(super) fn provider_of(task: &TaskDocument) -> (Option<&'static Provider>, Vec<String>) {
    let row = provider::find(&task.provider);
    let mut warnings = Vec::new();
    if row.is_none() && !task.provider.is_empty() {
        let meant = closest(&task.provider, provider::all().map(|row| row.name));
        let meant = meant.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
        warnings.push(format!(
            "the provider `{}` is not known: it gets the generic layout{meant}",
            task.provider.escape_debug()
        ));
    }
    (row, warnings)
}

/// The parts of the record that prepare and reuse write alike.
pub(super) fn own_of(request: &Request<'_>, work_dir: &Path, home_plan: &HomePlan) -> Own {
    let mut needs = home_plan.needed();
    let variables = Path::new(names::LAUNCH).join(names::LAUNCH_ENV);
    needs.extend(home_plan.private_exports.keys().map(|name| variables.join(name)));
    needs.extend(launch_of(request, &WorkDir::Managed).file());
    Own {
        provider: request.task.provider.clone(),
        work_dir: work_dir.to_owned(),
        platform: request.platform.cli().unwrap_or_default().to_owned(),
        agent_name: request.task.agent.name.clone(),
        agent_id: request.task.agent_id().to_owned(),
        recorded_env: home_plan.exports.clone(),
        needs,
        lease_until: Some(request.now + request.lease),
        git_identity: request.git_identity.clone(),
        ..Own::default()
    }
}

/// The private launch file of a task.
pub(super) fn launch_of(request: &Request<'_>, work_dir: &WorkDir) -> LaunchFile {
    let task = request.task;
    let turn = TurnOptions {
        platform: request.platform,
        os: HostOs::Unix,
        session: Session::New,
        shared_folder: work_dir.is_user_folder(),
    };
    LaunchFile {
        prompt: match task.prompt.as_str() {
            "" => brief::compose_prompt(task, &turn),
            prompt => Some(prompt.to_owned()),
        },
        custom_env: task.agent.custom_env.clone(),
        custom_args: task.agent.custom_args.clone(),
        model: task.agent.model.clone(),
        mcp_config: task.agent.mcp_config.clone(),
        merge_mcp: task.agent.mcp_config.is_some() && request.options.mcp_mode == McpMode::Merge,
    }
}

/// The value of a platform's variable for a request and its env root; empty: the agent does not get it.
type PlatformValue = fn(&Request<'_>, &Path) -> String;

/// The variables of an agent under a platform.
const PLATFORM_VARIABLES: [(&str, PlatformValue); 10] = [
    ("MULTICA_WORKSPACE_ID", |request, _| request.workspace_id.as_str().to_owned()),
    ("MULTICA_TASK_ID", |request, _| request.task_id.as_str().to_owned()),
    ("MULTICA_AGENT_NAME", |request, _| request.task.agent.name.clone()),
    ("MULTICA_AGENT_ID", |request, _| request.task.agent_id().to_owned()),
    ("MULTICA_AUTOPILOT_RUN_ID", |request, _| request.task.autopilot_run_id.clone()),
    ("MULTICA_AUTOPILOT_ID", |request, _| request.task.autopilot_id.clone()),
    ("MULTICA_QUICK_CREATE_TASK_ID", |request, _| match request.task.quick_create_prompt.is_empty() {
        true => String::new(),
        false => request.task_id.as_str().to_owned(),
    }),
    // The platform's CLI binds these files to the issue that it creates.
    ("MULTICA_QUICK_CREATE_ATTACHMENT_IDS", |request, _| {
        let ids = &request.task.quick_create_attachment_ids;
        if ids.is_empty() { String::new() } else { serde_json::to_string(ids).unwrap_or_default() }
    }),
    ("MULTICA_TASK_CONFIG_ROOT", |_, env_root| env_root.join(names::PLATFORM_CONFIG).display().to_string()),
    ("MULTICA_TASK_WORKSPACES_ROOT", |request, _| request.root.path().display().to_string()),
];

/// Whether `prepare` can set a variable for an environment of this provider: its plan, or the platform, has one of that
/// name.
pub(super) fn sets_variable(provider: &str, name: &str) -> bool {
    provider::find_or_generic(provider).exports.contains(&name)
        || PLATFORM_VARIABLES.iter().any(|(platforms, _)| *platforms == name)
}

/// What an agent under a platform gets besides: upstream's variables that say which task this is (decision D23), and a
/// configuration folder of the task's own. Nothing without a platform.
pub(super) fn platform_plan(
    request: &Request<'_>,
    env_root: &Path,
) -> (BTreeMap<String, String>, Option<Home>) {
    if request.platform.cli().is_none() {
        return (BTreeMap::new(), None);
    }
    let given = PLATFORM_VARIABLES.iter().map(|(name, value)| ((*name).to_owned(), value(request, env_root)));
    let content = HomeContent::Folder { mode: 0o700, entries: Vec::new(), dropped: Vec::new() };
    (
        order::map(given.filter(|(_, value)| !value.is_empty())),
        Some(Home { name: names::PLATFORM_CONFIG, content }),
    )
}

/// Marks the root for the platform, if there is one; what to say where that fails.
pub(super) fn platform_mark(request: &Request<'_>, root: &Tree) -> Option<String> {
    request.platform.cli()?;
    let error = WorkspacesRoot::mark_for_platform(root).err()?;
    Some(format!("{error:#}: outside of its work dir, the platform's CLI may take the agent for you"))
}

/// multica's proof, written at prepare time, that its daemon may reuse the environment.
pub(super) fn managed_proof(request: &Request<'_>, work_dir: &WorkDir) -> Option<Vec<u8>> {
    let task = request.task;
    let has_parent = !task.issue_id.is_empty() || !task.chat_session_id.is_empty();
    if work_dir.is_user_folder()
        || !has_parent
        || task.agent_id().is_empty()
        || request.platform.cli().is_none()
    {
        return None;
    }
    let mut proof = Map::new();
    for (key, value) in [
        ("managed_by", "multica-daemon-managed-env"),
        ("workspace_id", request.workspace_id.as_str()),
        ("issue_id", &task.issue_id),
        ("chat_session_id", &task.chat_session_id),
        ("agent_id", task.agent_id()),
    ] {
        if !value.is_empty() {
            proof.insert(key.into(), Value::from(value));
        }
    }
    serde_json::to_vec(&proof).ok()
}
