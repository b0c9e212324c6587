//! What holds for one turn only, appended to its prompt: kept out of the brief so that the brief stays the same.

use super::platform::Platform;
use super::scene::{HostOs, Scene, Session};
use super::{comments, people, surroundings};
use crate::task::{TaskDocument, TaskKind, TriggerSource};

/// What a turn's message depends on besides the task.
#[derive(Clone, Copy, Debug)]
pub struct TurnOptions<'a> {
    /// What the agent works through.
    pub platform: &'a Platform,
    /// Where the agent's commands run.
    pub os: HostOs,
    /// Whether the earlier session is resumed.
    pub session: Session,
    /// The work dir is a folder of the user's, in which others work too.
    pub shared_folder: bool,
}

/// The notes for one turn; empty without a platform, or when nothing applies.
pub fn turn_notes(task: &TaskDocument, options: &TurnOptions) -> String {
    let Some(cli) = options.platform.commands() else {
        return String::new();
    };
    let scene = Scene { task, kind: TaskKind::of(task), cli: Some(cli), skills: &[], os: options.os };
    let mut notes = Vec::new();
    let is_lost = options.session == Session::Lost
        || (task.prior_session_resume_unavailable && options.session != Session::Resumed);
    if is_lost {
        notes.push(format!("## Session\n\n{LOST} {}", after_the_loss(scene.kind)));
    }
    notes.extend(people::initiator(&scene));
    notes.extend(surroundings::connected_apps(task));
    notes.extend(surroundings::sibling_runs(task));
    if options.shared_folder {
        notes.push(surroundings::SHARED_FOLDER.to_owned());
    }
    if scene.kind == TaskKind::Chat {
        notes.push(surroundings::audience(&cli, task));
    }
    if scene.kind == TaskKind::Issue {
        let about = match task.trigger() {
            TriggerSource::Comment => [
                comments::reading_hint(&cli, task, options.session),
                comments::reply_instructions(&cli, task, options.os),
                comments::no_action(&cli, task),
            ],
            TriggerSource::Assignment => {
                [None, comments::result_instructions(&cli, task, options.os), comments::no_action(&cli, task)]
            }
        };
        let about: Vec<_> = about.into_iter().flatten().collect();
        if !about.is_empty() {
            notes.push(format!("## This Turn\n\n{}", about.join("\n\n")));
        }
    }
    notes.join("\n\n")
}

/// The notice of continuity, in every kind of task.
const LOST: &str = "Your earlier session could not be continued.";

/// What is really lost depends on where the conversation is kept.
fn after_the_loss(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Issue => {
            "Only your own working memory is gone: the issue's comments are \
             the record of what was said and done. Read back what you need, and do not announce the loss."
        }
        TaskKind::Chat => {
            "Read the history of this chat back before you answer. Only if \
             nothing of it can be read, tell the user that you no longer see the earlier conversation."
        }
        TaskKind::QuickCreate | TaskKind::AutopilotRun | TaskKind::Plain => {
            "What is in the work dir shows how far you came."
        }
    }
}
