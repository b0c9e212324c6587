//! The task's MCP servers as tables of `config.toml`.

use anyhow::Result;
use serde_json::{Map, Value};
use toml_edit::Item;

use super::blocks::Block;
use super::source::{self, Form, basic_string};
use crate::failure::{Code, Failure};
use crate::order;
use crate::provider::plan::{Mcp, McpMode, is_switched_on};

const TABLE: &str = "mcp_servers";

/// Settings of other clients that Codex 0.169 refuses, or has under the same name with another meaning.
const FOREIGN_KEYS: [&str; 3] = ["disabled", "tools", "oauth"];

/// The text as the task wants it, and the block for the end of the file.
///
/// # Errors
/// A [`Code::BadDocument`] failure for a server that cannot be written; it names the server, never a value.
pub(super) fn apply(text: &str, mcp: &Mcp, mode: McpMode) -> Result<(String, String)> {
    let Mcp::Managed(servers) = mcp else { return Ok((text.to_owned(), String::new())) };
    let block = Block::Mcp.wrap(&render(servers)?);
    let text = match mode {
        McpMode::Strict => source::remove(text, &[TABLE])?,
        McpMode::Merge => beside(text, servers)?,
    };
    Ok((text, block))
}

/// The user's servers without those that the task manages, in a form that further tables can follow.
fn beside(text: &str, servers: &Map<String, Value>) -> Result<String> {
    let mut text = text.to_owned();
    for name in servers.keys() {
        text = source::remove(&text, &[TABLE, name])?;
    }
    match source::form(&text, TABLE)? {
        Form::Dotted | Form::Header(_) => Ok(text),
        Form::Foreign => source::remove(&text, &[TABLE]),
        Form::Inline => {
            let table = as_table(&text)?;
            let rest = source::remove(&text, &[TABLE])?;
            Ok(format!("{}\n\n{table}", rest.trim_end_matches(['\n', '\r'])))
        }
    }
}

/// The user's inline table under a header: an inline one cannot be added to from below.
fn as_table(text: &str) -> Result<String> {
    let document = source::parse(text)?;
    let inline = document.as_table().get(TABLE).and_then(Item::as_inline_table);
    let mut table = format!("[{TABLE}]\n");
    for (path, value) in inline.map(|inline| inline.get_values()).unwrap_or_default() {
        let name: Vec<_> = path.iter().map(|key| key_text(key.get())).collect();
        let span = value.span().map(|span| &text[span]).unwrap_or_default();
        table += &format!("{} = {span}\n", name.join("."));
    }
    Ok(table)
}

fn render(servers: &Map<String, Value>) -> Result<String> {
    let mut names: Vec<_> = servers.keys().filter(|name| is_switched_on(&servers[*name])).collect();
    order::sort(&mut names);
    let mut tables = Vec::new();
    for name in names {
        if !is_bare(name) {
            return Err(wrong(name, "its name may contain only `A-Z`, `a-z`, `0-9`, `_`, `-`").into());
        }
        let Value::Object(server) = &servers[name] else {
            return Err(wrong(name, "it must be an object").into());
        };
        let mut table = format!("[{TABLE}.{name}]\n");
        for (key, value) in sorted(&normalised(name, server)?) {
            table += &format!("{} = {}\n", key_text(key), inline(name, value)?);
        }
        tables.push(table);
    }
    Ok(tables.join("\n"))
}

/// A server with Codex' keys; Codex takes its kind from `url` or `command`. Codex 0.169 knows neither `type` nor
/// the `experimental_use_rmcp_client` that upstream adds: with `--strict-config` it refuses them.
fn normalised(name: &str, server: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    let mut server = server.clone();
    if server.shift_remove("type").is_some_and(|kind| kind == "sse") {
        return Err(wrong(name, "its `type` is `sse`, and Codex reaches servers by streamable HTTP only"));
    }
    FOREIGN_KEYS.iter().for_each(|key| drop(server.shift_remove(*key)));
    if let Some(headers) = server.shift_remove("headers") {
        server.insert("http_headers".into(), headers);
    }
    // Milliseconds for most tools.
    let timeout = server.shift_remove("timeout").and_then(|timeout| timeout.as_f64());
    if let Some(milliseconds) = timeout {
        server.entry("tool_timeout_sec").or_insert_with(|| (milliseconds / 1000.0).into());
    }
    Ok(server)
}

fn inline(server: &str, value: &Value) -> Result<String, Failure> {
    Ok(match value {
        Value::Null => return Err(wrong(server, "it contains `null`, which TOML does not have")),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => {
            number(value).ok_or_else(|| wrong(server, "it contains a number that TOML cannot represent"))?
        }
        Value::String(value) => basic_string(value),
        Value::Array(values) => {
            let values = values.iter().map(|value| inline(server, value)).collect::<Result<Vec<_>, _>>()?;
            format!("[{}]", values.join(", "))
        }
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let pairs = sorted(map)
                .into_iter()
                .map(|(key, value)| Ok(format!("{} = {}", key_text(key), inline(server, value)?)));
            format!("{{ {} }}", pairs.collect::<Result<Vec<_>, Failure>>()?.join(", "))
        }
    })
}

/// A whole number is written as an integer: in JSON `5.0` and `5` are the same.
fn number(number: &serde_json::Number) -> Option<String> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53: every whole number up to here is itself
    if let Some(whole) = number.as_i64() {
        return Some(whole.to_string());
    }
    let value = number.as_f64().filter(|value| value.is_finite())?;
    let is_digits_only = number.to_string().trim_start_matches('-').bytes().all(|b| b.is_ascii_digit());
    if value.fract() == 0.0 && value.abs() <= EXACT {
        return Some(format!("{value:.0}"));
    }
    (!is_digits_only).then(|| format!("{value:?}"))
}

fn sorted(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut pairs: Vec<_> = map.iter().collect();
    order::sort_by_key(&mut pairs, |(key, _)| *key);
    pairs
}

fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn key_text(key: &str) -> String {
    if is_bare(key) { key.to_owned() } else { basic_string(key) }
}

fn wrong(server: &str, what: &str) -> Failure {
    let name: String = server.chars().take(80).collect();
    let message =
        format!("`agent.mcp_config`, server `{}`: Codex cannot use it: {what}", name.escape_debug());
    Failure::new(Code::BadDocument, message)
}

#[cfg(test)]
mod tests;
