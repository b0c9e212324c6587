//! What can be built again, as `gc` takes it out of environments that stay.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::support::{Run, TestEnv, assert_same, snapshot};

/// Ended a day and a half before the tests' clock; whether its issue is open is unknown.
const ENDED: &str =
    r#"{"kind":"issue","issue_id":"I","workspace_id":"w","completed_at":"2026-05-31T00:00:00Z"}"#;
const STAYS: [&str; 7] = [
    "workdir/src/main.js",
    "workdir/.git/objects/node_modules/x",
    "workdir/dist/x",
    "workdir/dep/node_modules/own/.git/config",
    "workdir/lib/node_modules",
    "output/x",
    "codex-home/config.toml",
];
const GOES: [&str; 5] = [
    "workdir/node_modules/a/node_modules/b",
    "workdir/node_modules/c",
    "workdir/app/.next/x",
    "workdir/.turbo/x",
    "codex-home/.sandbox-bin/helper",
];

/// An environment of a multica daemon's that has artifacts.
fn fill(t: &TestEnv) -> PathBuf {
    t.write("root/.execenv-root", "");
    t.write("root/w/task/.gc_meta.json", ENDED);
    for path in STAYS.iter().chain(&GOES) {
        t.write(format!("root/w/task/{path}"), vec![b'x'; 100]);
    }
    t.root.join("w/task")
}

fn gc<'a>(t: &'a TestEnv, arguments: &[&str]) -> Run<'a> {
    let ages = ["gc", "--ttl", "300d", "--orphan-ttl", "300d", "-o", "json"];
    t.execenv(ages.iter().chain(arguments))
}

fn assert_swept(t: &TestEnv, when: &str) {
    for path in STAYS {
        assert!(t.root.join("w/task").join(path).is_file(), "{when}: {path} is gone");
    }
    for path in GOES {
        // The outermost folder of that name, not only what is in it.
        let names = ["node_modules", ".next", ".turbo", ".sandbox-bin"];
        let parts: Vec<&str> = path.split('/').collect();
        let end = parts.iter().position(|part| names.contains(part)).unwrap();
        let folder = t.root.join("w/task").join(parts[..=end].join("/"));
        assert!(!folder.exists(), "{when}: {} stands", folder.display());
    }
}

#[test]
fn what_can_be_built_again_goes_and_is_counted_by_its_name() {
    let t = TestEnv::new();
    fill(&t);
    let before = snapshot(&t.root);
    let plan = gc(&t, &["--dry-run"]).json();
    assert_same(&before, &snapshot(&t.root), "the dry run");
    let done = gc(&t, &[]).json();
    assert_swept(&t, "gc");
    for report in [&plan, &done] {
        assert_eq!(
            (&report["artifact_dirs"], &report["artifact_removed"]),
            (&json!(1), &json!(4)),
            "{report}"
        );
        assert_eq!(report["bytes_reclaimed"], 500, "{report}");
        let names: Vec<&String> = report["by_pattern"].as_object().unwrap().keys().collect();
        assert_eq!(names, [".next", ".turbo", "managed:codex-home/.sandbox-bin", "node_modules"], "{report}");
    }
    let again = gc(&t, &[]).json();
    assert_eq!((&again["artifact_dirs"], &again["bytes_reclaimed"]), (&json!(0), &json!(0)), "{again}");
}

/// A project may keep `node_modules` in its repository, and an agent may have edited it there.
#[test]
fn what_git_tracks_is_no_artifact_whatever_it_is_called() {
    let t = TestEnv::new();
    fill(&t);
    let work = t.root.join("w/task/workdir/project");
    let git = |words: &[&str]| {
        assert!(t.command("git").arg("-C").arg(&work).args(words).status().unwrap().success(), "{words:?}");
    };
    for path in ["node_modules/vendored/index.js", "app/.next/x", "node_modules_/x", "sub/node_modules/dep/x"]
    {
        t.write(work.join(path), "committed");
    }
    t.write(work.join(".gitignore"), "sub/\n.next\n");
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    t.write(work.join("node_modules/vendored/index.js"), "edited, and nowhere else");
    let plan = gc(&t, &["--dry-run"]).json();
    let done = gc(&t, &[]).json();
    assert_eq!(
        fs::read_to_string(work.join("node_modules/vendored/index.js")).unwrap(),
        "edited, and nowhere else"
    );
    assert!(!work.join("app/.next").exists() && !work.join("sub/node_modules").exists());
    assert_swept(&t, "gc");
    assert_eq!(plan["by_pattern"], done["by_pattern"]);
    assert_eq!(done["artifact_removed"], 6, "{done}");
}

#[test]
fn where_git_cannot_tell_what_is_tracked_nothing_goes() {
    let t = TestEnv::new();
    t.write("root/.execenv-root", "");
    t.write("root/w/task/.gc_meta.json", ENDED);
    t.write("root/w/task/workdir/repo/.git", "gitdir: /nowhere/at/all\n");
    let kept = t.write("root/w/task/workdir/repo/node_modules/x", "perhaps tracked");
    gc(&t, &[]).json();
    assert!(kept.is_file());
}
