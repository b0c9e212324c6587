//! What went wrong, in a form for scripts and for people.
//!
//! A [`Failure`] can stand at any depth of an [`anyhow::Error`] chain; `app` finds it there and takes exit status and stable
//! word from its [`Code`]. An error without one is [`Code::Failed`].

use std::fmt;
use std::io;
use std::path::Path;

/// One row per code: variant, stable word, exit status, meaning. The manual page prints this table.
macro_rules! codes {
    ($($variant:ident $word:literal $status:literal $meaning:literal;)*) => {
        /// A stable failure code: a word for scripts that read JSON, an exit status for those that do not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $(#[doc = $meaning] $variant,)* }

        impl Code {
            /// Every code, in the order of the manual page.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];
            /// The stable snake_case word.
            pub fn word(self) -> &'static str { match self { $(Code::$variant => $word,)* } }
            /// The exit status.
            pub fn status(self) -> u8 { match self { $(Code::$variant => $status,)* } }
            /// One line of explanation.
            pub fn meaning(self) -> &'static str { match self { $(Code::$variant => $meaning,)* } }
        }
    };
}

codes! {
    Failed "failed" 1 "any other failure; no file of the user is lost";
    Differs "differs" 1 "`verify` found differences";
    Unproved "unproved" 1 "nothing proves which folder of the user an environment works in (`--local-dir` says it), or what a run would start";
    Incomplete "incomplete" 1 "part of the work failed; the next attempt tries it again";
    SetupFailed "setup_failed" 1 "a setup command failed, or reached its time limit";
    TeardownFailed "teardown_failed" 1 "a teardown command failed, or reached its time limit; the rest was done";
    Usage "usage" 2 "wrong usage of the command line";
    NoInput "no_input" 2 "`send`: the agent takes no messages while it works";
    BadDocument "bad_document" 2 "an input document cannot be read or is not valid";
    BadConfig "bad_config" 2 "the configuration file or the value of a setting is not valid";
    Untrusted "untrusted" 2 "the repository names commands that you have not trusted, or that would run on the work of an agent in a sandbox (`execenv trust`)";
    BadPath "bad_path" 2 "a path cannot be used for this purpose";
    AmbiguousEnv "ambiguous_env" 2 "ENV names more than one environment";
    NoEnv "no_env" 3 "the environment does not exist";
    WorkDirGone "work_dir_gone" 3 "the environment's work dir no longer exists";
    NoCheckpoint "no_checkpoint" 3 "the environment has no such checkpoint";
    UnknownBase "unknown_base" 3 "the repository does not have the commit that a patch begins from";
    NotRunning "not_running" 3 "no run holds the environment, or its agent is ending";
    NoLogs "no_logs" 3 "the environment has no logs of such a run";
    UnreadableState "unreadable_state" 3 "a state file of the environment is damaged or from a newer version";
    EnvBusy "env_busy" 4 "a running process uses the environment";
    PathBusy "path_busy" 4 "another environment uses the local directory";
    NoAnswer "no_answer" 4 "the run that holds the environment does not answer";
    NoSlot "no_slot" 4 "as many runs are on as `--max-concurrent` or `--max-per-group` allows";
    QueueFull "queue_full" 4 "`send`: 100 messages wait for the agent already";
    RootBusy "root_busy" 4 "another process holds a lock of the workspaces root";
    Occupied "occupied" 5 "a path is occupied by a file that execenv must not touch";
    PortTaken "port_taken" 5 "another program listens on a port of the environment, or none is left in the setting `port_range`";
    LeavesTree "leaves_tree" 5 "a link leads out of the work dir";
    Retained "retained" 5 "work was kept because it exists nowhere else";
    Conflicts "conflicts" 5 "a merge stopped at conflicts, or one is in progress";
    Dirty "dirty" 5 "uncommitted changes or an operation of git in progress are in the way";
    Unmerged "unmerged" 5 "`merge check` found branches that are neither merged nor skipped";
    GhMissing "gh_missing" 1 "`publish --to pr`: gh is not installed; the branch is pushed";
    Interrupted "interrupted" 130 "interrupted by a signal; 128 + its number";
    TimedOut "timed_out" 124 "`run`: a time limit ended the agent";
    RunFailed "run_failed" 125 "`run`, `shell`: execenv itself failed";
    NoSandbox "no_sandbox" 125 "`run`: the sandbox that was asked for cannot be built here; nothing was started";
    AgentNotStarted "agent_not_started" 126 "`run`, `shell`: the program could not be started (other commands: 1)";
    AgentNotFound "agent_not_found" 127 "`run`, `shell`: the program was not found (other commands: 1)";
}

/// A failure about which the user can do something.
#[derive(Debug)]
pub struct Failure {
    /// The stable code.
    pub code: Code,
    /// What and where, in one line.
    pub message: String,
    /// The way out: what to type or to change.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// The same failure, with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A state file whose bytes could not be read, so that nothing is known of them.
    pub fn cannot_read(path: &Path, error: &std::io::Error) -> Self {
        Self::new(Code::UnreadableState, format!("{} cannot be read: {error}", path.display())).hint(
            "nothing was changed; repeat the command as a user who may read it, or when the disk answers",
        )
    }

    /// The failure in an error's chain, if it has one.
    pub fn find(error: &anyhow::Error) -> Option<&Failure> {
        // Only anyhow itself sees a failure that was put round another error as its context.
        error.downcast_ref().or_else(|| error.chain().find_map(|cause| cause.downcast_ref()))
    }

    /// What to do about an error: as the failure in its chain says, else what helps against what the system said.
    pub fn hint_of(error: &anyhow::Error) -> Option<String> {
        let said = Failure::find(error).and_then(|failure| failure.hint.clone());
        said.or_else(|| error.chain().find_map(|cause| what_helps(cause.downcast_ref()?)).map(str::to_owned))
    }

    /// The code of an error: that of the failure in its chain, else [`Code::Failed`].
    pub fn code_of(error: &anyhow::Error) -> Code {
        Self::find(error).map_or(Code::Failed, |failure| failure.code)
    }
}

/// What helps against an error of the system, as far as that is always the same. An error without a number is ours.
pub fn what_helps(error: &io::Error) -> Option<&'static str> {
    error.raw_os_error()?;
    Some(match error.kind() {
        io::ErrorKind::StorageFull => {
            "the disk is full: make room on it, then repeat the command; `execenv du` shows what takes it, `execenv gc` \
             removes what is no longer needed"
        }
        io::ErrorKind::QuotaExceeded => {
            "your quota on this disk is used up: make room in it, then repeat the command; `execenv du` shows what takes it, \
             `execenv gc` removes what is no longer needed"
        }
        io::ErrorKind::PermissionDenied => {
            "`ls -ld` shows whose it is and its mode: change that, or repeat the command as its owner"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "the file system is mounted read-only: mount it writable, or name another with `--workspaces-root`"
        }
        _ => return None,
    })
}

/// A failure of a `run` that makes its environment itself, before its agent has started: its exit status is that of
/// `prepare`.
#[derive(Debug)]
pub struct BeforeAgent(String);

impl BeforeAgent {
    /// Marks an error.
    pub fn mark(error: anyhow::Error) -> anyhow::Error {
        let message =
            Failure::find(&error).map_or_else(|| error.to_string(), |failure| failure.message.clone());
        error.context(BeforeAgent(message))
    }

    /// Whether an error is marked.
    pub fn is(error: &anyhow::Error) -> bool {
        error.downcast_ref::<BeforeAgent>().is_some()
    }
}

impl fmt::Display for BeforeAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn words_are_unique_and_snake_case() {
        for (n, code) in Code::ALL.iter().enumerate() {
            assert!(code.word().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            assert!(Code::ALL[..n].iter().all(|other| other.word() != code.word()));
        }
    }

    #[test]
    fn an_error_of_the_system_has_a_hint_unless_a_failure_says_more() {
        use rustix::io::Errno;
        for (errno, expected) in [
            (Errno::NOSPC, Some("the disk is full")),
            (Errno::DQUOT, Some("quota")),
            (Errno::ACCESS, Some("`ls -ld`")),
            (Errno::ROFS, Some("read-only")),
            (Errno::IO, None),
        ] {
            let error = anyhow::Error::new(io::Error::from(errno)).context("lock /r/.locks/gc");
            let hint = Failure::hint_of(&error);
            assert_eq!(hint.is_some(), expected.is_some(), "{errno}");
            assert!(
                hint.is_none_or(|hint| expected.is_some_and(|expected| hint.contains(expected))),
                "{errno}"
            );
            let known = error.context(Failure::new(Code::Failed, "known").hint("this"));
            assert_eq!(Failure::hint_of(&known).as_deref(), Some("this"));
        }
    }

    #[test]
    fn a_failure_is_found_at_any_depth() {
        let error = Err::<(), _>(Failure::new(Code::EnvBusy, "held"))
            .context("outer")
            .context("outermost")
            .unwrap_err();
        assert_eq!(Failure::code_of(&error), Code::EnvBusy);
        let cause = std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = anyhow::Error::new(cause).context(Failure::new(Code::EnvBusy, "held")).context("outer");
        assert_eq!(Failure::code_of(&error), Code::EnvBusy);
        assert_eq!(Failure::code_of(&anyhow::anyhow!("plain")), Code::Failed);
    }
}
