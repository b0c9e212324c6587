//! `execenv schema`: the JSON Schemas of the documents that execenv prints, reads and keeps.
//!
//! The files in `schemas/` are generated from the types (`generated.rs`, in tests only); `build.rs` packs them into the program.

mod embedded;
#[cfg(test)]
mod form;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod words;

use anyhow::Result;
use clap::Args;
use clap_complete::{ArgValueCandidates, CompletionCandidate};
use serde::Serialize;

use crate::failure::{Code, Failure};
use crate::formats::closest;
use crate::output::{Answer, columns};

pub(super) use embedded::has;
use embedded::{Text, texts};

/// Print the JSON Schema of a JSON answer, of the task document or of a state file
///
/// Without NAME, lists the schemas. A command's schema has its name (`trash list`: trash-list); other forms of its answer
/// have the option's name too (`gc --stream`: gc-stream). run-event is a line of `run -o json`, error the failure on standard
/// error, result `output/result.json`, meta `.gc_meta.json`, manifest the sidecar manifest, task the task document, and
/// config-file the configuration file.
///
/// Later versions may add fields, and words where a field has one of a list: a reader skips what it does not know. No field
/// is removed or changes its meaning as long as `schema` is 1.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv schema
  execenv schema prepare
  execenv schema task > task.schema.json")]
pub struct SchemaArgs {
    /// Schema, such as `prepare` or `task`
    #[arg(value_name = "NAME", add = ArgValueCandidates::new(candidates))]
    pub name: Option<String>,
}

fn candidates() -> Vec<CompletionCandidate> {
    texts().iter().map(|text| CompletionCandidate::new(text.name).help(Some(text.title().into()))).collect()
}

/// Prints a schema, or the list of all.
///
/// # Errors
/// [`Code::Usage`] for a name that does not exist.
pub(super) fn run(args: &SchemaArgs) -> Result<Answer> {
    let all = texts();
    let Some(name) = &args.name else { return Ok(list(all)) };
    let wanted = name.strip_suffix(".json").unwrap_or(name).replace(' ', "-");
    match all.iter().find(|text| text.name == wanted) {
        Some(text) => Ok(Answer::new(text.json.trim_end(), text.value())),
        None => {
            let message = format!("there is no schema `{}`", name.escape_debug());
            Err(Failure::new(Code::Usage, message).hint(hint(&wanted, all)).into())
        }
    }
}

/// What may have been meant.
fn hint(wanted: &str, all: &[Text]) -> String {
    let names = || all.iter().map(|text| text.name);
    let mut near: Vec<&str> =
        names().filter(|name| wanted.len() > 2 && (name.contains(wanted) || wanted.contains(name))).collect();
    near.extend(closest(wanted, names()).filter(|name| !near.contains(name)));
    let near: Vec<String> = near.iter().map(|name| format!("`execenv schema {name}`")).collect();
    match near.is_empty() {
        true => "`execenv schema` lists all of them".to_owned(),
        false => format!("did you mean {}? `execenv schema` lists all of them", near.join(", ")),
    }
}

/// A schema in the list.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SchemaRow<'a> {
    /// Its name, as `execenv schema` takes it.
    name: &'a str,
    /// Its `$id`.
    id: String,
    /// What it describes.
    title: String,
}

fn list(all: &[Text]) -> Answer {
    let rows: Vec<SchemaRow<'_>> =
        all.iter().map(|text| SchemaRow { name: text.name, id: text.id(), title: text.title() }).collect();
    let lines: Vec<_> = rows.iter().map(|row| [row.name.to_owned(), row.title.clone()]).collect();
    Answer::new(columns(&lines), rows)
}
