//! The options that prepare and reuse share: where the task comes from.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use chrono::Duration;
use clap::Args;
use serde_json::json;

use crate::brief::Platform;
use crate::cli::{Context, parse_duration};
use crate::environment::{Existing, Prepared, Request, choose_platform};
use crate::failure::{Code, Failure};
use crate::output::{Answer, shell_quote};
use crate::skills::{files, frontmatter};
use crate::task::{Skill, SkillFile, TaskDocument, TaskId, WorkspaceId, parse_document};

/// The largest document and instructions file, in bytes.
const MAX_INPUT: u64 = 16 << 20;
/// The longest text that goes into the record, in bytes.
const MAX_RECORDED: usize = 64 << 10;
/// The longest lease, in days: a century. Beyond some length no date is left to write down.
const MAX_LEASE: i64 = 36_500;
/// The largest file of a skill folder, in bytes.
const MAX_SKILL_FILE: u64 = 8 << 20;

/// Where the task comes from
#[derive(Debug, Default, Args)]
pub struct TaskInput {
    /// The task document, a JSON file; `-` reads standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub task: Option<PathBuf>,
    /// The workspace [default: `default`]
    #[arg(long, value_name = "ID")]
    pub workspace_id: Option<String>,
    /// The task's id [default: a new UUID]
    #[arg(long, value_name = "ID")]
    pub task_id: Option<String>,
    /// Which agent CLI the environment is for: claude, opencode, gemini …, or command
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// The agent's name
    #[arg(long, value_name = "NAME")]
    pub agent_name: Option<String>,
    /// The issue that the task works on
    #[arg(long, value_name = "ID")]
    pub issue_id: Option<String>,
    /// The chat session that the task is a turn of
    #[arg(long, value_name = "ID")]
    pub chat_session_id: Option<String>,
    /// The autopilot run that the task is
    #[arg(long, value_name = "ID")]
    pub autopilot_run_id: Option<String>,
    /// The sentence that is to become an issue
    #[arg(long, value_name = "TEXT")]
    pub quick_create_prompt: Option<String>,
    /// A file with the agent's instructions
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub instructions: Option<PathBuf>,
    /// Folders of `<name>/SKILL.md` trees
    #[arg(long, value_name = "DIR", num_args = 1.., value_hint = clap::ValueHint::DirPath)]
    pub skills: Vec<PathBuf>,
    /// A JSON file with the MCP servers that the agent sees, and no others
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub mcp_config: Option<PathBuf>,
    /// The platform's program that brief and context speak of, or `none`
    #[arg(long, value_name = "NAME")]
    pub platform_cli: Option<String>,
    /// Write no brief file
    #[arg(long)]
    pub no_brief: bool,
    /// How long gc leaves the environment alone without a run [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub lease: Option<Duration>,
}

/// The task, read and checked.
#[derive(Debug)]
pub struct Task {
    document: TaskDocument,
    task_id: TaskId,
    workspace_id: WorkspaceId,
    platform: Platform,
    lease: Duration,
    with_brief: bool,
    warnings: Vec<String>,
}

impl TaskInput {
    /// Reads the document and everything that overrides or stands in for it.
    ///
    /// # Errors
    /// [`Code::BadDocument`], [`Code::Usage`]: nothing on the disk has been touched.
    pub fn read(&self, context: &Context) -> Result<Task> {
        self.refuse_empty()?;
        let (mut document, unknown) = match &self.task {
            Some(path) => read_document(path, context)?,
            None => (TaskDocument::default(), Vec::new()),
        };
        let mut warnings = Vec::new();
        if !unknown.is_empty() {
            warnings.push(format!("the task document has fields that are not used: {}", unknown.join(", ")));
        }
        let set = |field: &mut String, flag: &Option<String>| {
            if let Some(text) = flag {
                field.clone_from(text);
            }
        };
        set(&mut document.workspace_id, &self.workspace_id);
        set(&mut document.id, &self.task_id);
        set(&mut document.provider, &self.provider);
        set(&mut document.agent.name, &self.agent_name);
        set(&mut document.issue_id, &self.issue_id);
        set(&mut document.chat_session_id, &self.chat_session_id);
        set(&mut document.autopilot_run_id, &self.autopilot_run_id);
        set(&mut document.quick_create_prompt, &self.quick_create_prompt);
        if let Some(path) = &self.instructions {
            document.agent.instructions = read_text(&context.absolute(path), MAX_INPUT)?;
        }
        for folder in &self.skills {
            document.agent.skills.extend(read_skills(&context.absolute(folder), &mut warnings)?);
        }
        if let Some(path) = &self.mcp_config {
            let path = context.absolute(path);
            let text = read_text(&path, MAX_INPUT)?;
            let value = serde_json::from_str(&text).map_err(|error| {
                let message = format!("{}, line {}: {error}", path.display(), error.line());
                Failure::new(Code::BadDocument, message)
                    .hint("`--mcp-config` takes a JSON object with `mcpServers`")
            })?;
            document.agent.mcp_config = Some(value);
        }
        check_lengths(&document)?;
        check_mcp(document.agent.mcp_config.as_ref())?;
        let lease = match self.lease {
            Some(lease) => lease,
            None => context.settings.duration("lease")?,
        };
        if lease > Duration::days(MAX_LEASE) {
            return Err(Failure::new(Code::Usage, format!("a lease is at most {MAX_LEASE} days long")).into());
        }
        let task_id = if document.id.is_empty() { TaskId::random() } else { TaskId::new(&document.id)? };
        let workspace = if document.workspace_id.is_empty() { "default" } else { &document.workspace_id };
        Ok(Task {
            task_id,
            workspace_id: WorkspaceId::new(workspace)?,
            platform: choose_platform(&document, self.platform_cli.as_deref())?,
            lease,
            with_brief: !self.no_brief,
            document,
            warnings,
        })
    }
}

impl TaskInput {
    /// An empty value is a variable that was not set, not a wish.
    fn refuse_empty(&self) -> Result<()> {
        for (option, value) in [
            ("--workspace-id", &self.workspace_id),
            ("--task-id", &self.task_id),
            ("--provider", &self.provider),
        ] {
            if value.as_ref().is_some_and(|value| value.trim().is_empty()) {
                return Err(Failure::new(Code::Usage, format!("`{option}` has an empty value"))
                    .hint("give it one, or leave the option out")
                    .into());
            }
        }
        Ok(())
    }
}

impl Task {
    /// The call that prepare and reuse take.
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
            with_brief: self.with_brief,
            lease: self.lease,
            existing,
            home: context.settings.home.clone(),
            now: context.now,
        }
    }

    /// Takes the identity of an environment that is to be reused, where the document names none.
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
                format!("the environment is of workspace `{workspace}`, the task of `{}`", self.workspace_id),
            )
            .hint("prepare an environment for this task instead")
            .into());
        }
        Ok(())
    }

    /// The provider; empty where the document names none, so that an environment can lend its own.
    pub fn provider_mut(&mut self) -> &mut String {
        &mut self.document.provider
    }

    /// The platform, so that an environment can lend its own to a document that says nothing of one.
    pub fn platform_mut(&mut self) -> &mut Platform {
        &mut self.platform
    }

    /// The document's kind says nothing: a plain task.
    pub fn is_plain(&self) -> bool {
        crate::task::Kind::of(&self.document) == crate::task::Kind::Plain
    }

    /// What prepare and reuse print.
    ///
    /// # Errors
    /// Never, as paths of this program are UTF-8.
    pub fn answer(&self, prepared: &Prepared) -> Result<Answer> {
        let own = prepared.meta.own.clone().unwrap_or_default();
        let warnings: Vec<&String> = self.warnings.iter().chain(&prepared.warnings).collect();
        for warning in &warnings {
            log::warn!("{warning}");
        }
        let json = json!({
            "schema": 1,
            "root_dir": prepared.root_dir,
            "work_dir": prepared.work_dir,
            "provider": own.provider,
            "task_id": own.task_id,
            "workspace_id": prepared.meta.workspace_id,
            "local_directory": prepared.meta.local_directory,
            "type": "directory",
            "branch_name": null,
            "env": own.env,
            "sidecars": {"files": prepared.files, "dirs": prepared.dirs},
            "warnings": warnings,
            "reused": prepared.reused,
        });
        let mut exports = vec![
            ("EXECENV_ROOT".to_owned(), prepared.root_dir.display().to_string()),
            ("EXECENV_WORKDIR".to_owned(), prepared.work_dir.display().to_string()),
        ];
        exports.extend(own.env);
        let shell: Vec<String> =
            exports.iter().map(|(name, value)| format!("export {name}={}", shell_quote(value))).collect();
        let text = prepared.root_dir.display().to_string();
        Ok(Answer { text, json, shell: Some(shell.join("\n")), status: 0 })
    }
}

fn read_document(path: &Path, context: &Context) -> Result<(TaskDocument, Vec<String>)> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().take(MAX_INPUT + 1).read_to_end(&mut bytes).context("read standard input")?;
        if bytes.len() as u64 > MAX_INPUT {
            return Err(too_long("standard input", MAX_INPUT));
        }
        return parse_document(&bytes, "standard input");
    }
    let path = context.absolute(path);
    parse_document(&read_bytes(&path, MAX_INPUT)?, &path.display().to_string())
}

fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let unreadable = |why: String| {
        Failure::new(Code::BadDocument, format!("cannot read {}: {why}", path.display()))
            .hint("check the path and its permissions")
    };
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > limit {
        return Err(too_long(&path.display().to_string(), limit));
    }
    Ok(bytes)
}

fn too_long(name: &str, limit: u64) -> anyhow::Error {
    Failure::new(Code::BadDocument, format!("{name} is longer than {} MiB", limit >> 20)).into()
}

fn read_text(path: &Path, limit: u64) -> Result<String> {
    String::from_utf8(read_bytes(path, limit)?)
        .map_err(|_| Failure::new(Code::BadDocument, format!("{} is not UTF-8 text", path.display())).into())
}

/// What goes into the record must leave it readable.
fn check_lengths(document: &TaskDocument) -> Result<()> {
    for (field, text) in [
        ("provider", &document.provider),
        ("agent.name", &document.agent.name),
        ("agent.id", &document.agent.id),
        ("agent_id", &document.agent_id),
        ("issue_id", &document.issue_id),
        ("chat_session_id", &document.chat_session_id),
        ("autopilot_run_id", &document.autopilot_run_id),
    ] {
        if text.len() > MAX_RECORDED {
            let message = format!("`{field}` is longer than {} KiB", MAX_RECORDED >> 10);
            return Err(Failure::new(Code::BadDocument, message).into());
        }
    }
    Ok(())
}

/// Three states (`providers.md` 1.1.1): unmanaged, managed and empty, managed; anything else is refused.
fn check_mcp(value: Option<&serde_json::Value>) -> Result<()> {
    let Some(value) = value else { return Ok(()) };
    let servers = match value {
        serde_json::Value::Null => return Ok(()),
        serde_json::Value::Object(object) => object.get("mcpServers"),
        _ => None,
    };
    let is_fine = match servers {
        None => value.is_object(),
        Some(serde_json::Value::Null) => true,
        Some(serde_json::Value::Object(servers)) => {
            servers.iter().all(|(name, server)| !name.trim().is_empty() && server.is_object())
        }
        Some(_) => false,
    };
    if is_fine {
        return Ok(());
    }
    Err(Failure::new(Code::BadDocument, "the MCP configuration is no object of named servers")
        .hint("`{\"mcpServers\": {\"name\": {\"command\": \"…\"}}}`; `{}` means: no server at all")
        .into())
}

/// Reads a folder of skills: each child with a `SKILL.md` is one.
fn read_skills(folder: &Path, warnings: &mut Vec<String>) -> Result<Vec<Skill>> {
    let mut found = Vec::new();
    for path in sorted(folder)? {
        if !path.join("SKILL.md").is_file() {
            continue;
        }
        let content = read_text(&path.join("SKILL.md"), MAX_SKILL_FILE)?;
        let (name, description) = frontmatter::read_name_description(&content);
        let name = if name.is_empty() {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        } else {
            name
        };
        let mut beside = Vec::new();
        read_skill_files(&path, &path, &mut beside, warnings)?;
        found.push(Skill { name, description, content, files: beside });
    }
    if found.is_empty() {
        return Err(Failure::new(Code::BadDocument, format!("{} holds no skill", folder.display()))
            .hint("`--skills DIR` takes a folder of `<name>/SKILL.md` trees")
            .into());
    }
    Ok(found)
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |error: std::io::Error| {
        Failure::new(Code::BadDocument, format!("cannot list {}: {error}", folder.display()))
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort_unstable();
    Ok(paths)
}

fn read_skill_files(
    skill: &Path,
    folder: &Path,
    beside: &mut Vec<SkillFile>,
    warnings: &mut Vec<String>,
) -> Result<()> {
    for path in sorted(folder)? {
        let metadata = path.symlink_metadata().with_context(|| format!("look at {}", path.display()))?;
        let relative = path.strip_prefix(skill).unwrap_or(&path).display().to_string();
        if metadata.is_dir() {
            read_skill_files(skill, &path, beside, warnings)?;
        } else if !metadata.is_file() || files::is_binary_name(&relative) {
            warnings.push(format!("the skill file {} is no text and is left out", path.display()));
        } else if !files::is_reserved(&relative) {
            let bytes = read_bytes(&path, MAX_SKILL_FILE)?;
            match String::from_utf8(bytes) {
                Ok(content) if !content.contains('\0') => beside.push(SkillFile { path: relative, content }),
                _ => warnings.push(format!("the skill file {} is no text and is left out", path.display())),
            }
        }
    }
    Ok(())
}
