//! The homes of an environment: planned for its provider; those of earlier providers lose their secrets.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::plan::{Home, HomeContent, HomeEntry, HomePlan, HomeRequest};
use super::row::{HomeFolder, McpChannel};
use super::{mcp_channel, mcp_file, registry};
use crate::layout::{self, Secret};
use crate::sys::tree::{FileKind, Tree};

/// Plans what the task's provider needs besides the context in the work dir. Nothing is changed.
///
/// # Errors
/// Where the provider cannot get what the task asks for: no environment may be made then.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let row = registry::find_or_generic(&request.task.provider);
    let warning = mcp_channel::check(request, row.mcp)?;
    let mut plan = row.plan.map_or_else(|| Ok(HomePlan::default()), |plan| plan(request))?;
    let planned = plan.exports.keys().chain(plan.private_exports.keys());
    if let Some(name) = planned.into_iter().find(|name| !row.exports.contains(&name.as_str())) {
        anyhow::bail!("the plan of {} sets {name}, which its row does not list", row.name);
    }
    plan.warnings.extend(warning);
    if row.mcp == McpChannel::File {
        mcp_file::plan(request, &mut plan);
    }
    let left_behind = left_behind(request, &plan)?;
    plan.homes.extend(left_behind);
    Ok(plan)
}

impl HomePlan {
    /// The files of the env root without which the agent would run with another configuration than the task asks for.
    pub fn needed(&self) -> Vec<PathBuf> {
        let mut needed = Vec::new();
        for Home { name, content } in &self.homes {
            match content {
                HomeContent::Nothing => {}
                HomeContent::File { .. } => needed.push(PathBuf::from(name)),
                HomeContent::Folder { entries, .. } => {
                    let own = folder(name).map_or(&[][..], |folder| folder.own_files);
                    let is_own = |path: &Path| own.iter().any(|own| path == Path::new(own));
                    let files = entries.iter().filter(|(_, entry)| matches!(entry, HomeEntry::File { .. }));
                    needed.extend(
                        files.filter(|(path, _)| is_own(path)).map(|(path, _)| Path::new(name).join(path)),
                    );
                }
            }
        }
        needed
    }
}

/// Plans the homes of another provider that the environment was made for before (decision D19): files with secrets are
/// removed, conversations stay.
fn left_behind(request: &HomeRequest<'_>, plan: &HomePlan) -> Result<Vec<Home>> {
    let Some(present) = request.present else { return Ok(Vec::new()) };
    let is_planned = |folder: &HomeFolder| plan.homes.iter().any(|home| home.name == folder.name);
    // One that is secret as a whole is removed as a whole, where the plan is carried out.
    let keeps_rest = |name| layout::in_env(name).is_some_and(|row| row.secret == Secret::Parts);
    without_secrets(present, |folder| keeps_rest(folder.name) && !is_planned(folder))
}

/// Plans the removal of secrets from an environment that no agent can run in any more, whichever provider it was for.
/// Conversations stay.
///
/// # Errors
/// When a home cannot be listed.
pub(crate) fn forgetting(present: &Tree) -> Result<HomePlan> {
    Ok(HomePlan { homes: without_secrets(present, |_| true)?, ..HomePlan::default() })
}

/// The folder of that name among the homes of all providers.
pub(crate) fn folder(name: &str) -> Option<&'static HomeFolder> {
    registry::folders().find(|folder| folder.name == name)
}

/// Whether a path below an env root is a login in a provider's home.
pub(crate) fn is_login(place: &Path) -> bool {
    let home = place.iter().next().and_then(|home| folder(home.to_str()?));
    home.zip(place.file_name()).is_some_and(|(home, name)| home.is_login(name))
}

/// The names of the homes that [`forgetting`] looks into.
pub(crate) fn homes_with_secrets() -> impl Iterator<Item = &'static str> {
    registry::folders().map(|folder| folder.name)
}

fn without_secrets(present: &Tree, is_chosen: impl Fn(&HomeFolder) -> bool) -> Result<Vec<Home>> {
    let mut homes = Vec::new();
    for folder in registry::folders().filter(|folder| is_chosen(folder)) {
        if matches!(present.kind(Path::new(folder.name)), Ok(Some(FileKind::Dir))) {
            homes.extend((folder.without_secrets)(present, folder)?);
        }
    }
    Ok(homes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]

    use super::*;

    /// The logins of each home that are links when it is made.
    const LOGINS: [(&str, &str, &[&str]); 5] = [
        ("codex-home", "", &["auth.json", ".credentials.json"]),
        ("copilot-home", "", &["config.json"]),
        ("cursor-data", "projects/p", &["mcp-auth.json"]),
        (".gemini", "", &["oauth_creds.json", "google_accounts.json", "mcp-oauth-tokens.json"]),
        ("hermes-home", "", &["auth.json", ".anthropic_oauth.json", "google_token.json"]),
    ];

    #[test]
    fn a_login_that_the_agent_made_a_file_goes_with_the_secrets_and_conversations_stay() {
        assert_eq!(LOGINS.map(|(name, ..)| name).to_vec(), {
            let mut names: Vec<_> = homes_with_secrets().collect();
            names.sort_by_key(|name| LOGINS.iter().position(|(other, ..)| other == name));
            names
        });
        for (name, below, logins) in LOGINS {
            let tmp = tempfile::tempdir().unwrap();
            let folder = tmp.path().join(name).join(below);
            std::fs::create_dir_all(&folder).unwrap();
            for file in logins.iter().chain(&["session.jsonl"]) {
                std::fs::write(folder.join(file), "x").unwrap();
            }
            let env = Tree::open(tmp.path()).unwrap();
            let plan = forgetting(&env).unwrap();
            let [Home { content: HomeContent::Folder { dropped, entries, .. }, .. }] = &plan.homes[..] else {
                panic!("{plan:?}")
            };
            for login in logins {
                let is_absent = |(path, entry): &(PathBuf, HomeEntry)| {
                    *entry == HomeEntry::Absent && *path == Path::new(below).join(login)
                };
                assert!(
                    dropped.iter().any(|gone| gone == login) || entries.iter().any(is_absent),
                    "{name}: {login}"
                );
            }
            assert!(!dropped.iter().any(|gone| gone == "session.jsonl"), "{name}");
        }
    }
}
