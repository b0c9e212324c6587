//! Work that would be lost for good is kept, with the word that says why.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{KEY, TASK, TestEnv};

fn git(t: &TestEnv, dir: &Path, words: &[&str]) {
    let output = t.command("git").args(["-C", dir.to_str().unwrap()]).args(words).output().unwrap();
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository of the user's with one commit.
fn source(t: &TestEnv) -> std::path::PathBuf {
    let source = t.write("source/file", "one\n").parent().unwrap().to_owned();
    git(t, &source, &["init", "-q", "-b", "main"]);
    git(t, &source, &["config", "user.email", "t@example.invalid"]);
    git(t, &source, &["config", "user.name", "T"]);
    git(t, &source, &["add", "-A"]);
    git(t, &source, &["commit", "-q", "-m", "one"]);
    source
}

fn clone(t: &TestEnv, source: &Path, target: &Path) {
    git(t, source, &["clone", "-q", ".", target.to_str().unwrap()]);
    git(t, target, &["config", "user.email", "t@example.invalid"]);
    git(t, target, &["config", "user.name", "T"]);
}

#[test]
fn a_clone_goes_and_one_with_changes_or_commits_of_its_own_stays() {
    let t = TestEnv::new();
    let source = source(&t);
    let env = t.prepare(["--task-id", TASK]);
    let repo = env.join("workdir/deep/repo");
    clone(&t, &source, &repo);
    t.write(repo.join("scratch"), "nowhere else");
    let done = t.execenv(["cleanup", KEY, "-o", "json"]).run().status(5);
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["outcome"], "retained_dirty");
    fs::remove_file(repo.join("scratch")).unwrap();
    t.execenv(["cleanup", KEY]).ok();
    assert!(!repo.exists());

    let env = t.prepare(["--task-id", TASK]);
    clone(&t, &source, &repo);
    git(&t, &repo, &["commit", "-q", "--allow-empty", "-m", "work"]);
    let done = t.execenv(["cleanup", KEY, "-o", "json"]).run().status(5);
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["outcome"], "retained_unpushed");
    assert_eq!(answer["kept"][0]["path"], repo.to_str().unwrap());
    assert!(repo.join("file").exists() && env.join(".gc_meta.json").exists());
    git(&t, &repo, &["push", "-q", "origin", "HEAD:refs/heads/work"]);
    t.execenv(["cleanup", KEY]).ok();
    assert!(!repo.exists());
}

#[test]
fn a_stash_and_a_repository_without_a_remote_count() {
    let t = TestEnv::new();
    let source = source(&t);
    let env = t.prepare(["--task-id", TASK]);
    let repo = env.join("workdir/repo");
    clone(&t, &source, &repo);
    t.write(repo.join("file"), "two\n");
    git(&t, &repo, &["stash", "-q"]);
    t.execenv(["cleanup", KEY]).run().status(5);
    git(&t, &repo, &["remote", "remove", "origin"]);
    git(&t, &repo, &["stash", "drop", "-q"]);
    t.execenv(["cleanup", "--all", KEY]).run().status(5);
    t.execenv(["cleanup", "--all", "--force", KEY]).run().status(0);
    assert!(!env.exists());
}

#[test]
fn a_worktree_of_the_users_repository_stays_while_it_is_dirty_and_its_sidecars_do_not_count() {
    let t = TestEnv::new();
    let source = source(&t);
    let env = t.prepare(["--task-id", TASK]);
    let tree = env.join("workdir/tree");
    git(&t, &source, &["worktree", "add", "-q", "--no-track", "-b", "side", tree.to_str().unwrap()]);
    t.write(tree.join("new"), "work");
    let done = t.execenv(["cleanup", KEY, "-o", "json"]).run().status(5);
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["outcome"], "retained_dirty");
    git(&t, &tree, &["add", "-A"]);
    git(&t, &tree, &["-c", "user.name=T", "-c", "user.email=t@example.invalid", "commit", "-q", "-m", "w"]);
    t.execenv(["cleanup", KEY]).ok();
    git(&t, &source, &["rev-parse", "--verify", "-q", "side"]);
}

#[test]
fn gc_keeps_it_too_and_says_so_in_a_dry_run() {
    let t = TestEnv::new();
    let source = source(&t);
    let env = t.prepare(["--task-id", TASK, "--lease", "0"]);
    let repo = env.join("workdir/repo");
    clone(&t, &source, &repo);
    git(&t, &repo, &["commit", "-q", "--allow-empty", "-m", "work"]);
    for dry in [true, false] {
        let mut words = vec!["gc", "--orphan-ttl", "0", "-o", "json"];
        if dry {
            words.push("--dry-run");
        }
        let done = t.execenv(words).var("EXECENV_TEST_NOW", "2030-01-01T00:00:00Z").run().status(0);
        let answer: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(answer["decisions"][0]["outcome"], "retained_unpushed", "{answer}");
        assert_eq!((&answer["orphaned"], &answer["skipped"]), (&0.into(), &1.into()));
    }
    assert!(repo.join("file").exists());
}

#[test]
fn a_repository_that_git_refuses_is_kept() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    t.write(env.join("workdir/repo/.git"), "gitdir: /nowhere/at/all\n");
    let done = t.execenv(["cleanup", KEY, "-o", "json"]).run().status(1);
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["outcome"], "retained_unreadable");
    // Its repository may be on a disk that is away.
    t.execenv(["cleanup", "--force", KEY]).fails(1, &["no snapshot"]);
    t.execenv(["cleanup", "--trash", KEY]).ok();
    assert!(!env.join("workdir").exists());
}

#[test]
fn a_repository_is_found_wherever_it_lies() {
    for place in ["1/2/3/4/5/6/7/8/9/repo", "node_modules/package/repo"] {
        let t = TestEnv::new();
        let source = source(&t);
        let repo = t.prepare(["--task-id", TASK]).join("workdir").join(place);
        clone(&t, &source, &repo);
        git(&t, &repo, &["commit", "-q", "--allow-empty", "-m", "work"]);
        t.execenv(["cleanup", KEY]).fails(5, &["1 commit on no remote"]);
        assert!(repo.join("file").exists(), "{place}");
    }
}

#[test]
fn a_bare_clone_counts() {
    let t = TestEnv::new();
    let source = source(&t);
    let bare = t.prepare(["--task-id", TASK]).join("workdir/bare");
    git(&t, &source, &["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    t.execenv(["cleanup", KEY]).fails(5, &["1 commit on no remote"]);
    t.execenv(["cleanup", "--force", KEY]).run().status(0);
}

#[test]
fn a_folder_that_cannot_be_a_repository_is_not_taken_for_the_one_above() {
    let t = TestEnv::new();
    git(&t, &t.tmp, &["init", "-q"]);
    let env = t.prepare(["--task-id", TASK]);
    std::fs::create_dir_all(env.join("workdir/repo/.git/objects")).unwrap();
    t.execenv(["cleanup", KEY]).fails(1, &["cannot tell whether its work is saved", "not a git repository"]);
}

#[test]
fn an_empty_git_folder_or_file_is_no_repository() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    std::fs::create_dir_all(env.join("workdir/.git")).unwrap();
    t.write(env.join("workdir/repo/.git"), "");
    t.execenv(["cleanup", KEY]).ok();
    assert!(!env.join("workdir").exists());
}

/// A program of the repository's own would run as the operator: the configuration is swapped all the time, so that some
/// look finds it harmless right before git uses it.
#[test]
fn a_configuration_that_is_swapped_meanwhile_runs_nothing() {
    let t = TestEnv::new();
    let source = source(&t);
    let repo = t.prepare(["--task-id", TASK]).join("workdir/repo");
    clone(&t, &source, &repo);
    t.write(repo.join(".gitattributes"), "* filter=x\n");
    t.write(repo.join("new"), "dirty");
    let config = repo.join(".git/config");
    let harmless = fs::read(&config).unwrap();
    let ran = t.tmp.join("ran");
    let program = format!("touch {}; cat", ran.display());
    let hostile = format!(
        "[core]\n\trepositoryformatversion = 0\n\tfsmonitor = {program:?}\n[filter \"x\"]\n\tclean = {program:?}\n\
         \tsmudge = {program:?}\n[diff]\n\texternal = {program:?}\n"
    );
    let (over, stop) = (t.tmp.join("over"), std::sync::atomic::AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for text in [harmless.as_slice(), hostile.as_bytes()] {
                    fs::write(&over, text).unwrap();
                    fs::rename(&over, &config).unwrap();
                    std::thread::sleep(std::time::Duration::from_micros(700));
                }
            }
        });
        for _ in 0..25 {
            // Git has to look into the file: its time is not the one in the index.
            t.write(repo.join("file"), fs::read(repo.join("file")).unwrap());
            t.execenv(["cleanup", KEY]).run().status(5);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(!ran.exists());
}

/// A worktree of the user's repository in a prepared work dir.
fn worktree(t: &TestEnv, source: &Path) -> std::path::PathBuf {
    let tree = t.prepare(["--task-id", TASK]).join("workdir/tree");
    git(t, source, &["worktree", "add", "-q", "--no-track", "-b", "side", tree.to_str().unwrap()]);
    tree
}

#[test]
fn edits_that_the_index_hides_count() {
    for mark in ["--assume-unchanged", "--skip-worktree"] {
        let t = TestEnv::new();
        let source = source(&t);
        std::os::unix::fs::symlink("file", source.join("link")).unwrap();
        git(&t, &source, &["add", "-A"]);
        git(&t, &source, &["-c", "user.name=T", "-c", "user.email=t@t", "commit", "-q", "-m", "link"]);
        let tree = worktree(&t, &source);
        git(&t, &tree, &["update-index", mark, "file", "link"]);
        t.execenv(["cleanup", KEY]).ok();
        let tree = {
            git(&t, &source, &["worktree", "prune"]);
            git(&t, &source, &["branch", "-D", "side", "-q"]);
            worktree(&t, &source)
        };
        git(&t, &tree, &["update-index", mark, "file", "link"]);
        t.write(tree.join("file"), "edited\n");
        t.execenv(["cleanup", KEY]).fails(5, &["1 uncommitted change"]);
        std::fs::remove_file(tree.join("link")).unwrap();
        std::os::unix::fs::symlink("other", tree.join("link")).unwrap();
        t.execenv(["cleanup", KEY]).fails(5, &["2 uncommitted changes"]);
    }
}

#[test]
fn explain_says_what_keeps_it() {
    let t = TestEnv::new();
    let source = source(&t);
    let repo = t.prepare(["--task-id", TASK, "--lease", "0"]).join("workdir/repo");
    clone(&t, &source, &repo);
    git(&t, &repo, &["commit", "-q", "--allow-empty", "-m", "work"]);
    let later = "2030-01-01T00:00:00Z";
    let text = t.execenv(["gc", "--explain", KEY]).var("EXECENV_TEST_NOW", later).ok().stdout;
    assert!(text.starts_with("orphan: unused, but retained_unpushed\n"), "{text}");
    let way_out = format!(
        "\n  removed       when its commits are pushed, or by `execenv cleanup --all --force {KEY}`\n"
    );
    assert!(text.contains(&way_out), "{text}");
    let json = t.execenv(["gc", "--explain", KEY, "-o", "json"]).var("EXECENV_TEST_NOW", later).json();
    assert_eq!(json["outcome"], "retained_unpushed");
    let quiet = t.execenv(["gc", "-q"]).var("EXECENV_TEST_NOW", later).ok();
    assert_eq!(quiet.stdout, "");
}

#[test]
fn the_trash_is_not_swept_of_work_that_is_nowhere_else() {
    let t = TestEnv::new();
    let source = source(&t);
    let env = t.prepare(["--task-id", TASK]);
    let repo = env.join("workdir/repo");
    clone(&t, &source, &repo);
    git(&t, &repo, &["commit", "-q", "--allow-empty", "-m", "work"]);
    t.prepare(["--task-id", TASK, "--replace"]); // in its place: the old one goes to the trash as it is
    t.execenv(["cleanup", "--all", KEY]).ok();
    for arguments in [&["gc"][..], &["gc", "--trash-ttl", "0"]] {
        let done = t.execenv(arguments).var("EXECENV_TEST_NOW", "2030-01-01T00:00:00Z").run().status(0);
        assert!(done.stderr.contains("1 commit on no remote"), "{done}");
        assert!(done.stdout.contains("trash: 1 entry (") && done.stdout.contains("), 0 deleted"), "{done}");
    }
    t.execenv(["trash", "restore", KEY]).ok();
    git(&t, &repo, &["push", "-q", "origin", "HEAD:refs/heads/work"]);
    t.execenv(["cleanup", "--trash", KEY]).ok();
    let done = t.execenv(["gc", "--trash-ttl", "0"]).var("EXECENV_TEST_NOW", "2030-01-01T00:00:00Z").ok();
    assert!(done.stdout.contains("trash: 0 entries (0 B), 1 deleted"), "{done}");
}

/// The one ref of ours in a repository.
fn snapshot_ref(t: &TestEnv, source: &Path) -> String {
    let output = t
        .command("git")
        .args(["-C", source.to_str().unwrap(), "for-each-ref", "--format=%(refname)", "refs/execenv"])
        .output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text.trim().to_owned()
}

#[test]
fn force_saves_the_work_of_a_worktree_in_its_repository() {
    let t = TestEnv::new();
    let source = source(&t);
    let tree = worktree(&t, &source);
    git(&t, &tree, &["checkout", "-q", "--detach"]);
    let who = ["-c", "user.name=T", "-c", "user.email=t@example.invalid"];
    git(&t, &tree, &[&who[..], &["commit", "-q", "--allow-empty", "-m", "on no branch"]].concat());
    t.write(tree.join("file"), "edited\n");
    t.write(tree.join("sub/new"), "new\n");
    // A repository of its own inside is neither looked into nor taken for a submodule.
    git(&t, &t.tmp, &["init", "-q", tree.join("nested").to_str().unwrap()]);
    let done = t.execenv(["cleanup", "--force", KEY, "-o", "json"]).run().status(0);
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    let name = snapshot_ref(&t, &source);
    assert!(name.starts_with(&format!("refs/execenv/{KEY}/snapshot-")), "{name}");
    assert!(answer["kept"][0]["why"].as_str().unwrap().ends_with(&name), "{answer}");
    assert!(!tree.exists());
    let show = |what: &str| {
        let mut command = t.command("git");
        command.args(["-C", source.to_str().unwrap(), "show", "-s", "--format=%s", what]);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert_eq!(show(&format!("{name}:file")), "edited\n");
    assert_eq!(show(&format!("{name}:sub/new")), "new\n");
    assert_eq!(show(&format!("{name}^")), "on no branch\n");
    git(&t, &source, &["diff", "--quiet"]);
    t.assert_nothing_half_made("forced");
}

#[test]
fn force_saves_the_work_where_git_ignores_what_execenv_has_put_in() {
    let t = TestEnv::new();
    let source = source(&t);
    for ignored in ["CLAUDE.md", ".claude", ".agent_context", "*", "CLAUDE.md\n.agent_context/*"] {
        t.write("rules", "Be brief.");
        t.write(source.join(".git/info/exclude"), format!("{ignored}\n"));
        let words = ["prepare", "--task-id", TASK, "--provider", "claude", "--instructions", "rules"];
        t.execenv(words.into_iter().chain(["--repo", source.to_str().unwrap()])).run().status(0);
        let tree = t.root.join("default").join(KEY).join("workdir");
        assert!(tree.join("CLAUDE.md").exists(), "{ignored}");
        t.write(tree.join("file"), "edited\n");
        t.execenv(["cleanup", "--all", "--force", KEY]).run().status(0);
        let name = snapshot_ref(&t, &source);
        let mut command = t.command("git");
        command.args(["-C", source.to_str().unwrap(), "diff", "--name-only", "HEAD", &name]);
        let changed = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert_eq!(changed, "file\n", "{ignored}");
        git(&t, &source, &["update-ref", "-d", &name]);
    }
}

#[test]
fn force_takes_nothing_that_could_not_be_saved() {
    let t = TestEnv::new();
    let source = source(&t);
    let tree = worktree(&t, &source);
    t.write(tree.join("file"), "edited\n");
    // No ref can be made below a ref.
    git(&t, &source, &["update-ref", &format!("refs/execenv/{KEY}"), "HEAD"]);
    let done = t.execenv(["cleanup", "--all", "--force", KEY, "-o", "json"]).run().status(5);
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["outcome"], "retained_dirty");
    assert!(answer["errors"][0].as_str().unwrap().contains("no snapshot"), "{answer}");
    // What was tried in vain is no advice.
    assert!(done.stderr.contains("`--trash` keeps it") && !done.stderr.contains("`--force`"), "{done}");
    assert_eq!(std::fs::read_to_string(tree.join("file")).unwrap(), "edited\n");
    t.assert_nothing_half_made("kept");
}

#[test]
fn a_repository_that_git_would_wait_in_for_ever_is_kept_at_once() {
    for part in ["HEAD", "config", "index", "commondir", "info/exclude", "objects/info/alternates"] {
        let t = TestEnv::new();
        let env = t.prepare(["--task-id", TASK]);
        let repo = env.join("workdir/repo");
        git(&t, &env, &["init", "-q", repo.to_str().unwrap()]);
        let _ = fs::remove_file(repo.join(".git").join(part));
        assert!(t.command("mkfifo").arg(repo.join(".git").join(part)).status().unwrap().success());
        let done = t.execenv(["cleanup", KEY, "-o", "json"]).run().status(1);
        assert!(done.stdout.contains("retained_unreadable"), "{part}: {done}");
        assert!(done.stdout.contains("neither a file nor a folder"), "{part}: {done}");
    }
}

/// Runs a shell script in `dir` with the variables of the test; its status does not matter.
fn script(t: &TestEnv, dir: &Path, text: &str) {
    let identity = [("GIT_AUTHOR_NAME", "T"), ("GIT_AUTHOR_EMAIL", "t@example.invalid")];
    let committer = [("GIT_COMMITTER_NAME", "T"), ("GIT_COMMITTER_EMAIL", "t@example.invalid")];
    let mut command = t.command("sh");
    command.args(["-c", text]).current_dir(dir).envs(identity.into_iter().chain(committer));
    let output = command.output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("not found"), "{output:?}");
}

fn cleanup(t: &TestEnv) -> Value {
    let done = t.execenv(["cleanup", KEY, "-o", "json"]).run();
    let mut answer: Value = serde_json::from_str(&done.stdout).unwrap();
    answer["status"] = done.status.into();
    answer
}

#[test]
fn a_commit_that_any_ref_of_the_repository_holds_counts() {
    const COMMIT: &str = "c=$(git commit-tree -m work HEAD^{tree} -p HEAD)";
    for hold in [
        "git update-ref refs/jj/keep/$c $c",
        "git update-ref refs/heads/side $c",
        "git update-ref refs/notes/x $c",
        "git update-ref refs/worktree/x $c",
        "git tag x $c",
        "git checkout -q --detach $c",
        "git update-ref refs/original/x $c",
        "git bisect start -q && git update-ref refs/bisect/good-1 $c",
        "git worktree add -q --detach ../linked $c",
    ] {
        let t = TestEnv::new();
        let source = source(&t);
        let repo = t.prepare(["--task-id", TASK]).join("workdir/repo");
        clone(&t, &source, &repo);
        script(&t, &repo, &format!("{COMMIT}; {hold}"));
        let answer = cleanup(&t);
        assert_eq!(answer["status"], 5, "{hold}: {answer}");
        let why = answer["kept"][0]["why"].as_str().unwrap();
        assert!(why.contains("1 commit on no remote (") && why.contains(" work)"), "{hold}: {why}");
        script(&t, &repo, &format!("{COMMIT}; git push -q origin $c:refs/heads/pushed"));
    }
}

#[test]
fn what_a_ref_holds_besides_commits_counts() {
    for (hold, expected) in [
        (
            "GIT_COMMITTER_DATE='4000000000 +0000' git tag -a -m text new",
            Some("1 ref with more than a commit (refs/tags/new)"),
        ),
        ("git update-ref refs/keep/x $(git hash-object -w file)", Some("(refs/keep/x)")),
        ("git tag x $(git hash-object -w file)", Some("(refs/tags/x)")),
        (
            "c=$(git commit-tree -m work HEAD^{tree} -p HEAD); w=$(git commit-tree -m wip HEAD^{tree} -p $c); \
             git update-ref refs/execenv/KEY/wip $w",
            Some("1 commit on no remote ("),
        ),
        ("git update-ref refs/execenv/KEY/wip $(git commit-tree -m wip HEAD^{tree} -p HEAD)", None),
        // It is no checkpoint of this environment.
        (
            "git update-ref refs/execenv/x/wip $(git commit-tree -m wip HEAD^{tree} -p HEAD)",
            Some("1 commit on no remote ("),
        ),
        ("git tag light", None),
    ] {
        let t = TestEnv::new();
        let source = source(&t);
        // Tags of the remote do not count.
        script(
            &t,
            &source,
            "GIT_COMMITTER_DATE='1000000000 +0000' git tag -a -m text old; git tag blob $(git hash-object -w file)",
        );
        let repo = t.prepare(["--task-id", TASK]).join("workdir/repo");
        clone(&t, &source, &repo);
        script(&t, &repo, &hold.replace("KEY", KEY));
        let answer = cleanup(&t);
        match expected {
            None => assert_eq!(answer["status"], 0, "{hold}: {answer}"),
            Some(expected) => {
                let why = answer["kept"][0]["why"].as_str().unwrap_or_default();
                assert!(answer["status"] == 5 && why.contains(expected), "{hold}: {answer}");
            }
        }
    }
}

#[test]
fn an_operation_that_has_begun_counts_although_the_status_is_clean() {
    const CONFLICT: &str = "git checkout -q -b side HEAD~1; echo side >file; git commit -qam side; ";
    for (begin, name) in [
        (
            "echo edit >file; GIT_SEQUENCE_EDITOR='sed -i 1ibreak' git rebase -q -i --autostash HEAD~1",
            "a rebase",
        ),
        (&format!("{CONFLICT} git rebase -q main")[..], "a rebase"),
        (&format!("{CONFLICT} git merge -q main"), "a merge"),
        (&format!("{CONFLICT} git cherry-pick main"), "a cherry-pick"),
        (&format!("{CONFLICT} git revert --no-edit main"), "a revert"),
        (
            "git format-patch -q -1 --stdout >../p; git reset -q --hard HEAD~1; echo x >file; git commit -qam x; git am -q ../p",
            "`git am`",
        ),
        ("git bisect start -q HEAD HEAD~1", "a bisect"),
    ] {
        let t = TestEnv::new();
        let source = source(&t);
        script(&t, &source, "echo two >file; git commit -qam two");
        let repo = t.prepare(["--task-id", TASK]).join("workdir/repo");
        clone(&t, &source, &repo);
        script(&t, &repo, begin);
        let answer = cleanup(&t);
        let why = answer["kept"][0]["why"].as_str().unwrap_or_default();
        assert_eq!((&answer["status"], &answer["outcome"]), (&5.into(), &"retained_dirty".into()), "{begin}");
        assert!(why.contains(name) && why.contains("in progress"), "{begin}: {why}");
    }
}

#[test]
fn every_reason_is_named_with_its_first_commits_and_files() {
    let t = TestEnv::new();
    let source = source(&t);
    let repo = t.prepare(["--task-id", TASK]).join("workdir/repo");
    clone(&t, &source, &repo);
    script(&t, &repo, "for n in 1 2 3 4 5 6 7; do git commit -q --allow-empty -m \"c$n\"; done");
    script(&t, &repo, "echo x >file; git stash -q; touch \"$(printf 'new\\033[31m')\"; git bisect start -q");
    let answer = cleanup(&t);
    let why = answer["kept"][0]["why"].as_str().unwrap();
    for part in
        ["1 uncommitted change (", "new\\u{1b}[31m", "a bisect is in progress", "a stash", " c7, ", ", …)"]
    {
        assert!(why.contains(part), "{part}: {why}");
    }
    assert!(why.contains("7 commits on no remote (") && why.contains("a stash (WIP on main: "), "{why}");
    let unsaved = &answer["kept"][0]["unsaved"];
    let kinds: Vec<_> =
        unsaved.as_array().unwrap().iter().map(|reason| (&reason["kind"], &reason["count"])).collect();
    let expected = json!([["uncommitted", 1], ["in_progress", 1], ["commits", 7], ["stash", 1]]);
    assert_eq!(json!(kinds), expected, "{answer}");
    assert_eq!(unsaved[0]["first"], json!(["new\u{1b}[31m"]));
    assert_eq!(unsaved[1]["first"], json!(["a bisect"]));
    let commits = unsaved[2]["first"].as_array().unwrap();
    assert!(commits.len() == 5 && commits[0].as_str().unwrap().ends_with(" c7"), "{commits:?}");
    assert!(unsaved[3]["first"][0].as_str().unwrap().starts_with("WIP on main: "), "{unsaved}");
    let gc =
        t.execenv(["gc", "--orphan-ttl", "0", "-o", "json"]).var("EXECENV_TEST_NOW", "2027-01-01T00:00:00Z");
    let gc: Value = serde_json::from_str(&gc.run().stdout).unwrap();
    let kept = &gc["decisions"][0]["unsaved"][0];
    assert_eq!(
        (&kept["path"], &kept["why"]),
        (&answer["kept"][0]["path"], &answer["kept"][0]["why"]),
        "{gc}"
    );
    assert_eq!(&kept["unsaved"], unsaved, "{gc}");
}

#[test]
fn force_saves_what_an_operation_in_a_worktree_holds() {
    let t = TestEnv::new();
    let source = source(&t);
    script(&t, &source, "echo two >file; git commit -qam two");
    let tree = worktree(&t, &source);
    script(
        &t,
        &tree,
        "echo edit >file; GIT_SEQUENCE_EDITOR='sed -i 1ibreak' git rebase -q -i --autostash HEAD~1",
    );
    assert_eq!(cleanup(&t)["status"], 5);
    t.execenv(["cleanup", "--force", KEY]).run().status(0);
    let name = snapshot_ref(&t, &source);
    script(
        &t,
        &source,
        &format!("git log --format=%H {name} | while read c; do git show $c:file; done >../saved"),
    );
    assert!(fs::read_to_string(source.parent().unwrap().join("saved")).unwrap().contains("edit\n"));
}

#[test]
fn changes_count_also_where_the_repository_calls_itself_bare_or_names_another_folder() {
    for (key, value) in [("core.bare", "true"), ("core.worktree", "/tmp")] {
        let t = TestEnv::new();
        let source = source(&t);
        let repo = t.prepare(["--task-id", TASK]).join("workdir/repo");
        clone(&t, &source, &repo);
        t.write(repo.join("new"), "dirty");
        git(&t, &repo, &["config", key, value]);
        assert_eq!(cleanup(&t)["outcome"], "retained_dirty", "{key}");
    }
}

#[test]
fn depth_keeps_nothing_and_hides_nothing() {
    let t = TestEnv::new();
    let source = source(&t);
    let env = t.prepare(["--task-id", TASK]);
    let deep = (0..60).fold(env.join("workdir"), |path, _| path.join("d"));
    fs::create_dir_all(&deep).unwrap();
    clone(&t, &source, &deep.join("repo"));
    t.write(deep.join("repo/new"), "dirty");
    assert_eq!(cleanup(&t)["outcome"], "retained_dirty");
    fs::remove_file(deep.join("repo/new")).unwrap();
    assert_eq!(cleanup(&t)["outcome"], "removed");
}

#[test]
fn a_repository_that_does_not_know_the_worktree_gets_no_snapshot() {
    let t = TestEnv::new();
    let source = source(&t);
    let real = worktree_at(&t, &source, "elsewhere");
    let named = fs::read(real.join(".git")).unwrap();
    for git_file in [named, format!("gitdir: {}\n", source.join(".git").display()).into_bytes()] {
        let env = t.prepare(["--task-id", TASK]);
        t.write(env.join("workdir/forged/.git"), git_file);
        t.write(env.join("workdir/forged/new"), "dirty");
        let before = crate::support::snapshot(&source);
        t.execenv(["cleanup", KEY]).fails(5, &["uncommitted change"]);
        // What has no place for a snapshot is not removed by force either.
        t.execenv(["cleanup", "--force", "--all", KEY]).fails(5, &["no snapshot"]);
        assert_eq!(fs::read_to_string(env.join("workdir/forged/new")).unwrap(), "dirty");
        crate::support::assert_same(&before, &crate::support::snapshot(&source), "the repository");
        t.execenv(["cleanup", "--trash", "--all", KEY]).ok();
    }
}

fn worktree_at(t: &TestEnv, source: &Path, name: &str) -> std::path::PathBuf {
    let tree = t.tmp.join(name);
    git(t, source, &["worktree", "add", "-q", "--no-track", "-b", name, tree.to_str().unwrap()]);
    tree
}

/// Puts a `git` into the path that does `script` where it is asked for a status.
fn git_with_status(t: &TestEnv, script: &str) -> std::ffi::OsString {
    use std::os::unix::fs::PermissionsExt;
    let real = t.sh("command -v git").ok().stdout;
    let whole = format!(
        "#!/bin/sh\nfor word; do [ \"$word\" != status ] || {{ {script}; }}; done\nexec {} \"$@\"\n",
        real.trim()
    );
    let fake = t.write("bin/git", whole);
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    std::env::join_paths(std::iter::once(t.tmp.join("bin")).chain(std::env::split_paths(&path))).unwrap()
}

#[test]
fn repositories_that_make_git_wait_share_one_deadline() {
    let t = TestEnv::new();
    let source = source(&t);
    let env = t.prepare(["--task-id", TASK]);
    for name in ["one", "two", "three"] {
        clone(&t, &source, &env.join("workdir").join(name));
    }
    let path = git_with_status(&t, &format!("echo asked >>{}/asked; exec sleep 1000", t.tmp.display()));
    let gc = t.execenv(["gc", "--orphan-ttl", "1s", "-o", "json"]).var("PATH", path);
    let done = gc.var("EXECENV_TEST_PATIENCE", "1").var("EXECENV_TEST_NOW", "2026-09-01T12:00:00Z").run();
    let answer: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (done.status, &answer["decisions"][0]["outcome"]),
        (Some(0), &"retained_unreadable".into()),
        "{done}"
    );
    assert!(env.join("workdir/one/file").exists(), "{done}");
    assert_eq!(
        fs::read_to_string(t.tmp.join("asked")).unwrap(),
        "asked\n",
        "the others wait for nothing\n{done}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn what_a_killed_command_had_made_for_git_is_removed_by_the_next() {
    use std::os::unix::fs::DirBuilderExt;
    let t = TestEnv::new();
    let source = source(&t);
    let env = t.prepare(["--task-id", TASK]);
    clone(&t, &source, &env.join("workdir/repo"));
    let note = t.tmp.join("view");
    let path = git_with_status(&t, &format!("echo \"$GIT_DIR\" >{}; kill -9 $PPID; exit 1", note.display()));
    let done = t.execenv(["cleanup", KEY]).var("PATH", path).run();
    assert!(done.was_killed(), "{done}");
    let left = std::path::PathBuf::from(fs::read_to_string(&note).unwrap().trim());
    // Another test may have removed it already.
    let token = |last: &str| format!("execenv-git-{:.15}{last}", uuid::Uuid::new_v4().simple().to_string());
    let beside = |mode, last: &str| {
        let path = left.with_file_name(token(last));
        fs::DirBuilder::new().mode(mode).create(&path).unwrap();
        path
    };
    let (locked, open, other) = (beside(0o700, "a"), beside(0o755, "b"), beside(0o700, "x"));
    let lock = fs::File::open(&locked).unwrap();
    lock.lock().unwrap();
    t.execenv(["cleanup", KEY]).ok();
    assert!(!left.exists(), "{} is left", left.display());
    for (kept, why) in [(locked, "in use"), (open, "not private"), (other, "of another form")] {
        assert!(kept.exists(), "{why}");
        fs::remove_dir(kept).unwrap();
    }
}
