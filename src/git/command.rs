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
use super::profile::Profile;
use super::program::Git;
use super::progress::{follow, telling, without_progress};
use super::traps;
use super::without_view::needs_no_view;
use crate::failure::{Code, Failure};
use crate::sys::child::{self, Captured, Cut, Program, Sink, Streams};
use crate::sys::confine::{CannotConfine, confined};
use crate::sys::fault;
use crate::sys::tree::Tree;

/// How often a call that looks is tried while refs come and go, and how far apart.
const TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// Variables of git's that name the user's configuration: every call keeps them.
const CONFIGURATION: [&str; 2] = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"];

/// Where a call works, and until when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) git: &'a Git,
    pub(super) dir: &'a Path,
    pub(super) limit: Duration,
    pub(super) stop: &'a AtomicBool,
    pub(super) deadline: Option<Instant>,
    /// Git also looks for the repository in the folders above.
    pub(super) upwards: bool,
    /// The git folder, whatever the folder's `.git` says.
    pub(super) git_dir: Option<&'a Path>,
}

impl Scene<'_> {
    /// The longest that a call may take that begins now.
    pub(super) fn limit_now(&self) -> Duration {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(self.limit, |left| left.min(self.limit))
    }
}

/// One call to git.
pub struct GitCommand<'a, P> {
    scene: Scene<'a>,
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
    /// A call with these arguments. `confined`: the only folder that it may write below.
    pub(super) fn new<S: AsRef<OsStr>>(
        scene: Scene<'a>,
        args: impl IntoIterator<Item = S>,
        confined: Option<&'a Tree>,
    ) -> Self {
        GitCommand {
            scene,
            args: args.into_iter().map(|arg| arg.as_ref().to_owned()).collect(),
            variables: Vec::new(),
            input: None,
            has_view: false,
            confined: confined.map(|folder| vec![folder]),
            around: Vec::new(),
            hidden: Vec::new(),
            kept: Vec::new(),
            is_bound: false,
            profile: PhantomData,
        }
    }

    /// Lets the call write only below `folders`, if this system can confine it.
    #[must_use]
    pub(super) fn around(self, folders: &'a [Tree]) -> Self {
        GitCommand { around: folders.iter().collect(), ..self }
    }

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
        let watched = telling(&self.args).filter(|_| self.scene.git.progress.is_shown());
        let (env, args) = (self.env(), self.words(watched));
        let input = self.input.take();
        let Scene { git, dir, stop, .. } = self.scene;
        let limit = self.scene.limit_now();
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
                let progress = Arc::clone(&git.progress);
                let errors: Option<child::Overheard> =
                    watched.map(|_| Box::new(move |said: &[u8]| follow(said, &progress)) as child::Overheard);
                let input = input.clone();
                let streams = Streams { input, sink: sink.take(), errors, keeps: &keeps, is_stuck, is_bound };
                let mut captured = child::exchange(started, streams, limit, stop);
                if let (Some(_), Ok((done, _))) = (watched, &mut captured) {
                    git.progress.step("");
                    done.stderr = without_progress(&done.stderr);
                }
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
    pub(super) fn env(&self) -> Vec<(OsString, OsString)> {
        let Scene { git, dir, upwards, git_dir, .. } = self.scene;
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
        if let Some(git_dir) = git_dir {
            set("GIT_DIR".into(), git_dir.into());
            set("GIT_WORK_TREE".into(), dir.into());
        }
        for (name, value) in &self.variables {
            set(name.clone(), value.clone());
        }
        env
    }

    /// All words of the call, with the option that makes git say how far it is.
    pub(super) fn words(&self, telling: Option<&str>) -> Vec<OsString> {
        let settings = P::SETTINGS.iter().flat_map(|setting| ["-c", setting]).map(OsString::from);
        let (command, rest) = self.args.split_at(self.args.len().min(1));
        let telling = telling.map(OsString::from);
        settings.chain(command.iter().cloned()).chain(telling).chain(rest.iter().cloned()).collect()
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
