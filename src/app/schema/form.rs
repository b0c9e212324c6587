//! What is changed in a schema that comes from a type: what the type cannot say, and what says nothing to a reader.

use serde_json::{Map, Value, json};

fn or_null(field: &mut Value) {
    let Some(object) = field.as_object_mut() else { return };
    let description = object.shift_remove("description");
    if let Some(Value::String(name)) = object.get("type") {
        let names = json!([name, "null"]);
        object.insert("type".into(), names);
    } else if object.contains_key("$ref") || object.contains_key("anyOf") {
        let given = std::mem::take(object);
        object.insert("anyOf".into(), json!([given, {"type": "null"}]));
    }
    object.extend(description.map(|text| ("description".to_owned(), text)));
}

/// A file that a person writes: what is missing may be `null`, too.
pub(super) fn null_is_absent(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(fields) = object.get_mut("properties").and_then(Value::as_object_mut) {
        fields.values_mut().for_each(or_null);
    }
    for kind in object.get_mut("$defs").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        null_is_absent(kind);
    }
}

/// What is printed only if it is there is never `null`, except for these fields: they are absent together, or all there.
pub(super) fn absent_is_not_null(schema: &mut Value, together: &[Value]) {
    if let Value::Object(object) = schema {
        let required = object.get("required").cloned().unwrap_or_default();
        let required = required.as_array().map_or(&[][..], Vec::as_slice);
        let is_required = |name: &str| [required, together].iter().any(|names| names.contains(&name.into()));
        for (name, field) in object.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten()
        {
            if !is_required(name) {
                without_null(field);
            }
        }
    }
    match schema {
        Value::Object(object) => object.values_mut().for_each(|inner| absent_is_not_null(inner, together)),
        Value::Array(list) => list.iter_mut().for_each(|inner| absent_is_not_null(inner, together)),
        _ => {}
    }
}

fn without_null(field: &mut Value) {
    let null = json!("null");
    if let Some(names) = field.get_mut("type").and_then(Value::as_array_mut) {
        names.retain(|name| *name != null);
        if let [name] = &names[..] {
            field["type"] = name.clone();
        }
    } else if let Some([given, none]) = field.get("anyOf").and_then(Value::as_array).map(Vec::as_slice)
        && none["type"] == null
    {
        let (given, description) = (given.clone(), field.get("description").cloned());
        *field = given;
        if let Some(description) = description {
            field["description"] = description;
        }
    }
}

/// Without what says nothing to a reader: defaults, the widths of numbers in Rust, and where the lines of a comment end.
pub(super) fn plain(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.shift_remove("default");
            if let Some(Value::String(text)) = object.get_mut("description") {
                let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
                *text = paragraphs.collect::<Vec<_>>().join("\n\n");
            }
            let is_number = object.get("type").is_some_and(|kind| kind.to_string().contains("integer"));
            if is_number {
                object.shift_remove("format");
            }
            for (key, inner) in object.iter_mut() {
                match (key.as_str(), inner) {
                    ("properties" | "$defs", Value::Object(named)) => named.values_mut().for_each(plain),
                    (_, inner) => plain(inner),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(plain),
        _ => {}
    }
}
