//! `execenv checkpoint`: the work in an environment as a commit and as a patch.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::repository::{clone_into, git, git_out, make_repository};
use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};

fn cloned(t: &TestEnv) -> PathBuf {
    let source = t.tmp.join("source");
    make_repository(t, &source, &[]);
    let work_dir = t.prepare(["--task-id", TASK]).join("workdir");
    clone_into(t, &source, &work_dir.join("repo"));
    work_dir.join("repo")
}

fn save(t: &TestEnv, more: &[&str]) -> Value {
    t.execenv(["checkpoint", KEY, "-m", "saved", "-o", "json"].iter().chain(more)).json()
}

fn record(t: &TestEnv) -> Value {
    let text = fs::read(t.root.join("default").join(KEY).join(".gc_meta.json")).unwrap();
    serde_json::from_slice::<Value>(&text).unwrap()["execenv"]["checkpoints"].clone()
}

/// The patch as `gzip` reads it, applied to the base in a new clone.
fn rebuilt(t: &TestEnv, checkpoint: &Value, name: &str) -> PathBuf {
    let target = t.tmp.join(name);
    clone_into(t, &t.tmp.join("source"), &target);
    git(t, &target, &["checkout", "-q", checkpoint["base_sha"].as_str().unwrap()]);
    let env = t.root.join("default").join(KEY);
    let file = env.join(checkpoint["patch"]["file"].as_str().unwrap());
    t.sh(&format!("gzip -dc {} | git -C {} apply --index --binary", file.display(), target.display())).ok();
    target
}

#[test]
fn new_files_binaries_modes_links_and_deletions_are_saved_beside_the_branch() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    t.write(repo.join("tool"), "#!/bin/sh\n");
    t.write(repo.join("gone"), "gone\n");
    git(&t, &repo, &["add", "-A"]);
    git(&t, &repo, &["commit", "-qm", "local"]);
    t.write(repo.join("nä\nme"), b"\0\xff");
    t.write(repo.join("staged"), "s\n");
    git(&t, &repo, &["add", "staged"]);
    fs::set_permissions(repo.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(repo.join("gone")).unwrap();
    std::os::unix::fs::symlink("../anywhere", repo.join("link")).unwrap();
    let untouched = || {
        let names = ["HEAD", "index", "config", "refs/heads", "logs", "packed-refs"];
        names.map(|name| snapshot_of(&repo.join(".git").join(name)))
    };
    let (files, before) = (snapshot(&t.root.join("default").join(KEY).join("workdir")), untouched());
    let answer = save(&t, &[]);
    assert_eq!(untouched(), before, "HEAD, index, branches and their logs are bit for bit as before");
    let after = snapshot(&t.root.join("default").join(KEY).join("workdir"));
    let is_work = |path: &&PathBuf| !path.starts_with("repo/.git");
    assert!(files.keys().filter(is_work).all(|path| files[path] == after[path]));
    assert_eq!(
        (&answer["n"], &answer["created"], &answer["branch"]),
        (&json!(1), &json!(true), &json!("main"))
    );
    let actions: Vec<String> = answer["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| format!("{} {}", file["action"].as_str().unwrap(), file["path"].as_str().unwrap()))
        .collect();
    assert_eq!(actions, ["D gone", "A link", "A nä\nme", "A staged", "M tool"]);
    let sha = answer["sha"].as_str().unwrap();
    for name in ["wip", "checkpoint-1"] {
        let name = format!("refs/execenv/{KEY}/{name}");
        assert_eq!(git_out(&t, &repo, &["rev-parse", &name]), sha);
    }
    assert_eq!(
        git_out(&t, &repo, &["log", "-1", "--format=%s %an %ae", sha]),
        "saved execenv execenv@localhost"
    );
    assert_eq!(
        git_out(&t, &repo, &["rev-parse", &format!("{sha}^")]),
        git_out(&t, &repo, &["rev-parse", "HEAD"])
    );
    // The patch begins at what the remote has, so the local commit is in it, too.
    assert_eq!(answer["base_sha"], git_out(&t, &repo, &["rev-parse", "origin/main"]).as_str());
    let target = rebuilt(&t, &answer, "rebuilt");
    assert_eq!(
        git_out(&t, &target, &["write-tree"]),
        git_out(&t, &repo, &["rev-parse", &format!("{sha}^{{tree}}")])
    );
    let patch = t.root.join("default").join(KEY).join(answer["patch"]["file"].as_str().unwrap());
    let sums = t.sh(&format!("sha256sum {}", patch.display())).ok().stdout;
    assert!(sums.starts_with(answer["patch"]["sha256"].as_str().unwrap()));
    assert_eq!(record(&t)[0]["sha"], sha);
    let text = t.execenv(["checkpoint", KEY, "-m", "again"]).ok().stdout;
    assert!(text.starts_with("checkpoint 2\t") && text.ends_with("\t5 files, +2 -1\n"), "{text}");
}

fn snapshot_of(path: &Path) -> String {
    if path.is_dir() { format!("{:?}", snapshot(path)) } else { format!("{:?}", fs::read(path).ok()) }
}

#[test]
fn nothing_to_save_is_told() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    assert_eq!(save(&t, &[]), json!({"schema": 1, "created": false, "repository": repo}));
    t.execenv(["checkpoint", KEY, "-m", "x", "--fail-if-clean"]).run().status(1);
    t.execenv(["checkpoint", KEY]).fails(2, &["--message"]);
    assert_eq!(git_out(&t, &repo, &["for-each-ref", "refs/execenv"]), "");
    assert!(!t.root.join("default").join(KEY).join("output/checkpoints").exists());
}

#[test]
fn it_is_allowed_while_the_environment_is_in_use_and_in_the_middle_of_a_merge() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    git(&t, &repo, &["checkout", "-q", "-b", "other"]);
    t.write(repo.join("file"), "theirs\n");
    git(&t, &repo, &["commit", "-qam", "theirs"]);
    git(&t, &repo, &["checkout", "-q", "main"]);
    t.write(repo.join("file"), "ours\n");
    git(&t, &repo, &["commit", "-qam", "ours"]);
    let merged = t.command("git").arg("-C").arg(&repo).args(["merge", "-q", "other"]).output().unwrap();
    assert!(!merged.status.success() && repo.join(".git/MERGE_HEAD").exists());
    let git_folder = snapshot(&repo.join(".git"));
    let lock = t.root.join("default").join(KEY).join(".task_lock");
    let held = fs::File::open(lock).unwrap();
    held.lock().unwrap();
    let answer = save(&t, &[]);
    let after = snapshot(&repo.join(".git"));
    let changed: Vec<_> = after.iter().filter(|(path, text)| git_folder.get(*path) != Some(text)).collect();
    let is_ours = |path: &Path| {
        let parts = ["objects", "refs/execenv"];
        parts.iter().any(|part| path.starts_with(part)) || path == Path::new("refs")
    };
    assert!(changed.iter().all(|(path, _)| is_ours(path)), "{changed:?}");
    let text = git_out(&t, &repo, &["show", &format!("{}:file", answer["sha"].as_str().unwrap())]);
    assert!(text.contains("<<<<<<<") && text.contains("theirs"), "{text}");
    // The branch and the index are the agent's while it works.
    t.execenv(["checkpoint", KEY, "-m", "x", "--on-branch"]).fails(4, &["in use by a live process"]);
    drop(held);
    t.execenv(["checkpoint", KEY, "-m", "x", "--on-branch"]).fails(5, &["a merge is in progress"]);
    git(&t, &repo, &["merge", "--abort"]);
    git(&t, &repo, &["checkout", "-q", "--detach"]);
    t.write(repo.join("new"), "x");
    t.execenv(["checkpoint", KEY, "-m", "x", "--on-branch"])
        .fails(5, &["no branch is checked out", "execenv branch"]);
}

#[test]
fn on_the_branch_it_is_a_commit_and_the_files_are_in_the_index() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    t.write(repo.join("new"), "x\n");
    t.write(repo.join("file"), "two\n");
    t.write(repo.join(".git/index.lock"), "");
    t.execenv(["checkpoint", KEY, "-m", "x", "--on-branch"]).fails(5, &["has the index locked"]);
    fs::remove_file(repo.join(".git/index.lock")).unwrap();
    let before = git_out(&t, &repo, &["rev-parse", "HEAD"]);
    let answer = save(&t, &["--on-branch"]);
    assert_eq!(answer["on_branch"], true);
    assert_eq!(git_out(&t, &repo, &["rev-parse", "main"]), answer["sha"].as_str().unwrap());
    assert_eq!(git_out(&t, &repo, &["rev-parse", "main^"]), before);
    assert_eq!(git_out(&t, &repo, &["status", "--porcelain"]), "");
    assert_eq!(save(&t, &["--on-branch"])["created"], false);
    let left = fs::read_dir(repo.join(".git")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("execenv")));
}

#[test]
fn sidecars_are_not_in_the_commit() {
    let t = TestEnv::new();
    make_repository(&t, &t.project, &[]);
    t.write("project/CLAUDE.md", "mine\n");
    git(&t, &t.project, &["add", "-A"]);
    git(&t, &t.project, &["commit", "-qm", "rules"]);
    t.write("rules.md", "Be brief.");
    t.prepare([
        "--task-id",
        TASK,
        "--provider",
        "claude",
        "--local-dir",
        "project",
        "--instructions",
        "rules.md",
    ]);
    assert_eq!(save(&t, &[])["created"], false);
    git(&t, &t.project, &["add", "-A"]);
    t.write("project/work", "w");
    let answer = save(&t, &[]);
    let listed = git_out(&t, &t.project, &["ls-tree", "-r", "--name-only", answer["sha"].as_str().unwrap()]);
    assert_eq!(listed, "CLAUDE.md\nfile\nwork");
    let brief = git_out(&t, &t.project, &["show", &format!("{}:CLAUDE.md", answer["sha"].as_str().unwrap())]);
    assert_eq!(brief, "mine");
    // A repository outlives the environment: the patch begins at its last commit.
    assert_eq!(answer["base_sha"], git_out(&t, &t.project, &["rev-parse", "HEAD"]).as_str());
}

#[test]
fn the_user_is_the_committer_and_the_repositorys_settings_are_not_asked() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    t.write(repo.join("new"), "x");
    for (key, value) in [("user.name", "Mallory"), ("commit.gpgsign", "true"), ("gpg.program", "/bin/false")]
    {
        git(&t, &repo, &["config", key, value]);
    }
    let global = t.write("gitconfig", "[user]\nname = Ada\nemail = ada@x\n[commit]\ngpgsign = true\n");
    let save =
        t.execenv(["checkpoint", KEY, "-m", "x", "-o", "json"]).var("GIT_CONFIG_GLOBAL", global).json();
    assert_eq!(
        git_out(&t, &repo, &["log", "-1", "--format=%an %ce", save["sha"].as_str().unwrap()]),
        "Ada ada@x"
    );
}

#[test]
fn nothing_that_the_repository_names_is_run_and_nothing_is_written_outside() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    let trap = format!("touch {}/ran; cat", t.tmp.display());
    t.write(repo.join(".gitattributes"), "* filter=x diff=x\n");
    for (key, value) in [
        ("filter.x.clean", &*trap),
        ("filter.x.process", &trap),
        ("filter.x.required", "true"),
        ("diff.x.textconv", &trap),
        ("core.fsmonitor", &trap),
        ("core.hooksPath", "hooks"),
        ("core.editor", &trap),
        ("gc.auto", "1"),
    ] {
        git(&t, &repo, &["config", key, value]);
    }
    for hook in ["pre-commit", "post-commit", "commit-msg", "reference-transaction", "post-index-change"] {
        let hook = t.write(repo.join("hooks").join(hook), format!("#!/bin/sh\n{trap}\n"));
        fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
    save(&t, &[]);
    save(&t, &["--on-branch"]);
    assert!(!t.tmp.join("ran").exists());
    // The folder of our refs, and the one for patches, lead elsewhere.
    t.write(repo.join("more"), "x");
    for place in ["workdir/repo/.git/refs/execenv", "output/checkpoints"] {
        let env = t.root.join("default").join(KEY);
        let outside = t.tmp.join("outside");
        fs::create_dir_all(&outside).unwrap();
        let aside = t.tmp.join("aside");
        fs::rename(env.join(place), &aside).unwrap();
        std::os::unix::fs::symlink(&outside, env.join(place)).unwrap();
        t.execenv(["checkpoint", KEY, "-m", "x"]).run().status(1);
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{place}");
        fs::remove_file(env.join(place)).unwrap();
        fs::rename(&aside, env.join(place)).unwrap();
    }
}

#[test]
fn what_was_saved_is_found_by_number_and_cleanup_is_not_held_by_it() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    t.write(repo.join("new"), "x");
    let answer = save(&t, &[]);
    t.write("root/default/555555abcdef/output/checkpoints/7.patch.gz", "");
    t.write(repo.join("new"), "y");
    assert_eq!(save(&t, &[])["n"], 8);
    let before = snapshot(&repo);
    t.execenv(["reuse", KEY]).ok();
    assert_eq!(record(&t).as_array().unwrap().len(), 2, "a refresh keeps what was saved");
    assert_same(&before, &snapshot(&repo), "reuse");
    // The work is on the remote: only the checkpoints are not.
    git(
        &t,
        &repo,
        &["push", "-q", "origin", &format!("{}:refs/heads/saved", answer["sha"].as_str().unwrap())],
    );
    fs::remove_file(repo.join("new")).unwrap();
    t.execenv(["cleanup", KEY]).fails(5, &["1 commit on no remote", "saved"]);
    git(&t, &repo, &["update-ref", "-d", &format!("refs/execenv/{KEY}/checkpoint-8")]);
    t.execenv(["cleanup", KEY]).ok();
    assert!(t.root.join("default").join(KEY).join("output/checkpoints/1.patch.gz").exists());
}

#[test]
fn odd_repositories_are_saved() {
    for (form, init) in [("sha256", "--object-format=sha256"), ("reftable", "--ref-format=reftable")] {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        make_repository(&t, &source, &[init]);
        let tree = t.prepare(["--task-id", TASK]).join("workdir/tree");
        git(&t, &source, &["worktree", "add", "-q", "-b", "side", tree.to_str().unwrap()]);
        let before = git_out(&t, &source, &["status", "--porcelain", "-b"]);
        t.write(tree.join("new"), "x\n");
        t.write(tree.join("file"), "two\n");
        let answer = save(&t, &[]);
        let kept = format!("refs/execenv/{KEY}/wip");
        assert_eq!(git_out(&t, &source, &["rev-parse", &kept]), answer["sha"].as_str().unwrap(), "{form}");
        assert_eq!(git_out(&t, &source, &["status", "--porcelain", "-b"]), before);
        assert_eq!(git_out(&t, &tree, &["status", "--porcelain"]), " M file\n?? new");
        save(&t, &["--on-branch"]);
        assert_eq!(git_out(&t, &tree, &["status", "--porcelain"]), "");
    }
    let t = TestEnv::new();
    let repo = t.prepare(["--task-id", TASK]).join("workdir/repo");
    fs::create_dir_all(&repo).unwrap();
    git(&t, &repo, &["init", "-q", "-b", "first"]);
    t.write(repo.join("a"), "a\n");
    make_repository(&t, &repo.join("nested"), &[]);
    let done = t.execenv(["checkpoint", KEY, "-m", "x", "-o", "json"]).run().status(0);
    assert!(done.stderr.contains("nested is a repository of its own"), "{done}");
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&answer["base_sha"], &answer["branch"]), (&Value::Null, &json!("first")));
    assert_eq!(answer["links"], json!(["nested"]));
    assert_eq!(git_out(&t, &repo, &["rev-parse", &format!("{}^@", answer["sha"].as_str().unwrap())]), "");
    let done = t.execenv(["checkpoint", KEY, "-m", "x", "--on-branch"]).run().status(0);
    assert!(git_out(&t, &repo, &["log", "--format=%s", "first"]) == "x", "{done}");
}

#[test]
fn a_patch_that_is_too_long_is_not_written_and_the_commit_stays() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    // Not compressible.
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(12 << 20)
    .collect();
    t.write(repo.join("noise"), noise);
    let done = t.execenv(["checkpoint", KEY, "-m", "x", "-o", "json"]).run().status(0);
    assert!(done.stderr.contains("longer than 10 MiB"), "{done}");
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["patch"], Value::Null);
    git(&t, &repo, &["cat-file", "-e", answer["sha"].as_str().unwrap()]);
}
