//! The answers of one cycle, small: about 100 bytes a parent, so that a hundred thousand fit in 20 MB.

use std::collections::HashMap;

use super::{Parent, ParentKind, Question};

/// Equal for two questions that the server answers alike.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    id: [u8; 16],
    /// An index into the names; only issues are asked about by workspace.
    workspace: u32,
    kind: ParentKind,
}

/// So many different reasons are kept; a server that has more of them has none worth reading.
const REASONS: usize = 1000;

/// Answers by question.
pub(super) struct Memory {
    workspaces: HashMap<String, u32>,
    index: HashMap<Key, u32>,
    /// The first one stands for all that have not been answered.
    parents: Vec<Parent>,
    /// Where an answer stands that many questions share.
    shared: HashMap<String, u32>,
}

impl Memory {
    pub(super) fn new() -> Memory {
        Memory {
            workspaces: HashMap::new(),
            index: HashMap::new(),
            parents: vec![
                Parent::Unknown { why: "the server was not asked".into() },
                Parent::Gone { certain: false },
                Parent::Gone { certain: true },
                Parent::Unknown { why: "the answer makes no sense".into() },
            ],
            shared: HashMap::new(),
        }
    }

    /// Notes a question; whether it is new.
    pub(super) fn note(&mut self, question: &Question) -> bool {
        if question.kind == ParentKind::Issue && !self.workspaces.contains_key(&question.workspace) {
            let next = u32::try_from(self.workspaces.len()).unwrap_or(u32::MAX);
            self.workspaces.insert(question.workspace.clone(), next);
        }
        let Some(key) = self.key(question) else { return false };
        let before = self.index.len();
        self.index.entry(key).or_insert(0);
        self.index.len() > before
    }

    /// Keeps an answer to a question that was noted.
    pub(super) fn keep(&mut self, question: &Question, parent: Parent) {
        let place = match parent {
            Parent::Gone { certain } => 1 + u32::from(certain),
            Parent::Unknown { why } => match self.shared.get(&why) {
                Some(place) => *place,
                None if self.shared.len() >= REASONS => 3,
                None => {
                    let place = self.push(Parent::Unknown { why: why.clone() });
                    self.shared.insert(why, place);
                    place
                }
            },
            mut found @ Parent::Found { .. } => {
                if let Parent::Found { status, .. } = &mut found {
                    status.shrink_to_fit();
                }
                self.push(found)
            }
        };
        if let Some(noted) = self.key(question).and_then(|key| self.index.get_mut(&key)) {
            *noted = place;
        }
    }

    /// Whether there is an answer.
    pub(super) fn has(&self, question: &Question) -> bool {
        self.key(question).and_then(|key| self.index.get(&key)).is_some_and(|place| *place != 0)
    }

    pub(super) fn parent(&self, question: &Question) -> &Parent {
        let place = self.key(question).and_then(|key| self.index.get(&key)).copied();
        &self.parents[place.unwrap_or_default() as usize]
    }

    fn push(&mut self, parent: Parent) -> u32 {
        let place =
            u32::try_from(self.parents.len()).expect("four thousand million answers don't fit in memory");
        self.parents.push(parent);
        place
    }

    fn key(&self, question: &Question) -> Option<Key> {
        let workspace = match question.kind {
            ParentKind::Issue => *self.workspaces.get(&question.workspace)?,
            _ => 0,
        };
        Some(Key { id: *question.id.as_bytes(), workspace, kind: question.kind })
    }
}
