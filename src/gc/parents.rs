//! What is known of a task's parent: which question an environment asks, and what the answer means for the decision.

use std::sync::atomic::AtomicBool;

use uuid::Uuid;

use super::facts::{Facts, MetaState};
use crate::server::{Connection, Lookup, Parent, ParentKind, Question};

/// Why a server is not asked about an id that it did not give out.
const NO_UUID: &str = "its id is no UUID";

/// What an environment asks the server, or what is clear without asking.
pub(super) fn question(facts: &Facts) -> Result<Question, Parent> {
    let kind = match facts.kind.as_str() {
        _ if facts.meta != MetaState::Read => return Err(Parent::None),
        // Before upstream's second version every record was an issue's.
        "" if facts.is_foreign => return Err(Parent::Nameless),
        "" => return Err(Parent::None),
        "issue" => ParentKind::Issue,
        "chat" => ParentKind::Chat,
        "autopilot_run" => ParentKind::AutopilotRun,
        "quick_create" => ParentKind::QuickCreate,
        _ => return Err(Parent::UnknownKind),
    };
    let id = facts.parent_id.trim();
    if id.is_empty() {
        return Err(Parent::Nameless);
    }
    // Decision D30: what is no UUID is never sent.
    let id = Uuid::try_parse(id).map_err(|_| Parent::Unaskable { why: NO_UUID })?;
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
    pub(super) fn of(&self, facts: &Facts) -> Parent {
        let Some(lookup) = &self.lookup else { return Parent::Offline };
        match question(facts) {
            Ok(question) => lookup.answer(&question).clone(),
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
