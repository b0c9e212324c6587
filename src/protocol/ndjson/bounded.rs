//! The bytes of one JSON value, as they come: whole up to [`WHOLE`], then without the ends of its long strings, then lost.

use super::shorten::{STRING, Shortener};

/// Up to here a value is kept byte for byte.
pub const WHOLE: usize = 1 << 20;
/// The most that is kept of a longer one.
pub const KEPT: usize = 8 << 20;

/// A value that grows.
#[derive(Debug, Default)]
pub struct Bounded {
    kept: Vec<u8>,
    long: Option<Long>,
}

#[derive(Debug)]
struct Long {
    shortener: Shortener,
    length: u64,
    is_lost: bool,
}

impl Bounded {
    /// Appends bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.long.is_none() {
            if self.kept.len() + bytes.len() <= WHOLE {
                return self.kept.extend_from_slice(bytes);
            }
            let mut shortener = Shortener::new(STRING);
            let whole = std::mem::take(&mut self.kept);
            shortener.push(&whole, &mut self.kept);
            self.long = Some(Long { shortener, length: whole.len() as u64, is_lost: false });
        }
        let long = self.long.as_mut().expect("set above");
        long.length += bytes.len() as u64;
        if !long.is_lost {
            // In steps, so that the bound holds for a big block, too.
            for piece in bytes.chunks(STRING) {
                long.shortener.push(piece, &mut self.kept);
                if self.kept.len() > KEPT {
                    long.is_lost = true;
                    self.kept = Vec::new();
                    break;
                }
            }
        }
    }

    /// What is kept: valid JSON, if the value is.
    pub fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// Whether there is nothing, and nothing was lost.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.long.is_none()
    }

    /// Whether long strings lost their ends.
    pub fn is_shortened(&self) -> bool {
        self.long.as_ref().is_some_and(|long| !long.is_lost)
    }

    /// How long the value is, if it was lost.
    pub fn lost(&self) -> Option<u64> {
        self.long.as_ref().filter(|long| long.is_lost).map(|long| long.length)
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.long = None;
        if self.kept.capacity() > WHOLE {
            self.kept = Vec::new();
        } else {
            self.kept.clear();
        }
    }
}
