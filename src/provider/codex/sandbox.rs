//! How far the agent's commands reach (decision D9).

use anyhow::Result;
use toml_edit::{Array, Value};

use super::blocks::Block;
use super::managed::{Managed, place};
use super::{source, switches};
use crate::failure::{Code, Failure};
use crate::provider::plan::Os;
use crate::provider::version::Version;

const TABLE: &str = "sandbox_workspace_write";

/// The first version whose sandbox on macOS lets commands reach the network. None is known.
const FIXED_ON_MACOS: Option<Version> = None;

/// What commands may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    ReadOnly,
    WorkspaceWrite,
    FullAccess,
}

impl Mode {
    const ALL: [Mode; 3] = [Mode::ReadOnly, Mode::WorkspaceWrite, Mode::FullAccess];

    /// The word in the configuration.
    pub(super) fn word(self) -> &'static str {
        match self {
            Mode::ReadOnly => "read-only",
            Mode::WorkspaceWrite => "workspace-write",
            Mode::FullAccess => "danger-full-access",
        }
    }
}

/// A mode and why it is this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) mode: Mode,
    /// Whether commands in the sandbox reach the network.
    pub(super) network: bool,
    pub(super) reason: String,
}

/// Chooses the mode and its network: what was asked for, else by system and version.
///
/// # Errors
/// A [`Code::BadConfig`] failure for a mode that Codex does not have, a [`Code::Usage`] failure for a network that the
/// mode cannot have.
pub(super) fn policy(
    os: Os,
    version: Option<Version>,
    asked: Option<&str>,
    network: Option<bool>,
) -> Result<Policy> {
    let policy = mode(os, version, asked, network)?;
    match (policy.mode, network) {
        (Mode::FullAccess, Some(false)) => {
            Err(Failure::new(Code::Usage, "`--codex-network off` needs a sandbox, and there is none")
                .hint("use `--codex-sandbox workspace-write` or `read-only`")
                .into())
        }
        (Mode::ReadOnly, Some(true)) => {
            Err(Failure::new(Code::Usage, "`--codex-network on`: the sandbox `read-only` has no network")
                .hint("use `--codex-sandbox workspace-write`, or leave `--codex-network` out")
                .into())
        }
        _ => Ok(policy),
    }
}

fn mode(os: Os, version: Option<Version>, asked: Option<&str>, network: Option<bool>) -> Result<Policy> {
    let network_of =
        |mode| mode == Mode::FullAccess || mode == Mode::WorkspaceWrite && network != Some(false);
    if let Some(asked) = asked {
        let Some(mode) = Mode::ALL.into_iter().find(|mode| mode.word() == asked) else {
            let message = format!("the Codex sandbox `{}` is not known", asked.escape_debug());
            let words = Mode::ALL.map(|mode| format!("`{}`", mode.word())).join(", ");
            return Err(Failure::new(Code::BadConfig, message).hint(format!("one of {words}")).into());
        };
        return Ok(Policy { mode, network: network_of(mode), reason: "it was asked for".to_owned() });
    }
    let is_fixed = version.zip(FIXED_ON_MACOS).is_some_and(|(found, fixed)| found >= fixed);
    Ok(match os {
        Os::MacOs if !is_fixed && network != Some(false) => Policy {
            mode: Mode::FullAccess,
            network: true,
            reason: format!(
                "on macOS, Codex {} leaves the sandbox without a network, so that no agent could work in it",
                version.map_or_else(|| "of an unknown version".to_owned(), |version| version.to_string())
            ),
        },
        Os::Linux | Os::MacOs => Policy {
            mode: Mode::WorkspaceWrite,
            network: network_of(Mode::WorkspaceWrite),
            reason: "the sandbox can write the work dir".to_owned(),
        },
    })
}

/// Sets the mode. With `workspace-write`, the network is on or off and `roots` can be written too; the user's own further
/// roots and other keys of the table stay. The second text is for the head of the file.
pub(super) fn apply(text: &str, mode: Mode, network: bool, roots: &[String]) -> Result<(String, String)> {
    let mut text = source::remove(text, &["sandbox_mode"])?;
    // In Codex 0.169 this chooses another sandbox altogether, and wins over `sandbox_mode`.
    text = source::remove(&text, &["default_permissions"])?;
    text = switches::remove_in_profiles(&text, &[vec!["sandbox_mode"], vec!["default_permissions"]])?;
    text = source::remove(&text, &[TABLE, "network_access"])?;
    text = without_empty_table(&text)?;
    let mut lines = format!("sandbox_mode = \"{}\"\n", mode.word());
    if mode == Mode::WorkspaceWrite {
        let mut keys = vec![("network_access", Value::from(network))];
        for root in roots.iter().rev() {
            match with_root(&text, root)? {
                Some(with) => text = with,
                None => {
                    keys.push(("writable_roots", Value::from(Array::from_iter(roots))));
                    break;
                }
            }
        }
        let managed = Managed { block: Block::Sandbox, table: TABLE, keys, aliases: &[] };
        let (with, dotted) = place(&text, &managed)?;
        text = with;
        lines += &dotted;
    }
    Ok((text, Block::Sandbox.wrap(&lines)))
}

/// A header or `{}` with nothing of the user's left.
fn without_empty_table(text: &str) -> Result<String> {
    if !source::may_have(text, TABLE) {
        return Ok(text.to_owned());
    }
    let document = source::parse(text)?;
    let table = document.as_table().get(TABLE).and_then(|item| item.as_table_like());
    if table.is_some_and(|table| table.is_empty()) {
        return source::remove(text, &[TABLE]);
    }
    Ok(text.to_owned())
}

/// The text with one more root in the user's own list; `None` where the user has no list.
fn with_root(text: &str, root: &str) -> Result<Option<String>> {
    if !source::may_have(text, TABLE) {
        return Ok(None);
    }
    let document = source::parse(text)?;
    let list = document.as_table().get(TABLE).and_then(|item| item.as_table_like()?.get("writable_roots"));
    let Some(list) = list.and_then(|item| item.as_array()) else { return Ok(None) };
    if list.iter().any(|present| present.as_str() == Some(root)) {
        return Ok(Some(text.to_owned()));
    }
    let Some(place) = list.span() else { return Ok(None) };
    let (before, after) = text.split_at(place.start + 1);
    let separator = match (list.is_empty(), after.starts_with(['\n', '\r'])) {
        (true, _) => "",
        (false, true) => ",",
        (false, false) => ", ",
    };
    Ok(Some(format!("{before}{}{separator}{after}", source::basic_string(root))))
}

#[cfg(test)]
mod tests;
