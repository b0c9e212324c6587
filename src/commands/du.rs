//! `execenv du`.

mod text;
mod tree;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use clap::Args;

use text::{Shown, beside, section, show_totals};

use super::rows::{Field, SelectArgs, Selection, Value, describe, watch};
use crate::environment::{UpstreamRoot, WorkspacesRoot, upstream_roots};
use crate::failure::{Code, Failure};
use crate::gc::artifacts::Patterns;
use crate::gc::usage::{
    Aggregate, Places, ProfileReport, Report, Scan, Stores, TaskUsage, WorkspaceUsage, count_tasks, look,
    outside,
};
use crate::invocation::{Context, Origin};
use crate::order;
use crate::output::{Answer, Screen, counted, escape, shell_quote};

/// What a row can be sorted and filtered by.
const FIELDS: [Field; 7] =
    [Field::Key, Field::Workspace, Field::Kind, Field::Status, Field::Age, Field::Size, Field::Artifacts];
/// The same of a workspace.
const WORKSPACE_FIELDS: [Field; 4] = [Field::Workspace, Field::Age, Field::Size, Field::Artifacts];
/// How many environments of a workspace `--tree` shows, unless `--top` says so.
const TOP_OF_TREE: usize = 10;

/// The most other roots that are listed.
const MOST_HINTS: usize = 5;

/// Show the disk usage of environments, and how much of it is build artifacts
///
/// A size is the sum of the lengths of all regular files, including repositories; links do not count. ARTIFACTS is the part
/// that `gc` may remove from an environment that it keeps: folders named in the setting `artifact_patterns`
/// [variables: EXECENV_GC_ARTIFACT_PATTERNS, else MULTICA_GC_ARTIFACT_PATTERNS]. `du` changes nothing.
///
/// The environments that --filter leaves out count in the totals of the root all the same.
#[derive(Debug, Args)]
#[command(mut_args(describe(&FIELDS)))]
#[command(after_help = "Examples:
  execenv du
  execenv du --tree
  execenv du --sort -artifacts --filter 'age>7d' --top 10
  execenv du --by-workspace --top 5
  execenv du -o json | jq '.shares'
  execenv du --all-profiles")]
pub struct DuArgs {
    /// Print one row per environment (default)
    #[arg(long, conflicts_with_all = ["by_workspace", "tree"])]
    pub by_task: bool,
    /// Print one row per workspace
    #[arg(long)]
    pub by_workspace: bool,
    /// Print what the root consists of, down to the parts of each environment, with bars; by default the 10 largest environments of
    /// each workspace. `-o json` has the parts of all
    #[arg(long, conflicts_with_all = ["by_workspace", "sort", "reverse"])]
    pub tree: bool,
    /// Print only the first N rows of each root: the largest, unless --sort says otherwise; the totals still include all; 0: print
    /// all
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
    /// Show multica's own roots instead of the workspaces root: ~/multica_workspaces and those of its profiles
    #[arg(long)]
    pub all_profiles: bool,
    /// Which of them, and in which order.
    #[command(flatten)]
    pub select: SelectArgs,
}

pub(crate) fn run(args: &DuArgs, context: &Context) -> Result<Answer> {
    let fields = if args.by_workspace { &WORKSPACE_FIELDS[..] } else { &FIELDS };
    let request = Request {
        args,
        patterns: Patterns::parse(&context.settings.artifact_patterns)?,
        // Which environments count is asked of each, whatever is printed.
        filters: Selection::of(
            &SelectArgs { filter: args.select.filter.clone(), ..SelectArgs::default() },
            &FIELDS,
        )?,
        order: Selection::of(&SelectArgs { filter: Vec::new(), ..args.select.clone() }, fields)?,
    };
    if let Some(pause) = args.select.watch {
        watch("du", pause, context, |now| Ok(request.answer(now, context)?.text))?;
    }
    request.answer(context.now, context)
}

/// What is asked for, checked.
struct Request<'a> {
    args: &'a DuArgs,
    patterns: Patterns,
    filters: Selection,
    order: Selection,
}

impl Request<'_> {
    fn answer(&self, now: DateTime<Utc>, context: &Context) -> Result<Answer> {
        if self.args.all_profiles { self.aggregate(now, context) } else { self.single(now, context) }
    }

    fn shown(&self, context: &Context) -> Shown {
        Shown {
            tree: self.args.tree.then_some(match self.args.top {
                None => TOP_OF_TREE,
                Some(0) => usize::MAX,
                Some(top) => top,
            }),
            by_workspace: self.args.by_workspace,
            is_filtered: self.filters.is_filtered(),
            draws_blocks: is_utf8(context),
            screen: Screen::of_stdout(),
        }
    }

    fn scan(&self, root: &WorkspacesRoot, now: DateTime<Utc>, context: &Context) -> Result<Scan> {
        let mut scan = look(root, &self.patterns, now, &context.progress)?;
        if !self.args.tree {
            scan.tasks.iter_mut().for_each(|task| task.parts.clear());
        }
        Ok(scan)
    }

    fn single(&self, now: DateTime<Utc>, context: &Context) -> Result<Answer> {
        let root = &context.root;
        let scan = self.scan(root, now, context)?;
        let path = root.path().display().to_string();
        let mut report = Report::of(&path, scan, outside(&places(context)), &self.patterns, now);
        self.select(&mut report);
        let shown = self.shown(context);
        let mut text = String::new();
        match shown.tree {
            Some(_) => text.push_str(&tree::text(&report, &shown)),
            None => {
                let _ = writeln!(text, "{}", escape(&report.workspaces_root));
                text.push_str(&section(&report, &shown));
                text.push_str(&beside(&report.totals, &report.stores, &report.outside));
            }
        }
        text.push_str(&hints(&other_roots(context)));
        let json = serde_json::to_value(&report).context("encode the report")?;
        Ok(Answer::new(text.trim_end(), json))
    }

    fn aggregate(&self, now: DateTime<Utc>, context: &Context) -> Result<Answer> {
        if is_root_named(context) {
            return Err(Failure::new(
                Code::Usage,
                "`--all-profiles` and `--workspaces-root` exclude each other",
            )
            .hint("leave one of them out")
            .into());
        }
        let home = context.settings.home.as_deref().ok_or_else(|| {
            Failure::new(
                Code::BadConfig,
                "the home directory is unknown, so multica's profiles cannot be found",
            )
            .hint("set HOME")
        })?;
        let mut roots = Vec::new();
        for UpstreamRoot { profile, path } in upstream_roots(home) {
            let scan = self.scan(&WorkspacesRoot::new(path.clone()), now, context)?;
            let path = path.display().to_string();
            roots.push(ProfileReport {
                profile,
                report: Report::of(&path, scan, Vec::new(), &self.patterns, now),
            });
        }
        let mut all = Aggregate::of(roots, outside(&places(context)), &self.patterns, now);
        let shown = self.shown(context);
        let mut text = format!("{}\n", counted(all.roots.len() as u64, "root", "roots"));
        for ProfileReport { profile, report } in &mut all.roots {
            self.select(report);
            match shown.tree {
                Some(_) => {
                    let _ = write!(text, "\n[{}]\n{}", escape(profile), tree::text(report, &shown));
                }
                None => {
                    let _ = writeln!(text, "\n[{}] {}", escape(profile), escape(&report.workspaces_root));
                    text.push_str(&section(report, &shown));
                }
            }
        }
        let _ = writeln!(text, "\nall roots: {}", show_totals(&all.totals));
        let stores = Stores {
            repo_cache_size_bytes: all.stores.total_repo_cache_size_bytes,
            repo_cache_count: all.stores.total_repo_cache_count,
            trash_size_bytes: all.stores.total_trash_size_bytes,
            trash_count: all.stores.total_trash_count,
            stores_size_bytes: all.stores.total_stores_size_bytes,
            stores_count: all.stores.total_stores_count,
            other_size_bytes: all.stores.total_other_size_bytes,
        };
        text.push_str(&beside(&all.totals, &stores, &all.outside));
        let json = serde_json::to_value(&all).context("encode the report")?;
        Ok(Answer::new(text.trim_end(), json))
    }

    /// Leaves out what is not asked for, and puts the rest in order.
    fn select(&self, report: &mut Report) {
        if self.filters.is_filtered() {
            report.select(|tasks| self.filters.filter(tasks, value));
        }
        match self.args.by_workspace {
            true => self.order.sort(&mut report.workspaces, workspace_value),
            false => self.order.sort(&mut report.tasks, value),
        }
        if let Some(top) = self.args.top.filter(|top| *top > 0 && !self.args.tree) {
            report.keep_first(top, self.args.by_workspace);
        }
    }
}

/// What an environment has in a field.
fn value(task: &TaskUsage, field: Field) -> Value<'_> {
    match field {
        Field::Key => task.task_short.as_str().into(),
        Field::Workspace => task.workspace_id.as_str().into(),
        Field::Kind => task.kind.as_str().into(),
        Field::Status => task.status.into(),
        Field::Age => Value::Number(task.age_seconds),
        Field::Size => Value::Number(task.size_bytes),
        Field::Artifacts => Value::Number(task.artifact_size_bytes),
        _ => Value::Unknown,
    }
}

/// What a workspace has in a field; its age is that of its oldest environment.
fn workspace_value(workspace: &WorkspaceUsage, field: Field) -> Value<'_> {
    match field {
        Field::Workspace => workspace.workspace_id.as_str().into(),
        Field::Age => Value::Number(workspace.oldest_age_seconds),
        Field::Size => Value::Number(workspace.size_bytes),
        Field::Artifacts => Value::Number(workspace.artifact_size_bytes),
        _ => Value::Unknown,
    }
}

/// Whether the terminal's locale has more characters than ASCII: the first of these variables that is set says so.
fn is_utf8(context: &Context) -> bool {
    let variable = |name| context.settings.variable(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable);
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Whether the root is given on the command line.
fn is_root_named(context: &Context) -> bool {
    context.settings.origin("workspaces_root") == Some(&Origin::Flag)
}

fn places(context: &Context) -> Places {
    let settings = &context.settings;
    let variable = |name| settings.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let in_home = |name: &str| settings.home.as_ref().map(|home| home.join(name));
    let tmp = Path::new("/tmp");
    Places {
        task_temp_base: variable("MULTICA_AGENT_TEMP_BASE").unwrap_or_else(|| tmp.to_owned()),
        run_temp_base: tmp.to_owned(),
        codex_home: variable("CODEX_HOME").or_else(|| in_home(".codex")),
        multica_home: in_home(".multica"),
    }
}

/// Other roots that contain environments, those with the most first.
fn other_roots(context: &Context) -> Vec<(usize, String)> {
    let Some(home) = context.settings.home.as_deref().filter(|_| !is_root_named(context)) else {
        return Vec::new();
    };
    let this = context.root.path();
    let identity = |path: &Path| path.canonicalize().ok();
    let others = upstream_roots(home).into_iter().filter(|root| identity(&root.path) != identity(this));
    let counted = others.map(|UpstreamRoot { path, .. }| {
        (count_tasks(&WorkspacesRoot::new(path.clone())), path.display().to_string())
    });
    let mut found: Vec<(usize, String)> = counted.filter(|(count, _)| *count > 0).collect();
    order::sort_by_key(&mut found, |(count, _)| std::cmp::Reverse(*count)); // stable: ties stay by name
    found.truncate(MOST_HINTS);
    found
}

fn hints(roots: &[(usize, String)]) -> String {
    let mut text = String::new();
    if !roots.is_empty() {
        text.push_str("\nother roots with environments:\n");
    }
    for (count, path) in roots {
        let count = counted(*count as u64, "environment", "environments");
        let _ = writeln!(text, "  execenv du --workspaces-root {}  # {count}", escape(&shell_quote(path)));
    }
    text
}
