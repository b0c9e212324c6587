//! Whether what is printed is what a paper shows, where keys, times and sizes differ from run to run.

/// Whether the lines are the same but for what differs from run to run. `…` alone in a line stands for any lines, and at its end for
/// the rest of it.
pub(super) fn is_as(shown: &str, printed: &str) -> bool {
    let lines = |text: &str| text.lines().map(masked).collect::<Vec<_>>();
    matches(&lines(shown), &lines(printed))
}

fn matches(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line == "…" => {
            (0..=printed.len()).any(|place| matches(rest, &printed[place..]))
        }
        Some((line, rest)) => printed.split_first().is_some_and(|(first, others)| {
            let is_same = match line.strip_suffix('…') {
                Some(beginning) => first.starts_with(beginning.trim_end()),
                None => line == first,
            };
            is_same && matches(rest, others)
        }),
    }
}

/// A line with words in the place of what differs, and single spaces in the place of columns.
fn masked(line: &str) -> String {
    let mut words: Vec<String> = line.split_whitespace().map(masked_word).collect();
    for place in 1..words.len() {
        let is_unit = ["B", "KiB", "MiB", "GiB"].contains(&words[place].trim_matches(['(', ')', ',', ';']));
        if is_unit {
            let number = words[place - 1].trim_start_matches('(').to_owned();
            words[place - 1] = words[place - 1].replace(&number, "SIZE");
            words[place] = words[place].replace(['K', 'M', 'G', 'i'], "");
        }
    }
    words.join(" ")
}

fn masked_word(word: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '+');
    let mut masked = String::new();
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        masked += mask(part);
        let next = after.find(is_part).unwrap_or(after.len());
        masked += &after[..next];
        rest = &after[next..];
    }
    masked
}

/// A key or a commit, an id, a time, a length of time.
fn mask(part: &str) -> &str {
    let has_digit = part.bytes().any(|byte| byte.is_ascii_digit());
    let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_number =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let groups: Vec<&str> = part.split('-').collect();
    if groups.len() == 5 && groups.iter().all(|group| is_hex(group)) {
        "ID"
    } else if part.len() >= 7 && has_digit && is_hex(part) {
        "HEX"
    } else if has_digit && part.contains(':') && part.starts_with(|c: char| c.is_ascii_digit() || c == '+') {
        "TIME"
    } else if groups.len() == 3 && part.len() == 10 && groups.iter().all(|group| is_number(group)) {
        "DATE"
    } else if ["ms", "s", "m", "h", "d"].iter().any(|unit| part.strip_suffix(unit).is_some_and(is_number)) {
        "LONG"
    } else {
        part
    }
}

/// The words of the call of execenv in a line of shell, up to what belongs to the shell.
pub(super) fn command_line(line: &str) -> Option<Vec<String>> {
    let start = line.find("execenv ")?;
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for character in line[start..].chars() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, ' ') => words.push(std::mem::take(&mut word)),
            (None, '|' | '#' | '&' | ';' | ')' | '>') => break,
            _ => word.push(character),
        }
    }
    words.push(word);
    Some(words.into_iter().filter(|word| !word.is_empty()).collect())
}

#[test]
fn what_differs_is_not_compared_and_all_else_is() {
    for (shown, printed, is_same) in [
        ("a  b\n", "a b\n", true),
        ("a b\n", "a c\n", false),
        ("a\n", "a\nb\n", false),
        ("a\n…\nd\n", "a\nb\nc\nd\n", true),
        ("a\n…\n", "b\n", false),
        ("size …\n", "size of all\n", true),
        ("/home/ada/3f9c0a51b2d4/x\n", "/home/ada/0000000000a1/x\n", true),
        ("3f9c0a51b2d4\n", "defaced\n", false),
        ("c3f1a9d0-5b0e-4a53-9a3c-f5a80b7f11c2 0s\n", "11111111-2222-4333-8444-555555abcdef 12s\n", true),
        ("(4.2 KiB)\n", "(12 B)\n", true),
        ("4 files\n", "5 files\n", false),
        ("2026-11-29T21:35:49Z\n", "2026-06-01T12:00:00.5Z\n", true),
        ("2026-11-29 21:35:49 +00:00\n", "2026-06-01 12:00:00 -05:30\n", false),
        ("2026-11-29 21:35:49 +00:00\n", "2026-06-01 12:00:00 +05:30\n", true),
    ] {
        assert_eq!(is_as(shown, printed), is_same, "{shown:?} {printed:?}");
    }
}
