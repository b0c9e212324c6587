//! The sandbox that was asked for.

use std::path::PathBuf;

/// What shuts an agent in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SandboxKind {
    /// Nothing.
    #[default]
    None,
    /// Bubblewrap: namespaces, and a view of the files.
    Bwrap,
    /// Landlock: rights on the files.
    Landlock,
}

impl SandboxKind {
    /// The words of the option.
    pub const WORDS: [(&'static str, SandboxKind); 3] =
        [("none", SandboxKind::None), ("bwrap", SandboxKind::Bwrap), ("landlock", SandboxKind::Landlock)];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize].0
    }
}

/// The sandbox that was asked for.
#[derive(Clone, Debug, Default)]
pub struct SandboxRequest {
    /// What it is made of.
    pub kind: SandboxKind,
    /// The agent keeps the network.
    pub has_network: bool,
    /// The user's home.
    pub home: Option<PathBuf>,
    /// Workspaces roots, besides that of the environment.
    pub other_roots: Vec<PathBuf>,
    /// The operator's key.
    pub key_file: Option<PathBuf>,
    /// The list of what the user has trusted, which nothing in a sandbox may see.
    pub trusted_file: Option<PathBuf>,
}
