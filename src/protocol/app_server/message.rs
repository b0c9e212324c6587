//! The JSON of what the app-server says. Of the long messages only what a run needs is read, in place; a field of an
//! unexpected type reads as absent.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::object;
use crate::protocol::JsonText;

/// What the notifications of a turn hold.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Params<'a> {
    #[serde(borrow, default, rename = "threadId")]
    pub(super) thread: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "turnId")]
    pub(super) turn: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "itemId")]
    pub(super) item_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) item: Option<Item<'a>>,
}

/// A notification of an item, read in one pass: most of what the server says, in bytes.
#[derive(Debug, Deserialize)]
pub(super) struct ItemLine<'a> {
    #[serde(borrow)]
    pub(super) method: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) params: Params<'a>,
}

/// Reads a line as a notification of an item; `None` where it is anything else.
pub(super) fn item_line(line: &str) -> Option<ItemLine<'_>> {
    // As the server writes it; another order of the keys only takes longer.
    let begins = line.starts_with(r#"{"method":"item/"#);
    begins.then(|| object::read(line).ok()).flatten().filter(|line: &ItemLine<'_>| line.id.is_none())
}

/// A piece of a turn; its type says which fields count.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Item<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) text: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) phase: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) summary: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) status: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) command: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) cwd: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) aggregated_output: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) exit_code: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) changes: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) server: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) namespace: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) content_items: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) prompt: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) query: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) path: Option<&'a RawValue>,
}

/// The text of a field that is short: an id, a type, a name. Empty where it is no string.
pub(super) fn word(field: Option<&RawValue>) -> Cow<'_, str> {
    literal(field).decode()
}

/// The text of a field, as it stands.
pub(super) fn literal(field: Option<&RawValue>) -> JsonText<'_> {
    field.and_then(|field| JsonText::from_json(field.get())).unwrap_or_default()
}
