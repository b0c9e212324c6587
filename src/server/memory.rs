//! The answers of one cycle, kept small: about 100 bytes a parent, so that a hundred thousand fit in 20 MB.

use std::collections::HashMap;

use uuid::Uuid;

use super::parent::{Parent, ParentKind, Question};

/// Equal for two questions that the server answers alike.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    id: [u8; 16],
    /// An index into the names; only issues are asked about by workspace.
    workspace: u32,
    kind: ParentKind,
}

/// How many different reasons are kept. A server that gives more of them gives none worth reading.
const REASONS: usize = 1000;

/// Answers by question.
pub(super) struct Memory {
    workspaces: HashMap<Uuid, u32>,
    index: HashMap<Key, u32>,
    /// The first one stands for all that have not been answered.
    parents: Vec<Parent>,
    /// The places of reasons, which many questions share.
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
            self.workspaces.insert(question.workspace, next);
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
            mut other => {
                if let Parent::Found { status, .. } = &mut other {
                    status.shrink_to_fit();
                }
                self.push(other)
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
            u32::try_from(self.parents.len()).expect("memory ends long before four thousand million answers");
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

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn question(kind: ParentKind, id: u128, workspace: u128) -> Question {
        Question { kind, id: Uuid::from_u128(id), workspace: Uuid::from_u128(workspace) }
    }

    #[test]
    fn a_hundred_thousand_answers_fit_in_20_mb() {
        let mut memory = Memory::new();
        for id in 0..100_000 {
            let question = question(ParentKind::Issue, id, 1);
            assert!(memory.note(&question) && !memory.note(&question));
            let mut status = String::with_capacity(1000);
            status.push_str("in_progress");
            memory.keep(&question, Parent::Found { status, at: DateTime::from_timestamp(id as i64, 0) });
        }
        let strings = memory.parents.iter().map(|parent| match parent {
            Parent::Found { status, .. } => status.capacity() + 16, // what malloc adds
            _ => 0,
        });
        // A table of hashes has room for eight where it says seven, and a byte of its own for each.
        let table = memory.index.capacity() * 8 / 7 * (size_of::<(Key, u32)>() + 1);
        let bytes = table + memory.parents.capacity() * size_of::<Parent>() + strings.sum::<usize>();
        assert!(bytes < 20 << 20, "{bytes} bytes");
    }

    #[test]
    fn reasons_are_shared_and_not_without_number() {
        let mut memory = Memory::new();
        for id in 0..10_000 {
            let question = question(ParentKind::Chat, id, 1);
            memory.note(&question);
            memory.keep(&question, Parent::Unknown { why: format!("reason {}", id / 5) });
        }
        assert!(memory.parents.len() <= REASONS + 4);
        let is_unknown =
            |id| matches!(memory.parent(&question(ParentKind::Chat, id, 0)), Parent::Unknown { .. });
        assert!((0..10_000).all(is_unknown));
    }

    #[test]
    fn an_issue_is_another_in_another_workspace_and_a_chat_is_not() {
        let mut memory = Memory::new();
        let (a, b) = (question(ParentKind::Issue, 1, 1), question(ParentKind::Issue, 1, 2));
        assert!(memory.note(&a) && memory.note(&b));
        memory.keep(&a, Parent::Gone { certain: false });
        assert!(memory.has(&a) && !memory.has(&b));
        assert!(
            memory.note(&question(ParentKind::Chat, 1, 1)) && !memory.note(&question(ParentKind::Chat, 1, 2))
        );
    }
}
