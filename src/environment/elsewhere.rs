//! A run on another machine, where locks do not reach it.
//!
//! On some file systems a lock is known to the machine that took it only, and another machine finds it free while an agent
//! runs. There the record decides: it names the machine of the run, and the run touches the lock file as a sign of life.
//! That only ever keeps more: on a local file system, and where locks are shared, a free lock is free.

use std::path::Path;
use std::time::Duration;

use super::record::{Meta, RunRecord};
use crate::layout::names;
use crate::sys::machine::Machine;
use crate::sys::mounts::{Reach, mount_of};
use crate::sys::tree::Tree;

/// How long a run on another machine counts as alive after its last sign of life.
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

/// The run on another machine that may be using an environment whose lock is free here, as words for a message.
pub(crate) fn run_elsewhere(env: &Tree) -> Option<String> {
    let mount = mount_of(env).ok()?;
    if mount.reach != Reach::ThisMachine {
        return None; // known without reading the record
    }
    let own = Meta::load(env).ok().flatten()?.own?;
    let silence = env.silence(Path::new(names::LOCK));
    let traces = Traces { is_active: own.status.is_active(), run: own.run.as_ref(), silence };
    if !is_alive_elsewhere(mount.reach, &Machine::this(), &traces) {
        return None;
    }
    let host = own.run.map(|run| run.host).filter(|host| !host.is_empty());
    let host =
        host.map_or_else(|| "another machine".into(), |host| format!("the machine {}", host.escape_debug()));
    Some(format!(
        "a run on {host} uses it, as far as can be told: locks on this file system ({mount}) reach one machine only"
    ))
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
