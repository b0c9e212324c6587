//! What follows when the agent has ended: its last work is saved and published, its logins settle, the result is recorded.

use std::io;

use anyhow::Result;

use super::Run;
use crate::failure::{Code, Failure};
use crate::protocol::{Event, FailureReason, NoticeLevel};
use crate::run::publishing::Publishing;
use crate::run::result::{PublishedWork, RunResult};
use crate::supervise::{RunStatus, RunVerdict};
use crate::sys::machine::Machine;

impl Run<'_, '_> {
    /// The last heartbeat, when the agent has ended. Returns the commits of all.
    pub(super) fn save_the_rest(&mut self) -> Vec<String> {
        let (Some(heart), Some(body)) = (self.watch.heart.take(), self.body) else { return Vec::new() };
        let (log, now) = (&mut self.log, self.now);
        if !self.has_started.get() {
            return Vec::new(); // dropping it ends its thread
        }
        let sink = &mut *self.sink;
        heart.end(body, (self.now)(), &mut |event| {
            log.event(&event, now());
            let _ = sink.event(&event); // a reader that has gone is no reason to save less
        })
    }

    /// Publishes the work of an agent that completed, where that was asked for. Where it cannot be published, the run has failed.
    pub(super) fn publish(&mut self, verdict: &mut RunVerdict) -> Option<(PublishedWork, Option<String>)> {
        let publishing = self.publishing.take().filter(|_| verdict.status == RunStatus::Completed)?;
        let Publishing { wanted, surroundings } = &publishing;
        let before = self.ways_in.interrupts.take_end();
        let published = match before {
            Some(_) => Err(anyhow::anyhow!("a signal arrived before the work was published")),
            None => (surroundings.ends)().and_then(|()| publishing.publish(&self.env.found)),
        };
        let error = match published {
            Ok(published) => {
                for warning in published.warnings() {
                    let _ = self.notice(&warning); // a reader that has gone changes nothing of what was done
                }
                let _ = self.tell(&Event::Notice { level: NoticeLevel::Info, text: &published.says() });
                return Some(PublishedWork::of(wanted.to, published));
            }
            Err(error) => error,
        };
        let way_on = wanted.way_on(&self.env.found.env.path, Failure::code_of(&error));
        let text = format!("the agent is done, but its work was not published: {error:#}; {way_on}");
        *verdict = verdict.clone().stopped(FailureReason::PublishFailed, text);
        if let Some(signal) = before.or_else(|| publishing.is_stopped().then(surroundings.signal).flatten()) {
            (verdict.status, verdict.stopped_by) = (RunStatus::Interrupted, Some(signal));
            verdict.failure_reason = Some(FailureReason::Cancelled);
        }
        None
    }

    /// Puts the links to logins back that the agent has replaced by files.
    pub(super) fn settle_logins(&mut self) {
        let settled = self.plan.logins.settle(&self.env.found.env.tree, self.renewed_logins);
        for notice in settled.notices.iter().chain(&settled.stuck) {
            let _ = self.notice(notice); // a reader that has gone is no reason to forget the end of the run
        }
    }

    /// Records, logs and reports the result, whichever of these fails.
    pub(super) fn end(&mut self, result: RunResult) -> Result<u8> {
        let result = result
            .of_run(&self.plan.run_id, &self.env.found.env.path)
            .within(Machine::host(), self.engine.clone());
        let recorded = self.env.ended(&result);
        self.log.ended(&result);
        let reported = self.sink.result(&result);
        recorded?;
        let is_in_place = self.env.found.is_in_place();
        if !is_in_place {
            let path = self.env.found.env.path.display();
            let message = format!(
                "{path} was moved or replaced while the agent ran; the result and the work are where it went"
            );
            let lost =
                Failure::new(Code::RunFailed, message).hint("see `execenv trash list`, and `execenv list`");
            if result.exit_code == 0 {
                return Err(lost.into());
            }
            log::error!("{lost}"); // the agent's own end says more
        }
        match reported {
            // A reader that has gone has ended the run already; its status says so.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(result.exit_code),
        }
    }
}
