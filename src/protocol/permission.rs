//! The rule of a run for an agent that asks a person.

use serde::{Serialize, Serializer};

/// What an agent that asks for a permission is answered. There is no person who could decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permission {
    /// Yes.
    #[default]
    Allow,
    /// No.
    Deny,
}

impl Permission {
    /// The words of the option, and of the event.
    pub const WORDS: [(&'static str, Permission); 2] =
        [("allow", Permission::Allow), ("deny", Permission::Deny)];

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Permission::Allow => "allow",
            Permission::Deny => "deny",
        }
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}
