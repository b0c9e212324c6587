//! Edits of a TOML text that leave every byte alone which they are not about.
//!
//! `toml_edit` says where keys, values and headers stand; whole statements are cut out of the text, so that comments,
//! spacing and order of everything else survive by construction. Only an inline table is rendered again, by
//! `toml_edit`, because a comma is removed with an entry.

use std::ops::Range;

use anyhow::{Context, Result};
use toml_edit::{Document, DocumentMut, InlineTable, Item, Key, Table, TableLike, Value};

use crate::order;

/// A text that is not TOML. The message never quotes the text: it may hold secrets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Counted from 1.
    pub(super) line: usize,
    /// Counted from 1, in characters.
    pub(super) column: usize,
    pub(super) what: String,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

impl std::error::Error for Malformed {}

/// Reads a text strictly: what `codex` would refuse is refused here.
pub(super) fn parse(text: &str) -> Result<Document<&str>, Malformed> {
    Document::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = String::from_utf8_lossy(&text.as_bytes()[..at]);
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        Malformed {
            line: before.matches('\n').count() + 1,
            column: last_line.chars().count() + 1,
            what: error.message().lines().next().unwrap_or("not TOML").to_owned(),
        }
    })
}

/// How a table is written, which decides where a key of it can be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Not at all, or by dotted keys or sub-tables only: a dotted key at the head of the file belongs to it.
    Dotted,
    /// Under a header of its own; the offset behind the header's line.
    Header(usize),
    /// As an inline table.
    Inline,
    /// The key has another value than a table.
    Foreign,
}

/// Whether a text can have a key of this name at all: a parse that is spared, and there are many.
pub(super) fn may_have(text: &str, name: &str) -> bool {
    text.contains(name) || text.contains('\\') // a quoted key may spell its letters as escapes
}

/// How the table `name` of the root is written.
pub(super) fn form(text: &str, name: &str) -> Result<Form> {
    if !may_have(text, name) {
        return Ok(Form::Dotted);
    }
    let document = parse(text)?;
    Ok(match document.as_table().get(name) {
        None => Form::Dotted,
        Some(Item::Table(table)) if table.is_implicit() || table.is_dotted() => Form::Dotted,
        Some(Item::Table(table)) => Form::Header(line_end(text, span_of(table.span())?.end)),
        Some(Item::Value(Value::InlineTable(_))) => Form::Inline,
        Some(_) => Form::Foreign,
    })
}

/// The text without the key, however it is written: as a statement, a dotted key, tables with their sub-tables, or
/// in an inline table. A key that is not there is no error.
pub(super) fn remove(text: &str, path: &[&str]) -> Result<String> {
    remove_all(text, &[path.to_vec()])
}

/// The same for several keys, with one look at the text: a configuration may have hundreds of profiles.
pub(super) fn remove_all(text: &str, paths: &[Vec<&str>]) -> Result<String> {
    let may_be_there = |path: &&Vec<&str>| path.iter().all(|name| may_have(text, name));
    let mut paths = paths.iter().filter(may_be_there).peekable();
    if paths.peek().is_none() {
        return Ok(text.to_owned());
    }
    let document = parse(text)?;
    let (mut cuts, mut in_inline) = (Vec::new(), Vec::new());
    for path in paths {
        match find(&document, path) {
            Some(Found::Statements(key, item)) => collect(text, key, item, &mut cuts)?,
            Some(Found::Inline(depth, place)) => in_inline.push((path, depth, place)),
            None => {}
        }
    }
    let [(path, depth, place), rest @ ..] = &in_inline[..] else { return Ok(without(text, cuts)) };
    if cuts.is_empty() && rest.is_empty() {
        return rewrite(text, place.clone(), |inline| take(inline, &path[*depth..]));
    }
    // An inline table is rendered again, which moves everything behind it.
    let mut text = without(text, cuts);
    for (path, ..) in in_inline {
        text = remove(&text, path)?;
    }
    Ok(text)
}

/// How a key is written.
enum Found<'a> {
    /// By itself.
    Statements(&'a Key, &'a Item),
    /// In the inline table at a place, which the first so many names lead to.
    Inline(usize, Range<usize>),
}

fn find<'a>(document: &'a Document<&str>, path: &[&str]) -> Option<Found<'a>> {
    let mut table = document.as_table();
    for (depth, name) in path.iter().enumerate() {
        let (key, item) = table.get_key_value(name)?;
        let rest = &path[depth + 1..];
        match item {
            _ if rest.is_empty() => return Some(Found::Statements(key, item)),
            Item::Table(inner) => table = inner,
            Item::Value(Value::InlineTable(inner)) if has(inner, rest) => {
                return Some(Found::Inline(depth + 1, inner.span()?));
            }
            _ => return None,
        }
    }
    None
}

/// The text with a key of an inline table of the root set to a value.
pub(super) fn set_inline(text: &str, table: &str, key: &str, value: Value) -> Result<String> {
    let document = parse(text)?;
    let Some(inline) = document.as_table().get(table).and_then(Item::as_inline_table) else {
        anyhow::bail!("`{table}` is not an inline table");
    };
    let is_same = inline.get(key).is_some_and(|old| old.to_string().trim() == value.to_string().trim());
    if is_same {
        return Ok(text.to_owned());
    }
    rewrite(text, span_of(inline.span())?, |inline| put(inline, key, value))
}

/// Applies a change to the inline table at a place of the text.
fn rewrite(text: &str, place: Range<usize>, change: impl FnOnce(&mut InlineTable)) -> Result<String> {
    let alone = format!("x = {}\n", &text[place.clone()]);
    let mut document: DocumentMut = alone.parse().context("read an inline table by itself")?;
    let value = document["x"].as_value_mut().context("an inline table is a value")?;
    change(value.as_inline_table_mut().context("an inline table is one by itself")?);
    let rendered = value.to_string();
    Ok(format!("{}{}{}", &text[..place.start], rendered.trim(), &text[place.end..]))
}

fn put(inline: &mut InlineTable, key: &str, value: Value) {
    if let Some(old) = inline.get_mut(key).filter(|old| !old.is_inline_table()) {
        let decor = old.decor().clone();
        *old = value;
        *old.decor_mut() = decor;
        return;
    }
    inline.remove(key);
    let is_on_one_line = !inline.to_string().contains('\n');
    if let Some((_, last)) = inline.iter_mut().last().filter(|_| is_on_one_line) {
        last.decor_mut().set_suffix(""); // else the blank before `}` would stand before our comma
    }
    inline.insert(key, value);
}

fn has(inline: &InlineTable, path: &[&str]) -> bool {
    let found = path.first().and_then(|first| inline.get(first));
    match (found, path.len()) {
        (Some(_), 1) => true,
        (Some(Value::InlineTable(inner)), _) => has(inner, &path[1..]),
        _ => false,
    }
}

fn take(inline: &mut InlineTable, path: &[&str]) {
    match path {
        [last] => {
            inline.remove(last);
        }
        [first, rest @ ..] => {
            if let Some(inner) = inline.get_mut(first).and_then(Value::as_inline_table_mut) {
                take(inner, rest);
            }
        }
        [] => {}
    }
}

/// The places of a key's text: its statement, or its tables with what belongs to them.
fn collect(text: &str, key: &Key, item: &Item, cuts: &mut Vec<Range<usize>>) -> Result<()> {
    match item {
        Item::None => {}
        Item::Value(value) => cuts.push(statement(text, key, value)?),
        Item::Table(table) => collect_table(text, table, cuts)?,
        Item::ArrayOfTables(tables) => {
            for table in tables.iter() {
                collect_table(text, table, cuts)?;
            }
        }
    }
    Ok(())
}

fn collect_table(text: &str, table: &Table, cuts: &mut Vec<Range<usize>>) -> Result<()> {
    if !table.is_dotted() && !table.is_implicit() {
        cuts.push(body(text, table)?);
    }
    for (key, item) in entries(table) {
        let is_in_body = !table.is_dotted() && !table.is_implicit() && item.is_value();
        if !is_in_body {
            collect(text, key, item, cuts)?;
        }
    }
    Ok(())
}

fn entries(table: &Table) -> impl Iterator<Item = (&Key, &Item)> {
    table.iter().filter_map(|(name, _)| table.get_key_value(name))
}

/// A header with its statements, the comments between them, and the blank lines behind. Comments further down
/// speak of what follows.
fn body(text: &str, table: &Table) -> Result<Range<usize>> {
    let header = span_of(table.span())?;
    let mut end = line_end(text, header.end);
    last_statement(text, table, &mut end)?;
    while let Some(line) = text[end..].split_inclusive('\n').next().filter(|line| line.trim().is_empty()) {
        end += line.len();
    }
    Ok(line_start(text, header.start)..end)
}

fn last_statement(text: &str, table: &Table, end: &mut usize) -> Result<()> {
    for (key, item) in entries(table) {
        match item {
            Item::Value(value) => *end = statement(text, key, value)?.end.max(*end),
            Item::Table(inner) if inner.is_dotted() => last_statement(text, inner, end)?,
            _ => {}
        }
    }
    Ok(())
}

/// The lines of `key = value`, with its dotted prefix and the comment behind it. A statement starts a line.
fn statement(text: &str, key: &Key, value: &Value) -> Result<Range<usize>> {
    let start = line_start(text, span_of(key.span())?.start);
    Ok(start..line_end(text, span_of(value.span())?.end))
}

/// The text without these places, which may lie inside each other.
pub(super) fn without(text: &str, mut cuts: Vec<Range<usize>>) -> String {
    order::sort_by_key(&mut cuts, |cut| cut.start);
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    for cut in cuts {
        if cut.start > at {
            kept.push_str(&text[at..cut.start]);
        }
        at = at.max(cut.end);
    }
    kept.push_str(&text[at..]);
    kept
}

/// The places of values that go over more than one line: what looks like a comment or a header in them is none.
pub(super) fn long_values(document: &Document<&str>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    long_values_of(document.raw(), document.as_table(), &mut found);
    found
}

fn long_values_of(text: &str, table: &dyn TableLike, found: &mut Vec<Range<usize>>) {
    for (_, item) in table.iter() {
        match item {
            Item::Value(value) => found.extend(value.span().filter(|span| text[span.clone()].contains('\n'))),
            Item::Table(inner) => long_values_of(text, inner, found),
            Item::ArrayOfTables(tables) => tables.iter().for_each(|inner| long_values_of(text, inner, found)),
            Item::None => {}
        }
    }
}

fn span_of(span: Option<Range<usize>>) -> Result<Range<usize>> {
    span.context("toml_edit gives no place for a part of a parsed text")
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The offset behind the line that `at` stands in.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1)
}

/// A string as TOML's basic form writes it.
pub(super) fn basic_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            '\u{8}' => quoted.push_str("\\b"),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            '\u{c}' => quoted.push_str("\\f"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
