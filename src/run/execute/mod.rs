//! The steps of a run, in the order in which they happen.

mod ending;
mod login;

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};

use crate::environment::{EnvStatus, FoundEnv, LockedEnv, Meta, RenewedLogins, Trust};
use crate::failure::{Code, Failure};
use crate::git::Git;
use crate::protocol::{Event, NoticeLevel, Usage};
use crate::run::autonomous::{GO_ON, Loop, Next, Said};
use crate::run::engine::{Engine, engine_of};
use crate::run::heartbeat::{Body, Heart, HeartbeatMode, Heartbeats, refuse_no_repository};
use crate::run::inbox::Inbox;
use crate::run::log::RunLog;
use crate::run::login::{Login, args_to_log_in};
use crate::run::logs::Logs;
use crate::run::once::EarlierResult;
use crate::run::options::RunOptions;
use crate::run::pause::tell_pause;
use crate::run::plan::{RunPlan, Turn};
use crate::run::publishing::Publishing;
use crate::run::record::{BegunRun, RunningEnv};
use crate::run::recovery::DeadRun;
use crate::run::result::{RunResult, Sandboxed};
use crate::run::sandbox::{Asked, Places};
use crate::run::slots::Slots;
use crate::run::source::SourceWatch;
use crate::run::start::Start;
use crate::run::surroundings::{RunSink, Surroundings};
use crate::run::tidy::tidy;
use crate::run::watch::WorkWatch;
use crate::supervise::{self, Guard, Interrupts, Requests, RunOutcome, RunStatus, RunVerdict, Used};
use crate::work::{Mirror, Place, state};

/// The prompt of an agent whose CLI was logged in while it worked.
const AFTER_LOGIN: &str = "Your login had expired and is renewed. Go on with the task where you were.";

/// Runs an agent in an environment that is locked for it, and cleans the environment up afterwards where that was asked for. Returns the exit
/// status.
///
/// # Errors
/// When the agent cannot be started, or the run cannot be recorded. How the agent ended is in the exit status.
pub fn execute(
    mut env: RunningEnv,
    options: &RunOptions,
    surroundings: &Surroundings<'_>,
    sink: &mut dyn RunSink,
) -> Result<u8> {
    let ended = begin(options, surroundings, &mut env, sink);
    tidy(ended, env.release(), options, surroundings)
}

/// Gives the result of a task that is done in the place of a run, and cleans the environment up where the run would have. Returns
/// 0.
///
/// # Errors
/// When the result cannot be given, or the clean-up fails.
pub fn repeat(
    env: LockedEnv,
    options: &RunOptions,
    surroundings: &Surroundings<'_>,
    sink: &mut dyn RunSink,
) -> Result<u8> {
    sink.earlier(&EarlierResult::read(&env)?)?;
    let found = env.unlock();
    let is_cleaned = |meta: &Meta| meta.own.as_ref().is_some_and(|own| own.status == EnvStatus::Cleaned);
    if found.meta.as_ref().is_some_and(is_cleaned) {
        return Ok(0);
    }
    tidy(Ok(0), found, options, surroundings)
}

fn begin(
    options: &RunOptions,
    surroundings: &Surroundings<'_>,
    env: &mut RunningEnv,
    sink: &mut dyn RunSink,
) -> Result<u8> {
    // Its start takes longer than that of most programs, and nothing waits for it before the agent is to be started.
    let guard = Guard::begin()?;
    let dead = env.recover_dead_run(surroundings.git, surroundings.trust, (surroundings.now)())?;
    let plan = RunPlan::new(options, surroundings.inherited, env, surroundings.slots, surroundings.trust)?;
    let logs_in = args_to_log_in(options, &plan.provider)?;
    if plan.sandbox.is_some() && options.heartbeats.is_some_and(|beats| beats.mode == HeartbeatMode::Branch) {
        // The agent could change what a branch's name leads to at any moment.
        let message = "`--heartbeat-mode branch` does not work with `--sandbox`";
        return Err(Failure::new(Code::Usage, message)
            .hint("leave it out: heartbeats go beside the branch then")
            .into());
    }
    if options.heartbeats.is_some() {
        refuse_no_repository(&env.found, surroundings.trust)?;
    }
    let publishing = options.on_success.as_ref().map(|wanted| Publishing { wanted, surroundings });
    publishing.as_ref().map_or(Ok(()), |publishing| publishing.foresee(&env.found))?;
    // Until here a signal ends the process; from the first change on the run decides when to stop.
    let interrupts = Interrupts::install().context("set up the signals")?;
    (surroundings.begins)()?;
    let log = RunLog::open(&env.found.env.tree, &plan, (surroundings.now)())?;
    let inbox = Inbox::open(&env.found.env.tree, &plan.run_id).context("empty the inbox of the run")?;
    let body = options.heartbeats.map(|beats| body(env, beats, &plan.run_id, surroundings)).transpose()?;
    std::thread::scope(|scope| {
        let heart = options.heartbeats.zip(body.as_ref());
        let heart = heart.map(|(beats, body)| Heart::begin(beats.every, body, scope)).transpose()?;
        let watch = WorkWatch::begin(plan.work_dir.clone(), heart, surroundings.now);
        let cancel_file = options.cancel_file.as_deref();
        let ways_in = WaysIn { interrupts: &interrupts, cancel_file, inbox };
        let (now, has_started) = (surroundings.now, surroundings.has_started);
        let (trust, renewed_logins) = (surroundings.trust, options.renewed_logins);
        let (git, guard) = (surroundings.git, Some(guard));
        let asked = Asked {
            request: &options.sandbox,
            inherited: surroundings.inherited,
            variables: &plan.variables,
            given: &options.variables,
            program: &plan.program,
            row: plan.row,
            temporary: &plan.temporary,
        };
        let run = Run {
            plan: &plan,
            dead,
            asked,
            places: None,
            guard,
            now,
            has_started,
            trust,
            git,
            renewed_logins,
            env,
            sink,
            log,
            engine: engine_of(surroundings.inherited),
            slots: surroundings.slots,
            autonomous: options.autonomous,
            said: Said::default(),
            logs: None,
            used: Used::default(),
            since: None,
            ways_in,
            watch,
            body: body.as_ref(),
            logs_in,
            wants_login: false,
            publishing,
        };
        run.whole()
    })
}

/// What the heartbeats of a run are made with.
fn body<'a>(
    env: &RunningEnv,
    beats: Heartbeats,
    run_id: &str,
    surroundings: &Surroundings<'a>,
) -> Result<Body<'a>> {
    let (git, trust) = (surroundings.git.clone(), surroundings.trust);
    let mirror = match beats.push {
        true => {
            let place = Place::find(&env.found, None, trust)?;
            Some(Mirror::of(&place, &env.found.env.key(), run_id, &git)?)
        }
        false => None,
    };
    Ok(Body { env: env.found.env.try_clone()?, git, trust, mode: beats.mode, mirror })
}

/// What reaches a run from outside.
struct WaysIn<'a> {
    interrupts: &'a Interrupts,
    cancel_file: Option<&'a Path>,
    inbox: Inbox,
}

/// A run that has begun.
struct Run<'a, 'scope> {
    plan: &'a RunPlan,
    /// The run before, if it has died.
    dead: Option<DeadRun>,
    /// What is asked for the sandbox, and once the run has begun, where it is.
    asked: Asked<'a>,
    places: Option<Places>,
    /// The guard of the first start.
    guard: Option<Guard>,
    now: &'a dyn Fn() -> DateTime<Utc>,
    has_started: &'a Cell<bool>,
    trust: Trust<'a>,
    git: &'a Git,
    renewed_logins: RenewedLogins,
    env: &'a mut RunningEnv,
    sink: &'a mut dyn RunSink,
    log: RunLog,
    engine: Engine,
    slots: &'a Slots,
    /// The most turns, where the agent goes on by itself.
    autonomous: Option<u32>,
    /// What the model has written in the present turn, where that matters.
    said: Said,
    /// Of the present run, once they are open.
    logs: Option<Logs>,
    /// What the turns before have used up, and since when the time counts.
    used: Used,
    since: Option<Instant>,
    ways_in: WaysIn<'a>,
    watch: WorkWatch<'a, 'scope>,
    /// What heartbeats are made with, where there are any.
    body: Option<&'a Body<'a>>,
    /// The arguments by which the agent's CLI logs in; `None`: the run does not do that.
    logs_in: Option<&'static [&'static str]>,
    /// Whether the agent has asked for a login.
    wants_login: bool,
    /// Where the work is to be published.
    publishing: Option<Publishing<'a>>,
}

impl Run<'_, '_> {
    fn whole(mut self) -> Result<u8> {
        if let Some(dead) = self.dead.take() {
            self.notice(&format!("the last run here died; {}", dead.words()))?;
        }
        for notice in &self.plan.notices {
            self.notice(notice)?;
        }
        if let Some(mirror) = self.body.and_then(|body| body.mirror.as_ref()) {
            let text = format!("heartbeats are pushed to {} as {}", mirror.address(), mirror.name());
            self.tell(&Event::Notice { level: NoticeLevel::Info, text: &text })?;
        }
        self.finish()
    }

    fn finish(&mut self) -> Result<u8> {
        let (plan, now) = (self.plan, self.now);
        let begun = BegunRun {
            run_id: &plan.run_id,
            dialect: plan.dialect(),
            temporary: &plan.temporary,
            is_autonomous: self.autonomous.is_some(),
            counts_on: plan.resume.is_some(),
            sandboxed: plan.sandbox.is_some(),
            on_success: self.publishing.as_ref().map(|publishing| publishing.wanted),
        };
        let root = &self.env.found.env;
        plan.logins.store_news(&root.tree, self.trust.keys.seal(&root.key()).as_ref())?;
        let (source, notice) = SourceWatch::begin(&self.env.found, self.git, self.trust);
        notice.map_or(Ok(()), |notice| self.notice(&notice))?;
        self.env.starting(&begun, now())?;
        let folder = self.env.found.make_temporary(&plan.run_id, &plan.temporary);
        let mut is_open = false;
        let outcome = folder.and_then(|_held| {
            self.look_for_places()?;
            is_open = self.mark(begun.sandboxed)?;
            self.turns()
        });
        self.env.found.forget_temporary(&plan.run_id, Some(&plan.temporary));
        self.settle_logins();
        let commits = self.save_the_rest();
        if is_open && let Err(error) = self.env.found.end_sandboxed(self.git, self.trust) {
            let why = format!("the commits of the agent count as made in a run that is still on: {error:#}");
            let _ = self.notice(&why); // a reader that has gone changes nothing of what was done
        }
        match outcome {
            Ok((mut outcome, turns)) => {
                let (source_drift, notice) = source.map_or((None, None), SourceWatch::end);
                if let Some(notice) = notice {
                    let _ = self.notice(&notice); // as above
                }
                let published = self.publish(&mut outcome.verdict);
                let result = RunResult::of(outcome, turns, now());
                let result = result.with_drift(source_drift).with_commits(commits);
                self.end(result.with_published(published).with_sandbox(self.sandboxed()))
            }
            Err(error) => {
                if let Err(second) = self.end(RunResult::not_started(&error, now())) {
                    log::warn!("the end of the run could not be recorded: {second:#}");
                }
                Err(error)
            }
        }
    }

    /// The sandbox of the agent.
    fn sandboxed(&self) -> Option<Sandboxed> {
        let network = self.asked.request.has_network;
        self.plan.sandbox.as_ref().map(|_| Sandboxed { kind: self.asked.request.kind.word(), network })
    }

    /// Looks for what matters to the sandbox.
    fn look_for_places(&mut self) -> Result<()> {
        if self.plan.sandbox.is_some() {
            self.places = Some(Places::find(self.env, self.asked, self.git, self.trust)?);
        }
        Ok(())
    }

    /// Marks what the agent is going to write, where one in a sandbox works or has worked: what that has left is its work also where
    /// another one commits it. Returns whether something is to be done about it at the end.
    fn mark(&self, is_in_sandbox: bool) -> Result<bool> {
        let is_needed = self.env.own().was_sandboxed();
        Ok(is_needed && self.env.found.begin_sandboxed(is_in_sandbox, self.git, self.trust)?)
    }

    /// Starts the agent, and once more with a new session where it refuses the old one. Never after a tool was called:
    /// what it did would be done twice.
    fn attempts(&mut self) -> Result<RunOutcome> {
        let first = self.attempt(Turn::first(self.plan.resume.as_deref()))?;
        if self.plan.resume.is_none() || !first.verdict.resume_refused || first.tool_calls > 0 {
            return Ok(first);
        }
        self.notice("the agent cannot resume its session; it starts a new one")?;
        self.env.forget_session()?;
        Ok(self.attempt(Turn::first(None))?.after(first))
    }

    /// Starts the agent, and as long as it goes on by itself again and again. Returns how many turns there were.
    fn turns(&mut self) -> Result<(RunOutcome, u32)> {
        let Some(limit) = self.autonomous else { return Ok((self.attempts()?, 1)) };
        let begun = Instant::now();
        let mut going = Loop::begin(limit, self.env.counted(), self.work());
        let mut outcome = self.attempts()?;
        let mut turns = 1;
        while outcome.verdict.status == RunStatus::Completed {
            let turn = going.judge(&std::mem::take(&mut self.said), &outcome.verdict.text, self.work());
            let ready = matches!(turn.next, Next::Done);
            self.tell(&Event::Iteration { n: turn.number, ready, reason: turn.reason.as_deref() })?;
            self.sink.event(&Event::Idle)?;
            if let Err(error) = self.env.count(going.counted()) {
                log::warn!("the iteration could not be recorded: {error:#}");
            }
            match turn.next {
                Next::Done => break,
                Next::Stop(stopped) => {
                    outcome.verdict = outcome.verdict.stopped(stopped.reason, stopped.error);
                    break;
                }
                Next::GoOn => {}
            }
            self.used = Used {
                cost_usd: outcome.cost_usd.as_ref().and_then(serde_json::Number::as_f64).unwrap_or(0.0),
                tokens: outcome.usage.values().map(Usage::all).fold(0, u64::saturating_add),
            };
            self.since = Some(begun);
            if let Some(reached) = self.plan.limits.bounds.reached_by(self.used) {
                outcome.verdict = outcome.verdict.stopped(reached.reason(), reached.words());
                break;
            }
            turns += 1;
            let session = outcome.session_id.clone();
            let next = Turn { resume: session.as_deref(), prompt: Some(GO_ON), iteration: turns };
            outcome = outcome.then(self.attempt(next)?);
        }
        Ok((outcome, turns))
    }

    /// The work as it is now; `None`: it cannot be looked at.
    fn work(&self) -> Option<String> {
        let state =
            FoundEnv::read_again(&self.env.found.env).and_then(|found| state(&found, self.git, self.trust));
        state.inspect_err(|error| log::debug!("look at the work: {error:#}")).ok()
    }

    /// Starts the agent once, and once more after a login, where it asks for one and the run may log it in. What tools have done
    /// is not done twice: it goes on in its session then.
    fn attempt(&mut self, turn: Turn<'_>) -> Result<RunOutcome> {
        let first = self.attempt_once(turn)?;
        let Some(args) = self.logs_in.filter(|_| self.asks_for_login(&first)) else { return Ok(first) };
        self.logs_in = None; // a login that does not help is no reason for another one
        self.since.get_or_insert_with(Instant::now);
        match self.log_in(args)? {
            Login::Done => {}
            Login::GivenUp => return Ok(first),
            Login::Stopped(verdict) => {
                let RunVerdict { text, poisoned, .. } = first.verdict;
                return Ok(RunOutcome { verdict: RunVerdict { text, poisoned, ..verdict }, ..first });
            }
        }
        let session = first.session_id.clone().filter(|_| first.tool_calls > 0);
        match session {
            Some(session) => {
                let next = Turn { resume: Some(&session), prompt: Some(AFTER_LOGIN), ..turn };
                Ok(first.then(self.attempt_once(next)?))
            }
            None => Ok(self.attempt_once(turn)?.after(first)),
        }
    }

    fn asks_for_login(&self, outcome: &RunOutcome) -> bool {
        self.wants_login && outcome.verdict.status == RunStatus::Failed
    }

    /// Starts the agent once.
    fn attempt_once(&mut self, turn: Turn<'_>) -> Result<RunOutcome> {
        self.wants_login = false;
        let began = (self.now)();
        let started =
            self.plan.start(self.env, self.slots, turn, &mut self.logs, began, self.places.as_ref())?;
        let Start { mut command, session, mut conversation } = started;
        (command.limits.used, command.limits.since) = (self.used, self.since);
        self.env.found.refuse_moved()?;
        log::info!("starting {} in {}", command.program.display(), command.work_dir.display());
        if let Some(session) = &session {
            self.log.session(session, (self.now)());
        }
        self.log.started(&command, (self.now)());
        if let Some(session) = &session {
            self.sink.event(&Event::Session { session_id: session, model: None })?;
            record_session(self.env, session, (self.now)());
        }
        let guard = self.guard.take().map_or_else(Guard::begin, Ok)?;
        let WaysIn { interrupts, cancel_file, inbox } = &mut self.ways_in;
        let mut requests =
            Requests::new(interrupts, *cancel_file).with_orders(inbox).with_watch(&mut self.watch);
        let env = std::cell::RefCell::new(&mut *self.env);
        let (now, sink, log) = (self.now, &mut *self.sink, &mut self.log);
        let mut said = self.autonomous.map(|_| &mut self.said);
        let mut last_session = session.unwrap_or_default();
        let wants_login = &mut self.wants_login;
        let outcome = supervise::run(
            guard,
            command,
            conversation.as_mut(),
            &mut requests,
            &mut |event| {
                if let Event::Paused(is_paused) = event {
                    return tell_pause(&mut env.borrow_mut(), log, sink, is_paused, now());
                }
                *wants_login |= matches!(event, Event::AuthRequired { .. });
                if let (Event::Text { text, is_part }, Some(said)) = (&event, &mut said) {
                    said.add(&text.decode(), *is_part);
                }
                if let Event::Session { session_id, .. } = &event
                    && *session_id != last_session
                {
                    (*session_id).clone_into(&mut last_session);
                    record_session(&mut env.borrow_mut(), session_id, now());
                }
                log.event(&event, now());
                sink.event(&event)
            },
            &mut |started| {
                self.has_started.set(true);
                env.borrow_mut().running(started.pid.unsigned_abs(), started.start_time)
            },
        )?;
        // Some say it in a file that they leave.
        if let Some(session) = outcome.session_id.as_ref().filter(|session| **session != last_session) {
            record_session(self.env, session, now());
        }
        Ok(outcome)
    }

    fn notice(&mut self, text: &str) -> io::Result<()> {
        self.tell(&Event::Notice { level: NoticeLevel::Warning, text })?;
        self.sink.event(&Event::Idle)
    }

    /// Logs an event of the run's own, and passes it on.
    fn tell(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.log.event(event, (self.now)());
        self.sink.event(event)
    }
}

/// Records a session; that it cannot be recorded is no reason to stop the agent.
fn record_session(env: &mut RunningEnv, id: &str, now: DateTime<Utc>) {
    if let Err(error) = env.session(id, now) {
        log::warn!("the session could not be recorded: {error:#}");
    }
}
