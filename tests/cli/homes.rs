use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::{TestEnv, arg};

const SERVERS: &str =
    r#"{"mcpServers":{"one":{"command":"serve","env":{"KEY":"it's $(touch pwned) \"x\""}}}}"#;

#[test]
fn an_option_for_another_provider_is_a_warning_and_a_wrong_word_an_error() {
    let t = TestEnv::new();
    let prepare = |more: &[&str]| t.execenv(["prepare", "--provider", "claude"].iter().chain(more).copied());
    for (option, value, owner) in [
        ("--codex-version", "0.169.0", "is for the provider codex"),
        ("--codex-sandbox", "read-only", "is for the provider codex"),
        ("--openclaw-bin", "/no/such/program", "is for the provider openclaw"),
        ("--mcp-mode", "merge", "the task has no MCP servers"),
    ] {
        let done = prepare(&[option, value]).run();
        // A program of another provider is not even looked for.
        assert!(done.status == Some(0) && done.stderr.lines().count() == 1, "{done}");
        assert!(done.stderr.contains(option) && done.stderr.contains(owner), "{done}");
    }
    t.execenv(["prepare", "--provider", "openclaw", "--openclaw-bin", "/no/such"])
        .fails(2, &["--openclaw-bin"]);
    prepare(&["--mcp-mode", "loose"]).fails(2, &["loose", "strict"]);
    prepare(&["--codex-sandbox", "none"]).fails(2, &["none", "workspace-write"]);
    prepare(&[]).var("EXECENV_MCP_MODE", "loose").fails(2, &["EXECENV_MCP_MODE", "merge"]);
    prepare(&[]).var("EXECENV_CODEX_SANDBOX", "x").fails(2, &["EXECENV_CODEX_SANDBOX", "read-only"]);
}

#[test]
fn a_provider_that_is_too_old_is_refused_where_its_version_is_learnt() {
    let t = TestEnv::new();
    let old = t.write("bin/openclaw", "#!/bin/sh\necho OpenClaw 2026.5.4\n");
    fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
    let words =
        [arg("prepare"), arg("--provider"), arg("openclaw"), arg("--openclaw-bin"), old.clone().into()];
    t.execenv(words).fails(1, &["openclaw 2026.5.4 is below", "2026.5.5", "`openclaw update`"]);
    t.assert_nothing_half_made("an old OpenClaw");
    let examined = t.execenv(["doctor", "-o", "json"]).var("MULTICA_OPENCLAW_PATH", &old).run().stdout;
    let examined: Value = serde_json::from_str(&examined).unwrap();
    let programs = examined["programs"].as_array().unwrap();
    let claw = programs.iter().find(|program| program["name"] == "openclaw").unwrap();
    assert_eq!((&claw["too_old"], &claw["minimum"]), (&json!(true), &json!("2026.5.5")));
    let codex = |version| t.execenv(["prepare", "--provider", "codex", "--codex-version", version]).run();
    assert!(
        codex("codex-cli 0.99.9")
            .stderr
            .contains("codex 0.99.9 is below the minimum supported version 0.100.0")
    );
    assert!(!codex("codex-cli 0.100.0").stderr.contains("minimum"));
}

#[test]
fn the_sandbox_of_codex_is_the_flags_then_the_variables_then_the_files() {
    let t = TestEnv::new();
    t.write("c.json", r#"{"codex_sandbox":"danger-full-access"}"#);
    let mode = |run: crate::support::Run<'_>| {
        let made = run.json();
        let home = made["env"]["CODEX_HOME"].as_str().unwrap().to_owned();
        let text = fs::read_to_string(format!("{home}/config.toml")).unwrap();
        let line = text.lines().find(|line| line.starts_with("sandbox_mode")).unwrap().to_owned();
        line.split('"').nth(1).unwrap().to_owned()
    };
    let prepare = |more: &[&str]| {
        t.execenv(["prepare", "-q", "-o", "json", "--provider", "codex"].iter().chain(more).copied())
    };
    let by_system = if cfg!(target_os = "macos") { "danger-full-access" } else { "workspace-write" };
    assert_eq!(mode(prepare(&[])), by_system);
    assert_eq!(mode(prepare(&["--config", "c.json"])), "danger-full-access");
    let variable = prepare(&["--config", "c.json"]).var("EXECENV_CODEX_SANDBOX", "read-only");
    assert_eq!(mode(variable), "read-only");
    let flag = ["--config", "c.json", "--codex-sandbox", "workspace-write"];
    assert_eq!(mode(prepare(&flag).var("EXECENV_CODEX_SANDBOX", "read-only")), "workspace-write");
}

#[test]
fn a_secret_variable_is_a_private_file_that_every_form_names_and_none_shows() {
    let t = TestEnv::new();
    t.write("mcp.json", SERVERS);
    let prepare = |form: &str| {
        let words =
            ["prepare", "-q", "--provider", "opencode", "--task-id", "one", "--mcp-config", "mcp.json"];
        t.execenv(words.iter().copied().chain(["-o", form]))
    };
    let made: Value = prepare("json").json();
    assert_eq!(made["env"], json!({}));
    let file = made["private_env"]["OPENCODE_CONFIG_CONTENT"].as_str().unwrap().to_owned();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = std::path::Path::new(&file);
    assert_eq!((mode(path), mode(path.parent().unwrap())), (0o600, 0o700));
    let value = fs::read_to_string(path).unwrap();
    assert!(!value.contains("pwned") && !made.to_string().contains("pwned"), "{value}");
    // The variable reaches every command of the agent: it names files for what may be secret.
    let server: Value = serde_json::from_str(&value).unwrap();
    let named = server["mcp"]["one"]["environment"]["KEY"].as_str().unwrap();
    let named = named.strip_prefix("{file:").and_then(|named| named.strip_suffix('}')).unwrap();
    assert_eq!(fs::read_to_string(named).unwrap(), "it's $(touch pwned) \"x\"");
    assert_eq!(mode(std::path::Path::new(named)), 0o600);
    let shell = prepare("shell").ok();
    assert!(!shell.stdout.contains("pwned"), "{shell}");
    let script = format!("{}\nprintf %s \"$OPENCODE_CONFIG_CONTENT\"", shell.stdout);
    assert_eq!(t.sh(&script).ok().stdout, value);
    assert!(!t.tmp.join("pwned").exists());
    let env = path.ancestors().nth(3).unwrap();
    let run = [
        arg("run"),
        arg(env),
        arg("--"),
        arg("sh"),
        arg("-c"),
        arg("printf %s \"$OPENCODE_CONFIG_CONTENT\""),
    ];
    assert_eq!(t.execenv(run).ok().stdout, value);
    assert_eq!(
        t.execenv([arg("show"), arg(env), arg("-o"), arg("json")]).json()["private_env"],
        made["private_env"]
    );
    // A task without servers has no such variable any more.
    let reused = t.execenv([arg("reuse"), arg(env), arg("-q"), arg("-o"), arg("json")]).json();
    assert_eq!(reused["private_env"], json!({}));
    assert!(!path.exists() && !std::path::Path::new(named).exists());
}

#[test]
fn doctor_tells_what_a_program_is_logged_in_by_and_shows_no_login() {
    let t = TestEnv::new();
    for name in ["codex", "claude", "gemini"] {
        let program = t.write(format!("bin/{name}"), "#!/bin/sh\necho 1.0.0\n");
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    t.write("home/.codex/auth.json", "sesame-in-file");
    let doctor = || {
        let run = t.execenv(["doctor", "-o", "json"]).var("PATH", t.tmp.join("bin"));
        run.var("ANTHROPIC_API_KEY", "sesame-in-variable")
    };
    let told = doctor().json();
    let program = |name: &str| {
        let programs = told["programs"].as_array().unwrap();
        programs.iter().find(|program| program["name"] == name).unwrap().clone()
    };
    let file = t.home.join(".codex/auth.json");
    assert_eq!(program("codex")["login"], json!({"seen": true, "by": format!("file {}", file.display())}));
    assert_eq!(program("claude")["login"], json!({"seen": true, "by": "variable ANTHROPIC_API_KEY"}));
    assert_eq!(
        (&program("claude")["minimum"], &program("claude")["too_old"]),
        (&json!("2.0.0"), &json!(true))
    );
    assert_eq!(program("gemini")["login"], json!({"seen": false, "by": null}));
    assert_eq!(program("git")["login"], Value::Null);
    assert!(told["codex_sandbox"].get("namespaces").is_some());
    let text = t.execenv(["doctor"]).var("PATH", t.tmp.join("bin")).ok();
    assert!(
        ["ok     codex", "warn   claude", "note   gemini", "FAIL   git"]
            .iter()
            .all(|mark| text.stdout.lines().any(|line| line.trim_start().starts_with(&format!("{mark} ")))),
        "{text}"
    );
    let missing = text.stdout.lines().find_map(|line| line.trim_start().strip_prefix("not found: ")).unwrap();
    for name in ["hermes", "openclaw", "kimi", "opencode"] {
        assert!(missing.split(", ").any(|listed| listed == name), "{text}");
    }
    assert!(
        text.stdout.contains("no login found") && text.shown_stdout.contains("login by file [HOME]/.codex"),
        "{text}"
    );
    for said in [told.to_string(), text.stdout] {
        assert!(!said.contains("sesame"), "{said}");
    }
}

#[test]
fn what_an_agent_prints_is_for_its_user_only() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", "one"]);
    for _ in 0..2 {
        t.execenv(["run", "one", "--", "sh", "-c", "echo sesame; echo sesame >&2"]).run().status(0);
    }
    let files = |folder: &str| fs::read_dir(env.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let logs: Vec<_> = files("logs").chain(files("logs/previous")).filter(|path| path.is_file()).collect();
    assert!(logs.len() >= 8, "those of both runs: {logs:?}");
    assert!(logs.iter().any(|log| fs::read_to_string(log).unwrap().contains("sesame")), "{logs:?}");
    for log in logs {
        assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600, "{}", log.display());
    }
}

#[test]
fn ctrl_c_ends_a_program_that_is_asked_while_preparing() {
    let t = TestEnv::new();
    let program = t.write("bin/openclaw", "#!/bin/sh\necho $$ > pid.new && mv pid.new pid\nexec sleep 600\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let words = ["prepare", "--provider", "openclaw", "--openclaw-bin"].map(arg).into_iter();
    let child = t.execenv(words.chain([arg(&program)])).start();
    let asked = loop {
        match fs::read_to_string(t.tmp.join("pid")) {
            Ok(pid) => break pid.trim().to_owned(),
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    };
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    // Its own time limit would be status 1.
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("stopped on request"), "{told}");
    assert!(!std::path::Path::new("/proc").join(asked).exists());
    t.assert_nothing_half_made("stopped");
    assert_eq!(t.execenv(["list", "-q", "-o", "json"]).json()["environments"], json!([]));
}

#[test]
fn what_will_have_no_effect_is_said_while_preparing() {
    let t = TestEnv::new();
    let task = json!({"provider": "codex", "agent": {"custom_env": {"PATH": "/x", "codex_home": "/y", "MINE": "1"}}});
    t.write("task.json", task.to_string());
    for (words, said, unsaid) in [
        (
            &["--task", "task.json", "--codex-version", "banana"][..],
            &["`--codex-version` contains no version", "variable PATH of the task", "variable codex_home of"]
                [..],
            "MINE",
        ),
        (&["--provider", "codex", "--codex-version", "codex-cli 0.169.0"], &[], "contains no version"),
        (&["--issue-id", "I", "--task-id", "i"], &["`--issue-id` is not a UUID"], "--chat"),
        (&["--issue-id", "I", "--platform-cli", "none"], &[], "UUID"),
        (&["--chat-session-id", crate::support::TASK], &[], "UUID"),
    ] {
        let done = t.execenv(["prepare"].iter().chain(words).copied()).run().status(0);
        assert!(said.iter().all(|said| done.stderr.contains(said)), "{done}");
        assert!(!done.stderr.contains(unsaid) && !done.stderr.contains("/y"), "{done}");
    }
}
