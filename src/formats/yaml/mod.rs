//! YAML: reading it with positions, and writing into it.
//!
//! What was written into a user's text is parsed again and must differ in the wanted value only.

mod document;
pub(crate) mod edit;
mod node;
mod write;

pub(crate) use self::document::Document;
pub(crate) use self::node::{Kind, Node, same};
pub(crate) use self::write::{scalar, write};
