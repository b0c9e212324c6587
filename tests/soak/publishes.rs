//! Work that is handed on: a kill or a failing disk at every change and at every call of git or gh that changes something. The same
//! command again gets to the state that the undisturbed one has, with one commit, one merge and one pull request.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use libtest_mimic::Trial;

use crate::support::git_http::serve;
use crate::support::repository::{commit_files, git, git_out, make_repository};
use crate::support::{KEY, TASK, TestEnv};
use crate::sweep::{Fault, Start, sweep, with_each_fault};

const OURS: &str = "agent/ada/555555abcdef";

/// A name, and the command after `publish ENV --to`.
type Case = (&'static str, &'static [&'static str]);

const CASES: &[Case] = &[
    ("publish as a branch", &["branch"]),
    ("publish to a bare repository", &["branch", "--target", "served/ada/app.git"]),
    ("publish a merge", &["merge", "--base", "main"]),
    ("publish a squash", &["merge", "--base", "main", "--squash"]),
    ("publish a merge that nobody has checked out", &["merge", "--base", "next"]),
    ("publish a merge elsewhere", &["merge", "--base", "main", "--target", "served/ada/app.git"]),
    ("publish a pull request", &["pr"]),
];

/// Plays gh: one pull request a line of `pulls`.
const GH: &str = r#"#!/bin/sh
pulls=$(dirname "$0")/pulls
case "$1 $2" in
"pr list")
    [ -s "$pulls" ] || { echo '[]'; exit; }
    echo '[{"url":"https://forge/ada/app/pull/1","number":1,"baseRefName":"main","isCrossRepository":false}]' ;;
"pr create")
    echo x >> "$pulls"
    echo https://forge/ada/app/pull/1 ;;
esac
"#;

pub fn trials() -> Vec<Trial> {
    with_each_fault(CASES, |case| case.0, disturb)
}

fn disturb(name: &str, (_, words): &Case, fault: Fault) {
    let t = TestEnv::new();
    let server = serve(&t.tmp.join("served"), None);
    let path = world(&t, &format!("{}/ada/app.git", server.url()));
    let run = || {
        let run = t.execenv([&["publish", KEY, "--to"], *words].concat());
        run.var("PATH", &path)
    };
    let start = Start::new(&t);
    run().run().status(0);
    let expected = state(&t);
    start.put_back();
    sweep(name, fault, &start, run, |done, when| {
        done.assert_is_no_conflict(when);
        run().run().sane(&[0]);
        let now = state(&t);
        assert!(now == expected, "{when}\n{now:#?}\n{expected:#?}");
        t.assert_nothing_half_made_but(".execenv.excludes", when);
    });
}

/// Commits by their trees and messages, files, and what the record says.
fn state(t: &TestEnv) -> Vec<String> {
    let (source, served) = (t.tmp.join("source"), t.tmp.join("served/ada/app.git"));
    let work = t.root.join("default").join(KEY).join("workdir");
    let at = |folder, words: &[&str]| git_out(t, folder, words);
    let commits = |folder| {
        let listed = at(folder, &["for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes"]);
        let log = |name: &str| at(folder, &["log", "--topo-order", "--format=%T %s", name]);
        listed.lines().map(|name| format!("{name}\n{}", log(name))).collect::<Vec<_>>().join("\n")
    };
    let meta = fs::read_to_string(t.root.join("default").join(KEY).join(".gc_meta.json")).unwrap();
    let meta: serde_json::Value = serde_json::from_str(&meta).unwrap();
    let published = meta["execenv"]["published"].as_array().unwrap().iter();
    let published = published.map(|it| format!("{} {} {}", it["to"], it["branch"], it["url"]));
    vec![
        commits(&source),
        commits(&served),
        at(&source, &["status", "--porcelain"]),
        at(&work, &["status", "--porcelain", "--", ".", ":!.agent_context"]),
        at(&work, &["ls-files", "--stage"]),
        fs::read_to_string(t.tmp.join("bin/pulls")).unwrap_or_default(),
        published.collect(),
    ]
}

/// A repository of the user's, a server's, and an environment with uncommitted work; the PATH with gh.
fn world(t: &TestEnv, url: &str) -> String {
    let source = t.tmp.join("source");
    make_repository(t, &source, &[]);
    git(t, &source, &["branch", "next"]);
    git(t, &t.tmp, &["clone", "-q", "--bare", "source", "served/ada/app.git"]);
    git(t, &t.tmp.join("served/ada/app.git"), &["config", "http.receivepack", "true"]);
    git(t, &source, &["remote", "add", "origin", url]);
    let env = t.prepare(["--task-id", TASK, "--agent-name", "Ada", "--repo", "source"]);
    commit_files(t, &source, "other", &[("other", "other\n")]);
    t.write(env.join("workdir/file"), "one\ntwo\n");
    t.write(env.join("workdir/new"), "new\n");
    assert_eq!(git_out(t, &env.join("workdir"), &["symbolic-ref", "--short", "HEAD"]), OURS);
    let gh = t.write("bin/gh", GH);
    fs::set_permissions(&gh, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", gh.parent().unwrap().display(), std::env::var("PATH").unwrap())
}
