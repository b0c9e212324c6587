//! The JSON form of answers.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// The version of a document, its field `schema`. Further fields leave it as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Version;

impl Version {
    /// The number.
    pub const NUMBER: u32 = 1;
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u32(Version::NUMBER)
    }
}

/// What a value is in JSON.
pub fn document(value: impl Serialize) -> Value {
    serde_json::to_value(value).expect("paths in answers are UTF-8, and keys are text")
}

/// A failure, as the last line of standard error.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct FailureDocument<'a> {
    /// What went wrong.
    pub(super) error: FailureFields<'a>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct FailureFields<'a> {
    /// A stable word; `execenv man` lists all of them.
    #[cfg_attr(test, schemars(with = "crate::failure::Code"))]
    pub(super) code: &'static str,
    /// What and where, for a person.
    pub(super) message: &'a str,
    /// What to type or to change, or null.
    pub(super) hint: Option<&'a str>,
    /// Why, from the outermost step to the first cause.
    pub(super) causes: &'a [String],
}
