//! What only a git folder outside of the work dir holds, and what has no place for a snapshot: nothing of it is lost unseen.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::repository::{git, git_out, make_repository};
use crate::support::{Done, KEY, TASK, TestEnv};

const LATER: &str = "2030-01-01T00:00:00Z";
const GC: [&str; 5] = ["gc", "--orphan-ttl", "1h", "--trash-ttl", "0"];

struct World {
    t: TestEnv,
    source: PathBuf,
    env: PathBuf,
}

impl World {
    /// A worktree of `source`, a repository with one commit.
    fn new() -> World {
        World::of(|t| {
            let source = t.tmp.join("source");
            make_repository(t, &source, &[]);
            source
        })
    }

    /// The same, with a submodule `sub` that is checked out.
    fn with_submodule() -> World {
        let w = World::of(|t| {
            let (source, sub) = (t.tmp.join("source"), t.tmp.join("library"));
            make_repository(t, &source, &[]);
            make_repository(t, &sub, &[]);
            git(
                t,
                &source,
                &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../library", "sub"],
            );
            git(t, &source, &["commit", "-q", "-m", "with a submodule"]);
            source
        });
        w.sh("git -c protocol.file.allow=always submodule --quiet update --init");
        w
    }

    fn of(make: fn(&TestEnv) -> PathBuf) -> World {
        let t = TestEnv::new();
        let source = make(&t);
        let words = ["prepare", "--task-id", TASK, "--lease", "0", "--repo", source.to_str().unwrap()];
        let env = t.execenv(words).run().status(0).stdout.trim_end().into();
        World { t, source, env }
    }

    fn work_dir(&self) -> PathBuf {
        self.env.join("workdir")
    }

    /// Runs a shell script in the work dir.
    fn sh(&self, script: &str) {
        let who =
            "export GIT_AUTHOR_NAME=T GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=T GIT_COMMITTER_EMAIL=t@t";
        self.t.sh(&format!("{who}; set -e; cd {}; {script}", self.work_dir().display())).run().status(0);
    }

    fn execenv(&self, words: &[&str]) -> Done {
        self.t.execenv(words).var("EXECENV_TEST_NOW", LATER).run()
    }

    /// Makes a commit on no branch, and returns its id.
    fn detached_commit(&self) -> String {
        self.sh("git checkout -q --detach; git commit -q --allow-empty -m 'on no branch'");
        git_out(&self.t, &self.work_dir(), &["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Whether a ref of the repository holds the commit.
    fn is_held(&self, commit: &str) -> bool {
        !git_out(&self.t, &self.source, &["for-each-ref", "--contains", commit]).is_empty()
    }
}

#[test]
fn commits_in_a_submodule_are_looked_at() {
    const COMMIT: &str = "cd sub; git checkout -q -b feature; git commit -q --allow-empty -m work; cd ..; git commit -q -am bump";
    const STASH: &str = "cd sub; echo edited >file; git stash -q";
    for (work, expected) in [
        (COMMIT, "1 commit on no remote ("),
        (&format!("{COMMIT}; git submodule --quiet deinit -f sub"), "1 commit on no remote ("),
        (
            &format!("{COMMIT}; rm -rf sub; git checkout -q HEAD~1 2>/dev/null; mkdir -p sub"),
            "1 commit on no remote (",
        ),
        (STASH, "a stash ("),
        ("cd sub; echo edited >file", "1 uncommitted change"),
    ] {
        let w = World::with_submodule();
        w.sh(work);
        for words in [&["cleanup", KEY][..], &["cleanup", "--all", KEY]] {
            w.execenv(words).status(5).check_says(expected);
        }
        w.execenv(&GC).status(0);
        assert!(w.env.exists(), "gc keeps it: {work}");
        // By force it is copied into the repository of the worktree.
        w.execenv(&["cleanup", "--force", KEY])
            .status(0)
            .check_says("saved in its repository as refs/execenv/");
        let saved = git_out(&w.t, &w.source, &["for-each-ref", "--format=%(refname)", "refs/execenv"]);
        let all: Vec<&str> = saved.lines().filter(|name| name.contains("-submodule/")).collect();
        assert!(!all.is_empty(), "{saved}");
        let log = git_out(&w.t, &w.source, &[&["log", "-p", "-m", "--format=%s"], &all[..]].concat());
        assert!(log.contains("work") || log.contains("+edited"), "{work}: {log}");
    }
    // What was only checked out is no work.
    let w = World::with_submodule();
    w.execenv(&["cleanup", KEY]).status(0);
}

#[test]
fn a_clone_with_a_submodule_that_is_not_checked_out_any_more_stays() {
    let w = World::with_submodule();
    let (env, clone) = (w.t.prepare(["--task-id", "clone", "--lease", "0"]), "repo");
    let repo = env.join("workdir").join(clone);
    git(
        &w.t,
        &w.t.tmp,
        &[
            "-c",
            "protocol.file.allow=always",
            "clone",
            "-q",
            "--recurse-submodules",
            "source",
            repo.to_str().unwrap(),
        ],
    );
    let cleanup = ["cleanup", env.to_str().unwrap()];
    w.t.sh(&format!(
        "cd {}/sub; git -c user.name=T -c user.email=t@t commit -q --allow-empty -m work; cd ..; git submodule --quiet deinit -f sub",
        repo.display()
    ))
    .run()
    .status(0);
    w.execenv(&cleanup).status(5).check_says("1 commit on no remote (");
}

#[test]
fn a_registration_is_looked_at_before_it_goes() {
    type Lose = fn(&World);
    let without_git: Lose = |w| fs::remove_file(w.work_dir().join(".git")).unwrap();
    let empty_git: Lose = |w| fs::write(w.work_dir().join(".git"), "").unwrap();
    let gone: Lose = |w| fs::remove_dir_all(w.work_dir()).unwrap();
    let all = &["cleanup", "--all", KEY][..];
    for (lose, words, status) in [
        (without_git, &["cleanup", KEY][..], 5),
        (without_git, all, 5),
        (without_git, &GC, 0),
        (empty_git, &["cleanup", KEY], 5),
        (gone, all, 0),
        (gone, &GC, 0),
        // By force it is saved.
        (without_git, &["cleanup", "--force", KEY], 0),
        (empty_git, &["cleanup", "--all", "--force", KEY], 0),
    ] {
        let w = World::new();
        let commit = w.detached_commit();
        lose(&w);
        w.execenv(words).status(status);
        if status == 0 && words != GC || !w.env.exists() {
            assert!(w.is_held(&commit), "{words:?}");
        } else {
            let registered = git_out(&w.t, &w.source, &["worktree", "list"]);
            assert!(
                w.work_dir().is_dir() && registered.contains(&w.work_dir().display().to_string()),
                "{words:?}"
            );
        }
    }
    // What was put into the trash, and is deleted there because that was asked for.
    let w = World::new();
    let commit = w.detached_commit();
    w.execenv(&["cleanup", "--trash", "--all", KEY]).status(0);
    w.execenv(&["trash", "empty", "--yes"]).status(0);
    assert!(w.is_held(&commit));
}

#[test]
fn files_of_a_worktree_without_its_git_file_are_work() {
    for (lose, status, expected) in [
        ("rm .git", 5, "1 uncommitted change in a worktree (file)"),
        ("rm .git; touch .git", 5, "1 uncommitted change in a worktree (file)"),
        ("rm -rf .git ../../../../source/.git/worktrees", 1, "does not know it as a worktree"),
    ] {
        let w = World::new();
        w.sh("echo edited >file");
        w.sh(lose);
        w.execenv(&["cleanup", KEY]).status(status).check_says(expected);
        w.execenv(&["cleanup", "--all", KEY]).status(status);
        w.execenv(&GC).status(0);
        assert_eq!(fs::read_to_string(w.work_dir().join("file")).unwrap(), "edited\n", "{lose}");
    }
}

#[test]
fn force_removes_nothing_that_it_cannot_save() {
    type Damage = fn(&World);
    let (source_gone, no_index, no_head): (Damage, Damage, Damage) = (
        |w| fs::rename(&w.source, w.t.tmp.join("moved")).unwrap(),
        |w| fs::write(only_registration(w).join("index"), "damaged").unwrap(),
        |w| fs::write(only_registration(w).join("HEAD"), "damaged").unwrap(),
    );
    for (damage, why) in [(source_gone, "the source"), (no_index, "the index"), (no_head, "HEAD")] {
        let w = World::new();
        w.sh("echo edited >file");
        damage(&w);
        for words in [&["cleanup", "--force", KEY][..], &["cleanup", "--force", "--all", KEY]] {
            let done = w.execenv(words).status(1).check_says("no snapshot of it");
            assert!(done.stderr.contains("`--trash` keeps it"), "{why}: {done}");
        }
        assert_eq!(fs::read_to_string(w.work_dir().join("file")).unwrap(), "edited\n", "{why}");
        w.execenv(&["cleanup", "--trash", KEY]).status(0);
        assert!(!w.work_dir().exists());
    }
}

fn only_registration(w: &World) -> PathBuf {
    fs::read_dir(w.source.join(".git/worktrees")).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn a_root_that_was_moved_keeps_its_worktrees() {
    let moved = |w: &World| {
        let root = w.t.tmp.join("elsewhere");
        fs::rename(&w.t.root, &root).unwrap();
        root
    };
    let at = |root: &Path, words: &[&str]| {
        [&["--workspaces-root", root.to_str().unwrap()], words]
            .concat()
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>()
    };
    let w = World::new();
    w.sh("echo edited >file");
    let root = moved(&w);
    w.t.execenv(at(&root, &["cleanup", KEY])).fails(5, &["1 uncommitted change"]);
    w.t.execenv(at(&root, &["cleanup", "--force", KEY])).run().status(0).check_says("snapshot-");
    let name = git_out(&w.t, &w.source, &["for-each-ref", "--format=%(refname)", "refs/execenv"]);
    assert_eq!(git_out(&w.t, &w.source, &["show", &format!("{}:file", name.trim())]).trim(), "edited");
    // `reuse` lets both name each other again.
    let w = World::new();
    let root = moved(&w);
    w.t.execenv(at(&root, &["diff", KEY])).fails(1, &["does not know it as a worktree"]);
    w.t.execenv(at(&root, &["reuse", KEY])).run().status(0);
    w.t.execenv(at(&root, &["diff", KEY])).run().status(0);
}

#[test]
fn a_stash_holds_nothing_for_a_branch() {
    let w = World::new();
    w.sh("git commit -q --allow-empty -m work; echo edited >file; git stash -q");
    w.execenv(&["cleanup", KEY]).status(0).check_says("has 1 commit that is nowhere else");
    git(&w.t, &w.source, &["stash", "drop", "-q"]);
    let branches = git_out(&w.t, &w.source, &["log", "--format=%s", "--branches"]);
    assert!(branches.contains("work"), "{branches}");
    // Nor for a commit on no branch.
    let w = World::new();
    w.detached_commit();
    w.sh("echo edited >file; git stash -q");
    w.execenv(&["cleanup", KEY]).status(5).check_says("1 commit that no ref would hold");
}

#[test]
fn files_that_git_does_not_know_are_not_written_over() {
    // What another branch has, and what is ignored in its place.
    let there: [(&str, &str, &str); 4] = [
        (".env", "echo mine >.env", ".env"),
        ("build/x", "echo mine >build", "build"),
        ("conf", "mkdir conf; echo mine >conf/x", "conf/x"),
        ("link", "ln -s /nowhere link", "link"),
    ];
    for (path, make, in_the_way) in there {
        let w = World::new();
        w.sh(
            "printf '.env\\nbuild\\nconf\\nlink\\n' >.gitignore; git add .gitignore; git commit -q -m ignore",
        );
        w.sh(&format!(
            "git checkout -q -b other; mkdir -p $(dirname {path}); echo theirs >{path}; git add -f {path}; \
             git commit -q -m theirs; git diff HEAD~1 >../patch; git checkout -q -"
        ));
        w.sh(make);
        let before = crate::support::snapshot(&w.work_dir());
        let patch = w.env.join("patch");
        let commands: [&[&str]; 4] = [
            &["branch", KEY, "new", "--from", "other"],
            &["merge", "start", KEY, "other"],
            &["restore", KEY, "--base", "HEAD", "--from", patch.to_str().unwrap()],
            &["restore", KEY, "--commit", "--base", "HEAD", "--from", patch.to_str().unwrap()],
        ];
        for words in commands {
            w.execenv(words).status(5).check_says("git does not know").check_says(in_the_way);
            crate::support::assert_same(&before, &crate::support::snapshot(&w.work_dir()), words[0]);
        }
        // What is the same is not lost.
        if path == ".env" {
            w.sh("echo theirs >.env");
            for words in [commands[0], commands[2]] {
                w.execenv(words).status(0);
                w.sh(&format!("git checkout -q -f agent/agent/{KEY}; echo theirs >.env"));
            }
        }
    }
}

#[test]
fn what_is_only_staged_is_not_dropped() {
    for more in [&[][..], &["--commit"]] {
        let w = World::new();
        w.sh("echo saved >file");
        w.execenv(&["checkpoint", KEY, "-m", "saved"]).status(0);
        w.sh("echo staged >file; git add file; git show HEAD:file >file");
        let restore = [&["restore", KEY], more].concat();
        w.execenv(&restore).status(5).check_says("holds staged work that would be replaced: file");
        assert_eq!(git_out(&w.t, &w.work_dir(), &["show", ":file"]), "staged");
        // What is staged and in the working files, or in what is restored, is not lost.
        w.sh("echo saved >file; git add file; git show HEAD:file >file");
        w.execenv(&restore).status(0);
        assert_eq!(fs::read_to_string(w.work_dir().join("file")).unwrap(), "saved\n");
    }
}

#[test]
fn a_git_that_outlives_a_killed_command_keeps_its_lock() {
    use std::os::unix::fs::PermissionsExt;
    let w = World::new();
    w.sh("git checkout -q -b other; echo new >new; git add new; git commit -q -m new; git checkout -q -");
    let go = w.t.tmp.join("go");
    let real = w.t.sh("command -v git").ok().stdout;
    let script = format!(
        "#!/bin/sh\nfor word; do [ \"$word\" != -u ] || {{ kill -9 $PPID; until [ -e {go} ]; do sleep 0.01; done; }}; done\n\
         exec {real} \"$@\"\n",
        go = go.display(),
        real = real.trim(),
    );
    let fake = w.t.write("bin/git", script);
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path =
        std::env::join_paths([w.t.tmp.join("bin")].into_iter().chain(std::env::split_paths(&path))).unwrap();
    for words in [&["branch", KEY, "new", "--from", "other"][..], &["merge", "start", KEY, "other"]] {
        let _ = fs::remove_file(&go);
        let done = w.t.execenv(words).var("PATH", &path).run();
        assert!(done.was_killed(), "{done}");
        w.execenv(&["branch", KEY, "another"]).status(4);
        fs::write(&go, "").unwrap();
        w.execenv(&["branch", KEY, "another", "--wait", "1m"]).status(0);
        w.sh("git reset -q --hard; git checkout -q agent/agent/KEY; git branch -q -D another"
            .replace("KEY", KEY)
            .as_str());
        w.sh("git branch -q -D new 2>/dev/null || true");
    }
}

#[test]
fn a_name_that_another_worktree_only_tries_keeps_no_branch() {
    use crate::support::process::wait_until;
    let w = World::new();
    // Another prepare of the same task has registered its worktree, and asks whether the branch is free.
    let other = w.source.join(".git/worktrees/other");
    let held = fs::File::open(w.source.join(".git")).unwrap();
    held.lock().unwrap();
    fs::create_dir(&other).unwrap();
    fs::write(other.join("commondir"), "../..\n").unwrap();
    fs::write(other.join("gitdir"), w.t.tmp.join("other/.git\n").to_str().unwrap()).unwrap();
    fs::write(other.join("HEAD"), format!("ref: refs/heads/agent/agent/{KEY}\n")).unwrap();
    let child = w.t.execenv(["cleanup", KEY]).start();
    wait_until("the work dir is out of its place", || (!w.work_dir().exists()).then_some(()));
    fs::write(other.join("HEAD"), format!("ref: refs/heads/agent/agent/{KEY}-2\n")).unwrap();
    held.unlock().unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert_eq!(git_out(&w.t, &w.source, &["branch", "--list", "agent/*"]), "", "{done:?}");
}

/// The superproject only names the commit of a submodule.
#[test]
fn a_submodule_whose_commit_is_nowhere_else_is_named_when_work_is_published() {
    let w = World::with_submodule();
    let publish = ["publish", KEY, "--to", "merge", "--base", "main"];
    w.sh("echo more > more");
    assert_eq!(w.execenv(&publish).status(0).stderr, "");
    w.sh("cd sub; git checkout -q -b work; git commit -q --allow-empty -m work");
    let done = w.execenv(&publish).status(0);
    assert!(done.stderr.starts_with("warning: sub is a repository of its own"), "{done}");
    w.sh("cd sub; git push -q origin work");
    assert_eq!(w.execenv(&publish).status(0).stderr, "");
}

#[test]
fn what_is_staged_in_a_worktree_without_files_is_kept() {
    for words in [&["cleanup", "--all", KEY][..], &["cleanup", "--all", "--force", KEY]] {
        let w = World::new();
        w.sh("echo staged > staged; git add staged; git rm -q --cached file");
        fs::remove_dir_all(w.work_dir()).unwrap();
        w.execenv(words).status(0);
        let kept = format!("refs/execenv/{KEY}/staged");
        assert_eq!(git_out(&w.t, &w.source, &["show", &format!("{kept}:staged")]), "staged", "{words:?}");
        assert!(!w.source.join(".git/worktrees").exists(), "{words:?}");
        // What is only staged as removed is in the commit.
        let w = World::new();
        w.sh("git rm -q --cached file");
        fs::remove_dir_all(w.work_dir()).unwrap();
        w.execenv(words).status(0);
        assert_eq!(git_out(&w.t, &w.source, &["for-each-ref", "refs/execenv"]), "", "{words:?}");
    }
}

#[test]
fn a_branch_that_is_rebased_elsewhere_stays() {
    let w = World::new();
    w.sh(&format!(
        "git checkout -q --detach; cd {}; git checkout -q agent/agent/{KEY}; git commit -q --allow-empty -m two; \
         git branch keep; GIT_SEQUENCE_EDITOR='sed -i s/^pick/edit/' git rebase -q -i HEAD~1",
        w.source.display()
    ));
    w.execenv(&["cleanup", KEY]).status(0);
    assert_eq!(
        git_out(&w.t, &w.source, &["branch", "--list", "agent/*", "--format=%(refname:short)"]),
        format!("agent/agent/{KEY}")
    );
    git(&w.t, &w.source, &["rebase", "--continue"]);
}

#[test]
fn a_branch_with_files_of_execenv_is_merged_without_them() {
    let w = World::new();
    let sidecar = ".agent_context/issue_context.md";
    w.sh("cp -r .agent_context ../saved; git checkout -q -b other; echo theirs >>.agent_context/issue_context.md");
    w.sh("echo new >new; git add -f .agent_context new; git commit -q -m all");
    w.sh(&format!("git checkout -q agent/agent/{KEY}; cp -r ../saved .agent_context"));
    let before = fs::read(w.work_dir().join(sidecar)).unwrap();
    w.execenv(&["merge", "start", KEY, "other"]).status(0);
    w.execenv(&["merge", "commit", KEY]).status(0);
    assert_eq!(fs::read(w.work_dir().join(sidecar)).unwrap(), before);
    let files = git_out(&w.t, &w.work_dir(), &["ls-tree", "-r", "--name-only", "HEAD"]);
    assert_eq!(files, "file\nnew");
}

impl Done {
    #[track_caller]
    fn check_says(self, text: &str) -> Done {
        let holds = self.stderr.contains(text) || self.stdout.contains(text);
        self.check(holds, text)
    }
}

#[test]
fn what_no_other_repository_has_goes_to_the_trash_by_force_and_comes_back() {
    for (prepare, place) in [
        (&["--repo", "new://"][..], "workdir"),
        (&[], "workdir/clone"),
        (&["--repo", "source"], "workdir/deep/clone"),
        (&["--local-dir", "project"], "output/clone"),
    ] {
        for all in [&[][..], &["--all"]] {
            let t = TestEnv::new();
            make_repository(&t, &t.tmp.join("source"), &[]);
            let env = t.prepare([&["--task-id", TASK], prepare].concat());
            let repo = env.join(place);
            if !repo.join(".git").exists() {
                make_repository(&t, &repo, &[]);
            }
            t.write(repo.join("file"), "changed\n");
            git(&t, &repo, &["-c", "user.name=T", "-c", "user.email=t@x", "stash", "-q", "-u"]);
            if place.starts_with("output") && all.is_empty() {
                continue; // it stays
            }
            t.execenv([&["cleanup", KEY], all].concat()).run().status(5);
            let done = t.execenv([&["cleanup", "--force", "-o", "json", KEY], all].concat()).run().status(0);
            let told = done.stderr.contains("it goes to the trash") && done.stderr.contains("trash restore");
            let holds = told && done.stdout.contains("\"trashed\"");
            let done = done.check(holds, "where it went");
            assert!(!repo.exists(), "{done}");
            // It is no prey of `gc`.
            t.execenv(["gc", "--trash-ttl", "0"]).run().status(0);
            t.execenv(["trash", "restore", env.to_str().unwrap()]).run().status(0);
            git(&t, &repo, &["stash", "pop", "-q"]);
            assert_eq!(std::fs::read_to_string(repo.join("file")).unwrap(), "changed\n", "{done}");
        }
    }
}
