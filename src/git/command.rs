//! The one place that starts git: the user's own, because it has their configuration and their credentials.
//!
//! Invariants of every call, whatever its profile: the variables that would point git elsewhere are taken out
//! (`GIT_DIR` in a hook's environment would make git work on the user's own repository), git does not go up to a
//! repository above the folder that is meant, hooks and monitors that a repository in a hostile work dir may name do
//! not run, git asks no questions, and the call ends in time.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::failure::{GitEnd, GitFailure, end_of};
use super::profile::{Look, Network, Profile, Work};
use super::traps;
use super::without_view::needs_no_view;
use crate::failure::{Code, Failure};
use crate::sys::child::{self, Captured, Cut, Program, Sink, Streams};
use crate::sys::confine::{CannotConfine, confined};
use crate::sys::fault;
use crate::sys::tree::Tree;

/// The longest that a call may take, unless its repository says otherwise.
const LIMIT: Duration = Duration::from_secs(120);

/// The longest that all calls for one environment may take together.
pub(super) fn patience() -> Duration {
    crate::sys::fault::patience().unwrap_or(LIMIT)
}

/// How often a call that looks is tried while refs come and go, and how far apart.
const TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// The user's git.
#[derive(Clone, Debug)]
pub struct Git {
    program: Option<PathBuf>,
    /// The variables of this process without git's own.
    env: Vec<(OsString, OsString)>,
    /// Git's own variables of this process, of which each profile takes what it needs.
    own: Vec<(OsString, OsString)>,
    stop: Arc<AtomicBool>,
    /// Locks that each call which writes holds, too.
    locks: Vec<Arc<File>>,
}

/// Variables of git's that name the user's configuration: every call keeps them.
const CONFIGURATION: [&str; 2] = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"];

impl Git {
    /// `program` is git's path, `None` where git is not installed; `inherited` the variables of this process.
    pub fn new(program: Option<PathBuf>, inherited: &[(OsString, OsString)]) -> Git {
        let is_gits = |(name, _): &(OsString, OsString)| name.as_encoded_bytes().starts_with(b"GIT_");
        let (own, env) = inherited.iter().cloned().partition(is_gits);
        Git { program, env, own, stop: Arc::default(), locks: Vec::new() }
    }

    /// The same git for a command that may be cut short anywhere: once `stop` is set, a call ends as a failed one.
    #[must_use]
    pub fn until(self, stop: Arc<AtomicBool>) -> Git {
        Git { stop, ..self }
    }

    /// The same git under a lock. A call that writes holds it to its own end, even where this process is killed before: until then
    /// no other command has the lock. Calls that talk to a remote do not, because they may leave helpers behind.
    #[must_use]
    pub fn holding(mut self, lock: File) -> Git {
        self.locks.push(Arc::new(lock));
        self
    }

    /// Set when calls have to end.
    pub(super) fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    /// The repository or worktree at `dir`.
    pub fn at<'a>(&'a self, dir: &'a Path) -> Repository<'a> {
        Repository {
            git: self,
            dir,
            limit: LIMIT,
            stop: &self.stop,
            deadline: None,
            confined: None,
            around: &[],
            as_stored: false,
            upwards: false,
            git_dir: None,
        }
    }
}

/// A repository or worktree that git is asked about, and how long a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Repository<'a> {
    git: &'a Git,
    dir: &'a Path,
    limit: Duration,
    stop: &'a AtomicBool,
    deadline: Option<Instant>,
    confined: Option<&'a Tree>,
    /// The only folders that calls which write may write below, where the system can confine them.
    around: &'a [Tree],
    as_stored: bool,
    upwards: bool,
    git_dir: Option<&'a Path>,
}

impl<'a> Repository<'a> {
    /// The same with another time limit for each call; calls also end once `stop` is set.
    #[must_use]
    pub fn within(self, limit: Duration, stop: &'a AtomicBool) -> Repository<'a> {
        Repository { limit, stop, ..self }
    }

    /// The same where all calls together have to end by `deadline`.
    #[must_use]
    pub fn before(self, deadline: Instant) -> Repository<'a> {
        Repository { deadline: Some(deadline), ..self }
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
        Repository { upwards: true, ..self }
    }

    /// The same where this is the git folder, whatever the folder's `.git` says and the configuration calls its working files.
    #[must_use]
    pub(super) fn by(self, git_dir: &'a Path) -> Repository<'a> {
        Repository { git_dir: Some(git_dir), ..self }
    }

    /// The longest that a call may take that begins now.
    fn limit_now(&self) -> Duration {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(self.limit, |left| left.min(self.limit))
    }

    /// The same without replacement objects (`git replace`): whether a commit is elsewhere is asked of the commits as
    /// they are stored.
    #[must_use]
    pub fn as_stored(self) -> Repository<'a> {
        Repository { as_stored: true, ..self }
    }

    /// A variable of this process.
    pub(super) fn variable(&self, name: &str) -> Option<&'a OsStr> {
        let (_, value) = self.git.env.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    /// One of git's own variables of this process, whether or not calls keep it.
    pub(super) fn own_variable(&self, name: &str) -> Option<&'a OsStr> {
        let (_, value) = self.git.own.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    /// Ends calls once it is set.
    pub(super) fn stop(&self) -> &'a AtomicBool {
        self.stop
    }

    /// The same git for another folder.
    pub(super) fn beside<'b>(&self, dir: &'b Path) -> Repository<'b>
    where
        'a: 'b,
    {
        Repository { dir, ..*self }
    }

    /// The git that is asked.
    pub(super) fn git(&self) -> &'a Git {
        self.git
    }

    /// Its folder.
    pub fn dir(&self) -> &'a Path {
        self.dir
    }

    /// A call that looks.
    pub fn look<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> GitCommand<'a, Look> {
        self.command(args)
    }

    /// A call that writes.
    pub fn work<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> GitCommand<'a, Work> {
        let command = self.command(args);
        match self.around {
            [] => command,
            folders => GitCommand { around: folders.iter().collect(), ..command },
        }
    }

    /// A call that talks to a remote.
    pub fn network<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> GitCommand<'a, Network> {
        self.command(args)
    }

    fn command<P: Profile, S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> GitCommand<'a, P> {
        let objects = self.as_stored.then(|| ("GIT_NO_REPLACE_OBJECTS".into(), "1".into()));
        GitCommand {
            repository: *self,
            args: args.into_iter().map(|arg| arg.as_ref().to_owned()).collect(),
            variables: objects.into_iter().collect(),
            input: None,
            has_view: false,
            confined: self.confined.map(|folder| vec![folder]),
            around: Vec::new(),
            hidden: Vec::new(),
            kept: Vec::new(),
            is_bound: false,
            profile: PhantomData,
        }
    }
}

/// One call to git.
pub struct GitCommand<'a, P> {
    repository: Repository<'a>,
    args: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    /// The only folders that the call may write below; `None`: it is not confined.
    confined: Option<Vec<&'a Tree>>,
    /// The same where the system can confine; empty: anywhere.
    around: Vec<&'a Tree>,
    input: Option<Vec<u8>>,
    /// It works through a view.
    has_view: bool,
    /// Texts that no failure shows, each with what it shows instead.
    hidden: Vec<(String, String)>,
    /// Locks that it holds, too.
    kept: Vec<Arc<File>>,
    /// It is killed with this process.
    is_bound: bool,
    profile: PhantomData<P>,
}

impl<'a, P: Profile> GitCommand<'a, P> {
    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Says that the call works through a view.
    #[must_use]
    pub(super) fn viewed(self) -> Self {
        GitCommand { has_view: true, ..self }
    }

    /// Lets the call end with this process, which may be killed: it writes files that a user can see.
    #[must_use]
    pub(super) fn bound(self) -> Self {
        GitCommand { is_bound: true, ..self }
    }

    /// Lets the call hold a lock, too, to its own end.
    #[must_use]
    pub(super) fn holding(mut self, lock: Arc<File>) -> Self {
        self.kept.push(lock);
        self
    }

    /// Gives the call a standard input.
    #[must_use]
    pub(super) fn input(self, bytes: Vec<u8>) -> Self {
        GitCommand { input: Some(bytes), ..self }
    }

    /// Runs the call, and passes its output on, however long it is.
    ///
    /// # Errors
    /// As [`GitCommand::output`], and those of the sink.
    pub(super) fn pass_on(self, sink: &mut Sink<'_>) -> Result<()> {
        let mut refused = None;
        let done = self.captured_by(Some(&mut |block| {
            sink(block).map_err(|error| {
                let kind = error.kind();
                refused = Some(error);
                kind.into()
            })
        }));
        if let Some(error) = refused {
            return Err(error.into());
        }
        let (call, captured) = done?;
        if captured.status.success() { Ok(()) } else { Err(call.exited(&captured).into()) }
    }

    /// Shows `instead` in a failure where git says `secret`.
    #[must_use]
    pub(super) fn hiding(mut self, secret: String, instead: &str) -> Self {
        self.hidden.push((secret, instead.to_owned()));
        self
    }

    /// Sets a variable for this call.
    #[must_use]
    pub(super) fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Adds settings of git's for this call, in variables: they are in no argument, which every process can read.
    #[must_use]
    pub(super) fn settings(mut self, settings: &[(String, String)]) -> Self {
        for (number, (key, value)) in settings.iter().enumerate() {
            self = self.variable(&format!("GIT_CONFIG_KEY_{number}"), key);
            self = self.variable(&format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        self.variable("GIT_CONFIG_COUNT", settings.len().to_string())
    }

    /// Lets a confined call write below this folder, too.
    #[must_use]
    pub(super) fn and_to(mut self, folder: &'a Tree) -> Self {
        if let Some(folders) = &mut self.confined {
            folders.push(folder);
        }
        if !self.around.is_empty() {
            self.around.push(folder);
        }
        self
    }

    /// Runs the call and returns its output.
    ///
    /// # Errors
    /// A [`GitFailure`] when git fails, does not end in time, or prints too much; a [`Failure`] when git is not
    /// installed.
    pub fn output(self) -> Result<Vec<u8>> {
        let (call, captured) = self.captured()?;
        if captured.status.success() { Ok(captured.stdout) } else { Err(call.exited(&captured).into()) }
    }

    /// The same as one text without the line end. Bytes that are not UTF-8 become replacement characters.
    ///
    /// # Errors
    /// As [`GitCommand::output`].
    pub fn text(self) -> Result<String> {
        let output = self.output()?;
        Ok(String::from_utf8_lossy(&output).trim_end().to_owned())
    }

    /// Runs a call that exits with 1 where what it looks for is not there, such as `git config --get`; `None` then.
    ///
    /// # Errors
    /// As [`GitCommand::output`] for every other status.
    pub fn answer(self) -> Result<Option<Vec<u8>>> {
        let (call, captured) = self.captured()?;
        match captured.status.code() {
            Some(0) => Ok(Some(captured.stdout)),
            Some(1) => Ok(None),
            _ => Err(call.exited(&captured).into()),
        }
    }

    /// Runs a call that exits with 0 or 1 by what it found, and prints either way. The flag: it exited with 0.
    ///
    /// # Errors
    /// As [`GitCommand::output`] for every other status.
    pub(super) fn verdict(self) -> Result<(bool, Vec<u8>)> {
        let (call, captured) = self.captured()?;
        match captured.status.code() {
            Some(code @ (0 | 1)) => Ok((code == 0, captured.stdout)),
            _ => Err(call.exited(&captured).into()),
        }
    }

    /// Whether the call exits with 0. Every other status is a no.
    ///
    /// # Errors
    /// As [`GitCommand::output`], but for the status.
    pub fn succeeds(self) -> Result<bool> {
        Ok(self.captured()?.1.status.success())
    }

    fn captured(self) -> Result<(Call, Captured)> {
        self.captured_by(None)
    }

    fn captured_by(mut self, sink: Option<&mut Sink<'_>>) -> Result<(Call, Captured)> {
        anyhow::ensure!(
            P::IS_USERS || self.has_view || needs_no_view(&self.args),
            "`git {}` is not started: it would run what the repository names",
            self.args.join(OsStr::new(" ")).display()
        );
        if P::CHANGES {
            fault::step()?;
        }
        let (env, args) = (self.env(), self.words());
        let input = self.input.take();
        let Repository { git, dir, stop, .. } = self.repository;
        let limit = self.repository.limit_now();
        let mut keeps = self.kept;
        if P::CHANGES && !P::IS_USERS {
            keeps.extend(git.locks.iter().cloned());
        }
        let is_bound = self.is_bound;
        let program = git.program.as_deref().ok_or_else(|| {
            Failure::new(Code::Failed, "git is not in PATH").hint("install git 2.38 or later")
        })?;
        let call = Call { program: program.into(), args: self.args, dir: dir.into(), hidden: self.hidden };
        let started = Program { path: program, args: &args, dir: Some(dir), env: &env };
        let trap = OnceLock::new();
        // What is passed on cannot be passed on twice.
        let sink = Mutex::new(sink);
        let capture = || {
            let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner).take();
            let may_repeat = !P::CHANGES && sink.is_none();
            let mut tries = 1;
            loop {
                let is_stuck = || traps::below(dir).is_some_and(|path| trap.set(path).is_ok());
                // Over the network it is only slow.
                let is_stuck: Option<&(dyn Fn() -> bool + Sync)> =
                    if P::IS_USERS { None } else { Some(&is_stuck) };
                let streams =
                    Streams { input: input.clone(), sink: sink.take(), keeps: &keeps, is_stuck, is_bound };
                let captured = child::exchange(started, streams, limit, stop);
                match &captured {
                    Ok((done, None)) if may_repeat && tries < TRIES && lost_a_ref(done) => tries += 1,
                    _ => return captured,
                }
                std::thread::sleep(BETWEEN_TRIES);
            }
        };
        let captured = match &self.confined {
            None if self.around.is_empty() => capture(),
            None => confined(&self.around, capture).unwrap_or_else(|CannotConfine| capture()),
            Some(folders) => confined(folders, capture).map_err(|CannotConfine| {
                Failure::new(Code::Failed, "this system cannot confine git to a folder")
                    .hint("git is confined by Landlock: Linux 5.13 or later, if it is not switched off")
            })?,
        };
        let (captured, cut) = match captured {
            Ok(done) => done,
            Err(error) => return Err(call.failed(&[], &[], GitEnd::Io(error)).into()),
        };
        let end = match cut {
            Some(Cut::TimedOut) => GitEnd::TimedOut(limit),
            Some(Cut::Stopped) => GitEnd::Stopped,
            Some(Cut::Stuck) => {
                let failure = traps::failure(trap.get().map_or(dir, PathBuf::as_path));
                let stuck = call.failed(&captured.stdout, &captured.stderr, GitEnd::Stuck);
                return Err(anyhow::Error::new(stuck).context(failure));
            }
            None if captured.status.success() && captured.stdout.len() as u64 >= child::MOST_CAPTURED => {
                GitEnd::TooLong
            }
            None => return Ok((call, captured)),
        };
        Err(call.failed(&captured.stdout, &captured.stderr, end).into())
    }

    /// The whole environment of the call.
    fn env(&self) -> Vec<(OsString, OsString)> {
        let Repository { git, dir, upwards, .. } = self.repository;
        let mut env = git.env.clone();
        let mut set = |name: OsString, value: OsString| {
            env.retain(|(known, _)| *known != name);
            env.push((name, value));
        };
        let is_kept = |name: &OsStr| P::KEPT.iter().chain(&CONFIGURATION).any(|kept| name == *kept);
        for (name, value) in git.own.iter().filter(|(name, _)| is_kept(name)) {
            set(name.clone(), value.clone());
        }
        for (name, value) in P::VARIABLES {
            set(name.into(), value.into());
        }
        if let Some(above) = dir.parent().filter(|_| !upwards) {
            set("GIT_CEILING_DIRECTORIES".into(), above.into());
        }
        if let Some(git_dir) = self.repository.git_dir {
            set("GIT_DIR".into(), git_dir.into());
            set("GIT_WORK_TREE".into(), dir.into());
        }
        for (name, value) in &self.variables {
            set(name.clone(), value.clone());
        }
        env
    }

    fn words(&self) -> Vec<OsString> {
        let settings = P::SETTINGS.iter().flat_map(|setting| ["-c", setting]).map(OsString::from);
        settings.chain(self.args.iter().cloned()).collect()
    }
}

/// Whether git gave up because another process deleted a ref between its list of refs and its look at that one.
fn lost_a_ref(captured: &Captured) -> bool {
    let says = |text: &[u8]| captured.stderr.windows(text.len()).any(|part| part == text);
    !captured.status.success() && says(b"bad object refs/")
}

/// What was called, for a failure.
struct Call {
    program: Box<Path>,
    args: Vec<OsString>,
    dir: Box<Path>,
    hidden: Vec<(String, String)>,
}

impl Call {
    fn exited(self, captured: &Captured) -> GitFailure {
        self.failed(&captured.stdout, &captured.stderr, GitEnd::Exited(captured.status))
    }

    fn failed(self, stdout: &[u8], stderr: &[u8], end: GitEnd) -> GitFailure {
        let Call { program, args, dir, hidden } = self;
        let shown = |stream: &[u8]| {
            let text = end_of(stream).into_string();
            hidden.iter().fold(text, |text, (secret, instead)| text.replace(secret, instead)).into_boxed_str()
        };
        GitFailure { program, arguments: args.into(), dir, stdout: shown(stdout), stderr: shown(stderr), end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(trusts(at.look(["x"]).words()) && trusts(at.work(["x"]).words()));
        assert!(!trusts(at.network(["x"]).words()));
    }

    #[test]
    fn a_call_ends_before_its_deadline() {
        let git = git();
        let at = git.at(Path::new("/r"));
        assert_eq!(at.limit_now(), LIMIT);
        assert_eq!(at.before(Instant::now()).limit_now(), Duration::ZERO);
        let soon = at.before(Instant::now() + Duration::from_secs(5)).limit_now();
        assert!(soon <= Duration::from_secs(5) && soon > Duration::ZERO);
    }

    #[test]
    fn no_profile_runs_a_hook_or_a_monitor() {
        let git = git();
        let at = git.at(Path::new("/r"));
        for words in [at.look(["x"]).words(), at.work(["x"]).words(), at.network(["x"]).words()] {
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
