//! What reaches a run from outside: signals, the cancel file, messages for the agent.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use super::Interrupts;
use crate::protocol::Delivery;

const CANCEL_POLL: Duration = Duration::from_millis(500);

/// The ways into a run.
#[derive(Debug)]
pub struct Requests<'a> {
    interrupts: &'a Interrupts,
    cancel_file: Option<&'a Path>,
    messages: Option<Receiver<SentMessage>>,
    polled: Instant,
}

/// A message for the running agent.
#[derive(Debug)]
pub struct SentMessage {
    /// Its text.
    pub text: String,
    /// Receives what became of it.
    pub reply: Sender<Delivery>,
}

impl<'a> Requests<'a> {
    /// The run ends on a signal, or when `cancel_file` appears.
    pub fn new(interrupts: &'a Interrupts, cancel_file: Option<&'a Path>) -> Self {
        Self { interrupts, cancel_file, messages: None, polled: Instant::now() }
    }

    /// Messages are taken from this channel as well.
    pub fn with_messages(self, messages: Receiver<SentMessage>) -> Self {
        Self { messages: Some(messages), ..self }
    }

    pub(super) fn interrupts(&self) -> &'a Interrupts {
        self.interrupts
    }

    /// Whether the cancel file is there. Looks twice a second at most.
    pub(super) fn is_cancelled(&mut self, now: Instant) -> bool {
        if now.duration_since(self.polled) < CANCEL_POLL {
            return false;
        }
        self.polled = now;
        self.cancel_file.is_some_and(|file| file.symlink_metadata().is_ok())
    }

    pub(super) fn next_message(&self) -> Option<SentMessage> {
        self.messages.as_ref()?.try_recv().ok()
    }
}
