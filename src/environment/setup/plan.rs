//! What is to be run in an environment, and which ports it gets: decided before anything is made.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::hooks::Hooks;
use super::marked::{Ground, Mark, mark_on};
use super::project_file::{Command, DEFAULT_SETUP_TIMEOUT, NAME, ProjectFile};
use crate::environment::path::quoted;
use crate::environment::ports::{MOST_PORTS, PortName};
use crate::environment::record::{SetupRecord, SetupState};
use crate::failure::{Code, Failure};
use crate::sys::tree::Tree;

/// What becomes of commands that the user has not trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUntrusted {
    /// Nothing is prepared.
    #[default]
    Refuse,
    /// They are left out, with a warning.
    Skip,
}

/// What is asked for the setup of an environment.
#[derive(Clone, Debug, Default)]
pub struct SetupRequest {
    /// Commands of the user's own (`--setup`): they need no trust.
    pub commands: Vec<String>,
    /// The commands of the repository are left out (`--no-setup`).
    pub is_off: bool,
    /// Ports besides those of the file (`--port`).
    pub ports: Vec<PortName>,
    /// What becomes of commands that are not trusted.
    pub on_untrusted: OnUntrusted,
    /// The commands are left to [`finish_setup`](crate::environment::finish_setup): the caller holds a lock that others wait for.
    pub is_deferred: bool,
}

/// What is to be run, and what is recorded of it.
#[derive(Clone, Debug, Default)]
pub(in crate::environment) struct Setup {
    /// In their order: those of the file, then those of the command line.
    pub(in crate::environment) commands: Vec<Command>,
    /// For all of them together.
    pub(in crate::environment) limit: Duration,
    /// The ports that are wanted.
    pub(in crate::environment) ports: Vec<PortName>,
    /// The record until the commands have run; `None`: there is no setup.
    pub(in crate::environment) record: Option<SetupRecord>,
    /// The digest of the file whose commands were accepted now.
    pub(in crate::environment) accepted: Option<String>,
    /// What a person should know.
    pub(in crate::environment) warnings: Vec<String>,
}

/// What was there before.
#[derive(Clone, Copy, Debug)]
pub(in crate::environment) struct Before<'a> {
    /// The setup.
    pub(in crate::environment) record: Option<&'a SetupRecord>,
    /// The work dir has what an agent in a sandbox wrote, which must not run outside of that.
    pub(in crate::environment) was_sandboxed: bool,
    /// Where its files are from: there may be marks of such agents.
    pub(in crate::environment) ground: &'a Ground<'a>,
}

/// Where the user finds the file that lies in a work dir, which may not be there yet or be gone when they read a message.
#[derive(Clone, Debug, Default)]
pub(in crate::environment) struct Origin {
    /// What messages call the file.
    pub(in crate::environment) name: String,
    /// The folder whose file has the same bytes; `None`: the user has no such folder.
    pub(in crate::environment) way: Option<PathBuf>,
    /// How the file of the user's checkout is another one.
    pub(in crate::environment) drift: Option<String>,
}

impl Origin {
    /// The file of a folder of the user's, or of a work dir that stays.
    pub(in crate::environment) fn folder(path: &Path) -> Origin {
        Origin { name: path.join(NAME).display().to_string(), way: Some(path.to_owned()), drift: None }
    }

    /// The file of a folder that was checked out from `checkout`, the user's, at the commit that `commit` names.
    pub(in crate::environment) fn checkout(folder: &Tree, checkout: &Path, commit: &str) -> Origin {
        let here = Origin::folder(checkout);
        let theirs =
            Tree::open(checkout).ok().and_then(|checkout| ProjectFile::bytes(&checkout).ok()).flatten();
        let ours = ProjectFile::bytes(folder).ok().flatten();
        let says = match (&theirs, &ours) {
            (theirs, ours) if theirs == ours => return here,
            (None, _) => None,
            (Some(_), None) => Some("is not in"),
            (Some(_), Some(_)) => Some("is not as in"),
        };
        let drift = says.map(|says| {
            format!(
                "{} {says} the commit with which the worktree begins ({commit}), so it is not used; `--base REF` names another \
                 commit, `--local-dir DIR --worktree` takes along what is not committed",
                here.name
            )
        });
        Origin { name: format!("{} as it is in {commit}", here.name), way: None, drift }
    }
}

/// Decides what is to be run in the work dir `folder`, whose file the user finds at `origin`.
///
/// # Errors
/// A [`Code::Untrusted`] failure for commands that the user has not trusted; a [`Code::BadDocument`] one for a file that cannot
/// be read.
pub(in crate::environment) fn decide(
    request: &SetupRequest,
    hooks: &Hooks,
    folder: &Tree,
    origin: &Origin,
    before: Before<'_>,
) -> Result<Setup> {
    let mut setup =
        Setup { limit: DEFAULT_SETUP_TIMEOUT, record: before.record.cloned(), ..Setup::default() };
    let file = match ProjectFile::read(folder, &origin.name) {
        Err(error) if request.is_off => {
            setup.warnings.push(format!("{NAME} is left out: {error:#}"));
            None
        }
        file => file?,
    };
    setup.warnings.extend(origin.drift.clone().filter(|_| !request.is_off));
    if let Some(file) = &file {
        setup.warnings.extend(file.unknown_keys());
        setup.limit = file.setup_timeout;
        setup.ports.extend(file.ports.iter().cloned());
    }
    setup.ports.extend(request.ports.iter().cloned());
    if let Some((one, other)) = PortName::two_of_one_variable(&setup.ports) {
        let message = format!("the ports `{one}` and `{other}` would have one variable");
        return Err(Failure::new(Code::Usage, message).hint("give one of them another name").into());
    }
    refuse_lost(request, before.record)?;
    if setup.ports.len() > MOST_PORTS {
        let message =
            format!("{} ports for one environment, and the most are {MOST_PORTS}", setup.ports.len());
        return Err(Failure::new(Code::Usage, message).hint("give fewer `--port`").into());
    }
    if let Some(file) = file.filter(ProjectFile::has_commands) {
        let is_made = before
            .record
            .is_some_and(|record| record.state == SetupState::Done && record.digest == file.digest);
        if !is_made {
            setup.take_file(file, request, hooks, origin, before)?;
        }
    }
    setup.commands.extend(request.commands.iter().cloned().map(Command::Shell));
    if !setup.commands.is_empty() {
        let record = setup.record.get_or_insert_default();
        record.state = SetupState::Running;
        record.commands = setup.commands.len();
        record.given = request.commands.len();
    } else if let Some(record) = setup.record.as_mut().filter(|record| record.is_unfinished()) {
        record.state = SetupState::Skipped; // nothing is to run any more, so nothing is missing
    }
    Ok(setup)
}

/// Refuses to go on with a setup that had commands of the user's own, unless they are given again or left out: execenv does not
/// keep them.
fn refuse_lost(request: &SetupRequest, record: Option<&SetupRecord>) -> Result<(), Failure> {
    let Some(lost) = record.filter(|record| record.is_unfinished() && record.given > 0) else {
        return Ok(());
    };
    if request.is_off || !request.commands.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the setup of the environment failed or was interrupted, and execenv does not keep commands of `--setup`; it had {}",
        lost.given
    );
    Err(Failure::new(Code::Usage, message)
        .hint("give them again: `--setup COMMAND`; or go on without a setup: `--no-setup`"))
}

impl Setup {
    fn take_file(
        &mut self,
        file: ProjectFile,
        request: &SetupRequest,
        hooks: &Hooks,
        origin: &Origin,
        before: Before<'_>,
    ) -> Result<()> {
        let why = match (request.is_off, before.was_sandboxed) {
            (true, _) => None,
            (false, true) => Some(Refused::Sandboxed),
            (false, false) => match judge(hooks, &file.digest, before.ground) {
                Ok(None) => {
                    self.accept(file);
                    return Ok(());
                }
                Ok(refused) => refused,
                Err(error) if request.on_untrusted == OnUntrusted::Refuse => return Err(error),
                Err(error) => {
                    self.warnings.push(format!("{error:#}"));
                    Some(Refused::Untrusted)
                }
            },
        };
        match why {
            Some(why) if request.on_untrusted == OnUntrusted::Refuse => {
                return Err(why.failure(&file, origin).into());
            }
            Some(why) => {
                let failure = why.failure(&file, origin);
                self.warnings.push(format!("{}; {}", failure.message, failure.hint.unwrap_or_default()));
            }
            None => {}
        }
        self.record = Some(SetupRecord {
            state: SetupState::Skipped,
            digest: file.digest,
            ..self.record.take().unwrap_or_default()
        });
        Ok(())
    }

    fn accept(&mut self, file: ProjectFile) {
        self.accepted = Some(file.digest.clone());
        self.record = Some(SetupRecord {
            state: SetupState::Done,
            digest: file.digest,
            commands: file.setup.len(),
            ..self.record.take().unwrap_or_default()
        });
        self.commands = file.setup;
    }
}

/// Why commands with this digest do not run on a ground; `None`: they do.
fn judge(hooks: &Hooks, digest: &str, ground: &Ground<'_>) -> Result<Option<Refused>> {
    let stored = hooks.trusted.stored()?;
    if !stored.trusts(digest) {
        return Ok(Some(Refused::Untrusted));
    }
    Ok(mark_on(ground, &stored.sandboxed, &hooks.git())?.map(Refused::Marked))
}

/// Why the commands of a file do not run.
enum Refused {
    Untrusted,
    Sandboxed,
    Marked(Mark),
}

impl Refused {
    fn failure(&self, file: &ProjectFile, origin: &Origin) -> Failure {
        /// How many commands a message names.
        const MOST: usize = 5;
        let all: Vec<String> =
            file.setup.iter().chain(&file.teardown).map(|command| format!("`{command}`")).collect();
        let more = if all.len() > MOST { format!(" and {} more", all.len() - MOST) } else { String::new() };
        let named = format!("{}{more}", all[..all.len().min(MOST)].join(", "));
        let digest = &file.digest[..12];
        match self {
            Refused::Untrusted => Failure::new(
                Code::Untrusted,
                format!("{NAME} names commands that you have not trusted (sha256 {digest}…): {named}"),
            )
            .hint(match &origin.way {
                Some(way) => format!(
                    "`execenv trust {}` shows them and asks; `--no-setup` goes on without them",
                    quoted(way)
                ),
                None => {
                    let drift = origin.drift.iter().map(|drift| format!("{drift}. "));
                    let way = "Prepare with `--no-setup`, look at the work dir, `execenv trust` it, then `execenv reuse` the \
                               environment: that runs them";
                    drift.chain([way.to_owned()]).collect()
                }
            }),
            Refused::Sandboxed => Failure::new(
                Code::Untrusted,
                format!(
                    "{NAME} names commands, and an agent in a sandbox has worked in this work dir: they would run what it \
                     wrote outside of its sandbox: {named}"
                ),
            )
            .hint("`--no-setup` goes on without them; commands of your own: `--setup COMMAND`"),
            Refused::Marked(mark) => Failure::new(
                Code::Untrusted,
                format!(
                    "{NAME} names commands, and {mark}: they would run what that agent wrote outside of its sandbox: {named}"
                ),
            )
            .hint(format!("{}; `--no-setup` goes on without them", mark.way_on())),
        }
    }
}
