//! The hook that names the platform's agent as a co-author of each commit, as multica's checkouts have it.
//!
//! It lies in the shared repository, so the last checkout decides for all worktrees. A hook that is neither multica's nor ours stays
//! as it is.

use std::path::Path;

use anyhow::{Context, Result};

use crate::layout::names;
use crate::sys::tree::{FileKind, Tree};

/// Where it is.
const HOOKS: &str = "hooks";
const HOOK: &str = "hooks/prepare-commit-msg";
/// What it adds.
const TRAILER: &str = "Co-authored-by: multica-agent <github@multica.ai>";
/// The comments by which it is known: ours, which is multica's too, and the only one in hooks of multica's older releases. The list
/// may only grow.
const SIGNATURES: [&str; 2] =
    ["# multica:prepare-commit-msg:co-authored-by", "# Installed by the Multica daemon."];
/// The largest hook that is read, in bytes.
const MOST_OF_A_HOOK: u64 = 64 << 10;

/// Puts the hook into an open git folder, or takes it out. Returns whether it is there now.
///
/// # Errors
/// As the system reports them.
pub(super) fn set(git_dir: &Tree, is_wanted: bool) -> Result<bool> {
    let hook = Path::new(HOOK);
    let doing = || format!("change the hook {}", git_dir.path().join(hook).display());
    let present = match git_dir.kind(hook).with_context(doing)? {
        None => None,
        Some(FileKind::File { .. }) => git_dir.read(hook, MOST_OF_A_HOOK).with_context(doing)?,
        Some(_) => Some(Vec::new()),
    };
    if present.as_deref().is_some_and(|bytes| !is_known(bytes)) {
        if is_wanted {
            log::warn!(
                "{} is another hook and stays: no co-author is added",
                git_dir.path().join(hook).display()
            );
        }
        return Ok(false);
    }
    let text = script();
    if is_wanted && present.as_deref() != Some(text.as_bytes()) {
        git_dir.ensure_dir(Path::new(HOOKS), 0o755).with_context(doing)?;
        git_dir.replace_unsynced(hook, text.as_bytes(), 0o755, names::TEMPORARY).with_context(doing)?;
    } else if !is_wanted && present.is_some() {
        git_dir.remove_file(hook).with_context(doing)?;
    }
    Ok(is_wanted)
}

fn is_known(hook: &[u8]) -> bool {
    String::from_utf8_lossy(hook).lines().any(|line| SIGNATURES.iter().any(|known| line.starts_with(known)))
}

fn script() -> String {
    format!(
        "#!/bin/sh\n{}\n# Written by `execenv checkout`; `--no-coauthor` removes it.\ncase \"${{2:-}}\" in merge | squash) exit 0 ;; esac\n\
         if grep -qF '{TRAILER}' \"$1\"; then exit 0; fi\nexec git interpret-trailers --in-place --trailer '{TRAILER}' \"$1\"\n",
        SIGNATURES[0]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_of_multica_are_known_whatever_their_age() {
        for (hook, known) in [
            (script(), true),
            ("#!/bin/sh\n# Installed by the Multica daemon. Do not edit.\nexit 0\n".to_owned(), true),
            ("#!/bin/sh\necho multica:prepare-commit-msg:co-authored-by\n".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_known(hook.as_bytes()), known, "{hook}");
        }
    }
}
