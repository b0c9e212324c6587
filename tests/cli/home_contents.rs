//! Homes of providers through the built binary: what is made, what stays, what a kill or a full disk leaves. Cursor
//! stands for all of them: it has a folder, files with secrets, a variable and a sidecar.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};
use serde_json::{Value, json};

const SECRET: &str = "sesame-4711-secret";

fn document(provider: &str, servers: Value) -> String {
    json!({"id": TASK, "provider": provider, "agent": {"name": "A", "mcp_config": {"mcpServers": servers}}})
        .to_string()
}

/// A world with two tasks: the same environment with one server, and with another.
fn world() -> TestEnv {
    let t = TestEnv::new();
    let server = |value: &str| json!({"one": {"command": "serve", "env": {"KEY": value}}});
    t.write("one.json", document("cursor", server(SECRET)));
    t.write("two.json", document("cursor", server("another")));
    t.write("other.json", json!({"id": TASK, "provider": "claude"}).to_string());
    t
}

fn prepare(t: &TestEnv, more: &[&str]) -> PathBuf {
    let all = ["-q", "--task", "one.json"].iter().chain(more).copied();
    t.prepare(all)
}

fn approvals(env: &Path) -> PathBuf {
    let projects = env.join("cursor-data/projects");
    let project = fs::read_dir(projects).unwrap().next().unwrap().unwrap().path();
    project.join("mcp-approvals.json")
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

/// What an agent leaves in its home.
fn work(env: &Path) -> PathBuf {
    let session = env.join("cursor-data/chats/s1/store.db");
    fs::create_dir_all(session.parent().unwrap()).unwrap();
    fs::write(&session, "a long conversation").unwrap();
    fs::write(approvals(env).with_file_name("terminal.log"), "beside our files").unwrap();
    session
}

#[test]
fn an_environment_gets_its_home_and_tells_the_variable() {
    let t = world();
    let made = t.execenv(["prepare", "-q", "--task", "one.json", "-o", "json"]).json();
    let env = t.root.join("default").join(KEY);
    assert_eq!(made["env"], json!({"CURSOR_DATA_DIR": env.join("cursor-data")}));
    assert_eq!(made["private_env"], json!({}));
    for folder in ["cursor-data", "cursor-data/projects"] {
        assert_eq!(mode(&env.join(folder)), 0o700, "{folder}");
    }
    assert_eq!(mode(&approvals(&env)), 0o600);
    let sidecar = env.join("workdir/.cursor/mcp.json");
    assert_eq!(mode(&sidecar), 0o600);
    assert!(fs::read_to_string(&sidecar).unwrap().contains(SECRET));
    assert!(made["sidecars"]["files"].as_array().unwrap().contains(&json!(sidecar)));
    let shown = t.execenv(["show", KEY, "-o", "json"]).json();
    assert_eq!(shown["env"], made["env"]);
    let shell = t.execenv(["reuse", "-q", KEY, "--task", "one.json", "-o", "shell"]).ok();
    assert!(shell.shown_stdout.contains("export CURSOR_DATA_DIR='[ROOT]/default/"), "{shell}");
}

#[test]
fn an_idle_reuse_leaves_the_home_alone_and_another_one_changes_only_what_differs() {
    let t = world();
    let env = prepare(&t, &[]);
    let session = work(&env);
    let home = || snapshot(&env.join("cursor-data"));
    let stamp = |path: &Path| {
        let metadata = path.metadata().unwrap();
        (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
    };
    let (before, stamps) = (home(), (stamp(&approvals(&env)), stamp(&session)));
    t.execenv(["reuse", "-q", KEY, "--task", "one.json"]).ok();
    assert_same(&before, &home(), "an idle reuse");
    assert_eq!((stamp(&approvals(&env)), stamp(&session)), stamps);
    t.execenv(["reuse", "-q", KEY, "--task", "two.json"]).ok();
    assert_ne!(stamp(&approvals(&env)), stamps.0);
    assert_eq!(stamp(&session), stamps.1);
    assert_eq!(
        fs::read_to_string(approvals(&env).with_file_name("terminal.log")).unwrap(),
        "beside our files"
    );
    t.assert_nothing_half_made("reused");
}

#[test]
fn another_provider_gets_none_of_the_secrets_of_the_one_before() {
    let t = world();
    let env = prepare(&t, &[]);
    t.write(env.join("openclaw-config.json"), "a token");
    t.write(env.join("codex-home/sessions/one"), "a session");
    let reused = t.execenv(["reuse", "-q", KEY, "--task", "other.json", "-o", "json"]).json();
    assert_eq!(reused["env"], json!({}));
    for gone in ["cursor-data", "openclaw-config.json", "workdir/.cursor"] {
        assert!(!env.join(gone).exists(), "{gone}");
    }
    assert!(env.join("codex-home/sessions/one").exists());
}

#[test]
fn secrets_are_in_their_files_and_nowhere_else() {
    let t = world();
    let run = t.execenv(["prepare", "--task", "one.json", "-o", "json", "-vv"]).run().status(0);
    assert!(!run.stdout.contains(SECRET) && !run.stderr.contains(SECRET), "{run}");
    let again = t.execenv(["reuse", KEY, "--task", "one.json", "-vv"]).run().status(0);
    assert!(!again.stdout.contains(SECRET) && !again.stderr.contains(SECRET), "{again}");
    let env = t.root.join("default").join(KEY);
    t.execenv(["run", KEY, "-q", "--", "true"]).ok();
    let holders: Vec<_> = snapshot(&env)
        .into_iter()
        .filter(|(_, text)| text.contains(SECRET))
        .map(|(path, text)| (path.display().to_string(), text[..4].to_owned()))
        .collect();
    let private = |path: &str| (path.to_owned(), "0600".to_owned());
    assert_eq!(holders, [private("launch/task.json"), private("workdir/.cursor/mcp.json")]);
    // Unreadable servers are an error that names no value.
    t.write("bad.json", document("cursor", json!({"one": SECRET})));
    let failed = t.execenv(["prepare", "--task", "bad.json"]).fails(2, &["MCP"]);
    assert!(!failed.stderr.contains(SECRET), "{failed}");
}

#[test]
fn what_cannot_be_built_changes_nothing() {
    let t = world();
    t.write(
        "bad.json",
        json!({"id": TASK, "provider": "cursor", "agent": {
        "custom_env": {"CURSOR_MCP_AUTH_SOURCE": "/no/such/mcp-auth.json"},
        "mcp_config": {"mcpServers": {"two": {"command": "x"}}}}})
        .to_string(),
    );
    t.execenv(["prepare", "-q", "--task", "bad.json"]).fails(2, &["CURSOR_MCP_AUTH_SOURCE"]);
    assert_eq!(t.root_listing(), ["default"]);
    let env = prepare(&t, &[]);
    work(&env);
    let before = snapshot(&env);
    t.execenv(["reuse", "-q", KEY, "--task", "bad.json"]).fails(2, &["CURSOR_MCP_AUTH_SOURCE"]);
    assert_same(&before, &snapshot(&env), "a reuse that failed");
    // A place in the user's folder that is taken.
    t.write("project/.cursor/mcp.json", "mine");
    let before = t.project_now();
    t.execenv(["prepare", "-q", "--task", "one.json", "--local-dir", "project"])
        .fails(5, &[".cursor/mcp.json"]);
    assert_same(&before, &t.project_now(), "a local prepare that failed");
}

#[test]
fn a_users_folder_comes_back_as_it_was() {
    let t = world();
    t.write("project/src/main.rs", "fn main() {}");
    let before = t.project_now();
    let env = prepare(&t, &["--local-dir", "project"]);
    assert_eq!(mode(&t.project.join(".cursor/mcp.json")), 0o600);
    t.execenv(["reuse", "-q", KEY, "--task", "two.json"]).ok();
    t.execenv(["cleanup", KEY]).ok();
    assert_same(&before, &t.project_now(), "cleaned up");
    assert!(env.join("cursor-data").exists(), "a home stays with output and logs");
    assert!(!env.join("launch").exists());
    t.execenv(["verify", KEY]).ok();
    t.execenv(["cleanup", "--all", KEY]).ok();
    assert!(!env.exists());
}

#[test]
fn a_run_gets_the_variables_and_refuses_a_home_that_is_not_there() {
    let t = world();
    let env = prepare(&t, &[]);
    t.write(env.join("launch/env/TOKEN_FOR_TEST"), SECRET);
    let printed = t.execenv(["run", KEY, "--", "sh", "-c", "echo $CURSOR_DATA_DIR-$TOKEN_FOR_TEST"]).ok();
    assert_eq!(printed.shown_stdout, format!("[ROOT]/default/{KEY}/cursor-data-{SECRET}\n"));
    let home = env.join("cursor-data");
    fs::rename(&home, t.tmp.join("moved")).unwrap();
    let run = || t.execenv(["run", KEY, "--", "true"]);
    run().fails(3, &["cursor-data is gone", "CURSOR_DATA_DIR", "execenv reuse"]);
    symlink(t.tmp.join("moved"), &home).unwrap();
    run().fails(3, &["cursor-data is a link now"]);
    fs::remove_file(&home).unwrap();
    fs::rename(t.tmp.join("moved"), &home).unwrap();
    fs::create_dir(env.join(".execenv.homes-next")).unwrap();
    run().fails(3, &["is not finished"]);
    t.execenv(["prepare", "-q", "--task", "one.json", "--keep-existing"]).fails(3, &["is not ready"]);
    fs::remove_dir(env.join(".execenv.homes-next")).unwrap();
    run().ok();
}

#[test]
fn a_login_that_the_agent_replaced_is_told() {
    let t = world();
    let login = t.write("logins/mcp-auth.json", "a login");
    let with_login = json!({"id": TASK, "provider": "cursor", "agent": {
        "custom_env": {"CURSOR_MCP_AUTH_SOURCE": login},
        "mcp_config": {"mcpServers": {"two": {"command": "x"}}}}});
    t.write("login.json", with_login.to_string());
    let env = t.prepare(["-q", "--task", "login.json"]);
    let linked = approvals(&env).with_file_name("mcp-auth.json");
    assert_eq!(fs::read_link(&linked).unwrap(), login);
    // What was acted upon reaches no agent, and is no mistake of the task's.
    let seen = t.execenv(["run", KEY, "--", "sh", "-c", "env"]).var("CURSOR_MCP_AUTH_SOURCE", "/x").ok();
    assert!(!seen.stdout.contains("CURSOR_MCP_AUTH_SOURCE"), "{seen}");
    let script = format!("rm '{0}'; echo new > '{0}'", linked.display());
    let told = t.execenv(["run", KEY, "--", "sh", "-c", &script]).run().status(0);
    assert!(
        told.stderr.contains("login file of its own") && told.stderr.contains("logins/mcp-auth.json"),
        "{told}"
    );
    assert!(fs::read_to_string(env.join("logs/run.log")).unwrap().contains("login file of its own"));
    assert_eq!(fs::read_to_string(login).unwrap(), "a login");
}

#[test]
fn a_hostile_home_reaches_nothing_outside() {
    let t = world();
    let precious = t.write("precious/keep.txt", "keep");
    let folder = precious.parent().unwrap().to_owned();
    let before = snapshot(&folder);
    for place in ["cursor-data", "cursor-data/projects", ".execenv.homes", ".execenv.homes-next", "launch"] {
        let env = prepare(&t, &[]);
        let place = env.join(place);
        if place.is_dir() {
            fs::remove_dir_all(&place).unwrap();
        }
        symlink(&folder, &place).unwrap();
        t.execenv(["reuse", "-q", KEY, "--task", "two.json"]).run().sane(&[0, 1, 5]);
        t.execenv(["cleanup", "--all", KEY]).run().sane(&[0]);
        assert_same(&before, &snapshot(&folder), &place.display().to_string());
    }
}

/// Kills or starves a command at its 1st, 2nd, 3rd … change to the disk; `settle` is what comes after.
fn disturbed(command: &[&str], variable: &str, value: &dyn Fn(u32) -> String, settle: &[&str]) -> u32 {
    let mut quiet = 0;
    for step in 1.. {
        let t = world();
        let is_reuse = command[0] == "reuse";
        let mut session = None;
        if is_reuse {
            session = Some(work(&prepare(&t, &[])));
        }
        let env = t.root.join("default").join(KEY);
        let old = is_reuse.then(|| fs::read(approvals(&env)).unwrap());
        let run = t.execenv(command).var(variable, value(step)).run();
        let when = format!("{command:?}, {variable} at {step}, then {settle:?}");
        if run.status == Some(0) {
            quiet += 1;
            if quiet == 8 || variable == "EXECENV_TEST_CRASH_AT" {
                return step - quiet;
            }
        } else {
            quiet = 0;
        }
        if let Some(old) = &old
            && t.execenv(["run", KEY, "--", "true"]).run().status == Some(0)
        {
            // What may be run in is of one piece: all old or all new.
            let servers = fs::read_to_string(env.join("workdir/.cursor/mcp.json")).unwrap();
            let has_old_approvals = fs::read(approvals(&env)).unwrap() == *old;
            assert_eq!(servers.contains("another"), !has_old_approvals, "{when}");
        }
        // 1: a doctor finds a root that died before it was marked.
        let settled = t.execenv(settle).run();
        assert!(matches!(settled.status, Some(0 | 1 | 3)), "{when}\n{settled}");
        t.execenv(["gc"]).run().sane(&[0, 2]); // 2: the root that died before it was marked
        t.assert_nothing_half_made(&when);
        if let Some(session) = session {
            assert_eq!(fs::read_to_string(session).unwrap(), "a long conversation", "{when}");
            let log = approvals(&env).with_file_name("terminal.log");
            assert_eq!(fs::read_to_string(log).unwrap(), "beside our files", "{when}");
            let now = fs::read(approvals(&env)).unwrap();
            t.execenv(["reuse", "-q", KEY, "--task", "two.json"]).ok();
            let new = fs::read(approvals(&env)).unwrap();
            assert!(Some(&now) == old.as_ref() || now == new, "{when}: neither old nor new");
        } else if env.exists() {
            t.execenv(["run", KEY, "--", "true"]).ok();
        }
    }
    unreachable!()
}

/// Codex stands for homes that are mostly links, beside what the agent keeps for ever.
fn codex_world() -> (TestEnv, PathBuf, PathBuf) {
    let t = TestEnv::new();
    t.write("home/.codex/config.toml", "model = \"one\"\n");
    t.write("home/.codex/auth.json", "{\"OPENAI_API_KEY\":\"sesame\"}");
    t.write("home/.codex/skills/mine/SKILL.md", "the user's own");
    t.write("home/.codex/instructions.md", "be brief");
    t.write(
        "task.json",
        json!({"id": TASK, "provider": "codex", "agent": {"custom_env": {"MY_KEY": "k"},
        "skills": [{"name": "Review", "description": "d", "content": "Look."}]}})
        .to_string(),
    );
    let env = t.prepare(["-q", "--task", "task.json"]);
    let session = t.write(env.join("codex-home/sessions/2026/rollout.jsonl"), "a long conversation");
    t.write(env.join("codex-home/history.jsonl"), "what was typed");
    (t, env, session)
}

#[test]
fn a_kill_anywhere_in_a_reuse_of_codex_keeps_what_is_the_agents_and_the_users() {
    let mut steps = 0;
    for step in 1.. {
        let (t, env, session) = codex_world();
        t.write("home/.codex/config.toml", "model = \"two\"\n");
        fs::remove_file(t.home.join(".codex/instructions.md")).unwrap();
        t.write(env.join("codex-home/skills/review/stray.txt"), "stray");
        let users = snapshot(&t.home);
        let reuse = || t.execenv(["reuse", "-q", KEY, "--task", "task.json"]);
        let run = reuse().var("EXECENV_TEST_CRASH_AT", step.to_string()).run();
        let when = format!("killed at {step}");
        t.execenv(["doctor", "--fix"]).run();
        t.assert_nothing_half_made(&when);
        let config = || fs::read_to_string(env.join("codex-home/config.toml")).unwrap();
        let now = config();
        assert!(now.contains("\"one\"") || now.contains("\"two\""), "{when}: {now}");
        assert_eq!(env.join("codex-home/instructions.md").exists(), now.contains("\"one\""), "{when}");
        reuse().ok();
        assert!(
            config().contains("\"two\"") && !env.join("codex-home/skills/review/stray.txt").exists(),
            "{when}"
        );
        assert_eq!(fs::read_to_string(session).unwrap(), "a long conversation", "{when}");
        assert_eq!(
            fs::read_to_string(env.join("codex-home/history.jsonl")).unwrap(),
            "what was typed",
            "{when}"
        );
        assert_same(&users, &snapshot(&t.home), &when);
        if run.status == Some(0) {
            break;
        }
        steps = step;
    }
    assert!(steps > 30, "{steps}");
}

#[test]
fn codex_lets_its_commands_have_what_the_run_gives_and_no_secret_of_the_hosts() {
    let (t, env, _) = codex_world();
    let config = env.join("codex-home/config.toml");
    let allowed = || {
        let text = fs::read_to_string(&config).unwrap();
        text.lines().find(|line| line.starts_with("include_only")).unwrap().to_owned()
    };
    let run = || t.execenv(["run", KEY, "--env", "GIVEN_TOKEN=x", "--", "true"]).var("HOST_TOKEN", "y");
    run().var("HOST_PLAIN", "z").ok();
    let brief = fs::read_to_string(env.join("workdir/AGENTS.md")).unwrap();
    assert!(brief.contains("review"), "the brief lists the skills of the home: {brief}");
    let names = allowed();
    for name in ["GIVEN_TOKEN", "MY_KEY", "EXECENV_ROOT", "CODEX_HOME", "HOST_PLAIN", "PATH"] {
        assert!(names.contains(&format!("\"{name}\"")), "{name}: {names}");
    }
    assert!(!names.contains("HOST_TOKEN"), "{names}");
    assert_eq!(mode(&config), 0o600);
    let inode = config.metadata().unwrap().ino();
    run().var("HOST_PLAIN", "z").ok();
    assert_eq!(config.metadata().unwrap().ino(), inode, "the same names write nothing");
    run().ok();
    assert!(!allowed().contains("HOST_PLAIN"));
}

const PREPARE: &[&str] = &["prepare", "-q", "--task", "one.json"];
const REUSE: &[&str] = &["reuse", "-q", KEY, "--task", "two.json"];
const DOCTOR: &[&str] = &["doctor", "--fix"];

fn killed(command: &[&str], settle: &[&str]) -> u32 {
    disturbed(command, "EXECENV_TEST_CRASH_AT", &|n| n.to_string(), settle)
}

#[test]
fn a_kill_anywhere_in_prepare_leaves_nothing_half_made() {
    assert!(killed(PREPARE, DOCTOR) > 30);
}

#[test]
fn a_kill_anywhere_in_reuse_leaves_the_old_home_or_the_new_one() {
    assert!(killed(REUSE, DOCTOR) > 30);
    assert!(killed(REUSE, REUSE) > 30);
}

#[test]
fn a_disk_that_fails_anywhere_leaves_the_old_home_or_the_new_one() {
    for (command, errno) in [(PREPARE, "ENOSPC"), (REUSE, "EACCES"), (REUSE, "EIO")] {
        let steps = disturbed(command, "EXECENV_TEST_FAIL_AT", &|n| format!("{n}:{errno}"), command);
        assert!(steps > 20, "{command:?}, {errno}: {steps}");
    }
}
