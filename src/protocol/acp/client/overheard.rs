//! What one learns who hears the agent alone: from the log of a run that died.
//!
//! Which request an answer is for is not known, so an answer is taken for what it says: one with a reason to stop ends a turn,
//! and what came before any other one is the history of the session.

use std::io;

use super::super::line::Notice;
use super::super::read::{Opened, Prompted, object, text};
use super::super::update::Told;
use super::opening::provenance;
use super::{Client, Phase};
use crate::protocol::rpc::{self, Message};
use crate::protocol::{Sink, Step, Transcript};

impl Client {
    /// Makes it one that only hears.
    pub(in crate::protocol::acp) fn listen(&mut self) {
        self.is_listening = true;
        self.prompts.clear();
    }

    /// Takes one line.
    pub(super) fn overhear(&mut self, line: &str, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        match line.starts_with('{').then(|| rpc::read(line)).flatten() {
            Some(Message::Notification { method, params })
                if matches!(&*method, "session/update" | "session/notification") =>
            {
                let Some(Notice { session_id, update }) = object(params) else { return Ok(()) };
                self.told.transcript.session(text(session_id).trim_start(), None, sink)?; // may be an alias
                self.enter(Phase::Prompting); // perhaps in another turn
                step.is_progress = true;
                self.told.update(update, self.profile.errors_as_text, sink, step).map(drop)
            }
            Some(Message::Notification { method, params })
                if method == "_reasonix.io/session/status_update" =>
            {
                self.told.status(params);
                Ok(())
            }
            Some(Message::Answer { outcome: Ok(answer), .. }) => {
                let ends_turn = object::<Prompted<'_>>(Some(answer))
                    .is_some_and(|answer| !text(answer.stop_reason).is_empty());
                if ends_turn {
                    return self.prompted(Some(answer), sink, step);
                }
                self.forget_history();
                let Some(opened) = object::<Opened<'_>>(Some(answer)) else { return Ok(()) };
                let session = provenance(opened.meta).unwrap_or_else(|| text(opened.session_id).into_owned());
                self.told.transcript.session(session.trim_start(), None, sink)
            }
            _ => Ok(()),
        }
    }

    /// What was told before is no work of this run.
    fn forget_history(&mut self) {
        let session = self.told.transcript.session_id().map(str::to_owned);
        self.told = Told::default();
        self.told.transcript = Transcript::default();
        if let Some(session) = session {
            self.told.transcript.knows_session(&session);
        }
    }
}
