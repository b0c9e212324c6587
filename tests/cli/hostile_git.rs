//! Repositories made to do harm: an agent writes their configuration, index, refs and links, and the record that names them.
//! Nothing that only the operator can reach is run, read, copied or deleted for it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::support::repository::{git, git_out, make_repository};
use crate::support::{KEY, Snapshot, TASK, TestEnv, assert_same, snapshot};

/// A program that leaves a trace where it runs, and works as a filter.
fn trap(t: &TestEnv) -> PathBuf {
    let program = t.write("trap.sh", "#!/bin/sh\n: >.git-ran\ncat\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

/// Whether the program has run in a folder.
fn has_run(folder: &Path) -> bool {
    folder.join(".git-ran").exists()
}

/// The repository's own filter for all files. `path` is in the index as if it had been written at the same moment: git looks into
/// it again, and runs the filter.
fn set_trap(t: &TestEnv, repository: &Path, program: &Path, path: &str) {
    let common =
        PathBuf::from(git_out(t, repository, &["rev-parse", "--path-format=absolute", "--git-common-dir"]));
    let index = git_out(t, repository, &["rev-parse", "--path-format=absolute", "--git-path", "index"]);
    fs::create_dir_all(common.join("info")).unwrap();
    fs::write(common.join("info/attributes"), "* filter=x\n").unwrap();
    for name in ["filter.x.clean", "filter.x.smudge"] {
        git(t, repository, &["config", name, program.to_str().unwrap()]);
    }
    let file = repository.join(path);
    let text = fs::read(&file).unwrap();
    fs::write(&file, text).unwrap();
    git(t, repository, &["-c", "filter.x.clean=cat", "add", path]);
    let moment = fs::metadata(&file).unwrap().modified().unwrap();
    fs::File::options().write(true).open(index).unwrap().set_modified(moment).unwrap();
}

/// Writes what an agent says of its repository into the record.
fn forge(env: &Path, repository: &Value) {
    let file = env.join(".gc_meta.json");
    let mut meta: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    meta["execenv"]["repository"] = repository.clone();
    fs::write(file, meta.to_string()).unwrap();
}

#[test]
fn a_commit_of_a_merge_runs_no_filter_of_the_repository() {
    let t = TestEnv::new();
    let program = trap(&t);
    let repo = t.prepare(["--task-id", TASK, "--repo", "new://x"]).join("workdir");
    let commit = |text: &str, message: &str| {
        t.write(repo.join("f1"), text);
        git(&t, &repo, &["add", "f1"]);
        git(&t, &repo, &["-c", "user.name=T", "-c", "user.email=t@t", "commit", "-q", "-m", message]);
    };
    commit("base\n", "base");
    git(&t, &repo, &["checkout", "-q", "-b", "agent/b/1"]);
    commit("side\n", "side");
    git(&t, &repo, &["checkout", "-q", "main"]);
    commit("main\n", "main");
    t.execenv(["merge", "start", KEY, "agent/b/1"]).run();
    t.execenv(["merge", "resolve", KEY, "f1", "theirs"]).ok();
    set_trap(&t, &repo, &program, "f1");
    t.execenv(["merge", "commit", KEY]).ok();
    assert!(!has_run(&repo), "the filter ran");
    assert_eq!(git_out(&t, &repo, &["show", "HEAD:f1"]), "side");
}

#[test]
fn reuse_runs_no_filter_of_the_repository() {
    let own = |t: &TestEnv, env: &Path| {
        let repo = env.join("workdir");
        make_repository(t, &repo, &[]);
        git(t, &repo, &["add", "-A"]);
        git(t, &repo, &["commit", "-q", "-m", "two"]);
        forge(env, &json!({"git_dir": "/nowhere", "worktree": "x", "branch": "y"}));
    };
    for kind in ["a worktree", "a repository of the agent's"] {
        let t = TestEnv::new();
        let program = trap(&t);
        let texts = ["one", "two"].map(|text| t.write(text, text).to_str().unwrap().to_owned());
        let first = ["--task-id", TASK, "--provider", "claude", "--instructions", &texts[0]];
        let source = t.tmp.join("source");
        make_repository(&t, &source, &[]);
        t.write("source/CLAUDE.md", "the user's own\n");
        git(&t, &source, &["add", "-A"]);
        git(&t, &source, &["commit", "-q", "-m", "two"]);
        let env = match kind {
            "a worktree" => t.prepare([&first[..], &["--repo", source.to_str().unwrap()]].concat()),
            _ => {
                let env = t.prepare(first);
                own(&t, &env);
                env
            }
        };
        set_trap(&t, &env.join("workdir"), &program, "file");
        let reuse = ["reuse", KEY, "--provider", "claude", "--instructions", &texts[1]];
        t.execenv(reuse).run().status(0);
        assert!(!has_run(&env.join("workdir")), "{kind}: the filter ran");
    }
}

/// The agent's `.git` names another repository: its index is not touched, whatever the record says.
#[test]
fn reuse_hides_nothing_in_a_repository_of_someone_else() {
    let t = TestEnv::new();
    let texts = ["one", "two"].map(|text| t.write(text, text).to_str().unwrap().to_owned());
    let source = t.tmp.join("source");
    make_repository(&t, &source, &[]);
    t.write("source/CLAUDE.md", "the user's own\n");
    git(&t, &source, &["add", "-A"]);
    git(&t, &source, &["commit", "-q", "-m", "two"]);
    let before = fs::read(source.join(".git/index")).unwrap();
    let env = t.prepare(["--task-id", TASK, "--provider", "claude", "--instructions", &texts[0]]);
    t.write(env.join("workdir/.git"), format!("gitdir: {}/.git\n", source.display()));
    t.write(env.join("workdir/CLAUDE.md"), "of the agent\n");
    forge(&env, &json!({"git_dir": source.join(".git"), "worktree": "x", "branch": "y"}));
    t.execenv(["reuse", KEY, "--provider", "claude", "--instructions", &texts[1]]).run();
    assert!(fs::read(source.join(".git/index")).unwrap() == before);
    // Nor in a folder of the user's, which is no worktree of ours.
    let project = ["--local-dir", source.to_str().unwrap()];
    let (reuse, other) = ("22222222-2222-4333-8444-000000000002", "000000000002");
    let words = ["--task-id", reuse, "--provider", "claude", "--instructions", &texts[0]];
    let env = t.prepare([&words[..], &project].concat());
    forge(&env, &json!({"git_dir": source.join(".git"), "worktree": "", "branch": "main"}));
    t.execenv(["reuse", other, "--provider", "claude", "--instructions", &texts[1]]).run().status(0);
    assert!(!git_out(&t, &source, &["ls-files", "-t"]).contains("S "));
}

#[test]
fn the_excludes_file_is_the_users_own_and_private() {
    let t = TestEnv::new();
    let secret = t.write("secret", "root:$6$verysecret\n");
    let users = t.write("users", "*.of-the-user\n");
    let global = t.write("global", format!("[core]\n\texcludesFile = {}\n", users.display()));
    let source = t.tmp.join("source");
    make_repository(&t, &source, &[]);
    let name_it = |dir: &Path| git(&t, dir, &["config", "core.excludesFile", secret.to_str().unwrap()]);
    let check = |env: &Path, has_users: bool, when: &str| {
        let file = env.join(".execenv.excludes");
        let Ok(text) = fs::read_to_string(&file) else { return };
        assert!(!text.contains("verysecret"), "{when}");
        assert_eq!(text.contains("of-the-user"), has_users, "{when}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{when}");
    };
    let env = t.prepare(["--task-id", TASK, "--repo", source.to_str().unwrap()]);
    check(&env, false, "prepared");
    name_it(&env.join("workdir"));
    for (words, when) in [
        (&["reuse", KEY][..], "reused"),
        (&["prepare", "--task-id", TASK, "--repo", source.to_str().unwrap()], "prepared again"),
    ] {
        t.execenv(words).var("GIT_CONFIG_GLOBAL", &global).run().status(0);
        check(&env, true, when);
    }
    let other = "22222222-2222-4333-8444-000000000002";
    let env = t.prepare(["--task-id", other]);
    make_repository(&t, &env.join("workdir"), &[]);
    name_it(&env.join("workdir"));
    forge(&env, &json!({"git_dir": "/nowhere", "worktree": "x", "branch": "y"}));
    t.execenv(["reuse", "000000000002"]).run().status(0);
    check(&env, false, "forged");
}

/// A repository of someone else with a worktree, and a snapshot of all of it but the index, which git may refresh.
fn victim(t: &TestEnv) -> (PathBuf, Snapshot) {
    let path = t.tmp.join("victim");
    make_repository(t, &path, &[]);
    git(t, &path, &["worktree", "add", "-q", "-b", "side", "../victim_wt"]);
    let before = snapshot(&path);
    (path, before)
}

/// A bare repository of the agent's that has `work_dir` registered as the worktree `name` on the branch `branch`.
fn fake(t: &TestEnv, path: &Path, work_dir: &Path, name: &str, branch: &str) {
    git(t, &t.tmp, &["init", "-q", "--bare", path.to_str().unwrap()]);
    let registration = path.join("worktrees").join(name);
    t.write(registration.join("gitdir"), format!("{}/.git\n", work_dir.display()));
    t.write(registration.join("commondir"), "../..\n");
    t.write(registration.join("HEAD"), format!("ref: refs/heads/{branch}\n"));
}

/// An env root called `name` whose record an agent has written, with an empty work dir.
fn forged_env(t: &TestEnv, name: &str, repository: &Value) -> PathBuf {
    let made = t.prepare(["--task-id", TASK, "--lease", "0"]);
    let env = made.with_file_name(name);
    fs::rename(&made, &env).unwrap();
    fs::remove_dir_all(env.join("workdir")).unwrap();
    fs::create_dir(env.join("workdir")).unwrap();
    forge(&env, repository);
    let file = env.join(".gc_meta.json");
    let mut meta: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    meta["completed_at"] = "2020-01-01T00:00:00Z".into();
    meta["execenv"]["lease_until"] = Value::Null;
    fs::write(file, meta.to_string()).unwrap();
    env
}

#[test]
fn no_branch_of_a_repository_that_nothing_proves_is_deleted() {
    for words in [&["cleanup", "main"][..], &["cleanup", "--force", "main"], &["gc", "--trash-ttl", "0"]] {
        for landlock in [true, false] {
            let t = TestEnv::new();
            let (victim, before) = victim(&t);
            let bare = t.tmp.join("f");
            let work_dir = t.root.join("default/main/workdir");
            fake(&t, &bare, &work_dir, "w", "agent/a/main");
            let objects = format!("{}\n", victim.join(".git/objects").display());
            t.write(bare.join("objects/info/alternates"), objects);
            fs::create_dir_all(bare.join("refs/heads/agent")).unwrap();
            for link in ["refs/heads/agent/a", "refs/keep"] {
                symlink(victim.join(".git/refs/heads"), bare.join(link)).unwrap();
            }
            let record =
                json!({"git_dir": bare, "worktree": "w", "branch": "agent/a/main", "base_commit": ""});
            let env = forged_env(&t, "main", &record);
            let run = t.execenv(words);
            let run = if landlock { run } else { run.var("EXECENV_TEST_NO_LANDLOCK", "1") };
            run.run().sane(&[0, 1, 5]);
            assert!(
                !env.join("workdir").exists() || words[0] == "gc",
                "{words:?}: the environment itself goes"
            );
            assert_same(&before, &snapshot(&victim), &format!("{words:?} {landlock}"));
        }
    }
}

#[test]
fn no_registration_is_removed_but_that_of_a_proved_repository() {
    // An empty folder proves nothing.
    let t = TestEnv::new();
    let keep = t.tmp.join("user/worktrees/keepme");
    fs::create_dir_all(&keep).unwrap();
    let record = json!({"git_dir": t.tmp.join("user"), "worktree": "keepme", "branch": "x"});
    forged_env(&t, "envone", &record);
    t.execenv(["cleanup", "envone"]).run().status(0);
    t.write(
        "root/default/.staging-envtwo-0123456789ab/workdir/.git",
        format!("gitdir: {}\n", keep.display()),
    );
    t.execenv(["doctor", "--fix"]).run().sane(&[0, 1]);
    assert!(!t.root.join("default/.staging-envtwo-0123456789ab").exists());
    assert!(keep.exists());

    // The repository is another one once git has been asked about it.
    let t = TestEnv::new();
    let (victim, before) = victim(&t);
    let (fake_path, link) = (t.tmp.join("ag/fake"), t.tmp.join("ag/link"));
    fs::create_dir(t.tmp.join("ag")).unwrap();
    let key = "envthree";
    fake(&t, &fake_path, &t.root.join("default/envthree/workdir"), "victim_wt", &format!("agent/a/{key}"));
    symlink(&fake_path, &link).unwrap();
    let config = fake_path.join("config");
    fs::remove_file(&config).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&config).status().unwrap().success());
    forged_env(
        &t,
        key,
        &json!({"git_dir": link, "worktree": "victim_wt", "branch": format!("agent/a/{key}")}),
    );
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::os::unix::fs::OpenOptionsExt;
            while !stop.load(Ordering::Relaxed) {
                let nonblock = rustix::fs::OFlags::NONBLOCK.bits() as i32;
                let Ok(mut fifo) = fs::OpenOptions::new().write(true).custom_flags(nonblock).open(&config)
                else {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                    continue;
                };
                fs::remove_file(&link).unwrap();
                symlink(victim.join(".git"), &link).unwrap();
                let _ = fifo.write_all(b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n");
            }
        });
        t.execenv(["cleanup", key]).run().sane(&[0, 1, 5]);
        stop.store(true, Ordering::Relaxed);
    });
    assert_same(&before, &snapshot(&victim), "swapped");
}

#[test]
fn without_a_proof_the_environment_goes_and_its_repository_stays_as_it_is() {
    for (what, key_file) in [("no proof", "key"), ("another key", "other"), ("of another environment", "key")]
    {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        make_repository(&t, &source, &[]);
        let env = t.prepare(["--task-id", TASK, "--repo", source.to_str().unwrap()]);
        let proof = env.join(".repository_proof");
        match what {
            "no proof" => fs::remove_file(&proof).unwrap(),
            "of another environment" => {
                let task = "22222222-2222-4333-8444-000000000002";
                let other = t.prepare(["--task-id", task, "--repo", source.to_str().unwrap()]);
                fs::copy(other.join(".repository_proof"), &proof).unwrap();
            }
            _ => {}
        }
        let before = snapshot(&source);
        let cleanup = t.execenv(["cleanup", KEY, "-o", "json"]).var("EXECENV_KEY_FILE", t.tmp.join(key_file));
        let done: Value = serde_json::from_str(&cleanup.run().status(0).stdout).unwrap();
        assert!(!env.join("workdir").exists(), "{what}");
        assert_same(&before, &snapshot(&source), what);
        assert!(done["kept"][0]["why"].as_str().unwrap().contains("nothing proves"), "{what}: {done}");
        assert_eq!(done["kept"][0]["path"], json!(source.join(".git")), "{what}");
    }
}

/// What an agent puts into its repository so that it leads to the victim's.
fn lead_to(victim: &Path, repo: &Path, how: &str) {
    let (there, here) = (victim.join(".git"), repo.join(".git"));
    let tip = fs::read_to_string(there.join("refs/heads/main")).unwrap();
    let replace_by_link = |name: &str| {
        let place = here.join(name);
        match fs::symlink_metadata(&place) {
            Ok(it) if it.is_dir() => fs::remove_dir_all(&place).unwrap(),
            Ok(_) => fs::remove_file(&place).unwrap(),
            Err(_) => fs::create_dir_all(place.parent().unwrap()).unwrap(),
        }
        symlink(there.join(name), place).unwrap();
    };
    let borrow = || {
        fs::create_dir_all(here.join("objects/info")).unwrap();
        let line = format!("{}\n", there.join("objects").display());
        fs::write(here.join("objects/info/alternates"), line).unwrap();
    };
    fs::create_dir_all(here.join("refs/heads/agent/bob")).unwrap();
    fs::write(here.join("refs/heads/agent/bob/1"), &tip).unwrap();
    match how {
        "alternates" => borrow(),
        "objects" => replace_by_link("objects"),
        "one object" => {
            for folder in fs::read_dir(there.join("objects")).unwrap().flatten() {
                let name = folder.file_name().into_string().unwrap();
                if name.len() == 2 {
                    replace_by_link(&format!("objects/{name}"));
                }
            }
        }
        "a chain" => {
            let between = repo.join("between");
            fs::create_dir_all(between.join("info")).unwrap();
            fs::write(between.join("info/alternates"), format!("{}\n", there.join("objects").display()))
                .unwrap();
            fs::create_dir_all(here.join("objects/info")).unwrap();
            fs::write(here.join("objects/info/alternates"), "../../between\n").unwrap();
        }
        "refs" => {
            borrow();
            replace_by_link("refs/heads/main");
        }
        "packed-refs" => {
            borrow();
            fs::write(here.join("packed-refs"), format!("{} refs/heads/x\n", tip.trim())).unwrap();
        }
        _ => unreachable!(),
    }
}

#[test]
fn what_a_repository_only_leads_to_is_copied_by_no_command() {
    for how in ["alternates", "objects", "one object", "a chain", "refs", "packed-refs"] {
        let t = TestEnv::new();
        let victim = t.tmp.join("victim");
        make_repository(&t, &victim, &[]);
        t.write("victim/topsecret", "TOPSECRET\n");
        git(&t, &victim, &["add", "-A"]);
        git(&t, &victim, &["commit", "-q", "-m", "secret"]);
        let env = t.prepare(["--task-id", TASK]);
        let repo = env.join("workdir");
        make_repository(&t, &repo, &[]);
        lead_to(&victim, &repo, how);
        let clone = t.tmp.join("clone");
        for words in [
            &["branch", KEY, "fix", "--from", "agent/bob/1"][..],
            &["checkpoint", KEY, "-m", "x"],
            &["diff", KEY],
            &["merge", "start", KEY, "agent/bob/1"],
            &["clone", KEY, clone.to_str().unwrap()],
            &["publish", KEY, "--to", "branch", "--branch", "x"],
            &["prepare", "--task-id", "22222222-2222-4333-8444-000000000002", "--continue-from", KEY],
        ] {
            t.execenv(words).fails(1, &["is not worked on", "git repack -a -d"]);
        }
        let found = snapshot(&env).into_iter().chain(snapshot(&clone)).find(|(path, text)| {
            path.ends_with("topsecret") || (text.contains("TOPSECRET") && !path.starts_with("workdir/.git"))
        });
        assert!(found.is_none(), "{how}: {found:?}");
    }
}

#[test]
fn a_repository_that_borrows_in_the_users_way_is_worked_on() {
    let t = TestEnv::new();
    make_repository(&t, &t.tmp.join("upstream"), &[]);
    git(&t, &t.tmp, &["clone", "-q", "--shared", "upstream", "mine"]);
    let env = t.prepare(["--task-id", TASK, "--repo", "mine"]);
    t.write(env.join("workdir/new"), "work\n");
    t.execenv(["checkpoint", KEY, "-m", "x"]).run().status(0);
    t.execenv(["diff", KEY]).run().status(0);
    // A project of the user's, and what an agent has cloned inside of its work dir.
    let task = "22222222-2222-4333-8444-000000000002";
    t.prepare(["--task-id", task, "--local-dir", "mine"]);
    t.execenv(["diff", "000000000002"]).run().status(0);
    let task = "33333333-2222-4333-8444-000000000003";
    let work_dir = t.prepare(["--task-id", task]).join("workdir");
    make_repository(&t, &work_dir.join("a"), &[]);
    git(&t, &work_dir, &["clone", "-q", "--shared", "a", "b"]);
    t.write(work_dir.join("b/new"), "work\n");
    t.execenv(["checkpoint", "000000000003", "--in", "b", "-m", "x"]).run().status(0);
}

/// A registration of the agent's own that names another repository as the one that it belongs to.
#[test]
fn a_registration_counts_only_in_its_own_repository() {
    for kind in ["a file", "a folder"] {
        let t = TestEnv::new();
        let victim = t.tmp.join("victim");
        make_repository(&t, &victim, &[]);
        t.write("victim/topsecret", "TOPSECRET\n");
        git(&t, &victim, &["add", "-A"]);
        git(&t, &victim, &["commit", "-q", "-m", "secret"]);
        let work_dir = t.prepare(["--task-id", TASK]).join("workdir");
        let own = match kind {
            "a file" => {
                let own = t.tmp.join("fake/worktrees/w");
                t.write(work_dir.join(".git"), format!("gitdir: {}\n", own.display()));
                own
            }
            _ => work_dir.join(".git"),
        };
        t.write(own.join("gitdir"), format!("{}/.git\n", work_dir.display()));
        t.write(own.join("commondir"), format!("{}\n", victim.join(".git").display()));
        t.write(own.join("HEAD"), "ref: refs/heads/mine\n");
        let before = snapshot(&victim);
        for words in [
            &["branch", KEY, "fix", "--from", "main"][..],
            &["checkpoint", KEY, "-m", "x"],
            &["diff", KEY],
            &["merge", "start", KEY, "main"],
        ] {
            t.execenv(words).fails(1, &["does not know it as a worktree"]);
        }
        t.execenv(["cleanup", "--force", KEY]).run().sane(&[0, 1, 5]);
        assert_same(&before, &snapshot(&victim), kind);
        assert!(!work_dir.join("topsecret").exists(), "{kind}");
    }
}

/// What `cleanup --force` saves goes into the repository that knows the worktree, and through no link of it.
#[test]
fn a_snapshot_is_written_through_no_link() {
    let t = TestEnv::new();
    let (victim, before) = victim(&t);
    let work_dir = t.prepare(["--task-id", TASK]).join("workdir");
    let bare = t.tmp.join("f");
    fake(&t, &bare, &work_dir, "w", "mine");
    t.write(work_dir.join(".git"), format!("gitdir: {}\n", bare.join("worktrees/w").display()));
    t.write(work_dir.join("new"), "work\n");
    symlink(victim.join(".git/refs"), bare.join("refs/execenv")).unwrap();
    fs::remove_dir_all(bare.join("objects")).unwrap();
    symlink(victim.join(".git/objects"), bare.join("objects")).unwrap();
    t.execenv(["cleanup", "--force", KEY]).run().sane(&[0, 1, 5]);
    assert_same(&before, &snapshot(&victim), "saved by force");
}
