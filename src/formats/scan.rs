//! Searches for bytes, eight at a time: it is known of all eight at once from the bits that a subtraction borrows. For
//! places that are near, where the start of a wider search costs more than the search.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Marks the bytes of a word that are below `limit`. A mark above the first one may be wrong.
pub fn below(limit: u8, word: u64) -> u64 {
    word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH
}

/// Marks the bytes of a word that are equal to `byte`. A mark above the first one may be wrong.
pub fn equal(byte: u8, word: u64) -> u64 {
    below(1, word ^ (ONES * u64::from(byte)))
}

/// The place of the first byte that `mark` marks.
pub fn find(bytes: &[u8], mark: impl Fn(u64) -> u64) -> Option<usize> {
    let mut words = bytes.chunks_exact(8);
    let mut at = 0;
    for word in words.by_ref() {
        let marks = mark(u64::from_le_bytes(word.try_into().expect("eight bytes")));
        if marks != 0 {
            return Some(at + marks.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    // A word of the last byte alone, eight times.
    words.remainder().iter().position(|byte| mark(ONES * u64::from(*byte)) != 0).map(|found| at + found)
}
