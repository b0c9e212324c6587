//! `execenv publish`: as a branch, merged, as a pull request; again; with a repository that would run programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::git_http::serve;
use crate::support::repository::{git, git_out, make_repository};
use crate::support::{KEY, Run, TASK, TestEnv};

pub const OURS: &str = "agent/ada/555555abcdef";
/// `ada:s3cret`, as HTTP has it.
const LOGIN: &str = "Basic YWRhOnMzY3JldA==";

/// A user's repository with `main` checked out, and an environment that works in a worktree of it, with uncommitted work.
pub struct World {
    pub t: TestEnv,
    source: PathBuf,
    work: PathBuf,
}

impl World {
    pub fn new() -> World {
        World::with(&[])
    }

    fn with(init: &[&str]) -> World {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        make_repository(&t, &source, init);
        let env = t.prepare(["--task-id", TASK, "--agent-name", "Ada", "--repo", "source"]);
        let w = World { work: env.join("workdir"), t, source };
        w.write("file", "one\ntwo\n");
        w.write("new", "new\n");
        w
    }

    /// An environment with a repository of its own in the work dir, whose remote `origin` is `address`.
    pub fn alone(t: TestEnv, address: &str) -> World {
        let source = t.tmp.join("source");
        make_repository(&t, &source, &[]);
        let work = t.prepare(["--task-id", TASK, "--agent-name", "Ada"]).join("workdir/repo");
        git(&t, &t.tmp, &["clone", "-q", "source", work.to_str().unwrap()]);
        let w = World { t, source, work };
        w.git(&["checkout", "-q", "-b", OURS]);
        w.git(&["remote", "set-url", "origin", address]);
        w.git(&["config", "user.email", "t@example.invalid"]);
        w.git(&["config", "user.name", "T"]);
        w.write("file", "one\ntwo\n");
        w
    }

    pub fn write(&self, name: &str, text: &str) {
        self.t.write(self.work.join(name), text);
    }

    pub fn git(&self, words: &[&str]) -> String {
        git_out(&self.t, &self.work, words)
    }

    pub fn at(&self, commit: &str) -> String {
        git_out(&self.t, &self.source, &["rev-parse", commit])
    }

    /// Commits in the user's repository.
    pub fn commit(&self, name: &str, text: &str) -> String {
        self.t.write(self.source.join(name), text);
        git(&self.t, &self.source, &["add", name]);
        git(&self.t, &self.source, &["commit", "-q", "-m", name]);
        self.at("HEAD")
    }

    pub fn publish<'a>(&'a self, words: &[&'a str]) -> Run<'a> {
        self.t.execenv([&["publish", KEY, "--to"], words].concat())
    }

    fn answer(&self, words: &[&str]) -> Value {
        let done = self.publish(&[words, &["-o", "json"]].concat()).run().status(0);
        serde_json::from_str(&done.stdout).unwrap()
    }

    pub fn record(&self) -> Value {
        let meta = fs::read_to_string(self.t.root.join("default").join(KEY).join(".gc_meta.json")).unwrap();
        serde_json::from_str::<Value>(&meta).unwrap()["execenv"]["published"].clone()
    }

    /// A bare repository of the user's, with the branch `main` of the source.
    fn bare(&self) -> PathBuf {
        let bare = self.t.tmp.join("bare.git");
        git(&self.t, &self.t.tmp, &["clone", "-q", "--bare", "source", "bare.git"]);
        bare
    }

    /// A program of this name in front of all others.
    pub fn path_with(&self, name: &str, script: &str) -> String {
        let path = self.t.write(format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        format!("{}:{}", self.t.tmp.join("bin").display(), std::env::var("PATH").unwrap())
    }
}

/// Repositories below `served`, as a server has them, with `ada/app.git` among them.
pub fn served(t: &TestEnv) -> PathBuf {
    let served = t.tmp.join("served");
    fs::create_dir_all(served.join("ada")).unwrap();
    git(t, &served, &["init", "-q", "--bare", "-b", "main", "ada/app.git"]);
    git(t, &served, &["-C", "ada/app.git", "config", "http.receivepack", "true"]);
    served
}

#[test]
fn in_its_own_repository_the_branch_only_gets_the_uncommitted_work_or_another_name() {
    for init in [&[][..], &["--object-format=sha256"]] {
        let w = World::with(init);
        let before = (w.at("main"), fs::read(w.source.join(".git/index")).unwrap());
        w.publish(&["branch", "--no-commit"]).fails(5, &["uncommitted work", "leave out `--no-commit`"]);
        let answer = w.answer(&["branch", "--title", "Say two"]);
        let commit = w.at(OURS);
        let expected = json!({
            "schema": 1, "to": "branch", "branch": OURS, "commit": commit, "saved": true, "target": w.source,
            "base": null, "merged": null, "conflicts": [], "pr_url": null, "pr_number": null,
        });
        assert_eq!(answer, expected);
        assert_eq!(w.git(&["log", "-1", "--format=%s %an", OURS]), "Say two execenv");
        assert_eq!(
            w.git(&["ls-tree", "-r", "--name-only", OURS]),
            "file\nnew",
            "without what execenv put there"
        );
        assert_eq!(w.git(&["status", "--porcelain", "--", ".", ":!.agent_context"]), "");

        assert_eq!(w.publish(&["branch"]).ok().stdout, format!("{OURS}\n"));
        assert_eq!(w.answer(&["branch", "--branch", "next"])["commit"], commit.as_str());
        w.write("file", "three\n");
        w.publish(&["branch", "--branch", "next"]).ok();
        assert_eq!(w.at("next"), w.at(OURS));
        git(&w.t, &w.source, &["branch", "-f", "next", "main"]);
        let other = git_out(&w.t, &w.source, &["commit-tree", "-m", "x", "main^{tree}"]);
        let published = w.at(OURS);
        for (there, is_ours) in [(&other, false), (&published, true)] {
            git(&w.t, &w.source, &["branch", "-f", "next", there]);
            w.git(&["commit", "-q", "--amend", "-m", "amended"]);
            w.publish(&["branch", "--branch", "next"]).fails(5, &["has commits there", "--force-with-lease"]);
            let force = w.publish(&["branch", "--branch", "next", "--force-with-lease"]);
            match is_ours {
                true => drop(force.ok()),
                false => drop(force.fails(5, &["that this environment has not published"])),
            }
        }
        assert_eq!(w.at("next"), w.at(OURS));
        w.publish(&["branch", "--branch", "main"]).fails(5, &["the branch main is checked out in", "source"]);
        assert_eq!((w.at("main"), fs::read(w.source.join(".git/index")).unwrap()), before);
        let branches: Vec<_> = w.record().as_array().unwrap().iter().map(|it| it["branch"].clone()).collect();
        assert_eq!(branches, [OURS, "next"], "one entry each");
    }
}

#[test]
fn another_repository_of_the_users_gets_the_branch_and_runs_nothing() {
    let w = World::new();
    let bare = w.bare();
    let target = ["--target", bare.to_str().unwrap()];
    let ran = w.t.tmp.join("ran");
    for hook in ["pre-receive", "update", "post-receive", "reference-transaction", "proc-receive"] {
        let hook = w.t.write(bare.join("hooks").join(hook), format!("#!/bin/sh\ntouch {}\n", ran.display()));
        fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let there =
        || git_out(&w.t, &bare, &["for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads"]);
    for _ in 0..2 {
        let saying = format!("note: the branch {OURS} is in [TMP]/bare.git\n")
            .replace("[TMP]", w.t.tmp.to_str().unwrap());
        let done = w.publish(&[&["branch"][..], &target].concat()).run().status(0);
        assert_eq!(done.stderr, w.t.masked(saying.as_bytes()));
        assert_eq!(there(), format!("{OURS} {}\nmain {}", w.at(OURS), w.at("main")));
    }
    git(&w.t, &bare, &["fsck", "--strict", "--connectivity-only"]);
    let other = git_out(
        &w.t,
        &bare,
        &["-c", "user.name=T", "-c", "user.email=t@x", "commit-tree", "-m", "x", "main^{tree}"],
    );
    git(
        &w.t,
        &bare,
        &["-c", "core.hooksPath=/dev/null", "update-ref", &format!("refs/heads/{OURS}"), &other],
    );
    let force = || w.publish(&[&["branch", "--force-with-lease"][..], &target].concat());
    w.publish(&[&["branch"][..], &target].concat()).fails(5, &["has commits there"]);
    force().fails(5, &["that this environment has not published"]);
    let undo = ["-c", "core.hooksPath=/dev/null", "update-ref", &format!("refs/heads/{OURS}"), &w.at(OURS)];
    git(&w.t, &bare, &undo);
    w.git(&["commit", "-q", "--amend", "-m", "amended"]);
    force().run().status(0);
    assert_eq!(there(), format!("{OURS} {}\nmain {}", w.at(OURS), w.at("main")));
    w.publish(&[&["merge", "--base", "main"][..], &target].concat()).run().status(0);
    assert_eq!(there(), format!("{OURS} {}\nmain {}", w.at(OURS), w.at(OURS)));
    assert!(!ran.exists(), "a hook ran");
    w.publish(&["branch", "--target", w.t.tmp.to_str().unwrap()]).fails(2, &["is in no git repository"]);
    w.publish(&["branch", "--target", "absent"]).fails(2, &["is in no git repository"]);
}

#[test]
fn a_branch_is_merged_in_the_objects_and_again_without_another_commit() {
    // What else was committed to main, options, and the parents and files of main then.
    type Case = (&'static str, Option<&'static str>, &'static [&'static str], fn(&World) -> Vec<String>);
    let cases: [Case; 5] = [
        ("fast-forward", None, &[], |w| vec![w.at("before")]),
        ("both sides", Some("other"), &[], |w| vec![w.at("before"), w.at(OURS)]),
        ("squash", Some("other"), &["--squash"], |w| vec![w.at("before")]),
        ("squash of all", None, &["--squash", "--title", "All of it"], |w| vec![w.at("before")]),
        ("with a title", Some("other"), &["--title", "Bring it"], |w| vec![w.at("before"), w.at(OURS)]),
    ];
    for is_checked_out in [true, false] {
        for (name, other, options, parents) in &cases {
            let name = format!("{name}, checked out: {is_checked_out}");
            let w = World::new();
            if let Some(other) = other {
                w.commit(other, "other\n");
            }
            git(&w.t, &w.source, &["tag", "before"]);
            if !is_checked_out {
                git(&w.t, &w.source, &["checkout", "-q", "--detach"]);
            }
            let answer = w.answer(&[&["merge", "--base", "main"], *options].concat());
            let merged = w.at("main");
            assert_eq!((&answer["merged"], &answer["base"]), (&json!(merged), &json!("main")), "{name}");
            let found = git_out(&w.t, &w.source, &["log", "-1", "--format=%P", "main"]);
            assert_eq!(found, parents(&w).join(" "), "{name}");
            let files: Vec<&str> = ["file", "new"].into_iter().chain(*other).collect();
            let listed = git_out(&w.t, &w.source, &["ls-tree", "-r", "--name-only", "main"]);
            assert_eq!(listed, files.join("\n"), "{name}");
            assert_eq!(git_out(&w.t, &w.source, &["status", "--porcelain"]), "", "{name}");
            assert_eq!(w.source.join("new").exists(), is_checked_out, "{name}");
            if let Some(title) = options.iter().position(|it| *it == "--title").map(|at| options[at + 1]) {
                assert_eq!(git_out(&w.t, &w.source, &["log", "-1", "--format=%s", "main"]), title, "{name}");
            }
            let again = w.answer(&[&["merge", "--base", "main"], *options].concat());
            assert_eq!((&again["merged"], &again["saved"]), (&json!(merged), &json!(false)), "{name}");
        }
    }
}

#[test]
fn a_merge_stops_at_conflicts_and_at_work_in_the_checkout_of_its_base() {
    let w = World::new();
    let main = w.commit("file", "one\nother\n");
    let done = w.publish(&["merge", "--base", "main", "-o", "json"]).run().status(5);
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["conflicts"], json!([{"path": "file", "kind": "both_modified", "what": "file"}]));
    assert!(done.stderr.contains("execenv merge start 555555abcdef main"), "{done}");
    assert_eq!((w.at("main"), w.record()), (main, Value::Null));
    assert_eq!(git_out(&w.t, &w.source, &["status", "--porcelain"]), "");

    type Disturb = fn(&World);
    let dirty: [(&str, Disturb, &str); 4] = [
        ("edited", |w| _ = w.t.write(w.source.join("file"), "edited\n"), "with uncommitted changes"),
        ("in the way", |w| _ = w.t.write(w.source.join("new"), "mine\n"), "in the way of the merge"),
        (
            "ignored",
            |w| {
                w.git(&["add", "new"]); // the worktree has the same list of ignored files
                w.t.write(w.source.join(".git/info/exclude"), "new\n");
                w.t.write(w.source.join("new"), "mine\n");
            },
            "in the way of the merge: new",
        ),
        (
            "in progress",
            |w| _ = w.t.write(w.source.join(".git/MERGE_HEAD"), "x\n"),
            "where a merge is in progress",
        ),
    ];
    for (name, disturb, said) in dirty {
        let w = World::new();
        disturb(&w);
        let files =
            || (fs::read(w.source.join("file")).unwrap(), fs::read(w.source.join("new")).ok(), w.at("main"));
        let before = files();
        w.publish(&["merge", "--base", "main"]).fails(5, &[said, "repeat the command"]);
        assert_eq!(files(), before, "{name}");
    }
}

/// While a rebase or a bisect lasts, no worktree has its branch checked out.
#[test]
fn a_base_that_is_rebased_or_bisected_is_not_moved() {
    let edit = "GIT_SEQUENCE_EDITOR='sed -i s/^pick/edit/' git rebase -q -i HEAD~1";
    let edit_above = "git checkout -q -b above; git commit -q --allow-empty -m above; \
                      GIT_SEQUENCE_EDITOR='sed -i s/^pick/edit/' git rebase -q -i --update-refs HEAD~2";
    let bisect = "git bisect start -q; git bisect bad; git bisect good HEAD~2";
    for (script, folder, said) in [
        (edit, "source", "a rebase"),
        (edit, "linked", "a rebase"),
        (edit_above, "linked", "a rebase"),
        (bisect, "source", "a bisect"),
        (bisect, "linked", "a bisect"),
    ] {
        let w = World::new();
        w.commit("a", "a\n");
        w.commit("b", "b\n");
        if folder == "linked" {
            git(&w.t, &w.source, &["checkout", "-q", "--detach"]);
            git(&w.t, &w.source, &["worktree", "add", "-q", "../linked", "main"]);
        }
        let run = w.t.command("sh").args(["-c", script]).current_dir(w.t.tmp.join(folder)).output().unwrap();
        assert!(run.status.success(), "{script}: {run:?}");
        let before = (w.at("main"), w.git(&["rev-parse", "HEAD"]));
        w.publish(&["merge", "--base", "main"]).fails(5, &[said, "git worktree list"]);
        w.publish(&["branch", "--branch", "main"]).fails(5, &["main"]);
        assert_eq!(w.at("main"), before.0, "{script}");
    }
}

#[test]
fn a_base_that_moves_meanwhile_is_merged_into_as_it_is_then() {
    let w = World::new();
    git(&w.t, &w.source, &["checkout", "-q", "--detach"]);
    let merge = || w.publish(&["merge", "--base", "main", "--branch", "x"]);
    let undo = || {
        git(&w.t, &w.source, &["branch", "-f", "main", "HEAD"]);
        git(&w.t, &w.source, &["branch", "-D", "-q", "x"]);
    };
    merge().ok(); // now the work is committed, and the record has it
    undo();
    let count = w.t.tmp.join("count");
    let pid = merge().var("EXECENV_TEST_COUNT", &count).run().status(0).pid.to_string();
    let done = fs::read_to_string(count).unwrap().lines().filter(|line| *line == pid).count();
    // The last change moves main: the record has it all already.
    for point in done - 4..=done {
        undo();
        let meanwhile = || {
            let other =
                git_out(&w.t, &w.source, &["commit-tree", "-m", "other", "-p", "main", "main^{tree}"]);
            git(&w.t, &w.source, &["branch", "-f", "main", &other]);
        };
        let (done, was_stopped) =
            merge().var("EXECENV_TEST_STOP_AT", point.to_string()).run_with(|_| meanwhile());
        done.assert_sane(&[0]);
        assert!(was_stopped, "{point}: the hook is gone\n{done}");
        let log = git_out(&w.t, &w.source, &["log", "--format=%s", "main"]);
        assert!(log.starts_with("Merge branch 'x'\nother\n"), "{point}: {log}");
    }
}

#[test]
fn the_base_of_another_environment_waits_for_its_agent() {
    let w = World::new();
    let lead = "22222222-2222-4333-8444-000000000002";
    let other = w.t.prepare(["--task-id", lead, "--agent-name", "Lead", "--repo", "source"]);
    let base = git_out(&w.t, &other.join("workdir"), &["symbolic-ref", "--short", "HEAD"]);
    let run = w.t.execenv([
        "run",
        other.to_str().unwrap(),
        "--",
        "sh",
        "-c",
        "echo up > up; while [ ! -e go ]; do sleep 0.05; done",
    ]);
    let agent = run.start();
    crate::support::process::wait_until("the agent works", || {
        other.join("workdir/up").exists().then_some(())
    });
    w.publish(&["merge", "--base", &base]).fails(4, &["is in use by a live process"]);
    w.t.write(other.join("workdir/go"), "");
    assert!(agent.wait_with_output().unwrap().status.success());
    w.publish(&["merge", "--base", &base]).run().status(0);
    assert_eq!(fs::read(other.join("workdir/new")).unwrap(), b"new\n");
}

#[test]
fn a_branch_is_pushed_to_a_server_and_no_message_has_the_login() {
    let t = TestEnv::new();
    let served = served(&t);
    let server = serve(&served, Some(LOGIN));
    let host = server.url().strip_prefix("http://").unwrap().to_owned();
    let w = World::alone(t, &format!("http://ada:s3cret@{host}/ada/app.git"));
    let answer = w.answer(&["branch"]);
    assert_eq!(answer["target"], format!("http://{host}/ada/app.git"));
    let there = || git_out(&w.t, &served.join("ada/app.git"), &["rev-parse", OURS]);
    assert_eq!(there(), w.git(&["rev-parse", "HEAD"]));
    assert_eq!(w.git(&["rev-parse", &format!("refs/remotes/origin/{OURS}")]), there(), "it counts as pushed");
    w.write("file", "more\n");
    let done = w.publish(&["branch", "-vv"]).run().status(0);
    assert_eq!(there(), w.git(&["rev-parse", "HEAD"]));
    assert!(!format!("{done}{}", w.record()).contains("s3cret"), "{done}");

    // The server has commits that the work does not have.
    w.git(&["commit", "-q", "--amend", "-m", "other"]);
    let refused = w.publish(&["branch"]).fails(5, &["has commits there", "--force-with-lease"]);
    assert!(!refused.stderr.contains("s3cret"), "{refused}");
    w.publish(&["branch", "--force-with-lease"]).run().status(0);
    assert_eq!(there(), w.git(&["rev-parse", "HEAD"]));
    w.publish(&["merge"]).fails(2, &["nothing can be merged there", "--to pr"]);

    w.git(&["remote", "set-url", "origin", &format!("http://ada:wr0ng@{host}/ada/app.git")]);
    let refused = w.publish(&["branch"]).fails(1, &[]);
    assert!(!refused.stderr.contains("wr0ng"), "{refused}");
    w.git(&["remote", "remove", "origin"]);
    w.publish(&["branch"]).fails(1, &["has no remote `origin`", "--target DIR"]);
}

#[test]
fn the_default_branch_of_the_target_is_published_to_only_by_its_name() {
    let t = TestEnv::new();
    let served = served(&t);
    let server = serve(&served, None);
    let url = format!("{}/ada/app.git", server.url());
    let w = World::alone(t, &url);
    w.git(&["push", "-q", "origin", "HEAD:main"]);
    w.git(&["checkout", "-q", "main"]);
    for to in ["branch", "pr"] {
        w.publish(&[to])
            .fails(2, &["main is checked out, which is the default branch there", "--branch main"]);
    }
    let bare = w.bare();
    w.publish(&["branch", "--target", bare.to_str().unwrap()]).fails(2, &["the default branch there"]);
    w.publish(&["branch", "--branch", "main"]).run().status(0);
    let there = git_out(&w.t, &served.join("ada/app.git"), &["rev-parse", "main"]);
    assert_eq!(there, w.git(&["rev-parse", "HEAD"]));
}

/// Plays gh: keeps the pull requests in `pulls`, one a line, and what it was called with in `calls`.
pub const GH: &str = r#"dir=$(dirname "$0")
printf '%s\n' "$*" >> "$dir/calls"
env | grep -q '^GIT_' && exit 3
[ "$GH_PROMPT_DISABLED" = 1 ] || exit 4
case "$1 $2" in
"pr list")
    [ -s "$dir/pulls" ] && number=$(wc -l < "$dir/pulls") || { echo '[]'; exit; }
    echo "[{\"url\":\"https://forge/ada/app/pull/$number\",\"number\":$number,\"baseRefName\":\"main\",\"isCrossRepository\":false}]" ;;
"pr create")
    [ -e "$dir/broken" ] && { echo 'HTTP 502: try later' >&2; exit 1; }
    cat > "$dir/body"
    echo x >> "$dir/pulls"
    echo 'Creating pull request'
    echo "https://forge/ada/app/pull/$(wc -l < "$dir/pulls")" ;;
esac"#;

#[test]
fn a_pull_request_is_opened_once_by_gh() {
    let t = TestEnv::new();
    let served = served(&t);
    let server = serve(&served, None);
    let url = format!("{}/ada/app.git", server.url());
    let w = World::alone(t, &url);
    w.git(&["push", "-q", "origin", "main"]);
    let path = w.path_with("gh", GH);
    let read = |name: &str| fs::read_to_string(w.t.tmp.join("bin").join(name)).unwrap_or_default();
    let pr = |words: &[&str]| {
        let words = [&["pr"], words].concat();
        let run = w.t.execenv([&["publish", KEY, "--to"], &*words].concat());
        run.var("PATH", &path).var("GIT_DIR", "/nowhere").run()
    };

    w.t.write("bin/broken", "");
    let broken = pr(&[]).status(1);
    let host = server.url().strip_prefix("http://").unwrap().to_owned();
    for said in ["no pull request was opened", "HTTP 502", &format!("the branch {OURS} is pushed"), &host] {
        assert!(broken.stderr.contains(said), "{said}: {broken}");
    }
    let there = git_out(&w.t, &served.join("ada/app.git"), &["rev-parse", OURS]);
    assert_eq!(there, w.git(&["rev-parse", "HEAD"]));
    assert_eq!(w.record(), Value::Null);
    fs::remove_file(w.t.tmp.join("bin/broken")).unwrap();

    let answer = pr(&["--title", "Say two", "--body-file", "-", "-o", "json"]).status(0);
    let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
    let found = (&answer["pr_url"], &answer["pr_number"], &answer["base"]);
    assert_eq!(found, (&json!("https://forge/ada/app/pull/1"), &json!(1), &json!("main")));
    let call =
        format!("pr create --repo {host}/ada/app --head {OURS} --title Say two --base main --body-file -\n");
    assert!(read("calls").ends_with(&call), "{}", read("calls"));
    w.write("file", "more\n");
    assert_eq!(pr(&[]).status(0).stdout, "https://forge/ada/app/pull/1\n");
    assert_eq!(read("pulls").lines().count(), 1, "no second one");
    assert_eq!(w.record()[0]["url"], "https://forge/ada/app/pull/1");
    pr(&["--base", "next"]).status(0);
    assert_eq!(read("pulls").lines().count(), 2, "to another branch");

    let bin = w.t.tmp.join("only-git");
    fs::create_dir(&bin).unwrap();
    let real = w.t.command("sh").args(["-c", "command -v git"]).output().unwrap();
    std::os::unix::fs::symlink(String::from_utf8(real.stdout).unwrap().trim(), bin.join("git")).unwrap();
    w.write("file", "even more\n");
    let absent = w.publish(&["pr", "-o", "json"]).var("PATH", &bin).run().status(1);
    let said: Value = serde_json::from_str(absent.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(said["error"]["code"], "gh_missing", "{absent}");
    let hint = said["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("https://cli.github.com") && hint.contains("is pushed"), "{hint}");
    let there = git_out(&w.t, &served.join("ada/app.git"), &["rev-parse", OURS]);
    assert_eq!(there, w.git(&["rev-parse", "HEAD"]), "it is pushed all the same");
}

#[test]
fn nothing_that_a_repository_names_is_run_or_decides_where_it_goes() {
    let t = TestEnv::new();
    let served = served(&t);
    git(&t, &served, &["clone", "-q", "--bare", "ada/app.git", "ada/evil.git"]);
    git(&t, &served, &["-C", "ada/evil.git", "config", "http.receivepack", "true"]);
    let server = serve(&served, Some(LOGIN));
    let host = server.url().strip_prefix("http://").unwrap().to_owned();
    let url = format!("http://ada:s3cret@{host}/ada/app.git");
    let w = World::alone(t, &url);
    let bare = w.bare();
    let ran = w.t.tmp.join("ran");
    let bad = w.t.write("bad", format!("#!/bin/sh\ntouch {}\ncat\n", ran.display()));
    fs::set_permissions(&bad, fs::Permissions::from_mode(0o755)).unwrap();
    let bad = bad.to_str().unwrap();
    let evil = format!("url.http://ada:s3cret@{host}/ada/evil.git.insteadOf");
    let push_evil = format!("url.ext::{bad}.pushInsteadOf");
    let plain = format!("http://{host}/ada/app.git");
    let make_hostile = |dir: &Path| {
        for key in [
            "core.fsmonitor",
            "core.sshCommand",
            "core.gitProxy",
            "core.askPass",
            "core.alternateRefsCommand",
            "core.editor",
            "credential.helper",
            "gpg.program",
            "filter.bad.clean",
            "filter.bad.smudge",
            "filter.bad.process",
            "diff.bad.textconv",
            "merge.bad.driver",
            "remote.origin.uploadpack",
            "remote.origin.receivepack",
            "remote.origin.vcs",
            "uploadpack.packObjectsHook",
            "gc.recentObjectsHook",
        ] {
            git(&w.t, dir, &["config", key, bad]);
        }
        for (key, value) in [
            ("remote.origin.pushurl", format!("ext::{bad}")),
            (&evil, url.clone()),
            (&evil, plain.clone()),
            (&push_evil, plain.clone()),
            ("protocol.ext.allow", "always".into()),
            ("commit.gpgsign", "true".into()),
            ("push.gpgSign", "true".into()),
            ("receive.denyCurrentBranch", "updateInstead".into()),
            ("core.hooksPath", w.t.tmp.join("hooks").display().to_string()),
        ] {
            git(&w.t, dir, &["config", "--add", key, &value]);
        }
    };
    for hook in
        ["pre-commit", "commit-msg", "pre-push", "reference-transaction", "pre-receive", "post-index-change"]
    {
        let hook = w.t.write(format!("hooks/{hook}"), format!("#!/bin/sh\nexec {bad} </dev/null\n"));
        fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
    w.t.write(w.work.join(".git/info/attributes"), "* filter=bad diff=bad merge=bad\n");
    for dir in [&w.work, &bare] {
        make_hostile(dir);
    }
    let _ = fs::remove_file(&ran);

    w.publish(&["branch"]).run().status(0);
    let at = |path: &str| git_out(&w.t, &served.join(path), &["for-each-ref", "--format=%(refname)"]);
    assert_eq!((at("ada/app.git"), at("ada/evil.git")), (format!("refs/heads/{OURS}"), String::new()));
    let target = bare.to_str().unwrap();
    w.publish(&["branch", "--target", target]).run().status(0);
    w.publish(&["merge", "--base", "main", "--target", target, "--squash"]).run().status(0);
    for address in [format!("ext::{bad}"), "--upload-pack=x".into(), format!("file://{target}")] {
        git(&w.t, &w.work, &["config", "remote.origin.url", &address]);
        w.publish(&["branch"]).fails(2, &["the repository address"]);
    }
    // A path leads to that repository without its programs.
    git(&w.t, &w.work, &["config", "remote.origin.url", target]);
    w.write("file", "more\n");
    w.publish(&["branch"]).run().status(0);
    w.publish(&["pr"]).fails(2, &["a pull request needs a server"]);
    let there = fs::read_to_string(bare.join(format!("refs/heads/{OURS}"))).unwrap();
    assert_eq!(there, fs::read_to_string(w.work.join(format!(".git/refs/heads/{OURS}"))).unwrap());
    assert!(!ran.exists(), "a program of the repository's was run");
}

#[test]
fn a_second_squash_brings_only_what_came_since_the_first() {
    let w = World::new();
    let squash = ["merge", "--base", "main", "--squash"];
    for (text, others, next) in
        [("one\ntwo\n", "", "x\n"), ("one\nthree\n", "x\n", "y\n"), ("four\n", "y\n", "z\n")]
    {
        w.write("file", text);
        w.publish(&squash).run().status(0);
        assert_eq!(git_out(&w.t, &w.source, &["show", "main:file"]), text.trim_end());
        assert_eq!(git_out(&w.t, &w.source, &["log", "-1", "--format=%P", "main"]).len(), 40);
        assert_eq!(fs::read_to_string(w.source.join("others")).unwrap_or_default(), others);
        // What others do in between stays.
        w.commit("others", next);
    }
    // Whoever takes it back has the last word.
    w.commit("file", "back\n");
    w.write("new", "newer\n");
    w.publish(&squash).run().status(0);
    assert_eq!(git_out(&w.t, &w.source, &["show", "main:file"]), "back");
}

#[test]
fn what_cannot_be_published_is_refused_before_anything_is_committed() {
    let w = World::new();
    let head = w.git(&["rev-parse", "HEAD"]);
    for (words, status, said) in [
        (&["branch", "--branch", "a..b"][..], 2, "git allows no branch called `a..b`"),
        (&["branch", "--branch=-x"], 2, "git allows no branch"),
        (&["branch", "--squash"], 2, "`--squash` means nothing with `--to branch`"),
        (&["merge", "--body-file", "-"], 2, "`--body-file` means nothing"),
        (&["branch", "--base", "main"], 2, "`--base` means nothing"),
        (&["merge"], 2, "hint: `--base main`"),
        (&["elsewhere"], 2, "elsewhere"),
    ] {
        w.publish(words).fails(status, &[said]);
    }
    assert_eq!(w.git(&["rev-parse", "HEAD"]), head);
    w.publish(&["merge", "--base", "absent"]).fails(2, &["has no branch `absent`", "--base"]);
    w.git(&["checkout", "-q", "--detach"]);
    w.publish(&["branch"]).fails(1, &["no branch is checked out", "execenv branch 555555abcdef NAME"]);
    w.git(&["checkout", "-q", "--orphan", "unborn"]);
    w.git(&["rm", "-rq", "--cached", "."]);
    w.publish(&["branch"]).ok();
    assert_eq!(w.git(&["ls-tree", "-r", "--name-only", "unborn"]), "file\nnew");
    w.write("file", "x\n");
    let folder = w.git(&["rev-parse", "--git-dir"]);
    w.t.write(format!("{folder}/CHERRY_PICK_HEAD"), format!("{head}\n"));
    w.publish(&["branch"]).fails(5, &["a cherry-pick is in progress"]);
    fs::remove_file(w.work.join(&folder).join("CHERRY_PICK_HEAD")).unwrap();
    w.t.write(format!("{folder}/index.lock"), "");
    w.publish(&["branch"]).fails(5, &["index locked"]);
}
