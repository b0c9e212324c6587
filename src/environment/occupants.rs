//! Processes that work in an environment without holding its lock: a shell, an editor, an agent that another program has
//! started there. Linux tells the current folder of every process of the same user; what works in a container under another
//! path is not seen.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::supervise::{self, AtWork};
use crate::sys::silent;

/// How long a look at all processes counts: a cycle asks about many environments, one after the other.
const FRESH: Duration = Duration::from_millis(200);

/// Tells who works in a folder.
#[derive(Debug, Default)]
pub struct Occupants {
    spared: Vec<i32>,
    looked: Mutex<Option<(Instant, Vec<AtWork>)>>,
}

impl Occupants {
    /// For a command that names the environment: the processes that led to it, such as the shell in which it was typed, do
    /// not count.
    pub fn but_ancestors() -> Occupants {
        Occupants { spared: supervise::ancestors(), looked: Mutex::default() }
    }

    /// Who works in `folder` or below it, for a person. `None`: no process that can be seen does.
    pub fn of(&self, folder: &Path) -> Option<String> {
        let real = silent::resolve(folder)?;
        let mut looked = self.looked.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if looked.as_ref().is_none_or(|(at, _)| at.elapsed() > FRESH) {
            *looked = Some((Instant::now(), supervise::at_work()));
        }
        let (_, all) = looked.as_ref()?;
        let is_there =
            |process: &&AtWork| process.folder.starts_with(&real) && !self.spared.contains(&process.pid);
        let mut there = all.iter().filter(is_there);
        let first = there.next()?.pid;
        let name = supervise::name_of(first);
        let name = if name.is_empty() { String::new() } else { format!(" ({})", name.escape_debug()) };
        Some(match there.count() {
            0 => format!("process {first}{name} works in it"),
            more => format!("process {first}{name} and {more} more work in it"),
        })
    }
}
