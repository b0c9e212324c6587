//! Repositories made to do harm: an agent writes their configuration, index, refs and links, and the record that names them.
//! Nothing that only the operator can reach is run, read, copied or deleted for it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::repository::{git, git_out, make_repository};
use crate::support::{KEY, TASK, TestEnv};

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
        forge(env, &serde_json::json!({"git_dir": "/nowhere", "worktree": "x", "branch": "y"}));
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
    forge(&env, &serde_json::json!({"git_dir": source.join(".git"), "worktree": "x", "branch": "y"}));
    t.execenv(["reuse", KEY, "--provider", "claude", "--instructions", &texts[1]]).run();
    assert!(fs::read(source.join(".git/index")).unwrap() == before);
    // Nor in a folder of the user's, which is no worktree of ours.
    let project = ["--local-dir", source.to_str().unwrap()];
    let (reuse, other) = ("22222222-2222-4333-8444-000000000002", "000000000002");
    let words = ["--task-id", reuse, "--provider", "claude", "--instructions", &texts[0]];
    let env = t.prepare([&words[..], &project].concat());
    forge(&env, &serde_json::json!({"git_dir": source.join(".git"), "worktree": "", "branch": "main"}));
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
    forge(&env, &serde_json::json!({"git_dir": "/nowhere", "worktree": "x", "branch": "y"}));
    t.execenv(["reuse", "000000000002"]).run().status(0);
    check(&env, false, "forged");
}
