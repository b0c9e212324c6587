//! Durations as people write them: `90s`, `15m`, `24h`, `5d`, `1d12h`, and `0`.

use chrono::Duration;

/// Reads a duration.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!(
            "`{}` is not a duration; write `90s`, `15m`, `24h`, `5d`, `1d12h` or `0`",
            text.escape_debug()
        )
    };
    if text == "0" {
        return Ok(Duration::zero());
    }
    let mut total: i64 = 0;
    let mut digits = String::new();
    let mut last_unit = i64::MAX;
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit: i64 = match c {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        // Each unit once, the largest first: `12h1d` is probably a typing mistake.
        if unit >= last_unit {
            return Err(wrong());
        }
        last_unit = unit;
        let count: i64 = digits.parse().map_err(|_| wrong())?;
        digits.clear();
        total = count.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
    }
    if !digits.is_empty() || text.is_empty() {
        return Err(wrong());
    }
    Duration::try_seconds(total).ok_or_else(wrong)
}
