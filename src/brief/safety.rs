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
- CI that starts after a push is not yours: do not watch or poll it, and do not take a merge gate for the acceptance \
criterion. Only if the task itself asks for the CI outcome, wait for it in one blocking foreground call.
- A service that the user asked to keep running may outlive you, once it is detached, writes a log, has passed a \
readiness check, and you have reported its address, its log and the command that stops it.";

pub(super) fn background_tasks(_: &Scene) -> Option<String> {
    Some(BACKGROUND.to_owned())
}
