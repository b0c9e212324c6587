//! What a run says to the server.

use crate::protocol::Permission;

/// What a run says to the server.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The prompt.
    pub prompt: String,
    /// The folder that the agent works in.
    pub work_dir: String,
    /// The requested model.
    pub model: Option<String>,
    /// A text for the system prompt.
    pub instructions: Option<String>,
    /// The thread to resume.
    pub resume: Option<String>,
    /// What the server is answered when it asks a person.
    pub permission: Permission,
}
