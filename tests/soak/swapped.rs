//! An agent moves a folder and puts a link in its place while a command runs: nothing that the link leads to is changed, and
//! nothing of it is copied.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::support::fake_claude::{GOOD, World};
use crate::support::{Done, KEY, NOW, Run, TestEnv};
use crate::sweep::{Start, interleave, trial};

const TASK: &str = r#"{"id":"11111111-2222-4333-8444-555555abcdef","workspace_id":"w","provider":"claude",
 "agent":{"name":"A","custom_env":{"A":"1"},"mcp_config":{"mcpServers":{"m":{"command":"c"}}},
 "skills":[{"name":"Review","description":"d","content":"Look."}]}}"#;
const NEXT: &str = r#"{"id":"11111111-2222-4333-8444-555555abcdef","workspace_id":"w","provider":"gemini",
 "agent":{"name":"A","instructions":"Be brief.","skills":[{"name":"Test","description":"d","content":"Run."}]}}"#;
const LATER: &str = "2026-06-30T12:00:00Z";
/// In each folder outside.
const PRECIOUS: &str = "precious";

const PREPARE: &[&str] = &["prepare", "--task", "task.json"];
const LOCAL: &[&str] = &["prepare", "--task", "task.json", "--local-dir", "project"];
const TRASHED: &[&str] = &["cleanup", "--all", "--trash", KEY];

/// Name, what comes before, the command, its time.
type Row = (&'static str, &'static [&'static [&'static str]], &'static [&'static str], &'static str);

const ROWS: &[Row] = &[
    ("prepare", &[], PREPARE, NOW),
    ("prepare_again", &[PREPARE], &["prepare", "--task", "next.json"], NOW),
    ("prepare_keep", &[PREPARE], &["prepare", "--keep-existing", "--task", "task.json"], NOW),
    ("prepare_local", &[], LOCAL, NOW),
    ("reuse", &[PREPARE], &["reuse", KEY, "--task", "next.json"], NOW),
    ("reuse_local", &[LOCAL], &["reuse", KEY, "--task", "next.json"], NOW),
    ("cleanup", &[PREPARE], &["cleanup", KEY], NOW),
    ("cleanup_force", &[PREPARE], &["cleanup", "--force", KEY], NOW),
    ("cleanup_all", &[PREPARE], &["cleanup", "--all", KEY], NOW),
    ("cleanup_trash", &[PREPARE], TRASHED, NOW),
    ("cleanup_local", &[LOCAL], &["cleanup", KEY], NOW),
    ("doctor", &[LOCAL], &["doctor", "--fix"], NOW),
    ("restore", &[PREPARE, TRASHED], &["trash", "restore", KEY], NOW),
    ("gc", &[PREPARE], &["gc"], LATER),
    ("gc_for_good", &[PREPARE], &["gc", "--trash-ttl", "0"], LATER),
];

/// What is swapped.
#[derive(Clone, Copy)]
enum Folder {
    Workspace,
    /// Under its hidden name while it is made.
    EnvRoot,
    WorkDir,
}

pub fn trials() -> Vec<Trial> {
    let folders =
        [("workspace", Folder::Workspace), ("env_root", Folder::EnvRoot), ("work_dir", Folder::WorkDir)];
    let all = ROWS.iter().flat_map(|row| folders.map(|(name, folder)| (row, name, folder)));
    let commands = all.map(|(row, folder_name, folder)| {
        trial(format!("swapped::{}::{folder_name}", row.0), move |name| command(name, row, folder))
    });
    let runs = folders.map(|(folder_name, folder)| {
        trial(format!("swapped::run::{folder_name}"), move |name| run(name, folder))
    });
    commands.chain(runs).collect()
}

fn command(name: &str, (_, before, command, now): &Row, folder: Folder) {
    let t = TestEnv::new();
    t.write("task.json", TASK);
    t.write("next.json", NEXT);
    t.write("project/CLAUDE.md", "mine");
    for step in *before {
        t.execenv(*step).ok();
    }
    visit(name, &t, folder, || t.execenv(*command).var("EXECENV_TEST_NOW", now), |_, _| ());
}

fn run(name: &str, folder: Folder) {
    let t = TestEnv::new();
    t.write("task.json", TASK);
    let env = t.prepare(["--task", "task.json"]);
    let w = World::around(t, env);
    let run = || w.asked(GOOD, &["--kill-grace", "1s"]);
    visit(name, &w.t, folder, run, |_, when| w.assert_agent_gone(when));
}

fn visit<'a>(
    name: &str,
    t: &'a TestEnv,
    folder: Folder,
    command: impl Fn() -> Run<'a>,
    check: impl Fn(&Done, &str),
) {
    make_outside(t);
    let start = Start::new(t);
    let outside = std::cell::RefCell::new(Vec::new());
    let meanwhile = || {
        *outside.borrow_mut() = times(&t.tmp.join("outside"));
        swap(t, folder);
    };
    interleave(name, &start, command, meanwhile, |done, when| {
        let is_known = done.status.is_some_and(|status| [0, 1, 3, 4, 5, 125].contains(&status));
        assert!(is_known && !done.stderr.contains("panicked"), "{when}\n{done}");
        assert!(*outside.borrow() == times(&t.tmp.join("outside")), "{when}: changed outside\n{done}");
        for place in ["root", "project", "moved"] {
            let copied = find(&t.tmp.join(place));
            assert!(copied.is_none(), "{when}: copied to {copied:?}\n{done}");
        }
        check(done, when);
    });
}

/// A whole environment, with files of somebody's in each of its folders.
fn make_outside(t: &TestEnv) {
    let there = t.root.join("w").join(KEY);
    let prepared = t.tmp.join("prepared");
    let source = if there.is_dir() {
        there
    } else {
        t.execenv(PREPARE).var("EXECENV_WORKSPACES_ROOT", &prepared).ok();
        prepared.join("w").join(KEY)
    };
    fs::create_dir(t.tmp.join("outside")).unwrap();
    let outside = t.tmp.join("outside").join(KEY);
    let copied = std::process::Command::new("cp").arg("-a").arg(source).arg(&outside).status().unwrap();
    assert!(copied.success());
    fill(&outside);
    let _ = fs::remove_dir_all(prepared);
}

fn fill(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        if entry.file_type().unwrap().is_dir() {
            fill(&entry.path());
        }
    }
    fs::write(folder.join(PRECIOUS), PRECIOUS).unwrap();
}

/// As far as what is to be swapped is there.
fn swap(t: &TestEnv, folder: Folder) {
    let (workspace, outside) = (t.root.join("w"), t.tmp.join("outside"));
    let (from, to) = match folder {
        Folder::Workspace => (Some(workspace), outside),
        Folder::EnvRoot => (env_root(&workspace), outside.join(KEY)),
        Folder::WorkDir => {
            (env_root(&workspace).map(|env| env.join("workdir")), outside.join(KEY).join("workdir"))
        }
    };
    if let Some(from) = from
        && fs::rename(&from, t.tmp.join("moved")).is_ok()
    {
        symlink(to, from).unwrap();
    }
}

fn env_root(workspace: &Path) -> Option<PathBuf> {
    let names = fs::read_dir(workspace).ok()?.flatten().map(|entry| entry.file_name());
    let mut names: Vec<_> = names.filter(|name| name.to_string_lossy().contains(KEY)).collect();
    names.sort_by_key(|name| name.to_string_lossy().starts_with('.'));
    names.first().map(|name| workspace.join(name))
}

/// Every path with the time of its last change, its length and its mode.
fn times(folder: &Path) -> Vec<(PathBuf, i64, i64, u64, u32)> {
    let mut found = Vec::new();
    let metadata = folder.symlink_metadata().unwrap();
    found.push((folder.to_owned(), metadata.ctime(), metadata.ctime_nsec(), metadata.len(), metadata.mode()));
    if metadata.is_dir() {
        fs::read_dir(folder).unwrap().for_each(|entry| found.extend(times(&entry.unwrap().path())));
    }
    found.sort();
    found
}

/// A file of somebody's, not through links.
fn find(folder: &Path) -> Option<PathBuf> {
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        let kind = entry.file_type().ok()?;
        let found = match () {
            () if kind.is_dir() => find(&path),
            () if kind.is_file() && fs::read(&path).ok()?.ends_with(PRECIOUS.as_bytes()) => Some(path),
            () => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}
