//! `execenv clone`: the work in an environment as a repository of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::repository::{git, git_out, make_repository};
use crate::support::{KEY, Snapshot, TASK, TestEnv, assert_same, snapshot};

fn files(repo: &Path) -> Snapshot {
    let is_work = |path: &PathBuf| [".git", ".agent_context"].iter().all(|part| !path.starts_with(part));
    snapshot(repo).into_iter().filter(|(path, _)| is_work(path)).collect()
}

/// A worktree of a user's repository, with work of every kind in it.
fn worked(t: &TestEnv, init: &[&str]) -> PathBuf {
    let source = t.tmp.join("source");
    make_repository(t, &source, init);
    t.write(source.join("gone"), "g\n");
    t.write(source.join(".gitignore"), "/ignored\n");
    git(t, &source, &["add", "-A"]);
    git(t, &source, &["commit", "-qm", "two"]);
    git(t, &source, &["tag", "v1"]);
    git(t, &source, &["remote", "add", "up", "https://example.invalid/up.git"]);
    git(t, &source, &["remote", "add", "evil", "ext::sh -c false"]);
    git(t, &source, &["update-ref", "refs/remotes/up/main", "main~1"]);
    git(t, &source, &["branch", "of-the-user"]);
    let work_dir = t.prepare(["--task-id", TASK, "--repo", "source"]).join("workdir");
    t.write(work_dir.join("committed"), "c\n");
    git(t, &work_dir, &["add", "committed"]);
    git(t, &work_dir, &["-c", "user.name=T", "-c", "user.email=t@x", "commit", "-qm", "work"]);
    t.write(work_dir.join("file"), "changed\n");
    t.write(work_dir.join("new/nä\nme"), b"\0\xff");
    t.write(work_dir.join("ignored"), "secret");
    fs::set_permissions(work_dir.join("committed"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(work_dir.join("gone")).unwrap();
    std::os::unix::fs::symlink("file", work_dir.join("link")).unwrap();
    work_dir
}

#[test]
fn it_stands_alone_and_has_the_work() {
    for init in [&[][..], &["--object-format=sha256"], &["--ref-format=reftable"]] {
        let t = TestEnv::new();
        let work_dir = worked(&t, init);
        let target = t.tmp.join("deep copy");
        let (user, root) = (snapshot(&t.tmp.join("source")), snapshot(&t.root));
        let answer = t.execenv(["clone", KEY, "deep copy", "-o", "json"]).json();
        assert_eq!(answer, json!({"schema": 1, "path": target, "links": []}));
        assert_same(&user, &snapshot(&t.tmp.join("source")), "the user's repository");
        assert_same(&root, &snapshot(&t.root), "the environment");
        let mut expected = files(&work_dir);
        expected.remove(Path::new("ignored"));
        assert_same(&expected, &files(&target), "the files");
        let status = |dir: &Path| {
            let words = ["status", "--porcelain", "-b", "--no-ahead-behind", "--", ".", ":!.agent_context"];
            git_out(&t, dir, &words)
        };
        assert_eq!(status(&target), status(&work_dir), "{init:?}");
        for (words, out) in [
            (&["remote"][..], "up"),
            (&["remote", "get-url", "up"], "https://example.invalid/up.git"),
            (
                &["for-each-ref", "--format=%(refname)", "refs/tags", "refs/remotes"],
                "refs/remotes/up/main\nrefs/tags/v1",
            ),
            (&["branch", "--format=%(refname:short)"], &format!("agent/agent/{KEY}")),
        ] {
            assert_eq!(git_out(&t, &target, words), out, "{words:?}");
        }
        let head = git_out(&t, &work_dir, &["rev-parse", "HEAD"]);
        fs::remove_dir_all(t.tmp.join("source")).unwrap();
        fs::remove_dir_all(&t.root).unwrap();
        assert!(!target.join(".git/objects/info/alternates").exists());
        assert_eq!(git_out(&t, &target, &["rev-parse", "HEAD"]), head);
        git(&t, &target, &["fsck", "--strict"]);
        git(&t, &target, &["log", "--stat", "--all"]);
    }
}

#[test]
fn the_place_is_empty_or_not_there() {
    let t = TestEnv::new();
    let work_dir = worked(&t, &[]);
    t.write("full/file", "x");
    t.write("a file", "x");
    fs::create_dir(t.tmp.join("empty")).unwrap();
    for (dir, exists, empty) in
        [("none", false, true), ("empty", true, true), ("full", true, false), ("a file", true, false)]
    {
        let answer = t.execenv(["clone", KEY, dir, "--dry-run", "-o", "json"]).json();
        assert_eq!(answer, json!({"schema": 1, "exists": exists, "empty": empty}), "{dir}");
    }
    for dir in ["full", "a file"] {
        t.execenv(["clone", KEY, dir]).fails(5, &["is not empty", "does not exist"]);
    }
    let inside = work_dir.join("copy");
    t.execenv(["clone", KEY, inside.to_str().unwrap()]).fails(2, &["is inside the environment"]);
    t.execenv(["clone", KEY, "no/such"]).fails(2, &["no does not exist", "`mkdir -p "]);
    t.execenv(["clone", KEY, "empty"]).ok();
    assert!(t.tmp.join("empty/.git/HEAD").exists());
    t.assert_nothing_half_made_but(".execenv.excludes", "clone");
}

#[test]
fn without_a_commit_or_a_branch_it_is_the_same_and_nothing_of_the_repositorys_runs() {
    let t = TestEnv::new();
    let repo = t.prepare(["--task-id", TASK]).join("workdir/repo");
    fs::create_dir_all(&repo).unwrap();
    git(&t, &repo, &["init", "-q", "-b", "first"]);
    t.write(repo.join("a"), "a\n");
    t.execenv(["clone", KEY, "unborn"]).ok();
    assert_eq!(git_out(&t, &t.tmp.join("unborn"), &["status", "--porcelain"]), "?? a");
    assert_eq!(git_out(&t, &t.tmp.join("unborn"), &["symbolic-ref", "HEAD"]), "refs/heads/first");
    fs::remove_dir_all(&repo).unwrap();
    make_repository(&t, &repo, &[]);
    git(&t, &repo, &["checkout", "-q", "--detach"]);
    let trap = format!("touch {}/ran; cat", t.tmp.display());
    t.write(repo.join(".gitattributes"), "* filter=x\n");
    for (key, value) in [
        ("filter.x.smudge", &*trap),
        ("filter.x.clean", &trap),
        ("core.fsmonitor", &trap),
        ("uploadpack.packObjectsHook", &trap),
        ("core.hooksPath", "/nowhere"),
    ] {
        git(&t, &repo, &["config", key, value]);
    }
    t.execenv(["clone", KEY, "detached"]).ok();
    let copy = t.tmp.join("detached");
    assert_eq!(git_out(&t, &copy, &["rev-parse", "HEAD"]), git_out(&t, &repo, &["rev-parse", "HEAD"]));
    assert_eq!(git_out(&t, &copy, &["status", "--porcelain"]), "?? .gitattributes");
    git(&t, &copy, &["fsck"]);
    assert!(!t.tmp.join("ran").exists());
}

#[test]
fn where_it_cannot_be_made_is_told_with_a_way_out() {
    let t = TestEnv::new();
    let repo = t.prepare(["--task-id", TASK]).join("workdir/repo");
    crate::support::repository::make_repository(&t, &repo, &[]);
    std::fs::create_dir(t.tmp.join("empty")).unwrap();
    t.link("link", t.tmp.join("empty"));
    for (dir, status, what, hint) in [
        ("no/such/dir", 2, "no/such does not exist", "mkdir -p"),
        ("link", 5, "link is a link", "a folder that is empty"),
    ] {
        t.execenv(["clone", KEY, dir]).fails(status, &[what, hint]);
    }
    t.execenv(["diff", KEY, "--in", "nope"]).fails(2, &["workdir/nope does not exist", "`--in` takes"]);
    // What a killed clone has left is removed by the next one, but not what another one is making.
    let (left, held) = (t.tmp.join(".execenv-clone-0123456789ab"), t.tmp.join(".execenv-clone-0123456789ac"));
    t.write(left.join("file"), "left");
    t.write(held.join("file"), "being made");
    let lock = std::fs::File::open(&held).unwrap();
    lock.lock().unwrap();
    t.execenv(["clone", KEY, "empty"]).ok();
    assert!(!left.exists() && held.exists() && t.tmp.join("empty/file").exists());
}

#[test]
fn shallow_and_partial_clones_and_those_with_submodules_are_copied_as_what_they_are() {
    let t = TestEnv::new();
    let config = "[user]\nname = T\nemail = t@x\n[protocol \"file\"]\nallow = always\n\
                  [uploadpack]\nallowFilter = true\nallowAnySHA1InWant = true\n";
    let config = t.write("gitconfig", config);
    let up = t.tmp.join("up");
    make_repository(&t, &t.tmp.join("module"), &[]);
    make_repository(&t, &up, &[]);
    for text in ["two\n", "three\n"] {
        t.write(up.join("file"), text);
        git(&t, &up, &["commit", "-qam", text]);
    }
    let module = ["-c", "protocol.file.allow=always", "submodule", "add", "-q", "../module", "module"];
    git(&t, &up, &module);
    git(&t, &up, &["commit", "-qm", "module"]);
    let address = format!("file://{}", up.display());
    for (words, is_shallow, is_partial) in [
        (&["--depth=1"][..], true, false),
        (&["--filter=blob:none"], false, true),
        (&["--recurse-submodules"], false, false),
    ] {
        for linked in [false, true] {
            let cloned = t.tmp.join("cloned");
            let git_global = |dir: &Path, words: &[&str]| {
                let done =
                    t.command("git").env("GIT_CONFIG_GLOBAL", &config).current_dir(dir).args(words).output();
                let done = done.unwrap();
                assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
                String::from_utf8_lossy(&done.stdout).trim_end().to_owned()
            };
            let place = if linked {
                git_global(&t.tmp, &[&["clone", "-q"], words, &[&address, "cloned"]].concat());
                t.execenv(["prepare", "--task-id", TASK, "--repo", "cloned"]).run().status(0);
                t.root.join("default").join(KEY).join("workdir")
            } else {
                let work_dir = t.prepare(["--task-id", TASK]).join("workdir");
                git_global(&work_dir, &[&["clone", "-q"], words, &[&address, "repo"]].concat());
                work_dir.join("repo")
            };
            t.write(place.join("file"), "changed\n");
            t.write(place.join("new"), "new\n");
            let target = t.tmp.join("copy");
            let done = t.execenv(["clone", KEY, "copy", "-o", "json"]).run().status(0);
            let answer: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
            let when = format!("{words:?}, linked: {linked}: {done}");
            assert_eq!(answer["links"], json!(["module"]), "{when}");
            assert!(done.stderr.contains("module is a repository of its own"), "{when}");
            assert_eq!(git_out(&t, &target, &["status", "--porcelain"]), " M file\n?? new", "{when}");
            let head = |dir: &Path| git_out(&t, dir, &["rev-parse", "HEAD"]);
            assert_eq!(head(&target), head(&place), "{when}");
            git(&t, &target, &["fsck", "--strict"]);
            let shallow = git_out(&t, &target, &["rev-parse", "--is-shallow-repository"]);
            assert_eq!(shallow, is_shallow.to_string(), "{when}");
            assert_eq!(
                git_out(&t, &target, &["log", "--oneline"]).lines().count(),
                if is_shallow { 1 } else { 4 }
            );
            // What is not there comes from where it was promised.
            git_global(&target, &["log", "-p"]);
            let promised =
                t.command("git").current_dir(&target).args(["config", "remote.origin.promisor"]).output();
            assert_eq!(promised.unwrap().status.success(), is_partial, "{when}");
            fs::remove_dir_all(&target).unwrap();
            t.execenv(["cleanup", "--all", "--force", KEY]).run();
            if linked {
                fs::remove_dir_all(&cloned).unwrap();
            }
        }
    }
}
