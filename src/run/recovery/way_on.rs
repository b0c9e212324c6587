//! What can be done with an environment whose run has died.

use crate::environment::{FoundEnv, LaunchFile, Own, Trust, quoted};
use crate::failure::{Code, Failure};
use crate::provider;

/// What is there to go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recoverable {
    /// The work dir: the next run goes on in it.
    Resume,
    /// A checkpoint, from which the work dir is made again.
    Restore,
    /// Neither.
    Lost,
}

impl Recoverable {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Recoverable::Resume => "resume",
            Recoverable::Restore => "restore",
            Recoverable::Lost => "lost",
        }
    }
}

/// What there is, and the command to type next.
pub fn way_on(found: &FoundEnv, trust: Trust<'_>) -> (Recoverable, String) {
    let own = found.meta.as_ref().map(|meta| meta.own_or_rebuilt(&found.env.tree)).unwrap_or_default();
    let env = quoted(&found.env.path);
    match found.open_agent_dir(trust) {
        Err(error) if Failure::code_of(&error) == Code::WorkDirGone => {
            let is_saved = own.repository.is_some() && !own.checkpoints.is_empty();
            match is_saved {
                true => (Recoverable::Restore, format!("execenv restore {env}")),
                false => (Recoverable::Lost, format!("execenv cleanup --all {env}")),
            }
        }
        _ => (Recoverable::Resume, next_run(found, &own, trust, &env)),
    }
}

/// The next run.
fn next_run(found: &FoundEnv, own: &Own, trust: Trust<'_>, env: &str) -> String {
    if own.provider.is_empty() || own.provider == provider::COMMAND.name {
        return format!("execenv run {env} -- PROGRAM");
    }
    let is_usable = own.session.as_ref().is_some_and(|session| {
        session.poisoned.is_none()
            && session.provider == own.provider
            && session.work_dir == found.agent_dir()
    });
    if is_usable {
        return format!("execenv run {env} --resume --prompt 'Go on.'");
    }
    let has_prompt = LaunchFile::load(found, trust.keys).is_ok_and(|input| input.file.prompt.is_some());
    format!("execenv run {env}{}", if has_prompt { "" } else { " --prompt TEXT" })
}
