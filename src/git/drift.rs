//! What has changed in a checkout between two looks: pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::source_checkout::{Fingerprint, digest};

/// The most files that are named one by one.
const MOST_FILES: usize = 50;
/// Settings whose values are told: they decide what git does in the repository, and are no secrets. Of all others only a digest is.
const TOLD: [&str; 5] =
    ["core.bare", "core.fsmonitor", "core.hookspath", "core.worktree", "extensions.worktreeconfig"];

/// One thing that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Drift {
    /// `HEAD`, `branch NAME`, `tag NAME`, `stash`, `config KEY`, `file PATH` or `files`.
    pub what: String,
    /// What it was; `null`: it was not there. A file that differs from HEAD is told as `git status` does, with its size and
    /// time; a setting that may be a secret by the start of its SHA-256.
    pub before: Option<String>,
    /// What it is; `null`: it is not there.
    pub after: Option<String>,
}

impl Fingerprint {
    /// All that differs in a later look.
    pub fn drift(&self, after: &Fingerprint) -> Vec<Drift> {
        let mut drift = Vec::new();
        if self.head != after.head {
            drift.push(Drift {
                what: "HEAD".into(),
                before: Some(self.head.clone()),
                after: Some(after.head.clone()),
            });
        }
        drift.extend(changes(&self.refs, &after.refs, &ref_words, &|_, commit| commit.to_owned()));
        let value = |key: &str, value: &str| match TOLD.contains(&key) {
            true => value.to_owned(),
            false => format!("sha256:{}", digest(value)),
        };
        drift.extend(changes(&self.settings, &after.settings, &|key| format!("config {key}"), &value));
        let files =
            changes(&self.files, &after.files, &|path| format!("file {path}"), &|_, told| told.to_owned());
        let more = files.len().saturating_sub(MOST_FILES);
        drift.extend(files.into_iter().take(MOST_FILES));
        if more > 0 {
            let after = Some(format!("{more} more files changed"));
            drift.push(Drift { what: "files".into(), before: None, after });
        }
        drift
    }
}

fn ref_words(name: &str) -> String {
    for (prefix, word) in [("refs/heads/", "branch"), ("refs/tags/", "tag")] {
        if let Some(short) = name.strip_prefix(prefix) {
            return format!("{word} {short}");
        }
    }
    name.strip_prefix("refs/").unwrap_or(name).to_owned()
}

fn changes(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    what: &dyn Fn(&str) -> String,
    told: &dyn Fn(&str, &str) -> String,
) -> Vec<Drift> {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let differ = names.filter(|name| before.get(*name) != after.get(*name));
    let tell =
        |name: &str, values: &BTreeMap<String, String>| values.get(name).map(|value| told(name, value));
    differ
        .map(|name| Drift { what: what(name), before: tell(name, before), after: tell(name, after) })
        .collect()
}

/// What has changed, in one line for a person: how many branches, settings and files, and the first names.
pub fn summary(drift: &[Drift]) -> String {
    const SHOWN: usize = 5;
    let shown = drift.iter().take(SHOWN).map(|drift| drift.what.escape_debug().to_string());
    let shown = shown.collect::<Vec<_>>().join(", ");
    match drift.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_change_is_told_once_and_no_secret() {
        let before = Fingerprint {
            head: "main 1".into(),
            refs: map(&[("refs/heads/main", "1"), ("refs/heads/old", "2"), ("refs/tags/v1", "3")]),
            settings: map(&[("core.bare", "false"), ("remote.origin.url", "https://user:secret@host")]),
            files: map(&[("a", ".M"), ("gone", "??")]),
        };
        assert_eq!(before.drift(&before), []);
        let after = Fingerprint {
            head: "main 4".into(),
            refs: map(&[("refs/heads/main", "4"), ("refs/tags/v1", "3"), ("refs/stash", "5")]),
            settings: map(&[("core.bare", "true"), ("remote.origin.url", "https://elsewhere")]),
            files: map(&[("a", ".M"), ("new\n", "??")]),
        };
        let drift = before.drift(&after);
        let told: Vec<String> = drift
            .iter()
            .map(|Drift { what, before, after }| {
                let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
                format!("{what}: {} > {}", text(before), text(after))
            })
            .collect();
        let (was, is) = (digest("https://user:secret@host"), digest("https://elsewhere"));
        let expected = [
            "HEAD: main 1 > main 4".to_owned(),
            "branch main: 1 > 4".into(),
            "branch old: 2 > -".into(),
            "stash: - > 5".into(),
            "config core.bare: false > true".into(),
            format!("config remote.origin.url: sha256:{was} > sha256:{is}"),
            "file gone: ?? > -".into(),
            "file new\n: - > ??".into(),
        ];
        assert_eq!(told, expected);
        assert_eq!(summary(&drift), "HEAD, branch main, branch old, stash, config core.bare and 3 more");
    }

    #[test]
    fn a_flood_of_files_is_counted() {
        let files: Vec<String> = (0..MOST_FILES + 7).map(|number| format!("{number:03}")).collect();
        let files = files.iter().map(|name| (name.clone(), "??".to_owned())).collect();
        let after = Fingerprint { files, ..Fingerprint::default() };
        let drift = Fingerprint::default().drift(&after);
        assert_eq!(drift.len(), MOST_FILES + 1);
        assert_eq!(drift.last().and_then(|drift| drift.after.as_deref()), Some("7 more files changed"));
    }
}
