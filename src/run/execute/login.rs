//! A login in the middle of a run: the CLI's own one, which prints an address and waits for a code.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::Run;
use crate::environment::quoted;
use crate::layout::names;
use crate::protocol::{Event, LoginTalk, NoticeLevel};
use crate::run::login::Login;
use crate::run::logs::create;
use crate::run::pause::tell_pause;
use crate::supervise::{self, AgentCommand, Bounds, Guard, Limits, Requests, RunOutcome, RunStatus, Used};

/// A person has to open the address and come back.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// A wrong code ends the CLI's login: it is started so often.
const STARTS: u32 = 3;
/// No browser, and nothing for a terminal.
const QUIET: [(&str, &str); 3] = [("BROWSER", "false"), ("NO_COLOR", "1"), ("TERM", "dumb")];

impl Run<'_, '_> {
    /// Logs the agent's CLI in by these arguments, with the help of a person.
    pub(super) fn log_in(&mut self, args: &[&str]) -> Result<Login> {
        let until = Instant::now() + PATIENCE;
        for _ in 0..STARTS {
            let left = until.saturating_duration_since(Instant::now());
            let verdict = self.log_in_once(args, left)?.verdict;
            match verdict.status {
                RunStatus::Completed => {
                    self.notice("the agent's CLI is logged in; the agent is started again")?;
                    return Ok(Login::Done);
                }
                RunStatus::Failed => {
                    let said = verdict.error.as_deref().unwrap_or("it said nothing");
                    self.notice(&format!("the login failed: {said}"))?;
                }
                RunStatus::Timeout if Instant::now() >= until => {
                    self.notice("no code arrived within 10 minutes")?;
                    return Ok(Login::GivenUp);
                }
                _ => return Ok(Login::Stopped(verdict)),
            }
        }
        Ok(Login::GivenUp)
    }

    fn command_to_log_in(&self, args: &[&str], patience: Duration) -> Result<AgentCommand> {
        let tree = &self.env.found.env.tree;
        let log = create(tree, names::LOGIN_LOG)?;
        let plan = self.plan;
        // Its settings are in the work dir, too, where the agent can write them.
        let jail = plan.jail(self.places.as_ref(), tree, std::iter::empty())?;
        let is_kept = |name: &OsString| !QUIET.iter().any(|(quiet, _)| name == quiet);
        let kept = plan.variables.iter().filter(|(name, _)| is_kept(name)).cloned();
        let total = match (plan.limits.total, self.since) {
            (Some(total), Some(since)) => patience.min(total.saturating_sub(since.elapsed())),
            (total, _) => total.map_or(patience, |total| patience.min(total)),
        };
        Ok(AgentCommand {
            provider: plan.provider.clone(),
            program: plan.program.clone(),
            args: args.iter().map(OsString::from).collect(),
            work_dir: plan.work_dir.clone(),
            env: kept.chain(QUIET.map(|(name, value)| (name.into(), value.into()))).collect(),
            run_id: plan.run_id.clone(),
            resume: None,
            jail,
            limits: Limits {
                total: Some(total),
                idle: None,
                tool: None,
                bounds: Bounds::default(),
                used: Used::default(),
                since: None,
                ..plan.limits
            },
            lock: self.env.lock_handle()?,
            slots: self.slots.handles().context("duplicate the handle of a slot")?,
            stderr_log: Some(log.try_clone().context("duplicate the handle of a log")?),
            log: Some(log),
            times: None,
        })
    }

    fn log_in_once(&mut self, args: &[&str], patience: Duration) -> Result<RunOutcome> {
        let command = self.command_to_log_in(args, patience)?;
        let guard = Guard::begin()?;
        let interrupts = self.ways_in.interrupts;
        let mut requests = Requests::new(interrupts, self.ways_in.cancel_file)
            .with_orders(&mut self.ways_in.inbox)
            .with_watch(&mut self.watch);
        let env = std::cell::RefCell::new(&mut *self.env);
        let path = env.borrow().found.env.path.clone();
        let (sink, log) = (&mut *self.sink, &mut self.log);
        let (now, mut talk) = (self.now, LoginTalk::default());
        supervise::run(
            guard,
            command,
            &mut talk,
            &mut requests,
            &mut |event| {
                if let Event::Paused(is_paused) = event {
                    return tell_pause(&mut env.borrow_mut(), log, sink, is_paused, now());
                }
                log.event(&event, now());
                sink.event(&event)?;
                let Event::AuthRequired { login_url: Some(url), .. } = event else { return Ok(()) };
                let text = format!("open {url}, then `execenv send {} --auth-code CODE`", quoted(&path));
                let notice = Event::Notice { level: NoticeLevel::Warning, text: &text };
                log.event(&notice, now());
                sink.event(&notice)?;
                sink.event(&Event::Idle)
            },
            &mut |started| env.borrow_mut().running(started.pid.unsigned_abs(), started.start_time),
        )
    }
}
