//! Which parent an environment belongs to, and what the server says about it.

use std::sync::atomic::AtomicBool;

use uuid::Uuid;

use super::facts::{GcFacts, MetaState};
use crate::server::{Connection, Lookup, Parent, ParentKind, Question};

/// Why the server is not asked about an id: it only gives out UUIDs.
const NO_UUID: &str = "its id is no UUID";
/// Issues are asked about by workspace.
const WORKSPACE_IS_NO_UUID: &str = "the id of its workspace is no UUID";

/// The question about an environment's parent, or what is known without asking.
pub(super) fn question(facts: &GcFacts) -> Result<Question, Parent> {
    let kind = match facts.kind.as_str() {
        _ if facts.meta != MetaState::Read => return Err(Parent::None),
        // Before multica's second version every record was an issue's.
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
    // Only a UUID is ever sent (decision D30).
    let id = Uuid::try_parse(id).map_err(|_| Parent::Unaskable { why: NO_UUID })?;
    let workspace = match kind {
        ParentKind::Issue => Uuid::try_parse(facts.workspace_id.trim())
            .map_err(|_| Parent::Unaskable { why: WORKSPACE_IS_NO_UUID })?,
        ParentKind::Chat | ParentKind::AutopilotRun | ParentKind::QuickCreate => Uuid::nil(),
    };
    Ok(Question { kind, id, workspace })
}

/// The parents of one cycle. The server is asked about each once.
pub(super) struct Parents<'a> {
    lookup: Option<Lookup>,
    stop: &'a AtomicBool,
    has_answered: bool,
}

impl<'a> Parents<'a> {
    /// Without a connection nothing is asked.
    pub(super) fn new(connection: Option<Connection>, jobs: usize, stop: &'a AtomicBool) -> Parents<'a> {
        Parents {
            lookup: connection.map(|connection| Lookup::new(connection, jobs)),
            stop,
            has_answered: false,
        }
    }

    /// Asks about those parents of these environments that were not asked about before.
    pub(super) fn ask<'f>(&mut self, facts: impl Iterator<Item = &'f GcFacts>) {
        if let Some(lookup) = &mut self.lookup {
            let questions: Vec<Question> = facts.filter_map(|facts| question(facts).ok()).collect();
            lookup.ask(&questions, self.stop);
            self.has_answered |=
                questions.iter().any(|question| !matches!(lookup.answer(question), Parent::Unknown { .. }));
        }
    }

    /// What is known of an environment's parent.
    pub(super) fn of(&self, facts: &GcFacts) -> Parent {
        let Some(lookup) = &self.lookup else { return Parent::Offline };
        match question(facts) {
            Ok(question) => lookup.answer(&question).clone(),
            Err(clear) => clear,
        }
    }

    /// Why the server was not asked to the end, if so.
    pub(super) fn trouble(&self) -> Option<String> {
        self.lookup.as_ref().and_then(Lookup::ended).map(str::to_owned)
    }

    /// Whether the server was asked and gave not one clear answer.
    pub(super) fn is_of_no_use(&self) -> bool {
        self.requests() > 0 && !self.has_answered
    }

    /// How many requests were sent.
    pub(super) fn requests(&self) -> u64 {
        self.lookup.as_ref().map_or(0, Lookup::requests)
    }
}
