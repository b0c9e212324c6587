//! The user's own Codex home. It is only read: bounded, never through something that could make us wait.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::layout::names;
use crate::provider::plan::HomeRequest;
use crate::provider::user_file::is_of_an_environment;

/// What an environment calls its own Codex home.
pub(in crate::provider) const HOME_NAME: &str = names::CODEX_HOME;

/// Where the user's home is, which need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SharedHome {
    pub(super) path: PathBuf,
    /// `CODEX_HOME` was no answer: it names the home of an environment.
    pub(super) is_another: bool,
}

impl SharedHome {
    /// `CODEX_HOME`, else `.codex` in the user's home.
    ///
    /// In a shell with an environment's exports, `CODEX_HOME` names that environment's home. It is a copy with our
    /// own keys in it, and may be the very home that is to be made.
    pub(super) fn find(request: &HomeRequest<'_>) -> Option<SharedHome> {
        let named = request.inherited.iter().find(|(key, value)| key == "CODEX_HOME" && !value.is_empty());
        let named = named.and_then(|(_, value)| std::path::absolute(value).ok());
        let is_another = named.as_deref().is_some_and(is_of_an_environment);
        let path = match named.filter(|_| !is_another) {
            Some(path) => path,
            None => request.user_home?.join(".codex"),
        };
        Some(SharedHome { path, is_another })
    }

    /// A regular file's bytes; `None` where nothing is, a dangling link too.
    ///
    /// # Errors
    /// For what is no regular file, longer than `limit` bytes, or cannot be read.
    pub(super) fn read(&self, relative: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        read_regular(&self.path.join(relative), limit)
    }
}

/// Reads a file of the user's, through links: dotfiles are often kept elsewhere.
pub(super) fn read_regular(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open_regular(path)? else { return Ok(None) };
    let mut bytes = Vec::with_capacity(usize::try_from(file.metadata()?.len().min(limit)).unwrap_or(0) + 1);
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it is longer than {limit} bytes")));
    }
    Ok(Some(bytes))
}

fn open_regular(path: &Path) -> io::Result<Option<File>> {
    // Opening alone can wait (a FIFO) or act (a device): look first, and do not wait should it change in between.
    let open = || {
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let flags = (OFlags::NONBLOCK | OFlags::CLOEXEC).bits() as i32;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
    };
    match open() {
        Ok(file) => Ok(Some(file)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
