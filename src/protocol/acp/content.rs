//! What a message or a tool says: a block, several, or a text. It is most of a long stream, so it is read in the pass over
//! the line that it stands in.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::read::{Any, Block, literal, text};
use crate::protocol::JsonText;
use crate::protocol::ndjson::field::{List, Maybe, no_scalars};

/// The content of an update.
#[derive(Debug, Default)]
pub(super) enum Content<'a> {
    /// There is none, or it is of another type.
    #[default]
    None,
    Text(Cow<'a, str>),
    One(Said<'a>),
    Many(Vec<Said<'a>>),
}

/// A block, with the block that it may hold.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Said<'a> {
    #[serde(borrow, default)]
    r#type: Any<'a>,
    #[serde(borrow, default)]
    text: Any<'a>,
    #[serde(borrow, default)]
    content: Maybe<Block<'a>>,
    #[serde(borrow, default)]
    path: Any<'a>,
}

impl Content<'_> {
    /// The texts of a message.
    pub(super) fn texts(&self) -> impl Iterator<Item = JsonText<'_>> {
        let plain = if let Content::Text(text) = self { Some(JsonText::Plain(text)) } else { None };
        let blocks = match self {
            Content::None | Content::Text(_) => &[],
            Content::One(block) => std::slice::from_ref(block),
            Content::Many(blocks) => &blocks[..],
        };
        plain.into_iter().chain(blocks.iter().map(|block| literal(block.text)))
    }

    /// The texts of a list of what a tool says; of a change to a file its path.
    pub(super) fn results(&self) -> impl Iterator<Item = JsonText<'_>> {
        let blocks = if let Content::Many(blocks) = self { &blocks[..] } else { &[] };
        blocks.iter().map(Said::result).filter(|text| !text.is_empty())
    }
}

impl Said<'_> {
    fn result(&self) -> JsonText<'_> {
        let found = self.content.0.map_or(JsonText::default(), |inner| literal(inner.text));
        match (found.is_empty(), &*text(self.r#type)) {
            (false, _) => found,
            (true, "diff") => literal(self.path),
            (true, _) => literal(self.text),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }
    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Content::Text(text.into()))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Content::Text(text.to_owned().into()))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Said::deserialize(MapAccessDeserializer::new(map)).map(Content::One)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        List::deserialize(SeqAccessDeserializer::new(seq)).map(|blocks| Content::Many(blocks.0))
    }
    no_scalars!(Content::None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_in_each_form() {
        for (json, texts, results) in [
            (r#""a\nb""#, &["a\nb"][..], &[][..]),
            (r#""a""#, &["a"], &[]),
            (r#"{"type":"text","text":"a\nb"}"#, &["a\nb"], &[]),
            (r#"[{"text":"a"},7,null,{"text":"b"}]"#, &["a", "b"], &["a", "b"]),
            (r#"[{"content":{"text":"a"}},{"type":"diff","path":"p"},{}]"#, &["", "", ""], &["a", "p"]),
            ("7", &[], &[]),
            ("-1", &[], &[]),
            ("1.5", &[""], &[]),
            ("true", &[], &[]),
            ("null", &[], &[]),
        ] {
            let content: Content<'_> = serde_json::from_str(json).unwrap();
            let decoded = |text: JsonText<'_>| text.decode().into_owned();
            assert_eq!(content.texts().map(decoded).collect::<Vec<_>>(), texts, "{json}");
            assert_eq!(content.results().map(decoded).collect::<Vec<_>>(), results, "{json}");
        }
    }
}
