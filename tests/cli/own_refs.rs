//! The refs of ours, `refs/execenv/<key>/…`, in a repository of the user's: they go with the environment, but for only copies.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::repository::{git, git_out, make_repository};
use crate::support::{KEY, Run, TASK, TestEnv};

struct World {
    t: TestEnv,
    source: PathBuf,
    env: PathBuf,
}

impl World {
    fn new() -> World {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        make_repository(&t, &source, &[]);
        let env = t.prepare(["--task-id", TASK, "--lease", "0", "--repo", "source"]);
        World { t, source, env }
    }

    fn work_dir(&self) -> PathBuf {
        self.env.join("workdir")
    }

    /// Saves a change, and takes it back.
    fn save(&self) {
        save(&self.t, &self.work_dir());
    }

    /// Makes the checkpoint of the record one that nobody asked for, as a heartbeat's is.
    fn forget_who_asked(&self) {
        self.change_record(|own| own["checkpoints"][0]["manual"] = json!(false));
    }

    fn change_record(&self, change: impl FnOnce(&mut Value)) {
        let file = self.env.join(".gc_meta.json");
        let mut record: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        change(&mut record["execenv"]);
        self.t.write(file, record.to_string());
    }

    fn cleanup(&self, more: &[&str]) -> Run<'_> {
        self.t.execenv([&["cleanup", KEY][..], more].concat())
    }

    /// Refs by their last part; those of others in full.
    fn left(&self) -> String {
        left(&self.t, &self.source)
    }
}

fn save(t: &TestEnv, work_dir: &Path) {
    t.write(work_dir.join("file"), "saved\n");
    t.execenv(["checkpoint", KEY, "-m", "saved"]).run().status(0);
    git(t, work_dir, &["checkout", "-q", "--", "file"]);
}

fn left(t: &TestEnv, source: &Path) -> String {
    let all = git_out(t, source, &["for-each-ref", "--format=%(refname)", "refs/execenv"]);
    let ours = format!("refs/execenv/{KEY}/");
    let names: Vec<&str> = all.lines().map(|name| name.strip_prefix(&ours).unwrap_or(name)).collect();
    names.join(" ").split("snapshot-").next().unwrap().to_owned()
}

#[test]
fn refs_go_with_the_environment_if_nothing_is_lost_with_them() {
    type Case = (&'static str, fn(&World), &'static str, &'static [&'static str]);
    let cases: [Case; 8] = [
        (
            "asked for, and nowhere else",
            World::save,
            "checkpoint-1",
            &["checkpoint-1 holds work", "update-ref -d"],
        ),
        (
            "on a branch meanwhile",
            |w| {
                w.save();
                git(&w.t, &w.source, &["branch", "kept", &format!("refs/execenv/{KEY}/checkpoint-1")]);
            },
            "",
            &[],
        ),
        (
            "on a branch meanwhile, in another commit",
            |w| {
                w.save();
                let tree = format!("refs/execenv/{KEY}/checkpoint-1^{{tree}}");
                let commit = git_out(&w.t, &w.source, &["commit-tree", "-m", "the same files", &tree]);
                git(&w.t, &w.source, &["branch", "same", &commit]);
            },
            "checkpoint-1",
            &["checkpoint-1 has the files of a commit on a branch", "update-ref -d"],
        ),
        (
            "nobody asked for it",
            |w| {
                w.save();
                w.forget_who_asked();
            },
            "",
            &[],
        ),
        (
            "built on a commit that no ref would hold",
            |w| {
                git(&w.t, &w.work_dir(), &["checkout", "-q", "--detach"]);
                git(&w.t, &w.work_dir(), &["commit", "-q", "--allow-empty", "-m", "on no branch"]);
                w.save();
                w.forget_who_asked();
            },
            "checkpoint-1",
            &["checkpoint-1 holds work"],
        ),
        (
            "the branch has the commit that it is built on, and stays for it",
            |w| {
                git(&w.t, &w.work_dir(), &["commit", "-q", "--allow-empty", "-m", "on the branch"]);
                w.save();
                w.forget_who_asked();
            },
            "",
            &["has 1 commit that is nowhere else"],
        ),
        (
            "of others, whose key is longer",
            |w| {
                for name in [format!("{KEY}0/wip"), format!("x{KEY}/wip"), "wip".to_owned()] {
                    git(&w.t, &w.source, &["update-ref", &format!("refs/execenv/{name}"), "HEAD"]);
                }
            },
            "refs/execenv/KEY0/wip refs/execenv/wip refs/execenv/xKEY/wip",
            &[],
        ),
        (
            "a record that lists what is no checkpoint",
            |w| {
                w.save();
                let tip = git_out(&w.t, &w.source, &["rev-parse", &format!("refs/execenv/{KEY}/wip")]);
                for name in ["wip", "checkpoint-1"] {
                    git(&w.t, &w.source, &["update-ref", "-d", &format!("refs/execenv/{KEY}/{name}")]);
                }
                git(&w.t, &w.source, &["update-ref", &format!("refs/execenv/{KEY}/merge-1"), &tip]);
                w.forget_who_asked();
            },
            "merge-1",
            &["merge-1 holds work"],
        ),
    ];
    for (why, make, expected, told) in cases {
        for all in [&[][..], &["--all"]] {
            let w = World::new();
            make(&w);
            let done = w.cleanup(all).run().status(0);
            assert_eq!(w.left(), expected.replace("KEY", KEY), "{why} {all:?}\n{done}");
            assert!(told.iter().all(|told| done.stderr.contains(told)), "{why}\n{done}");
        }
    }
}

#[test]
fn a_snapshot_by_force_stays_and_is_named_once() {
    let w = World::new();
    w.save();
    w.t.write(w.work_dir().join("new"), "work\n");
    let done = w.cleanup(&["--all", "--force"]).run().status(0);
    assert_eq!(w.left(), "checkpoint-1 ", "{done}");
    assert_eq!(done.stderr.matches("/snapshot-").count(), 1, "{done}");
}

#[test]
fn they_go_with_what_is_deleted_from_the_trash_and_with_gc() {
    for words in [&["trash", "empty", "--yes"][..], &["gc", "--trash-ttl", "1h"]] {
        let w = World::new();
        w.save();
        w.forget_who_asked();
        w.cleanup(&["--all", "--trash"]).run().status(0);
        assert_eq!(w.left(), "checkpoint-1 wip", "it can be restored");
        w.t.execenv(words).var("EXECENV_TEST_NOW", "2036-01-01T00:00:00Z").run().status(0);
        assert_eq!(w.left(), "", "{words:?}");
    }
}

#[test]
fn a_number_is_never_used_a_second_time() {
    let w = World::new();
    w.save();
    let first = git_out(&w.t, &w.source, &["rev-parse", &format!("refs/execenv/{KEY}/checkpoint-1")]);
    w.cleanup(&["--all"]).run().status(0);
    w.t.prepare(["--task-id", TASK, "--repo", "source"]);
    w.t.write(w.work_dir().join("file"), "other work\n");
    let second = w.t.execenv(["checkpoint", KEY, "-m", "second", "-o", "json"]).json();
    assert_eq!(second["n"], 2);
    assert_eq!(git_out(&w.t, &w.source, &["rev-parse", &format!("refs/execenv/{KEY}/checkpoint-1")]), first);
}

#[test]
fn in_a_users_folder_they_go_at_the_clean_up() {
    for (asked_for, expected) in [(true, "checkpoint-1"), (false, "")] {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        make_repository(&t, &source, &[]);
        let env = t.prepare(["--task-id", TASK, "--lease", "0", "--local-dir", "source"]);
        let w = World { t, source, env };
        save(&w.t, &w.source);
        if !asked_for {
            // Only a proved record says so.
            git(&w.t, &w.source, &["branch", "kept", &format!("refs/execenv/{KEY}/checkpoint-1")]);
        }
        let done = w.cleanup(&[]).run().status(0);
        assert_eq!(w.left(), expected, "{done}");
        assert_eq!(git_out(&w.t, &w.source, &["status", "--porcelain"]), "");
    }
}
