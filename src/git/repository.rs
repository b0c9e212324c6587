//! A repository or worktree that git is asked about, and under which conditions.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::command::{GitCommand, Scene};
use super::profile::{Look, Network, Profile, Work};
use super::program::Git;
use crate::sys::tree::Tree;

/// The longest that a call may take, unless its repository says otherwise.
const LIMIT: Duration = Duration::from_secs(120);

/// The longest that all calls for one environment may take together.
pub(super) fn patience() -> Duration {
    crate::sys::fault::patience().unwrap_or(LIMIT)
}

impl Git {
    /// The repository or worktree at `dir`.
    pub fn at<'a>(&'a self, dir: &'a Path) -> Repository<'a> {
        let scene = Scene {
            git: self,
            dir,
            limit: LIMIT,
            stop: self.stop(),
            deadline: None,
            upwards: false,
            git_dir: None,
        };
        Repository { scene, confined: None, around: &[], as_stored: false }
    }
}

/// A repository or worktree that git is asked about, and how long a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Repository<'a> {
    scene: Scene<'a>,
    confined: Option<&'a Tree>,
    /// The only folders that calls which write may write below, where the system can confine them.
    around: &'a [Tree],
    as_stored: bool,
}

impl<'a> Repository<'a> {
    /// The same with another time limit for each call; calls also end once `stop` is set.
    #[must_use]
    pub fn within(self, limit: Duration, stop: &'a AtomicBool) -> Repository<'a> {
        Repository { scene: Scene { limit, stop, ..self.scene }, ..self }
    }

    /// The same where all calls together have to end by `deadline`.
    #[must_use]
    pub fn before(self, deadline: Instant) -> Repository<'a> {
        Repository { scene: Scene { deadline: Some(deadline), ..self.scene }, ..self }
    }

    /// The same where calls can write only below `folder`, whatever the repository's links and paths lead to.
    #[must_use]
    pub fn confined_to(self, folder: &'a Tree) -> Repository<'a> {
        Repository { confined: Some(folder), ..self }
    }

    /// The same where calls that write can write only below `folders`, if this system can confine them. Where it cannot, they
    /// are as free as the user is.
    #[must_use]
    pub(super) fn around(self, folders: &'a [Tree]) -> Repository<'a> {
        Repository { around: folders, ..self }
    }

    /// The same where git also looks for the repository in the folders above.
    #[must_use]
    pub(super) fn upwards(self) -> Repository<'a> {
        Repository { scene: Scene { upwards: true, ..self.scene }, ..self }
    }

    /// The same where this is the git folder, whatever the folder's `.git` says and the configuration calls its working files.
    #[must_use]
    pub(super) fn by(self, git_dir: &'a Path) -> Repository<'a> {
        Repository { scene: Scene { git_dir: Some(git_dir), ..self.scene }, ..self }
    }

    /// The same without replacement objects (`git replace`): whether a commit is elsewhere is asked of the commits as
    /// they are stored.
    #[must_use]
    pub fn as_stored(self) -> Repository<'a> {
        Repository { as_stored: true, ..self }
    }

    /// A variable of this process.
    pub(super) fn variable(&self, name: &str) -> Option<&'a OsStr> {
        let (_, value) = self.scene.git.env.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    /// One of git's own variables of this process, whether or not calls keep it.
    pub(super) fn own_variable(&self, name: &str) -> Option<&'a OsStr> {
        let (_, value) = self.scene.git.own.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    /// Ends calls once it is set.
    pub(super) fn stop(&self) -> &'a AtomicBool {
        self.scene.stop
    }

    /// The same git for another folder.
    pub(super) fn beside<'b>(&self, dir: &'b Path) -> Repository<'b>
    where
        'a: 'b,
    {
        Repository { scene: Scene { dir, ..self.scene }, ..*self }
    }

    /// The git that is asked.
    pub(super) fn git(&self) -> &'a Git {
        self.scene.git
    }

    /// Its folder.
    pub fn dir(&self) -> &'a Path {
        self.scene.dir
    }

    /// A call that looks.
    pub fn look<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> GitCommand<'a, Look> {
        self.command(args)
    }

    /// A call that writes.
    pub fn work<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> GitCommand<'a, Work> {
        let command = self.command(args);
        if self.around.is_empty() { command } else { command.around(self.around) }
    }

    /// A call that talks to a remote.
    pub fn network<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> GitCommand<'a, Network> {
        self.command(args)
    }

    fn command<P: Profile, S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> GitCommand<'a, P> {
        let command = GitCommand::new(self.scene, args, self.confined);
        if self.as_stored { command.variable("GIT_NO_REPLACE_OBJECTS", "1") } else { command }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::failure::{Code, Failure};
    use crate::git::failure::GitFailure;

    fn git() -> Git {
        let inherited = [
            ("HOME", "/home/ada"),
            ("GIT_DIR", "/elsewhere"),
            ("GIT_CONFIG_GLOBAL", "/home/ada/config"),
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_SSH_COMMAND", "ssh -i key"),
            ("LC_ALL", "de_DE.UTF-8"),
        ];
        Git::new(Some("/usr/bin/git".into()), &inherited.map(|(name, value)| (name.into(), value.into())))
    }

    fn has(env: &[(OsString, OsString)], name: &str) -> Option<String> {
        let found: Vec<_> = env.iter().filter(|(known, _)| known == name).collect();
        assert!(found.len() < 2, "{name} is set twice");
        found.first().map(|(_, value)| value.to_string_lossy().into_owned())
    }

    #[test]
    fn variables_that_point_git_elsewhere_are_taken_out() {
        let git = git();
        let at = git.at(Path::new("/w/repository"));
        let (look, network) = (at.look(["status"]).env(), at.network(["fetch"]).env());
        for env in [&look, &network] {
            assert_eq!(has(env, "GIT_DIR"), None);
            assert_eq!(has(env, "GIT_CONFIG_COUNT"), None);
            assert_eq!(has(env, "GIT_CONFIG_GLOBAL").as_deref(), Some("/home/ada/config"));
            assert_eq!(has(env, "HOME").as_deref(), Some("/home/ada"));
            assert_eq!(has(env, "LC_ALL").as_deref(), Some("C"));
            assert_eq!(has(env, "GIT_TERMINAL_PROMPT").as_deref(), Some("0"));
            assert_eq!(has(env, "GIT_CEILING_DIRECTORIES").as_deref(), Some("/w"));
        }
        assert_eq!(has(&look, "GIT_ALLOW_PROTOCOL").as_deref(), Some("none"));
        assert_eq!(has(&look, "GIT_SSH_COMMAND"), None);
        assert_eq!(has(&network, "GIT_ALLOW_PROTOCOL"), None);
        assert_eq!(has(&network, "GIT_SSH_COMMAND").as_deref(), Some("ssh -i key"));
    }

    #[test]
    fn a_repository_of_another_user_is_looked_at_and_nothing_is_fetched_into_it() {
        let git = git();
        let at = git.at(Path::new("/r"));
        let trusts = |words: Vec<OsString>| words.iter().any(|word| word == "safe.directory=*");
        assert!(trusts(at.look(["x"]).words(None)) && trusts(at.work(["x"]).words(None)));
        assert!(!trusts(at.network(["x"]).words(None)));
    }

    #[test]
    fn a_call_ends_before_its_deadline() {
        let git = git();
        let at = git.at(Path::new("/r"));
        assert_eq!(at.scene.limit_now(), LIMIT);
        assert_eq!(at.before(Instant::now()).scene.limit_now(), Duration::ZERO);
        let soon = at.before(Instant::now() + Duration::from_secs(5)).scene.limit_now();
        assert!(soon <= Duration::from_secs(5) && soon > Duration::ZERO);
    }

    #[test]
    fn no_profile_runs_a_hook_or_a_monitor() {
        let git = git();
        let at = git.at(Path::new("/r"));
        for words in [at.look(["x"]).words(None), at.work(["x"]).words(None), at.network(["x"]).words(None)] {
            for setting in ["core.hooksPath=/dev/null", "core.fsmonitor=false"] {
                assert!(words.windows(2).any(|pair| pair[0] == "-c" && pair[1] == setting), "{words:?}");
            }
        }
    }

    #[test]
    fn what_needs_a_view_does_not_start_without_one() {
        let git = git();
        let error = git.at(Path::new("/")).work(["write-tree"]).output().unwrap_err();
        assert!(error.to_string().contains("is not started"), "{error:#}");
    }

    #[test]
    fn without_git_every_call_says_so() {
        let git = Git::new(None, &[]);
        let error = git.at(Path::new("/")).look(["rev-parse"]).output().unwrap_err();
        assert_eq!(Failure::code_of(&error), Code::Failed);
        assert!(GitFailure::find(&error).is_none());
    }
}
