//! The files of a run's logs, and those of the run before.
//!
//! A run begins with all of its logs missing: what the run before has left goes into `logs/previous/` as a whole. It is
//! collected under another name first, and no log is begun before that has become `previous`. So a run that finds that other
//! name finds the logs of one run, some of them there and some in their places, and goes on.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::result::result_file;
use crate::layout::names;
use crate::sys::tree::{FileKind, Tree};

/// The logs that a run may have.
const NAMES: [&str; 6] = [
    names::RUN_LOG,
    names::PROMPT_LOG,
    names::AGENT_LOG,
    names::STDERR_LOG,
    names::AGENT_TIMES,
    names::LOGIN_LOG,
];

/// The logs of what the agent prints: all starts of the agent in a run go on in them.
#[derive(Debug)]
pub(super) struct Logs {
    pub(super) output: File,
    pub(super) errors: File,
    pub(super) times: File,
}

impl Logs {
    /// Creates them.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn create(env: &Tree) -> Result<Logs> {
        Ok(Logs {
            output: create(env, names::AGENT_LOG)?,
            errors: create(env, names::STDERR_LOG)?,
            times: create(env, names::AGENT_TIMES)?,
        })
    }
}

/// Where the logs of one run lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The last run, or the one that is on.
    Last,
    /// The run before.
    Previous,
}

/// Opens a log for reading. `None`: there is none.
///
/// # Errors
/// As the system reports them, and where something other than a file is in its place.
pub(super) fn open(env: &Tree, which: Which, name: &str) -> io::Result<Option<File>> {
    let mut first = Ok(None);
    for path in places(which, name) {
        match env.open_file(&path) {
            Ok(None) => {}
            Ok(found) => return Ok(found),
            // In the place of the folder may be anything.
            Err(error) => first = Err(error),
        }
    }
    first
}

/// Where a log may be, the likeliest place first.
fn places(which: Which, name: &str) -> [PathBuf; 2] {
    let logs = Path::new(names::LOGS);
    match which {
        // A run that died as it began may have put it aside.
        Which::Last => [logs.join(name), logs.join(names::PREVIOUS_NEXT).join(name)],
        // A release before kept each log beside the one of the next run.
        Which::Previous => [logs.join(names::PREVIOUS_LOGS).join(name), logs.join(former(name))],
    }
}

/// The name under which a release before kept a log of the run before.
fn former(name: &str) -> String {
    format!("{name}.previous")
}

/// Puts the logs of the run before aside.
///
/// # Errors
/// As the system reports them.
pub(super) fn put_aside(env: &Tree) -> Result<()> {
    let logs = Path::new(names::LOGS);
    put_aside_in(env, logs)
        .with_context(|| format!("keep the logs of the run before in {}", env.path().join(logs).display()))
}

fn put_aside_in(env: &Tree, logs: &Path) -> io::Result<()> {
    env.ensure_dir(logs, 0o755)?;
    let (next, previous) = (logs.join(names::PREVIOUS_NEXT), logs.join(names::PREVIOUS_LOGS));
    let there = |name: &&str| -> io::Result<bool> { Ok(env.kind(&logs.join(name))?.is_some()) };
    let mut left = Vec::new();
    for name in NAMES {
        if there(&name)? {
            left.push(name);
        }
    }
    let begun = env.kind(&next)?;
    if left.is_empty() && begun.is_none() {
        return Ok(());
    }
    if !matches!(begun, None | Some(FileKind::Dir)) {
        env.remove_all(&next)?; // the agent can write there
    }
    env.ensure_dir(&next, 0o755)?;
    for name in left {
        let (from, to) = (logs.join(name), next.join(name));
        if env.keep_previous(&from, &to).is_err() {
            env.remove_all(&to)?;
            env.keep_previous(&from, &to)?;
        }
    }
    // A second name: the result stays in its place until the next one is written. Where files have one name only, the run's
    // own log says how it ended.
    if let Err(error) = env.link_new(&result_file(), &next.join(names::RESULT)) {
        log::debug!("keep the result of the run before: {error}");
    }
    env.remove_all(&previous)?;
    env.keep_previous(&next, &previous)?;
    for name in NAMES {
        env.remove_all(&logs.join(former(name)))?;
    }
    Ok(())
}

/// Opens a log for writing, from its beginning.
///
/// # Errors
/// As the system reports them.
pub(super) fn create(env: &Tree, name: &str) -> Result<File> {
    let path = Path::new(names::LOGS).join(name);
    env.open_log(&path).with_context(|| format!("open {}", env.path().join(&path).display()))
}

/// Keeps what the agent is asked. A prompt may hold a secret, as what the agent prints may: it lies beside that, as private. That it
/// cannot be kept is no reason to stop a run.
pub(super) fn keep_prompt(env: &Tree, prompt: &str) {
    let kept = create(env, names::PROMPT_LOG).and_then(|mut log| Ok(log.write_all(prompt.as_bytes())?));
    if let Err(error) = kept {
        log::warn!("`report` will not show the prompt of this run: {error:#}");
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests make their own fixtures")]
mod tests {
    use std::fs;
    use std::io::Read as _;

    use super::*;

    struct World {
        _tmp: tempfile::TempDir,
        logs: PathBuf,
        env: Tree,
    }

    /// An env root with these files in `logs/` and a result.
    fn world(files: &[(&str, &str)]) -> World {
        let tmp = tempfile::tempdir().unwrap();
        let logs = tmp.path().join("logs");
        fs::create_dir_all(&logs).unwrap();
        fs::create_dir_all(tmp.path().join("output")).unwrap();
        fs::write(tmp.path().join("output/result.json"), "the result").unwrap();
        for (name, text) in files {
            fs::create_dir_all(logs.join(name).parent().unwrap()).unwrap();
            fs::write(logs.join(name), text).unwrap();
        }
        World { env: Tree::open(tmp.path()).unwrap(), logs, _tmp: tmp }
    }

    fn text(w: &World, which: Which, name: &str) -> Option<String> {
        let mut text = String::new();
        open(&w.env, which, name).unwrap()?.read_to_string(&mut text).unwrap();
        Some(text)
    }

    #[test]
    fn the_logs_of_one_run_move_together() {
        let w = world(&[
            ("run.log", "r1"),
            ("agent.ndjson", "a1"),
            ("agent.ndjson.previous", "a0"),
            ("previous/login.log", "of a run long ago"),
            ("mine.txt", "of the agent"),
        ]);
        put_aside(&w.env).unwrap();
        let previous = |name| text(&w, Which::Previous, name);
        assert_eq!(previous("run.log").as_deref(), Some("r1"));
        assert_eq!(previous("agent.ndjson").as_deref(), Some("a1"));
        assert_eq!(previous("login.log"), None);
        assert_eq!(previous("result.json").as_deref(), Some("the result"));
        assert_eq!(text(&w, Which::Last, "run.log"), None);
        let left: Vec<_> = w.env.names(Path::new("logs")).unwrap();
        assert_eq!(left.len(), 2, "{left:?}");
        // A run that has not begun a log has none to put aside.
        put_aside(&w.env).unwrap();
        assert_eq!(previous("run.log").as_deref(), Some("r1"));
    }

    #[test]
    fn what_a_killed_run_has_begun_to_move_is_of_the_last_run_and_the_next_one_goes_on() {
        let w = world(&[("previous.next/run.log", "r1"), ("agent.ndjson", "a1"), ("previous/run.log", "r0")]);
        assert_eq!(text(&w, Which::Last, "run.log").as_deref(), Some("r1"));
        assert_eq!(text(&w, Which::Previous, "run.log").as_deref(), Some("r0"));
        put_aside(&w.env).unwrap();
        assert_eq!(text(&w, Which::Previous, "run.log").as_deref(), Some("r1"));
        assert_eq!(text(&w, Which::Previous, "agent.ndjson").as_deref(), Some("a1"));
        assert!(!w.logs.join("previous.next").exists());
    }

    #[test]
    fn the_logs_of_a_release_before_are_read_where_it_left_them() {
        let w = world(&[("run.log", "r1"), ("run.log.previous", "r0")]);
        assert_eq!(text(&w, Which::Previous, "run.log").as_deref(), Some("r0"));
    }

    #[test]
    fn nothing_in_the_place_of_a_log_stops_a_run_or_is_read() {
        let w = world(&[("run.log/x", ""), ("previous.next", "a file"), ("previous/run.log/x", "")]);
        std::os::unix::fs::symlink("/etc/hostname", w.logs.join("agent.ndjson")).unwrap();
        assert!(open(&w.env, Which::Last, "agent.ndjson").is_err());
        put_aside(&w.env).unwrap();
        assert!(open(&w.env, Which::Previous, "agent.ndjson").is_err());
        assert!(open(&w.env, Which::Previous, "run.log").is_err());
        assert!(create(&w.env, "run.log").is_ok());
        let w = world(&[("run.log", "")]);
        std::os::unix::fs::symlink("/tmp", w.logs.join("previous")).unwrap();
        std::os::unix::fs::symlink("/tmp", w.logs.join("previous.next")).unwrap();
        put_aside(&w.env).unwrap();
        assert_eq!(text(&w, Which::Previous, "run.log").as_deref(), Some(""));
    }
}
