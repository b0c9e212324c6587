//! Text forms: quoting for shells, sizes, ages, columns.

use chrono::Duration;
use unicode_width::UnicodeWidthStr;

/// A value quoted so that a POSIX shell reads it back unchanged.
pub fn shell_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Bytes for people: `0 B`, `1.5 KiB`.
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

/// A number with its noun: `1 entry`, `2 entries`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// How far a stopped command came: `stopped: 812 of 3,001 entries`.
pub fn stopped_after(done: usize, of: usize, what: &str) -> String {
    format!("stopped: {} of {} {what}", grouped(done as u64), grouped(of as u64))
}

/// A number with a comma after each three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count for people: `950`, `12.3k`, `4.5M`.
pub fn show_count(count: u64) -> String {
    match count {
        0..=999 => count.to_string(),
        1_000..=999_949 => format!("{:.1}k", count as f64 / 1e3),
        _ => format!("{:.1}M", count as f64 / 1e6),
    }
}

/// A price in US dollars for people: `$1.23`, and as many digits of a small one that it is not nothing: `$0.0042`.
pub fn show_price(dollars: f64) -> String {
    match dollars {
        _ if dollars >= 1e9 => format!("${dollars:.1e}"),
        _ if dollars >= 0.01 || dollars <= 0.0 => format!("${dollars:.2}"),
        _ if dollars >= 0.0001 => format!("${dollars:.4}"),
        _ => "less than $0.0001".to_owned(),
    }
}

/// An age for people, in its largest unit: `5m`, `3h`, `12d`.
pub fn show_age(age: Duration) -> String {
    let seconds = age.num_seconds().max(0);
    match seconds {
        0..=59 => format!("{seconds}s"),
        60..=3_599 => format!("{}m", seconds / 60),
        3_600..=86_399 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// An age for people, in two units: `3d 4h`, `2h 5m`, `7m 1s`, `42s`.
pub fn show_age_in_two(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..=59 => format!("{seconds}s"),
        60..=3_599 => format!("{minutes}m {}s", seconds % 60),
        3_600..=86_399 => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// Rows below each other, each column as wide on a terminal as its widest cell; the first row names the columns.
pub fn columns<R: AsRef<[String]>>(rows: &[R]) -> String {
    let columns = rows.first().map_or(0, |row| row.as_ref().len());
    let width = |column: usize| rows.iter().map(|row| row.as_ref()[column].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.as_ref().iter().zip(&widths);
        let padded = cells.map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.width())));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A text that begins `indent` characters after the left edge, broken between words so that it fits into `width`; `None`: as it is.
pub fn wrapped(text: &str, indent: usize, width: Option<usize>) -> String {
    let Some(width) = width.filter(|width| *width > 2 * indent) else { return text.to_owned() };
    let (mut wrapped, mut at) = (String::new(), indent);
    for word in text.split(' ') {
        if at > indent && at + 1 + word.width() > width {
            wrapped.push_str(&format!("\n{:indent$}", ""));
            at = indent;
        } else if at > indent {
            wrapped.push(' ');
            at += 1;
        }
        wrapped.push_str(word);
        at += word.width();
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_never_shown_as_none_and_never_long() {
        for (dollars, expected) in [
            (0.0, "$0.00"),
            (1e308, "$1.0e308"),
            (123_456_789.0, "$123456789.00"),
            (12.344, "$12.34"),
            (0.5, "$0.50"),
            (0.01, "$0.01"),
            (0.0042, "$0.0042"),
            (0.00012, "$0.0001"),
            (0.000_001, "less than $0.0001"),
        ] {
            assert_eq!(show_price(dollars), expected);
        }
    }

    #[test]
    fn a_stopped_command_says_how_far_it_came() {
        for (done, of, expected) in [
            (0, 2, "stopped: 0 of 2 entries"),
            (812, 3001, "stopped: 812 of 3,001 entries"),
            (100_000, 1_000_000, "stopped: 100,000 of 1,000,000 entries"),
        ] {
            assert_eq!(stopped_after(done, of, "entries"), expected);
        }
    }

    #[test]
    fn a_text_is_broken_between_words() {
        for (text, indent, width, expected) in [
            ("a bc def", 2, None, "a bc def"),
            ("a bc def", 2, Some(10), "a bc def"),
            ("a bc def", 2, Some(9), "a bc\n  def"),
            ("环境 bc", 2, Some(8), "环境\n  bc"),
            ("longer than that", 2, Some(6), "longer\n  than\n  that"),
            ("too narrow", 4, Some(8), "too narrow"),
            ("", 2, Some(9), ""),
        ] {
            assert_eq!(wrapped(text, indent, width), expected, "{text} {width:?}");
        }
    }

    #[test]
    fn quotes_and_escapes() {
        assert_eq!(shell_quote("a'b$(x)\n"), "'a'\\''b$(x)\n'");
        assert_eq!(show_bytes(1023), "1023 B");
        assert_eq!(show_bytes(1536), "1.5 KiB");
        assert_eq!(show_age(Duration::hours(49)), "2d");
        let counts = [950, 1_000, 12_345, 999_950].map(show_count);
        assert_eq!(counts, ["950", "1.0k", "12.3k", "1.0M"]);
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
        let rows = [["NAME", "AGE"], ["环境", "1h"], ["e\u{301}", "2h"]].map(|row| row.map(str::to_owned));
        assert_eq!(
            columns(&rows),
            "NAME  AGE\n环境  1h\ne\u{301}     2h",
            "what is wide on a terminal counts as two"
        );
    }
}
