//! The tables of `list`. What matters most comes first.

use chrono::{DateTime, Utc};

use super::super::rows::tone;
use super::document::{ListedEnv, ListedRoot};
use crate::environment::EnvStatus;
use crate::output::{Cell, Column, Screen, Table, Tone, escape, show_age, show_bytes};

/// Environments of the workspaces root.
pub(super) fn own_text(seen: &[ListedEnv], now: DateTime<Utc>) -> String {
    if seen.is_empty() {
        return String::new();
    }
    let has_sizes = seen.iter().any(|env| env.bytes.is_some());
    let has_several = seen.iter().any(|env| env.workspace != seen[0].workspace);
    let columns = [
        Some(Column::words("ENV")),
        Some(Column::words("STATUS")),
        Some(Column::words("LIVE").rank(2)),
        Some(Column::numbers("AGE")),
        has_sizes.then_some(Column::numbers("SIZE")),
        Some(Column::words("TASK").at_least(20).rank(1)),
        Some(Column::words("PROVIDER").rank(3)),
        Some(Column::words("KIND").rank(5)),
        has_several.then_some(Column::words("WORKSPACE").at_least(10).rank(4)),
    ];
    let is_shown = columns.map(|column| column.is_some());
    let mut table = Table::new(columns.into_iter().flatten().collect::<Vec<_>>());
    for env in seen {
        let cells = [
            escape(&env.name).into(),
            status(env),
            live(env),
            age(env, now),
            size(env),
            dash(&env.task_id),
            dash(&env.provider),
            kind(env),
            escape(&env.workspace).into(),
        ];
        let cells = cells.into_iter().zip(is_shown).filter_map(|(cell, is_shown)| is_shown.then_some(cell));
        table.row(cells.collect::<Vec<_>>());
    }
    table.text(Screen::of_stdout())
}

fn dash(text: &str) -> Cell {
    if text.is_empty() { Cell::from("-").tone(Tone::Faint) } else { escape(text).into() }
}

fn kind(env: &ListedEnv) -> Cell {
    dash(&env.kind)
}

fn status(env: &ListedEnv) -> Cell {
    let word = env.status.word();
    let result = env.last_result.as_ref().map(|last| last.status.as_str());
    let more = match (env.status, result) {
        _ if env.failed_start.is_some() && !env.live => Some("start failed"),
        (EnvStatus::Cleaned, Some(result)) if result != EnvStatus::Completed.word() => Some(result),
        _ => None,
    };
    let text = more.map_or_else(|| word.to_owned(), |more| format!("{word} ({})", escape(more)));
    Cell::from(text).tone(tone(env.status))
}

fn live(env: &ListedEnv) -> Cell {
    match (env.live, env.is_shell) {
        (true, true) => Cell::from("shell").tone(Tone::Good),
        (true, false) => Cell::from("live").tone(Tone::Good),
        (false, _) => dash(""),
    }
}

fn age(env: &ListedEnv, now: DateTime<Utc>) -> Cell {
    env.last_used.map_or_else(|| dash(""), |at| show_age(now - at).into())
}

fn size(env: &ListedEnv) -> Cell {
    env.bytes.map_or_else(|| dash(""), |bytes| show_bytes(bytes).into())
}

/// Environments of other tools, and how to collect their roots.
pub(super) fn foreign_text(
    seen: &[ListedEnv],
    collect: &[ListedRoot],
    is_any_ours: bool,
    now: DateTime<Utc>,
) -> String {
    if seen.is_empty() {
        return String::new();
    }
    let mut table = Table::new([
        Column::words("MADE BY"),
        Column::words("KIND").rank(2),
        Column::words("STATUS"),
        Column::words("LIVE").rank(1),
        Column::numbers("AGE"),
        Column::numbers("SIZE"),
        Column::words("PATH"),
    ]);
    for env in seen {
        let made_by = Cell::from(env.made_by.word());
        table.row([
            made_by,
            kind(env),
            status(env),
            live(env),
            age(env, now),
            size(env),
            escape(&env.root_dir).into(),
        ]);
    }
    let mut text = table.text(Screen::of_stdout());
    if is_any_ours {
        text.push_str("\n\n`execenv gc` collects those in the workspaces root (see `execenv gc --dry-run`)");
    }
    if !collect.is_empty() {
        text.push_str(
            "\n\nto collect a root of another tool (with --dry-run to see first what would be removed):",
        );
    }
    for root in collect {
        text.push_str("\n  ");
        text.push_str(&escape(&root.collect));
    }
    text
}
