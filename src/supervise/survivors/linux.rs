//! Linux: orphans become children of this process (child subreaper), and `/proc` shows the rest.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process, pidfd_open, pidfd_send_signal, waitid,
};

use super::{AtWork, Marks, PATIENCE};
use crate::sys::silent::resolve;

/// From now on the orphans among the descendants become children of this process instead of init's.
pub(crate) fn adopt() {
    if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        log::debug!("child subreaper: {error}");
    }
}

/// The children of this process: those that a run may kill, and those that it must spare.
#[derive(Debug)]
pub(crate) struct ProcessTree {
    spared: HashSet<i32>,
    zombies: HashSet<i32>,
}

impl ProcessTree {
    /// To be made before the agent starts: the children of now have nothing to do with it.
    pub(crate) fn before(spared: &[Pid]) -> Self {
        let spared = spared.iter().map(|pid| pid.as_raw_nonzero().get()).chain(children()).collect();
        Self { spared, zombies: HashSet::new() }
    }

    /// Spares one more, which other code waits for.
    pub(crate) fn spare(&mut self, pid: Pid) {
        self.spared.insert(pid.as_raw_nonzero().get());
    }

    /// Reaps adopted children that ended. Only those that were dead at the last look already: a child that other code waits
    /// for is gone by then.
    pub(crate) fn reap_orphans(&mut self) {
        let dead: HashSet<i32> = children()
            .into_iter()
            .filter(|pid| !self.spared.contains(pid) && state(*pid) == Some(b'Z'))
            .collect();
        for pid in dead.intersection(&self.zombies).filter_map(|pid| Pid::from_raw(*pid)) {
            reap(pid);
        }
        self.zombies = dead;
    }

    /// Kills and reaps every process that the agent left, and returns how many there were. The children of a killed child
    /// become children of this process, so this repeats until there are none.
    pub(crate) fn kill_all(&mut self, run_id: &str) -> usize {
        let until = Instant::now() + PATIENCE;
        let mut killed = HashSet::new();
        loop {
            let left: Vec<i32> = children().into_iter().filter(|pid| !self.spared.contains(pid)).collect();
            for pid in left.iter().filter_map(|pid| Pid::from_raw(*pid)) {
                // A child keeps its number until it is reaped, which only happens below.
                if state(pid.as_raw_nonzero().get()) != Some(b'Z') {
                    killed.insert(pid.as_raw_nonzero().get());
                    let _ = kill_process(pid, Signal::KILL);
                }
                reap(pid);
            }
            let marked =
                if left.is_empty() { marked(Marks::of_run(run_id), &self.spared, &mut killed) } else { 0 };
            if (left.is_empty() && marked == 0) || Instant::now() > until {
                return killed.len();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Kills every process that carries the marks, until there are none.
pub(crate) fn kill_marked(marks: Marks<'_>) -> usize {
    let until = Instant::now() + PATIENCE;
    let mut killed = HashSet::new();
    while marked(marks, &HashSet::new(), &mut killed) > 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.len()
}

/// One round over all processes: kills the marked ones, and returns how many there were.
fn marked(marks: Marks<'_>, spared: &HashSet<i32>, killed: &mut HashSet<i32>) -> usize {
    let own = rustix::process::getpid();
    let mut found = 0;
    for pid in pids().filter_map(Pid::from_raw) {
        let raw = pid.as_raw_nonzero().get();
        if pid == own || spared.contains(&raw) || !carries(raw, marks) {
            continue;
        }
        // The handle is taken first and the mark looked at again, so that the signal cannot hit a later owner of the
        // number. A kernel without handles leaves that risk.
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) if carries(raw, marks) => {
                let _ = pidfd_send_signal(&handle, Signal::KILL);
            }
            Ok(_) => continue,
            Err(rustix::io::Errno::NOSYS) => drop(kill_process(pid, Signal::KILL)),
            Err(_) => continue,
        }
        killed.insert(raw);
        found += 1;
    }
    found
}

/// The other processes whose current folder is one of these or lies below it, with their programs' names.
pub(crate) fn working_in(folders: &[&Path]) -> Vec<(i32, String)> {
    let real: Vec<_> = folders.iter().filter_map(|folder| resolve(folder)).collect();
    let is_there = |process: &AtWork| real.iter().any(|folder| process.folder.starts_with(folder));
    at_work().into_iter().filter(is_there).map(|process| (process.pid, name_of(process.pid))).collect()
}

/// The other processes that can be looked at, with their current folders. A zombie has none.
pub(crate) fn at_work() -> Vec<AtWork> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let others = pids.filter(|pid| *pid != own);
    let folder = |pid: i32| fs::read_link(format!("/proc/{pid}/cwd")).ok();
    others.filter_map(|pid| Some(AtWork { pid, folder: folder(pid)? })).collect()
}

/// The name of a process's program.
pub(crate) fn name_of(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

/// The parent of this process, its parent, and so on.
pub(crate) fn ancestors() -> Vec<i32> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    std::iter::successors(Some(own), |pid| Some(stat(*pid)?.parent).filter(|parent| *parent > 0))
        .skip(1)
        .collect()
}

fn carries(pid: i32, marks: Marks<'_>) -> bool {
    read(pid, "environ", 8 << 10).is_ok_and(|environ| marks.are_in(&environ))
}

/// The children of this process.
fn children() -> Vec<i32> {
    children_of(rustix::process::getpid().as_raw_nonzero().get())
}

/// The children of every thread of a process.
fn children_of(pid: i32) -> Vec<i32> {
    let mut found = Vec::new();
    let mut readable = false;
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        if let Ok(list) = fs::read_to_string(task.path().join("children")) {
            readable = true;
            found.extend(list.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
    }
    if !readable {
        // A kernel without CONFIG_PROC_CHILDREN.
        found = all().filter(|(_, stat)| stat.parent == pid).map(|(child, _)| child).collect();
    }
    found
}

fn reap(pid: Pid) {
    let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
}

struct Stat {
    state: u8,
    parent: i32,
    group: i32,
    start: u64,
}

/// `/proc/PID/stat`. The program's name may hold anything, so the fields are counted from its last bracket.
fn stat(pid: i32) -> Option<Stat> {
    let text = read(pid, "stat", 1 << 10).ok()?;
    let rest = &text[memchr::memrchr(b')', &text)? + 1..];
    let fields: Vec<&str> = std::str::from_utf8(rest).ok()?.split_ascii_whitespace().collect();
    Some(Stat {
        state: *fields.first()?.as_bytes().first()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
    })
}

/// A file of a process. Such a file has no length to go by: in a buffer with too little room it is read piece by piece, and
/// these are read of every process there is.
fn read(pid: i32, name: &str, room: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(room);
    File::open(format!("/proc/{pid}/{name}"))?.take(u64::MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn all() -> impl Iterator<Item = (i32, Stat)> {
    pids().filter_map(|pid| Some((pid, stat(pid)?)))
}

/// Every process there is.
fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn state(pid: i32) -> Option<u8> {
    stat(pid).map(|stat| stat.state)
}

/// Whether a group has a live member. `kill(-pgid, 0)` succeeds for a zombie as well, and the leader is one until the
/// end.
pub(crate) fn group_alive(group: Pid) -> bool {
    let group = group.as_raw_nonzero().get();
    all().any(|(_, stat)| stat.group == group && !matches!(stat.state, b'Z' | b'X'))
}

/// Whether a process was stopped by a signal.
pub(crate) fn is_stopped(pid: Pid) -> bool {
    state(pid.as_raw_nonzero().get()) == Some(b'T')
}

/// Whether a child that is not reaped has ended.
pub(crate) fn has_ended(pid: Pid) -> bool {
    state(pid.as_raw_nonzero().get()).is_none_or(|state| matches!(state, b'Z' | b'X'))
}

/// When a process started, in clock ticks since boot.
pub(crate) fn start_time(pid: Pid) -> Option<u64> {
    stat(pid.as_raw_nonzero().get()).map(|stat| stat.start)
}
