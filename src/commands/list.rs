//! `execenv list`.

pub(crate) mod document;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use clap::Args;

use document::{ListDocument, ListedEnv, ListedResult, ListedRoot, ListedRun};

use crate::environment::{Identity, MadeBy, Meta, Own, WorkspacesRoot, made_by, upstream_roots};
use crate::gc::{GcFacts, look};
use crate::invocation::{Context, workspace_completer};
use crate::layout::names;
use crate::output::{Answer, columns, escape, shell_quote, show_age, show_bytes};
use crate::sys::tree::Tree;
use crate::sys::walk::measure;

/// List all environments in the workspaces root
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv list
  execenv list --sizes -o json | jq '.environments[] | select(.live)'
  execenv list -o json | jq -r '.environments[]|[.task_id,.last_result.status,.last_result.exit_code]|@tsv'
  execenv list --foreign")]
pub struct ListArgs {
    /// Add the disk usage of each environment
    #[arg(long)]
    pub sizes: bool,
    /// List only this workspace
    #[arg(long, value_name = "ID", add = workspace_completer())]
    pub workspace: Option<String>,
    /// List only environments of other tools: in the workspaces root, in ~/multica_workspaces and in its profiles' roots
    #[arg(long)]
    pub foreign: bool,
}

/// The version of the answer.
const SCHEMA: u32 = 1;

pub(crate) fn run(args: &ListArgs, context: &Context) -> Result<Answer> {
    if args.foreign {
        return foreign(args, context);
    }
    let tree = context.root.open()?;
    if let Some(name) = &args.workspace {
        context.warn_if_no_workspace(tree.as_ref(), name)?;
    }
    let seen = match &tree {
        Some(tree) => environments(&context.root, tree, args, context.now)?,
        None => Vec::new(),
    };
    if seen.is_empty() && args.workspace.is_none() {
        context.note_that_nothing_is_there(tree.as_ref())?;
    }
    let rows: Vec<[String; 9]> = seen.iter().map(|seen| row(seen, context.now)).collect();
    let text = if rows.is_empty() { String::new() } else { table(&rows) };
    answer(text, ListDocument { schema: SCHEMA, environments: seen, roots: None })
}

fn answer(text: String, document: ListDocument) -> Result<Answer> {
    Ok(Answer::new(text, serde_json::to_value(document).context("encode the list")?))
}

fn environments(
    root: &WorkspacesRoot,
    tree: &Tree,
    args: &ListArgs,
    now: DateTime<Utc>,
) -> Result<Vec<ListedEnv>> {
    let mut seen = Vec::new();
    for workspace in root.workspaces(tree)? {
        let is_other = args.workspace.as_ref().is_some_and(|wanted| *wanted != workspace);
        for key in &root.keys(tree, &workspace).unwrap_or_default() {
            let Ok(env) = tree.subtree(&Path::new(&workspace).join(key)) else { continue };
            let record = Meta::load(&env);
            let identity = Identity::of(&env, record.as_ref().ok().and_then(Option::as_ref));
            // multica's folders are named for people; the record has the id.
            if is_other && args.workspace.as_ref() != Some(&identity.workspace_id) {
                continue;
            }
            let made_by = made_by(&env, &record);
            if args.foreign && made_by == MadeBy::Execenv {
                continue;
            }
            let Some(facts) = look(tree, &workspace, Path::new(key), now) else { continue };
            let own = record.ok().flatten().and_then(|meta| meta.own).unwrap_or_default();
            let bytes = args.sizes.then(|| measure(&facts.root_dir).bytes);
            seen.push(listed(
                workspace.clone(),
                identity,
                &key.to_string_lossy(),
                made_by,
                facts,
                own,
                bytes,
            ));
        }
    }
    Ok(seen)
}

/// A root of another tool that contains environments.
struct ForeignRoot {
    path: PathBuf,
    environments: usize,
    /// Whether it has the marker file without which `gc` refuses it.
    is_marked: bool,
}

impl ForeignRoot {
    /// The command that collects it.
    fn commands(&self) -> String {
        let path = self.path.display().to_string();
        let collect = format!("execenv gc --workspaces-root {}", shell_quote(&path));
        if self.is_marked {
            return collect;
        }
        // Only later versions of multica mark their roots.
        format!("touch {} && {collect}", shell_quote(&format!("{path}/{}", names::MARK)))
    }
}

/// Lists the environments of other tools in all places that execenv knows.
fn foreign(args: &ListArgs, context: &Context) -> Result<Answer> {
    let own = context.root.open()?;
    let mut seen = match &own {
        Some(tree) => environments(&context.root, tree, args, context.now)?,
        None => Vec::new(),
    };
    let own_identity = own.as_ref().map(Tree::identity).transpose()?;
    let mut roots = Vec::new();
    for upstream in context.settings.home.as_deref().map(upstream_roots).unwrap_or_default() {
        let root = WorkspacesRoot::new(upstream.path);
        // One that cannot be read does not hide the others.
        let tree = match root.open() {
            Ok(Some(tree)) => tree,
            Ok(None) => continue,
            Err(error) => {
                log::warn!("{error:#}");
                continue;
            }
        };
        if own_identity.is_some() && tree.identity().ok() == own_identity {
            continue;
        }
        let there = environments(&root, &tree, args, context.now)?;
        if !there.is_empty() {
            let is_marked = WorkspacesRoot::is_marked(&tree)?;
            roots.push(ForeignRoot { path: root.path().to_owned(), environments: there.len(), is_marked });
        }
        seen.extend(there);
    }
    let text = foreign_text(&seen, &roots, context);
    let roots = roots.iter().map(|root| ListedRoot {
        path: root.path.to_string_lossy().into_owned(),
        environments: root.environments,
        collect: root.commands(),
    });
    answer(text, ListDocument { schema: SCHEMA, environments: seen, roots: Some(roots.collect()) })
}

fn foreign_text(seen: &[ListedEnv], roots: &[ForeignRoot], context: &Context) -> String {
    if seen.is_empty() {
        return String::new();
    }
    let header = ["MADE BY", "KIND", "STATUS", "LIVE", "AGE", "SIZE", "PATH"].map(str::to_owned);
    let rows = seen.iter().map(|seen| {
        let [_, _, _, _, kind, status, live, age, size] = row(seen, context.now);
        let size = if size.is_empty() { "-".to_owned() } else { size };
        let path = escape(&seen.root_dir);
        [seen.made_by.word().to_owned(), kind, status, live, age, size, path]
    });
    let mut text = columns(&std::iter::once(header).chain(rows).collect::<Vec<_>>());
    let in_roots: usize = roots.iter().map(|root| root.environments).sum();
    if in_roots < seen.len() {
        text.push_str("\n\n`execenv gc` collects those in the workspaces root (see `execenv gc --dry-run`)");
    }
    if !roots.is_empty() {
        text.push_str(
            "\n\nto collect a root of another tool (with --dry-run to see first what would be removed):",
        );
    }
    for root in roots {
        text.push_str("\n  ");
        text.push_str(&escape(&root.commands()));
    }
    text
}

/// What is shown of an environment; `own` is our own part of its record.
fn listed(
    workspace: String,
    identity: Identity,
    key: &str,
    made_by: MadeBy,
    facts: GcFacts,
    own: Own,
    bytes: Option<u64>,
) -> ListedEnv {
    let live = facts.is_held();
    ListedEnv {
        root_dir: facts.root_dir.to_string_lossy().into_owned(),
        workspace_id: if identity.workspace_id.is_empty() {
            workspace.clone()
        } else {
            identity.workspace_id
        },
        workspace,
        key: key.to_owned(),
        task_id: identity.task_id,
        provider: own.provider,
        made_by,
        kind: facts.kind,
        status: facts.status,
        live,
        local_directory: facts.local_directory,
        last_used: facts.last_used,
        run: own.run.map(|run| ListedRun { host: run.host }),
        last_result: own.last_result.map(|last| ListedResult {
            status: last.status,
            exit_code: last.exit_code,
            failure_reason: last.failure_reason,
            ended_at: last.ended_at,
        }),
        bytes,
    }
}

fn row(env: &ListedEnv, now: DateTime<Utc>) -> [String; 9] {
    let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { escape(text) };
    let age = env.last_used.map(|at| now - at);
    [
        escape(&env.workspace),
        dash(&env.key),
        dash(&env.task_id),
        dash(&env.provider),
        dash(&env.kind),
        env.status.word().to_owned(),
        if env.live { "live" } else { "-" }.to_owned(),
        age.map_or_else(|| "-".to_owned(), show_age),
        env.bytes.map(show_bytes).unwrap_or_default(),
    ]
}

fn table(rows: &[[String; 9]]) -> String {
    let header =
        ["WORKSPACE", "KEY", "TASK", "PROVIDER", "KIND", "STATUS", "LIVE", "AGE", "SIZE"].map(str::to_owned);
    let has_sizes = rows.iter().any(|row| !row[8].is_empty());
    let has_several = rows.iter().any(|row| row[0] != rows[0][0]);
    let shown = usize::from(!has_several)..if has_sizes { 9 } else { 8 };
    let all: Vec<&[String]> = std::iter::once(&header).chain(rows).map(|row| &row[shown.clone()]).collect();
    columns(&all)
}
