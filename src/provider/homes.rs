//! The homes of an environment, whoever the provider is: planned for its own, emptied of secrets for those before.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::plan::{Entry, Home, HomeContent, HomePlan, HomeRequest};
use super::{codex, copilot, cursor, gemini, hermes};
use crate::sys::tree::{Kind, Tree};

/// What the task's provider needs besides the context in the work dir. Nothing is changed.
///
/// # Errors
/// Where what was asked for cannot be had: the environment must not be made then.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let said = super::mcp_channel::check(request)?;
    let mut plan = match MODULES.iter().find(|(name, _)| *name == request.task.provider) {
        Some((_, plan)) => plan(request)?,
        None => HomePlan::default(),
    };
    plan.warnings.extend(said);
    let left_behind = left_behind(request, &plan)?;
    plan.homes.extend(left_behind);
    Ok(plan)
}

/// Homes that are folders, and what in them makes the agent see what was asked for. It may hold secrets.
static OWN_FILES: &[(&str, &[&str])] = &[
    (codex::HOME_NAME, &codex::SECRET),
    (copilot::HOME, &[copilot::SERVERS]),
    (gemini::FOLDER, &[gemini::SETTINGS]),
    (hermes::HOME, &hermes::OURS),
];

impl HomePlan {
    /// The files of the env root without which an agent would quietly run with another set-up than was asked for.
    pub fn needed(&self) -> Vec<PathBuf> {
        let mut needed = Vec::new();
        for Home { name, content } in &self.homes {
            match content {
                HomeContent::Nothing => {}
                HomeContent::File { .. } => needed.push(PathBuf::from(name)),
                HomeContent::Folder { entries, .. } => {
                    let own = OWN_FILES.iter().find(|(home, _)| home == name).map_or(&[][..], |(_, own)| own);
                    let is_own = |path: &Path| own.iter().any(|own| path == Path::new(own));
                    let files = entries.iter().filter(|(_, entry)| matches!(entry, Entry::File { .. }));
                    needed.extend(
                        files.filter(|(path, _)| is_own(path)).map(|(path, _)| Path::new(name).join(path)),
                    );
                }
            }
        }
        needed
    }
}

/// What becomes of the homes of another provider that the environment was for before (decision D19): files with secrets
/// go, conversations stay.
fn left_behind(request: &HomeRequest<'_>, plan: &HomePlan) -> Result<Vec<Home>> {
    match request.present {
        Some(present) => without_secrets(present, |name| plan.homes.iter().all(|home| home.name != name)),
        None => Ok(Vec::new()),
    }
}

/// What takes the secrets out of an environment that nobody can run in any more, whoever it was for. Conversations stay.
///
/// # Errors
/// When a home cannot be listed.
pub(crate) fn forgetting(present: &Tree) -> Result<HomePlan> {
    let mut homes = without_secrets(present, |_| true)?;
    homes.extend(cursor::forgotten(present)?);
    Ok(HomePlan { homes, ..HomePlan::default() })
}

/// The names of the homes that [`forgetting`] looks into.
pub(crate) fn homes_with_secrets() -> impl Iterator<Item = &'static str> {
    OWN_FILES.iter().map(|(name, _)| *name).chain([cursor::DATA])
}

fn without_secrets(present: &Tree, is_chosen: impl Fn(&str) -> bool) -> Result<Vec<Home>> {
    let is_foreign =
        |name: &str| matches!(present.kind(Path::new(name)), Ok(Some(Kind::Dir))) && is_chosen(name);
    let mut homes = Vec::new();
    for (name, ours) in OWN_FILES.iter().filter(|(name, _)| *name != codex::HOME_NAME && is_foreign(name)) {
        homes.push(super::user_file::given_up_in(present, name, ours)?);
    }
    // Its links stay: one may lead to the store with the conversations.
    if is_foreign(codex::HOME_NAME) {
        let dropped = codex::secrets_in(&present.subtree(Path::new(codex::HOME_NAME))?);
        let content = HomeContent::Folder { mode: 0o700, entries: Vec::new(), dropped };
        homes.push(Home { name: codex::HOME_NAME, content });
    }
    Ok(homes)
}

/// Whether a provider has a module that plans for it.
#[cfg(test)]
pub(super) fn is_planned(provider: &str) -> bool {
    MODULES.iter().any(|(name, _)| *name == provider)
}

type Module = fn(&HomeRequest<'_>) -> Result<HomePlan>;

/// The providers that need more than the context in the work dir, one line each.
static MODULES: &[(&str, Module)] = &[
    ("claude", super::claude::plan),
    ("codex", super::codex::plan),
    ("copilot", super::copilot::plan),
    ("cursor", super::cursor::plan),
    ("dsh", super::dsh::plan),
    ("gemini", super::gemini::plan),
    ("hermes", super::hermes::plan),
    ("openclaw", super::openclaw::plan),
    ("opencode", super::opencode::plan),
    ("qwen", super::qwen::plan),
    ("qwenpaw", super::qwenpaw::plan),
    ("reasonix", super::reasonix::plan),
];
