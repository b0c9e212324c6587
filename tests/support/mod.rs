//! What every test of the built binary stands on: an own home, root and clock, and output that is always checked.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses another part")]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests make and change their own fixtures"
)]

pub mod escaping;
pub mod fake_claude;
pub mod git_http;
pub mod guide;
pub mod homes;
pub mod process;
pub mod repository;
pub mod schema;
pub mod server;
pub(crate) mod signals;
pub mod spoken;
pub mod terminal;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The clock of every command unless a test sets another.
pub const NOW: &str = "2026-06-01T12:00:00Z";
/// A task id whose key is [`KEY`].
pub const TASK: &str = "11111111-2222-4333-8444-555555abcdef";
/// The last twelve digits of [`TASK`].
pub const KEY: &str = "555555abcdef";

/// A folder, entry by entry: kind, permission bits, bytes or link text.
pub type Snapshot = BTreeMap<PathBuf, String>;

/// One test's world; gone with it.
pub struct TestEnv {
    /// Holds everything below.
    pub tmp: PathBuf,
    /// The user's home.
    pub home: PathBuf,
    /// The workspaces root.
    pub root: PathBuf,
    /// The user's project; empty at first.
    pub project: PathBuf,
    _guard: tempfile::TempDir,
}

impl TestEnv {
    pub fn new() -> TestEnv {
        signals::heed();
        let guard = tempfile::Builder::new().prefix("execenv-test-").tempdir().unwrap();
        let tmp = guard.path().canonicalize().unwrap();
        let at = |name: &str| tmp.join(name);
        let env = TestEnv { home: at("home"), root: at("root"), project: at("project"), tmp, _guard: guard };
        std::fs::create_dir(&env.home).unwrap();
        std::fs::create_dir(&env.project).unwrap();
        env
    }

    /// A command with nothing of the developer's in its environment.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(&self.tmp).stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", &self.home);
        command.env("EXECENV_WORKSPACES_ROOT", &self.root).env("EXECENV_TEST_NOW", NOW);
        // Not in the home, which most tests compare.
        command.env("EXECENV_KEY_FILE", self.tmp.join("key"));
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    /// The built binary, not yet started.
    pub fn execenv<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Run<'_> {
        let mut command = self.command(env!("CARGO_BIN_EXE_execenv"));
        command.args(arguments);
        Run { env: self, command, input: None }
    }

    /// A shell script in which `execenv` is the built binary.
    pub fn sh(&self, script: &str) -> Run<'_> {
        let mut command = self.command("sh");
        let bin = Path::new(env!("CARGO_BIN_EXE_execenv")).parent().unwrap().to_owned();
        let path = std::env::join_paths(
            std::iter::once(bin).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        command.env("PATH", path.unwrap()).args(["-euc", script]);
        Run { env: self, command, input: None }
    }

    /// Runs the program with its answer going to a pipe without a reader (`pipe`), or to a file such as `/dev/full`.
    pub fn unprinted(&self, words: &str, stdout: &str) -> Done {
        let script = match stdout {
            "pipe" => format!("rm -f pipe; mkfifo pipe; exec 3<>pipe 4>pipe 3>&-; execenv {words} >&4"),
            file => format!("execenv {words} >{file}"),
        };
        self.sh(&script).run()
    }

    /// Runs `prepare` and returns the env root.
    pub fn prepare<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> PathBuf {
        let done = self.execenv(std::iter::once("prepare").chain(arguments)).run();
        let is_silent = done.stderr.is_empty() || done.is_only_noting_a_replacement();
        let holds = done.status == Some(0) && is_silent;
        let done = done.check(holds, "status 0 and at most a note on what was replaced");
        PathBuf::from(done.stdout.trim_end_matches('\n'))
    }

    /// Writes a file of the world, folders above it included.
    pub fn write(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.tmp.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Makes a link in the world, folders above it included.
    pub fn link(&self, path: &str, target: impl AsRef<Path>) {
        let path = self.tmp.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// Makes the project the root of a repository: Cursor looks for one upwards, also above the folder for temporary files.
    pub fn make_project_a_repository(&self) {
        self.write("project/.git", "gitdir: /elsewhere");
    }

    /// The project as it is now.
    pub fn project_now(&self) -> Snapshot {
        snapshot(&self.project)
    }

    /// Every path below the root, relative and sorted, the locks and marks left out.
    pub fn root_listing(&self) -> Vec<String> {
        let keys = snapshot(&self.root).into_keys().map(|path| path.display().to_string());
        let is_mark = |path: &String| path == ".execenv-root" || path.starts_with(".multica");
        keys.filter(|path| !path.starts_with(".locks") && !is_mark(path)).collect()
    }

    /// Nothing half-made may be found anywhere.
    pub fn assert_nothing_half_made(&self, when: &str) {
        self.assert_nothing_half_made_but("", when);
    }

    /// The same where a file of the user's is called `known`.
    pub fn assert_nothing_half_made_but(&self, known: &str, when: &str) {
        for path in snapshot(&self.tmp).into_keys() {
            for part in path.components().map(|part| part.as_os_str().to_string_lossy()) {
                let half_made = part.starts_with(".staging-")
                    || part.starts_with(".execenv-") && part != ".execenv-root"
                    || part.starts_with(".execenv.")
                    || part.ends_with(".removing");
                assert!(!half_made || part == known, "{when}: {} is left", path.display());
            }
        }
    }

    /// Text with this world's paths made the same in every run.
    pub fn masked(&self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text).into_owned();
        [("[ROOT]", &self.root), ("[HOME]", &self.home), ("[PROJECT]", &self.project), ("[TMP]", &self.tmp)]
            .iter()
            .fold(text, |text, (name, path)| text.replace(path.to_str().unwrap(), name))
    }
}

/// A command that is about to run.
pub struct Run<'a> {
    env: &'a TestEnv,
    command: Command,
    input: Option<Vec<u8>>,
}

impl<'a> Run<'a> {
    pub fn var(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub fn cwd(mut self, path: impl AsRef<Path>) -> Self {
        self.command.current_dir(path);
        self
    }

    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Starts it without waiting.
    pub fn start(mut self) -> std::process::Child {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub fn run(self) -> Done {
        self.run_with_child(|_| ())
    }

    /// Runs it; when it has stopped itself, does `meanwhile` and lets it go on. Returns whether it had stopped.
    pub fn run_with(self, meanwhile: impl Fn(rustix::process::Pid)) -> (Done, bool) {
        use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
        let mut was_stopped = false;
        let done = self.run_with_child(|child| {
            let pid = Pid::from_child(child);
            // A guard may have continued it already.
            let stopped = WaitIdOptions::STOPPED | WaitIdOptions::CONTINUED;
            let options = stopped | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            let status = waitid(WaitId::Pid(pid), options).unwrap().unwrap();
            was_stopped = status.stopped() || status.continued();
            if was_stopped {
                meanwhile(pid);
                kill_process(pid, Signal::CONT).unwrap();
            }
        });
        (done, was_stopped)
    }

    /// Runs it, and does `with` meanwhile.
    pub fn run_with_child(mut self, with: impl FnOnce(&std::process::Child)) -> Done {
        let shown = format!("{:?}", self.command);
        let called = schema::Called::of(&self.command, &self.env.root);
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if self.input.is_some() {
            self.command.stdin(Stdio::piped());
        }
        let mut child = self.command.spawn().unwrap();
        let pid = child.id();
        if let Some(bytes) = self.input {
            use std::io::Write;
            // A program that stops reading early is free to do so.
            let _ = child.stdin.take().unwrap().write_all(&bytes);
        }
        with(&child);
        let output = child.wait_with_output().unwrap();
        let checked = called.map_or(Ok(()), |called| called.check(&output, &self.env.root));
        use std::os::unix::process::ExitStatusExt;
        let done = Done {
            shown: self.env.masked(shown.as_bytes()),
            status: output.status.code(),
            signal: output.status.signal(),
            pid,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            shown_stdout: self.env.masked(&output.stdout),
            stderr: self.env.masked(&output.stderr),
            bytes: output.stdout,
        };
        if let Err(error) = checked {
            panic!("{error}\n{done}");
        }
        done
    }

    /// It succeeds and has nothing to say to a person.
    #[track_caller]
    pub fn ok(self) -> Done {
        let done = self.run();
        let holds = done.status == Some(0) && done.stderr.is_empty();
        done.check(holds, "status 0 and a silent stderr")
    }

    /// It succeeds, and stderr is exactly this.
    #[track_caller]
    pub fn ok_saying(self, stderr: &str) -> Done {
        let done = self.run();
        let holds = done.status == Some(0) && done.stderr == stderr;
        done.check(holds, &format!("status 0 and stderr {stderr:?}"))
    }

    /// It succeeds and answers in JSON; stderr is silent.
    #[track_caller]
    pub fn json(self) -> Value {
        let done = self.ok();
        serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"))
    }

    /// It fails with this status and one error whose text holds all of `parts`; stdout is empty.
    #[track_caller]
    pub fn fails(self, status: i32, parts: &[&str]) -> Done {
        let done = self.run();
        let one_error = done.stderr.lines().filter(|line| line.starts_with("error: ")).count() == 1;
        let has_all = parts.iter().all(|part| done.stderr.contains(part));
        let expected = format!("status {status}, no stdout, one error with {parts:?}");
        let holds = done.status == Some(status) && done.stdout.is_empty() && one_error && has_all;
        done.check(holds, &expected)
    }
}

/// Copies execenv, to be started from another place. A process of its own writes the copy: one that another test starts
/// meanwhile would have the handle of this process too, and a file that is open for writing cannot be started.
pub fn copy_execenv(to: &Path) {
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_execenv")).arg(to).status().unwrap();
    assert!(copied.success());
}

/// What came of a command.
pub struct Done {
    shown: String,
    pub status: Option<i32>,
    pub signal: Option<i32>,
    pub pid: u32,
    pub stdout: String,
    pub shown_stdout: String,
    pub stderr: String,
    pub bytes: Vec<u8>,
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Done { shown, status, signal, shown_stdout, stderr, .. } = self;
        write!(
            f,
            "{shown}\nstatus {status:?}, signal {signal:?}\n--- stdout\n{shown_stdout}\n--- stderr\n{stderr}"
        )
    }
}

impl Done {
    /// Whether stderr says only that an environment of the same task was replaced.
    pub fn is_only_noting_a_replacement(&self) -> bool {
        let note = "note: the previous environment of this task is in the trash; to get it back: ";
        self.stderr.starts_with(note) && self.stderr.lines().count() == 1
    }

    /// Whether SIGKILL ended it.
    pub fn was_killed(&self) -> bool {
        self.signal == Some(9)
    }

    #[track_caller]
    pub fn check(self, holds: bool, expected: &str) -> Done {
        assert!(holds, "expected {expected}\n{self}");
        self
    }

    #[track_caller]
    pub fn status(self, expected: i32) -> Done {
        let holds = self.status == Some(expected);
        self.check(holds, &format!("status {expected}"))
    }

    /// What the disk refuses is told as that, never as work that is in the way.
    #[track_caller]
    pub fn assert_is_no_conflict(&self, when: &str) {
        assert_ne!(self.status, Some(5), "{when}\n{self}");
    }

    /// No panic, no stray signal, an error line where it failed.
    #[track_caller]
    pub fn sane(self, statuses: &[i32]) -> Done {
        self.assert_sane(statuses);
        self
    }

    /// With `-o json`: no panic, and a failure is one object in the last line.
    #[track_caller]
    pub fn assert_sane_json(&self) {
        let is_told = self.stderr.lines().next_back().is_some_and(|line| line.starts_with("{\"error\":"));
        let holds = self.status.is_some()
            && !self.stderr.contains("panicked")
            && (!self.stdout.is_empty() || is_told);
        assert!(holds, "expected an answer or a failure\n{self}");
    }

    #[track_caller]
    pub fn assert_sane(&self, statuses: &[i32]) {
        let known = self.status.is_some_and(|status| statuses.contains(&status));
        let panicked = self.stderr.contains("panicked");
        let has_error = self.stderr.lines().any(|line| line.starts_with("error: "));
        let holds = known && !panicked && (self.status == Some(0) || has_error);
        assert!(holds, "expected one of {statuses:?}, an error where it failed\n{self}");
    }
}

/// A folder as it is: all kinds of entries, modes, bytes, links.
pub fn snapshot(folder: &Path) -> Snapshot {
    let mut found = Snapshot::new();
    walk(folder, Path::new(""), &mut found);
    found
}

fn walk(folder: &Path, below: &Path, found: &mut Snapshot) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, relative) = (entry.path(), below.join(entry.file_name()));
        let Ok(metadata) = path.symlink_metadata() else { continue };
        let kind = metadata.file_type();
        let mut text = format!("{:04o} ", metadata.permissions().mode() & 0o7777);
        if kind.is_symlink() {
            text = format!("link {:?}", std::fs::read_link(&path).unwrap_or_default());
        } else if kind.is_dir() {
            text.push_str("dir");
            walk(&path, &relative, found);
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).unwrap_or_default();
            let _ = write!(text, "file {}", bytes.escape_ascii());
        } else {
            let _ =
                write!(text, "other fifo={} socket={} {}", kind.is_fifo(), kind.is_socket(), metadata.rdev());
        }
        found.insert(relative, text);
    }
}

fn short(text: &str) -> String {
    let start: String = text.chars().take(200).collect();
    format!("{start} ({} characters)", text.chars().count())
}

/// What two snapshots do not share, for messages.
pub fn difference(before: &Snapshot, after: &Snapshot) -> String {
    let mut text = String::new();
    for (path, was) in before {
        match after.get(path) {
            None => _ = writeln!(text, "gone: {} ({})", path.display(), short(was)),
            Some(is) if is != was => {
                _ = writeln!(text, "changed: {}\n  was {was}\n  is  {}", path.display(), short(is))
            }
            Some(_) => {}
        }
    }
    for (path, is) in after.iter().filter(|(path, _)| !before.contains_key(*path)) {
        let _ = writeln!(text, "new: {} ({})", path.display(), short(is));
    }
    text
}

#[track_caller]
pub fn assert_same(before: &Snapshot, after: &Snapshot, when: &str) {
    assert!(before == after, "{when}:\n{}", difference(before, after));
}

/// A path or a text as an argument.
pub fn arg(text: impl AsRef<OsStr>) -> OsString {
    text.as_ref().to_owned()
}
