//! Keys whose value is ours, whatever the user's configuration says and however it says it.
//!
//! | the user's table | where ours goes |
//! |---|---|
//! | not there, dotted keys, sub-tables only | dotted keys between markers, at the head of the file |
//! | a header of its own, quoted or not | between markers, directly below the header |
//! | an inline table | in the table; no marker can stand there |
//! | no table at all | the user's value goes; as the first row |

use anyhow::Result;
use toml_edit::Value;

use super::blocks::Block;
use super::source::{self, Form};

/// Keys of one table of the root.
pub(super) struct Managed {
    pub(super) block: Block,
    pub(super) table: &'static str,
    pub(super) keys: Vec<(&'static str, Value)>,
    /// Other spellings of the same switches: they go, whatever they say.
    pub(super) aliases: &'static [&'static str],
}

/// Puts the keys into the text. The second text is what is to stand at the head of the file.
pub(super) fn place(text: &str, managed: &Managed) -> Result<(String, String)> {
    let mut text = text.to_owned();
    for alias in managed.aliases {
        text = source::remove(&text, &[managed.table, alias])?;
    }
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
    for (key, _) in &managed.keys {
        text = source::remove(&text, &[managed.table, key])?;
    }
    // The removals have moved the header.
    match source::form(&text, managed.table)? {
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
