//! Homes of providers through the built binary: what is made, what stays, what a kill or a full disk leaves. Cursor
//! stands for all of them: it has a folder, files with secrets, a variable and a sidecar.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use crate::support::homes::{SECRET, approvals, codex_world, cursor_world, document, mode, prepare, work};
use crate::support::{KEY, TASK, assert_same, snapshot};
use serde_json::json;

#[test]
fn an_environment_gets_its_home_and_tells_the_variable() {
    let t = cursor_world();
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
    let t = cursor_world();
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
    let t = cursor_world();
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
    let t = cursor_world();
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
    let t = cursor_world();
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
    let t = cursor_world();
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
    let t = cursor_world();
    let env = prepare(&t, &[]);
    t.write(env.join("launch/env/TOKEN_FOR_TEST"), SECRET);
    let printed = t.execenv(["run", KEY, "--", "sh", "-c", "echo $CURSOR_DATA_DIR-$TOKEN_FOR_TEST"]).ok();
    // A file that no plan makes is no variable: the agent can write there.
    assert_eq!(printed.shown_stdout, format!("[ROOT]/default/{KEY}/cursor-data-\n"));
    let home = env.join("cursor-data");
    fs::rename(&home, t.tmp.join("moved")).unwrap();
    let run = || t.execenv(["run", KEY, "--", "true"]);
    run().fails(3, &["cursor-data is gone", "CURSOR_DATA_DIR", "execenv reuse"]);
    symlink(t.tmp.join("moved"), &home).unwrap();
    run().fails(3, &["cursor-data is a link now"]);
    fs::remove_file(&home).unwrap();
    fs::rename(t.tmp.join("moved"), &home).unwrap();
    fs::create_dir(env.join(".execenv.homes-next")).unwrap();
    run().fails(3, &["is incomplete"]);
    t.execenv(["prepare", "-q", "--task", "one.json", "--keep-existing"]).fails(3, &["is not ready"]);
    fs::remove_dir(env.join(".execenv.homes-next")).unwrap();
    run().ok();
}

#[test]
fn a_login_that_the_agent_replaced_is_told() {
    let t = cursor_world();
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
        told.stderr.contains("by a login file") && told.stderr.contains("logins/mcp-auth.json"),
        "{told}"
    );
    assert!(fs::read_to_string(env.join("logs/run.log")).unwrap().contains("by a login file"));
    assert_eq!(fs::read_to_string(login).unwrap(), "a login");
}

#[test]
fn a_hostile_home_reaches_nothing_outside() {
    let t = cursor_world();
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

#[test]
fn the_users_codex_hooks_run_in_the_task_as_far_as_the_user_trusts_them() {
    let (t, env, _) = codex_world();
    let user = t.home.join(".codex");
    let hooks = r#"{"hooks":{"PreToolUse":[{"hooks":[{"type":"command","command":"deny-it"}]}]}}"#;
    t.write("home/.codex/hooks.json", hooks);
    t.write("home/.codex/hooks/deny-it", "#!/bin/sh\n");
    let trust = |home: &Path, file: &str, hash: &str| {
        format!("[hooks.state.\"{}/{file}:pre_tool_use:0:0\"]\ntrusted_hash = \"{hash}\"\n", home.display())
    };
    let elsewhere = trust(Path::new("/srv/project/.codex"), "hooks.json", "sha256:3");
    let config =
        [trust(&user, "hooks.json", "sha256:1"), trust(&user, "config.toml", "sha256:2"), elsewhere.clone()];
    t.write("home/.codex/config.toml", config.concat());
    t.write("home/.codex/work.config.toml", trust(&user, "work.config.toml", "sha256:4"));
    t.execenv(["reuse", "-q", KEY, "--task", "task.json"]).ok();
    let home = env.join("codex-home");
    let read = |name: &str| fs::read_to_string(home.join(name)).unwrap();
    assert_eq!(read("hooks.json"), hooks);
    assert_eq!(mode(&home.join("hooks.json")), 0o600);
    assert_eq!(fs::read_link(home.join("hooks")).unwrap(), user.join("hooks"));
    let (config, profile) = (read("config.toml"), read("work.config.toml"));
    for moved in
        [trust(&home, "hooks.json", "sha256:1"), trust(&home, "config.toml", "sha256:2"), elsewhere.clone()]
    {
        assert!(config.contains(&moved), "{moved}\n{config}");
    }
    assert!(profile.contains(&trust(&home, "work.config.toml", "sha256:4")), "{profile}");
    assert!(!config.contains(&user.display().to_string()), "{config}");
    // A hook that was taken back is gone, and one that cannot be read is no hook that may be left out.
    fs::remove_file(user.join("hooks.json")).unwrap();
    t.execenv(["reuse", "-q", KEY, "--task", "task.json"]).ok();
    assert!(!home.join("hooks.json").exists());
    fs::create_dir(user.join("hooks.json")).unwrap();
    t.execenv(["reuse", KEY, "--task", "task.json"]).fails(2, &["hooks.json", "regular file"]);
}

#[test]
fn a_limit_of_the_users_codex_holds_or_is_named() {
    let (t, env, _) = codex_world();
    t.write(
        "home/.codex/config.toml",
        "sandbox_mode = \"read-only\"\n[sandbox_workspace_write]\nnetwork_access = false\n\
         [shell_environment_policy]\nexclude = [\"AWS_*\"]\n",
    );
    let told = |more: &[&str]| {
        let fixed = ["reuse", KEY, "--task", "task.json"];
        let done = t.execenv(fixed.iter().chain(more)).run().sane(&[0]);
        let config = fs::read_to_string(env.join("codex-home/config.toml")).unwrap();
        let named = ["sandbox_mode", "network_access", "shell_environment_policy"];
        (named.map(|name| done.stderr.contains(name)), config)
    };
    let (named, config) = told(&[]);
    assert_eq!(named, [true, true, true]);
    assert!(config.contains("network_access = true"), "{config}");
    let (named, config) = told(&["--codex-network", "off"]);
    assert_eq!(named, [true, false, true]);
    assert!(config.contains("network_access = false"), "{config}");
    let (named, config) = told(&["--codex-sandbox", "read-only"]);
    assert_eq!(named, [false, false, true]);
    assert!(config.contains("sandbox_mode = \"read-only\""), "{config}");
    let refused = |words: &[&str]| {
        let fixed = ["reuse", KEY, "--task", "task.json"];
        t.execenv(fixed.iter().chain(words)).fails(2, &["--codex-network"])
    };
    refused(&["--codex-network", "off", "--codex-sandbox", "danger-full-access"]);
    refused(&["--codex-network", "on", "--codex-sandbox", "read-only"]);
    refused(&["--codex-network", "maybe"]);
}
