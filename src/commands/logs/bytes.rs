//! A log as it is.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Context as _, Result};

use super::follow::Follower;
use crate::formats::write_part;
use crate::output::log::note;
use crate::output::stream;
use crate::run::transcript::{LogBytes, Pause, Read};

const BLOCK: usize = 64 << 10;

/// Prints a log: its bytes, or on a terminal what is harmless there.
pub(super) fn print(name: &'static str, last: Option<usize>, mut follower: Follower<'_>) -> Result<()> {
    let is_terminal = std::io::stdout().is_terminal();
    let mut out = stream();
    let mut block = vec![0; BLOCK];
    let mut log: Option<LogBytes> = None;
    let mut is_last = !follower.is_followed;
    loop {
        if log.is_none() {
            // A run that has just begun has not made it yet.
            let file = follower.recorded.log(name)?;
            log = file.map(|file| LogBytes::new(file, last, follower.recorded.is_live)).transpose()?;
        }
        let read = match &mut log {
            Some(log) => log.read(&mut block).with_context(|| format!("read {name}"))?,
            None => Read::Bytes(0),
        };
        match read {
            Read::Bytes(0) if is_last => break,
            Read::Bytes(0) => {
                out.flush()?;
                is_last = follower.pause()? == Pause::Ended;
            }
            Read::Bytes(length) if is_terminal => {
                write_part(&mut out, &String::from_utf8_lossy(&block[..length]))?;
            }
            Read::Bytes(length) => out.write_all(&block[..length])?,
            Read::Lost => {
                out.flush()?;
                note(
                    "the log was shortened (`--max-log`) faster than it could be followed: a part is missing",
                );
            }
        }
        if follower.is_stopped() {
            break;
        }
    }
    Ok(out.flush()?)
}
