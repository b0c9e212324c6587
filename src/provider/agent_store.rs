//! The store that all tasks of one agent share.

use std::path::PathBuf;

use super::plan::HomeRequest;
use crate::failure::{Code, Failure};

/// `{stores}/{kind}/{workspace}/{agent}`. Upstream has the runtime's id between, which a task document lacks; agents
/// of one workspace share no store, and workspaces do not either. For a task without an agent's id, the key of its
/// environment stands in: the task shares its state with no other.
///
/// # Errors
/// A [`Code::BadDocument`] failure for an agent id that is not made of `A-Za-z0-9_-`: two agents must not meet.
pub(super) fn agent_store(request: &HomeRequest<'_>, kind: &str) -> Result<PathBuf, Failure> {
    let key = request.env_root.file_name().and_then(|key| key.to_str()).unwrap_or_default();
    let agent = Some(request.task.agent_id()).filter(|id| !id.is_empty()).unwrap_or(key);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if agent.is_empty() || !agent.chars().all(plain) {
        let provider = &request.task.provider;
        return Err(Failure::new(
            Code::BadDocument,
            format!("`agent.id` cannot be the name of a folder, which {provider} needs for its state"),
        )
        .hint("use an `agent.id` of letters, digits, `_` and `-`"));
    }
    Ok(request.stores.join(kind).join(request.workspace_id).join(agent))
}
