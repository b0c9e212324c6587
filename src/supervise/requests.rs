//! What reaches a run from outside: signals, the cancel file, orders of other processes.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Interrupts;
use super::watch::{self, Watch, WorkDirGone};
use crate::protocol::Event;

const CANCEL_POLL: Duration = Duration::from_millis(500);
const ORDERS_POLL: Duration = Duration::from_millis(100);

/// What another process asks of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Order {
    /// Stop the agent's processes where they are.
    Pause,
    /// Let them go on.
    Resume,
    /// End the agent as a signal to the run would.
    Stop {
        /// The signal for the agent.
        signal: i32,
        /// How long it may take to end, instead of the run's own `--kill-grace`.
        #[serde(skip_serializing_if = "Option::is_none")]
        grace_ms: Option<u64>,
    },
    /// Give the agent a message.
    Send {
        /// Its text.
        text: String,
    },
    /// Give the login in progress its code.
    AuthCode {
        /// The code.
        code: LoginCode,
    },
}

/// The code of a login: a secret, though it counts once only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LoginCode(pub String);

impl fmt::Debug for LoginCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginCode")
    }
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It is done, or under way.
    Done,
    /// There was nothing to do.
    Unchanged,
    /// The message is on its way to the agent.
    Written,
    /// The message waits for the end of the turn.
    Queued,
    /// The login has not asked for a code yet.
    TooEarly,
    /// The agent is ending.
    TooLate,
    /// This agent takes no messages while it works.
    Unsupported,
    /// Too many messages wait already.
    Full,
}

/// Where a run finds its orders.
pub trait Orders {
    /// The next order. Called about ten times a second.
    fn next(&mut self) -> Option<Order>;

    /// Takes what became of the order that was taken last.
    fn reply(&mut self, reply: Reply);
}

/// The ways into a run.
pub struct Requests<'a> {
    interrupts: &'a Interrupts,
    cancel_file: Option<&'a Path>,
    orders: Option<&'a mut dyn Orders>,
    watch: Option<&'a mut dyn Watch>,
    watched: Instant,
    cancel_polled: Instant,
    orders_polled: Option<Instant>,
}

impl<'a> Requests<'a> {
    /// The run ends on a signal, or when `cancel_file` appears.
    pub fn new(interrupts: &'a Interrupts, cancel_file: Option<&'a Path>) -> Self {
        Self {
            interrupts,
            cancel_file,
            orders: None,
            watch: None,
            watched: Instant::now(),
            cancel_polled: Instant::now(),
            orders_polled: None,
        }
    }

    /// Orders are taken from here as well.
    pub fn with_orders(self, orders: &'a mut dyn Orders) -> Self {
        Self { orders: Some(orders), ..self }
    }

    /// This is asked to look around as well.
    pub fn with_watch(self, watch: &'a mut dyn Watch) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// Looks after what surrounds the agent, twice a second.
    pub(super) fn look_around(
        &mut self,
        now: Instant,
        tell: &mut dyn FnMut(Event<'_>),
    ) -> Option<WorkDirGone> {
        if now.duration_since(self.watched) < watch::EVERY {
            return None;
        }
        self.watched = now;
        self.watch.as_mut()?.look(now, tell)
    }

    pub(super) fn interrupts(&self) -> &'a Interrupts {
        self.interrupts
    }

    /// Whether the cancel file is there. Looks twice a second at most.
    pub(super) fn is_cancelled(&mut self, now: Instant) -> bool {
        if now.duration_since(self.cancel_polled) < CANCEL_POLL {
            return false;
        }
        self.cancel_polled = now;
        self.cancel_file.is_some_and(|file| file.symlink_metadata().is_ok())
    }

    /// The next order; looks for one ten times a second, and for all that are there.
    pub(super) fn next_order(&mut self, now: Instant) -> Option<Order> {
        if self.orders_polled.is_some_and(|polled| now.duration_since(polled) < ORDERS_POLL) {
            return None;
        }
        let order = self.orders.as_mut()?.next();
        self.orders_polled = order.is_none().then_some(now);
        order
    }

    pub(super) fn reply(&mut self, reply: Reply) {
        if let Some(orders) = &mut self.orders {
            orders.reply(reply);
        }
    }
}

impl fmt::Debug for Requests<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("cancel_file", &self.cancel_file).finish_non_exhaustive()
    }
}
