//! Heartbeats: the agent's work is saved beside its branch while it works.
//!
//! A thread of its own makes the commits, because git may take seconds: the supervision goes on meanwhile, and a heartbeat
//! that would begin before the last one has ended is left out. Whoever watches the run says when one is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use chrono::{DateTime, SecondsFormat, Utc};

use crate::environment::{EnvRoot, FoundEnv, Trust};
use crate::failure::{Code, Failure};
use crate::git::{Git, was_cut_off};
use crate::protocol::{Event, NoticeLevel};
use crate::work::{Mirror, Place, Wanted, checkpoint};

/// Refuses heartbeats in a folder of the user's that is no repository: they would save nothing. In a work dir of its own the agent may make
/// one.
pub(super) fn refuse_no_repository(found: &FoundEnv, trust: Trust<'_>) -> Result<()> {
    if !found.work_dir.is_user_folder() {
        return Ok(());
    }
    match Place::all(found, trust)? {
        places if places.is_empty() => {
            let folder = found.work_dir_path();
            let message = format!(
                "`--heartbeat` cannot save anything: there is no git repository in {}",
                folder.display()
            );
            Err(Failure::new(Code::Usage, message)
                .hint("leave it out, or `git init` the folder first")
                .into())
        }
        _ => Ok(()),
    }
}

/// Where the commits of heartbeats go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeartbeatMode {
    /// Beside the branch: HEAD, index and branch stay as they are.
    #[default]
    Ref,
    /// On the branch that is checked out; beside it while git is in the middle of something.
    Branch,
}

impl HeartbeatMode {
    /// The words of the option.
    pub const WORDS: [(&'static str, HeartbeatMode); 2] =
        [("ref", HeartbeatMode::Ref), ("branch", HeartbeatMode::Branch)];
}

/// How often work is saved, and where to.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeats {
    /// The time between two.
    pub every: Duration,
    /// Where they go.
    pub mode: HeartbeatMode,
    /// They are pushed to the remote `origin`, too.
    pub push: bool,
}

/// What a heartbeat came to; `None`: nothing has changed since the last one.
type Beat = Result<Option<Made>>;

/// A commit that holds the work.
#[derive(Debug)]
struct Made {
    commit: String,
    tree: String,
    patch: Option<String>,
    /// Whether it is on the remote; `None`: it was not to be.
    pushed: Option<Result<()>>,
}

/// What is saved already.
#[derive(Clone, Debug, Default)]
struct Saved {
    /// The tree of files.
    tree: Option<String>,
    /// The commit.
    commit: Option<String>,
    /// The commit on the remote.
    pushed: Option<String>,
}

/// What the commits are made with.
pub(super) struct Body<'a> {
    /// The environment, by a handle of its own.
    pub(super) env: EnvRoot,
    /// The user's git.
    pub(super) git: Git,
    /// What a record can be proved with.
    pub(super) trust: Trust<'a>,
    /// Where the commits go.
    pub(super) mode: HeartbeatMode,
    /// Where they are pushed to.
    pub(super) mirror: Option<Mirror>,
}

/// Saves the work of one run.
#[derive(Debug)]
pub(super) struct Heart<'scope> {
    every: Duration,
    due: Instant,
    orders: Sender<DateTime<Utc>>,
    beats: Receiver<Beat>,
    is_busy: bool,
    stop: Arc<AtomicBool>,
    thread: ScopedJoinHandle<'scope, ()>,
    told: Told,
}

/// What the sink has learned.
#[derive(Debug, Default)]
struct Told {
    commits: Vec<String>,
    saved: Saved,
    /// Why there was none: a cause that lasts is told once.
    causes: Vec<String>,
}

impl Body<'_> {
    /// Saves the work, unless its files are those that are saved.
    fn beat(&self, git: &Git, last: &Saved, now: DateTime<Utc>) -> Beat {
        let found = FoundEnv::read_again(&self.env)?;
        let place = Place::find(&found, None, self.trust)?;
        let message = format!("Work in progress, {}", now.to_rfc3339_opts(SecondsFormat::Secs, true));
        let wanted =
            Wanted { message: &message, on_branch: false, manual: false, saved: last.tree.as_deref(), now };
        let made = match self.mode {
            HeartbeatMode::Ref => checkpoint(&found, &place, wanted, git),
            HeartbeatMode::Branch => {
                match checkpoint(&found, &place, Wanted { on_branch: true, ..wanted }, git) {
                    // A commit now would conclude a merge, or break a rebase.
                    Err(error) if Failure::code_of(&error) == Code::Dirty => {
                        checkpoint(&found, &place, wanted, git)
                    }
                    made => made,
                }
            }
        }?;
        let push = |commit: &str| {
            self.mirror.as_ref().map(|mirror| mirror.push(&place, commit, last.pushed.as_deref(), git))
        };
        if let Some(made) = made {
            let (commit, patch) = (made.record.sha, made.record.patch.map(|patch| patch.file));
            return Ok(Some(Made { pushed: push(&commit), commit, tree: made.tree, patch }));
        }
        // The one before may be here only.
        let (Some(commit), Some(tree)) = (&last.commit, &last.tree) else { return Ok(None) };
        let pushed = if last.pushed.as_ref() == Some(commit) { None } else { push(commit) };
        Ok(pushed.map(|pushed| Made {
            commit: commit.clone(),
            tree: tree.clone(),
            patch: None,
            pushed: Some(pushed),
        }))
    }
}

impl<'scope> Heart<'scope> {
    /// Begins; the first heartbeat is due after the whole time.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub(super) fn begin<'env>(
        every: Duration,
        body: &'env Body<'env>,
        scope: &'scope Scope<'scope, 'env>,
    ) -> Result<Heart<'scope>> {
        let (orders, ordered) = channel();
        let (tell, beats) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let git = body.git.clone().until(Arc::clone(&stop));
        let work = move || {
            let mut saved = Saved::default();
            for now in ordered {
                let beat = body.beat(&git, &saved, now);
                if let Ok(Some(made)) = &beat {
                    saved.add(made);
                }
                if tell.send(beat).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("heartbeat".into()).spawn_scoped(scope, work);
        let thread = thread.context("start the thread for heartbeats")?;
        let due = Instant::now() + every;
        Ok(Heart { every, due, orders, beats, is_busy: false, stop, thread, told: Told::default() })
    }

    /// Orders a heartbeat where one is due, and tells what came of the last one.
    pub(super) fn look(
        &mut self,
        at: Instant,
        now: &dyn Fn() -> DateTime<Utc>,
        tell: &mut dyn FnMut(Event<'_>),
    ) {
        while let Ok(beat) = self.beats.try_recv() {
            self.is_busy = false;
            self.told.tell(beat, tell);
        }
        if at >= self.due {
            self.due = at + self.every;
            if !self.is_busy {
                self.is_busy = self.orders.send(now()).is_ok();
            }
        }
    }

    /// The agent has ended. What it has done since the last heartbeat is saved; one in progress is cut short for that. Returns
    /// the commits of the run.
    pub(super) fn end(
        self,
        body: &Body<'_>,
        now: DateTime<Utc>,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Vec<String> {
        let Heart { orders, beats, stop, thread, mut told, .. } = self;
        drop(orders);
        stop.store(true, Ordering::Relaxed);
        let _ = thread.join(); // a panic has ended the process
        for beat in beats.try_iter().filter(|beat| !beat.as_ref().is_err_and(was_cut_off)) {
            told.tell(beat, tell);
        }
        let last = body.beat(&body.git, &told.saved, now);
        told.tell(last, tell);
        told.commits
    }
}

impl Saved {
    fn add(&mut self, made: &Made) {
        (self.tree, self.commit) = (Some(made.tree.clone()), Some(made.commit.clone()));
        if let Some(Ok(())) = made.pushed {
            self.pushed = Some(made.commit.clone());
        }
    }
}

impl Told {
    /// A cause that lasts is told once.
    fn warn(&mut self, cause: String, tell: &mut dyn FnMut(Event<'_>)) {
        if !self.causes.contains(&cause) {
            tell(Event::Notice { level: NoticeLevel::Warning, text: &cause });
            self.causes.push(cause);
        }
    }

    fn tell(&mut self, beat: Beat, tell: &mut dyn FnMut(Event<'_>)) {
        match beat {
            Ok(None) => {}
            Ok(Some(made)) => {
                let pushed = matches!(made.pushed, Some(Ok(())));
                let is_new = self.commits.last() != Some(&made.commit);
                if is_new || pushed {
                    tell(Event::Heartbeat { commit: &made.commit, pushed, patch: made.patch.as_deref() });
                }
                self.saved.add(&made);
                if is_new {
                    self.commits.push(made.commit);
                }
                if let Some(Err(error)) = made.pushed {
                    self.warn(format!("the work is saved here, but was not pushed: {error:#}"), tell);
                }
            }
            Err(error) => self.warn(format!("the work was not saved: {error:#}"), tell),
        }
    }
}
