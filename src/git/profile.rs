//! The three kinds of calls to git, and what each may do.

/// What a kind of call may do: the settings and variables that it is started with.
pub trait Profile: sealed::Sealed {
    /// Whether it may change the repository: the test build can stop before such a call.
    const CHANGES: bool;
    /// Whether the user has named the repository, and git may do there what it does for the user.
    const IS_USERS: bool;
    /// Settings of git (`-c NAME=VALUE`).
    const SETTINGS: &'static [&'static str];
    /// Variables that are set.
    const VARIABLES: &'static [(&'static str, &'static str)];
    /// Variables of git's that are kept, besides those that name the user's configuration.
    const KEPT: &'static [&'static str];
}

/// Looks only: runs no hook and no monitor, fetches nothing, takes no optional lock.
#[derive(Debug)]
pub struct Look;

/// Writes to a repository: objects, refs, an index. Runs no hook and fetches nothing.
#[derive(Debug)]
pub struct Work;

/// Talks to a remote, with the user's credentials and without a prompt. Runs no hook.
#[derive(Debug)]
pub struct Network;

mod sealed {
    /// Only this file has kinds of calls.
    pub trait Sealed {}
    impl Sealed for super::Look {}
    impl Sealed for super::Work {}
    impl Sealed for super::Network {}
}

const SAFE: &[&str] = &[
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    // A bare clone in a work dir is looked at, too.
    "safe.bareRepository=all",
];

/// What a repository names is not run, so it may belong to another user, which git refuses otherwise: a collector may be
/// another one than its agents.
const SAFE_FROM_ITS_OWNER: &[&str] = &[SAFE[0], SAFE[1], SAFE[2], "safe.directory=*"];

impl Profile for Look {
    const CHANGES: bool = false;
    const IS_USERS: bool = false;
    const SETTINGS: &'static [&'static str] = SAFE_FROM_ITS_OWNER;
    const VARIABLES: &'static [(&'static str, &'static str)] = &[
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("GIT_TERMINAL_PROMPT", "0"),
        // A partial clone names the program that would fetch what it lacks.
        ("GIT_NO_LAZY_FETCH", "1"),
        ("GIT_ALLOW_PROTOCOL", "none"),
        ("LC_ALL", "C"),
    ];
    const KEPT: &'static [&'static str] = &[];
}

impl Profile for Work {
    const CHANGES: bool = true;
    const IS_USERS: bool = false;
    const SETTINGS: &'static [&'static str] = SAFE_FROM_ITS_OWNER;
    const VARIABLES: &'static [(&'static str, &'static str)] = Look::VARIABLES;
    const KEPT: &'static [&'static str] = &[];
}

impl Profile for Network {
    const CHANGES: bool = true;
    const IS_USERS: bool = true;
    const SETTINGS: &'static [&'static str] = SAFE;
    const VARIABLES: &'static [(&'static str, &'static str)] =
        &[("GIT_TERMINAL_PROMPT", "0"), ("LC_ALL", "C")];
    const KEPT: &'static [&'static str] =
        &["GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_SSL_CAINFO"];
}
