//! Keys whose value execenv sets, whatever the user's configuration has and however it is written.
//!
//! | the user's table | where our keys are put |
//! |---|---|
//! | not there, dotted keys, sub-tables only | dotted keys between markers, at the head of the file |
//! | a header of its own, quoted or not | between markers, directly below the header |
//! | an inline table | in the table; no marker can stand there |
//! | another value | removed; then as in the first row |

use anyhow::Result;
use toml_edit::Value;

use super::blocks::Block;
use super::source::{self, Form};

/// Keys of one table of the root.
pub(super) struct Managed {
    pub(super) block: Block,
    pub(super) table: &'static str,
    pub(super) keys: Vec<(&'static str, Value)>,
    /// Other names of the same switches: they are removed, whatever their value.
    pub(super) aliases: &'static [&'static str],
}

/// Puts the keys into the text. The second text is what is to stand at the head of the file.
pub(super) fn place(text: &str, managed: &Managed) -> Result<(String, String)> {
    let aliases: Vec<_> = managed.aliases.iter().map(|alias| vec![managed.table, *alias]).collect();
    let mut text = source::remove_all(text, &aliases)?;
    let mut form = source::form(&text, managed.table)?;
    if form == Form::Foreign {
        text = source::remove(&text, &[managed.table])?;
        form = Form::Dotted;
    }
    if form == Form::Inline {
        for (key, value) in &managed.keys {
            text = source::set_inline(&text, managed.table, key, value.clone())?;
        }
        return Ok((text, String::new()));
    }
    let length = text.len();
    let keys: Vec<_> = managed.keys.iter().map(|(key, _)| vec![managed.table, *key]).collect();
    text = source::remove_all(&text, &keys)?;
    if text.len() != length {
        form = source::form(&text, managed.table)?; // the removals have moved the header
    }
    match form {
        Form::Header(at) => {
            let body = lines(&managed.keys, "");
            let break_before = if text[..at].ends_with('\n') { "" } else { "\n" };
            let block = if body.is_empty() { String::new() } else { managed.block.wrap(&body) };
            Ok((format!("{}{break_before}{block}{}", &text[..at], &text[at..]), String::new()))
        }
        _ => Ok((text, lines(&managed.keys, &format!("{}.", managed.table)))),
    }
}

fn lines(keys: &[(&'static str, Value)], prefix: &str) -> String {
    keys.iter().map(|(key, value)| format!("{prefix}{key} = {}\n", value.to_string().trim())).collect()
}
