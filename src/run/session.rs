//! The session that a run resumes.

use anyhow::Result;

use super::options::Resume;
use super::record::RunningEnv;
use crate::failure::{Code, Failure};

/// Chooses the session: the last one only where the same provider held it in this very folder, because agent CLIs file
/// their sessions by the folder. What speaks against it is a notice, not an error.
///
/// # Errors
/// 2 for a program that is no agent: it has no sessions.
pub(super) fn choose(
    asked: Option<&Resume>,
    env: &RunningEnv,
    is_command: bool,
    notices: &mut Vec<String>,
) -> Result<Option<String>> {
    let Some(asked) = asked else { return Ok(None) };
    if is_command {
        return Err(Failure::new(Code::Usage, "a program has no session to resume")
            .hint("leave `--resume` out")
            .into());
    }
    let own = env.own();
    let Some(session) = own.session else {
        if let Resume::Named(id) = asked {
            return Ok(Some(id.clone()));
        }
        if *asked == Resume::LastIfBegun && own.run.is_none() {
            return Ok(None);
        }
        notices.push("there is no session to resume; the agent starts a new one".into());
        return Ok(None);
    };
    let obstacle = match (asked, &session.poisoned) {
        (Resume::Named(id), Some(why)) if *id == session.id => {
            notices.push(format!("session {id} cannot be resumed ({why}); trying it because it was named"));
            return Ok(Some(id.clone()));
        }
        (Resume::Named(id), _) => return Ok(Some(id.clone())),
        (_, Some(why)) => format!("cannot be resumed ({why})"),
        (_, None) if session.provider != own.provider => "belongs to another provider".into(),
        (_, None) if session.work_dir != env.found.agent_dir() => "was held in another folder".into(),
        (_, None) => return Ok(Some(session.id)),
    };
    notices.push(format!("the last session {obstacle}; the agent starts a new one"));
    Ok(None)
}
