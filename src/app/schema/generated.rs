//! Writes `schemas/` from the types: one file a document.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::SchemaRow;
use super::form::{absent_is_not_null, null_is_absent, plain};
use crate::app::completions::CompletionsDocument;
use crate::app::man::{DOCUMENT, ManDocument};
use crate::commands::doctor::document::DeadRunReport;
use crate::commands::orders::{PauseDocument, SendDocument, StopDocument};
use crate::commands::{
    branch, checkout, checkpoint, cleaned, clone, config, diff, doctor, gc, list, merge, prepared, publish,
    restore, show, trash, trust, verify,
};
use crate::environment::MetaFile;
use crate::gc::usage::{Aggregate, Report as Usage};
use crate::invocation::SETTINGS;
use crate::output::{FailureDocument, Version};
use crate::protocol::Event;
use crate::provider::Description;
use crate::report::Report;
use crate::run::RunResult;
use crate::sidecar::Manifest;
use crate::task::TaskDocument;

/// What a reader can rely on.
const PRINTED: &str =
    "Later versions may add fields, and words to a list of words: a reader skips what it does not know.";
const KEPT: &str = "Later versions and other programs may add fields: they are kept as they are when the file is written again. \
    A file of an earlier version may lack fields that are required here.";
const WRITTEN: &str = "Later versions may add fields, and words to a list of words: a reader skips what it does not know. A file of an \
    earlier version may lack fields that are required here.";

type Make = fn(&mut SchemaGenerator) -> Value;

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    T::json_schema(generator).to_value()
}

/// One for each environment that was named, in a list if there are several.
fn one_or_more<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    let description = of::<T>(generator)["description"].clone();
    let one = generator.subschema_for::<T>().to_value();
    json!({"description": description, "anyOf": [one, {"type": "array", "items": one}]})
}

fn list_of_schemas(generator: &mut SchemaGenerator) -> Value {
    let row = generator.subschema_for::<SchemaRow<'_>>().to_value();
    json!({"description": "The schemas, by name. With a name the answer is that schema.", "type": "array", "items": row})
}

/// The answers, by the words of their command; `gc --stream`: of the command with that option.
const ANSWERS: &[(&str, Make)] = &[
    ("branch", of::<branch::Branched<'_>>),
    ("checkout", of::<checkout::CheckedOut<'_>>),
    ("checkpoint", of::<checkpoint::Checkpointed<'_>>),
    ("cleanup", one_or_more::<cleaned::CleanedDocument<'_>>),
    ("clone", of::<clone::Cloned<'_>>),
    ("clone --dry-run", of::<clone::CloneTarget>),
    ("completions", of::<CompletionsDocument<'_>>),
    ("config", of::<config::ConfigDocument>),
    ("diff", of::<diff::DiffDocument<'_>>),
    ("doctor", of::<doctor::document::DoctorDocument>),
    ("du", of::<Usage>),
    ("du --all-profiles", of::<Aggregate>),
    ("gc", of::<gc::GcDocument<'_>>),
    ("gc --explain", of::<gc::ExplainDocument<'_>>),
    ("gc --stream", of::<gc::GcLine<'_>>),
    ("list", of::<list::document::ListDocument>),
    ("man", of::<ManDocument<'_>>),
    ("merge abort", of::<merge::MergeAborted<'_>>),
    ("merge check", of::<merge::MergeCheck<'_>>),
    ("merge commit", of::<merge::MergeCommitted<'_>>),
    ("merge list", of::<merge::MergeList<'_>>),
    ("merge resolve", of::<merge::MergeResolved<'_>>),
    ("merge skip", of::<merge::MergeSkipped<'_>>),
    ("merge start", of::<merge::MergeStarted<'_>>),
    ("merge status", of::<merge::MergeStatus<'_>>),
    ("pause", of::<PauseDocument<'_>>),
    ("prepare", of::<prepared::PreparedDocument<'_>>),
    ("publish", of::<publish::PublishDocument<'_>>),
    ("report", of::<Report>),
    ("restore", of::<restore::RestoreDocument<'_>>),
    ("resume", of::<PauseDocument<'_>>),
    ("reuse", of::<prepared::PreparedDocument<'_>>),
    ("schema", list_of_schemas),
    ("send", of::<SendDocument<'_>>),
    ("show", of::<show::ShowDocument<'_>>),
    ("show --file", of::<show::FileDocument<'_>>),
    ("stop", one_or_more::<StopDocument<'_>>),
    ("trash empty", of::<trash::TrashEmptied>),
    ("trash list", of::<trash::TrashList<'_>>),
    ("trash restore", of::<trash::TrashRestored<'_>>),
    ("trust", of::<trust::document::TrustDocument<'_>>),
    ("trust --list", of::<trust::document::TrustList<'_>>),
    ("trust --remove", of::<trust::document::TrustRemoved<'_>>),
    ("verify", of::<verify::VerifyDocument<'_>>),
];

fn printing() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

fn reading() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_deserialize().into_generator()
}

/// An event: what its type says, and what the printer puts before it. `time`: what it says of the time.
fn stamped(mut event: Value, time: &Value) -> Value {
    let event_fields = event["properties"].as_object_mut().map(std::mem::take).unwrap_or_default();
    let mut fields = Map::new();
    fields.insert("time".into(), time.clone());
    fields.insert("schema".into(), json!({"const": Version::NUMBER}));
    fields.extend(event_fields);
    event["properties"] = fields.into();
    if let Some(required) = event["required"].as_array_mut() {
        required.insert(0, "time".into());
    }
    event
}

fn events(generator: &mut SchemaGenerator, description: &str, time: &Value) -> Value {
    let Value::Object(mut events) = of::<Event<'_>>(generator) else { unreachable!() };
    let mut kinds = events.remove("oneOf").unwrap().as_array().unwrap().clone();
    kinds.push(of::<RunResult>(generator));
    let kinds: Vec<Value> = kinds.into_iter().map(|kind| stamped(kind, time)).collect();
    json!({"description": description, "oneOf": kinds})
}

fn run_event(generator: &mut SchemaGenerator) -> Value {
    events(
        generator,
        "One line. The first event of a run has `schema`, the last one is `result`. A reader skips events of a type that it does not know.",
        &json!({"type": "string", "format": "date-time"}),
    )
}

fn logged_event(generator: &mut SchemaGenerator) -> Value {
    events(
        generator,
        "One line. The first event has `schema`; if the run has ended, the last one is `result`. A reader skips events of a type that it \
         does not know.",
        &json!({"type": ["string", "null"], "format": "date-time", "description": "When execenv read the output; null: that was not recorded."}),
    )
}

/// Takes the meaning of a field from the manual page.
fn described_by_page(schema: &mut Value) {
    for (names, meaning) in DOCUMENT {
        for name in names.split(", ") {
            let (owner, name) =
                name.trim_end_matches("[]").rsplit_once('.').unwrap_or(("", name.trim_end_matches("[]")));
            let owner = match owner {
                "" => &mut *schema,
                "agent" => &mut schema["$defs"]["Agent"],
                _ => continue,
            };
            if let Some(field) = owner["properties"].get_mut(name).and_then(Value::as_object_mut) {
                field.entry("description").or_insert_with(|| meaning.into());
            }
        }
    }
}

fn config_file(generator: &mut SchemaGenerator) -> Value {
    let setting = |help: &str| json!({"type": ["string", "number"], "description": help});
    let mut fields: Map<String, Value> =
        SETTINGS.iter().map(|row| (row.key.to_owned(), setting(row.help))).collect();
    let description = generator.subschema_for::<Description>().to_value();
    fields.insert(
        "providers".into(),
        json!({"type": "object", "additionalProperties": description,
            "description": "The agent CLIs that you describe, by name."}),
    );
    json!({
        "description": "By default `~/.config/execenv/config.json`. A key that is not known is an error.",
        "type": "object", "properties": fields, "additionalProperties": false,
    })
}

/// The other documents: name, title, what a reader can rely on, how it is made.
type Other = (&'static str, &'static str, &'static str, fn() -> SchemaGenerator, Make);

const OTHERS: &[Other] = &[
    ("config-file", "The configuration file", "", reading, config_file),
    (
        "error",
        "A failure, the last line of standard error with -o json",
        PRINTED,
        printing,
        of::<FailureDocument<'_>>,
    ),
    ("logs", "A line of `execenv logs --events`", PRINTED, printing, logged_event),
    ("manifest", "The sidecar manifest, .multica_sidecar_manifest.json", KEPT, printing, of::<Manifest>),
    ("meta", "The record of an environment, .gc_meta.json", KEPT, printing, of::<MetaFile>),
    ("result", "The result of a run, output/result.json", WRITTEN, printing, of::<RunResult>),
    ("run-event", "A line of `execenv run -o json`", PRINTED, printing, run_event),
    (
        "task",
        "The task document",
        "Fields that are not known are ignored, with a warning.",
        reading,
        of::<TaskDocument>,
    ),
];

fn document(name: &str, title: &str, comment: &str, mut generator: SchemaGenerator, make: Make) -> Value {
    let mut made = make(&mut generator);
    let Value::Object(body) = &mut made else { unreachable!() };
    let description = body.shift_remove("description");
    let mut whole = Map::new();
    whole.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    whole.insert("$id".into(), format!("urn:execenv:schema:{}:{name}", Version::NUMBER).into());
    whole.insert("title".into(), title.into());
    whole.extend(description.map(|text| ("description".to_owned(), text)));
    if !comment.is_empty() {
        whole.insert("$comment".into(), comment.into());
    }
    whole.append(body);
    let definitions = generator.take_definitions(true);
    if !definitions.is_empty() {
        whole.insert("$defs".into(), definitions.into());
    }
    let mut whole = Value::Object(whole);
    plain(&mut whole);
    let version = whole.get_mut("properties").and_then(|fields| fields.get_mut("schema"));
    if let Some(version) = version.and_then(Value::as_object_mut) {
        version.shift_remove("minimum");
        version.entry("const").or_insert(Version::NUMBER.into());
    }
    if *generator.contract() == Contract::Serialize {
        let together = if name == "doctor" {
            of::<DeadRunReport>(&mut printing())["required"].clone()
        } else {
            json!([])
        };
        absent_is_not_null(&mut whole, together.as_array().unwrap());
    } else if name == "task" {
        null_is_absent(&mut whole);
        described_by_page(&mut whole);
    }
    whole
}

fn all() -> BTreeMap<String, Value> {
    let answers = ANSWERS.iter().map(|(words, make)| {
        let name = words.replace(" --", "-").replace(' ', "-");
        let what = if words.ends_with("--stream") { "A line" } else { "The answer" };
        let title = format!("{what} of `execenv {words} -o json`");
        (name.clone(), document(&name, &title, PRINTED, printing(), *make))
    });
    let others = OTHERS.iter().map(|(name, title, comment, generator, make)| {
        ((*name).to_owned(), document(name, title, comment, generator(), *make))
    });
    answers.chain(others).collect()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test writes what it generates")]
fn generated_schemas_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let expected: BTreeMap<String, String> =
        all().into_iter().map(|(name, schema)| (format!("{name}.json"), format!("{schema:#}\n"))).collect();
    if std::env::var("EXECENV_REGENERATE").is_ok() {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in &expected {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
    let written = |name: String| (name.clone(), std::fs::read_to_string(folder.join(name)).unwrap());
    let there =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let there: BTreeMap<String, String> = there.map(written).collect();
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&there), names(&expected), "EXECENV_REGENERATE=1 cargo test generated");
    for (name, text) in expected {
        assert_eq!(there[&name], text, "{name}: EXECENV_REGENERATE=1 cargo test generated");
    }
}

/// Who reads a schema finds what each field means.
#[test]
fn every_field_is_described() {
    fn undescribed(schema: &Value, place: &str, found: &mut Vec<String>) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let says = ["description", "$ref", "const"].iter().any(|key| field.get(key).is_some());
            let place = format!("{place}.{name}");
            if !says && field["allOf"].is_null() && field["anyOf"].is_null() {
                found.push(place.clone());
            }
            undescribed(field, &place, found);
        }
        for (name, kind) in schema["$defs"].as_object().into_iter().flatten() {
            undescribed(kind, &format!("{place}#{name}"), found);
        }
    }
    let mut found = Vec::new();
    // The task document has multica's names, and the events say what they are by their type.
    for (name, schema) in
        all().iter().filter(|(name, _)| !matches!(name.as_str(), "task" | "run-event" | "logs"))
    {
        undescribed(schema, name, &mut found);
    }
    assert_eq!(found, [] as [String; 0]);
}
