//! Background work: what every agent must know before it starts any.

use super::scene::Scene;

const BACKGROUND: &str = "\
## Background Task Safety

The run is over the moment your turn ends. Nothing wakes you afterwards: a background task, subagent or detached call \
that is still going is orphaned, and its result is lost.

- Never end your turn with work of your own still running, nor \"standing by\" for it. A notice that you will be \
notified later does not hold here.
- Use a background mode only where you can wait for the result in this turn, and block on that wait. Where you could \
not see the result, run the work in the foreground.
- Before your final message, and before ending silently, account for everything you started: collected, or ended by you.
- CI that starts after a push is not yours. Do not watch or poll it: no `gh run watch`, no `gh pr checks --watch`, no \
loop with `sleep`. A merge gate is not the acceptance criterion. Report \"local tests pass; CI running: <link>\" and end. \
Only if the task itself asks for the CI outcome, wait for it once, in the foreground, with `gh pr checks --watch`.
- A service may outlive you only if the service itself is what was asked for. Detach it, give it a log, check that it \
is ready, and report its address, its log, its process id and the command that stops it. That it survives is likely, \
not certain: say so.";

pub(super) fn background_tasks(_: &Scene) -> Option<String> {
    Some(BACKGROUND.to_owned())
}
