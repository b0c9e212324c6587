//! Patches in files: compressed, and known by their digest.

use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::Result;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::environment::{CheckpointRecord, FoundEnv};
use crate::failure::{Code, Failure};
use crate::formats::base64;
use crate::layout::names;
use crate::sys::child::Sink;
use crate::task::hex;

/// The largest compressed patch that is kept, in bytes.
pub(super) const MOST: usize = 10 << 20;

/// Compresses what `write` passes on. `None`: it would be longer than [`MOST`].
///
/// # Errors
/// Those of `write`.
pub(super) fn compressed(write: impl FnOnce(&mut Sink<'_>) -> Result<()>) -> Result<Option<Vec<u8>>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut is_too_long = false;
    let written = write(&mut |block| {
        encoder.write_all(block)?;
        is_too_long = encoder.get_ref().len() > MOST;
        if is_too_long { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(()) }
    });
    if is_too_long {
        return Ok(None);
    }
    written?;
    let bytes = encoder.finish()?;
    Ok((bytes.len() <= MOST).then_some(bytes))
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The longest patch that is read, in bytes.
const MOST_PLAIN: u64 = 512 << 20;

/// A patch as git reads it, of a file: plain, compressed by gzip, or either of them as base64 text, as makima keeps it.
///
/// # Errors
/// A [`Code::BadDocument`] failure for a file that is damaged.
pub(super) fn plain(bytes: &[u8], path: &Path) -> Result<Vec<u8>> {
    let bad = |why: &str| {
        let message = format!("the patch {} cannot be read: {why}", path.display());
        Failure::new(Code::BadDocument, message).hint("it is a text of `git diff --binary`, plain or by gzip")
    };
    let decoded;
    let bytes = match base64::decode(bytes) {
        Some(bytes) => {
            decoded = bytes;
            &decoded
        }
        None => bytes,
    };
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes.to_vec());
    }
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(MOST_PLAIN + 1).read_to_end(&mut plain);
    match read {
        Err(error) => Err(bad(&error.to_string()).into()),
        Ok(_) if plain.len() as u64 > MOST_PLAIN => Err(bad("it is longer than 512 MiB").into()),
        Ok(_) => Ok(plain),
    }
}

/// The beginning of the patch of a checkpoint, and whether it goes on. `None`: it has none that can be read.
pub fn patch_of_checkpoint(
    found: &FoundEnv,
    checkpoint: &CheckpointRecord,
    most: usize,
) -> Option<(Vec<u8>, bool)> {
    let file = &checkpoint.patch.as_ref()?.file;
    // The record is a claim: no other file of the env root is shown for it.
    if !Path::new(file).starts_with(Path::new(names::OUTPUT).join(names::CHECKPOINTS)) {
        return None;
    }
    let bytes = found.env.tree.read(Path::new(file), MOST as u64);
    let bytes = bytes.inspect_err(|error| log::debug!("read the patch {file}: {error}")).ok()??;
    let mut patch = Vec::new();
    // What was read before a damaged part counts.
    let _ = MultiGzDecoder::new(&bytes[..]).take(most as u64 + 1).read_to_end(&mut patch);
    let goes_on = patch.len() > most;
    patch.truncate(most);
    (!patch.is_empty()).then_some((patch, goes_on))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_read_in_every_form() {
        let patch = b"diff --git a/a b/a\n".repeat(9);
        let zipped = compressed(|sink| Ok(sink(&patch)?)).unwrap().unwrap();
        let path = Path::new("/p");
        assert_eq!(plain(&patch, path).unwrap(), patch);
        assert_eq!(plain(&zipped, path).unwrap(), patch);
        assert!(plain(&zipped[..zipped.len() - 9], path).is_err());
    }

    #[test]
    fn a_patch_that_would_be_too_long_is_none() {
        let mut state = 1_u32;
        let mut noise = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()
        };
        let made = compressed(|sink| {
            for _ in 0..3000 {
                sink(&(0..1024).flat_map(|_| noise()).collect::<Vec<u8>>())?;
            }
            Ok(())
        });
        assert!(made.unwrap().is_none());
    }
}
