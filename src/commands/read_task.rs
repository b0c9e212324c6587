//! The task that `prepare` and `reuse` are asked for, read and checked: the request that it becomes, and what is printed of it.

use std::path::PathBuf;

use anyhow::Result;
use chrono::Duration;
use serde_json::Value;

use super::prepared::PreparedDocument;
use crate::brief::Platform;
use crate::environment::{
    Existing, Exports, Own, Prepared, RenewedLogins, Request, SetupRequest, Sidecars, git_variables,
};
use crate::failure::{Code, Failure};
use crate::git::GitIdentity;
use crate::invocation::Context;
use crate::layout::names;
use crate::output::{Answer, counted, document, log::note, shell_quote};
use crate::provider::codex;
use crate::provider::plan::{ALWAYS_EXPORTED, HomeOptions};
use crate::provider::version::find_version;
use crate::supervise::environment::refused_names;
use crate::sys::tree::Tree;
use crate::task::{TaskDocument, TaskId, WorkspaceId};

/// The task, read and checked.
#[derive(Debug)]
pub struct Task {
    pub(super) document: TaskDocument,
    pub(super) task_id: TaskId,
    pub(super) workspace_id: WorkspaceId,
    pub(super) platform: Platform,
    pub(super) lease: Duration,
    pub(super) sidecars: Sidecars,
    pub(super) options: HomeOptions,
    /// Options for one provider only, with its name.
    pub(super) special: Vec<(&'static str, &'static str)>,
    pub(super) has_mcp_mode: bool,
    /// Options whose id is not a UUID, as multica's ids are.
    pub(super) loose_ids: Vec<&'static str>,
    pub(super) git_identity: Option<GitIdentity>,
    pub(super) warnings: Vec<String>,
}

impl Task {
    /// The same task with other files for the agent.
    #[must_use]
    pub fn with_sidecars(self, sidecars: Sidecars) -> Task {
        Task { sidecars, ..self }
    }

    /// The same task, whose commits are made in this name.
    #[must_use]
    pub fn by(self, git_identity: Option<GitIdentity>) -> Task {
        Task { git_identity, ..self }
    }

    /// The request for `prepare` and `reuse`.
    pub fn request<'a>(
        &'a self,
        context: &'a Context,
        local_dir: Option<PathBuf>,
        existing: Existing,
    ) -> Request<'a> {
        Request {
            root: &context.root,
            task: &self.document,
            task_id: self.task_id.clone(),
            workspace_id: self.workspace_id.clone(),
            platform: &self.platform,
            local_dir,
            repository: None,
            copied: &[],
            inventory: false,
            keys: &context.keys,
            hooks: &context.hooks,
            setup: SetupRequest::default(),
            sidecars: self.sidecars,
            lease: self.lease,
            existing,
            home: context.settings.home.clone(),
            other_roots: context.other_roots(),
            inherited: &context.settings.inherited,
            git_identity: self.git_identity.clone(),
            options: &self.options,
            renewed_logins: RenewedLogins::default(),
            now: context.now,
        }
    }

    /// Takes the ids of the environment to be reused, where the document has none.
    ///
    /// # Errors
    /// A [`Code::Usage`] failure when the document names another workspace.
    pub fn adopt(
        &mut self,
        names_task: bool,
        task_id: &str,
        names_workspace: bool,
        workspace: &str,
    ) -> Result<()> {
        if !names_task && !task_id.is_empty() {
            self.task_id = TaskId::new(task_id)?;
        }
        if !names_workspace {
            self.workspace_id = WorkspaceId::new(workspace)?;
        } else if self.workspace_id.as_str() != workspace {
            return Err(Failure::new(
                Code::Usage,
                format!(
                    "the environment belongs to workspace `{workspace}`, the task to `{}`",
                    self.workspace_id
                ),
            )
            .hint("prepare an environment for this task instead")
            .into());
        }
        Ok(())
    }

    /// The provider; empty where the document has none, so that that of the environment can be taken.
    pub fn provider_mut(&mut self) -> &mut String {
        &mut self.document.provider
    }

    /// The platform, so that that of the environment can be taken where the document does not decide it.
    pub fn platform_mut(&mut self) -> &mut Platform {
        &mut self.platform
    }

    /// Whether an id was given, rather than a new one made.
    pub fn is_named(&self) -> bool {
        !self.document.id.is_empty()
    }

    /// Whether the document names no issue, chat or run: a plain task.
    pub fn is_plain(&self) -> bool {
        crate::task::TaskKind::of(&self.document) == crate::task::TaskKind::Plain
    }

    /// Options without effect for this task, each as a warning.
    fn idle_options(&self) -> Vec<String> {
        let provider = self.document.provider.as_str();
        let mut idle: Vec<String> = self
            .special
            .iter()
            .filter(|(_, only)| *only != provider)
            .map(|(option, only)| format!("`{option}` has no effect: it is for the provider {only}"))
            .collect();
        if self.has_mcp_mode && self.document.agent.mcp_config.as_ref().is_none_or(|config| config.is_null())
        {
            idle.push("`--mcp-mode` has no effect: the task has no MCP servers".into());
        }
        let version = &self.options.codex_version;
        if provider == codex::NAME && !version.is_empty() && find_version(version).is_none() {
            idle.push(
                "`--codex-version` contains no version such as 0.169.0, so the Codex version counts as unknown"
                    .into(),
            );
        }
        idle.extend(refused_names(self.document.agent.custom_env.keys().map(String::as_str)));
        // The ids in a document come from the platform; one typed by hand may be of another system.
        let is_asked =
            matches!(&self.platform, Platform::Cli(name) if name.to_string() == Platform::DEFAULT_CLI);
        idle.extend(self.loose_ids.iter().filter(|_| is_asked).map(|option| {
            format!("`{option}` is not a UUID, so a multica server cannot be asked about it and `gc` decides by age alone")
        }));
        idle
    }

    /// Says with `-v` what is begun.
    pub fn tell_start(&self, doing: &str) {
        let provider = match self.document.provider.as_str() {
            "" => "any program",
            name => name,
        };
        log::info!("{doing} for task {} in workspace {}, for {provider}", self.task_id, self.workspace_id);
    }

    /// Prints the warnings about what was prepared, and with `-v` what was done. Returns the warnings.
    pub fn tell(&self, prepared: &Prepared) -> Vec<String> {
        let own = prepared.meta.own.clone().unwrap_or_default();
        let idle = self.idle_options();
        let mut warnings: Vec<String> = Vec::new();
        for warning in self.warnings.iter().chain(&idle).chain(&prepared.warnings) {
            if !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
        for warning in &warnings {
            log::warn!("{warning}");
        }
        if let Some(entry) = &prepared.replaced {
            note(&format!(
                "the previous environment of this task is in the trash; to get it back: `execenv trash restore {entry} --to DIR`"
            ));
        }
        tell_steps(prepared, &own);
        warnings
    }

    /// What prepare and reuse print.
    ///
    /// # Errors
    /// Never, as paths of this program are UTF-8.
    pub fn answer(&self, prepared: &Prepared, context: &Context) -> Result<Answer> {
        let own = prepared.meta.own.clone().unwrap_or_default();
        let mut exports = Exports::of(&own).variables;
        let gits = Tree::open(&prepared.root_dir).map(|env| git_variables(&env, &own)).unwrap_or_default();
        exports.extend(gits.into_iter().map(|(name, value)| (name, value.to_string_lossy().into_owned())));
        let warnings = self.tell(prepared);
        let trash = context.root.path().join(names::TRASH);
        let json = document(PreparedDocument::of(prepared, &own, &exports, &warnings, &trash));
        let places = [&prepared.root_dir, &prepared.work_dir].map(|place| place.display().to_string());
        let names = ALWAYS_EXPORTED.map(str::to_owned);
        let exports = names.into_iter().zip(places).chain(exports);
        let mut shell: Vec<String> =
            exports.map(|(name, value)| format!("export {name}={}", shell_quote(&value))).collect();
        // A secret is read when the shell evaluates the line: what is printed here may end up in a log.
        shell.extend(prepared.private_env.iter().map(|(name, file)| {
            format!("export {name}=\"$(cat {})\"", shell_quote(&file.display().to_string()))
        }));
        let text = prepared.root_dir.display().to_string();
        Ok(Answer { text, json, shell: Some(shell.join("\n")), ..Answer::new("", Value::Null) })
    }
}

/// Says with `-v` what was done.
fn tell_steps(prepared: &Prepared, own: &Own) {
    let (files, folders) = (prepared.files.len() as u64, prepared.dirs.len() as u64);
    log::info!(
        "{} {} and {} into {}",
        if prepared.reused { "refreshed: wrote" } else { "wrote" },
        counted(files, "file", "files"),
        counted(folders, "folder", "folders"),
        prepared.work_dir.display()
    );
    for file in &prepared.files {
        log::debug!("wrote {}", file.display());
    }
    for (name, value) in &Exports::of(own).variables {
        log::info!("the agent is started with {name}={value}");
    }
    for (name, file) in &prepared.private_env {
        log::info!("the agent is started with {name}, whose value is in {}", file.display());
    }
    if let Some(until) = own.lease_until {
        log::info!("reserved until {} (--lease)", until.format("%Y-%m-%d %H:%M UTC"));
    }
}
