//! The log of an agent's standard error, piece by piece.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use chrono::{DateTime, Utc};

const BLOCK: usize = 64 << 10;

/// How far it is read.
#[derive(Debug, Default)]
pub(super) struct Errors {
    position: u64,
    /// Where the present start of the agent begins in it.
    base: u64,
    /// What is read at a time, once something was.
    block: Vec<u8>,
}

impl Errors {
    /// When the next piece was read, and where it ends, if that is earlier than `time`. `reads`: by when so many bytes had been
    /// read since the start of the agent.
    pub(super) fn due(&self, reads: &[(u64, i64)], time: DateTime<Utc>) -> Option<(u64, DateTime<Utc>)> {
        let done = self.position.saturating_sub(self.base);
        let (bytes, at) = reads.get(reads.partition_point(|(bytes, _)| *bytes <= done))?;
        let at = DateTime::from_timestamp_millis(*at)?;
        (at < time).then_some((self.base.saturating_add(*bytes), at))
    }

    /// Reads on, up to `to`, and gives each piece to `take`.
    ///
    /// # Errors
    /// As the system reports them; those of `take`.
    pub(super) fn read(
        &mut self,
        log: &File,
        to: u64,
        take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.block.resize(BLOCK, 0);
        while self.position < to {
            let most = usize::try_from(to - self.position).unwrap_or(usize::MAX).min(BLOCK);
            let length = log.read_at(&mut self.block[..most], self.position)?;
            if length == 0 {
                // It was shortened, or is not written yet.
                break;
            }
            self.position += length as u64;
            take(&self.block[..length])?;
        }
        Ok(())
    }

    /// How far it is read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Where the present start of the agent ends in it, which has printed so many bytes.
    pub(super) fn end_of_turn(&self, bytes: u64) -> u64 {
        self.base.saturating_add(bytes)
    }

    /// The next start of the agent begins here, in a log of this length that may have been shortened.
    pub(super) fn next_turn(&mut self, reads: &[(u64, i64)], length: u64) {
        let printed = reads.last().map_or(0, |(bytes, _)| *bytes);
        self.base = self.base.saturating_add(printed).min(length);
        self.position = self.position.min(length);
    }
}
