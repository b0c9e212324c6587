//! Which of the known words a mistyped one may have been meant to be.

/// The known word that the typed one is at most two letters away from, or the beginning of. `None`: no word is close
/// enough; a wrong suggestion is worse than none.
pub fn closest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let letters = typed.chars().filter(|letter| letter.is_alphanumeric()).count();
    let rated = known.into_iter().filter_map(|word| {
        let distance = distance(&typed, word);
        // Two letters of three would be another word.
        let is_close = distance <= 2 && distance * 3 <= letters.min(word.len());
        let is_begin = letters >= 4 && word.starts_with(&typed);
        (is_close || is_begin).then_some((!is_close, distance, word))
    });
    rated.min().map(|(_, _, word)| word)
}

/// Unknown words as a list for a message, each with the known word that it may have been meant to be.
pub fn with_meant(unknown: &[String], known: &[&str]) -> String {
    let shown = unknown.iter().map(|word| match closest(word, known.iter().copied()) {
        Some(meant) => format!("{word} (did you mean `{meant}`?)"),
        None => word.clone(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// How many letters must be changed, added or taken away to make one word of the other. Two neighbours in the wrong order are one.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().take(64).collect();
    let other: Vec<char> = other.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for i in 0..one.len() {
        let mut row = vec![i + 1];
        for j in 0..other.len() {
            let changed = last[j] + usize::from(one[i] != other[j]);
            let mut least = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && one[i] == other[j - 1] && one[i - 1] == other[j] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_word_is_found_and_a_far_one_is_not() {
        let known =
            ["--replace", "--local-dir", "--skills", "--dry-run", "--workspace-id", "--mcp-mode", "--free"];
        for (typed, meant) in [
            ("--repo", None),
            ("--force", None),
            ("--local", Some("--local-dir")),
            ("--skill", Some("--skills")),
            ("--dryrun", Some("--dry-run")),
            ("--dry-rum", Some("--dry-run")),
            ("--Replace", Some("--replace")),
            ("--mcp", None),
            ("-n", None),
        ] {
            assert_eq!(closest(typed, known), meant, "{typed}");
        }
        assert_eq!(closest("cleanpu", ["cleanup", "list"]), Some("cleanup"));
        assert_eq!(closest("setpu", ["setup", "ports"]), Some("setup"));
        assert_eq!(closest("lsit", ["list", "logs"]), Some("list"));
        assert_eq!(closest("clean", ["cleanup", "list"]), Some("cleanup"));
        assert_eq!(closest("tcsh", ["bash", "zsh", "fish"]), None);
    }
}
