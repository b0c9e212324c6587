//! The tables of `du`.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::super::rows::tone;
use crate::environment::EnvStatus;
use crate::gc::usage::{Outside, Report, Stores, TaskUsage, Totals};
use crate::output::{Cell, Column, Screen, Table, counted, escape, show_age_in_two, show_bytes};

/// How a report is printed.
pub(super) struct Shown {
    /// As a tree, with so many environments of each workspace.
    pub(super) tree: Option<usize>,
    /// One row a workspace.
    pub(super) by_workspace: bool,
    /// Environments were left out by a filter.
    pub(super) is_filtered: bool,
    /// The terminal has characters to draw with.
    pub(super) draws_blocks: bool,
    /// What it is printed on.
    pub(super) screen: Screen,
}

/// The rows of one root, and their totals.
pub(super) fn section(report: &Report, shown: &Shown) -> String {
    let whole = show_totals(&report.totals);
    let by_workspace = shown.by_workspace;
    let (rows, sum): (_, u64) = if by_workspace {
        (
            workspace_rows(report, shown.screen),
            report.workspaces.iter().map(|workspace| workspace.size_bytes).sum(),
        )
    } else {
        (task_rows(report, shown.screen), report.tasks.iter().map(|task| task.size_bytes).sum())
    };
    let Some(rows) = rows else {
        return format!("(no {})\n", if by_workspace { "workspaces" } else { "environments" });
    };
    let (count, all) = if by_workspace {
        (report.workspaces.len(), report.totals.workspaces)
    } else {
        (report.tasks.len(), report.totals.tasks)
    };
    let cut = (count as u64) < all;
    let shown = if cut { format!("shown: {count} of {all}, {}\n", show_bytes(sum)) } else { String::new() };
    format!("{rows}\n{shown}total: {whole}\n")
}

fn task_rows(report: &Report, screen: Screen) -> Option<String> {
    let name = names(&report.tasks);
    let has_several = report.tasks.iter().any(|task| task.workspace != report.tasks[0].workspace);
    let mut columns = vec![
        Column::words("ENV"),
        Column::words("STATUS"),
        Column::numbers("AGE"),
        Column::numbers("SIZE"),
        Column::numbers("ARTIFACTS"),
        Column::words("KIND").rank(2),
    ];
    columns.extend(has_several.then_some(Column::words("WORKSPACE").at_least(10).rank(1)));
    let mut table = Table::new(columns);
    for task in &report.tasks {
        let mut cells = vec![
            Cell::from(escape(&name(task))),
            Cell::from(task.status).tone(tone_of(task.status)),
            show_age_in_two(task.age_seconds).into(),
            show_bytes(task.size_bytes).into(),
            show_bytes(task.artifact_size_bytes).into(),
            if task.kind == "unknown" { "-".into() } else { escape(&task.kind).into() },
        ];
        cells.extend(has_several.then(|| Cell::from(escape(&task.workspace))));
        table.row(cells);
    }
    (!table.is_empty()).then(|| table.text(screen))
}

/// The tone of a status that is given by its word.
pub(super) fn tone_of(word: &str) -> crate::output::Tone {
    EnvStatus::ALL.into_iter().find(|status| status.word() == word).map(tone).unwrap_or_default()
}

/// What names each environment on a command line: its key, or `<workspace>/<key>` where another one has that key.
pub(super) fn names(tasks: &[TaskUsage]) -> impl Fn(&TaskUsage) -> String + use<> {
    let mut keys: HashMap<String, u32> = HashMap::new();
    tasks.iter().for_each(|task| *keys.entry(task.task_short.clone()).or_default() += 1);
    move |task| match keys.get(&task.task_short) {
        Some(2..) => format!("{}/{}", task.workspace, task.task_short),
        _ => task.task_short.clone(),
    }
}

fn workspace_rows(report: &Report, screen: Screen) -> Option<String> {
    let mut table = Table::new([
        Column::words("WORKSPACE").at_least(12),
        Column::numbers("TASKS").rank(1),
        Column::numbers("SIZE"),
        Column::numbers("ARTIFACTS"),
        Column::numbers("ARTIFACT %").rank(2),
        Column::numbers("OLDEST").rank(1),
    ]);
    for workspace in &report.workspaces {
        table.row([
            Cell::from(escape(&workspace.workspace)),
            workspace.task_count.to_string().into(),
            show_bytes(workspace.size_bytes).into(),
            show_bytes(workspace.artifact_size_bytes).into(),
            percent(workspace.artifact_ratio).into(),
            show_age_in_two(workspace.oldest_age_seconds).into(),
        ]);
    }
    (!table.is_empty()).then(|| table.text(screen))
}

pub(super) fn show_totals(totals: &Totals) -> String {
    format!(
        "{}, {}, {}, of which artifacts {} ({})",
        counted(totals.tasks, "environment", "environments"),
        counted(totals.workspaces, "workspace", "workspaces"),
        show_bytes(totals.size_bytes),
        show_bytes(totals.artifact_size_bytes),
        percent(totals.artifact_ratio),
    )
}

/// What else takes space. Places that take none are left out.
pub(super) fn beside(totals: &Totals, stores: &Stores, outside: &[Outside]) -> String {
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
        let _ = writeln!(text, "altogether: {}", show_bytes(all));
    }
    text
}

pub(super) fn percent(ratio: f64) -> String {
    format!("{:.0}%", ratio * 100.0)
}
