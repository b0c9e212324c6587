//! Which home of the user's Hermes would read: variable, profile of the arguments, the sticky profile.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::failure::{Code, Failure};
use crate::provider::user_file;
use crate::task::hex;

/// Flags of Hermes whose next argument is their value.
const TAKES_VALUE: &[&str] = &[
    "-z",
    "--oneshot",
    "-m",
    "--model",
    "--provider",
    "-t",
    "--toolsets",
    "-r",
    "--resume",
    "-s",
    "--skills",
    "--usage-file",
];
/// Names that are no profiles.
const RESERVED: &[&str] = &["hermes", "test", "tmp", "root", "sudo"];
const DEFAULT: &str = "default";
/// The longest profile name.
const MAX_NAME: usize = 64;

/// The home that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// The folder, which need not exist unless it is a profile's.
    pub(super) home: PathBuf,
    /// The home that it is a profile of, or itself.
    root: PathBuf,
    /// The platform's own.
    default: PathBuf,
}

/// Where the profile's name stands in the arguments: the first index, and how many arguments it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Selection {
    at: usize,
    length: usize,
    name: String,
}

/// The first selection of a profile. Reads as Hermes reads; no selection behind one that it would not take.
fn selection(args: &[String]) -> Option<Selection> {
    let (mut at, mut in_mcp) = (0, 0);
    while let Some(arg) = args.get(at).map(String::as_str) {
        let next = args.get(at + 1);
        match arg {
            "--" => return None,
            "--args" if in_mcp == 2 => return None,
            "-p" | "--profile" => {
                let name = next.filter(|name| is_name(name))?;
                return Some(Selection { at, length: 2, name: name.clone() });
            }
            "-c" | "--continue" => at += usize::from(next.is_some_and(|value| !value.starts_with('-'))),
            "mcp" => in_mcp = 1,
            "add" if in_mcp == 1 => in_mcp = 2,
            _ if TAKES_VALUE.contains(&arg) => at += 1,
            _ => {
                if let Some(name) = arg.strip_prefix("--profile=") {
                    return Some(Selection { at, length: 1, name: name.to_owned() });
                }
            }
        }
        at += 1;
    }
    None
}

/// Resolves the home: `base` is `HERMES_HOME`'s value, `default` the platform's own.
///
/// # Errors
/// A profile that cannot be one, or is not there; the sticky profile's file cannot be read.
pub(super) fn resolve(base: Option<PathBuf>, default: PathBuf, args: &[String]) -> anyhow::Result<Source> {
    let base = base.unwrap_or_else(|| default.clone());
    let of_profile = parent_of_profile(&base);
    let root = if real(&base).starts_with(real(&default)) {
        default.clone()
    } else {
        of_profile.clone().unwrap_or_else(|| base.clone())
    };
    let found = |home: PathBuf| Source { home, root: root.clone(), default: default.clone() };
    if let Some(selected) = selection(args) {
        return Ok(found(profile(&root, &selected.name)?));
    }
    if of_profile.is_some() {
        return Ok(found(existing(base)?));
    }
    let sticky = user_file::read_text(&root.join("active_profile"))?.unwrap_or_default();
    Ok(found(match sticky.trim() {
        "" | DEFAULT => base,
        name => profile(&root, name)?,
    }))
}

fn profile(root: &Path, name: &str) -> Result<PathBuf, Failure> {
    let name = name.trim().to_lowercase();
    if name == DEFAULT {
        return Ok(root.to_owned());
    }
    if !is_name(&name) || RESERVED.contains(&name.as_str()) {
        return Err(Failure::new(
            Code::BadDocument,
            "the Hermes profile that is selected cannot be one's name",
        )
        .hint("a name is lower-case letters, digits, `-` and `_`"));
    }
    existing(root.join("profiles").join(name))
}

fn existing(home: PathBuf) -> Result<PathBuf, Failure> {
    if home.is_dir() {
        return Ok(home);
    }
    Err(Failure::new(Code::BadConfig, "the Hermes profile that is selected does not exist")
        .hint(format!("make it, or select another: {} is looked for", home.display())))
}

fn is_name(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.len() <= MAX_NAME
        && bytes.first().is_some_and(|first| plain(*first))
        && bytes.iter().all(|c| plain(*c) || matches!(c, b'-' | b'_'))
}

/// `<x>` of `<x>/profiles/<name>`.
fn parent_of_profile(home: &Path) -> Option<PathBuf> {
    let profiles = home.parent()?;
    (profiles.file_name()? == "profiles").then(|| profiles.parent().map(Path::to_path_buf))?
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

impl Source {
    /// The name of this home among stores: no two homes share one.
    pub(super) fn segment(&self) -> String {
        let hash = |path: &Path| hex(&Sha256::digest(path.as_os_str().as_encoded_bytes())[..8]);
        let name = parent_of_profile(&self.home)
            .and_then(|_| self.home.file_name()?.to_str())
            .filter(|n| is_name(n));
        match name {
            _ if self.home == self.default => DEFAULT.into(),
            Some(name) if self.root == self.default => name.into(),
            Some(name) => format!("{name}_{}", hash(&self.root)),
            None => format!("h_{}", hash(&self.home)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_first_selection_counts_where_hermes_would_see_one() {
        for (text, expected) in [
            ("", None),
            ("acp", None),
            ("-p work acp", Some("work")),
            ("acp --profile work -p other", Some("work")),
            ("acp --profile=Work", Some("Work")),
            ("acp --profile=", Some("")),
            ("acp -p -x --profile=y", None),
            ("acp -p Upper", None),
            ("acp -- -p work", None),
            ("acp -m -p work", None),
            ("acp --model -p -p work", Some("work")),
            ("acp -c name -p work", Some("work")),
            ("acp -c -p work", Some("work")),
            ("mcp add x --args -p work", None),
            ("acp --args -p work", Some("work")),
            ("acp -p", None),
        ] {
            assert_eq!(selection(&args(text)).map(|s| s.name).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_home_and_its_segment() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for dir in ["d/profiles/work", "other/profiles/work", "plain", "sticky/profiles/s"] {
            std::fs::DirBuilder::new().recursive(true).create(at(dir)).unwrap();
        }
        std::os::unix::fs::symlink(at("d/profiles/work"), at("linked")).unwrap();
        crate::provider::fixture::put(&at("sticky/active_profile"), " s \n");
        for (base, text, home, segment) in [
            (None, "acp", "d", "default"),
            (None, "acp -p work", "d/profiles/work", "work"),
            (None, "acp --profile=WORK", "d/profiles/work", "work"),
            (None, "acp -p default", "d", "default"),
            (Some("d/profiles/work"), "acp", "d/profiles/work", "work"),
            (Some("d/profiles/work"), "acp -p default", "d", "default"),
            (Some("other/profiles/work"), "acp", "other/profiles/work", "work_"),
            (Some("other"), "acp -p work", "other/profiles/work", "work_"),
            (Some("plain"), "acp", "plain", "h_"),
            (Some("linked"), "acp -p work", "d/profiles/work", "work"),
            (Some("sticky"), "acp", "sticky/profiles/s", "s_"),
            (Some("sticky"), "acp -p default", "sticky", "h_"),
        ] {
            let source = resolve(base.map(at), at("d"), &args(text)).unwrap();
            assert_eq!(source.home, at(home), "{base:?} {text}");
            let is = source.segment();
            assert!(
                if segment.ends_with('_') {
                    is.starts_with(segment) && is.len() == segment.len() + 16
                } else {
                    is == segment
                },
                "{is}"
            );
        }
        for (base, text) in [
            (None, "acp -p missing"),
            (None, "acp --profile=../x"),
            (None, "acp --profile="),
            (None, "acp -p sudo"),
            (Some("d/profiles/missing"), "acp"),
        ] {
            assert!(resolve(base.map(at), at("d"), &args(text)).is_err(), "{base:?} {text}");
        }
    }
}
