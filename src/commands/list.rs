//! `execenv list`.

pub(crate) mod document;
mod text;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use clap::Args;

use document::{ListDocument, ListedEnv, ListedResult, ListedRoot, ListedRun};
use text::{foreign_text, own_text};

use super::rows::{Field, SelectArgs, Selection, Value, describe, watch};
use crate::environment::{
    Identity, MadeBy, Meta, Own, WorkspacesRoot, holder_of_env, made_by, upstream_roots,
};
use crate::gc::{GcFacts, look};
use crate::invocation::{Context, workspace_completer};
use crate::layout::names;
use crate::output::{Answer, shell_quote};
use crate::sys::lock::Holder;
use crate::sys::tree::Tree;
use crate::sys::walk::measure;

/// What a row can be sorted and filtered by.
const FIELDS: [Field; 12] = [
    Field::Key,
    Field::Task,
    Field::Workspace,
    Field::Provider,
    Field::Kind,
    Field::Status,
    Field::Result,
    Field::Live,
    Field::Local,
    Field::MadeBy,
    Field::Age,
    Field::Size,
];

/// List all environments in the workspaces root
///
/// ENV is what other commands take to name the environment. STATUS is what it is doing or how its last run ended; behind `cleaned` there is
/// how that run ended, if it did not complete, and `start failed` says that a later run failed before its agent started (`execenv show`
/// says why). AGE is the time since its last use. On a terminal that is too narrow, long names are shortened and the last columns left
/// out; a file or a pipe gets all.
///
/// --filter status=failed finds what is to be looked at now; result=failed also what has been cleaned up or refreshed since.
#[derive(Debug, Args)]
#[command(mut_args(describe(&FIELDS)))]
#[command(after_help = "Examples:
  execenv list
  execenv list --sort -size --filter 'age>7d'
  execenv list --filter status=failed,crashed --filter task~login
  execenv list --filter result=failed,crashed,timeout
  execenv list --filter live=true --watch
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
    /// Which of them, and in which order.
    #[command(flatten)]
    pub select: SelectArgs,
}

/// The version of the answer.
const SCHEMA: u32 = 1;

pub(crate) fn run(args: &ListArgs, context: &Context) -> Result<Answer> {
    let selection = Selection::of(&args.select, &FIELDS)?;
    let request = Request { args, sizes: args.sizes || selection.needs(Field::Size), selection };
    if let Some(pause) = args.select.watch {
        watch("list", pause, context, |now| Ok(request.answer(now, true, context)?.text))?;
    }
    request.answer(context.now, false, context)
}

/// What is asked for, checked.
struct Request<'a> {
    args: &'a ListArgs,
    /// Each environment is measured.
    sizes: bool,
    selection: Selection,
}

impl Request<'_> {
    /// The answer at this time; `is_again`: there was one before.
    fn answer(&self, now: DateTime<Utc>, is_again: bool, context: &Context) -> Result<Answer> {
        if self.args.foreign { self.foreign(now, context) } else { self.own(now, is_again, context) }
    }

    fn own(&self, now: DateTime<Utc>, is_again: bool, context: &Context) -> Result<Answer> {
        let tree = context.root.open()?;
        if let Some(name) = &self.args.workspace {
            context.warn_if_no_workspace(tree.as_ref(), name)?;
        }
        let mut seen = match &tree {
            Some(tree) => self.environments(&context.root, tree, now)?,
            None => Vec::new(),
        };
        if seen.is_empty() && self.args.workspace.is_none() && !is_again {
            context.note_that_nothing_is_there(tree.as_ref())?;
        }
        self.select(&mut seen, now);
        answer(own_text(&seen, now), ListDocument { schema: SCHEMA, environments: seen, roots: None })
    }

    fn select(&self, seen: &mut Vec<ListedEnv>, now: DateTime<Utc>) {
        self.selection.filter(seen, |env, field| value(env, field, now));
        self.selection.sort(seen, |env, field| value(env, field, now));
    }

    fn environments(&self, root: &WorkspacesRoot, tree: &Tree, now: DateTime<Utc>) -> Result<Vec<ListedEnv>> {
        let mut seen = Vec::new();
        let mut keys = HashMap::new();
        let wanted = self.args.workspace.as_ref();
        for workspace in root.workspaces(tree)? {
            let is_other = wanted.is_some_and(|wanted| *wanted != workspace);
            for key in &root.keys(tree, &workspace).unwrap_or_default() {
                *keys.entry(key.to_string_lossy().into_owned()).or_insert(0_u32) += 1;
                let Ok(env) = tree.subtree(&Path::new(&workspace).join(key)) else { continue };
                let record = Meta::load(&env);
                let identity = Identity::of(&env, record.as_ref().ok().and_then(Option::as_ref));
                // multica's folders are named for people; the record has the id.
                if is_other && wanted != Some(&identity.workspace_id) {
                    continue;
                }
                let made_by = made_by(&env, &record);
                if self.args.foreign && made_by == MadeBy::Execenv {
                    continue;
                }
                let Some(facts) = look(tree, &workspace, Path::new(key), now) else { continue };
                let own = record.ok().flatten().and_then(|meta| meta.own).unwrap_or_default();
                let bytes = self.sizes.then(|| measure(&facts.root_dir).bytes);
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
        for env in &mut seen {
            let is_alone = keys.get(&env.key) == Some(&1);
            env.name = if is_alone { env.key.clone() } else { format!("{}/{}", env.workspace, env.key) };
        }
        Ok(seen)
    }
}

fn answer(text: String, document: ListDocument) -> Result<Answer> {
    Ok(Answer::new(text, serde_json::to_value(document).context("encode the list")?))
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

impl Request<'_> {
    /// Lists the environments of other tools in all places that execenv knows.
    fn foreign(&self, now: DateTime<Utc>, context: &Context) -> Result<Answer> {
        let own = context.root.open()?;
        let mut seen = match &own {
            Some(tree) => self.environments(&context.root, tree, now)?,
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
            let there = self.environments(&root, &tree, now)?;
            if !there.is_empty() {
                let is_marked = WorkspacesRoot::is_marked(&tree)?;
                roots.push(ForeignRoot {
                    path: root.path().to_owned(),
                    environments: there.len(),
                    is_marked,
                });
            }
            seen.extend(there);
        }
        let in_roots: usize = roots.iter().map(|root| root.environments).sum();
        let is_any_ours = in_roots < seen.len();
        self.select(&mut seen, now);
        let roots = roots.iter().map(|root| ListedRoot {
            path: root.path.to_string_lossy().into_owned(),
            environments: root.environments,
            collect: root.commands(),
        });
        let roots: Vec<ListedRoot> = roots.collect();
        let text = foreign_text(&seen, &roots, is_any_ours, now);
        answer(text, ListDocument { schema: SCHEMA, environments: seen, roots: Some(roots) })
    }
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
    let holder = live.then(|| holder_of_env(&facts.root_dir)).flatten();
    ListedEnv {
        root_dir: facts.root_dir.to_string_lossy().into_owned(),
        workspace_id: if identity.workspace_id.is_empty() {
            workspace.clone()
        } else {
            identity.workspace_id
        },
        workspace,
        name: key.to_owned(),
        key: key.to_owned(),
        task_id: identity.task_id,
        provider: own.provider,
        made_by,
        kind: facts.kind,
        status: facts.status,
        live,
        is_shell: holder.as_ref().is_some_and(Holder::is_shell),
        held_by: holder.map(|holder| holder.to_string()),
        local_directory: facts.local_directory,
        last_used: facts.last_used,
        run: own.run.map(|run| ListedRun { host: run.host }),
        last_result: own.last_result.map(|last| ListedResult {
            status: last.status,
            exit_code: last.exit_code,
            failure_reason: last.failure_reason,
            ended_at: last.ended_at,
        }),
        failed_start: own.failed_start,
        bytes,
    }
}

/// What a row has in a field.
fn value(env: &ListedEnv, field: Field, now: DateTime<Utc>) -> Value<'_> {
    match field {
        Field::Key => env.key.as_str().into(),
        Field::Task => env.task_id.as_str().into(),
        Field::Workspace => env.workspace_id.as_str().into(),
        Field::Provider => env.provider.as_str().into(),
        Field::Kind => env.kind.as_str().into(),
        Field::Status => env.status.word().into(),
        Field::Result => env.last_result.as_ref().map_or("", |last| last.status.as_str()).into(),
        Field::MadeBy => env.made_by.word().into(),
        Field::Live => Value::Flag(env.live),
        Field::Local => Value::Flag(env.local_directory),
        Field::Age => seconds(env, now).into(),
        Field::Size => env.bytes.into(),
        Field::Artifacts => Value::Unknown,
    }
}

/// How long it has not been used.
fn seconds(env: &ListedEnv, now: DateTime<Utc>) -> Option<u64> {
    env.last_used.map(|at| u64::try_from((now - at).num_seconds()).unwrap_or(0))
}
