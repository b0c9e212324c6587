//! `execenv du`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::environment::{UpstreamRoot, WorkspacesRoot, upstream_roots};
use crate::failure::{Code, Failure};
use crate::gc::artifacts::Patterns;
use crate::gc::usage::{
    Aggregate, Outside, Places, ProfileReport, Report, Stores, Totals, count_tasks, look, outside,
};
use crate::invocation::{Context, Origin};
use crate::order;
use crate::output::{Answer, columns, counted, escape, shell_quote, show_age_in_two, show_bytes};

/// The most other roots that are listed.
const MOST_HINTS: usize = 5;

/// Show the disk usage of environments, and how much of it is build artifacts
///
/// A size is the sum of the lengths of all regular files, including repositories; links do not count. ARTIFACTS is the part
/// that `gc` may remove from an environment that it keeps: folders named in the setting `artifact_patterns`
/// [variables: EXECENV_GC_ARTIFACT_PATTERNS, else MULTICA_GC_ARTIFACT_PATTERNS]. `du` changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv du
  execenv du --by-workspace --top 5
  execenv du -o json | jq '.shares'
  execenv du --all-profiles")]
pub struct DuArgs {
    /// Print one row per environment (default)
    #[arg(long, conflicts_with = "by_workspace")]
    pub by_task: bool,
    /// Print one row per workspace
    #[arg(long)]
    pub by_workspace: bool,
    /// Print only the N largest rows of each root; the totals still include all; 0: print all
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub top: usize,
    /// Show multica's own roots instead of the workspaces root: ~/multica_workspaces and those of its profiles
    #[arg(long)]
    pub all_profiles: bool,
}

pub(crate) fn run(args: &DuArgs, context: &Context) -> Result<Answer> {
    let patterns = Patterns::parse(&context.settings.artifact_patterns)?;
    if args.all_profiles { aggregate(args, context, &patterns) } else { single(args, context, &patterns) }
}

fn single(args: &DuArgs, context: &Context, patterns: &Patterns) -> Result<Answer> {
    let root = &context.root;
    let scan = look(root, patterns, context.now)?;
    let path = root.path().display().to_string();
    let mut report = Report::of(&path, scan, outside(&places(context)), patterns, context.now);
    cut(&mut report, args);
    let mut text = format!("{}\n", escape(&report.workspaces_root));
    text.push_str(&section(&report, args));
    text.push_str(&beside(&report.totals, &report.stores, &report.outside));
    text.push_str(&hints(&other_roots(context)));
    let json = serde_json::to_value(&report).context("encode the report")?;
    Ok(Answer::new(text.trim_end(), json))
}

fn aggregate(args: &DuArgs, context: &Context, patterns: &Patterns) -> Result<Answer> {
    if is_root_named(context) {
        return Err(Failure::new(Code::Usage, "`--all-profiles` and `--workspaces-root` exclude each other")
            .hint("leave one of them out")
            .into());
    }
    let home = context.settings.home.as_deref().ok_or_else(|| {
        Failure::new(Code::BadConfig, "the home directory is unknown, so multica's profiles cannot be found")
            .hint("set HOME")
    })?;
    let mut roots = Vec::new();
    for UpstreamRoot { profile, path } in upstream_roots(home) {
        let scan = look(&WorkspacesRoot::new(path.clone()), patterns, context.now)?;
        let path = path.display().to_string();
        roots.push(ProfileReport {
            profile,
            report: Report::of(&path, scan, Vec::new(), patterns, context.now),
        });
    }
    let mut all = Aggregate::of(roots, outside(&places(context)), patterns, context.now);
    let mut text = format!("{} roots\n", all.roots.len());
    for ProfileReport { profile, report } in &mut all.roots {
        cut(report, args);
        let _ = writeln!(text, "\n[{}] {}", escape(profile), escape(&report.workspaces_root));
        text.push_str(&section(report, args));
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

fn cut(report: &mut Report, args: &DuArgs) {
    if args.top > 0 {
        report.keep_largest(args.top, args.by_workspace);
    }
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

/// The rows of one root, and their totals.
fn section(report: &Report, args: &DuArgs) -> String {
    let whole = show_totals(&report.totals);
    let (rows, shown) = if args.by_workspace {
        (workspace_rows(report), report.workspaces.iter().map(|workspace| workspace.size_bytes).sum())
    } else {
        (task_rows(report), report.tasks.iter().map(|task| task.size_bytes).sum())
    };
    let Some(rows) = rows else {
        return format!("(no {})\n", if args.by_workspace { "workspaces" } else { "task directories" });
    };
    let (count, all) = if args.by_workspace {
        (report.workspaces.len(), report.totals.workspaces)
    } else {
        (report.tasks.len(), report.totals.tasks)
    };
    let cut = (count as u64) < all;
    let shown = if cut { format!("shown: {count} of {all}, {}\n", show_bytes(shown)) } else { String::new() };
    format!("{rows}\n{shown}total: {whole}\n")
}

fn task_rows(report: &Report) -> Option<String> {
    let header = ["ENV", "KIND", "STATUS", "AGE", "SIZE", "ARTIFACTS"].map(str::to_owned);
    let rows = report.tasks.iter().map(|task| {
        [
            format!("{}/{}", escape(&task.workspace), escape(&task.task_short)),
            escape(&task.kind),
            task.status.to_owned(),
            show_age_in_two(task.age_seconds),
            show_bytes(task.size_bytes),
            show_bytes(task.artifact_size_bytes),
        ]
    });
    (!report.tasks.is_empty()).then(|| columns(&std::iter::once(header).chain(rows).collect::<Vec<_>>()))
}

fn workspace_rows(report: &Report) -> Option<String> {
    let header = ["WORKSPACE", "TASKS", "SIZE", "ARTIFACTS", "ARTIFACT %", "OLDEST"].map(str::to_owned);
    let rows = report.workspaces.iter().map(|workspace| {
        [
            escape(&workspace.workspace),
            workspace.task_count.to_string(),
            show_bytes(workspace.size_bytes),
            show_bytes(workspace.artifact_size_bytes),
            percent(workspace.artifact_ratio),
            show_age_in_two(workspace.oldest_age_seconds),
        ]
    });
    (!report.workspaces.is_empty()).then(|| columns(&std::iter::once(header).chain(rows).collect::<Vec<_>>()))
}

fn show_totals(totals: &Totals) -> String {
    format!(
        "{}, {}, {}, of which artifacts {} ({})",
        counted(totals.tasks, "task directory", "task directories"),
        counted(totals.workspaces, "workspace", "workspaces"),
        show_bytes(totals.size_bytes),
        show_bytes(totals.artifact_size_bytes),
        percent(totals.artifact_ratio),
    )
}

/// What else takes space. Places that take none are left out.
fn beside(totals: &Totals, stores: &Stores, outside: &[Outside]) -> String {
    let mut text = String::new();
    let mut all = totals.size_bytes + stores.size_bytes();
    if stores.trash_size_bytes > 0 {
        let entries = counted(stores.trash_count, "entry", "entries");
        let _ = writeln!(text, "trash: {entries}, {}", show_bytes(stores.trash_size_bytes));
    }
    if stores.repo_cache_size_bytes > 0 {
        let count = counted(stores.repo_cache_count, "repository", "repositories");
        let _ = writeln!(text, "repositories: {count}, {}", show_bytes(stores.repo_cache_size_bytes));
    }
    if stores.stores_size_bytes > 0 {
        let count = counted(stores.stores_count, "store", "stores");
        let _ = writeln!(text, "sessions and memories: {count}, {}", show_bytes(stores.stores_size_bytes));
    }
    if stores.other_size_bytes > 0 {
        let _ = writeln!(text, "marker, locks, leftovers: {}", show_bytes(stores.other_size_bytes));
    }
    for Outside { path, what, size_bytes, count } in outside {
        let what = what.replace('_', " ");
        let _ = writeln!(text, "outside: {count} {what} in {}, {}", escape(path), show_bytes(*size_bytes));
        all += size_bytes;
    }
    if !text.is_empty() {
        let _ = writeln!(text, "sum: {}", show_bytes(all));
    }
    text
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
        let count = counted(*count as u64, "task directory", "task directories");
        let _ = writeln!(text, "  execenv du --workspaces-root {}  # {count}", escape(&shell_quote(path)));
    }
    text
}

fn percent(ratio: f64) -> String {
    format!("{:.0}%", ratio * 100.0)
}
