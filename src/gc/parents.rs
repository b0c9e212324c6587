//! What is known of a task's parent: which question an environment asks, and what the answer means for the decision.

use std::sync::atomic::AtomicBool;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::facts::{Facts, MetaState};
use crate::server::{Connection, Lookup, Parent, ParentKind, Question};

/// What is known of a task's parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ParentState {
    /// No server was named.
    Offline,
    /// The task has no parent: a plain one.
    None,
    /// The kind has a parent, but the record does not name it.
    Nameless,
    /// A kind that this version does not know.
    StrangeKind,
    /// The server knows it.
    Found {
        /// Its state in the server's word.
        status: String,
        /// When it was last updated, or completed.
        at: Option<DateTime<Utc>>,
    },
    /// The server does not know it, or does not let us see it.
    Gone {
        /// It was deleted for certain.
        certain: bool,
    },
    /// No answer that can be relied upon.
    Unknown {
        /// What came instead.
        why: String,
    },
}

/// Why nobody is asked about an id that no server gave out.
const NO_UUID: &str = "its id is no UUID";

impl ParentState {
    /// Whether it is not known because its id cannot be asked about: no fault of the server's.
    pub(super) fn is_no_uuid(&self) -> bool {
        matches!(self, ParentState::Unknown { why } if why == NO_UUID)
    }
}

impl From<&Parent> for ParentState {
    fn from(parent: &Parent) -> Self {
        match parent {
            Parent::Found { status, at } => ParentState::Found { status: status.clone(), at: *at },
            Parent::Gone { certain } => ParentState::Gone { certain: *certain },
            Parent::Unknown { why } => ParentState::Unknown { why: why.clone() },
        }
    }
}

/// What an environment asks the server, or what is clear without asking.
pub(super) fn question(facts: &Facts) -> Result<Question, ParentState> {
    let kind = match facts.kind.as_str() {
        _ if facts.meta != MetaState::Read => return Err(ParentState::None),
        // Before upstream's second version every record was an issue's.
        "" if facts.is_foreign => return Err(ParentState::Nameless),
        "" => return Err(ParentState::None),
        "issue" => ParentKind::Issue,
        "chat" => ParentKind::Chat,
        "autopilot_run" => ParentKind::AutopilotRun,
        "quick_create" => ParentKind::QuickCreate,
        _ => return Err(ParentState::StrangeKind),
    };
    let id = facts.parent_id.trim();
    if id.is_empty() {
        return Err(ParentState::Nameless);
    }
    // Decision D30: what is no UUID is never sent.
    let id = Uuid::try_parse(id).map_err(|_| ParentState::Unknown { why: NO_UUID.into() })?;
    Ok(Question { kind, id, workspace: facts.workspace.clone() })
}

/// The parents of one cycle: each is asked about once.
pub(super) struct Parents<'a> {
    lookup: Option<Lookup>,
    stop: &'a AtomicBool,
    has_answered: bool,
}

impl<'a> Parents<'a> {
    /// Nobody is asked without a connection.
    pub(super) fn new(connection: Option<Connection>, jobs: usize, stop: &'a AtomicBool) -> Parents<'a> {
        Parents {
            lookup: connection.map(|connection| Lookup::new(connection, jobs)),
            stop,
            has_answered: false,
        }
    }

    /// Asks about the parents of these environments, as far as nobody has asked before.
    pub(super) fn ask<'f>(&mut self, facts: impl Iterator<Item = &'f Facts>) {
        if let Some(lookup) = &mut self.lookup {
            let questions: Vec<Question> = facts.filter_map(|facts| question(facts).ok()).collect();
            lookup.ask(&questions, self.stop);
            self.has_answered |=
                questions.iter().any(|question| !matches!(lookup.answer(question), Parent::Unknown { .. }));
        }
    }

    /// What is known of an environment's parent.
    pub(super) fn of(&self, facts: &Facts) -> ParentState {
        let Some(lookup) = &self.lookup else { return ParentState::Offline };
        match question(facts) {
            Ok(question) => lookup.answer(&question).into(),
            Err(clear) => clear,
        }
    }

    /// Why nobody was asked any more, if that is so.
    pub(super) fn trouble(&self) -> Option<String> {
        self.lookup.as_ref().and_then(Lookup::ended).map(str::to_owned)
    }

    /// Whether the server was asked and gave no single answer that can be relied upon.
    pub(super) fn is_of_no_use(&self) -> bool {
        self.requests() > 0 && !self.has_answered
    }

    /// How many requests went out.
    pub(super) fn requests(&self) -> u64 {
        self.lookup.as_ref().map_or(0, Lookup::requests)
    }
}
