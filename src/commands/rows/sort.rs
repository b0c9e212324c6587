//! `--sort`: fields, the first that differs decides.

use std::cmp::Ordering;

use super::field::{Field, Value};

/// A field to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) field: Field,
    is_downwards: bool,
}

impl Key {
    /// Reads `FIELD` or `-FIELD`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub(super) fn parse(text: &str, fields: &[Field]) -> Result<Key, String> {
        let name = text.strip_prefix('-');
        Ok(Key { field: Field::find(name.unwrap_or(text), fields)?, is_downwards: name.is_some() })
    }
}

/// Which of two rows comes first. What is not known comes last in either direction.
pub(super) fn compare<'a>(
    keys: &[Key],
    one: impl Fn(Field) -> Value<'a>,
    other: impl Fn(Field) -> Value<'a>,
) -> Ordering {
    let by = |key: &Key| match (one(key.field), other(key.field)) {
        (Value::Unknown, Value::Unknown) => Ordering::Equal,
        (Value::Unknown, _) => Ordering::Greater,
        (_, Value::Unknown) => Ordering::Less,
        (one, other) => {
            let order = upwards(&one, &other);
            if key.is_downwards { order.reverse() } else { order }
        }
    };
    keys.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn upwards(one: &Value<'_>, other: &Value<'_>) -> Ordering {
    match (one, other) {
        (Value::Text(one), Value::Text(other)) => one.cmp(other),
        (Value::Number(one), Value::Number(other)) => one.cmp(other),
        // What is so comes before what is not.
        (Value::Flag(one), Value::Flag(other)) => other.cmp(one),
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_field_that_differs_decides() {
        let fields = [Field::Task, Field::Live, Field::Age];
        // Name, live, age.
        let rows: [(&str, bool, Option<u64>); 5] = [
            ("a", false, Some(3)),
            ("b", true, Some(1)),
            ("c", false, None),
            ("d", true, Some(2)),
            ("e", false, Some(2)),
        ];
        for (keys, expected) in [
            (&["age"][..], "bdeac"),
            (&["-age"], "adebc"),
            (&["live", "-age"], "dbaec"),
            (&["live", "task"], "bdace"),
            (&["-live", "-task"], "ecadb"),
            (&["live"], "bdace"),
            (&[], "abcde"),
        ] {
            let keys: Vec<Key> = keys.iter().map(|key| Key::parse(key, &fields).unwrap()).collect();
            let mut sorted = rows;
            let value = |row: &(&'static str, bool, Option<u64>), field| match field {
                Field::Live => Value::Flag(row.1),
                Field::Age => row.2.into(),
                _ => Value::from(row.0),
            };
            crate::order::sort_by(&mut sorted, |one, other| {
                compare(&keys, |field| value(one, field), |field| value(other, field))
            });
            assert_eq!(sorted.map(|row| row.0).concat(), expected, "{keys:?}");
        }
        for wrong in ["size", "", "-", "--age", "age "] {
            assert!(
                Key::parse(wrong, &fields).unwrap_err().contains("the fields are task, live, age"),
                "{wrong}"
            );
        }
    }
}
