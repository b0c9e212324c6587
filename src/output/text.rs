//! Text forms: escaping for terminals and shells, sizes, ages.

use std::borrow::Cow;

use chrono::Duration;

/// Text that comes from a task, a file or an agent, made harmless for a terminal: control characters become
/// visible, everything else stays.
pub fn escape(text: &str) -> String {
    harmless(text).into_owned()
}

/// As [`escape`], without a copy where there is nothing to escape.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if text.as_bytes().chunks(64).all(has_no_suspect) || !text.contains(is_hostile) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hostile(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    safe.into()
}

/// Also the invisible characters that turn the direction of text.
fn is_hostile(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether no byte can be part of a hostile character. Looks at all of them, which is a few wide instructions.
fn has_no_suspect(bytes: &[u8]) -> bool {
    let suspect = |byte: u8| (byte < 0x20) | (byte == 0x7f) | (byte == 0xc2) | (byte == 0xe2);
    !bytes.iter().fold(false, |found, byte| found | suspect(*byte))
}

/// A value that a POSIX shell reads back as it is, whatever is in it.
pub fn shell_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Bytes for a person: `0 B`, `1.5 KiB`.
pub fn show_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit < UNITS.len() - 1 {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// How many there are of something: `1 entry`, `2 entries`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// An age for a person, in its largest unit: `5m`, `3h`, `12d`.
pub fn show_age(age: Duration) -> String {
    let seconds = age.num_seconds().max(0);
    match seconds {
        0..=59 => format!("{seconds}s"),
        60..=3_599 => format!("{}m", seconds / 60),
        3_600..=86_399 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// An age for a person, in two units: `3d 4h`, `2h 5m`, `7m 1s`, `42s`.
pub fn show_age_in_two(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..=59 => format!("{seconds}s"),
        60..=3_599 => format!("{minutes}m {}s", seconds % 60),
        3_600..=86_399 => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// Rows under each other, each column as wide as its widest cell; the first row names the columns.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let lines = rows.iter().map(|row| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_escapes() {
        assert_eq!(shell_quote("a'b$(x)\n"), "'a'\\''b$(x)\n'");
        assert_eq!(escape("a\u{1b}[31m\nb\u{202e}ü"), "a\\u{1b}[31m\\nb\\u{202e}ü");
        assert_eq!(show_bytes(1023), "1023 B");
        assert_eq!(show_bytes(1536), "1.5 KiB");
        assert_eq!(show_age(Duration::hours(49)), "2d");
        for (seconds, expected) in [
            (0, "0s"),
            (42, "42s"),
            (60, "1m 0s"),
            (421, "7m 1s"),
            (7_500, "2h 5m"),
            (86_399, "23h 59m"),
            (273_600, "3d 4h"),
        ] {
            assert_eq!(show_age_in_two(seconds), expected);
        }
        let rows = [["A", "BÜ"], ["long", ""], ["x", "y"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "A     BÜ\nlong\nx     y");
    }
}
