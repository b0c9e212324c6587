//! Patches in files: compressed, and known by their digest.

use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::Result;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::failure::{Code, Failure};
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
    let bytes = match from_base64(bytes) {
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

/// The bytes of a base64 text; `None`: it is none.
fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let value = |byte: u8| {
        Some(match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        })
    };
    let digits: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let padding = digits.iter().rev().take_while(|byte| **byte == b'=').count();
    if digits.is_empty() || !digits.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let digits = &digits[..digits.len() - padding];
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3);
    for four in digits.chunks(4) {
        let mut bits = 0_u32;
        for place in 0..4 {
            bits = bits << 6 | u32::from(four.get(place).map_or(Some(0), |byte| value(*byte))?);
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    Some(bytes)
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
        for (text, bytes) in [("YQ==", "a"), ("YWI=", "ab"), ("YWJj", "abc"), ("YWJj\nZGU=\n", "abcde")] {
            assert_eq!(from_base64(text.as_bytes()).unwrap(), bytes.as_bytes(), "{text}");
        }
        for text in ["", "YQ=", "Y===", "YQ=a", "diff --git a/a b/a", "====", "YWJ"] {
            assert_eq!(from_base64(text.as_bytes()), None, "{text}");
        }
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
