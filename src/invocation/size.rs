//! Sizes as people write them: `200M`, `1.5GiB`, `10GB`, `4096`.

/// Units: `K`, `M`, `G`, `T` and `KiB` … are powers of 1024, as `du -h` counts; `kB`, `MB` … powers of 1000.
const UNITS: [(&str, u64); 15] = [
    ("", 1),
    ("B", 1),
    ("K", 1 << 10),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("KB", 1_000),
    ("M", 1 << 20),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("G", 1 << 30),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("T", 1 << 40),
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
];

/// Reads a size, in bytes.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{}` is not a size; write `200M`, `1.5GiB` or `0`", text.escape_debug());
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_whole = |part: &str| part.len() <= 18 && part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || number.ends_with('.') || !is_whole(whole) || !is_whole(fraction) {
        return Err(wrong());
    }
    let bytes = whole.parse::<u64>().map_err(|_| wrong())?.checked_mul(factor).ok_or_else(wrong)?;
    let scale = 10u128.pow(u32::try_from(fraction.len()).map_err(|_| wrong())?);
    let rest = u128::from(fraction.parse::<u64>().unwrap_or(0)) * u128::from(factor) / scale;
    u64::try_from(rest).ok().and_then(|rest| bytes.checked_add(rest)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes_and_refuses_the_rest() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("12B", 12),
            ("200M", 200 << 20),
            ("1.5GiB", 3 << 29),
            ("0.5K", 512),
            ("10GB", 10_000_000_000),
            ("2T", 2 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "G", "-1G", "1,5G", "1 G", "1.G", ".5G", "1g", "99999999999T", "1.2.3M", "١M"] {
            assert!(parse_size(bad).is_err(), "{bad:?}");
        }
    }
}
