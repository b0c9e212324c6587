//! How the supervision carries out the orders of other processes.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::outcome::Cause;
use super::requests::{Order, Reply};
use super::timers::Supervisor;
use crate::protocol::{Conversation, Delivery, Event, Step};
use crate::sys::child;

/// So many messages may wait for an agent that does not read.
const MOST_WAITING: usize = 100;

impl Supervisor<'_, '_, '_> {
    /// Carries out what other processes ask for.
    pub(super) fn look_at_orders(&mut self, now: Instant) {
        while let Some(order) = self.requests.next_order(now) {
            let reply = match order {
                Order::Pause => self.pause(),
                Order::Resume => self.resume(),
                Order::Stop { signal, grace_ms } => self.stop_by_order(signal, grace_ms),
                Order::Send { text } => self.send(|conversation, step| conversation.send(&text, step)),
                Order::AuthCode { code } => self.send(|conversation, step| conversation.code(&code.0, step)),
            };
            self.requests.reply(reply);
        }
    }

    fn pause(&mut self) -> Reply {
        if !self.agent.can_stop() {
            return Reply::TooLate;
        }
        if self.paused.is_some() {
            return Reply::Unchanged;
        }
        child::signal_group(self.agent.pid(), Signal::STOP);
        self.paused = Some(Instant::now());
        self.listener.emit(Event::Paused(true));
        Reply::Done
    }

    /// Lets a paused agent go on. Its limits have stood still.
    pub(super) fn resume(&mut self) -> Reply {
        let Some(since) = self.paused.take() else { return Reply::Unchanged };
        child::signal_group(self.agent.pid(), Signal::CONT);
        let pause = since.elapsed();
        self.begin += pause;
        self.turns_over = self.turns_over.map(|at| at + pause);
        self.listener.skip(pause);
        self.listener.emit(Event::Paused(false));
        Reply::Done
    }

    fn stop_by_order(&mut self, signal: i32, grace_ms: Option<u64>) -> Reply {
        if let Some(grace) = grace_ms {
            self.limits.kill_grace = Duration::from_millis(grace);
        }
        if !self.agent.can_stop() {
            return Reply::Unchanged; // it is ending, now within the grace of this order
        }
        self.stop(Cause::Signal(signal));
        Reply::Done
    }

    /// Gives the agent a message. A paused one goes on: it could not read it.
    fn send(&mut self, give: impl FnOnce(&mut dyn Conversation, &mut Step) -> Delivery) -> Reply {
        if !self.agent.can_stop() {
            return Reply::TooLate;
        }
        if self.agent.unread() + self.listener.conversation.queued() >= MOST_WAITING {
            return Reply::Full;
        }
        let mut step = Step::default();
        let delivery = give(self.listener.conversation, &mut step);
        if matches!(delivery, Delivery::Written | Delivery::Queued) {
            self.resume();
        }
        self.listener.note(&mut step);
        self.apply(step);
        match delivery {
            Delivery::Written => Reply::Written,
            Delivery::Queued => Reply::Queued,
            Delivery::TooEarly => Reply::TooEarly,
            Delivery::TooLate => Reply::TooLate,
            Delivery::Unsupported => Reply::Unsupported,
        }
    }
}
