//! Durations as people write them: `90s`, `15m`, `24h`, `5d`, `1d12h`, and `0`.

use chrono::Duration;

pub use crate::formats::parse_duration;

/// Reads a duration as multica's variables contain it: Go's grammar, with `d` for 24 hours. A negative duration means the
/// same as zero, because an age is always greater than either.
///
/// # Errors
/// A sentence that says what is accepted.
pub(super) fn parse_go_duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("`{}` is not a duration; write `72h`, `1d12h`, `0.5d` or `0`", text.escape_debug());
    let trimmed = text.trim();
    let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    let mut total: f64 = 0.0;
    let mut rest = unsigned;
    if unsigned != "0" {
        while !rest.is_empty() {
            let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(wrong)?;
            let (number, after) = rest.split_at(end);
            let length = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
            let (unit, next) = after.split_at(length);
            let seconds = match unit {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                _ => return Err(wrong()),
            };
            total += number.parse::<f64>().map_err(|_| wrong())? * seconds;
            rest = next;
        }
    }
    // Go counts in nanoseconds and has 63 bits for them.
    if unsigned.is_empty() || total > 9.2e9 {
        return Err(wrong());
    }
    let sign = if trimmed.starts_with('-') { 0.0 } else { 1.0 };
    std::time::Duration::try_from_secs_f64(total * sign)
        .ok()
        .and_then(|total| Duration::from_std(total).ok())
        .ok_or_else(wrong)
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
    fn reads_what_upstream_s_variables_hold() {
        for (text, milliseconds) in [
            ("0", 0),
            ("72h0m0s", 259_200_000),
            ("1d12h", 129_600_000),
            ("0.5d", 43_200_000),
            (".5d", 43_200_000),
            ("2d30m", 174_600_000),
            ("1.5h", 5_400_000),
            ("300ms", 300),
            (" 24h ", 86_400_000),
            ("-1h", 0),
            ("+1h", 3_600_000),
        ] {
            assert_eq!(parse_go_duration(text).unwrap().num_milliseconds(), milliseconds, "{text}");
        }
        for bad in ["", "5", "5days", "abc5d", "d", "1h2", "--1h", "1..5h", "99999999999h", "1e3s"] {
            assert!(parse_go_duration(bad).is_err(), "{bad:?}");
        }
    }

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
