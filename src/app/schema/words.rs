//! The schemas of types that serialise as something else than their fields say: as one of their words, or as text.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::failure::Code;
use crate::gc::Reason;
use crate::output::Version;
use crate::protocol::{FailureReason, JsonText, Permission};

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
words!(Code, "Code", Code::ALL.iter().map(|code| code.word()).collect::<Vec<_>>());
words!(Reason, "GcReason", Reason::ALL.iter().map(|(_, word, _)| *word).collect::<Vec<_>>());

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

impl JsonSchema for Version {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"const": Version::NUMBER, "description": "The version of this object."})
    }
}
