//! Structs that are read from JSON objects only.
//!
//! serde reads a struct from an array as well. No document and no agent has one in that form, and the code for it is a third of
//! what reads a struct: 30 KB for a task document.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// A struct, in a field or as a document. What it holds is read in its own way.
#[derive(Clone, Debug, Default)]
pub struct Object<T>(pub T);

/// Reads a struct from an object, and from nothing else.
///
/// # Errors
/// When the text is no object of this form.
pub fn read<'a, T: Deserialize<'a>>(json: &'a str) -> serde_json::Result<T> {
    serde_json::from_str(json).map(|Object(value)| value)
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Object)
    }
}

/// The names of the fields that a struct is read from, as its `Deserialize` gives them.
pub fn fields<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    let _ = T::deserialize(FieldNames(&mut names));
    names
}

/// Notes which fields a struct asks for, and has none.
struct FieldNames<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(serde::de::Error::custom("only the names are wanted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(serde::de::Error::custom("no struct"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

#[cfg(test)]
mod tests {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Two {
        one: u8,
        #[serde(default)]
        other: u8,
    }

    #[test]
    fn the_fields_of_a_struct_are_known_without_a_value() {
        assert_eq!(super::fields::<Two>(), ["one", "other"]);
        assert!(super::fields::<u8>().is_empty());
    }

    #[test]
    fn an_array_is_no_struct() {
        assert_eq!(super::read::<Two>(r#"{"one":1,"more":[]}"#).unwrap(), Two { one: 1, other: 0 });
        for odd in ["[1,2]", "null", "1", "\"x\"", "{}", r#"{"one":[]}"#] {
            assert!(super::read::<Two>(odd).is_err(), "{odd}");
        }
    }
}
