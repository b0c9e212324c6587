//! An agent in a sandbox: what shuts it in, and the stages that do so before it starts.
//!
//! The guard starts this executable as the stage instead of the agent. The stage leads a session of its own, so that no program can
//! put words into the user's terminal, and confines itself for good; then it becomes the agent. Where that is done by bubblewrap, the
//! stage becomes bubblewrap, and that starts this executable once more inside, as the last stage. What fails on the way is told
//! through a pipe that closes when the agent begins, so that the guard knows which of them it has started.

#[cfg(target_os = "linux")]
mod stage;
mod told;

use std::ffi::OsString;
use std::fmt;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::Error;

use crate::failure::{Code, Failure};

#[cfg(target_os = "linux")]
pub use stage::main as stage;
pub(super) use told::await_agent;

/// No system but Linux has sandboxes of these kinds.
#[cfg(not(target_os = "linux"))]
pub fn stage(_: &[OsString]) -> Option<u8> {
    None
}

/// The word that leads to a stage.
const STAGE_WORD: &str = "__stage";
/// The kinds of stages, by the words of the option.
const BWRAP: &str = "bwrap";
const LANDLOCK: &str = "landlock";
/// The stage inside of bubblewrap.
const INSIDE: &str = "inside";
/// Before a path in the words of a stage: what may be done there.
const READ: u8 = b'r';
const WRITE: u8 = b'w';
/// Before the path of a file that is to be open.
const COPIED: &str = "copy:";
/// Before the paths: whether the agent keeps the network.
const NETWORK: &str = "net";
const NO_NETWORK: &str = "no-net";

/// The words before those of a stage: the pipe through which it tells what fails.
pub(super) fn stage_words(pipe: &OwnedFd) -> Vec<OsString> {
    vec![STAGE_WORD.into(), pipe.as_raw_fd().to_string().into()]
}

/// The word for a file that bubblewrap gets open, to copy it: it takes the number of one.
pub fn copied(file: &Path) -> OsString {
    let mut word = OsString::from(COPIED);
    word.push(file);
    word
}

/// What shuts an agent in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jail {
    /// Bubblewrap, with its arguments up to the program.
    Bubblewrap {
        /// Its executable.
        program: PathBuf,
        /// What it mounts, and the namespaces.
        args: Vec<OsString>,
    },
    /// Landlock.
    Landlock {
        /// What may be read, and executed.
        readable: Vec<PathBuf>,
        /// What may be changed, too.
        writable: Vec<PathBuf>,
        /// The agent keeps the network.
        has_network: bool,
    },
}

impl Jail {
    /// The word of the option.
    pub fn word(&self) -> &'static str {
        match self {
            Jail::Bubblewrap { .. } => BWRAP,
            Jail::Landlock { .. } => LANDLOCK,
        }
    }

    /// Whether the agent keeps the network.
    pub fn has_network(&self) -> bool {
        match self {
            Jail::Bubblewrap { args, .. } => !args.iter().any(|arg| arg == "--unshare-net"),
            Jail::Landlock { has_network, .. } => *has_network,
        }
    }

    /// The words of the stage that starts a program: the kind, how many words of its own follow, these, and the program.
    pub(super) fn words(&self, program: &Path, args: &[OsString]) -> Vec<OsString> {
        let own: Vec<OsString> = match self {
            Jail::Bubblewrap { program, args } => {
                std::iter::once(program.into()).chain(args.iter().cloned()).collect()
            }
            Jail::Landlock { readable, writable, has_network } => {
                let marked = |mark: u8, path: &Path| {
                    let mut word = OsString::from(char::from(mark).to_string());
                    word.push(path);
                    word
                };
                let network = if *has_network { NETWORK } else { NO_NETWORK };
                std::iter::once(network.into())
                    .chain(readable.iter().map(|path| marked(READ, path)))
                    .chain(writable.iter().map(|path| marked(WRITE, path)))
                    .collect()
            }
        };
        let mut words = vec![self.word().into(), own.len().to_string().into()];
        words.extend(own);
        words.push(program.into());
        words.extend(args.iter().cloned());
        words
    }

    /// The failure of a sandbox that could not be built.
    pub(super) fn failure(&self, why: &NoSandbox) -> Error {
        let word = self.word();
        let message = format!("the sandbox `{word}` cannot be built, so the agent was not started: {why}");
        let hint = match self {
            Jail::Bubblewrap { .. } if self.has_network() => {
                "`execenv doctor` shows what this system allows; `--sandbox landlock` needs no namespaces"
            }
            Jail::Bubblewrap { .. } => {
                "`execenv doctor` shows what this system allows; an agent without a network needs namespaces"
            }
            Jail::Landlock { has_network: false, .. } => {
                "`execenv doctor` shows what this system allows; `--sandbox-net on` needs no namespaces"
            }
            Jail::Landlock { .. } => {
                "`execenv doctor` shows what this system allows; `--sandbox bwrap` needs no Landlock"
            }
        };
        Failure::new(Code::NoSandbox, message).hint(hint).into()
    }
}

/// Why a sandbox was not built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoSandbox(pub(super) String);

impl fmt::Display for NoSandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoSandbox {}
