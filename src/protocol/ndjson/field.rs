//! Fields of the JSON that agents print, read in place.
//!
//! A field of an unexpected type reads as absent, because these CLIs change their formats from one release to the next.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::protocol::JsonText;

/// A string, borrowed where it holds no escape; anything else reads as empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

/// An object of a known form, read in the same pass as what it stands in; anything else reads as absent. (A number with a
/// fraction reads as an object without fields: serde_json hands it over as a map, to keep its digits.)
#[derive(Clone, Copy, Debug)]
pub struct Maybe<T>(pub Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Maybe(None)
    }
}

/// The objects of a list; anything else reads as no list.
#[derive(Clone, Debug)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Vec::new())
    }
}

/// A value that the line may hold.
pub type Field<'a> = Option<&'a RawValue>;

/// Whether a value is the literal `true`.
pub fn is_true(value: Field<'_>) -> bool {
    value.is_some_and(|value| value.get() == "true")
}

/// The text of a string; anything else reads as empty.
pub fn literal(value: Field<'_>) -> JsonText<'_> {
    value.and_then(|value| JsonText::from_json(value.get())).unwrap_or_default()
}

/// A number without a fraction; anything else reads as zero.
pub fn number(value: Field<'_>) -> u64 {
    value.and_then(|value| value.get().parse().ok()).unwrap_or(0)
}

/// A value in a form of the caller's; `None` where it has another one.
pub fn read<'a, T: Deserialize<'a>>(value: Field<'a>) -> Option<T> {
    serde_json::from_str(value?.get()).ok()
}

/// What an error says: a string, or the `message` of an object.
pub fn error_text(value: Field<'_>) -> String {
    read::<Value>(value).map(|value| plain_text(&value)).unwrap_or_default()
}

/// The same of a value that is read already.
pub fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(object) => object.get("message").map(plain_text).unwrap_or_default(),
        _ => String::new(),
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Text)
    }
}

struct TextVisitor;

/// What a visitor does with numbers, truth values and nothing.
macro_rules! no_scalars {
    ($empty:expr) => {
        fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok($empty)
        }
        fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok($empty)
        }
        fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok($empty)
        }
        fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok($empty)
        }
        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok($empty)
        }
    };
}
pub(in crate::protocol) use no_scalars;

/// What a visitor does with all values but strings and lists.
macro_rules! ignore_scalars {
    ($empty:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any JSON")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($empty)
        }
        $crate::protocol::ndjson::field::no_scalars!($empty);
    };
}
pub(in crate::protocol) use ignore_scalars;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;
    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cow::Borrowed(""))
    }
    ignore_scalars!(Cow::Borrowed(""));
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MaybeVisitor(PhantomData)).map(Maybe)
    }
}

struct MaybeVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for MaybeVisitor<T> {
    type Value = Option<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
    no_scalars!(None);
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData)).map(List)
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Maybe<T>>()? {
            items.extend(item.0);
        }
        Ok(items)
    }
    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
    ignore_scalars!(Vec::new());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Inner<'a> {
        #[serde(borrow, default)]
        text: Field<'a>,
    }

    #[derive(Debug, serde::Deserialize)]
    struct Outer<'a> {
        #[serde(borrow, default)]
        one: Maybe<Inner<'a>>,
        #[serde(borrow, default)]
        many: List<Inner<'a>>,
    }

    #[test]
    fn what_has_another_type_is_absent() {
        let read = |json: &str| {
            let outer: Outer<'_> = serde_json::from_str(json).unwrap();
            let one = outer.one.0.map(|inner| literal(inner.text).decode().into_owned());
            (one, outer.many.0.len())
        };
        assert_eq!(
            read(r#"{"one":{"text":"a\nb","x":[1]},"many":[{"text":"c"},7,null,[2],{}]}"#),
            (Some("a\nb".into()), 2)
        );
        for odd in ["null", "7", "-1", "true", "\"x\"", "\"x\\n\"", "[[1]]"] {
            assert_eq!(read(&format!(r#"{{"one":{odd},"many":{odd}}}"#)), (None, 0), "{odd}");
        }
        assert_eq!(read(r#"{"many":{"text":"x"}}"#), (None, 0));
        assert_eq!(read(r#"{"one":1.5,"many":1.5}"#), (Some(String::new()), 0));
    }
}
