//! `prepare --repo`: the work dir as a git worktree, with real repositories of many kinds.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::git_http::serve;
use crate::support::repository::{git_out, make_repository};
use crate::support::{KEY, Snapshot, TASK, TestEnv, assert_same, snapshot};

const OTHER: &str = "22222222-2222-4333-8444-000000000002";

pub fn git(t: &TestEnv, dir: &Path, words: &[&str]) -> String {
    let mut command = t.command("git");
    command.current_dir(dir).args(["-c", "user.name=T", "-c", "user.email=t@example.invalid"]).args(words);
    let done = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    assert!(done.status.success(), "git {words:?} in {}: {}", dir.display(), text(&done.stderr));
    text(&done.stdout)
}

/// A repository with one commit, which has a brief file of its own.
pub fn repository(t: &TestEnv, name: &str, init: &[&str]) -> PathBuf {
    let path = t.tmp.join(name);
    std::fs::create_dir_all(&path).unwrap();
    git(t, &path, &[&["init", "-q", "-b", "main"], init].concat());
    t.write(path.join("CLAUDE.md"), "the user's own\n");
    t.write(path.join("docs/ä b\n.txt"), "text\n");
    t.write(path.join("run.sh"), "#!/bin/sh\n");
    std::os::unix::fs::symlink("run.sh", path.join("link")).unwrap();
    git(t, &path, &["add", "-A"]);
    git(t, &path, &["update-index", "--chmod=+x", "run.sh"]);
    git(t, &path, &["commit", "-q", "-m", "one"]);
    git(t, &path, &["checkout", "-q", "-f", "HEAD", "--", "."]);
    path
}

/// Everything of a repository but its objects and the log of refs.
pub fn kept(repository: &Path) -> Snapshot {
    let mut all = snapshot(repository);
    all.retain(|path, _| {
        let path = path.to_string_lossy();
        let inside = path.strip_prefix(".git/").unwrap_or(&path);
        !["objects/", "logs", "reftable/"].iter().any(|changing| inside.starts_with(changing))
    });
    all
}

fn answer(t: &TestEnv, words: &[&str]) -> Value {
    t.execenv([&["prepare", "--task-id", TASK, "-o", "json"], words].concat()).json()
}

#[test]
fn a_worktree_of_any_repository_is_as_git_makes_it_and_the_repository_stays_as_it_was() {
    type Make = fn(&TestEnv) -> PathBuf;
    let kinds: [(&str, Make); 16] = [
        ("plain", |t| repository(t, "plain", &[])),
        ("a folder in it", |t| repository(t, "inside", &[]).join("docs")),
        ("odd name", |t| repository(t, "odd ä'\"\nname", &[])),
        ("sha256", |t| repository(t, "sha256", &["--object-format=sha256"])),
        ("detached HEAD", |t| {
            let path = repository(t, "detached", &[]);
            git(t, &path, &["checkout", "-q", "--detach"]);
            path
        }),
        ("bare", |t| {
            let path = repository(t, "full", &[]);
            git(t, &t.tmp, &["clone", "-q", "--bare", path.to_str().unwrap(), "bare.git"]);
            t.tmp.join("bare.git")
        }),
        ("a worktree of it", |t| {
            let path = repository(t, "main", &[]);
            git(t, &path, &["worktree", "add", "-q", "-b", "side", "../side"]);
            t.tmp.join("side")
        }),
        ("settings of one worktree", |t| {
            let path = repository(t, "settings", &[]);
            git(t, &path, &["config", "extensions.worktreeConfig", "true"]);
            git(t, &path, &["config", "--worktree", "core.abbrev", "12"]);
            path
        }),
        ("sparse", |t| {
            let path = repository(t, "sparse", &[]);
            git(t, &path, &["sparse-checkout", "set", "docs"]);
            path
        }),
        ("a rebase in progress", |t| {
            let path = repository(t, "rebase", &[]);
            git(t, &path, &["commit", "-q", "--allow-empty", "-m", "two"]);
            let done = t
                .command("git")
                .current_dir(&path)
                .args(["-c", "user.name=T", "-c", "user.email=t@e", "rebase", "-q", "-x", "false", "HEAD~1"])
                .output();
            assert!(!done.unwrap().status.success());
            path
        }),
        ("hooks and monitors", |t| {
            let path = repository(t, "hooks", &[]);
            let trap = t.write("trap.sh", format!("#!/bin/sh\ntouch {}\n", t.tmp.join("ran").display()));
            std::fs::set_permissions(&trap, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            for hook in ["post-checkout", "reference-transaction", "post-index-change"] {
                std::fs::copy(&trap, path.join(".git/hooks").join(hook)).unwrap();
            }
            git(t, &path, &["config", "core.fsmonitor", trap.to_str().unwrap()]);
            git(t, &path, &["config", "commit.gpgsign", "true"]);
            path
        }),
        ("names that differ in case only", |t| {
            let path = repository(t, "case", &[]);
            for name in ["README", "readme", "src/A", "SRC/a"] {
                t.write(path.join(name), name);
            }
            git(t, &path, &["add", "-A"]);
            git(t, &path, &["commit", "-q", "-m", "two"]);
            path
        }),
        ("a merge in progress", |t| {
            let path = repository(t, "merging", &[]);
            git(t, &path, &["checkout", "-q", "-b", "side"]);
            t.write(path.join("run.sh"), "side\n");
            git(t, &path, &["commit", "-q", "-a", "-m", "side"]);
            git(t, &path, &["checkout", "-q", "main"]);
            t.write(path.join("run.sh"), "main\n");
            git(t, &path, &["commit", "-q", "-a", "-m", "main"]);
            let who = ["-c", "user.name=T", "-c", "user.email=t@e"];
            let done = t.command("git").current_dir(&path).args(who).args(["merge", "-q", "side"]).output();
            assert!(!done.unwrap().status.success() && path.join(".git/MERGE_HEAD").exists());
            path
        }),
        ("with a submodule", |t| {
            let path = repository(t, "above", &[]);
            let module = repository(t, "module", &[]);
            let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add"];
            git(t, &path, &[&add[..], &[module.to_str().unwrap(), "sub"]].concat());
            git(t, &path, &["commit", "-q", "-a", "-m", "two"]);
            path
        }),
        ("a partial clone", |t| {
            let path = repository(t, "whole", &[]);
            git(t, &path, &["config", "uploadpack.allowFilter", "true"]);
            git(t, &path, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
            let url = format!("file://{}", path.display());
            git(t, &t.tmp, &["clone", "-q", "--filter=blob:none", "--no-checkout", &url, "partial"]);
            t.tmp.join("partial")
        }),
        ("a shallow clone", |t| {
            let path = repository(t, "deep", &[]);
            git(t, &path, &["commit", "-q", "--allow-empty", "-m", "two"]);
            let url = format!("file://{}", path.display());
            git(t, &t.tmp, &["clone", "-q", "--depth", "1", &url, "shallow"]);
            t.tmp.join("shallow")
        }),
    ];
    for (kind, make) in kinds {
        let t = TestEnv::new();
        let source = make(&t);
        let top = if source.ends_with("docs") { source.parent().unwrap() } else { &source };
        let before = kept(top);
        let words = ["prepare", "--task-id", TASK, "-o", "json", "--agent-name", "Ada L.", "--repo"];
        let done = t.execenv(words.into_iter().chain([source.to_str().unwrap()])).run().status(0);
        assert_eq!(done.stderr.contains("has submodules"), kind == "with a submodule", "{kind}: {done}");
        let made: Value = serde_json::from_str(&done.stdout).unwrap();
        let has_run = t.tmp.join("ran");
        assert!(!has_run.exists(), "{kind}: a hook or monitor ran");
        let branch = format!("agent/ada-l/{KEY}");
        assert_eq!(
            (&made["type"], &made["branch_name"]),
            (&"git_worktree".into(), &branch.clone().into()),
            "{kind}"
        );
        let work_dir = PathBuf::from(made["work_dir"].as_str().unwrap());
        let gits = t.tmp.join("gits");
        let base = git(&t, top, &["rev-parse", &format!("refs/heads/{branch}")]);
        git(
            &t,
            top,
            &[
                "-c",
                "core.hooksPath=/dev/null",
                "worktree",
                "add",
                "-q",
                "--detach",
                gits.to_str().unwrap(),
                &base,
            ],
        );
        for question in [
            &["ls-files", "-s", "-t"][..],
            &["rev-parse", "HEAD"],
            &["rev-parse", "--git-common-dir"],
            &["diff", "--stat", "HEAD", "--", ".", ":!CLAUDE.md"],
        ] {
            let of_ours = git(&t, &work_dir, question).replace("S 100644", "H 100644");
            let of_gits = git(&t, &gits, question).replace("S 100644", "H 100644");
            assert_eq!(of_ours, of_gits, "{kind}: {question:?}");
        }
        git(&t, top, &["worktree", "remove", "--force", gits.to_str().unwrap()]);
        let names = |folder: &Path| {
            let files = snapshot(folder).into_keys().filter(|path| !path.starts_with(".agent_context"));
            files.filter(|path| !path.starts_with(".git")).collect::<Vec<_>>()
        };
        assert!(!names(&work_dir).is_empty(), "{kind}");
        assert_eq!(git(&t, &work_dir, &["symbolic-ref", "--short", "HEAD"]), branch, "{kind}");
        // git has it in its list, locked.
        let list = git(&t, top, &["worktree", "list", "--porcelain"]);
        assert!(list.contains("locked execenv: work dir "), "{kind}: {list}");
        assert!(git(&t, &work_dir, &["fsck", "--no-dangling"]).is_empty(), "{kind}");
        let _ = std::fs::remove_file(&has_run); // the test's own calls ran them
        t.execenv(["cleanup", "--all", KEY]).ok();
        assert_same(&before, &kept(top), &format!("{kind}: after cleanup"));
        assert!(!has_run.exists(), "{kind}: a hook or monitor ran");
    }
}

#[test]
fn a_worktree_of_50_000_files_is_made_and_goes() {
    let t = TestEnv::new();
    let source = t.tmp.join("many.git");
    std::fs::create_dir(&source).unwrap();
    git(&t, &source, &["init", "-q", "--bare", "-b", "main"]);
    let files: String = (0..50_000).map(|n| format!("M 100644 :1 {}/{n}\n", n / 500)).collect();
    let commit = "commit refs/heads/main\ncommitter T <t@e> 0 +0000\ndata 1\nx\n";
    let stream = t.write("stream", format!("blob\nmark :1\ndata 2\nx\n\n{commit}{files}\n"));
    let mut import = t.command("git");
    import.current_dir(&source).args(["fast-import", "--quiet"]);
    assert!(import.stdin(std::fs::File::open(stream).unwrap()).status().unwrap().success());
    let before = git(&t, &source, &["for-each-ref"]);
    let made = answer(&t, &["--repo", "many.git"]);
    let work_dir = Path::new(made["work_dir"].as_str().unwrap());
    assert_eq!(git(&t, work_dir, &["ls-files"]).lines().count(), 50_000);
    assert_eq!(git(&t, work_dir, &["status", "--porcelain", "-uno"]), "");
    t.execenv(["cleanup", "--all", KEY]).ok();
    assert_eq!(git(&t, &source, &["for-each-ref"]), before);
    assert_eq!(git(&t, &source, &["worktree", "list"]).lines().count(), 1);
}

#[test]
fn where_no_worktree_can_be_made() {
    let t = TestEnv::new();
    let plain = t.tmp.join("plain");
    std::fs::create_dir(&plain).unwrap();
    let unborn = t.tmp.join("unborn");
    std::fs::create_dir(&unborn).unwrap();
    git(&t, &unborn, &["init", "-q"]);
    for (folder, why) in [(&plain, "is in no git repository"), (&unborn, "has no commit yet")] {
        let done = t.execenv(["prepare", "--repo", folder.to_str().unwrap(), "-o", "json"]).run().status(0);
        assert!(done.stderr.contains(why), "{done}");
        let made: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!((&made["type"], &made["branch_name"]), (&"directory".into(), &Value::Null), "{why}");
        let work_dir = made["work_dir"].as_str().unwrap();
        assert!(Path::new(work_dir).is_dir() && !Path::new(work_dir).starts_with(folder));
    }
    let source = repository(&t, "source", &[]);
    let before = kept(&source);
    let root = snapshot(&t.root);
    let source = source.to_str().unwrap();
    for (words, status, parts) in [
        (&["--repo", "/nowhere"][..], 2, &["`--repo /nowhere` does not exist"][..]),
        (&["--repo", "/etc/passwd"], 2, &["is not a folder"]),
        (&["--repo", source, "--base", "nothing"], 2, &["`--base nothing`", "no such commit"]),
        (&["--repo", source, "--base=--all"], 2, &["`--base --all`", "no such commit"]),
        (&["--repo", source, "--local-dir", source], 2, &["cannot be used together"]),
        (&["--base", "main"], 2, &["--repo"]),
    ] {
        t.execenv([&["prepare", "--task-id", TASK], words].concat()).fails(status, parts);
    }
    // A branch that is called `agent` leaves no room for ours.
    git(&t, Path::new(source), &["branch", "agent"]);
    t.execenv(["prepare", "--task-id", TASK, "--repo", source]).fails(1, &["make a worktree", "agent"]);
    git(&t, Path::new(source), &["branch", "-q", "-D", "agent"]);
    assert_same(&before, &kept(Path::new(source)), "after the failures");
    assert_same(&root, &snapshot(&t.root), "the root after the failures");
}

#[test]
fn a_root_among_the_files_of_the_repository_is_refused_unless_git_ignores_it() {
    let t = TestEnv::new();
    let (source, linked) = (t.tmp.join("source"), t.tmp.join("linked"));
    make_repository(&t, &source, &[]);
    t.write(source.join(".gitignore"), "/ignored/\n");
    t.write(source.join("sub/file"), "f");
    git(&t, &source, &["worktree", "add", "-q", "--detach", linked.to_str().unwrap()]);
    git(&t, &t.tmp, &["clone", "-q", "source", "other"]);
    t.link("way", &source);
    for (root, words, refused) in [
        ("source/root", &["--repo", "source"][..], "among the files of"),
        ("source/deep/er/root", &["--repo", "source"], "among the files of"),
        ("source", &["--repo", "source"], "among the files of"),
        ("way/root", &["--repo", "source"], "among the files of"),
        ("source/root", &["--repo", "linked"], "among the files of"),
        ("linked/root", &["--repo", "source"], "among the files of"),
        ("source/root", &["--local-dir", "source/sub", "--worktree"], "among the files of"),
        ("source/.git/root", &["--repo", "source"], "in the git folder of"),
        ("source/ignored", &["--repo", "source"], ""),
        ("source/ignored/root", &["--repo", "source"], ""),
        ("other/root", &["--repo", "source"], ""),
    ] {
        let before = snapshot(&source);
        let prepare = [&["prepare", "--workspaces-root", root], words].concat();
        if refused.is_empty() {
            t.execenv(prepare).ok();
            continue;
        }
        t.execenv(prepare).fails(2, &["lies in", refused, "--workspaces-root"]);
        assert_same(&before, &snapshot(&source), root);
    }
    assert_eq!(git_out(&t, &source, &["status", "--porcelain"]), "?? .gitignore\n?? sub/");
    let event =
        serde_json::json!({"hook_event_name": "WorktreeCreate", "name": "x", "cwd": source}).to_string();
    let hook = t.execenv(["hook", "claude", "--workspaces-root", "source/root"]).input(event);
    hook.fails(2, &["among the files of", "--workspaces-root"]);
}

#[test]
fn the_base_is_the_default_branch_of_origin_unless_another_is_named() {
    let t = TestEnv::new();
    let upstream = repository(&t, "upstream", &[]);
    let first = git(&t, &upstream, &["rev-parse", "HEAD"]);
    git(&t, &upstream, &["commit", "-q", "--allow-empty", "-m", "two"]);
    git(&t, &upstream, &["tag", "v1"]);
    let second = git(&t, &upstream, &["rev-parse", "HEAD"]);
    git(&t, &upstream, &["checkout", "-q", "-b", "feature", &first]);
    git(&t, &upstream, &["commit", "-q", "--allow-empty", "-m", "three"]);
    let third = git(&t, &upstream, &["rev-parse", "HEAD"]);
    git(&t, &upstream, &["checkout", "-q", "main"]);
    git(&t, &t.tmp, &["clone", "-q", upstream.to_str().unwrap(), "clone"]);
    let clone = t.tmp.join("clone");
    git(&t, &clone, &["checkout", "-q", "-b", "mine", &first]);
    let clone = clone.to_str().unwrap();
    for (base, expected, name) in [
        (None, &second, "origin/main"),
        (Some("HEAD"), &first, "HEAD"),
        (Some("mine"), &first, "mine"),
        (Some("feature"), &third, "feature"),
        (Some("v1"), &second, "v1"),
        (Some(&first[..12]), &first, &first[..12]),
    ] {
        let mut words = vec!["--repo", clone];
        words.extend(base.iter().flat_map(|base| ["--base", base]));
        let made = answer(&t, &words);
        let work_dir = PathBuf::from(made["work_dir"].as_str().unwrap());
        assert_eq!(&git(&t, &work_dir, &["rev-parse", "HEAD"]), expected, "{base:?}");
        let meta: Value =
            serde_json::from_slice(&std::fs::read(work_dir.with_file_name(".gc_meta.json")).unwrap())
                .unwrap();
        assert_eq!(meta["execenv"]["repository"]["base"], name, "{base:?}");
        // It tracks nothing: a plain `git push` of the agent's goes nowhere by accident.
        assert_eq!(git(&t, &work_dir, &["for-each-ref", "--format=%(upstream)", "refs/heads/agent"]), "");
        t.execenv(["cleanup", "--all", KEY]).ok();
    }
}

#[test]
fn the_agents_git_sees_no_sidecar_and_no_commit_has_one() {
    let t = TestEnv::new();
    let source = repository(&t, "source", &[]);
    t.write("home/.config/git/ignore", "*.tmp");
    t.write("skills/one/SKILL.md", "---\nname: one\ndescription: d\n---\ntext\n");
    let skills = t.tmp.join("skills");
    let words = ["--provider", "claude", "--agent-name", "Ada", "--skills", skills.to_str().unwrap()];
    let made = answer(&t, &[&words[..], &["--repo", source.to_str().unwrap()]].concat());
    let work_dir = PathBuf::from(made["work_dir"].as_str().unwrap());
    assert!(std::fs::read_to_string(work_dir.join("CLAUDE.md")).unwrap().contains("Ada"));
    t.write(work_dir.join("ignored.tmp"), "");
    t.write(work_dir.join("work"), "work\n");
    let script = "git status --porcelain; git add -A; git -c user.name=T -c user.email=t@e commit -q -m w; \
                  git show --format= --name-only HEAD; git status --porcelain";
    let done = t.execenv(["run", "-q", KEY, "--", "sh", "-c", script]).run().status(0);
    assert_eq!(done.stdout, "?? work\nwork\n", "{done}");
    // The same by the variables that prepare prints.
    let env = made["env"].as_object().unwrap();
    let mut status = t.command("git");
    status.current_dir(&work_dir).args(["status", "--porcelain"]);
    status.envs(env.iter().map(|(name, value)| (name, value.as_str().unwrap())));
    assert_eq!(String::from_utf8_lossy(&status.output().unwrap().stdout), "");
    // A new task's sidecars are hidden, too; the old brief's file is shown again.
    t.execenv(["reuse", KEY, "--provider", "opencode", "--agent-name", "Bob"]).ok();
    t.write(work_dir.join("CLAUDE.md"), "changed\n");
    let done = t.execenv(["run", "-q", KEY, "--", "git", "status", "--porcelain"]).run().status(0);
    assert_eq!(done.stdout, " M CLAUDE.md\n", "{done}");
    assert!(work_dir.join("AGENTS.md").exists());
}

#[test]
fn what_the_branch_holds_is_never_lost_with_the_worktree() {
    let t = TestEnv::new();
    let source = repository(&t, "source", &[]);
    let branch = format!("agent/agent/{KEY}");
    let full = format!("refs/heads/{branch}");
    let count = std::cell::Cell::new(0);
    let prepared = |t: &TestEnv, commit: bool| {
        let env = t.prepare(["--task-id", TASK, "--provider", "claude", "--repo", source.to_str().unwrap()]);
        if commit {
            count.set(count.get() + 1);
            let message = format!("work {}", count.get());
            git(t, &env.join("workdir"), &["commit", "-q", "--allow-empty", "-m", &message]);
        }
        env
    };
    let refs = || git(&t, &source, &["for-each-ref", "--format=%(refname)"]);
    let before = kept(&source);
    // Nothing was committed: all goes.
    prepared(&t, false);
    t.execenv(["cleanup", KEY]).ok();
    assert_same(&before, &kept(&source), "without a commit");
    prepared(&t, false);
    t.execenv(["cleanup", "--keep-branch", "--all", KEY]).run().status(0);
    assert_eq!(refs(), format!("{full}\nrefs/heads/main"));
    git(&t, &source, &["branch", "-q", "-D", &branch]);
    // A commit that is nowhere else keeps its branch, which is named.
    let env = prepared(&t, true);
    let tip = git(&t, &env.join("workdir"), &["rev-parse", "HEAD"]);
    let done = t.execenv(["cleanup", KEY, "-o", "json"]).run().status(0);
    assert!(
        done.stderr.contains(&format!("the branch {branch} has 1 commit that is nowhere else")),
        "{done}"
    );
    assert_eq!(git(&t, &source, &["rev-parse", &full]), tip);
    assert_eq!(git(&t, &source, &["worktree", "list"]).lines().count(), 1);
    // The next environment of the task gets a branch of its own.
    t.execenv(["cleanup", "--all", KEY]).ok();
    prepared(&t, true);
    assert_eq!(refs(), format!("{full}\n{full}-2\nrefs/heads/main"));
    // By force, a ref of ours holds what only the branch had.
    let done = t.execenv(["cleanup", "--all", "--force", KEY]).run().status(0);
    assert!(done.stderr.contains(&format!("refs/execenv/{KEY}/branch holds 1 commit")), "{done}");
    assert_eq!(refs(), format!("refs/execenv/{KEY}/branch\n{full}\nrefs/heads/main"));
    // A commit that main has, too, does not keep the branch.
    git(&t, &source, &["update-ref", "-d", &full]);
    git(&t, &source, &["update-ref", "-d", &format!("refs/execenv/{KEY}/branch")]);
    let env = prepared(&t, true);
    git(&t, &source, &["merge", "-q", "--ff-only", &branch]);
    t.execenv(["cleanup", KEY]).ok();
    assert_eq!(refs(), "refs/heads/main");
    assert!(env.join("output").is_dir());
    // What is not committed stays, also what the agent wrote into the file with our block.
    for (path, text) in [("new", "work"), ("CLAUDE.md", "edited by the agent\n")] {
        let env = prepared(&t, false);
        t.write(env.join("workdir").join(path), text);
        let done = t.execenv(["cleanup", KEY, "-o", "json"]).run().status(5);
        let answer: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(answer["outcome"], "retained_dirty", "{path}");
        assert!(env.join("workdir").join(path).exists());
        let done = t.execenv(["cleanup", "--all", "--force", KEY]).run().status(0);
        assert!(done.stderr.contains(&format!("refs/execenv/{KEY}/snapshot-")), "{done}");
        let snapshot = git(&t, &source, &["for-each-ref", "--format=%(refname)", "refs/execenv"]);
        assert!(git(&t, &source, &["show", &format!("{snapshot}:{path}")]).starts_with(text.trim_end()));
        git(&t, &source, &["update-ref", "-d", &snapshot]);
    }
}

#[test]
fn a_worktree_in_the_trash_can_be_restored_and_leaves_its_repository_with_the_entry() {
    let t = TestEnv::new();
    let source = repository(&t, "source", &[]);
    let before = kept(&source);
    let env = t.prepare(["--task-id", TASK, "--repo", source.to_str().unwrap()]);
    let work_dir = env.join("workdir");
    for words in [&["cleanup", "--trash", KEY][..], &["cleanup", "--trash", "--all", KEY]] {
        t.execenv(words).ok();
        assert!(!work_dir.exists());
        git(&t, &source, &["worktree", "prune"]); // it is locked
        t.execenv(["trash", "restore", KEY]).run().status(0);
        assert_eq!(git(&t, &work_dir, &["status", "--porcelain", "-uno"]), "", "{words:?}");
    }
    // A second environment of the task, while the first lies in the trash.
    t.execenv(["prepare", "--replace", "--task-id", TASK, "--repo", source.to_str().unwrap()])
        .run()
        .status(0);
    let elsewhere = t.tmp.join("elsewhere");
    t.execenv(["trash", "restore", KEY, "--to", elsewhere.to_str().unwrap()]).run().status(0);
    let list = git(&t, &source, &["worktree", "list"]);
    assert!(list.contains(&format!("{}/workdir ", elsewhere.display())), "{list}");
    assert!(list.contains(&format!("{} ", work_dir.display())), "{list}");
    assert_eq!(list.lines().count(), 3, "{list}");
    std::fs::rename(&elsewhere, t.root.join("default/000000000001")).unwrap();
    // What is deleted for good is taken out of the repository.
    t.execenv(["cleanup", "--trash", "--all", KEY]).ok();
    t.execenv(["trash", "empty", "--yes"]).run().status(0);
    assert_eq!(git(&t, &source, &["worktree", "list"]).lines().count(), 2);
    git(
        &t,
        &source,
        &["worktree", "remove", "--force", "--force", elsewhere.join("workdir").to_str().unwrap()],
    );
    git(&t, &source, &["branch", "-q", "-D", &format!("agent/agent/{KEY}")]);
    assert_same(&before, &kept(&source), "in the end");
}

#[test]
fn gc_takes_a_worktree_out_of_its_repository() {
    let t = TestEnv::new();
    let source = repository(&t, "source", &[]);
    let before = kept(&source);
    t.prepare(["--task-id", TASK, "--lease", "0", "--repo", source.to_str().unwrap()]);
    let env = t.prepare(["--task-id", OTHER, "--lease", "0", "--repo", source.to_str().unwrap()]);
    git(&t, &env.join("workdir"), &["checkout", "-q", "--detach"]);
    git(&t, &env.join("workdir"), &["commit", "-q", "--allow-empty", "-m", "on no branch"]);
    let gc = |now: &str| {
        let words = ["gc", "--orphan-ttl", "1h", "--trash-ttl", "1h", "-o", "json"];
        let done = t.execenv(words).var("EXECENV_TEST_NOW", now).run().status(0);
        serde_json::from_str::<Value>(&done.stdout).unwrap()
    };
    assert_eq!(gc("2030-01-01T00:00:00Z")["trash"]["entries"], 1);
    assert_eq!(git(&t, &source, &["worktree", "list"]).lines().count(), 3);
    assert_eq!(gc("2030-01-02T00:00:00Z")["trash"]["swept"], 1);
    // The one with a commit that no ref would hold stays.
    assert!(env.join("workdir").is_dir());
    git(&t, &env.join("workdir"), &["checkout", "-q", &format!("agent/agent/{}", &OTHER[24..])]);
    gc("2030-01-03T00:00:00Z");
    gc("2030-01-04T00:00:00Z");
    assert_same(&before, &kept(&source), "after gc");
}

#[test]
fn a_forged_record_or_git_file_takes_nothing_out_of_another_repository() {
    let t = TestEnv::new();
    let source = repository(&t, "source", &[]);
    let victim = repository(&t, "victim", &[]);
    git(&t, &victim, &["worktree", "add", "-q", "-b", &format!("agent/agent/{KEY}"), "../theirs"]);
    let before = kept(&victim);
    let env = t.prepare(["--task-id", TASK, "--repo", source.to_str().unwrap()]);
    let mut forged: Value =
        serde_json::from_slice(&std::fs::read(env.join(".gc_meta.json")).unwrap()).unwrap();
    forged["execenv"]["repository"]["git_dir"] = victim.join(".git").to_str().unwrap().into();
    forged["execenv"]["repository"]["worktree"] = "theirs".into();
    t.write(env.join(".gc_meta.json"), forged.to_string());
    t.write(env.join("workdir/.git"), format!("gitdir: {}/.git/worktrees/theirs\n", victim.display()));
    for words in [&["cleanup", "--force", KEY][..], &["cleanup", "--all", "--force", KEY]] {
        t.execenv(words).run();
    }
    let mut after = kept(&victim);
    after.retain(|path, _| !path.starts_with(".git/refs/execenv"));
    assert_same(&before, &after, "the repository that the agent named");
    assert!(t.tmp.join("theirs/run.sh").exists());
}

#[test]
fn sixteen_at_once_all_get_a_worktree() {
    let t = TestEnv::new();
    let source = repository(&t, "source", &[]);
    let before = kept(&source);
    let ids: Vec<String> = (0..16).map(|n| format!("33333333-2222-4333-8444-0000000000{n:02}")).collect();
    let started: Vec<_> = ids
        .iter()
        .map(|id| t.execenv(["prepare", "--task-id", id, "--repo", source.to_str().unwrap()]).start())
        .collect();
    for child in started {
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    assert_eq!(git(&t, &source, &["worktree", "list"]).lines().count(), 17);
    assert_eq!(git(&t, &source, &["for-each-ref", "refs/heads/agent"]).lines().count(), 16);
    let started: Vec<_> = ids.iter().map(|id| t.execenv(["cleanup", "--all", id]).start()).collect();
    for child in started {
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    assert_same(&before, &kept(&source), "after all of them");
}

#[test]
fn filters_of_the_users_own_configuration_work() {
    let t = TestEnv::new();
    let source = repository(&t, "source", &[]);
    // As git-lfs is set up: a pointer is stored, and the contents come from elsewhere.
    let filter = t.write(
        "lfs",
        "#!/bin/sh\ncat >/dev/null\ncase $1 in clean) echo pointer;; *) echo contents;; esac\n",
    );
    std::fs::set_permissions(&filter, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let lfs = filter.display();
    let config =
        format!("[filter \"lfs\"]\n\tclean = {lfs} clean\n\tsmudge = {lfs} smudge\n\trequired = true\n");
    let config = t.write("gitconfig", config);
    t.write(source.join(".gitattributes"), "*.bin -text filter=lfs\n");
    t.write(source.join("a.bin"), "pointer\n");
    // Without the filter here, so that the pointer is what is stored.
    git(&t, &source, &["-c", "filter.lfs.required=false", "add", "-A"]);
    git(&t, &source, &["commit", "-q", "-m", "two"]);
    let prepared = |words: &[&str]| {
        let words = [&["prepare", "-o", "json"], words].concat();
        let answer = t.execenv(words).var("GIT_CONFIG_GLOBAL", &config).json();
        PathBuf::from(answer["work_dir"].as_str().unwrap())
    };
    let server = serve(&t.tmp, None);
    let url = format!("{}/source", server.url());
    for words in [&["--repo", "source"][..], &["--repo", &url], &["--local-dir", "source", "--worktree"]] {
        let work_dir = prepared(words);
        assert_eq!(std::fs::read_to_string(work_dir.join("a.bin")).unwrap(), "contents\n", "{words:?}");
    }
}

#[test]
fn what_git_leaves_to_the_user_is_told() {
    let t = TestEnv::new();
    let source = repository(&t, "source", &[]);
    let other = repository(&t, "other", &[]);
    let prepared = |words: &[&str]| {
        let always = ["prepare", "--task-id", TASK, "--repo", source.to_str().unwrap(), "--base", "main"];
        t.execenv([&always[..], words].concat()).run().status(0).stderr
    };
    let attributes = t.write(source.join(".gitattributes"), "*.bin -text filter=lfs\n");
    t.write(source.join("a.bin"), "contents\n");
    git(&t, &source, &["add", "-A"]);
    git(&t, &source, &["commit", "-q", "-m", "two"]);
    assert_eq!(prepared(&[]), "");
    t.write(source.join("b.bin"), "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
    let add =
        ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.to_str().unwrap(), "sub"];
    git(&t, &source, &add);
    git(&t, &source, &["add", "-A"]);
    git(&t, &source, &["commit", "-q", "-m", "three"]);
    let told = prepared(&["--replace"]);
    assert!(
        told.contains("has submodules") && told.contains("Git LFS are pointers in the worktree (b.bin)"),
        "{told}"
    );
    assert!(attributes.exists());
}
