//! JSON as JavaScript's `JSON.stringify` prints what `JSON.parse` has read, byte for byte.
//!
//! Cursor hashes that text. It differs from ours in numbers (`1.0` is `1`), in the order of keys that look like array
//! indexes, and nowhere else: escapes are the same few, and `<`, `>`, `&`, U+2028 and U+2029 are not escaped.

use serde_json::{Map, Value};

use crate::order;

/// The text of a value.
pub(super) fn stringify(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Number(number) => text.push_str(&number_text(&number.to_string())),
        Value::Array(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                text.push_str(if place == 0 { "" } else { "," });
                write_value(text, item);
            }
            text.push(']');
        }
        Value::Object(object) => write_object(text, in_order(object)),
        // serde_json writes the rest as JavaScript does.
        other => text.push_str(&other.to_string()),
    }
}

fn write_object<'a>(text: &mut String, members: impl IntoIterator<Item = (&'a str, &'a Value)>) {
    text.push('{');
    for (place, (key, value)) in members.into_iter().enumerate() {
        text.push_str(if place == 0 { "" } else { "," });
        text.push_str(&Value::from(key).to_string());
        text.push(':');
        write_value(text, value);
    }
    text.push('}');
}

/// Keys that are array indexes come first, by number; the others as they were written.
fn in_order(object: &Map<String, Value>) -> Vec<(&str, &Value)> {
    let mut members: Vec<(&str, &Value)> = object.iter().map(|(key, value)| (key.as_str(), value)).collect();
    order::sort_by_key(&mut members, |(key, _)| array_index(key).map_or(u64::MAX, u64::from));
    members
}

fn array_index(key: &str) -> Option<u32> {
    let index: u32 = key.parse().ok()?;
    (index != u32::MAX && index.to_string() == key).then_some(index)
}

/// A number of a JSON text, as ECMAScript's `Number::toString` prints it.
fn number_text(written: &str) -> String {
    let number: f64 = written.parse().unwrap_or(f64::NAN);
    if !number.is_finite() {
        return "null".into();
    }
    if number == 0.0 {
        return "0".into();
    }
    // Rust's `{:e}` has the same shortest digits: `1.25e-7`.
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = mantissa.replace('.', "");
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{}", placed(&digits, exponent))
}

/// Digits with the point behind the first one, times ten to the power of `exponent`.
fn placed(digits: &str, exponent: i32) -> String {
    let count = digits.len();
    match usize::try_from(exponent) {
        Ok(power) if power <= 20 && count <= power + 1 => {
            format!("{digits}{}", "0".repeat(power + 1 - count))
        }
        Ok(power) if power <= 20 => format!("{}.{}", &digits[..=power], &digits[power + 1..]),
        Err(_) if exponent >= -6 => {
            format!("0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1))
        }
        _ => {
            let fraction = if count > 1 { format!(".{}", &digits[1..]) } else { String::new() };
            format!("{}{fraction}e{exponent:+}", &digits[..1])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every right-hand side was printed by Node: `JSON.stringify(JSON.parse(left))`.
    #[test]
    fn prints_what_node_prints() {
        for (given, printed) in [
            ("[1.0,1.50,-0,-0.0,0.1,1e3,1E+2]", "[1,1.5,0,0,0.1,1000,100]"),
            (
                "[1e20,1e21,123e21,12345678901234567890]",
                "[100000000000000000000,1e+21,1.23e+23,12345678901234567000]",
            ),
            (
                "[1e-6,1e-7,1.25e-7,0.000001234,-1.5e300,1e999]",
                "[0.000001,1e-7,1.25e-7,0.000001234,-1.5e+300,null]",
            ),
            (
                "[5e-324,1.7976931348623157e308,9007199254740993]",
                "[5e-324,1.7976931348623157e+308,9007199254740992]",
            ),
            (
                r#""\u0041\/\u00e9\u001f\b\f\n\r\t\"\\\u2028<>&\u007f""#,
                "\"A/é\\u001f\\b\\f\\n\\r\\t\\\"\\\\\u{2028}<>&\u{7f}\"",
            ),
            (
                r#"{ "b": 1, "10": 2, "a": null, "9": true, "01": 3, "4294967295": 4, "4294967294": 5 }"#,
                r#"{"9":true,"10":2,"4294967294":5,"b":1,"a":null,"01":3,"4294967295":4}"#,
            ),
            ("{\"a\":1,\"b\":2,\"a\":[ ]}", "{\"a\":[],\"b\":2}"),
        ] {
            assert_eq!(stringify(&serde_json::from_str(given).unwrap()), printed, "{given}");
        }
    }
}
