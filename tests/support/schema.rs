//! Checks JSON against a schema of `schemas/`: as much of the language as those use, and stricter in one way: a field that
//! the schema does not name is an error.

use serde_json::{Map, Value};

/// Every line that `run -o json` prints follows the contract, and the first one names its version.
pub fn check_run_events(stdout: &str) -> Result<(), String> {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/run-event.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    for (number, line) in stdout.lines().enumerate() {
        let event: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
        check(&schema, &schema, &event).map_err(|error| format!("{error}: {line}"))?;
        if event.get("schema").is_some() != (number == 0) {
            return Err(format!("the first event alone has `schema`: {line}"));
        }
    }
    Ok(())
}

fn check(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let Some(schema) = schema.as_object() else {
        return Ok(()); // `true`
    };
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#'));
        return check(root, target.ok_or_else(|| format!("no {reference}"))?, value);
    }
    for word in ["oneOf", "anyOf"] {
        let Some(choices) = schema.get(word).and_then(Value::as_array) else { continue };
        let errors: Vec<String> =
            choices.iter().filter_map(|choice| check(root, choice, value).err()).collect();
        if errors.len() == choices.len() {
            // The error that matters is that of the choice with the same type.
            let of_type = |choice: &&Value| choice["properties"]["type"]["const"] == value["type"];
            let best = choices.iter().find(of_type).and_then(|choice| check(root, choice, value).err());
            return Err(best.unwrap_or_else(|| format!("none of {word}: {errors:?}")));
        }
    }
    if schema.get("const").is_some_and(|expected| expected != value) {
        return Err(format!("{value} is not {}", schema["const"]));
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        return Err(format!("{value} is none of {words:?}"));
    }
    check_type(schema, value)?;
    if schema.get("format") == Some(&"date-time".into()) {
        let text = value.as_str().unwrap_or_default();
        let is_time = chrono::DateTime::parse_from_rfc3339(text).is_ok();
        is_time.then_some(()).ok_or_else(|| format!("{value} is no time"))?;
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        list.iter().try_for_each(|item| check(root, items, item))?;
    }
    value.as_object().map_or(Ok(()), |object| check_object(root, schema, object))
}

fn check_type(schema: &Map<String, Value>, value: &Value) -> Result<(), String> {
    let names: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(()),
    };
    let fits = names.iter().any(|name| match *name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => false,
    });
    fits.then_some(()).ok_or_else(|| format!("{value} is not of type {names:?}"))
}

fn check_object(
    root: &Value,
    schema: &Map<String, Value>,
    object: &Map<String, Value>,
) -> Result<(), String> {
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        if !object.contains_key(name.as_str().unwrap_or_default()) {
            return Err(format!("{name} is missing"));
        }
    }
    let (known, others) = (schema.get("properties"), schema.get("additionalProperties"));
    if known.is_none() && others.is_none() {
        return Ok(()); // any object
    }
    for (name, value) in object {
        let field = known.and_then(|known| known.get(name)).or(others);
        let field = field.ok_or_else(|| format!("`{name}` is not in the schema"))?;
        check(root, field, value).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}
