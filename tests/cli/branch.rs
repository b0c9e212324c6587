//! `execenv branch`: a new branch in the repository of an environment.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::repository::{git, git_out, make_repository};
use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};

/// An environment with a repository of one commit in its work dir.
fn prepared(t: &TestEnv, place: &str) -> PathBuf {
    let dir = t.prepare(["--task-id", TASK]).join("workdir").join(place);
    make_repository(t, &dir, &[]);
    dir
}

#[test]
fn a_branch_is_made_and_checked_out_and_changes_stay() {
    let t = TestEnv::new();
    let repo = prepared(&t, "repo");
    t.write(repo.join("file"), "changed");
    t.write(repo.join("new"), "new");
    let head = git_out(&t, &repo, &["rev-parse", "HEAD"]);
    let answer = t.execenv(["branch", KEY, "agent/a/1", "-o", "json"]).json();
    let expected = json!({"schema": 1, "repository": repo, "branch": "agent/a/1", "commit": head, "before": "refs/heads/main"});
    assert_eq!(answer, expected);
    assert_eq!(git_out(&t, &repo, &["status", "--porcelain", "-b"]), "## agent/a/1\n M file\n?? new");
    assert_eq!(t.execenv(["branch", KEY, "x", "--from", "main"]).ok().stdout, "x\n");
    t.execenv(["branch", KEY, "x"]).fails(5, &["has a branch `x`", "another name"]);
    assert_eq!(git_out(&t, &repo, &["status", "--porcelain", "-b"]), "## x\n M file\n?? new");
}

#[test]
fn from_another_commit_the_files_follow_unless_changes_are_in_the_way() {
    let t = TestEnv::new();
    let repo = prepared(&t, "repo");
    let first = git_out(&t, &repo, &["rev-parse", "HEAD"]);
    t.write(repo.join("file"), "two");
    t.write(repo.join("second"), "two");
    git(&t, &repo, &["add", "-A"]);
    git(&t, &repo, &["commit", "-qm", "two"]);
    t.write(repo.join("untracked"), "u");
    t.execenv(["branch", KEY, "back", "--from", &first]).ok();
    assert_eq!(git_out(&t, &repo, &["status", "--porcelain", "-b"]), "## back\n?? untracked");
    assert!(!repo.join("second").exists() && fs::read_to_string(repo.join("file")).unwrap() == "one\n");
    t.write(repo.join("file"), "mine");
    let before = snapshot(&repo.join(".git/refs"));
    t.execenv(["branch", KEY, "forth", "--from", "main"]).fails(5, &["are in the way", "commit or stash"]);
    assert_same(&before, &snapshot(&repo.join(".git/refs")), "a branch that was not made");
    assert_eq!(git_out(&t, &repo, &["status", "--porcelain", "-b"]), "## back\n M file\n?? untracked");
}

#[test]
fn what_cannot_be_a_branch_is_told() {
    let t = TestEnv::new();
    let repo = prepared(&t, "repo");
    let before = snapshot(&repo);
    for (words, status, part) in [
        (&["a..b"][..], 2, "git allows no branch called `a..b`"),
        (&["HEAD"], 2, "git allows no branch"),
        (&["x", "--from", "nowhere"], 2, "has no commit `nowhere`"),
        (&["x", "--from=--all"], 2, "has no commit `--all`"),
        (&["main"], 5, "has a branch `main`"),
        (&["main/x"], 1, "main"),
        (&["x", "--in", "../other"], 5, "is not inside"),
        (&["x", "--in", "none"], 2, "none does not exist"),
        (&["x", "--in", "repo/sub"], 1, "is not the top of a git repository"),
        (&["x", "--local-dir", "project"], 2, "does not work in a folder of yours"),
    ] {
        fs::create_dir_all(repo.join("sub")).unwrap();
        t.execenv(["branch", KEY].iter().chain(words)).fails(status, &[part]);
    }
    fs::remove_dir(repo.join("sub")).unwrap();
    let is_empty_folder = |path: &Path| path.ends_with("refs/heads/main");
    let after = snapshot(&repo);
    assert!(!after.keys().any(|path| is_empty_folder(path) && after[path].ends_with("dir")));
    assert_eq!(before[Path::new(".git/HEAD")], after[Path::new(".git/HEAD")]);
    assert_eq!(git_out(&t, &repo, &["branch", "--format=%(refname)"]), "refs/heads/main");
}

#[test]
fn the_repository_is_the_work_dir_or_the_only_one_in_it_or_the_one_that_is_named() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let work_dir = env.join("workdir");
    t.execenv(["branch", KEY, "x"]).fails(1, &["there is no git repository in", "--in DIR"]);
    let one = work_dir.join("one");
    make_repository(&t, &one, &[]);
    t.execenv(["branch", KEY, "x"]).ok();
    assert_eq!(git_out(&t, &one, &["symbolic-ref", "HEAD"]), "refs/heads/x");
    let two = work_dir.join("two/deep");
    make_repository(&t, &two, &[]);
    make_repository(&t, &work_dir.join("an other"), &[]);
    t.execenv(["branch", KEY, "y"]).fails(2, &["several repositories: an other, one", "`--in 'an other'`"]);
    t.execenv(["branch", KEY, "y", "--in", "two/deep"]).ok();
    t.execenv(["branch", KEY, "z", "--in", two.to_str().unwrap()]).ok();
    assert_eq!(git_out(&t, &two, &["symbolic-ref", "HEAD"]), "refs/heads/z");
    t.link("root/default/555555abcdef/workdir/link", &two);
    t.execenv(["branch", KEY, "y", "--in", "link"]).fails(1, &["open "]);
}

#[test]
fn in_a_repository_without_a_commit_the_branch_is_the_one_to_come() {
    let t = TestEnv::new();
    let repo = t.prepare(["--task-id", TASK]).join("workdir");
    git(&t, &repo, &["init", "-q"]);
    let answer = t.execenv(["branch", KEY, "first", "-o", "json"]).json();
    assert_eq!(answer["commit"], Value::Null);
    assert_eq!(git_out(&t, &repo, &["symbolic-ref", "HEAD"]), "refs/heads/first");
    t.execenv(["branch", KEY, "second", "--from", "HEAD"]).fails(2, &["no commit `HEAD`"]);
}

#[test]
fn odd_repositories_get_their_branch() {
    for (form, extra) in [("sha256", "--object-format=sha256"), ("reftable", "--ref-format=reftable")] {
        let t = TestEnv::new();
        let repo = t.prepare(["--task-id", TASK]).join("workdir/repo");
        make_repository(&t, &repo, &[extra]);
        t.write(repo.join("file"), "two");
        git(&t, &repo, &["commit", "-qam", "two"]);
        t.execenv(["branch", KEY, "x", "--from", "HEAD~1"]).ok();
        assert_eq!(git_out(&t, &repo, &["status", "--porcelain", "-b"]), "## x", "{form}");
    }
}

#[test]
fn nothing_that_the_repository_names_is_run_and_no_other_repository_is_changed() {
    let t = TestEnv::new();
    let repo = prepared(&t, "repo");
    t.write(repo.join(".gitattributes"), "* filter=x\n");
    t.write(repo.join("file"), "two");
    git(&t, &repo, &["add", "-A"]);
    git(&t, &repo, &["commit", "-qm", "two"]);
    let trap = format!("touch {}/ran; cat", t.tmp.display());
    for (key, value) in [
        ("filter.x.smudge", &*trap),
        ("filter.x.clean", &trap),
        ("core.fsmonitor", &trap),
        ("core.hooksPath", repo.to_str().unwrap()),
        ("alias.read-tree", &format!("!{trap}")),
    ] {
        git(&t, &repo, &["config", key, value]);
    }
    for hook in ["post-checkout", "reference-transaction", "post-index-change"] {
        t.write(repo.join(hook), format!("#!/bin/sh\n{trap}\n"));
        t.sh(&format!("chmod +x {}/{hook}", repo.display())).ok();
    }
    t.execenv(["branch", KEY, "x", "--from", "HEAD~1"]).ok();
    assert!(!t.tmp.join("ran").exists());
    // A `.git` file may name any repository.
    let other = t.tmp.join("other");
    make_repository(&t, &other, &[]);
    let before = snapshot(&other);
    fs::remove_dir_all(repo.join(".git")).unwrap();
    t.write(repo.join(".git"), format!("gitdir: {}/.git\n", other.display()));
    t.execenv(["branch", KEY, "y"]).fails(1, &["does not know it as a worktree"]);
    fs::remove_file(repo.join(".git")).unwrap();
    make_repository(&t, &repo, &[]);
    t.write(repo.join(".git/commondir"), other.join(".git").to_str().unwrap());
    t.execenv(["branch", KEY, "y"]).fails(1, &["does not know it as a worktree"]);
    assert_same(&before, &snapshot(&other), "another repository");
}

#[test]
fn a_link_out_of_the_git_folder_is_not_written_through() {
    let t = TestEnv::new();
    let repo = prepared(&t, "repo");
    let outside = t.tmp.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::rename(repo.join(".git/refs/heads"), outside.join("heads")).unwrap();
    t.link("root/default/555555abcdef/workdir/repo/.git/refs/heads", outside.join("heads"));
    let before = snapshot(&outside);
    t.execenv(["branch", KEY, "x"]).run().status(1);
    assert_same(&before, &snapshot(&outside), "outside of the work dir");
}

#[test]
fn a_linked_worktree_of_a_users_repository_gets_its_branch() {
    let t = TestEnv::new();
    let source = t.tmp.join("source");
    make_repository(&t, &source, &[]);
    let repo = t.prepare(["--task-id", TASK]).join("workdir");
    git(&t, &source, &["worktree", "add", "-q", "-b", "side", repo.join("tree").to_str().unwrap()]);
    t.execenv(["branch", KEY, "next"]).ok();
    assert_eq!(git_out(&t, &repo.join("tree"), &["symbolic-ref", "HEAD"]), "refs/heads/next");
    assert_eq!(git_out(&t, &source, &["symbolic-ref", "HEAD"]), "refs/heads/main");
    git(&t, &source, &["rev-parse", "-q", "--verify", "next"]);
}

/// What the record says of the repository, and of the branches in `source` after a clean-up.
fn record(env: &Path) -> Value {
    let text = fs::read(env.join(".gc_meta.json")).unwrap();
    serde_json::from_slice::<Value>(&text).unwrap()["execenv"]["repository"].clone()
}

#[test]
fn the_record_follows_and_a_clean_up_acts_on_the_branches_of_the_task() {
    type Case = (&'static str, fn(&TestEnv, &Path), &'static str);
    let cases: [Case; 6] = [
        ("nothing was committed", |_, _| {}, ""),
        (
            "committed, and nowhere else",
            |t, work_dir| git(t, work_dir, &["commit", "-q", "--allow-empty", "-m", "x"]),
            "hotfix",
        ),
        (
            "both hold it: the one that is checked out stays",
            |t, work_dir| {
                git(t, work_dir, &["commit", "-q", "--allow-empty", "-m", "x"]);
                git(t, work_dir, &["branch", "-f", &format!("agent/agent/{KEY}")]);
            },
            "hotfix",
        ),
        ("one of the agent's own", |t, work_dir| git(t, work_dir, &["switch", "-qc", "own"]), "own"),
        (
            "two of ours",
            |t, _| {
                t.execenv(["branch", KEY, "second"]).ok();
                t.execenv(["branch", KEY, "hotfix"]).ok(); // as one that was cut short: nothing was done there since
            },
            "",
        ),
        (
            "a record that names branches of the user's",
            |t, work_dir| {
                git(t, work_dir, &["branch", "theirs", "main"]);
                let file = work_dir.join("../.gc_meta.json");
                let mut record: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
                let repository = &mut record["execenv"]["repository"];
                repository["branch"] = json!("theirs");
                repository["former"] = json!(["main", "*", "-x", "", "hotfix", format!("agent/agent/{KEY}")]);
                t.write(file, record.to_string());
            },
            "theirs",
        ),
    ];
    for (why, work, expected) in cases {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        make_repository(&t, &source, &[]);
        let env = t.prepare(["--task-id", TASK, "--repo", "source"]);
        t.execenv(["branch", KEY, "main"]).fails(5, &["has a branch `main`"]);
        assert_eq!(record(&env)["branch"], format!("agent/agent/{KEY}"), "a branch that was not made");
        t.execenv(["branch", KEY, "hotfix"]).ok();
        let repository = record(&env);
        assert_eq!(repository["branch"], "hotfix");
        assert_eq!(repository["former"], json!([format!("agent/agent/{KEY}")]));
        work(&t, &env.join("workdir"));
        let done = t.execenv(["cleanup", "--all", KEY]).run().status(0);
        let left = git_out(&t, &source, &["branch", "--format=%(refname:short)"]);
        let left: Vec<&str> = left.lines().filter(|name| *name != "main").collect();
        assert_eq!(left.join(" "), expected, "{why}\n{done}");
    }
}

#[test]
fn a_log_is_read_without_the_program_that_checks_signatures() {
    let t = TestEnv::new();
    let repo = prepared(&t, "repo");
    let ran = t.tmp.join("ran");
    let program = t.write(t.tmp.join("gpg"), format!("#!/bin/sh\ntouch {}\n", ran.display()));
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let commit = git_out(&t, &repo, &["cat-file", "commit", "HEAD"]);
    let (head, message) = commit.split_once("\n\n").unwrap();
    let signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n AAAA\n -----END PGP SIGNATURE-----";
    t.write(t.tmp.join("signed"), format!("{head}\n{signature}\n\n{message}\n"));
    let signed = t.tmp.join("signed");
    let id = git_out(&t, &repo, &["hash-object", "-t", "commit", "-w", signed.to_str().unwrap()]);
    git(&t, &repo, &["update-ref", "HEAD", &id]);
    git(&t, &repo, &["update-ref", "--create-reflog", "refs/heads/x", &id]);
    git(&t, &repo, &["config", "log.showSignature", "true"]);
    git(&t, &repo, &["config", "gpg.program", program.to_str().unwrap()]);
    t.execenv(["branch", KEY, "x"]).fails(5, &["has a branch `x`"]);
    assert!(!ran.exists(), "the repository's configuration names it");
}
