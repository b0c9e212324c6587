//! The kind of a task, decided once and used everywhere (decision D14).

use super::TaskDocument;

/// What the task belongs to. The order of the variants is the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKind {
    /// A turn of a chat session.
    Chat,
    /// A sentence from the quick-create box, from which the agent creates an issue.
    QuickCreate,
    /// One run of an autopilot.
    AutopilotRun,
    /// An issue: assignment, or a comment when a trigger is given.
    Issue,
    /// None of these: a stand-alone task.
    Plain,
}

impl TaskKind {
    /// Classifies a document by which of its ids is set: chat, quick-create, autopilot, issue.
    pub fn of(task: &TaskDocument) -> TaskKind {
        let set = |field: &str| !field.trim().is_empty();
        if set(&task.chat_session_id) {
            TaskKind::Chat
        } else if set(&task.quick_create_prompt) {
            TaskKind::QuickCreate
        } else if set(&task.autopilot_run_id) {
            TaskKind::AutopilotRun
        } else if set(&task.issue_id) {
            TaskKind::Issue
        } else {
            TaskKind::Plain
        }
    }

    /// The word that `.gc_meta.json` carries; a plain task has none (multica then decides by age alone).
    pub fn word(self) -> Option<&'static str> {
        match self {
            TaskKind::Chat => Some("chat"),
            TaskKind::QuickCreate => Some("quick_create"),
            TaskKind::AutopilotRun => Some("autopilot_run"),
            TaskKind::Issue => Some("issue"),
            TaskKind::Plain => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_id_in_the_order_of_precedence_decides() {
        let task = |chat: &str, quick: &str, autopilot: &str, issue: &str| TaskDocument {
            chat_session_id: chat.into(),
            quick_create_prompt: quick.into(),
            autopilot_run_id: autopilot.into(),
            issue_id: issue.into(),
            ..TaskDocument::default()
        };
        for (document, kind) in [
            (task("c", "q", "a", "i"), TaskKind::Chat),
            (task("", "q", "a", "i"), TaskKind::QuickCreate),
            (task("", "", "a", "i"), TaskKind::AutopilotRun),
            (task("", " ", "", "i"), TaskKind::Issue),
            (task("", "", "", ""), TaskKind::Plain),
        ] {
            assert_eq!(TaskKind::of(&document), kind);
        }
    }
}
