//! Durations as people write them: `90s`, `15m`, `24h`, `5d`, `1d12h`, and `0`.

use chrono::Duration;

/// Reads a duration.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        format!("`{}` is no duration; write `90s`, `15m`, `24h`, `5d`, `1d12h` or `0`", text.escape_debug())
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
        // Each unit once, the largest first: `12h1d` is more likely a slip than a wish.
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

/// Writes a duration so that [`parse_duration`] reads it back.
pub fn show_duration(duration: Duration) -> String {
    let mut rest = duration.num_seconds();
    if rest <= 0 {
        return "0".into();
    }
    let mut text = String::new();
    for (unit, name) in [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')] {
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_refuses_the_rest() {
        for (text, seconds) in
            [("0", 0), ("90s", 90), ("15m", 900), ("24h", 86_400), ("5d", 432_000), ("1d12h", 129_600)]
        {
            assert_eq!(parse_duration(text).unwrap().num_seconds(), seconds, "{text}");
            assert_eq!(
                parse_duration(&show_duration(parse_duration(text).unwrap())).unwrap().num_seconds(),
                seconds
            );
        }
        for bad in [
            "",
            "1",
            "h",
            "-1h",
            "1.5h",
            "1w",
            "12h1d",
            "1h1h",
            "99999999999999999999d",
            "9223372036854775807d",
            " 1h",
            "١h",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
    }
}
