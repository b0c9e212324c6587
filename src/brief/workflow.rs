//! How a task of each kind is worked on.

use super::sanitize::display_name;
use super::scene::Scene;
use super::{autopilot, issue};
use crate::task::TaskKind;

pub(super) fn workflow(scene: &Scene) -> Option<String> {
    match scene.kind {
        TaskKind::Chat => Some(chat(scene)),
        TaskKind::QuickCreate => quick_create(scene),
        TaskKind::AutopilotRun => {
            Some(format!("## Workflow\n\n{}", autopilot::assignment(scene.task, scene.cli)))
        }
        TaskKind::Issue => issue::workflow(scene),
        TaskKind::Plain => None,
    }
}

fn chat(scene: &Scene) -> String {
    let mut text =
        "## Workflow\n\nThis is a chat. Be conversational and concise, and answer what was asked.".to_owned();
    if let Some(cli) = scene.cli {
        text.push_str(&format!(
            " You have the whole CLI: questions about issues are answered by `{}` and `{}`, questions about the \
             workspace by `{}`. For code, check the repository out.",
            cli.issue_list(),
            cli.issue_get("<issue-id>"),
            cli.workspace_get()
        ));
        let channel = display_name(&scene.task.chat_channel_type);
        if !channel.is_empty() {
            text.push_str(&format!(
                "\n\nThe chat takes place in {channel}. What was said before is there, not in the platform: `{}`, and of \
                 one thread `{}`. Your final reply is posted there as one message: write the answer, and do not narrate \
                 what you do on the way.",
                cli.chat("history"),
                cli.chat("thread"),
            ));
        }
    }
    text.push_str("\n\nA name with a slash at the start of the message (`/<skill>`) is a skill that the user picked: use it.");
    text
}

fn quick_create(scene: &Scene) -> Option<String> {
    let cli = scene.cli?;
    Some(format!(
        "## Workflow\n\n\
         There is no issue yet: you turn one sentence into one. The user message has the rules; these hold even without \
         it:\n\n\
         - Call `{0} issue create` exactly once, then end. Do not fetch, comment on or change the status of anything.\n\
         - If the call fails, give the CLI's error as your whole output. Do not try again: the first call may have \
         succeeded.\n\
         - The platform tells the user. Write them no message.",
        cli.program
    ))
}
