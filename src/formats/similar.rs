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

/// How many letters must be changed, added or taken away to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().take(64).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, with) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *with);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
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
        assert_eq!(closest("clean", ["cleanup", "list"]), Some("cleanup"));
        assert_eq!(closest("tcsh", ["bash", "zsh", "fish"]), None);
    }
}
