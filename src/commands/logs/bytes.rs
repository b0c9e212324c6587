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
    // The beginning of a character whose end comes with the next block.
    let mut begun = Vec::new();
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
                begun.extend_from_slice(&block[..length]);
                let whole = whole_characters(&begun);
                write_part(&mut out, &String::from_utf8_lossy(&begun[..whole]))?;
                begun.drain(..whole);
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
    write_part(&mut out, &String::from_utf8_lossy(&begun))?;
    Ok(out.flush()?)
}

/// How many of these bytes are not the beginning of a character that has no end yet.
fn whole_characters(bytes: &[u8]) -> usize {
    /// The longest character, in bytes.
    const LONGEST: usize = 4;
    let begins = |at: &usize| bytes[*at] >= 0xc0;
    let last = (bytes.len().saturating_sub(LONGEST - 1)..bytes.len()).rev().find(begins);
    let is_cut =
        |at: &usize| std::str::from_utf8(&bytes[*at..]).is_err_and(|error| error.error_len().is_none());
    last.filter(is_cut).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_not_cut() {
        for (bytes, whole) in [
            (&b""[..], 0),
            (b"abc", 3),
            ("aé".as_bytes(), 3),
            (b"a\xc3", 1),
            (b"a\xe2\x82", 1),
            (b"\xf0\x9f\x98", 0),
            ("😀".as_bytes(), 4),
            (b"a\xff", 2), // begins nothing
            (b"\xc3\xc3", 1),
            (b"\x82\x82\x82", 3), // the end of nothing
        ] {
            assert_eq!(whole_characters(bytes), whole, "{bytes:?}");
        }
    }
}
