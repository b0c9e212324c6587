//! The user's hooks: they run in the task as in the user's own home, because some of them are there to stop an agent.
//!
//! Codex starts a hook only if its configuration trusts it, by the file that defines it and a hash of the definition
//! (0.171): `[hooks.state."/home/ada/.codex/hooks.json:pre_tool_use:0:0"]`. The definitions are copied, so the path in
//! each of these keys becomes the path of the copy. What the user has not trusted stays untrusted.

use std::path::{Path, PathBuf};

use anyhow::Result;
use toml_edit::Document;

use super::draft::Draft;
use super::shared::SharedHome;
use super::source;
use crate::failure::{Code, Failure};
use crate::provider::plan::HomeEntry;

/// The file with hooks beside `config.toml`.
pub(super) const FILE: &str = "hooks.json";
/// The folder in which users keep their hooks' programs.
const PROGRAMS: &str = "hooks";

/// The longest file of hooks that is read, in bytes.
const MAX_HOOKS: u64 = 4 << 20;

/// Puts the user's hooks into the home.
///
/// # Errors
/// A [`Code::BadConfig`] failure for a file that cannot be read: the agent could do what a hook forbids.
pub(super) fn copy(draft: &mut Draft<'_>, shared: Option<&SharedHome>) -> Result<()> {
    draft.drop_old(FILE);
    draft.drop_old(PROGRAMS);
    let Some(shared) = shared else { return Ok(()) };
    let bytes = shared.read(Path::new(FILE), MAX_HOOKS).map_err(|error| {
        let place = shared.path.join(FILE);
        Failure::new(Code::BadConfig, format!("hooks in your Codex home: {}: {error}", place.display()))
    })?;
    if let Some(bytes) = bytes {
        draft.put(FILE, HomeEntry::File { bytes, mode: 0o600 });
    }
    let programs = shared.path.join(PROGRAMS);
    if programs.is_dir() {
        draft.put(PROGRAMS, HomeEntry::Link { target: programs });
    }
    Ok(())
}

/// Where the definitions were, and where their copies are.
#[derive(Clone, Debug)]
pub(super) struct Move {
    /// The user's home, in each spelling that Codex may have written.
    from: Vec<PathBuf>,
    /// The task's home, as Codex spells it: without links.
    to: PathBuf,
}

impl Move {
    /// From the user's home to `home`, which need not exist yet.
    pub(super) fn new(shared: Option<&SharedHome>, home: &Path) -> Move {
        let mut from: Vec<PathBuf> = shared.into_iter().map(|shared| shared.path.clone()).collect();
        from.extend(shared.and_then(|shared| shared.path.canonicalize().ok()));
        from.dedup();
        Move { from, to: without_links(home) }
    }

    /// The key under which Codex looks for the trust in a copy; `None` for one that is not about the user's home.
    fn key(&self, key: &str) -> Option<String> {
        let rest = self.from.iter().find_map(|from| key.strip_prefix(from.to_str()?)?.strip_prefix('/'))?;
        Some(format!("{}/{rest}", self.to.to_str()?))
    }
}

/// The path without links, as far as it exists.
fn without_links(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (above.canonicalize(), path.strip_prefix(above)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.to_owned()
}

/// A configuration whose trust in the user's hooks is trust in their copies. `None`: one of the keys is written in a way
/// that is not understood.
///
/// # Errors
/// When `text` is not TOML.
pub(super) fn with_trust_moved(text: &str, moved: &Move) -> Result<Option<String>> {
    if !source::may_have(text, "hooks") {
        return Ok(Some(text.to_owned()));
    }
    let pairs: Vec<(String, String)> = trusted(&source::parse(text)?)
        .into_iter()
        .filter_map(|key| moved.key(&key).map(|new| (key, new)))
        .collect();
    let mut changed = text.to_owned();
    for (old, new) in &pairs {
        let new = source::basic_string(new);
        changed = changed.replace(&source::basic_string(old), &new).replace(&format!("'{old}'"), &new);
    }
    let Ok(document) = source::parse(&changed) else { return Ok(None) };
    let now = trusted(&document);
    Ok(pairs.iter().all(|(old, new)| !now.contains(old) && now.contains(new)).then_some(changed))
}

/// The keys of `hooks.state`.
fn trusted(document: &Document<&str>) -> Vec<String> {
    let state = document.as_table().get("hooks").and_then(|hooks| hooks.as_table_like()?.get("state"));
    let state = state.and_then(|state| state.as_table_like());
    state.into_iter().flat_map(|state| state.iter()).map(|(key, _)| key.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved() -> Move {
        Move { from: vec!["/home/ada/.codex".into(), "/data/codex".into()], to: "/root/e/codex-home".into() }
    }

    #[test]
    fn trust_follows_the_definitions_and_nothing_else_changes() {
        const OLD: &str = "/home/ada/.codex/hooks.json:pre_tool_use:0:0";
        const NEW: &str = "\"/root/e/codex-home/hooks.json:pre_tool_use:0:0\"";
        for (before, after) in [
            (
                format!("[hooks.state.\"{OLD}\"]\ntrusted_hash = \"sha256:1\" # mine\n"),
                format!("[hooks.state.{NEW}]\ntrusted_hash = \"sha256:1\" # mine\n"),
            ),
            (
                format!("[hooks.state.'{OLD}']\nenabled = false\n"),
                format!("[hooks.state.{NEW}]\nenabled = false\n"),
            ),
            (
                format!("[hooks.state]\n\"{OLD}\" = {{ trusted_hash = \"x\" }}\n"),
                format!("[hooks.state]\n{NEW} = {{ trusted_hash = \"x\" }}\n"),
            ),
            (
                format!("hooks.state.\"{OLD}\".trusted_hash = \"x\"\nhooks.state.\"{OLD}\".enabled = true\n"),
                format!("hooks.state.{NEW}.trusted_hash = \"x\"\nhooks.state.{NEW}.enabled = true\n"),
            ),
            (
                format!("hooks = {{ state = {{ \"{OLD}\" = {{ trusted_hash = \"x\" }} }} }}\n"),
                format!("hooks = {{ state = {{ {NEW} = {{ trusted_hash = \"x\" }} }} }}\n"),
            ),
            (
                "[hooks.state.\"/data/codex/config.toml:stop:0:0\"]\n".to_owned(),
                "[hooks.state.\"/root/e/codex-home/config.toml:stop:0:0\"]\n".to_owned(),
            ),
        ] {
            assert_eq!(with_trust_moved(&before, &moved()).unwrap(), Some(after), "{before}");
        }
        for other in [
            "[hooks.state.\"/home/ada/.codexes/hooks.json:stop:0:0\"]\n",
            "[hooks.state.\"/srv/project/.codex/hooks.json:stop:0:0\"]\n",
            "[hooks.state.\"plugin@market:hooks/hooks.json:stop:0:0\"]\n",
            "[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = \"command\"\ncommand = \"/home/ada/.codex/hooks/x\"\n",
            "model = \"hooks\"\n",
            "hooks = 1\n",
        ] {
            assert_eq!(with_trust_moved(other, &moved()).unwrap().as_deref(), Some(other));
        }
    }

    #[test]
    fn a_key_that_is_spelt_in_escapes_is_reported() {
        let odd = "[hooks.state.\"\\u002Fhome/ada/.codex/hooks.json:stop:0:0\"]\ntrusted_hash = \"x\"\n";
        assert_eq!(with_trust_moved(odd, &moved()).unwrap(), None);
    }

    #[test]
    fn a_home_that_does_not_exist_yet_is_spelt_without_links() {
        let tmp = tempfile::tempdir().unwrap();
        let real = tmp.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(&real, real.join("link")).unwrap();
        for (path, spelt) in [("link/a/codex-home", "a/codex-home"), ("link", "")] {
            let spelt = format!("{}/{spelt}", real.display());
            assert_eq!(without_links(&real.join(path)).as_os_str(), spelt.trim_end_matches('/'));
        }
    }
}
