//! A run, or another command at work, on another machine, where locks do not reach it.
//!
//! On some file systems a lock is known to the machine that took it only, and another machine finds it free while an agent
//! runs. There the record decides: it names the machine of the run, and the run touches the lock file as a sign of life. A
//! command that changes the environment writes its machine into the lock file until it ends.
//! That only ever keeps more: on a local file system, and where locks are shared, a free lock is free.
//!
//! It is a sign and no lock: two machines that begin within the same moments may both see none.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use super::record::{Meta, RunRecord};
use crate::layout::names;
use crate::sys::lock;
use crate::sys::machine::Machine;
use crate::sys::mounts::{Mount, Reach, mount_of};
use crate::sys::tree::Tree;

/// How long a run or a command on another machine counts as alive after its last sign of life.
const ALIVE: Duration = Duration::from_secs(600);

/// What is known of the run in an environment whose lock is free.
#[derive(Clone, Debug, Default)]
struct Traces<'a> {
    /// The record says that a run is starting or running.
    is_active: bool,
    run: Option<&'a RunRecord>,
    /// How long ago the lock file was touched; `None`: unknown, or in the future.
    silence: Option<Duration>,
}

/// Whether a run on another machine may be alive although the lock is free.
fn is_alive_elsewhere(reach: Reach, this: &Machine, traces: &Traces<'_>) -> bool {
    if reach != Reach::ThisMachine || !traces.is_active {
        return false;
    }
    let boot_id = traces.run.map_or("", |run| run.boot_id.as_str());
    if !this.boot_id.is_empty() && boot_id == this.boot_id {
        return false; // this very system: its locks are seen here
    }
    traces.silence.is_none_or(|silence| silence <= ALIVE)
}

/// The machine that is using an environment whose lock is free here, as far as can be told, as words for a message.
pub(crate) fn used_elsewhere(env: &Tree) -> Option<String> {
    let mount = mount_of(env).ok()?;
    if mount.reach != Reach::ThisMachine {
        return None; // known without reading anything
    }
    let this = Machine::this();
    let silence = env.silence(Path::new(names::LOCK));
    if let Some(host) = Sign::of_other(&lock::read_text(env, Path::new(names::LOCK)), &this, silence) {
        return Some(words("a command", &host, &mount));
    }
    let own = Meta::load(env).ok().flatten()?.own?;
    let traces = Traces { is_active: own.status.is_active(), run: own.run.as_ref(), silence };
    if !is_alive_elsewhere(mount.reach, &this, &traces) {
        return None;
    }
    Some(words("a run", &own.run.map(|run| run.host).unwrap_or_default(), &mount))
}

fn words(what: &str, host: &str, mount: &Mount) -> String {
    let host = match host {
        "" => "another machine".to_owned(),
        host => format!("the machine {}", host.escape_debug()),
    };
    format!(
        "{what} on {host} uses it, as far as can be told: locks on this file system ({mount}) reach one machine only"
    )
}

/// Whether another machine may be building an environment in a hidden folder.
pub(crate) fn may_be_built_elsewhere(staging: &Tree) -> bool {
    if !mount_of(staging).is_ok_and(|mount| mount.reach == Reach::ThisMachine) {
        return false;
    }
    let text = lock::read_text(staging, Path::new(names::LOCK));
    let is_ours = text.lines().nth(1).is_some_and(|boot_id| boot_id == Machine::this().boot_id);
    // Without a lock file it is being made this moment, or was left so.
    let silence = staging.silence(Path::new(names::LOCK)).or_else(|| staging.silence(Path::new("")));
    !is_ours && silence.is_none_or(|silence| silence <= ALIVE)
}

/// The text in a lock file by which a command at work can be seen on other machines: host name and boot id, a line each.
#[derive(Debug)]
pub(super) struct Sign;

impl Sign {
    /// Writes the sign, where locks reach this machine only. The error says who was faster.
    ///
    /// # Errors
    /// Why it cannot be written, or who else uses the environment.
    pub(super) fn leave(env: &Tree, file: &File) -> Result<Option<Sign>, String> {
        let Ok(mount) = mount_of(env) else { return Ok(None) };
        if mount.reach != Reach::ThisMachine {
            return Ok(None);
        }
        let Machine { host, boot_id, .. } = Machine::this();
        let text = format!("{host}\n{boot_id}\n");
        lock::write_text(file, &text).map_err(|error| error.to_string())?;
        let now = lock::read_text(env, Path::new(names::LOCK));
        match now == text {
            true => Ok(Some(Sign)),
            false => Err(words("a command", now.lines().next().unwrap_or_default(), &mount)),
        }
    }

    /// Removes it. Where that fails, other machines wait until it is old.
    pub(super) fn remove(self, file: &File) {
        if let Err(error) = lock::write_text(file, "") {
            log::debug!("the sign of life stays in the lock file: {error}");
        }
    }

    /// The host of another machine that has left a sign not long ago.
    fn of_other(text: &str, this: &Machine, silence: Option<Duration>) -> Option<String> {
        let (host, boot_id) = text.trim_end().split_once('\n')?;
        let is_other = boot_id.is_empty() || boot_id != this.boot_id;
        (is_other && silence.is_none_or(|silence| silence <= ALIVE)).then(|| host.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_recent_run_of_another_machine_that_does_not_see_our_locks_counts() {
        let this = Machine { host: "h1".into(), boot_id: "b1".into(), pid_namespace: 1 };
        let run = |boot_id: &str| RunRecord { boot_id: boot_id.into(), ..RunRecord::default() };
        let (ours, others, older_version) = (run("b1"), run("b2"), run(""));
        let minutes = |n: u64| Some(Duration::from_secs(60 * n));
        use Reach::{Local, Shared, ThisMachine};
        for (reach, run, is_active, silence, expected) in [
            (Local, &others, true, minutes(0), false),
            (Shared, &others, true, minutes(0), false),
            (ThisMachine, &ours, true, minutes(0), false),
            (ThisMachine, &others, true, minutes(0), true),
            (ThisMachine, &others, true, minutes(10), true),
            (ThisMachine, &others, true, minutes(11), false),
            (ThisMachine, &others, true, None, true),
            (ThisMachine, &others, false, minutes(0), false),
            (ThisMachine, &older_version, true, minutes(0), true),
            (ThisMachine, &older_version, true, minutes(11), false),
        ] {
            let traces = Traces { is_active, run: Some(run), silence };
            let is_alive = is_alive_elsewhere(reach, &this, &traces);
            assert_eq!(is_alive, expected, "{reach:?} {} {is_active} {silence:?}", run.boot_id);
        }
        let unknown = Machine::default();
        let traces = Traces { is_active: true, run: Some(&older_version), silence: minutes(1) };
        assert!(is_alive_elsewhere(ThisMachine, &unknown, &traces));
    }
}
