//! The collector's upkeep of the repository cache, with real git.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

use crate::support::{KEY, Snapshot, TASK, TestEnv, assert_same, snapshot};
use chrono::DateTime;
use execenv::internals::Tree;
use execenv::internals::WorkspacesRoot;
use execenv::internals::repos::{
    LOCK_REASON, Limits, RepoPolicy, RepoReport, last_use, repo_lock, stamp_use, upkeep,
};
use execenv::internals::{Git, GitEnd, GitFailure};

const DAY: Duration = Duration::from_secs(86_400);

/// A root whose cache holds a clone of `source`.
struct World {
    t: TestEnv,
    source: PathBuf,
    bare: PathBuf,
    policy: RepoPolicy,
    git: Git,
}

impl World {
    fn new() -> World {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        fs::create_dir(&source).unwrap();
        t.write("root/.execenv-root", "");
        let now = DateTime::from(SystemTime::now());
        let policy =
            RepoPolicy { repo_ttl: None, maintenance: true, dry_run: false, now, limits: Limits::default() };
        let git = git_program(&t, "git");
        let bare = t.root.join(".repos/w/r.git");
        let world = World { t, source, bare, policy, git };
        world.git_in(&world.source, &["init", "-q", "-b", "main"]);
        world.git_in(&world.source, &["commit", "-q", "--allow-empty", "-m", "one"]);
        world.cache("r.git");
        world
    }

    /// Another clone, laid out as a checkout leaves it.
    fn cache(&self, name: &str) -> PathBuf {
        let bare = self.t.root.join(".repos/w").join(name);
        fs::create_dir_all(bare.parent().unwrap()).unwrap();
        let (from, to) = (self.source.to_str().unwrap(), bare.to_str().unwrap());
        self.git_in(&self.t.tmp, &["clone", "-q", "--bare", from, to]);
        self.git_in(&bare, &["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"]);
        self.git_in(&bare, &["fetch", "-q"]);
        bare
    }

    fn git_in(&self, dir: &Path, words: &[&str]) -> String {
        let who = ["-c", "user.name=T", "-c", "user.email=t@example.invalid"];
        let output = self.t.command("git").current_dir(dir).args(who).args(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {words:?} in {}: {said}", dir.display());
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn in_bare(&self, words: &[&str]) -> String {
        self.git_in(&self.bare, words)
    }

    fn upkeep(&self) -> RepoReport {
        self.upkeep_unless(&AtomicBool::new(false))
    }

    fn upkeep_unless(&self, stop: &AtomicBool) -> RepoReport {
        let root = WorkspacesRoot::new(self.t.root.clone());
        let tree = root.open().unwrap().unwrap();
        upkeep(&root, &tree, &self.git, &self.policy, stop)
    }

    /// Upkeep in which nothing fails and nothing is to be told.
    #[track_caller]
    fn quiet(&self) -> RepoReport {
        let report = self.upkeep();
        assert_eq!((report.failed, report.branches_kept, &report.notes), (0, 0, &vec![]), "{report:?}");
        report
    }

    /// A worktree of the cache in an environment.
    fn worktree(&self, key: &str, branch: &str) -> PathBuf {
        let place = self.t.root.join("w").join(key).join("workdir/r");
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        self.in_bare(&["worktree", "add", "-q", "--no-track", "-b", branch, place.to_str().unwrap(), "main"]);
        place
    }

    /// A branch with a commit that is nowhere else.
    fn unpushed(&self, branch: &str) -> String {
        let commit = self.in_bare(&["commit-tree", "-m", "mine", "-p", "main", "main^{tree}"]);
        self.in_bare(&["branch", branch, &commit]);
        commit
    }

    fn branches(&self) -> Vec<String> {
        let text = self.in_bare(&["for-each-ref", "--format=%(refname:short)", "refs/heads/"]);
        text.lines().map(str::to_owned).collect()
    }

    fn registered(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.bare.join("worktrees"))
            .map(|found| found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
            .unwrap_or_default();
        names.sort();
        names
    }

    fn tree(&self) -> Tree {
        Tree::open(&self.t.root).unwrap()
    }

    /// Used last so many days ago.
    fn used(&self, bare: &Path, days: u32) {
        stamp_use(&Tree::open(bare).unwrap(), self.policy.now - DAY * days).unwrap();
    }

    /// A git of the test's own: a shell script that may hand on to the real one as `"$GIT" "$@"`.
    fn use_script(&mut self, script: &str) {
        let real = find_git(&self.t);
        let text = format!("#!/bin/sh\nGIT={}\nTMP={}\n{script}\n", real.display(), self.t.tmp.display());
        let path = self.t.write("fake/git", text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self.git = git_program(&self.t, path.to_str().unwrap());
    }
}

fn find_git(t: &TestEnv) -> PathBuf {
    let found = t.command("sh").args(["-c", "command -v git"]).output().unwrap();
    String::from_utf8(found.stdout).unwrap().trim().into()
}

fn git_program(t: &TestEnv, program: &str) -> Git {
    let program = if program == "git" { find_git(t) } else { program.into() };
    let home = t.home.as_os_str().to_owned();
    let path = std::env::var_os("PATH").unwrap();
    let inherited = [
        ("HOME", home),
        ("PATH", path),
        ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
        ("GIT_CONFIG_NOSYSTEM", "1".into()),
        // Strays that must not matter.
        ("GIT_DIR", "/nowhere".into()),
        ("GIT_WORK_TREE", "/".into()),
        ("LC_ALL", "de_DE.UTF-8".into()),
    ];
    let inherited: Vec<(OsString, OsString)> =
        inherited.into_iter().map(|(name, value)| (name.into(), value)).collect();
    Git::new(Some(program), &inherited)
}

fn back_date(path: &Path, days: u32) {
    let file = fs::File::open(path).unwrap();
    file.set_modified(SystemTime::now() - DAY * days).unwrap();
}

/// The folder but for what every look at a repository may touch.
fn without_locks(folder: &Path) -> Snapshot {
    let mut found = snapshot(folder);
    found.retain(|path, _| !path.starts_with(".locks"));
    found
}

#[test]
fn only_a_call_over_the_network_reaches_a_remote() {
    let w = World::new();
    let bare = w.git.at(&w.bare);
    let url = format!("file://{}", w.source.display());
    assert!(bare.network(["ls-remote", &url]).text().unwrap().ends_with("refs/heads/main"));
    for refused in [bare.look(["ls-remote", &url]).output(), bare.work(["ls-remote", &url]).output()] {
        let error = refused.unwrap_err();
        let failure = GitFailure::find(&error).expect("git itself refuses");
        assert!(matches!(&failure.end, GitEnd::Exited(status) if status.code() == Some(128)), "{failure:?}");
        assert!(failure.stderr.contains("not allowed"), "{failure}");
        assert_eq!(
            (&*failure.arguments, &*failure.dir),
            (&["ls-remote".into(), url.clone().into()][..], &*w.bare)
        );
    }
}

#[test]
fn only_stale_branches_of_agents_go() {
    let w = World::new();
    w.worktree("k", "agent/live/12345678");
    w.in_bare(&["branch", "agent/stale/87654321", "main"]);
    w.in_bare(&["config", "branch.agent/stale/87654321.remote", "origin"]);
    w.in_bare(&["branch", "agents/x", "main"]);
    let report = w.quiet();
    assert_eq!((report.branches_deleted, report.pruned, report.evicted), (1, 0, 0));
    assert_eq!(w.branches(), ["agent/live/12345678", "agents/x", "main"]);
    assert!(!fs::read_to_string(w.bare.join("config")).unwrap().contains("stale"));
    assert_eq!(w.quiet(), RepoReport::default());
}

#[test]
fn a_branch_literally_called_agent_survives_and_so_does_the_one_that_head_names() {
    let w = World::new();
    w.in_bare(&["branch", "agent", "main"]);
    assert_eq!(w.quiet(), RepoReport::default());
    assert_eq!(w.branches(), ["agent", "main"]);
    w.in_bare(&["branch", "-m", "agent", "agent/x"]);
    w.in_bare(&["symbolic-ref", "HEAD", "refs/heads/agent/x"]);
    assert_eq!(w.quiet(), RepoReport::default());
}

#[test]
fn commits_that_are_nowhere_else_keep_their_branch_until_somebody_lets_it_go() {
    let w = World::new();
    let commit = w.unpushed("agent/a/1'$(touch${IFS}ran)");
    w.in_bare(&["branch", "agent/a/2", &commit]); // no excuse for each other
    w.in_bare(&["symbolic-ref", "refs/tags/alias", "refs/heads/agent/a/2"]); // nor is another name for one
    w.in_bare(&["update-ref", "refs/execenv/k/wip", &commit]); // nor is a checkpoint, which goes with its environment
    let report = w.upkeep();
    assert_eq!((report.branches_deleted, report.branches_kept, report.failed), (0, 2, 0), "{report:?}");
    assert_eq!(report, w.upkeep(), "told again in every cycle");
    let [note] = report.notes.as_slice() else { panic!("{report:?}") };
    let command = note.rsplit('`').nth(1).unwrap();
    w.t.sh(command).run().status(0);
    assert!(!w.t.tmp.join("ran").exists());
    assert_eq!(w.branches(), ["agent/a/2", "main"]);
    w.in_bare(&["symbolic-ref", "-d", "refs/tags/alias"]);
    w.in_bare(&["push", "-q", "origin", "agent/a/2:refs/heads/done"]);
    w.in_bare(&["fetch", "-q"]);
    assert_eq!(w.quiet().branches_deleted, 1);
}

#[test]
fn a_tag_or_a_branch_that_stays_is_excuse_enough() {
    let w = World::new();
    let commit = w.unpushed("agent/a/1");
    w.in_bare(&["tag", "v1", &commit]);
    let kept = w.unpushed("agent/b/1");
    w.in_bare(&["branch", "mine", &kept]);
    assert_eq!(w.quiet().branches_deleted, 2);
}

#[test]
fn a_branch_that_a_worktree_will_go_back_to_stays() {
    let w = World::new();
    let detached = w.worktree("detached", "agent/a/detached");
    w.git_in(&detached, &["checkout", "-q", "--detach"]);
    let rebased = w.worktree("rebased", "agent/a/rebased");
    w.git_in(&rebased, &["commit", "-q", "--allow-empty", "-m", "first"]);
    w.git_in(&rebased, &["-c", "sequence.editor=sed -i s/pick/edit/", "rebase", "-q", "-i", "HEAD~1"]);
    w.git_in(&rebased, &["commit", "-q", "--allow-empty", "-m", "second"]);
    // What it stands on is elsewhere, and it stands elsewhere: only what git remembers tells.
    w.in_bare(&["branch", "safe", "agent/a/rebased"]);
    let bisected = w.worktree("bisected", "agent/a/bisected");
    w.git_in(&bisected, &["bisect", "start"]);
    w.git_in(&bisected, &["checkout", "-q", "--detach"]);
    w.git_in(&bisected, &["commit", "-q", "--allow-empty", "-m", "on the way"]);
    let switched = w.worktree("switched", "agent/a/before");
    w.git_in(&switched, &["checkout", "-q", "-b", "agent/a/after"]);
    w.git_in(&switched, &["commit", "-q", "--allow-empty", "-m", "later"]);
    w.git_in(&detached, &["commit", "-q", "--allow-empty", "-m", "moved on"]);
    w.git_in(&detached, &["branch", "agent/a/here"]);
    let report = w.quiet();
    assert_eq!(
        w.branches(),
        ["agent/a/after", "agent/a/bisected", "agent/a/here", "agent/a/rebased", "main", "safe"]
    );
    assert_eq!(
        report.branches_deleted, 2,
        "the one before a switch, the one that a detached HEAD left behind"
    );
}

#[test]
fn what_is_no_bare_repository_of_its_own_is_left_alone() {
    let w = World::new();
    let outside = w.t.tmp.join("outside.git");
    fs::rename(&w.bare, &outside).unwrap();
    w.git_in(&outside, &["branch", "agent/a/1", "main"]);
    let repos = w.t.root.join(".repos/w");
    for (name, entries) in [("empty", &[][..]), ("head-only", &["HEAD"]), ("objects-only", &["objects/"])] {
        fs::create_dir(repos.join(name)).unwrap();
        for entry in entries {
            let path = repos.join(name).join(entry);
            if entry.ends_with('/') {
                fs::create_dir(path)
            } else {
                fs::write(path, "ref: refs/heads/main\n")
            }
            .unwrap();
        }
    }
    symlink(&outside, repos.join("linked.git")).unwrap();
    symlink(outside.parent().unwrap(), w.t.root.join(".repos/x")).unwrap();
    // A file that lets git work on another repository.
    let borrowed = w.cache("borrowed.git");
    fs::write(borrowed.join("commondir"), outside.to_str().unwrap()).unwrap();
    let before = without_locks(&w.t.tmp);
    assert_eq!(w.quiet(), RepoReport::default());
    assert_same(&before, &without_locks(&w.t.tmp), "upkeep");
    // Not the whole of it behind a link, either.
    fs::rename(w.t.root.join(".repos"), w.t.tmp.join("moved")).unwrap();
    symlink(w.t.tmp.join("moved"), w.t.root.join(".repos")).unwrap();
    fs::rename(&outside, w.t.tmp.join("moved/w/r.git")).unwrap();
    let report = w.upkeep();
    assert_eq!((report.branches_deleted, report.notes.len()), (0, 1), "{report:?}");
}

#[test]
fn the_registration_of_a_trashed_environment_stays_until_it_is_gone_for_good() {
    let w = World::new();
    let env = w.t.prepare(["--task-id", TASK, "--workspace-id", "w", "--lease", "1s"]);
    assert!(env.ends_with(format!("w/{KEY}")), "{}", env.display());
    let place = w.worktree(KEY, "agent/a/1");
    fs::write(place.join("staged"), "x").unwrap();
    w.git_in(&place, &["add", "staged"]);
    // As `gc` does it: a rename. (gc itself keeps what is staged; a prepare in its place puts it aside.)
    let trash = w.t.root.join(".trash");
    fs::create_dir(&trash).unwrap();
    let entry = trash.join(format!("w+{KEY}+1780000000-0123abcd"));
    fs::rename(&env, &entry).unwrap();
    assert_eq!(w.quiet(), RepoReport::default());
    assert_eq!(
        (w.registered(), w.branches()),
        (vec!["r".to_owned()], vec!["agent/a/1".into(), "main".into()])
    );
    w.t.execenv(["trash", "restore", KEY]).run().status(0);
    assert_eq!(w.git_in(&place, &["status", "--porcelain"]), "A  staged");
    // The work dir alone, and one below a name that says nothing.
    for name in [format!("w+{KEY}+1780000000-0123abcd+workdir"), "digest-x+y+1-2".into()] {
        let (from, to) = match name.ends_with("workdir") {
            true => (env.join("workdir"), trash.join(name)),
            false => (env.clone(), trash.join(name)),
        };
        fs::rename(&from, &to).unwrap();
        assert_eq!(w.quiet(), RepoReport::default());
        fs::rename(&to, &from).unwrap();
    }
    assert_eq!(w.git_in(&place, &["status", "--porcelain"]), "A  staged");
    // Another environment in the trash that has a repository of that name is no excuse.
    fs::rename(&env, trash.join("w+k+1-2.removed")).unwrap();
    let other = trash.join("w+other+1780000000-4567abcd");
    fs::rename(trash.join("w+k+1-2.removed"), &other).unwrap();
    let pointer = other.join("workdir/r/.git");
    fs::remove_file(&pointer).unwrap();
    symlink("elsewhere", &pointer).unwrap();
    assert_eq!(w.quiet(), RepoReport::default(), "its owner is unknown");
    fs::remove_file(&pointer).unwrap();
    fs::write(&pointer, "gitdir: /elsewhere/r.git/worktrees/r1\n").unwrap();
    let report = w.quiet();
    assert_eq!((report.pruned, report.branches_deleted), (1, 1));
    assert_eq!(w.registered(), Vec::<String>::new());
}

#[test]
fn nothing_comes_out_of_the_trash_while_registrations_are_dropped() {
    let w = World::new();
    let place = w.worktree("k", "agent/a/1");
    fs::remove_dir_all(place.ancestors().nth(2).unwrap()).unwrap();
    let locks = w.t.root.join(".locks");
    fs::create_dir_all(&locks).unwrap();
    let restoring = fs::File::create(locks.join("staging")).unwrap();
    restoring.lock_shared().unwrap();
    assert_eq!(w.quiet().pruned, 0, "left for a quiet cycle");
    drop(restoring);
    assert_eq!(w.quiet().pruned, 1);
}

#[test]
fn a_registration_outside_the_root_or_locked_by_somebody_stays() {
    let w = World::new();
    let away = w.t.tmp.join("disk/away");
    fs::create_dir(away.parent().unwrap()).unwrap();
    w.in_bare(&["worktree", "add", "-q", "-b", "agent/a/away", away.to_str().unwrap(), "main"]);
    fs::remove_dir_all(&away).unwrap();
    let theirs = w.worktree("theirs", "agent/a/theirs");
    w.in_bare(&["worktree", "lock", "--reason", "on a stick", theirs.to_str().unwrap()]);
    let ours = w.worktree("ours", "agent/a/ours");
    let reason = format!("{LOCK_REASON}: in use");
    w.in_bare(&["worktree", "lock", "--reason", &reason, ours.to_str().unwrap()]);
    assert_eq!(w.quiet(), RepoReport::default());
    fs::remove_dir_all(w.t.root.join("w")).unwrap();
    let report = w.quiet();
    assert_eq!((report.pruned, report.branches_deleted), (1, 1), "ours goes with its environment");
    assert_eq!(w.branches(), ["agent/a/away", "agent/a/theirs", "main"]);
    let registration = w.bare.join("worktrees/away");
    for name in ["", "index", "HEAD", "logs/HEAD"] {
        back_date(&registration.join(name), 91);
    }
    assert_eq!(w.quiet().pruned, 1, "git itself would not keep it any longer");
    assert_eq!(w.branches(), ["agent/a/theirs", "main"]);
}

#[test]
fn commits_of_a_detached_worktree_keep_its_registration() {
    let w = World::new();
    let place = w.worktree("k", "agent/a/1");
    w.git_in(&place, &["checkout", "-q", "--detach"]);
    w.git_in(&place, &["commit", "-q", "--allow-empty", "-m", "mine"]);
    let commit = w.git_in(&place, &["rev-parse", "HEAD"]);
    fs::remove_dir_all(w.t.root.join("w")).unwrap();
    let report = w.upkeep();
    assert_eq!((report.pruned, report.branches_deleted, report.failed), (0, 1, 0));
    assert!(report.notes[0].contains(&commit), "{report:?}");
    w.in_bare(&["branch", "saved", &commit]);
    assert_eq!(w.quiet().pruned, 1);
}

#[test]
fn work_in_a_submodule_keeps_the_registration_that_holds_it() {
    let w = World::new();
    let place = w.worktree("k", "agent/a/1");
    let module = w.bare.join("worktrees/r/modules/sub");
    fs::create_dir_all(module.parent().unwrap()).unwrap();
    w.git_in(&place, &["init", "-q", "--bare", module.to_str().unwrap()]);
    w.git_in(&place, &["commit", "-q", "--allow-empty", "-m", "mine"]);
    w.git_in(&place, &["push", "-q", module.to_str().unwrap(), "HEAD:refs/heads/work"]);
    w.git_in(&place, &["reset", "-q", "--hard", "HEAD~1"]);
    // As git leaves it: its working files are gone.
    w.git_in(&module, &["config", "core.bare", "false"]);
    w.git_in(&module, &["config", "core.worktree", "../../../../../gone"]);
    fs::remove_dir_all(w.t.root.join("w")).unwrap();
    let report = w.upkeep();
    assert_eq!((report.pruned, report.failed), (0, 0));
    assert!(
        report.notes.iter().any(|note| note.contains("modules/sub: 2 commits on no remote")),
        "{report:?}"
    );
    fs::remove_dir_all(module).unwrap();
    assert_eq!(w.upkeep().pruned, 1);
}

/// An object that nothing refers to, two months old.
fn dangling(w: &World) -> PathBuf {
    let file = w.t.write("blob", "unreferenced\n");
    let id = w.in_bare(&["hash-object", "-w", file.to_str().unwrap()]);
    let object = w.bare.join("objects").join(&id[..2]).join(&id[2..]);
    back_date(&object, 60);
    object
}

#[test]
fn the_heavy_steps_wait_for_a_deletion_and_for_a_quiet_root() {
    let mut w = World::new();
    let object = dangling(&w);
    let pending = w.bare.join(".multica-maintenance-pending");
    w.quiet();
    assert!(object.exists() && !pending.exists(), "nothing was deleted");
    w.in_bare(&["branch", "agent/a/1", "main"]);
    w.policy.maintenance = false;
    assert_eq!(w.quiet().branches_deleted, 1);
    assert!(object.exists());
    assert_eq!(fs::metadata(&pending).unwrap().permissions().mode() & 0o7777, 0o600);
    w.policy.maintenance = true;
    let lock = w.t.write("root/w/k/.task_lock", "");
    let held = fs::File::open(lock).unwrap();
    held.lock().unwrap();
    w.quiet();
    assert!(object.exists() && pending.exists(), "a task runs");
    drop(held);
    w.quiet();
    assert!(!object.exists() && !pending.exists(), "the marker alone is reason enough");
}

#[test]
fn git_gc_keeps_registrations_and_runs_nothing_that_the_repository_names() {
    let w = World::new();
    let place = w.worktree("k", "agent/a/1");
    for name in ["", "index", "HEAD", "logs/HEAD", "gitdir"] {
        back_date(&w.bare.join("worktrees/r").join(name), 200);
    }
    let entry = w.t.root.join(".trash/w+k+1780000000-0123abcd");
    fs::create_dir(entry.parent().unwrap()).unwrap();
    fs::rename(place.ancestors().nth(2).unwrap(), entry).unwrap();
    let pending = w.t.write("root/.repos/w/r.git/.multica-maintenance-pending", "");
    let hook =
        w.t.write("root/.repos/w/r.git/hooks/reference-transaction", "#!/bin/sh\ntouch \"$HOME/ran\"\n");
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    w.quiet();
    assert_eq!(w.registered(), ["r"]);
    assert!(!pending.exists());
    dangling(&w);
    w.in_bare(&["config", "gc.recentObjectsHook", "touch \"$HOME/ran\"; :"]);
    fs::write(&pending, "").unwrap();
    w.quiet();
    assert!(!pending.exists() && !w.t.home.join("ran").exists());
}

/// What an agent can put into a cache to lead git into the user's repository, whose `.git` is `$THEIRS`.
const LEADS_OUT: [&str; 7] = [
    "rm -rf objects/pack; ln -s $THEIRS/objects/pack objects/pack",
    "ln -s $THEIRS/objects/$(ls $THEIRS/objects | grep '^..$' | head -1) objects/zz",
    "mkdir -p refs/heads; ln -s $THEIRS/refs/heads/agent refs/heads/agent",
    "rm -rf logs; ln -s $THEIRS/logs logs",
    "rm -f packed-refs; ln -s $THEIRS/packed-refs packed-refs",
    "mkdir -p worktrees; ln -s $THEIRS worktrees/x",
    "echo $THEIRS/objects > objects/info/alternates",
];

/// The user's own repository, with a branch, loose objects, and garbage that `git gc` would drop.
fn theirs(w: &World) -> PathBuf {
    let theirs = w.t.tmp.join("theirs");
    w.git_in(&w.t.tmp, &["clone", "-q", w.source.to_str().unwrap(), theirs.to_str().unwrap()]);
    w.git_in(&theirs, &["branch", "agent/a/theirs"]);
    w.git_in(&theirs, &["pack-refs", "--no-prune", "--all"]);
    let blob = w.t.write("blob", "garbage");
    let id = w.git_in(&theirs, &["hash-object", "-w", blob.to_str().unwrap()]);
    back_date(&theirs.join(".git/objects").join(&id[..2]).join(&id[2..]), 60);
    theirs.join(".git")
}

fn in_shell(w: &World, theirs: &Path, script: &str) {
    let mut shell = w.t.command("sh");
    shell.current_dir(&w.bare).env("THEIRS", theirs).args(["-euc", script]);
    assert!(shell.status().unwrap().success(), "{script}");
}

#[test]
fn a_cache_that_leads_elsewhere_is_left_alone() {
    for script in LEADS_OUT {
        let w = World::new();
        let theirs = theirs(&w);
        w.in_bare(&["branch", "agent/a/ours"]);
        in_shell(&w, &theirs, script);
        w.t.write("root/.repos/w/r.git/.multica-maintenance-pending", "");
        let before = (snapshot(&theirs), snapshot(&w.bare));
        for _ in 0..2 {
            let report = w.upkeep();
            assert!(report.failed == 1 && report.branches_deleted == 0, "{script}: {report:?}");
            assert!(report.notes[0].contains("left alone"), "{script}: {report:?}");
        }
        assert_same(&before.0, &snapshot(&theirs), script);
        assert_same(&before.1, &snapshot(&w.bare), script);
        let done = w.t.execenv(["gc"]).run().status(1);
        assert!(done.stderr.contains("left alone"), "{script}: {done}");
        assert_same(&before.0, &snapshot(&theirs), script);
    }
}

/// The links come after the look: only the confinement is in git's way.
#[test]
fn git_in_a_cache_cannot_write_through_a_link() {
    for script in LEADS_OUT {
        let w = World::new();
        let theirs = theirs(&w);
        in_shell(&w, &theirs, script);
        let before = snapshot(&theirs);
        let bare = Tree::open(&w.bare).unwrap();
        let repository = w.git.at(&w.bare).confined_to(&bare);
        for branch in repository.branches("refs/heads/agent/").unwrap_or_default() {
            let _ = repository.delete_branch(&branch);
        }
        let tip = w.git_in(&w.source, &["rev-parse", "HEAD"]);
        let _ = repository.create_ref("refs/heads/agent/a/new", &tip);
        let _ = repository.work(["reflog", "expire", "--expire=now", "--all"]).output();
        let _ = repository.collect_garbage("now");
        assert_same(&before, &snapshot(&theirs), script);
    }
}

#[test]
fn a_system_that_cannot_confine_git_keeps_branches_and_says_so() {
    let w = World::new();
    w.in_bare(&["branch", "agent/a/1", "main"]);
    for dry in [true, false] {
        let mut words = vec!["gc", "-o", "json"];
        words.extend(dry.then_some("--dry-run"));
        let done = w.t.execenv(words).var("EXECENV_TEST_NO_LANDLOCK", "1").run().status(0);
        assert_eq!(done.stderr.matches("Landlock").count(), 1, "{done}");
        let answer: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(answer["repos"]["branches_deleted"], 0, "{done}");
    }
    assert_eq!(w.branches(), ["agent/a/1", "main"]);
    w.t.execenv(["gc"]).ok();
    assert_eq!(w.branches(), ["main"]);
}

#[test]
fn a_maintenance_that_is_cut_off_takes_its_own_lock_files_away() {
    let mut w = World::new();
    w.use_script(
        "case \" $* \" in *' gc '*)\n\
         trap '' TERM; touch packed-refs.lock objects/pack/new.lock gc.pid; sleep 60;;\n\
         *) exec \"$GIT\" \"$@\";; esac",
    );
    w.policy.limits.heavy = Duration::from_millis(300);
    let theirs = w.t.write("root/.repos/w/r.git/refs/heads/main.lock", "");
    let pending = w.t.write("root/.repos/w/r.git/.multica-maintenance-pending", "");
    let report = w.upkeep();
    assert_eq!(report.failed, 1, "{report:?}");
    assert!(theirs.exists() && pending.exists());
    for ours in ["packed-refs.lock", "objects/pack/new.lock", "gc.pid"] {
        assert!(!w.bare.join(ours).exists(), "{ours}");
    }
}

#[test]
fn a_git_that_hangs_is_ended_with_its_group_and_the_cycle_goes_on() {
    let mut w = World::new();
    w.cache("a-hung.git");
    w.in_bare(&["branch", "agent/a/1", "main"]);
    w.use_script(
        "case $PWD in */a-hung.git) trap '' TERM; sleep 600 & echo $! $$ >> \"$TMP/pids\"; sleep 600; wait;;\n\
         *) exec \"$GIT\" \"$@\";; esac",
    );
    w.policy.limits.call = Duration::from_millis(300);
    let begun = Instant::now();
    let report = w.upkeep();
    assert!(begun.elapsed() < Duration::from_secs(60));
    // Short limits are for the hung one: the other repository's calls must fit, too.
    assert_eq!((report.failed, report.branches_deleted), (1, 1), "{report:?}");
    assert!(report.notes[0].contains("a-hung.git") && report.notes[0].contains("took longer"), "{report:?}");
    for pid in fs::read_to_string(w.t.tmp.join("pids")).unwrap().split_whitespace() {
        let is_gone = || {
            let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            status.is_empty() || status.contains(") Z ")
        };
        let begun = Instant::now();
        while !is_gone() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{pid} lives");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn asked_to_end_it_lets_git_tidy_up_in_the_middle_of_a_call() {
    let mut w = World::new();
    w.use_script("trap 'sleep 0.2; touch \"$TMP/tidied\"; exit' TERM; touch \"$TMP/begun\"; sleep 600");
    let stop = AtomicBool::new(false);
    let report = std::thread::scope(|scope| {
        let upkeep = scope.spawn(|| w.upkeep_unless(&stop));
        while !w.t.tmp.join("begun").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        upkeep.join().unwrap()
    });
    assert_eq!(report, RepoReport::default());
    assert!(w.t.tmp.join("tidied").exists());
}

#[test]
fn the_lock_is_shared_with_a_checkout() {
    let mut w = World::new();
    w.in_bare(&["branch", "agent/a/1", "main"]);
    w.policy.limits.lock = Duration::from_millis(100);
    let (place, never) = (Path::new(".repos/w/r.git"), AtomicBool::new(false));
    let held = repo_lock(&w.tree(), place, Duration::ZERO, &never).unwrap().unwrap();
    let report = w.upkeep();
    assert_eq!((report.branches_deleted, report.failed, report.notes.len()), (0, 0, 1), "{report:?}");
    assert!(repo_lock(&w.tree(), place, Duration::ZERO, &never).unwrap().is_none());
    assert!(repo_lock(&w.tree(), Path::new(".repos/w/other.git"), Duration::ZERO, &never).unwrap().is_some());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| repo_lock(&w.tree(), place, Duration::from_secs(60), &never).unwrap());
        std::thread::sleep(Duration::from_millis(50));
        drop(held);
        assert!(waiting.join().unwrap().is_some());
    });
    assert_eq!(w.quiet().branches_deleted, 1);
}

#[test]
fn a_commit_or_a_checkout_at_the_last_moment_keeps_the_branch() {
    let mut w = World::new();
    for branch in ["agent/a/grows", "agent/a/used"] {
        w.in_bare(&["branch", branch, "main"]);
    }
    let new = w.in_bare(&["commit-tree", "-m", "new", "-p", "main", "main^{tree}"]);
    let place = w.t.root.join("w/k/workdir/r");
    // Git itself can write in the cache only: the test makes the worktree when it is asked to.
    w.use_script(&format!(
        "case \" $* \" in *' -d refs/heads/agent/a/grows '*) \"$GIT\" update-ref refs/heads/agent/a/grows {new};;\n\
         *' -d refs/heads/agent/a/used '*) touch asked; while [ ! -e \"$TMP/made\" ]; do sleep 0.01; done;; esac\n\
         exec \"$GIT\" \"$@\""
    ));
    let report = std::thread::scope(|scope| {
        let upkeep = scope.spawn(|| w.upkeep());
        while !w.bare.join("asked").exists() {
            assert!(!upkeep.is_finished());
            std::thread::sleep(Duration::from_millis(5));
        }
        w.in_bare(&["worktree", "add", "-q", place.to_str().unwrap(), "agent/a/used"]);
        w.t.write("made", "");
        upkeep.join().unwrap()
    });
    assert_eq!((report.branches_deleted, report.failed), (0, 1), "{report:?}");
    assert_eq!(w.in_bare(&["rev-parse", "agent/a/grows"]), new);
    assert_eq!(w.git_in(&place, &["status", "--porcelain", "--branch"]), "## agent/a/used");
}

#[test]
fn git_is_called_in_surroundings_of_our_making() {
    let mut w = World::new();
    // As if the cache were another user's.
    w.use_script(
        "(env; printf '%s\\n' \"$@\") > \"$TMP/env\"; GIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec \"$GIT\" \"$@\"",
    );
    w.in_bare(&["branch", "agent/a/1", "main"]);
    assert_eq!(w.quiet().branches_deleted, 1);
    let env = fs::read_to_string(w.t.tmp.join("env")).unwrap();
    for line in ["LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "safe.directory=*"] {
        assert!(env.lines().any(|found| found == line), "{line} in\n{env}");
    }
    assert!(!env.contains("GIT_DIR=") && !env.contains("GIT_WORK_TREE="), "{env}");
}

#[test]
fn a_repository_that_is_not_bare_any_more_is_told_of() {
    let w = World::new();
    w.in_bare(&["config", "core.bare", "false"]);
    let report = w.upkeep();
    let command = report.notes[0].rsplit('`').nth(1).unwrap();
    w.t.sh(command).run().status(0);
    assert_eq!(w.quiet(), RepoReport::default());
}

#[test]
fn a_dry_run_tells_the_same_and_changes_nothing() {
    let mut w = World::new();
    w.policy.repo_ttl = Some(DAY);
    w.in_bare(&["branch", "agent/a/1", "main"]);
    w.worktree("gone", "agent/a/2");
    fs::remove_dir_all(w.t.root.join("w")).unwrap();
    w.unpushed("agent/a/3");
    let old = w.cache("old.git");
    w.used(&old, 2);
    w.policy.dry_run = true;
    let before = snapshot(&w.t.root);
    let plan = w.upkeep();
    assert_same(&before, &snapshot(&w.t.root), "the dry run");
    let counts = (plan.pruned, plan.branches_deleted, plan.branches_kept, plan.evicted, plan.failed);
    assert_eq!(counts, (1, 2, 1, 1, 0), "{plan:?}");
    w.policy.dry_run = false;
    assert_eq!(w.upkeep(), plan);
    assert!(!old.exists());
}

#[test]
fn a_repository_goes_when_nobody_has_used_it_for_long() {
    let mut w = World::new();
    w.policy.repo_ttl = Some(30 * DAY);
    assert_eq!(w.quiet(), RepoReport::default());
    let stamp = last_use(&Tree::open(&w.bare).unwrap()).unwrap();
    assert_eq!(stamp, w.policy.now, "no stamp: another term");
    fs::write(w.bare.join(".multica_last_used"), "long ago").unwrap();
    assert_eq!(w.quiet(), RepoReport::default());
    w.policy.now += 30 * DAY;
    assert_eq!(w.quiet(), RepoReport::default(), "not older than its time");
    w.policy.now += Duration::from_nanos(1);
    for ttl in [None, Some(Duration::ZERO)] {
        w.policy.repo_ttl = ttl;
        assert_eq!(w.quiet(), RepoReport::default());
    }
    w.policy.repo_ttl = Some(30 * DAY);
    let place = w.worktree("k", "agent/a/1");
    assert_eq!(w.quiet(), RepoReport::default(), "a worktree");
    fs::remove_dir_all(place.ancestors().nth(2).unwrap()).unwrap();
    let report = w.quiet();
    assert_eq!((report.pruned, report.branches_deleted, report.evicted), (1, 1, 1));
    assert!(report.bytes_reclaimed > 0);
    assert!(!w.t.root.join(".repos/w").exists());
}

#[test]
fn a_repository_that_holds_something_of_its_own_is_not_evicted() {
    for words in
        [["branch", "mine"], ["tag", "mine"], ["update-ref", "refs/execenv/k/wip"], ["branch", "agent/a/1"]]
    {
        let mut w = World::new();
        w.policy.repo_ttl = Some(DAY);
        w.used(&w.bare, 2);
        let commit = w.in_bare(&["commit-tree", "-m", "mine", "-p", "main", "main^{tree}"]);
        w.in_bare(&[words[0], words[1], &commit]);
        let report = w.upkeep();
        assert_eq!((report.evicted, report.failed), (0, 0), "{words:?}");
        assert!(report.notes.iter().any(|note| note.contains("unused for long")), "{words:?} {report:?}");
        w.in_bare(&["push", "-q", "origin", &format!("{commit}:refs/heads/saved")]);
        w.in_bare(&["fetch", "-q"]);
        assert_eq!(w.quiet().evicted, 1, "{words:?}");
    }
}

#[test]
fn a_checkout_at_the_last_moment_has_its_repository_back() {
    let mut w = World::new();
    w.policy.repo_ttl = Some(DAY);
    w.used(&w.bare, 2);
    let place = w.t.root.join("w/k/workdir/r");
    // The second time that it is asked is the last call before the repository goes.
    w.use_script(&format!(
        "\"$GIT\" \"$@\"; status=$?\n\
         case \" $* \" in *' rev-list '*) if [ -e \"$TMP/asked\" ]; then \"$GIT\" worktree add -q {} main; fi\n\
         touch \"$TMP/asked\";; esac\nexit $status",
        place.display()
    ));
    assert_eq!(w.quiet(), RepoReport::default());
    assert_eq!(w.git_in(&place, &["status", "--porcelain", "--branch"]), "## main");
}
