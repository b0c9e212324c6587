//! How long one call of OpenClaw's CLI may take.

use std::time::Duration;

/// The variable that sets it: `45s`, `1m30s`, or bare seconds.
pub(super) const VARIABLE: &str = "MULTICA_OPENCLAW_CLI_TIMEOUT";

const DEFAULT: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_secs(1);
/// With at most four calls, and ten seconds for the version, a preparation stays under five minutes.
const LONGEST: Duration = Duration::from_secs(60);

/// The deadline that a setting asks for; the default for one that makes no sense.
pub(super) fn from_setting(setting: Option<&str>) -> Duration {
    let asked = setting.map(str::trim).and_then(read).filter(|asked| !asked.is_zero());
    asked.map_or(DEFAULT, |asked| asked.clamp(SHORTEST, LONGEST))
}

fn read(text: &str) -> Option<Duration> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().filter(|seconds| *seconds < 1 << 33).map(Duration::from_secs);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let count: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let seconds = match &rest[..letters] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(count * seconds).ok()?)?;
        rest = &rest[letters..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_clamped_and_nonsense_is_the_default() {
        for (setting, seconds) in [
            (None, 30),
            (Some("45s"), 45),
            (Some("45"), 45),
            (Some("1m30s"), 60),
            (Some("3600"), 60),
            (Some("12345678901234567890"), 30),
            (Some("123456789012345678901234567890"), 30),
            (Some("soon"), 30),
            (Some("   "), 30),
            (Some("0"), 30),
            (Some("0s"), 30),
            (Some("-5s"), 30),
            (Some("-5"), 30),
            (Some("10ms"), 1),
            (Some("30m"), 60),
            (Some(" 45s "), 45),
            (Some("1.5m"), 60),
            (Some("2.5"), 30),
            (Some("5s3"), 30),
            (Some("99999999999999999999h"), 30),
        ] {
            assert_eq!(from_setting(setting), Duration::from_secs(seconds), "{setting:?}");
        }
    }
}
