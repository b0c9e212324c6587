//! Dialects that only listen, and the parts of a log of what an agent printed.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use crate::protocol::{Conversation, Raw};
use crate::provider;

/// A conversation that only listens. `None`: this version does not know the dialect.
pub(in crate::run) fn listener(
    provider: &str,
    dialect: &str,
    is_program: bool,
) -> Option<Box<dyn Conversation>> {
    if is_program {
        return Some(Box::new(Raw::new(None)));
    }
    let dialects = provider::find(provider)?.dialects;
    // A release before recorded no dialect: it had one for each provider.
    let spoken = dialects.iter().find(|known| known.name == dialect).or(dialects.first());
    Some((spoken?.listener)())
}

/// Where each turn begins and ends in the log. A log that was shortened has not got the places that were noted: what no line
/// begins at is none.
pub(in crate::run) fn turns(log: &File, length: u64, starts: &[u64]) -> Vec<(u64, u64)> {
    let mut from: Vec<u64> = vec![0];
    for at in starts.iter().copied().filter(|at| *at > 0) {
        if from.last().is_some_and(|last| at > *last) && begins_line(log, at, length) {
            from.push(at);
        }
    }
    let to = from.iter().skip(1).copied().chain([length]);
    from.iter().copied().zip(to).collect()
}

/// Whether a line of the log begins there.
pub(super) fn begins_line(log: &File, at: u64, length: u64) -> bool {
    let mut before = [0];
    at < length && log.read_exact_at(&mut before, at - 1).is_ok() && before == *b"\n"
}

/// Some of the bytes of a file.
pub(in crate::run) struct Part<'a> {
    pub(in crate::run) log: &'a File,
    pub(in crate::run) from: u64,
    pub(in crate::run) to: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.to - self.from).unwrap_or(usize::MAX).min(bytes.len());
        let read = self.log.read_at(&mut bytes[..most], self.from)?;
        self.from += read as u64;
        Ok(read)
    }
}
