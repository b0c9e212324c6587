//! `execenv merge`: compared with git's own merge, step by step, and by hand in between.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::repository::{git, git_out, make_repository};
use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};

const SIDE: &str = "agent/coder/0123456789ab";

/// An environment with a repository in its work dir, on a branch of its own; what both sides begin from is committed.
struct World {
    t: TestEnv,
    repo: PathBuf,
}

impl World {
    fn new(base: &[(&str, &str)]) -> World {
        World::with(base, &[])
    }

    fn with(base: &[(&str, &str)], init: &[&str]) -> World {
        let t = TestEnv::new();
        let repo = t.prepare(["--task-id", TASK]).join("workdir/repo");
        make_repository(&t, &repo, init);
        let w = World { t, repo };
        w.git(&["checkout", "-q", "-b", &format!("agent/lead/{KEY}")]);
        w.commit("base", |repo| {
            for (path, text) in base {
                write(&repo.join(path), text);
            }
        });
        w.git(&["branch", SIDE]);
        w
    }

    fn git(&self, words: &[&str]) -> String {
        git_out(&self.t, &self.repo, words)
    }

    fn commit(&self, message: &str, change: impl FnOnce(&Path)) {
        change(&self.repo);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// Commits on the side branch and comes back.
    fn side(&self, change: impl FnOnce(&Path)) {
        let back = self.git(&["symbolic-ref", "--short", "HEAD"]);
        self.git(&["checkout", "-q", SIDE]);
        self.commit("side", change);
        self.git(&["checkout", "-q", &back]);
    }

    fn merge(&self, words: &[&str]) -> crate::support::Run<'_> {
        let (step, rest) = words.split_first().unwrap();
        self.t.execenv([&["merge", *step, KEY], rest].concat())
    }

    fn merge_json(&self, words: &[&str], status: i32) -> Value {
        let done = self.merge(&[words, &["-o", "json"]].concat()).run().status(status);
        serde_json::from_str(&done.stdout).unwrap()
    }

    /// Index and files, as git shows them.
    fn state(&self, repo: &Path) -> (String, String, Vec<(PathBuf, String)>) {
        let files = snapshot(repo).into_iter();
        let files = files.filter(|(path, _)| !path.starts_with(".git") && !path.as_os_str().is_empty());
        let status = git_out(&self.t, repo, &["status", "--porcelain=v2", "-z"]);
        (git_out(&self.t, repo, &["ls-files", "--stage", "-z"]), status, files.collect())
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What both sides do to the files of the base.
struct Scenario {
    name: &'static str,
    ours: fn(&Path),
    theirs: fn(&Path),
    conflicts: &'static [(&'static str, &'static str)],
}

const BASE: &[(&str, &str)] =
    &[("text", "a\nb\nc\nd\ne\n"), ("gone", "g\n"), ("moved", "1\n2\n3\n4\n5\n6\n"), ("dir/deep", "x\n")];

fn scenarios() -> Vec<Scenario> {
    let scenario = |name, ours, theirs, conflicts| Scenario { name, ours, theirs, conflicts };
    vec![
        scenario(
            "both sides apart",
            |repo| write(&repo.join("new/ours"), "o"),
            |repo| {
                write(&repo.join("text"), "A\nb\nc\nd\ne\n");
                write(&repo.join("new/theirs"), "t");
                fs::remove_dir_all(repo.join("dir")).unwrap();
            },
            &[],
        ),
        scenario(
            "one line",
            |repo| write(&repo.join("text"), "a\nb\nours\nd\ne\n"),
            |repo| write(&repo.join("text"), "a\nb\ntheirs\nd\ne\n"),
            &[("text", "both_modified")],
        ),
        scenario(
            "removed by them",
            |repo| write(&repo.join("gone"), "changed\n"),
            |repo| fs::remove_file(repo.join("gone")).unwrap(),
            &[("gone", "deleted_by_them")],
        ),
        scenario(
            "removed by us",
            |repo| fs::remove_dir_all(repo.join("dir")).unwrap(),
            |repo| write(&repo.join("dir/deep"), "changed\n"),
            &[("dir/deep", "deleted_by_us")],
        ),
        scenario(
            "both added, an odd name",
            |repo| write(&repo.join("d ü/a\nb \"c\"\t"), "ours\n"),
            |repo| write(&repo.join("d ü/a\nb \"c\"\t"), "theirs\n"),
            &[("d ü/a\nb \"c\"\t", "both_added")],
        ),
        scenario(
            "binary",
            |repo| fs::write(repo.join("text"), b"\0ours\xff").unwrap(),
            |repo| fs::write(repo.join("text"), b"\0theirs\xfe").unwrap(),
            &[("text", "both_modified")],
        ),
        scenario(
            "renamed differently",
            |repo| fs::rename(repo.join("moved"), repo.join("ours")).unwrap(),
            |repo| fs::rename(repo.join("moved"), repo.join("theirs")).unwrap(),
            &[("moved", "both_deleted"), ("ours", "added_by_us"), ("theirs", "added_by_them")],
        ),
        scenario(
            "renamed and changed",
            |repo| {
                fs::remove_file(repo.join("moved")).unwrap();
                write(&repo.join("dir/here"), "1\n2\n3\n4\n5\n6\nours\n");
            },
            |repo| write(&repo.join("moved"), "1\n2\n3\n4\n5\n6\ntheirs\n"),
            &[("dir/here", "both_modified")],
        ),
        scenario(
            "symbolic links",
            |repo| {
                fs::remove_file(repo.join("gone")).unwrap();
                symlink("/ours", repo.join("gone")).unwrap();
            },
            |repo| {
                fs::remove_file(repo.join("gone")).unwrap();
                symlink("/theirs", repo.join("gone")).unwrap();
            },
            &[("gone", "deleted_by_us")],
        ),
        scenario(
            "a link and a file",
            |repo| symlink("text", repo.join("other")).unwrap(),
            |repo| write(&repo.join("other"), "file\n"),
            &[("other", "added_by_them")],
        ),
        scenario(
            "a folder in the place of a file",
            |repo| {
                fs::remove_file(repo.join("gone")).unwrap();
                write(&repo.join("gone/inside"), "i\n");
            },
            |repo| write(&repo.join("gone"), "changed\n"),
            &[("gone~SIDE", "deleted_by_us")],
        ),
        scenario(
            "modes",
            |repo| fs::set_permissions(repo.join("text"), fs::Permissions::from_mode(0o755)).unwrap(),
            |repo| write(&repo.join("text"), "a\nb\nc\nd\nE\n"),
            &[],
        ),
    ]
}

#[test]
fn index_files_and_status_are_those_of_gits_own_merge_and_an_abort_takes_all_back() {
    for case in scenarios() {
        let w = World::new(BASE);
        w.side(case.theirs);
        w.commit("ours", case.ours);
        let theirs = w.t.tmp.join("by-git");
        git(&w.t, &w.t.tmp, &["clone", "-q", w.repo.to_str().unwrap(), theirs.to_str().unwrap()]);
        git(&w.t, &theirs, &["branch", "-q", SIDE, &format!("origin/{SIDE}")]);
        let merged = merged_by_git(&w, &theirs);
        assert_eq!(merged, case.conflicts.is_empty(), "{}", case.name);

        let before = (w.state(&w.repo), w.git(&["rev-parse", "HEAD"]));
        let status = if case.conflicts.is_empty() { 0 } else { 5 };
        let answer = w.merge_json(&["start", SIDE], status);
        let listed = |path: &Value| path.as_str().unwrap().replace(&SIDE.replace('/', "_"), "SIDE");
        let found: Vec<(String, &str)> = answer["conflicts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| (listed(&it["path"]), it["kind"].as_str().unwrap()))
            .collect();
        let kinds: Vec<(String, &str)> =
            case.conflicts.iter().map(|(path, kind)| ((*path).to_owned(), *kind)).collect();
        if case.name != "symbolic links" && case.name != "a link and a file" {
            assert_eq!(found, kinds, "{}", case.name);
        }
        assert_eq!(w.state(&w.repo), w.state(&theirs), "{}", case.name);
        for name in ["MERGE_HEAD", "MERGE_MODE"] {
            let read = |repo: &Path| fs::read(repo.join(".git").join(name)).unwrap();
            assert_eq!(read(&w.repo), read(&theirs), "{}: {name}", case.name);
        }
        assert_eq!(w.merge_json(&["status"], 0)["state"], "merging");
        w.merge(&["start", SIDE]).fails(5, &["is in progress"]);

        let aborted = w.merge_json(&["abort"], 0);
        assert_eq!((&aborted["aborted"], &aborted["kept"]), (&json!(true), &Value::Null), "{}", case.name);
        assert_eq!((w.state(&w.repo), w.git(&["rev-parse", "HEAD"])), before, "{}", case.name);
        assert!(!w.repo.join(".git/MERGE_HEAD").exists() && !w.repo.join(".git/MERGE_MSG").exists());
        // What execenv began, git takes back.
        w.merge(&["start", SIDE]).run().status(status);
        w.git(&["merge", "--abort"]);
        assert_eq!((w.state(&w.repo), w.git(&["rev-parse", "HEAD"])), before, "{}: by git", case.name);
        assert_eq!(w.merge_json(&["status"], 0)["state"], "none");
        assert_eq!(w.merge_json(&["abort"], 0)["aborted"], false);
    }
}

fn merged_by_git(w: &World, repo: &Path) -> bool {
    let identity = ["-c", "user.name=T", "-c", "user.email=t@example.invalid"];
    let mut git = w.t.command("git");
    git.current_dir(repo).args(identity).args(["merge", "-q", "--no-ff", "--no-commit", SIDE]);
    git.output().unwrap().status.success()
}

#[test]
fn each_conflict_is_resolved_by_either_side_and_committed() {
    for case in scenarios().into_iter().filter(|case| !case.conflicts.is_empty()) {
        // The other side is the next one's.
        let sides = [("ours", "HEAD"), ("THEIRS", SIDE)];
        for (side, of) in if case.name.len() % 2 == 0 { &sides[..1] } else { &sides[1..] } {
            let w = World::new(BASE);
            w.side(case.theirs);
            w.commit("ours", case.ours);
            let tip = w.git(&["rev-parse", *of]);
            w.merge(&["start", SIDE]).run().status(5);
            w.merge(&["commit"]).fails(5, &["conflicts in", "merge resolve"]);
            let done = w.merge_json(&["resolve", "--all", side], 0);
            assert_eq!(done["conflicts"], json!([]), "{}", case.name);
            let committed = w.merge_json(&["commit", "-m", "both"], 0);
            let parents = w.git(&["log", "-1", "--format=%P %s"]);
            let ours = w.git(&["rev-parse", "HEAD^"]);
            assert_eq!(parents, format!("{ours} {} both", w.git(&["rev-parse", SIDE])), "{}", case.name);
            assert_eq!(committed["commit"].as_str(), Some(&*w.git(&["rev-parse", "HEAD"])));
            assert_eq!(w.git(&["status", "--porcelain"]), "", "{} {side}", case.name);
            // Each path in conflict is as that side had it.
            for (path, _) in case.conflicts {
                let path = path.replace("~SIDE", "");
                let at = |commit: &str| w.git(&["ls-tree", commit, "--", &path]);
                if !case.name.starts_with("a folder")
                    && !case.name.starts_with("a link")
                    && case.name != "renamed and changed"
                {
                    assert_eq!(at("HEAD"), at(&tip), "{}: {path} by {side}", case.name);
                }
            }
            assert_eq!(w.merge_json(&["check"], 0)["merged"][0]["merged_by"], "git");
        }
    }
}

#[test]
fn what_was_done_by_hand_is_understood() {
    let w = World::new(BASE);
    w.side(|repo| write(&repo.join("text"), "theirs\n"));
    w.commit("ours", |repo| write(&repo.join("text"), "ours\n"));
    // Resolved and committed with git.
    w.merge(&["start", SIDE]).run().status(5);
    write(&w.repo.join("text"), "both\n");
    w.git(&["add", "text"]);
    assert_eq!(w.merge_json(&["status"], 0)["conflicts"], json!([]));
    w.git(&["commit", "-q", "-m", "by hand"]);
    assert_eq!(w.merge_json(&["status"], 0)["state"], "none");
    let head = w.git(&["rev-parse", "HEAD"]);
    let done = w.merge(&["commit", "-o", "json"]).run().status(0);
    assert!(done.stderr.contains("was committed already"), "{done}");
    assert_eq!(serde_json::from_str::<Value>(&done.stdout).unwrap()["commit"], json!(head));
    // The caller may not have learned of it.
    let again = w.merge(&["commit", "-o", "json"]).run().status(0);
    assert_eq!(serde_json::from_str::<Value>(&again.stdout).unwrap()["commit"], json!(head));
    assert_eq!(w.merge_json(&["start", SIDE], 0)["up_to_date"], true);
    w.commit("later", |repo| write(&repo.join("later"), "later\n"));
    w.merge(&["commit"]).fails(1, &["no merge is in progress", "merge start"]);

    // Begun with git, finished here.
    w.side(|repo| write(&repo.join("more"), "m\n"));
    w.git(&["merge", "-q", "--no-ff", "--no-commit", SIDE]);
    let status = w.merge_json(&["status"], 0);
    assert_eq!((&status["state"], &status["branch"]), (&json!("merging"), &json!(SIDE)));
    w.merge(&["commit"]).ok();
    assert_eq!(w.git(&["log", "-1", "--format=%s"]), format!("Merge branch '{SIDE}' into agent/lead/{KEY}"));
    // Begun with git, taken back here; an edit of the conflict is kept.
    w.side(|repo| write(&repo.join("text"), "theirs again\n"));
    w.commit("ours", |repo| write(&repo.join("text"), "ours again\n"));
    let merged = merged_by_git(&w, &w.repo);
    assert!(!merged);
    write(&w.repo.join("text"), "half done\n");
    let aborted = w.merge(&["abort", "-o", "json"]).run().status(0);
    assert!(aborted.stderr.contains("kept the edited files of the merge as refs/execenv/"), "{aborted}");
    let kept = serde_json::from_str::<Value>(&aborted.stdout).unwrap()["kept"].as_str().unwrap().to_owned();
    assert_eq!(w.git(&["show", &format!("{kept}:text")]), "half done");
    assert_eq!(w.git(&["status", "--porcelain"]), "");
}

#[test]
fn other_edits_stay_at_an_abort_and_edits_of_the_merge_are_kept() {
    let w = World::new(BASE);
    w.side(|repo| {
        write(&repo.join("text"), "theirs\n");
        write(&repo.join("gone"), "merged\n");
    });
    w.commit("ours", |repo| write(&repo.join("text"), "ours\n"));
    w.merge(&["start", SIDE]).run().status(5);
    write(&w.repo.join("dir/deep"), "an edit elsewhere\n");
    write(&w.repo.join("untracked"), "u\n");
    write(&w.repo.join("added"), "a\n");
    w.git(&["add", "added", "dir/deep"]);
    write(&w.repo.join("gone"), "edited after the merge\n");
    let aborted = w.merge(&["abort", "-o", "json"]).run().status(0);
    let kept = serde_json::from_str::<Value>(&aborted.stdout).unwrap()["kept"].as_str().unwrap().to_owned();
    assert_eq!(w.git(&["show", &format!("{kept}:gone")]), "edited after the merge");
    assert_eq!(w.git(&["status", "--porcelain"]), " M dir/deep\n?? added\n?? untracked");
    assert_eq!(fs::read_to_string(w.repo.join("gone")).unwrap(), "g\n");
}

#[test]
fn a_conflict_is_resolved_by_the_edited_file_and_nothing_else_is_taken_for_one() {
    let w = World::new(BASE);
    w.side(|repo| {
        write(&repo.join("text"), "theirs\n");
        write(&repo.join("gone"), "theirs\n");
    });
    w.commit("ours", |repo| {
        write(&repo.join("text"), "ours\n");
        write(&repo.join("gone"), "ours\n");
    });
    w.merge(&["resolve", "text", "ours"]).fails(1, &["no merge is in progress"]);
    w.merge(&["start", SIDE]).run().status(5);
    let before = w.state(&w.repo);
    for (words, status, part) in [
        (&["resolve", "text", "edited"][..], 5, "has conflict markers in it"),
        (&["resolve", "moved", "ours"], 2, "no path with a conflict"),
        (&["resolve", "../repo/text", "ours"], 2, "no path with a conflict"),
        (&["resolve", "/etc/passwd", "ours"], 2, "no path with a conflict"),
        (&["resolve", "text", "mine"], 2, "`mine` is no side"),
        (&["resolve", "text"], 2, "`text` is no side"),
        (&["resolve", "ours"], 2, "no FILE is given"),
        (&["resolve", "--all", "text", "ours"], 2, "takes no FILE"),
    ] {
        w.merge(words).fails(status, &[part]);
    }
    assert_eq!(w.state(&w.repo), before);
    write(&w.repo.join("text"), "both\n");
    let text = w.repo.join("text");
    assert_eq!(
        w.merge_json(&["resolve", text.to_str().unwrap(), "edited"], 0)["conflicts"][0]["path"],
        "gone"
    );
    fs::remove_file(w.repo.join("gone")).unwrap();
    w.merge(&["resolve", "./gone", "edited"]).ok();
    w.merge(&["commit"]).ok();
    assert_eq!(w.git(&["show", "HEAD:text"]), "both");
    assert_eq!(w.git(&["ls-tree", "HEAD", "gone"]), "");
    assert_eq!(w.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_squashed_branch_counts_by_the_record_as_long_as_the_repository_bears_it_out() {
    let w = World::new(BASE);
    w.side(|repo| write(&repo.join("text"), "theirs\n"));
    let checked = |status| w.merge_json(&["check"], status);
    assert_eq!(checked(5)["unmerged"][0]["branch"], SIDE);
    w.merge(&["start", "0123", "--commit", "--squash", "-m", "one commit"]).ok();
    assert_eq!(w.git(&["log", "-1", "--format=%s %p"]).split(' ').count(), 3);
    assert_eq!(w.git(&["show", "HEAD:text"]), "theirs");
    assert_eq!(checked(0)["merged"][0]["merged_by"], "record");
    let list = w.merge(&["list"]).ok().stdout;
    assert!(list.contains(SIDE) && list.contains("merged") && list.contains("side"), "{list}");
    // Work that came after it.
    let tip = w.git(&["rev-parse", SIDE]);
    w.side(|repo| write(&repo.join("later"), "l\n"));
    assert_eq!(checked(5)["unmerged"][0]["branch"], SIDE);
    w.git(&["update-ref", &format!("refs/heads/{SIDE}"), &tip]);
    assert_eq!(checked(0)["can_complete"], true);
    // The commit is gone.
    w.git(&["reset", "-q", "--hard", "HEAD^"]);
    assert_eq!(checked(5)["can_complete"], false);
    // A record that an agent has written proves nothing.
    let meta = w.t.root.join(format!("default/{KEY}/.gc_meta.json"));
    let mut record: Value = serde_json::from_slice(&fs::read(&meta).unwrap()).unwrap();
    let head = w.git(&["rev-parse", "HEAD"]);
    record["execenv"]["merge"]["merged"] =
        json!([{"repository": "repo", "branch": SIDE, "source": "--all", "commit": head}]);
    fs::write(&meta, record.to_string()).unwrap();
    assert_eq!(checked(5)["can_complete"], false);
}

#[test]
fn branches_are_skipped_with_a_reason_and_those_of_before_are_not_counted() {
    let w = World::new(BASE);
    for (branch, created) in
        [("agent/old/00000000aaaa", "2026-01-01T00:00:00Z"), ("makima/fix-bbbb0000", "2026-11-01T00:00:00Z")]
    {
        let mut git = w.t.command("git");
        git.current_dir(&w.repo).env("GIT_COMMITTER_DATE", created);
        git.args(["-c", "user.name=T", "-c", "user.email=t@x", "checkout", "-q", "-b", branch]);
        assert!(git.output().unwrap().status.success());
        w.commit("work", |repo| write(&repo.join("work"), branch));
        w.git(&["checkout", "-q", &format!("agent/lead/{KEY}")]);
    }
    let all = w.merge_json(&["list"], 0);
    let words: Vec<(&str, &str)> = all["branches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["branch"].as_str().unwrap(), it["status"].as_str().unwrap()))
        .collect();
    let mut sorted = words.clone();
    sorted.sort_unstable();
    let expected =
        [(SIDE, "merged"), ("agent/old/00000000aaaa", "older"), ("makima/fix-bbbb0000", "unmerged")];
    assert_eq!(sorted, expected);
    assert_eq!(
        w.merge(&["check"]).run().status(5).stdout,
        "unmerged\tmakima/fix-bbbb0000\n1 merged, 0 skipped, 1 unmerged; not counted: 1 older than the environment (`execenv merge list`)\n"
    );
    assert_eq!(w.merge_json(&["check"], 5)["older"][0]["branch"], "agent/old/00000000aaaa");
    w.merge(&["skip", "nothing", "why"]).fails(3, &["no branch or task `nothing`"]);
    w.merge(&["skip", "bbbb0000"]).fails(2, &["missing argument"]);
    w.merge(&["skip", "bbbb0000", " "]).fails(2, &["the reason is empty"]);
    w.merge(&["skip", "bbbb", "second attempt"]).ok();
    assert_eq!(w.merge_json(&["check"], 0)["skipped"][0]["reason"], "second attempt");
    w.merge(&["skip", "makima/fix-bbbb0000", "--undo"]).ok();
    w.merge(&["check"]).run().status(5);
    // One that is merged all the same counts.
    w.merge(&["start", "agent/old/00000000aaaa", "--commit"]).ok();
    assert_eq!(w.merge_json(&["check"], 5)["merged"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_in_the_way_is_told_and_nothing_is_changed() {
    let conflict = |w: &World| {
        w.side(|repo| {
            write(&repo.join("text"), "theirs\n");
            write(&repo.join("new"), "theirs\n");
        });
        w.commit("ours", |repo| write(&repo.join("gone"), "ours\n"));
    };
    type Refused = (&'static str, fn(&World), i32, &'static str);
    let cases: [Refused; 7] = [
        (
            "a changed file",
            |w| write(&w.repo.join("dir/deep"), "dirty\n"),
            5,
            "uncommitted changes: dir/deep",
        ),
        (
            "a staged file",
            |w| {
                write(&w.repo.join("dir/deep"), "dirty\n");
                w.git(&["add", "-A"]);
            },
            5,
            "uncommitted changes: dir/deep",
        ),
        (
            "a hidden edit",
            |w| {
                w.git(&["update-index", "--assume-unchanged", "text"]);
                write(&w.repo.join("text"), "hidden\n");
            },
            5,
            "uncommitted changes: text",
        ),
        (
            "an untracked file",
            |w| write(&w.repo.join("new"), "untracked\n"),
            5,
            "are in the way of the merge",
        ),
        (
            "no branch",
            |w| {
                w.git(&["checkout", "-q", "--detach"]);
            },
            1,
            "no branch is checked out",
        ),
        (
            "a rebase",
            |w| fs::create_dir(w.repo.join(".git/rebase-merge")).unwrap(),
            5,
            "a rebase is in progress",
        ),
        (
            "no such branch",
            |w| {
                w.git(&["branch", "-D", SIDE]);
            },
            3,
            "no branch or task",
        ),
    ];
    for (name, disturb, status, part) in cases {
        let w = World::new(BASE);
        conflict(&w);
        disturb(&w);
        let before = w.state(&w.repo);
        w.merge(&["start", SIDE]).fails(status, &[part]);
        assert_eq!(w.state(&w.repo), before, "{name}");
        assert!(!w.repo.join(".git/MERGE_HEAD").exists(), "{name}");
        let record = fs::read_to_string(w.t.root.join(format!("default/{KEY}/.gc_meta.json"))).unwrap();
        assert!(!record.contains("orig_head"), "{name}: {record}");
    }
    let w = World::new(BASE);
    w.git(&["checkout", "-q", "--orphan", "unborn"]);
    w.merge(&["start", SIDE]).fails(1, &["has no commit yet"]);
    fs::remove_dir_all(w.repo.join(".git")).unwrap();
    w.merge(&["status"]).fails(1, &["there is no git repository in"]);
}

#[test]
fn nothing_that_a_repository_names_is_run() {
    let w = World::new(BASE);
    w.side(|repo| {
        write(&repo.join("text"), "theirs\n");
        write(&repo.join(".gitattributes"), "* filter=bad diff=bad merge=bad\n");
    });
    w.commit("ours", |repo| {
        write(&repo.join("text"), "ours\n");
        write(&repo.join("dir/deep"), "ours\n");
    });
    let bad = w.t.write("bad", "#!/bin/sh\ntouch \"$(dirname \"$0\")/ran\"\ncat\n");
    fs::set_permissions(&bad, fs::Permissions::from_mode(0o755)).unwrap();
    let bad = bad.to_str().unwrap();
    write(&w.repo.join(".git/info/attributes"), "* filter=bad diff=bad merge=bad\n");
    for key in [
        "filter.bad.clean",
        "filter.bad.smudge",
        "filter.bad.process",
        "diff.bad.textconv",
        "diff.bad.command",
        "diff.external",
        "merge.bad.driver",
        "core.fsmonitor",
        "core.sshCommand",
        "gpg.program",
        "core.editor",
    ] {
        w.git(&["config", key, bad]);
    }
    w.git(&["config", "core.hooksPath", w.t.tmp.join("hooks").to_str().unwrap()]);
    w.git(&["config", "commit.gpgsign", "true"]);
    for hook in [
        "pre-merge-commit",
        "post-merge",
        "pre-commit",
        "commit-msg",
        "prepare-commit-msg",
        "post-commit",
        "reference-transaction",
        "post-index-change",
        "post-checkout",
    ] {
        let hook = w.t.write(format!("hooks/{hook}"), format!("#!/bin/sh\nexec {bad} </dev/null\n"));
        fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let _ = fs::remove_file(w.t.tmp.join("ran"));
    w.merge(&["start", SIDE]).run().status(5);
    w.merge(&["status"]).ok();
    w.merge(&["list"]).ok();
    w.merge(&["resolve", "--all", "theirs"]).ok();
    w.merge(&["abort"]).run().status(0);
    w.merge(&["start", SIDE]).run().status(5);
    write(&w.repo.join("text"), "both\n");
    w.merge(&["resolve", "text", "edited"]).ok();
    w.merge(&["commit"]).ok();
    w.merge(&["check"]).ok();
    assert!(!w.t.tmp.join("ran").exists());
    assert_eq!(w.git(&["-c", "core.fsmonitor=false", "show", "--no-textconv", "HEAD:text"]), "both");
}

#[test]
fn odd_repositories() {
    for (name, init) in [("sha256", &["--object-format=sha256"][..]), ("plain", &[])] {
        let w = World::with(BASE, init);
        w.side(|repo| write(&repo.join("text"), "theirs\n"));
        w.commit("ours", |repo| write(&repo.join("text"), "ours\n"));
        w.merge(&["start", SIDE]).run().status(5);
        w.merge(&["resolve", "text", "theirs"]).ok();
        w.merge(&["commit"]).ok();
        assert_eq!(w.git(&["status", "--porcelain"]), "", "{name}");
    }
    // A sparse checkout: what it leaves out is not written.
    let w = World::new(BASE);
    w.side(|repo| {
        write(&repo.join("dir/deep"), "theirs\n");
        write(&repo.join("dir/more"), "theirs\n");
        write(&repo.join("text"), "theirs\n");
    });
    w.commit("ours", |repo| write(&repo.join("text"), "ours\n"));
    w.git(&["sparse-checkout", "set", "--cone"]);
    assert!(!w.repo.join("dir").exists());
    let before = w.state(&w.repo);
    w.merge(&["start", SIDE]).run().status(5);
    assert!(!w.repo.join("dir").exists());
    w.merge(&["abort"]).ok();
    assert_eq!(w.state(&w.repo), before);
    w.merge(&["start", SIDE]).run().status(5);
    w.merge(&["resolve", "text", "ours"]).ok();
    w.merge(&["commit"]).ok();
    assert_eq!(
        (w.git(&["show", "HEAD:dir/more"]), w.git(&["status", "--porcelain"])),
        ("theirs".into(), String::new())
    );
    assert!(!w.repo.join("dir").exists());
}

#[test]
fn submodules_are_resolved_in_the_index() {
    let w = World::new(BASE);
    let module = w.t.tmp.join("module");
    make_repository(&w.t, &module, &[]);
    let commits: Vec<String> = ["base", "ours", "theirs"]
        .iter()
        .map(|branch| {
            git(&w.t, &module, &["checkout", "-q", "-B", branch, "main"]);
            git(&w.t, &module, &["commit", "-q", "--allow-empty", "-m", branch]);
            git_out(&w.t, &module, &["rev-parse", "HEAD"])
        })
        .collect();
    let link = |at: &str| {
        w.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{at},sub")]);
        w.git(&["commit", "-q", "-m", "link"]);
    };
    link(&commits[0]);
    w.git(&["branch", "-f", SIDE]);
    w.git(&["checkout", "-q", SIDE]);
    link(&commits[2]);
    w.git(&["checkout", "-q", &format!("agent/lead/{KEY}")]);
    link(&commits[1]);
    let answer = w.merge_json(&["start", SIDE], 5);
    assert_eq!(answer["conflicts"], json!([{"path": "sub", "kind": "both_modified", "what": "submodule"}]));
    w.merge(&["resolve", "sub", "theirs"]).ok();
    w.merge(&["commit"]).ok();
    assert!(w.git(&["ls-tree", "HEAD", "sub"]).contains(&commits[2]));
}

#[test]
fn a_linked_worktree_and_several_repositories() {
    let t = TestEnv::new();
    let source = t.tmp.join("source");
    make_repository(&t, &source, &[]);
    let work = t.prepare(["--task-id", TASK]).join("workdir");
    let tree = work.join("tree");
    let before = || {
        let shared = ["config", "index", "HEAD", "hooks"].map(|name| source.join(".git").join(name));
        shared.map(|path| if path.is_dir() { String::new() } else { format!("{:?}", fs::read(path).ok()) })
    };
    git(&t, &source, &["worktree", "add", "-q", "--no-track", "-b", "agent/lead/1", tree.to_str().unwrap()]);
    git(&t, &source, &["branch", SIDE]);
    let kept = before();
    git(&t, &source, &["worktree", "add", "-q", t.tmp.join("other").to_str().unwrap(), SIDE]);
    t.write("other/file", "theirs\n");
    git(&t, &t.tmp.join("other"), &["commit", "-q", "-am", "side"]);
    t.write(tree.join("file"), "ours\n");
    git(&t, &tree, &["commit", "-q", "-am", "ours"]);
    t.execenv(["merge", "start", KEY, SIDE]).run().status(5);
    assert!(git_out(&t, &tree, &["status"]).contains("You have unmerged paths"));
    t.execenv(["merge", "resolve", KEY, "file", "theirs"]).ok();
    t.execenv(["merge", "commit", KEY]).ok();
    assert_eq!(git_out(&t, &tree, &["status", "--porcelain"]), "");
    assert_eq!(before(), kept);
    make_repository(&t, &work.join("second"), &[]);
    git(&t, &work.join("second"), &["branch", SIDE]);
    t.execenv(["merge", "list", KEY]).fails(2, &["holds several repositories: second, tree"]);
    assert!(t.execenv(["merge", "list", KEY, "--in", "second"]).ok().stdout.contains(SIDE));
    let before = snapshot(&work);
    t.write(tree.join(".git"), format!("gitdir: {}\n", source.join(".git").display()));
    t.execenv(["merge", "list", KEY, "--in", "tree"]).fails(1, &["does not know it as a worktree"]);
    t.write(tree.join(".git"), "gitdir: /nowhere\n");
    t.execenv(["merge", "list", KEY, "--in", "tree"]).run().status(1);
    let link = format!("gitdir: {}\n", source.join(".git/worktrees/tree").display());
    t.write(tree.join(".git"), link);
    assert_same(&before, &snapshot(&work), "commands that were refused");
}

#[test]
fn reuse_keeps_what_was_merged_and_skipped() {
    let w = World::new(&[]);
    w.side(|repo| write(&repo.join("new"), "x"));
    w.merge(&["skip", SIDE, "not needed"]).run().status(0);
    w.t.execenv(["reuse", KEY, "--task-id", TASK]).run().status(0);
    let list = w.merge(&["list"]).run().status(0);
    assert!(list.stdout.contains("skipped"), "{list}");
}

#[test]
fn a_task_that_another_one_continues_is_merged_with_it() {
    let w = World::new(BASE);
    w.git(&["branch", "-D", "-q", SIDE]);
    let ids = ["a", "b", "c"].map(|id| format!("33333333-2222-4333-8444-00000000000{id}"));
    let keys = ["a", "b", "c"].map(|id| format!("00000000000{id}"));
    let link = |key: &str, from: Option<&str>, prepared: &str| {
        let path = w.t.root.join("default").join(key).join(".gc_meta.json");
        let mut meta: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        meta["execenv"]["repository"] = json!({"continued_from": from.unwrap_or_default()});
        meta["execenv"]["prepared_at"] = prepared.into();
        fs::write(path, meta.to_string()).unwrap();
    };
    for (id, key) in ids.iter().zip(&keys) {
        w.t.prepare(["--task-id", id]);
        w.git(&["checkout", "-q", "-b", &format!("agent/coder/{key}"), &format!("agent/lead/{KEY}")]);
        w.commit(key, |repo| write(&repo.join(key), "work\n"));
    }
    w.git(&["checkout", "-q", &format!("agent/lead/{KEY}")]);
    let [a, b, c] = &keys;
    w.merge(&["start", c, "--commit", "--squash"]).run().status(0);
    let standing = |status| {
        let all = w.merge_json(&["check"], status);
        let of = |list: &str| -> Vec<String> {
            let branches = all[list].as_array().unwrap().iter();
            branches.map(|it| format!("{} {}", it["task"], it["merged_by"]).replace('"', "")).collect()
        };
        (of("merged"), of("unmerged"))
    };
    let unmerged = |keys: &[&String]| keys.iter().map(|key| format!("{key} null")).collect::<Vec<_>>();
    assert_eq!(standing(5), (vec![format!("{c} record")], unmerged(&[a, b])));

    let later = "2999-01-01T00:00:00Z";
    link(b, Some(a), later);
    link(c, Some(&format!("default/{b}")), later);
    let all = vec![format!("{a} chain"), format!("{b} chain"), format!("{c} record")];
    assert_eq!(standing(0), (all, vec![]), "A, B and C by C alone");
    // What was committed after the later one began is not in it.
    link(b, Some(a), "2001-01-01T00:00:00Z");
    assert_eq!(standing(5).1, unmerged(&[a]));
    link(c, Some(b), "2001-01-01T00:00:00Z");
    assert_eq!(standing(5).1, unmerged(&[a, b]));
    // No path, no circle.
    for from in ["../../elsewhere", "", c.as_str()] {
        link(c, Some(from), later);
        assert_eq!(standing(5).1, unmerged(&[a, b]), "{from}");
    }
}
