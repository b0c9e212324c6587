//! Writes the contract of `run -o json` down, from the types that are printed: `schemas/run-event.json` is generated.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::stamp::SCHEMA;
use crate::protocol::{Event, FailureReason, JsonText, Permission};
use crate::run::RunResult;

/// The words of a type that serialises as one of them.
macro_rules! words {
    ($type:ty, $name:literal, $words:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "enum": $words})
            }
        }
    };
}

words!(FailureReason, "FailureReason", FailureReason::WORDS);
words!(Permission, "Permission", Permission::WORDS.map(|(word, _)| word));

impl JsonSchema for JsonText<'_> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string"})
    }
}

/// An event: what its type says, and what [`super::stamp`] puts before it.
fn stamped(mut event: Value) -> Value {
    let event_fields = event["properties"].as_object_mut().map(std::mem::take).unwrap_or_default();
    let mut fields = Map::new();
    fields.insert("time".into(), json!({"type": "string", "format": "date-time"}));
    fields.insert("schema".into(), json!({"const": SCHEMA}));
    fields.extend(event_fields);
    event["properties"] = fields.into();
    if let Some(required) = event["required"].as_array_mut() {
        required.insert(0, "time".into());
    }
    event
}

fn contract() -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let Value::Object(mut events) = Event::json_schema(&mut generator).to_value() else { unreachable!() };
    let mut kinds = events.remove("oneOf").unwrap().as_array().unwrap().clone();
    kinds.push(RunResult::json_schema(&mut generator).to_value());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "An event of `execenv run -o json`",
        "description": "One line. The first event of a run has `schema`, the last one is `result`. A reader skips events of \
                        a type and fields of a name that it does not know.",
        "oneOf": kinds.into_iter().map(stamped).collect::<Vec<_>>(),
        "$defs": generator.take_definitions(true),
    })
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test writes what it generates")]
fn generated_contract_of_run_is_current() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/run-event.json");
    let expected = format!("{:#}\n", contract());
    if std::env::var("EXECENV_REGENERATE").is_ok() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &expected).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(written, expected, "EXECENV_REGENERATE=1 cargo test generated");
}
