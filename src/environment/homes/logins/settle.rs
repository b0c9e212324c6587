//! Settling what an agent has put into the place of its login links: after a run, before a clean-up, before a `reuse`.
//!
//! Order: the user's file first, durably, then the link. A crash in between leaves both files with the new login, which the
//! next command finds to be the same.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::record::LoginRecord;
use super::user_file::{MOST, UserFile};
use super::verdict::{Verdict, judge};
use super::{Logins, SeenLink};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::provider::homes::folder;
use crate::sys::silent;
use crate::sys::tree::{FileKind, Tree, has_changed};

/// What becomes of a login that an agent has renewed in its home.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RenewedLogins {
    /// It goes.
    #[default]
    Dropped,
    /// It replaces the user's (`--keep-login`).
    Kept,
}

impl RenewedLogins {
    /// As the option says.
    pub fn of(keep_login: bool) -> RenewedLogins {
        if keep_login { RenewedLogins::Kept } else { RenewedLogins::Dropped }
    }
}

/// What there is to say of it.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// For a person.
    pub(crate) notices: Vec<String>,
    /// Logins that were to be kept and could not be written: they are still in the home.
    pub(crate) stuck: Vec<String>,
}

/// What became of one login.
enum Outcome {
    /// The user has it already.
    Same,
    Kept,
    NotKept(Option<&'static str>),
}

/// What comes after it is settled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The link is put back.
    Link,
    /// The home loses its secrets.
    Removal,
}

impl Logins {
    /// Settles each login that the agent made a file, and puts the link back.
    pub(crate) fn settle(&self, env: &Tree, how: RenewedLogins) -> Settled {
        self.settle_all(env, how, Next::Link)
    }

    /// The same for a home that is about to lose its secrets: the files are removed with them.
    pub(crate) fn settle_for_removal(&self, env: &Tree, how: RenewedLogins) -> Settled {
        self.settle_all(env, how, Next::Removal)
    }

    fn settle_all(&self, env: &Tree, how: RenewedLogins, next: Next) -> Settled {
        let mut settled = Settled::default();
        for record in self.recorded.iter().flatten() {
            settled.one(env, &record.place, &record.target, next, || look(env, record, how));
        }
        let unproved = match how {
            RenewedLogins::Kept => Some("nothing proves that execenv made the link"),
            RenewedLogins::Dropped => None,
        };
        for SeenLink { place, target } in &self.seen {
            settled.one(env, place, target, next, || Ok(Outcome::NotKept(unproved)));
        }
        settled
    }
}

impl Settled {
    /// The notices.
    ///
    /// # Errors
    /// The first login that could not be written, for a command that would remove it.
    pub(crate) fn or_stuck(self) -> Result<Vec<String>> {
        match self.stuck.into_iter().next() {
            None => Ok(self.notices),
            Some(stuck) => {
                let hint = "fix the cause, then repeat the command; without `--keep-login` the renewed login is lost";
                Err(Failure::new(Code::Failed, stuck).hint(hint).into())
            }
        }
    }

    fn one(
        &mut self,
        env: &Tree,
        place: &Path,
        target: &Path,
        next: Next,
        look: impl FnOnce() -> Result<Outcome>,
    ) {
        let is_replaced = matches!(env.kind(place), Ok(Some(FileKind::File { .. })));
        // Without the user's file, the agent's is the only login.
        if !is_replaced || silent::is_there(target) != Some(true) {
            return;
        }
        let (shown, user) = (env.path().join(place), target.display());
        let shown = shown.display();
        let outcome = match look() {
            Ok(outcome) => outcome,
            Err(error) => {
                self.stuck.push(format!(
                    "the agent renewed the login {shown}, which stays there because it cannot be written to {user}: \
                     {error:#}"
                ));
                return;
            }
        };
        let what = match outcome {
            Outcome::Same => None,
            Outcome::Kept => Some(format!("the agent renewed the login {shown}, and {user} has it now")),
            Outcome::NotKept(why) => {
                let rest = why.map_or_else(
                    || "`--keep-login` would write a renewed login into your file".to_owned(),
                    |why| format!("`--keep-login` did not keep it: {why}"),
                );
                let link = if next == Next::Link { "the link is there again, and " } else { "" };
                Some(format!(
                    "the agent replaced the link {shown} by a login file, which is not kept; {link}the login in {user} \
                     may no longer be valid: if it is refused, log in again. {rest}"
                ))
            }
        };
        let put_back = match next {
            Next::Link => env.replace_by_link(place, target, names::TEMPORARY),
            Next::Removal => Ok(()),
        };
        match put_back {
            Ok(()) => self.notices.extend(what),
            Err(error) => {
                self.notices.extend(what);
                self.notices
                    .push(format!("the login file {shown} cannot be replaced by its link again: {error}"));
            }
        }
    }
}

/// Looks at one login, and writes it to the user's file where that is asked for.
///
/// # Errors
/// When the user's file cannot be looked at or written, and it was to be kept: nothing is lost then.
fn look(env: &Tree, record: &LoginRecord, how: RenewedLogins) -> Result<Outcome> {
    let looked = decide(env, record);
    match (looked, how) {
        (Ok((_, _, Verdict::Same)), _) => Ok(Outcome::Same),
        (_, RenewedLogins::Dropped) => Ok(Outcome::NotKept(None)),
        (Ok((_, _, Verdict::Refused(why))), _) => Ok(Outcome::NotKept(Some(why))),
        (Ok((file, old, Verdict::Renewed(bytes))), _) => {
            match file.replace(&bytes, &old, &record.temporary) {
                Ok(()) => Ok(Outcome::Kept),
                Err(error) if has_changed(&error) => Ok(Outcome::NotKept(Some("your file has just changed"))),
                Err(error) => Err(error.into()),
            }
        }
        (Err(error), _) => Err(error),
    }
}

/// The user's file, its bytes, and what is to become of the agent's.
fn decide(env: &Tree, record: &LoginRecord) -> Result<(UserFile, Vec<u8>, Verdict)> {
    if silent::resolve(&record.target).as_ref() != Some(&record.file) {
        bail!("it is another file than the one that the link led to, {}", record.file.display());
    }
    let file = UserFile::open(&record.file).context("open its folder")?;
    file.forget(&record.temporary).context("remove what was left beside it")?;
    let old = file.read().context("read it")?.context("it has gone")?;
    let verdict = match env.read_plain(&record.place, MOST) {
        Ok(Some(new)) => {
            let keys = keys(&record.place);
            judge(&old, &new, &record.sha256, keys, rustix::process::geteuid().as_raw())
        }
        _ => Verdict::Refused("it cannot be read as a file of 1 MiB at most"),
    };
    Ok((file, old.bytes, verdict))
}

/// The keys of a file that are the login, where the rest is settings.
fn keys(place: &Path) -> Option<&'static [&'static str]> {
    folder(place.iter().next()?.to_str()?)?.login_keys(place.file_name()?)
}
