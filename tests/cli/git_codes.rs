//! The commands about the repository of an environment: each kind of failure has its code and its exit status.

use serde_json::Value;

use crate::support::repository::{commit_files, git, make_repository};
use crate::support::{KEY, TestEnv};

/// What is done to the world before a command, by a shell in the work dir.
type Row = (&'static str, &'static str, i32, &'static str);

/// A worktree `K` of `source`, beside it `agent/other/x`, which changes `file`.
const ROWS: &[Row] = &[
    ("", "checkout K ../source", 2, "usage"),
    ("", "checkout nowhere ../source", 3, "no_env"),
    ("", "checkpoint nowhere -m m", 3, "no_env"),
    ("rm -rf \"$PWD\"", "checkpoint K -m m", 3, "work_dir_gone"),
    ("", "checkpoint K -m m --in nothing", 2, "usage"),
    ("", "checkpoint K -m m --in ../output", 5, "leaves_tree"),
    ("mkdir sub", "checkpoint K -m m --in sub", 1, "failed"),
    ("git checkout -q --detach; touch new", "checkpoint K -m m --on-branch", 5, "dirty"),
    ("", "restore K", 3, "no_checkpoint"),
    ("", "restore K --from 7", 3, "no_checkpoint"),
    ("", "restore K --from nothing.patch", 2, "usage"),
    ("", "branch K a..b", 2, "usage"),
    ("", "branch K main", 5, "occupied"),
    ("", "branch K x --from nowhere", 2, "usage"),
    ("echo mine >file", "branch K x --from agent/other/x", 5, "occupied"),
    ("", "clone K full", 5, "occupied"),
    ("", "clone K no/such/folder", 2, "bad_path"),
    ("", "clone K root/default/K/copy", 2, "bad_path"),
    ("", "diff nowhere", 3, "no_env"),
    ("", "diff K --in nothing", 2, "usage"),
    (
        "echo mine >file; git -c user.name=T -c user.email=t@x commit -qam m",
        "merge start K agent/other/x",
        5,
        "conflicts",
    ),
    ("echo mine >file", "merge start K agent/other/x", 5, "dirty"),
    ("", "merge start K nothing", 3, "no_env"),
    ("", "merge resolve K file mine", 2, "usage"),
    ("", "publish K --to branch --squash", 2, "usage"),
    ("touch new", "publish K --to branch --no-commit", 5, "dirty"),
    ("echo mine >file", "publish K --to merge --base agent/other/x", 5, "conflicts"),
    ("", "publish K --to merge --base nothing", 2, "usage"),
];

#[test]
fn each_kind_of_failure_has_its_code_and_its_status() {
    let mut wrong = Vec::new();
    for (script, words, status, code) in ROWS {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        make_repository(&t, &source, &[]);
        let work_dir = t.prepare(["--task-id", crate::support::TASK, "--repo", "source"]).join("workdir");
        git(&t, &source, &["checkout", "-q", "-b", "agent/other/x"]);
        commit_files(&t, &source, "theirs", &[("file", "theirs\n")]);
        git(&t, &source, &["checkout", "-q", "main"]);
        t.write("full/file", "f");
        t.sh(script).cwd(&work_dir).run().status(0);
        let done = t.sh(&format!("execenv -o json {}", words.replace('K', KEY))).run();
        let last = done.stderr.lines().last().unwrap_or_default();
        let error: Value = serde_json::from_str(last).unwrap_or_default();
        if (done.status, error["error"]["code"].as_str()) != (Some(*status), Some(*code)) {
            wrong.push(format!("{script}; {words}: expected {status} {code}\n{done}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_environment_in_use_is_busy_and_one_without_a_repository_has_nothing_to_work_on() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", crate::support::TASK]);
    let code = |words: &str| {
        let done = t.sh(&format!("execenv -o json {}", words.replace('K', KEY))).run();
        let last = done.stderr.lines().last().unwrap_or_default();
        let error: Value = serde_json::from_str(last).unwrap_or_default();
        (done.status, error["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    const NEEDS_ONE: [&str; 6] = [
        "checkpoint K -m m",
        "diff K",
        "clone K copy",
        "branch K x",
        "merge list K",
        "publish K --to branch",
    ];
    for words in NEEDS_ONE {
        assert_eq!(code(words), (Some(1), "failed".to_owned()), "{words}");
    }
    let held = std::fs::File::open(env.join(".task_lock")).unwrap();
    held.lock().unwrap();
    for words in [
        "branch K x",
        "restore K",
        "merge commit K",
        "publish K --to branch",
        "checkpoint K -m m --on-branch",
    ] {
        assert_eq!(code(words), (Some(4), "env_busy".to_owned()), "{words}");
    }
}
