//! Setup commands: those that a repository names, and those of the command line.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::checkout_remote::world;
use crate::support::git_http::serve;
use crate::support::process::{is_gone, wait_until};
use crate::support::repository::{commit_files, make_repository};
use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};

/// Puts a `.execenv.json` into the project and trusts it.
pub fn trusted(t: &TestEnv, file: &serde_json::Value) {
    t.write("project/.execenv.json", file.to_string());
    trust(t, &t.project);
}

pub fn trust(t: &TestEnv, folder: &Path) {
    t.execenv(["trust", "--yes", folder.to_str().unwrap()]).run().status(0);
}

const LOCAL: [&str; 5] = ["prepare", "--task-id", TASK, "--local-dir", "project"];

pub fn env_root(t: &TestEnv) -> PathBuf {
    t.root.join("default").join(KEY)
}

fn record(t: &TestEnv) -> serde_json::Value {
    let text = fs::read_to_string(env_root(t).join(".gc_meta.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap()["execenv"].clone()
}

#[test]
fn trusted_commands_run_in_the_work_dir_with_the_variables_of_the_environment() {
    let t = TestEnv::new();
    make_repository(&t, &t.project, &[]);
    let file = json!({"setup": ["echo out; echo err >&2; env | sort > vars", ["sh", "-c", "pwd > where"]]});
    commit_files(
        &t,
        &t.project,
        "file",
        &[(".execenv.json", &file.to_string()), (".gitignore", "vars\nwhere\n")],
    );
    trust(&t, &t.project);
    let words =
        ["prepare", "--task-id", TASK, "--repo", "project", "--setup", "echo mine >> where", "-o", "json"];
    let answer = t.execenv(words).var("MULTICA_TOKEN", "secret").json();
    assert_eq!(
        (&answer["setup"]["state"], &answer["setup"]["commands"]),
        (&"done".into(), &3.into()),
        "{answer}"
    );
    let work_dir = env_root(&t).join("workdir");
    let read = |name: &str| fs::read_to_string(work_dir.join(name)).unwrap();
    assert_eq!(read("where"), format!("{}\nmine\n", work_dir.display()));
    let vars = read("vars");
    for expected in [
        format!("EXECENV_ROOT={}", env_root(&t).display()),
        format!("EXECENV_WORKDIR={}", work_dir.display()),
        format!("EXECENV_TASK_ID={TASK}"),
        format!("PWD={}", work_dir.display()),
    ] {
        assert!(vars.lines().any(|line| line == expected), "{expected}\n{vars}");
    }
    assert!(!vars.contains("MULTICA_TOKEN") && !vars.contains("EXECENV_TEST_NOW"), "{vars}");
    let log = fs::read_to_string(env_root(&t).join("logs/setup.log")).unwrap();
    assert!(log.contains("[setup] echo out") && log.contains("out\n") && log.contains("err\n"), "{log}");
    t.execenv(["run", KEY, "--", "true"]).run().status(0);
    t.execenv(["cleanup", KEY]).ok();
}

#[test]
fn commands_that_are_not_trusted_do_not_run_and_nothing_is_left() {
    let t = TestEnv::new();
    t.write("project/.execenv.json", r#"{"setup": ["touch ran"], "teardown": ["echo \u001b[2J"]}"#);
    let before = t.project_now();
    let done = t.execenv(LOCAL).fails(
        2,
        &["that you have not trusted", "`touch ran`", "hint: `execenv trust [PROJECT]`", "--no-setup"],
    );
    assert!(!done.stderr.contains('\u{1b}'), "{done}");
    assert_same(&before, &t.project_now(), "refused");
    assert!(t.root_listing().iter().all(|path| path == "default"), "{:?}", t.root_listing());
    let json = t.execenv(LOCAL.iter().copied().chain(["-o", "json"])).run().status(2);
    assert!(json.stderr.contains(r#""code":"untrusted""#), "{json}");
    // It goes on without them, and they run when they are trusted.
    t.execenv(LOCAL.iter().copied().chain(["--no-setup"])).ok();
    assert!(!t.project.join("ran").exists());
    assert_eq!(record(&t)["setup"]["state"], "skipped");
    t.execenv(["run", KEY, "--", "true"]).run().status(0);
    t.execenv(["reuse", KEY]).fails(2, &["not trusted"]);
    trust(&t, &t.project);
    t.execenv(["reuse", KEY]).ok();
    assert!(t.project.join("ran").exists());
}

#[test]
fn a_file_that_changes_after_it_was_trusted_is_not_trusted() {
    let t = TestEnv::new();
    trusted(&t, &json!({"setup": ["echo one >> ran"]}));
    t.execenv(LOCAL).ok();
    // The same bytes: the setup has run.
    t.execenv(["reuse", KEY]).ok();
    assert_eq!(fs::read_to_string(t.project.join("ran")).unwrap(), "one\n");
    t.write("project/.execenv.json", json!({"setup": ["echo two >> ran"]}).to_string());
    t.execenv(["reuse", KEY]).fails(2, &["not trusted"]);
    t.execenv(["reuse", KEY, "--no-setup"]).ok();
    assert_eq!(fs::read_to_string(t.project.join("ran")).unwrap(), "one\n");
    trust(&t, &t.project);
    t.execenv(["reuse", KEY]).ok();
    assert_eq!(fs::read_to_string(t.project.join("ran")).unwrap(), "one\ntwo\n");
}

#[test]
fn a_failed_setup_leaves_nothing_but_what_it_wrote_in_a_users_folder() {
    let t = TestEnv::new();
    let file = json!({"setup": ["echo part > part; printf 'bad \\033[31mred\\n'; exit 3", "touch never"], "teardown": ["echo down >> ../down"]});
    trusted(&t, &file);
    let words = [&LOCAL[..], &["--provider", "claude", "--instructions", "rules"]].concat();
    t.write("rules", "Be brief.");
    let before = t.project_now();
    let done = t.execenv(&words).run().status(1);
    assert!(
        done.stderr.contains("error: the setup command `echo part")
            && done.stderr.contains("ended with status 3"),
        "{done}"
    );
    assert!(done.stderr.contains("caused by: bad ") && !done.stderr.contains('\u{1b}'), "{done}");
    assert!(done.stderr.contains("what the setup commands have written in [PROJECT] stays there"), "{done}");
    assert_eq!(fs::read_to_string(t.tmp.join("down")).unwrap(), "down\n", "its teardown has run");
    assert!(!t.project.join("never").exists());
    fs::remove_file(t.project.join("part")).unwrap();
    assert_same(&before, &t.project_now(), "after a failed setup");
    assert!(t.root_listing().iter().all(|path| path == "default"), "{:?}", t.root_listing());
    let json = t.execenv(words.iter().copied().chain(["-o", "json"])).run().status(1);
    assert!(json.stderr.contains(r#""code":"setup_failed""#), "{json}");
}

#[test]
fn a_failed_setup_gives_the_environment_before_back_and_its_worktree_is_gone() {
    let t = TestEnv::new();
    make_repository(&t, &t.project, &[]);
    let words = ["prepare", "--task-id", TASK, "--repo", "project"];
    t.execenv(words).ok();
    t.write(env_root(&t).join("output/mine"), "mine");
    let repository = || {
        let mut all = snapshot(&t.project);
        all.retain(|path, _| !path.starts_with(".git/objects") && !path.starts_with(".git/logs"));
        all
    };
    let before = repository();
    t.execenv(words.iter().copied().chain(["--replace", "--setup", "false"]))
        .fails(1, &["`false` ended with status 1"]);
    assert!(env_root(&t).join("output/mine").exists());
    assert_same(&before, &repository(), "the repository");
    t.execenv(["run", KEY, "--", "git", "status"]).run().status(0);
    t.assert_nothing_half_made_but(".execenv.excludes", "after a failed setup");
}

#[test]
fn nothing_of_a_setup_command_stays_alive() {
    let t = TestEnv::new();
    let script = "sleep 600 & echo $! > ../one; setsid sh -c 'echo $$ > ../two; exec sleep 600' >/dev/null 2>&1 & \
                  while [ ! -s ../two ]; do sleep 0.01; done";
    t.execenv(LOCAL.iter().copied().chain(["--setup", script])).ok();
    for name in ["one", "two"] {
        let pid = fs::read_to_string(t.tmp.join(name)).unwrap();
        assert!(is_gone(pid.trim()), "{name}: {pid}");
    }
}

#[test]
fn a_setup_command_that_ignores_sigterm_is_killed_when_its_time_is_over() {
    let t = TestEnv::new();
    trusted(
        &t,
        &json!({"setup": ["trap '' TERM; echo $$ > ../pid; while :; do sleep 1; done"], "setup_timeout": "1s"}),
    );
    t.execenv(LOCAL).fails(1, &["did not end within 1s"]);
    let pid = fs::read_to_string(t.tmp.join("pid")).unwrap();
    assert!(is_gone(pid.trim()));
    assert!(!env_root(&t).exists());
}

#[test]
fn a_signal_ends_the_setup_and_takes_the_environment_back() {
    let t = TestEnv::new();
    trusted(&t, &json!({"setup": ["echo $$ > ../pid; exec sleep 600"], "teardown": ["touch ../down"]}));
    let before = t.project_now();
    let done = t.execenv(LOCAL).run_with_child(|child| {
        wait_until("the setup", || {
            fs::read_to_string(t.tmp.join("pid")).ok().filter(|text| text.ends_with('\n'))
        });
        rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::INT)
            .unwrap();
    });
    let done = done.status(130);
    assert!(done.stderr.contains("interrupted by a signal during the setup"), "{done}");
    assert!(is_gone(fs::read_to_string(t.tmp.join("pid")).unwrap().trim()));
    assert!(t.tmp.join("down").exists() && !env_root(&t).exists());
    assert_same(&before, &t.project_now(), "interrupted");
}

#[test]
fn a_killed_setup_leaves_an_environment_in_which_no_agent_starts_until_it_has_run() {
    let t = TestEnv::new();
    trusted(&t, &json!({"setup": ["echo $$ > ../pid; test -e ../go || exec sleep 600"]}));
    let done = t.execenv(LOCAL).run_with_child(|child| {
        wait_until("the setup", || {
            fs::read_to_string(t.tmp.join("pid")).ok().filter(|text| text.ends_with('\n'))
        });
        rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::KILL)
            .unwrap();
    });
    assert!(done.was_killed(), "{done}");
    let pid = fs::read_to_string(t.tmp.join("pid")).unwrap();
    wait_until("the end of the setup", || is_gone(pid.trim()).then_some(()));
    // The guard frees the lock when all is gone.
    wait_until("the lock", || {
        let done = t.execenv(["run", KEY, "--", "touch", "started"]).run();
        (done.status != Some(4)).then(|| {
            assert!(
                done.status == Some(3) && done.stderr.contains("its setup failed or was interrupted"),
                "{done}"
            )
        })
    });
    t.execenv(LOCAL.iter().copied().chain(["--keep-existing"])).fails(3, &["not ready for a run"]);
    t.write("go", "");
    t.execenv(["reuse", KEY]).ok();
    t.execenv(["run", KEY, "--", "touch", "started"]).run().status(0);
    assert!(t.project.join("started").exists());
}

/// Kills a `prepare` in the middle of its setup, and waits until nothing of that is left.
fn killed_in_its_setup(t: &TestEnv, words: &[&str]) {
    let done = t.execenv(words).run_with_child(|child| {
        wait_until("the setup", || t.tmp.join("begun").exists().then_some(()));
        rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::KILL)
            .unwrap();
    });
    assert!(done.was_killed(), "{done}");
    wait_until("the lock", || (t.execenv(["run", KEY, "--", "true"]).run().status != Some(4)).then_some(()));
}

#[test]
fn commands_that_were_given_are_not_lost_by_a_kill_unsaid() {
    let own = "echo own >> marks";
    let slow = "touch ../begun; test -e ../go || exec sleep 600".to_owned();
    for (file, given) in [(json!({"setup": [&slow]}), own), (json!({}), slow.as_str())] {
        let t = TestEnv::new();
        trusted(&t, &file);
        killed_in_its_setup(&t, &[&LOCAL[..], &["--setup", given]].concat());
        t.execenv(["run", KEY, "--", "true"]).fails(3, &["reuse", "--setup COMMAND", "--no-setup"]);
        let found = t.execenv(["doctor", "--fix"]).run().status(1);
        assert!(found.stdout.contains("unfinished_setup") && found.stdout.contains("--no-setup"), "{found}");
        t.execenv(["reuse", KEY]).fails(2, &["does not keep commands of `--setup`", "it had 1"]);
        t.execenv(["run", KEY, "--", "true"]).fails(3, &["its setup failed or was interrupted"]);
        t.write("go", "");
        t.execenv(["reuse", KEY, "--setup", given]).ok();
        t.execenv(["run", KEY, "--", "true"]).run().status(0);
        t.execenv(["doctor"]).run().status(0);
        assert_eq!(t.project.join("marks").exists(), given == own);
    }
}

#[test]
fn without_a_setup_an_interrupted_one_is_gone_on_from() {
    let t = TestEnv::new();
    t.write("project/file", "");
    killed_in_its_setup(&t, &[&LOCAL[..], &["--setup", "touch ../begun; exec sleep 600"]].concat());
    t.execenv(["reuse", KEY, "--no-setup"]).ok();
    assert_eq!(record(&t)["setup"]["state"], "skipped");
    t.execenv(["run", KEY, "--", "true"]).run().status(0);
    // A file that names no commands any more has nothing that could be missing.
    let t = TestEnv::new();
    trusted(&t, &json!({"setup": ["touch ../begun; exec sleep 600"]}));
    killed_in_its_setup(&t, &LOCAL);
    t.write("project/.execenv.json", "{}");
    t.execenv(["reuse", KEY]).ok();
    t.execenv(["run", KEY, "--", "true"]).run().status(0);
}

#[test]
fn what_cannot_be_a_setup_is_refused() {
    let t = TestEnv::new();
    t.execenv(LOCAL.iter().copied().chain(["--setup", ""])).fails(2, &["--setup"]);
    let two = ["--port", "a-b", "--port", "web", "--port", "a_b"];
    t.execenv(LOCAL.iter().copied().chain(two)).fails(2, &["`a-b` and `a_b`", "one variable"]);
    assert!(!env_root(&t).exists());
    // One name in the file and on the command line is one port.
    trusted(&t, &json!({"ports": ["web"]}));
    t.execenv(LOCAL.iter().copied().chain(["--port", "web"])).ok();
    assert_eq!(record(&t)["ports"].as_array().unwrap().len(), 1);
}

#[test]
fn what_a_setup_prints_is_kept_within_bounds() {
    let t = TestEnv::new();
    let flood = "echo begin; head -c 200000000 /dev/zero | tr '\\0' x; echo; echo end";
    t.execenv(LOCAL.iter().copied().chain(["--setup", flood])).ok();
    let log = fs::read(env_root(&t).join("logs/setup.log")).unwrap();
    assert!(log.len() < 2 << 20, "{}", log.len());
    let text = String::from_utf8_lossy(&log);
    assert!(
        text.contains("begin\n") && text.ends_with("\nend\n") && text.contains("bytes are left out here]")
    );
}

#[test]
fn a_hostile_file_is_refused_with_its_name() {
    let place = "[PROJECT]/.execenv.json";
    for (name, make, part) in [
        ("a FIFO", "mkfifo project/.execenv.json", "not a regular file"),
        ("a link", "echo '{}' > f; ln -s ../f project/.execenv.json", ""),
        ("a link to itself", "ln -s .execenv.json project/.execenv.json", ""),
        ("a folder", "mkdir project/.execenv.json", "not a regular file"),
        ("10 MB", "head -c 10000000 /dev/zero > project/.execenv.json", "longer than 64 KiB"),
        ("no JSON", "echo '{\"setup\": [\"x\"' > project/.execenv.json", "line "),
        ("a wrong type", "echo '{\"setup\": \"x\"}' > project/.execenv.json", "field `setup`"),
        ("a wrong port", "echo '{\"ports\": [\"a b\"]}' > project/.execenv.json", "no name of a port"),
    ] {
        let t = TestEnv::new();
        t.sh(make).ok();
        let done = t.execenv(LOCAL).run();
        let holds = done.status == Some(2) && done.stderr.contains(place) && done.stderr.contains(part);
        assert!(holds, "{name}: {done}");
        assert!(!env_root(&t).exists(), "{name}");
        let done = t.execenv(LOCAL.iter().copied().chain(["--no-setup"])).run().status(0);
        assert!(done.stderr.contains("warning: .execenv.json is left out"), "{name}: {done}");
        let done = t.execenv(["trust", "--yes", "project"]).run();
        assert!(done.status == Some(2) && done.stderr.contains(place), "{name}: {done}");
    }
}

#[test]
fn unknown_fields_are_named_and_a_command_that_is_not_there_too() {
    let t = TestEnv::new();
    trusted(&t, &json!({"setup": ["true"], "later": 1}));
    let done = t.execenv(LOCAL).run().status(0);
    assert!(done.stderr.contains("unknown fields in .execenv.json are ignored: later"), "{done}");
    trusted(&t, &json!({"setup": [["no-such-program", "x"]]}));
    let done = t.execenv(LOCAL).run().status(1);
    assert!(done.stderr.contains("cannot be started: `no-such-program` is not in PATH"), "{done}");
}

#[test]
fn a_run_that_makes_its_environment_sets_it_up_and_tears_it_down() {
    let t = TestEnv::new();
    trusted(&t, &json!({"setup": ["echo up >> ../story"], "teardown": ["echo down >> ../story"]}));
    let words = [
        "run",
        "--new",
        "--task-id",
        TASK,
        "--local-dir",
        "project",
        "--",
        "sh",
        "-c",
        "echo run >> ../story",
    ];
    t.execenv(words).run().status(0);
    assert_eq!(fs::read_to_string(t.tmp.join("story")).unwrap(), "up\nrun\ndown\n");
    let words = [
        "run",
        "--new",
        "--task-id",
        "other",
        "--local-dir",
        "project",
        "--setup",
        "exit 7",
        "--",
        "touch",
        "ran",
    ];
    let done = t.execenv(words).run().status(1);
    assert!(
        done.stderr.contains("`exit 7` ended with status 7") && !t.project.join("ran").exists(),
        "{done}"
    );
    // Of an environment that is there, `run` sets nothing up.
    t.execenv(["run", KEY, "--setup", "true", "--", "true"])
        .fails(2, &["the task of an environment is not changed"]);
}

#[test]
fn a_hook_leaves_out_what_is_not_trusted_and_runs_what_is() {
    let t = TestEnv::new();
    make_repository(&t, &t.project, &[]);
    commit_files(
        &t,
        &t.project,
        "f",
        &[(".execenv.json", r#"{"setup": ["touch ran"]}"#), (".gitignore", "ran\n")],
    );
    let event =
        |name: &str| json!({"cwd": t.project, "hook_event_name": "WorktreeCreate", "name": name}).to_string();
    let create =
        |name: &str| t.execenv(["hook", "claude", "--base", "HEAD"]).input(event(name)).run().status(0);
    let done = create("one");
    assert!(
        done.stderr.contains("that you have not trusted") && done.stderr.contains("execenv trust"),
        "{done}"
    );
    assert!(!Path::new(done.stdout.trim()).join("ran").exists());
    trust(&t, &t.project);
    let done = create("two");
    assert!(done.stderr.is_empty() && Path::new(done.stdout.trim()).join("ran").exists(), "{done}");
}

#[test]
fn what_an_agent_in_a_sandbox_has_written_is_not_set_up_outside_of_it() {
    let t = TestEnv::new();
    trusted(&t, &json!({"setup": ["touch ran"]}));
    let kept = fs::read(t.project.join(".execenv.json")).unwrap();
    fs::remove_file(t.project.join(".execenv.json")).unwrap();
    t.execenv(["prepare", "--task-id", TASK]).ok();
    forge(&t, |own| own["run"] = json!({"id": "x", "sandboxed": true}));
    // The agent writes bytes that the user has trusted elsewhere.
    fs::write(env_root(&t).join("workdir/.execenv.json"), kept).unwrap();
    t.execenv(["reuse", KEY]).fails(2, &["an agent in a sandbox has worked in this work dir", "`touch ran`"]);
    let words = ["prepare", "--task-id", "other", "--copy-from", KEY, "--copy", ".execenv.json"];
    t.execenv(words).fails(2, &["an agent in a sandbox has worked"]);
    t.execenv(["reuse", KEY, "--no-setup"]).ok();
    assert!(!env_root(&t).join("workdir/ran").exists());
}

#[test]
fn a_setup_on_a_shared_repository_holds_nothing_that_others_wait_for() {
    let (t, served) = world();
    let server = serve(&served, None);
    let address = format!("{}/org/repo", server.url());
    let words = |task: &str| ["prepare", "--task-id", task, "--repo", &address, "--setup"].map(str::to_owned);
    let script =
        "echo $$ > ../../../../pid; while [ ! -e ../../../../go ]; do sleep 0.05; done; touch ../ran"
            .to_owned();
    let first = t.execenv(words(TASK).into_iter().chain([script])).start();
    wait_until("the setup", || {
        fs::read_to_string(t.tmp.join("pid")).ok().filter(|text| text.ends_with('\n'))
    });
    t.execenv(words("second").into_iter().chain(["true".to_owned()])).ok();
    t.write("go", "");
    let output = first.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(env_root(&t).join("ran").exists());
    assert_eq!(record(&t)["setup"]["state"], "done");
    // One that fails leaves no environment.
    let all = || fs::read_dir(t.root.join("default")).unwrap().count();
    let before = all();
    t.execenv(words("third").into_iter().chain(["touch new; exit 3".to_owned()]))
        .fails(1, &["ended with status 3"]);
    assert_eq!(all(), before);
}

/// Changes the record as an agent could.
pub fn forge(t: &TestEnv, change: impl FnOnce(&mut serde_json::Value)) {
    let path = env_root(t).join(".gc_meta.json");
    let mut meta: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut meta["execenv"]);
    fs::write(&path, meta.to_string()).unwrap();
}

#[test]
fn a_worktree_that_was_set_up_and_not_announced_is_taken_back_whatever_the_setup_wrote() {
    let t = TestEnv::new();
    make_repository(&t, &t.project, &[]);
    let done = t.unprinted("prepare --repo project --setup 'touch new'", "/dev/full").status(1);
    assert!(done.stderr.contains("the environment was removed"), "{done}");
    assert!(
        t.root_listing().iter().all(|path| path == "default" || path == ".trash"),
        "{:?}",
        t.root_listing()
    );
}

/// A worktree has the file as it is committed: that is said once, with the user's file, and a loop of `trust` and `prepare` is not offered.
#[test]
fn a_file_of_the_checkout_that_the_worktree_does_not_have_is_told_once() {
    let t = TestEnv::new();
    make_repository(&t, &t.project, &[]);
    t.write("project/.execenv.json", r#"{"ports": ["web"]}"#);
    let prepare = ["prepare", "--task-id", TASK, "--repo", "project"];
    let told = |done: &crate::support::Done, says: &str| {
        let told = done.stderr.matches("[PROJECT]/.execenv.json is not ").count();
        assert!(told == usize::from(!says.is_empty()) && done.stderr.contains(says), "{says}: {done}");
    };
    told(&t.execenv(prepare).run().status(0), "is not in the commit with which the worktree begins (HEAD ");
    commit_files(&t, &t.project, "file", &[(".execenv.json", r#"{"setup": ["true"]}"#)]);
    trust(&t, &t.project);
    told(&t.execenv(prepare).run().status(0), "");
    t.write("project/.execenv.json", r#"{"setup": ["touch other"]}"#);
    told(
        &t.execenv(prepare).run().status(0),
        "is not as in the commit with which the worktree begins (HEAD ",
    );
    // What is not committed is there with `--worktree`.
    trust(&t, &t.project);
    let done =
        t.execenv(["prepare", "--task-id", TASK, "--local-dir", "project", "--worktree"]).run().status(0);
    told(&done, "");
    assert!(env_root(&t).join("workdir/other").exists());
    // The one that would run is not the one that `trust` of the checkout would show.
    t.execenv(["trust", "--remove", "project"]).run().status(0);
    t.execenv(["cleanup", "--all", "--force", KEY]).run().status(0);
    let done = t.execenv(prepare).fails(2, &["`execenv trust` it, then `execenv reuse`"]);
    told(&done, "is not as in the commit");
    assert!(!done.stderr.contains("`execenv trust /"), "{done}");
}

/// A broken file is named by the place at which the user finds it, with line and column.
#[test]
fn a_broken_file_is_named_where_the_user_finds_it() {
    let t = TestEnv::new();
    make_repository(&t, &t.project, &[]);
    commit_files(&t, &t.project, "file", &[(".execenv.json", "{\n  \"setup\": [\"a\",]\n}\n")]);
    for words in
        [&["--local-dir", "project"][..], &["--repo", "project"], &["--local-dir", "project", "--worktree"]]
    {
        let words = ["prepare", "--task-id", TASK].iter().chain(words);
        t.execenv(words).fails(2, &["[PROJECT]/.execenv.json, line 2, column 17: "]);
    }
    t.write("project/.execenv.json", "{}");
    t.execenv(["prepare", "--task-id", TASK, "--repo", "project"])
        .fails(2, &["[PROJECT]/.execenv.json as it is in HEAD ", ", line 2, column 17: "]);
    let origin = t.tmp.join("origin.git");
    t.sh("git clone -q --bare project origin.git").ok();
    t.execenv(["prepare", "--task-id", TASK, "--repo", origin.to_str().unwrap()])
        .fails(2, &[".execenv.json in HEAD ", ", line 2, column 17: "]);
}
