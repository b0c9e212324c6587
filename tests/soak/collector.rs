//! `gc`: build artifacts and cached repositories are there whole or not at all, and the next cycle ends what one began.

use std::path::Path;

use libtest_mimic::Trial;

use crate::support::{Run, TestEnv, assert_same, snapshot};
use crate::sweep::{Fault, Start, sweep, trial};

pub fn trials() -> Vec<Trial> {
    let rows = [("gc_artifacts::killed", Fault::Kill), ("gc_artifacts::broken_disk", Fault::Errno("EIO"))];
    let artifacts = rows.map(|(name, fault)| trial(name.to_owned(), move |name| artifacts(name, fault)));
    artifacts.into_iter().chain([trial("gc_repository::killed".to_owned(), repository)]).collect()
}

/// The record of an environment whose run has ended.
const ENDED: &str =
    r#"{"kind":"issue","issue_id":"I","workspace_id":"w","completed_at":"2026-05-31T00:00:00Z"}"#;
const STAYS: [&str; 4] =
    ["workdir/src/main.rs", "workdir/.git/node_modules/x", "output/x", "codex-home/config.toml"];
const GOES: [&str; 4] = [
    "workdir/node_modules/a/node_modules/b",
    "workdir/app/.next/x",
    "workdir/.turbo/x",
    "codex-home/.sandbox-bin/helper",
];

fn gc(t: &TestEnv) -> Run<'_> {
    t.execenv(["gc", "--ttl", "300d", "--orphan-ttl", "300d", "-o", "json"])
}

/// A kill or a failure leaves a smaller folder under its own name.
fn artifacts(name: &str, fault: Fault) {
    let t = TestEnv::new();
    t.write("root/.execenv-root", "");
    let env = t.root.join("w/task");
    t.write(env.join(".gc_meta.json"), ENDED);
    for path in STAYS.iter().chain(&GOES) {
        t.write(env.join(path), vec![b'x'; 100]);
    }
    let start = Start::new(&t);
    sweep(
        name,
        fault,
        &start,
        || gc(&t),
        |done, when| {
            for path in STAYS {
                assert!(env.join(path).is_file(), "{when}: {path} is gone\n{done}");
            }
            gc(&t).json();
            for path in STAYS {
                assert!(env.join(path).is_file(), "{when}: {path} is gone");
            }
            for path in GOES {
                assert!(!env.join(path).exists(), "{when}: {path} is left");
            }
            t.assert_nothing_half_made(when);
        },
    );
}

/// A repository that was not used for a long time is removed as a whole.
fn repository(name: &str) {
    let t = TestEnv::new();
    t.write("root/.execenv-root", "");
    let git = |dir: &Path, words: &[&str]| {
        let who = ["-c", "user.name=T", "-c", "user.email=t@example.invalid"];
        let output = t.command("git").current_dir(dir).args(who).args(words).output().unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let bare = t.root.join(".repos/w/r.git");
    git(&t.tmp, &["init", "-q", "-b", "main", "source"]);
    git(&t.tmp.join("source"), &["commit", "-q", "--allow-empty", "-m", "one"]);
    std::fs::create_dir_all(bare.parent().unwrap()).unwrap();
    git(&t.tmp, &["clone", "-q", "--bare", "source", bare.to_str().unwrap()]);
    git(&bare, &["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"]);
    git(&bare, &["fetch", "-q"]);
    t.write(bare.join(".multica_last_used"), "2026-01-01T00:00:00Z");
    let before = snapshot(&bare);
    let start = Start::new(&t);
    let gc = || t.execenv(["gc"]).var("EXECENV_GC_REPO_TTL", "1d");
    sweep(name, Fault::Kill, &start, gc, |_, when| {
        if bare.exists() {
            assert_same(&before, &snapshot(&bare), when);
        }
        let done = gc().run().sane(&[0]);
        assert!(!bare.parent().unwrap().exists(), "{when}\n{done}");
        t.assert_nothing_half_made(when);
    });
}
