//! Links of a home to the user's login files. Some programs replace the link by a new file when they renew a login: then
//! the task has the new login, and the user's own file one that may no longer be valid. After a run the link is put back.
//!
//! The user's file gets the new login only where the user asks for it (`--keep-login`), because what the agent has written
//! is a claim: it may be a login of its own making. Then it must be a link that execenv has listed when it made it
//! (`record`), and a login that looks like a newer one of the same kind (`verdict`).

mod record;
mod search;
mod settle;
mod user_file;
mod verdict;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};

use self::record::LoginRecord;
pub(crate) use self::record::has_list;
use self::search::SeenLink;
pub use self::settle::RenewedLogins;
use crate::environment::path::quoted;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::provider::plan::HomePlan;
use crate::sidecar::Seal;
use crate::sys::tree::Tree;

/// The login links of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Logins {
    /// Those that execenv made, by a list with a proof; `None`: there is no such list.
    recorded: Option<Vec<LoginRecord>>,
    /// The others, which the agent may have made.
    seen: Vec<SeenLink>,
    /// What is on the disk says something else of the user's files.
    is_news: bool,
}

impl Logins {
    /// Those that have a proof.
    pub(crate) fn recorded(env: &Tree, seal: Option<&Seal<'_>>) -> Logins {
        let recorded = seal.and_then(|seal| record::load(env, seal));
        Logins { recorded, ..Logins::default() }
    }

    /// Adds the links that are now in the homes that an agent's variables name.
    pub(crate) fn and_those_in(self, env: &Tree, exports: &BTreeMap<String, String>) -> Logins {
        self.and_seen(search::links_in(env, exports))
    }

    /// Adds the links that a plan makes.
    pub(crate) fn and_planned(self, plan: &HomePlan) -> Logins {
        self.and_seen(record::planned(plan).map(|(place, target)| SeenLink { place, target }).collect())
    }

    fn and_seen(mut self, seen: Vec<SeenLink>) -> Logins {
        let recorded = self.recorded.as_deref().unwrap_or_default();
        let is_new = |link: &SeenLink| recorded.iter().all(|record| record.place != link.place);
        self.seen.extend(seen.into_iter().filter(is_new));
        self
    }

    /// The same as the agent of the next run finds them: while a link is a link, the user's file may have changed.
    pub(crate) fn seen_again(mut self, env: &Tree) -> Logins {
        for record in self.recorded.iter_mut().flatten() {
            self.is_news |= record.renew(env);
        }
        self
    }

    /// Writes the list again, if it says something else.
    ///
    /// # Errors
    /// As the system reports them.
    pub(crate) fn store_news(&self, env: &Tree, seal: Option<&Seal<'_>>) -> Result<()> {
        let (true, Some(seal), Some(list)) = (self.is_news, seal, &self.recorded) else { return Ok(()) };
        write(env, &record::to_bytes(list, seal)?)
    }

    /// Refuses to promise that a renewed login is kept where no link can be proved to be execenv's.
    ///
    /// # Errors
    /// A [`Code::Unproved`] failure.
    pub(crate) fn refuse_unproved(&self, env: &Path) -> Result<()> {
        let (None, Some(link)) = (&self.recorded, self.seen.first()) else { return Ok(()) };
        let message = format!(
            "`--keep-login`: nothing proves that execenv made the link {}, so a renewed login could not be kept",
            env.join(&link.place).display()
        );
        let hint =
            format!("`execenv reuse {}` with the task document makes a list with a proof", quoted(env));
        Err(Failure::new(Code::Unproved, message).hint(hint).into())
    }
}

/// Writes the list of the logins that a plan links to, with a proof, into an env root under construction that will be at
/// `env_root`.
///
/// # Errors
/// As the system reports them.
pub(crate) fn build_list(
    env: &Tree,
    env_root: &Path,
    plan: &HomePlan,
    seal: Option<&Seal<'_>>,
) -> Result<()> {
    let Some(bytes) = record::list_bytes(env_root, plan, seal)? else { return Ok(()) };
    env.ensure_dir(Path::new(names::LAUNCH), 0o700).context("make the launch folder")?;
    env.create_unseen(&record::path(), &bytes, 0o600).context("write the list of logins")
}

/// The same in an environment that stands; removes an old list where there is none to write.
///
/// # Errors
/// As the system reports them.
pub(crate) fn store_list(env: &Tree, plan: &HomePlan, seal: Option<&Seal<'_>>) -> Result<()> {
    match record::list_bytes(env.path(), plan, seal)? {
        Some(bytes) => write(env, &bytes),
        None if matches!(env.kind(&record::path()), Ok(None)) => Ok(()),
        None => env.remove_file(&record::path()).context("remove the list of logins"),
    }
}

/// Writes a list, unless it stands there.
fn write(env: &Tree, bytes: &[u8]) -> Result<()> {
    let doing = || format!("write {}", env.path().join(record::path()).display());
    if env.read(&record::path(), bytes.len() as u64).ok().flatten().as_deref() == Some(bytes) {
        return Ok(());
    }
    env.ensure_dir(Path::new(names::LAUNCH), 0o700).with_context(doing)?;
    env.replace(&record::path(), bytes, 0o600, names::TEMPORARY).with_context(doing)
}
