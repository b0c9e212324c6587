//! From a skill's name to the name of its folder.

use std::collections::{HashMap, HashSet};

/// The longest slug, in bytes, before a suffix: paths stay short enough for every filesystem.
const MAX_SLUG: usize = 64;

/// How many folder names are tried for one skill.
const ATTEMPTS: usize = 64;

/// The folder name for a skill: lower-case ASCII letters and digits, everything else one `-`; `skill` when
/// nothing is left. Different names may share a slug: see [`resolve_batch`].
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    // One character for one: a full mapping turns `İ` into two, and the second would become a `-`.
    for c in name.chars().map(|c| c.to_lowercase().next().unwrap_or(c)) {
        if slug.len() >= MAX_SLUG {
            break;
        }
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.is_empty() { "skill".to_owned() } else { slug }
}

/// The folder names to try for a slug, in order. The first free one is taken; anything at a name, even a
/// dangling link, makes it occupied.
pub fn candidates(slug: &str) -> impl Iterator<Item = String> {
    (0..ATTEMPTS).map(move |attempt| candidate(slug, attempt))
}

fn candidate(slug: &str, attempt: usize) -> String {
    match attempt {
        0 => slug.to_owned(),
        1 => format!("{slug}-multica"),
        n => format!("{slug}-multica-{n}"),
    }
}

/// One slug for each name of a batch, all different. The brief lists exactly these.
///
/// Each slug remembers how far its numbers got, so that ten thousand skills of one name take ten thousand
/// steps. The count goes on after the attempts of [`candidates`]: only the disk can be full.
pub fn resolve_batch<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut next_attempt: HashMap<String, usize> = HashMap::new();
    let mut resolve = |name| {
        let slug = slug(name);
        let attempt = next_attempt.entry(slug.clone()).or_default();
        loop {
            let name = candidate(&slug, *attempt);
            *attempt += 1;
            if taken.insert(name.clone()) {
                return name;
            }
        }
    };
    names.into_iter().map(&mut resolve).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_folder_name() {
        let long = "x".repeat(200);
        let cut_at_a_dash = format!("{} yz", "x".repeat(63));
        for (name, expected) in [
            ("Go Conventions", "go-conventions"),
            ("Review PRs", "review-prs"),
            ("A B", "a-b"),
            ("A-B", "a-b"),
            ("a.b", "a-b"),
            ("  a  --  b!  ", "a-b"),
            ("日本語", "skill"),
            ("---", "skill"),
            ("", "skill"),
            ("../../etc", "etc"),
            ("Café 7", "caf-7"),
            ("İz", "iz"),
            ("\u{212a}elvin", "kelvin"),
            (&long, &"x".repeat(64)),
            (&cut_at_a_dash, &"x".repeat(63)),
        ] {
            assert_eq!(slug(name), expected, "{name:?}");
        }
    }

    #[test]
    fn folder_names_are_tried_in_order() {
        let all: Vec<_> = candidates("s").collect();
        assert_eq!(all[..4], ["s", "s-multica", "s-multica-2", "s-multica-3"]);
        assert_eq!(all.len(), 64);
        assert_eq!(all[63], "s-multica-63");
    }

    #[test]
    fn a_batch_has_no_name_twice() {
        for (names, expected) in [
            (&["A B", "A-B", "a.b"][..], &["a-b", "a-b-multica", "a-b-multica-2"][..]),
            (&["a-b-multica", "a b", "a.b"], &["a-b-multica", "a-b", "a-b-multica-2"]),
            (&["a", "a", "a-multica"], &["a", "a-multica", "a-multica-multica"]),
            (&[], &[]),
        ] {
            assert_eq!(resolve_batch(names.iter().copied()), expected, "{names:?}");
        }
    }

    #[test]
    fn a_large_batch_of_one_name_is_resolved() {
        let slugs = resolve_batch(std::iter::repeat_n("same", 20_000));
        assert_eq!(slugs.iter().collect::<HashSet<_>>().len(), 20_000);
        assert_eq!(slugs[19_999], "same-multica-19999");
    }
}
