//! One case of a crash test: a start state that is made once, a command, and the points at which it is disturbed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use libtest_mimic::Trial;

use crate::support::{Done, Run, TestEnv};

/// What happens to the chosen change of a command.
#[derive(Clone, Copy, PartialEq)]
pub enum Fault {
    /// SIGKILL just before it.
    Kill,
    /// It fails with this error.
    Errno(&'static str),
}

impl Fault {
    pub fn name(self) -> &'static str {
        match self {
            Fault::Kill => "killed",
            Fault::Errno(name) => name,
        }
    }

    /// What it is called in the name of a test.
    pub fn story(self) -> &'static str {
        match self {
            Fault::Kill => "killed",
            Fault::Errno("ENOSPC") => "full_disk",
            Fault::Errno("EIO") => "broken_disk",
            Fault::Errno(name) => name,
        }
    }

    fn at(self, run: Run<'_>, point: u32) -> Run<'_> {
        match self {
            Fault::Kill => run.var("EXECENV_TEST_CRASH_AT", point.to_string()),
            Fault::Errno(name) => run.var("EXECENV_TEST_FAIL_AT", format!("{point}:{name}")),
        }
    }
}

/// What most cases go through.
pub const FAULTS: [Fault; 3] = [Fault::Kill, Fault::Errno("ENOSPC"), Fault::Errno("EIO")];

/// A test for each case and each of [`FAULTS`].
pub fn with_each_fault<C: Sync>(
    cases: &'static [C],
    name: impl Fn(&C) -> &str,
    disturb: fn(&str, &C, Fault),
) -> Vec<Trial> {
    let all = cases.iter().flat_map(|case| FAULTS.map(|fault| (case, fault)));
    all.map(|(case, fault)| {
        let name = format!("{}::{}", name(case).replace(' ', "_"), fault.story());
        trial(name, move |name| disturb(name, case, fault))
    })
    .collect()
}

/// The same where a kill is followed by the command itself, or by `doctor --fix`: the last argument of `disturb` says by which.
pub fn with_and_without_doctor<C: Sync>(
    cases: &'static [C],
    name: impl Fn(&C) -> &str,
    disturb: fn(&str, &C, Fault, bool),
) -> Vec<Trial> {
    let faults = [
        ("killed", Fault::Kill, false),
        ("killed_then_doctor", Fault::Kill, true),
        ("full_disk", Fault::Errno("ENOSPC"), false),
        ("broken_disk", Fault::Errno("EIO"), true),
    ];
    let all = cases.iter().flat_map(|case| faults.map(|(story, fault, doctor)| (case, story, fault, doctor)));
    all.map(|(case, story, fault, doctor)| {
        let name = format!("{}::{story}", name(case).replace(' ', "_"));
        trial(name, move |name| disturb(name, case, fault, doctor))
    })
    .collect()
}

/// The start state of a case, put back in place for each point: records hold absolute paths.
pub struct Start<'a> {
    t: &'a TestEnv,
    copy: tempfile::TempDir,
}

impl<'a> Start<'a> {
    pub fn new(t: &'a TestEnv) -> Start<'a> {
        let copy = tempfile::Builder::new().prefix("execenv-start-").tempdir().unwrap();
        copy_all(&t.tmp, copy.path());
        Start { t, copy }
    }

    /// The folders at the top stay the same folders, as a record knows the user's one by its inode.
    pub fn put_back(&self) {
        for path in entries(&self.t.tmp) {
            let is_folder = path.symlink_metadata().unwrap().is_dir();
            if is_folder && self.copy.path().join(path.file_name().unwrap()).exists() {
                entries(&path).for_each(remove);
            } else {
                remove(path);
            }
        }
        copy_all(self.copy.path(), &self.t.tmp);
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())
}

fn remove(path: PathBuf) {
    let is_folder = path.symlink_metadata().unwrap().is_dir();
    if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
}

fn copy_all(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap();
    assert!(status.success(), "copy {} to {}", from.display(), to.display());
}

/// Visits the points of a case: for each, the start state is put back, `command` is disturbed, and `check` looks at what
/// it left.
///
/// The number of points is exact, but for a few that depend on the clock: the last ones are reached or not there, and beyond them the command goes
/// through.
pub fn sweep<'a>(
    name: &str,
    fault: Fault,
    start: &Start<'_>,
    command: impl Fn() -> Run<'a>,
    check: impl Fn(&Done, &str),
) {
    sweep_to(name, fault, start, 0, command, check);
}

/// How often a point is tried until a run gets there.
const TRIES: u32 = 3;
/// How many changes a run makes at most beside those that were counted, or less than these.
const MARGIN: u32 = 4;

/// The same for a command that ends with `status` when nothing disturbs it.
pub fn sweep_to<'a>(
    name: &str,
    fault: Fault,
    start: &Start<'_>,
    status: i32,
    command: impl Fn() -> Run<'a>,
    check: impl Fn(&Done, &str),
) {
    let count = count(start, status, command());
    assert!(count > 0, "{name} makes no change: the hook is gone");
    let points = sample(count, name);
    VISITED.fetch_add(points.len() as u32, Ordering::Relaxed);
    POINTS.fetch_add(count, Ordering::Relaxed);
    for point in points {
        let mut done = None;
        // How often git is asked about a file depends on the clock: a run may make some changes less, or more, than the one that was
        // counted.
        for _ in 0..TRIES {
            start.put_back();
            let tried = done.insert(fault.at(command(), point).run());
            if fault != Fault::Kill || tried.was_killed() {
                break;
            }
        }
        let done = done.expect("it was tried");
        let when = format!("{name}, {} at change {point} of {count}", fault.name());
        if fault == Fault::Kill && !done.was_killed() {
            // One of the last ones, which only the run has that was counted: this one went through.
            let is_one_of_the_last = point + MARGIN > count;
            let went_through = done.status == Some(status) && done.signal.is_none();
            assert!(is_one_of_the_last && went_through, "{when}: the point was not reached\n{done}");
            continue;
        }
        check(&done, &when);
    }
    start.put_back();
    let beyond = fault.at(command(), count + MARGIN).run();
    assert_eq!(beyond.status, Some(status), "{name} makes many more than {count} changes\n{beyond}");
}

/// Visits the points of a case as [`sweep`] does; at each the command is stopped, `meanwhile` changes the world, and the
/// command goes on. A folder that the command opens by its path is a point, too.
pub fn interleave<'a>(
    name: &str,
    start: &Start<'_>,
    command: impl Fn() -> Run<'a>,
    meanwhile: impl Fn(),
    check: impl Fn(&Done, &str),
) {
    let command = || command().var("EXECENV_TEST_OPENS", "1");
    let count = count(start, 0, command());
    let points = sample(count, name);
    VISITED.fetch_add(points.len() as u32, Ordering::Relaxed);
    POINTS.fetch_add(count, Ordering::Relaxed);
    for point in points {
        start.put_back();
        let stopped = command().var("EXECENV_TEST_STOP_AT", point.to_string());
        let (done, was_stopped) = stopped.run_with(|_| meanwhile());
        let when = format!("{name}, at step {point} of {count}");
        assert!(was_stopped, "{when}: the point was not reached\n{done}");
        check(&done, &when);
    }
    start.put_back();
}

/// The changes to the disk that the command makes when nothing disturbs it; those of its children are theirs.
fn count(start: &Start<'_>, status: i32, command: Run<'_>) -> u32 {
    let file = start.copy.path().with_extension("count");
    let done = command.var("EXECENV_TEST_COUNT", &file).run();
    assert_eq!(done.status, Some(status), "{done}");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let _ = fs::remove_file(file);
    text.lines().filter(|line| *line == done.pid.to_string()).count() as u32
}

static VISITED: AtomicU32 = AtomicU32::new(0);
static POINTS: AtomicU32 = AtomicU32::new(0);

/// How many points of a case are visited.
fn depth() -> u32 {
    match std::env::var("EXECENV_SOAK").as_deref() {
        Ok("full") => u32::MAX,
        Ok(number) => number.parse().expect("EXECENV_SOAK is a number of points, or `full`"),
        Err(_) => 3,
    }
}

/// Whether everything is to be visited.
pub fn is_full() -> bool {
    depth() == u32::MAX
}

/// Points at equal distances; where the first one lies depends on the name, so that the cases together visit all of
/// what they share. The last point is always one of them.
fn sample(count: u32, name: &str) -> Vec<u32> {
    let wanted = depth().min(count);
    let distance = f64::from(count) / f64::from(wanted);
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let offset = f64::from(hash % 1024) / 1024.0 * distance;
    let mut points: Vec<u32> = (0..wanted).map(|n| (offset + f64::from(n) * distance) as u32 + 1).collect();
    *points.last_mut().unwrap() = count;
    points
}

/// Prints how much was visited.
pub fn report() {
    let (visited, points) = (VISITED.load(Ordering::Relaxed), POINTS.load(Ordering::Relaxed));
    println!("visited {visited} of {points} points; EXECENV_SOAK=full visits all of them");
}

/// A test with a name.
pub fn trial(name: String, run: impl FnOnce(&str) + Send + 'static) -> Trial {
    let text = name.clone();
    Trial::test(name, move || {
        run(&text);
        Ok(())
    })
}
