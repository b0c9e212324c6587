//! FIFOs, sockets and devices in place of files: git would wait for ever in one that it reads, and none has a content to save.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::repository::{commit_files, git, make_repository};
use crate::support::{KEY, TASK, TestEnv};

fn put_fifo(t: &TestEnv, place: &Path) {
    let _ = fs::remove_file(place);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    assert!(t.command("mkfifo").arg(place).status().unwrap().success());
}

/// Far below the limit of two minutes.
const SOON: Duration = Duration::from_secs(60);

#[test]
fn what_git_would_wait_for_is_refused_at_once_and_named() {
    for (kind, part) in [
        ("own", ".git/info/exclude"),
        ("own", ".git/info/attributes"),
        ("own", ".git/info/grafts"),
        ("own", ".git/config"),
        ("own", ".git/commondir"),
        ("own", ".git/objects/info/alternates"),
        ("own", ".git/MERGE_HEAD"),
        ("own", "d/.gitignore"),
        ("own", "d/e/.gitattributes"),
        ("worktree", "source/.git/info/exclude"),
        ("worktree", "source/.git/config"),
    ] {
        let t = TestEnv::new();
        let work_dir = match kind {
            "own" => {
                let work_dir = t.prepare(["--task-id", TASK]).join("workdir");
                make_repository(&t, &work_dir, &[]);
                work_dir
            }
            _ => {
                make_repository(&t, &t.tmp.join("source"), &[]);
                t.prepare(["--task-id", TASK, "--repo", "source"]).join("workdir")
            }
        };
        t.write(work_dir.join("d/e/new"), "work\n");
        t.write(work_dir.join("file"), "edited\n");
        let place = match kind {
            "own" => work_dir.join(part),
            _ => t.tmp.join(part),
        };
        put_fifo(&t, &place);
        let begun = Instant::now();
        // All of them ask git by the same ways; each one that finds it late takes a second.
        let all: &[&[&str]] = &[
            &["diff", KEY],
            &["checkpoint", KEY, "-m", "x"],
            &["clone", KEY, "clone"],
            &["publish", KEY, "--to", "branch"],
            &["merge", "start", KEY, "main"],
        ];
        let is_late = part.starts_with("d/");
        for words in if is_late { &all[..2] } else { all } {
            t.execenv(*words).fails(1, &[&format!("{part} is a FIFO"), "hint: remove it"]);
        }
        assert!(begun.elapsed() < SOON, "{part}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_file_that_became_a_fifo_is_not_saved_as_deleted_without_a_word() {
    let t = TestEnv::new();
    let work_dir = t.prepare(["--task-id", TASK]).join("workdir");
    make_repository(&t, &work_dir, &[]);
    commit_files(&t, &work_dir, "two", &[("assumed", "one\n")]);
    git(&t, &work_dir, &["update-index", "--assume-unchanged", "assumed"]);
    for name in ["file", "assumed"] {
        put_fifo(&t, &work_dir.join(name));
    }
    let clone = t.tmp.join("clone");
    for words in [
        &["diff", KEY][..],
        &["checkpoint", KEY, "-m", "x"],
        &["clone", KEY, clone.to_str().unwrap()],
        &["publish", KEY, "--to", "branch", "--target", "clone"],
    ] {
        let done = t.execenv(words).run();
        for name in ["file", "assumed"] {
            let said = format!("warning: {name} is a FIFO, a socket or a device: it counts as deleted");
            assert!(done.stderr.contains(&said), "{done}");
        }
    }
}
