//! Checks JSON against a schema: as much of the language as ours use; an unknown keyword is an error. It is stricter in one
//! way: a field that an object's schema does not name is an error, unless it says that there may be more.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Keywords that say nothing about a value, or that are looked at with another one.
const SILENT: [&str; 7] = ["$schema", "$id", "$comment", "$defs", "title", "description", "readOnly"];
const KNOWN: [&str; 19] = [
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "oneOf",
    "prefixItems",
    "properties",
    "required",
    "type",
];

/// What the parts of a schema say about the fields of one object.
#[derive(Default)]
struct Fields {
    names: BTreeSet<String>,
    has_any: bool,
    is_open: bool,
}

/// Whether a value is as a schema says; `is_open`: its objects may have fields that the schema does not name.
pub fn check(schema: &Value, value: &Value, is_open: bool) -> Result<(), String> {
    Checker { root: schema, is_open }.value(schema, value)
}

/// Whether all keywords of a schema are known here.
pub fn check_keywords(schema: &Value) -> Result<(), String> {
    let Some(object) = schema.as_object() else { return Ok(()) };
    for (keyword, inner) in object {
        match keyword.as_str() {
            "const" | "enum" => {}
            "properties" | "$defs" => {
                let named = inner.as_object().ok_or_else(|| format!("{keyword} is no object"))?;
                named.values().try_for_each(check_keywords)?;
            }
            word if KNOWN.contains(&word) || SILENT.contains(&word) => match inner {
                Value::Array(list) => list.iter().try_for_each(check_keywords)?,
                inner => check_keywords(inner)?,
            },
            word => return Err(format!("the keyword `{word}` is not known to the validator")),
        }
    }
    Ok(())
}

struct Checker<'a> {
    root: &'a Value,
    is_open: bool,
}

impl Checker<'_> {
    fn value(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let mut fields = Fields::default();
        self.part(schema, value, &mut fields)?;
        let Some(object) = value.as_object() else { return Ok(()) };
        if fields.is_open || self.is_open || !fields.has_any {
            return Ok(());
        }
        match object.keys().find(|name| !fields.names.contains(*name)) {
            Some(name) => Err(format!("`{name}` is not in the schema")),
            None => Ok(()),
        }
    }

    /// One of the schemas that are about the same value.
    fn part(&self, schema: &Value, value: &Value, fields: &mut Fields) -> Result<(), String> {
        let Some(schema) = schema.as_object() else {
            return if schema == &Value::Bool(false) { Err("nothing may be here".into()) } else { Ok(()) };
        };
        for (keyword, inner) in schema {
            match keyword.as_str() {
                "$ref" => {
                    let path = inner.as_str().unwrap_or_default().trim_start_matches('#');
                    let target = self.root.pointer(path).ok_or_else(|| format!("there is no {path}"))?;
                    self.part(target, value, fields)?;
                }
                "allOf" => {
                    list(inner).iter().try_for_each(|each| self.part(each, value, fields))?;
                }
                "anyOf" | "oneOf" => self.choice(list(inner), keyword == "oneOf", value, fields)?,
                "const" if inner != value => return Err(format!("{value} is not {inner}")),
                "enum" if !list(inner).contains(value) => {
                    return Err(format!("{value} is none of {inner}"));
                }
                "type" => check_type(inner, value)?,
                "format" => check_format(inner, value)?,
                "minLength" | "maxLength" => {
                    let length = value.as_str().map(|text| text.chars().count() as u64);
                    let limit = inner.as_u64().ok_or_else(|| format!("{keyword} is no number"))?;
                    let fits =
                        |length| if keyword == "minLength" { length >= limit } else { length <= limit };
                    if length.is_some_and(|length| !fits(length)) {
                        return Err(format!("{value} has not a length of {keyword} {limit}"));
                    }
                }
                "minimum" | "maximum" => {
                    let (limit, number) = (inner.as_f64(), value.as_f64());
                    let is_within = limit.zip(number).is_none_or(|(limit, number)| {
                        if keyword == "minimum" { number >= limit } else { number <= limit }
                    });
                    is_within.then_some(()).ok_or_else(|| format!("{value}: the {keyword} is {inner}"))?;
                }
                _ => {}
            }
        }
        if let Some(items) = value.as_array() {
            self.items(schema, items)?;
        }
        value.as_object().map_or(Ok(()), |object| self.object(schema, object, fields))
    }

    fn choice(
        &self,
        choices: &[Value],
        is_one: bool,
        value: &Value,
        fields: &mut Fields,
    ) -> Result<(), String> {
        let mut errors = Vec::new();
        let mut fitting = 0;
        for choice in choices {
            let mut own = Fields::default();
            match self.part(choice, value, &mut own) {
                Ok(()) => {
                    fitting += 1;
                    fields.names.append(&mut own.names);
                    fields.has_any |= own.has_any;
                    fields.is_open |= own.is_open;
                }
                // The error that matters is that of the choice with the same type.
                Err(error) if choice["properties"]["type"]["const"] == value["type"] => {
                    errors.insert(0, error);
                }
                Err(error) => errors.push(error),
            }
        }
        match fitting {
            0 => {
                Err(format!("{} ({} choices)", errors.into_iter().next().unwrap_or_default(), choices.len()))
            }
            1 => Ok(()),
            _ if is_one => Err(format!("{fitting} of the choices fit {value}, not one")),
            _ => Ok(()),
        }
    }

    fn items(&self, schema: &Map<String, Value>, items: &[Value]) -> Result<(), String> {
        let first = schema.get("prefixItems").map_or(&[][..], list);
        for (place, item) in items.iter().enumerate() {
            let Some(kind) = first.get(place).or_else(|| schema.get("items")) else { continue };
            self.value(kind, item).map_err(|error| format!("[{place}]: {error}"))?;
        }
        let length = |keyword: &str| schema.get(keyword).and_then(Value::as_u64);
        let is_short = length("minItems").is_some_and(|least| (items.len() as u64) < least);
        let is_long = length("maxItems").is_some_and(|most| items.len() as u64 > most);
        if is_short || is_long { Err(format!("{} items", items.len())) } else { Ok(()) }
    }

    fn object(
        &self,
        schema: &Map<String, Value>,
        object: &Map<String, Value>,
        fields: &mut Fields,
    ) -> Result<(), String> {
        for name in schema.get("required").map_or(&[][..], list) {
            if !object.contains_key(name.as_str().unwrap_or_default()) {
                return Err(format!("{name} is missing"));
            }
        }
        let (known, others) = (schema.get("properties"), schema.get("additionalProperties"));
        fields.has_any |= known.is_some() || others.is_some();
        fields.is_open |= others.is_some_and(|others| others != &Value::Bool(false));
        for (name, value) in object {
            match (known.and_then(|known| known.get(name)), others) {
                (Some(kind), _) => {
                    fields.names.insert(name.clone());
                    self.value(kind, value).map_err(|error| format!("{name}: {error}"))?;
                }
                (None, Some(others)) => {
                    self.value(others, value).map_err(|error| format!("{name}: {error}"))?
                }
                (None, None) => {}
            }
        }
        Ok(())
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn check_type(names: &Value, value: &Value) -> Result<(), String> {
    let one = std::slice::from_ref(names);
    let fits = names.as_array().map_or(one, Vec::as_slice).iter().any(|name| match name.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        _ => false,
    });
    fits.then_some(()).ok_or_else(|| format!("{value} is not of type {names}"))
}

fn check_format(format: &Value, value: &Value) -> Result<(), String> {
    match (format.as_str(), value.as_str()) {
        (Some("date-time"), Some(text)) => {
            // A record may have a time after the year 9999.
            let time = text.parse::<chrono::DateTime<chrono::Utc>>();
            time.map(drop).map_err(|_| format!("{value} is no time"))
        }
        (Some("date-time" | "double"), _) => Ok(()),
        _ => Err(format!("the format {format} is not known to the validator")),
    }
}
