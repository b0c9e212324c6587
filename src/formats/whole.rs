//! Whole numbers as people write them.

use std::str::FromStr;

/// Reads a whole number that consists of digits only: the standard library also takes one with a sign in front. `None`: it is none, or
/// too large.
pub fn parse_whole<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_a_number() {
        assert_eq!((parse_whole::<u16>("0020"), parse_whole::<u64>("0")), (Some(20), Some(0)));
        for text in ["", "+5", "-5", " 5", "5 ", "5.0", "65536", "٥"] {
            assert_eq!(parse_whole::<u16>(text), None, "{text}");
        }
    }
}
