//! What every command gets: settings, time, signals.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

use super::input::UserInput;
use super::settings::Settings;
use crate::environment::{
    FoundEnv, Hooks, KeyFile, Trust, TrustedFile, WorkspacesRoot, find, find_even_damaged, has_workspace,
    upstream_roots,
};
use crate::git::Git;
use crate::output::log::note;
use crate::progress::Progress;
use crate::supervise::Ignored;
use crate::sys::clock;
use crate::sys::tree::Tree;

/// The surroundings of one invocation.
#[derive(Debug)]
pub struct Context {
    /// The settings in force.
    pub settings: Settings,
    /// The workspaces root.
    pub root: WorkspacesRoot,
    /// The operator's key.
    pub keys: KeyFile,
    /// What setup and teardown commands are started with.
    pub hooks: Hooks,
    /// The time at the start.
    pub now: DateTime<Utc>,
    /// Set by a signal: the command ends after the step in progress.
    pub stop: Arc<AtomicBool>,
    /// How far the command has come, for the line that shows it.
    pub progress: Arc<Progress>,
    signal: Arc<AtomicUsize>,
    defers_signals: AtomicBool,
    deferring: Mutex<Vec<SigId>>,
}

impl Context {
    /// Sets up the time and the root.
    pub(crate) fn new(settings: Settings) -> Result<Context> {
        let stop = Arc::new(AtomicBool::new(false));
        let signal = Arc::new(AtomicUsize::new(0));
        let root = WorkspacesRoot::new(settings.workspaces_root.clone());
        let keys = KeyFile::new(settings.key_file.clone());
        let hooks = Hooks {
            trusted: TrustedFile::new(settings.trusted_file.clone()),
            port_range: settings.port_range.clone(),
            inherited: settings.inherited.clone(),
            stop: Arc::clone(&stop),
        };
        let now = time(&settings);
        // A write beyond the limit of `ulimit -f` fails then, and is told and undone, where it would kill the process. A
        // handler, unlike "ignore", does not pass on to children.
        signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))
            .context("install the signal handlers")?;
        Ok(Context {
            settings,
            root,
            keys,
            hooks,
            now,
            stop,
            progress: Arc::default(),
            signal,
            defers_signals: AtomicBool::new(false),
            deferring: Mutex::default(),
        })
    }

    /// From here on a signal only sets a flag; the step in progress ends or undoes itself. Call it when all input has
    /// been read, right before the first change; before that, a signal ends the process at once. `run` handles its
    /// signals itself. A signal that was ignored at the start (`nohup`) stays ignored. A second call does nothing: with two sets of
    /// handlers the first signal would count as the second.
    ///
    /// # Errors
    /// When a handler cannot be set up.
    pub fn defer_signals(&self) -> Result<()> {
        if self.defers_signals.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let ignored = Ignored::read();
        for number in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|number| !ignored.has(*number)) {
            // The second signal ends the process at once; the next command repairs what it leaves.
            let keep = |id: SigId| self.deferring.lock().unwrap_or_else(PoisonError::into_inner).push(id);
            signal_hook::flag::register_conditional_shutdown(number, 128 + number, Arc::clone(&self.stop))
                .map(keep)
                .and_then(|()| signal_hook::flag::register(number, Arc::clone(&self.stop)).map(keep))
                .and_then(|()| {
                    signal_hook::flag::register_usize(number, Arc::clone(&self.signal), number as usize)
                        .map(keep)
                })
                .context("install the signal handlers")?;
        }
        Ok(())
    }

    /// Hands the signals over to a run, which has set up its own handlers. Returns whether one has arrived before.
    pub fn hand_over_signals(&self) -> bool {
        for id in self.deferring.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            signal_hook::low_level::unregister(id);
        }
        self.is_stopped()
    }

    /// Takes the signals back from a run that is over: for what follows it they count from anew, as after
    /// [`Context::defer_signals`].
    ///
    /// # Errors
    /// When a handler cannot be set up.
    pub fn take_signals_back(&self) -> Result<()> {
        self.hand_over_signals();
        self.stop.store(false, Ordering::Relaxed);
        self.defers_signals.store(false, Ordering::Relaxed);
        self.defer_signals()
    }

    /// The time of this moment.
    pub fn time(&self) -> DateTime<Utc> {
        time(&self.settings)
    }

    /// The workspaces roots that are known without a setting, but for the one in use: multica's, and the default one.
    pub fn other_roots(&self) -> Vec<PathBuf> {
        let multicas = self.settings.home.iter().flat_map(|home| upstream_roots(home));
        let mut roots: Vec<PathBuf> = multicas.map(|root| root.path).collect();
        roots.extend(self.settings.default_root.clone());
        roots.retain(|path| path != self.root.path());
        roots
    }

    /// Whether a signal has arrived.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The number of the signal that has arrived since [`Context::defer_signals`].
    pub fn signal(&self) -> Option<i32> {
        i32::try_from(self.signal.load(Ordering::Relaxed)).ok().filter(|number| *number != 0)
    }

    /// The environment that an ENV argument names.
    ///
    /// # Errors
    /// As [`find`].
    pub fn find(&self, text: &str) -> Result<FoundEnv> {
        find(&self.root, text, &self.settings.cwd)
    }

    /// The same, also where the record is damaged: for `cleanup`, which removes it.
    ///
    /// # Errors
    /// As [`find`].
    pub fn find_even_damaged(&self, text: &str) -> Result<FoundEnv> {
        find_even_damaged(&self.root, text, &self.settings.cwd)
    }

    /// What this command can prove a record with; `local_dir` is the user's word (`--local-dir`).
    pub fn trust<'a>(&'a self, local_dir: Option<&'a Path>) -> Trust<'a> {
        Trust { keys: &self.keys, local_dir, hooks: &self.hooks }
    }

    /// Warns when the workspaces root has no workspace of this name, because the name may be mistyped. `tree`: the root,
    /// if it exists.
    ///
    /// # Errors
    /// When the root cannot be read.
    pub fn warn_if_no_workspace(&self, tree: Option<&Tree>, name: &str) -> Result<()> {
        let root = self.root.path().display();
        match tree {
            None => log::warn!("the workspaces root {root} does not exist"),
            Some(tree) if !has_workspace(&self.root, tree, name)? => {
                log::warn!("there is no workspace `{}` in {root}", crate::output::escape(name));
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Says why a list of what lies in the workspaces root is empty. `tree`: the root, if it exists.
    ///
    /// # Errors
    /// When the root cannot be read.
    pub fn note_that_nothing_is_there(&self, tree: Option<&Tree>) -> Result<()> {
        let root = self.root.path().display();
        match tree {
            None => note(&format!(
                "the workspaces root {root} does not exist; the first `execenv prepare` creates it"
            )),
            Some(tree) if !WorkspacesRoot::is_marked(tree)? => {
                note(&format!("{root} is no workspaces root: it has no marker file and no environments"));
            }
            Some(_) => note(&format!("no environments in {root}")),
        }
        Ok(())
    }

    /// The user's git.
    pub fn git(&self) -> Git {
        self.hooks.undisturbed().git().watched(Arc::clone(&self.progress))
    }

    /// Reads an input that the command line names; see [`UserInput::read`].
    ///
    /// # Errors
    /// A failure with status 2 that names the input.
    pub fn read(&self, input: UserInput, path: &Path) -> Result<Vec<u8>> {
        input.read(path, &self.settings.cwd)
    }

    /// The same for text.
    ///
    /// # Errors
    /// A failure with status 2 that names the input.
    pub fn read_text(&self, input: UserInput, path: &Path) -> Result<String> {
        input.read_text(path, &self.settings.cwd)
    }

    /// A path from the command line, absolute.
    ///
    /// # Errors
    /// For a relative path when the current folder cannot be found.
    pub fn absolute(&self, path: &Path) -> Result<PathBuf> {
        Ok(self.settings.cwd.absolute(path)?)
    }
}

fn time(settings: &Settings) -> DateTime<Utc> {
    clock::now(settings.variable("EXECENV_TEST_NOW"))
}
