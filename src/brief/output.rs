//! How a result reaches its reader, by kind.

use super::issue;
use super::scene::Scene;
use crate::task::TaskKind;

pub(super) fn output(scene: &Scene) -> Option<String> {
    let mut parts = vec!["## Output".to_owned()];
    parts.extend(match (scene.kind, scene.cli) {
        (TaskKind::Issue, Some(cli)) => for_issue(scene, &cli),
        (TaskKind::QuickCreate, Some(_)) => vec![
            "Your output is captured. End it with one line, `Created <identifier>: <title>`: the `identifier` of the \
             JSON answer, or its `id` where there is none; never a prefix that you assume. If the call failed, the CLI's \
             error and nothing else."
                .to_owned(),
        ],
        (TaskKind::AutopilotRun, _) => vec![
            "Your final output is captured as the result of the run: text only. Be concise: the outcome, not the way \
             there."
                .to_owned(),
        ],
        (TaskKind::Chat, _) => vec!["Your reply goes straight to the chat window. Be concise.".to_owned()],
        (TaskKind::Issue | TaskKind::QuickCreate | TaskKind::Plain, _) => {
            vec!["Your final message is the result. Be concise: the outcome, not the way there.".to_owned()]
        }
    });
    parts.push(files(scene));
    Some(parts.join("\n\n"))
}

fn for_issue(scene: &Scene, cli: &super::platform::Commands) -> Vec<String> {
    let mut parts = vec![
        "The result **must** be delivered as a comment. No one sees what you write to the terminal or \
         in your final message. Be concise: the outcome, not the way there. Refer to issues by `[<identifier>](mention://issue/<id>)`."
            .to_owned(),
    ];
    if scene.task.is_leader() {
        parts.push(issue::no_action(cli));
    }
    parts
}

/// A path on this machine does not deliver a file: readers cannot open it.
fn files(scene: &Scene) -> String {
    let Some(cli) = scene.cli else {
        return "Name a file by its path inside the work dir and a place in the code as inline code, such as \
                `src/main.rs:12`. A link or an image with an absolute or `file://` path shows the reader nothing."
            .to_owned();
    };
    let how = match scene.kind {
        TaskKind::Issue => "Deliver a file with `--attachment <path>` on the comment.".to_owned(),
        TaskKind::QuickCreate => "Deliver a file with `--attachment <path>` on the create call.".to_owned(),
        TaskKind::AutopilotRun => {
            "There is no way to deliver a file: put what matters into the text.".to_owned()
        }
        TaskKind::Chat if scene.task.chat_channel_type.trim().is_empty() => format!(
            "Deliver a file by uploading it: `{}`. It is bound to your reply by itself; more: `{}`.",
            cli.attachment_upload(),
            cli.attachment_help()
        ),
        TaskKind::Chat => format!(
            "Whether a file reaches this channel is said in the turn's message. If it does, upload it: `{}`.",
            cli.attachment_upload()
        ),
        TaskKind::Plain => "There is no way to deliver a file beyond the work dir itself.".to_owned(),
    };
    format!(
        "A path on this machine delivers nothing to the reader: no absolute or `file://` links or images. Write a place \
         in the code as inline code, such as `src/main.rs:12`. {how}"
    )
}
