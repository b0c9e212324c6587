//! `run --auth-login`: a person logs the agent's CLI in while the run waits.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::fake_claude::{GOOD, INIT, World};
use crate::support::process::{example, wait_until};
use crate::support::{Done, KEY};

/// As Claude Code 2.1.332 says it.
const NOT_LOGGED_IN: &str = r#"print {"type":"result","subtype":"success","is_error":true,"result":"Not logged in \u00b7 Please run /login","session_id":"s1"}"#;
const ADDRESS: &str = "https://claude.ai/oauth/authorize?IBBwMdQFWG3mmx9nSh";

/// An agent whose login is the file `login`, and which works by the script `script` when it has one.
fn world() -> World {
    let w = World::new();
    let agent = format!(
        "#!/bin/sh\ncd {tmp}\ncase \"$1 $2\" in\n--version*) echo '2.1.332 (Claude Code)';;\n\
         'auth login')\n  [ \"$BROWSER\" = false ] || exit 9\n  echo x >> asked\n  echo \"If the browser didn't open, visit:\"; echo '{ADDRESS}'\n  \
         printf 'Paste code here if prompted > '\n  read -r code || exit 1\n  \
         [ \"$code\" = 'good#1' ] || {{ echo \"Couldn't log in: bad code\"; exit 1; }}\n  touch login;;\n\
         *) for arg; do printf '%s\\n' \"$arg\"; done >> args; [ -e login ] && exec {scripted} script\n  exec {scripted} refused;;\nesac\n",
        tmp = w.t.tmp.display(),
        scripted = example("scripted-agent").display(),
    );
    let path = w.t.write("fake-claude", agent);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    w.script("refused", &[INIT, NOT_LOGGED_IN, "exit 1"]);
    w
}

/// Runs it; `meanwhile` gets what the run waits with.
fn run(w: &World, options: &[&str], meanwhile: impl Fn()) -> Done {
    let words = [&["--auth-login", "-o", "json"], options].concat();
    w.asked(GOOD, &words).run_with_child(|_| meanwhile())
}

fn events(done: &Done, kind: &str) -> Vec<Value> {
    let all = done.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|event| event["type"] == kind).collect()
}

/// The CLI asks for a code, for the n-th time.
fn wait_until_asked(w: &World, n: usize) {
    let asked = || fs::read_to_string(w.t.tmp.join("asked")).unwrap_or_default().lines().count();
    wait_until("the question", || (asked() >= n).then_some(()));
}

/// Sends a code, as soon as the run can take it.
fn send(w: &World, code: &str) -> Done {
    wait_until("the code is taken", || {
        let done = w.t.execenv(["send", KEY, "--auth-code", "-", "-o", "json"]).input(code).run();
        (!done.stderr.contains("not asked for a code yet")).then_some(done)
    })
}

#[test]
fn a_person_logs_the_agent_in_and_it_starts_again() {
    let w = world();
    let done = run(&w, &[], || {
        wait_until_asked(&w, 1);
        w.t.execenv(["send", KEY, "a message"]).fails(2, &["takes no messages"]);
        send(&w, "wrong").status(0);
        wait_until_asked(&w, 2);
        assert!(send(&w, " good#1\n").status(0).stdout.contains("written"));
    });
    let done = done.status(0);
    let asked = events(&done, "auth_required");
    let addresses: Vec<&Value> = asked.iter().map(|event| &event["login_url"]).collect();
    assert_eq!(addresses, [&Value::Null, &json!(ADDRESS), &json!(ADDRESS)], "{done}");
    let notices: String = events(&done, "notice")
        .iter()
        .map(|event| event["text"].as_str().unwrap().to_owned() + "\n")
        .collect();
    for said in [
        &format!("open {ADDRESS}, then `execenv send"),
        "--auth-code CODE`",
        "the login failed",
        "bad code",
        "is logged in",
    ] {
        assert!(notices.contains(said), "{said}: {notices}");
    }
    let result = &events(&done, "result")[0];
    assert_eq!((&result["text"], &result["iterations"]), (&json!("done"), &json!(1)));
    // No secret is left, in whatever file of the environment.
    let found = w.t.command("grep").args(["-rl", "good#1", w.env.to_str().unwrap()]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    assert!(!done.stdout.contains("good#1") && !done.stderr.contains("good#1"));

    // Logged in, it is not asked again, and no login waits.
    let done = run(&w, &[], || ()).status(0);
    assert!(events(&done, "auth_required").is_empty());
    w.t.execenv(["send", KEY, "--auth-code", "c"]).fails(3, &["no run holds"]);
    w.t.execenv(["send", KEY, "--auth-code", "a\nb"]).fails(2, &["one line"]);
    w.t.execenv(["send", KEY, "--auth-code", " "]).fails(2, &["the code is empty"]);
    w.t.execenv(["send", KEY]).fails(2, &[]);
}

#[test]
fn the_run_can_be_ended_while_it_waits_for_a_code() {
    for (options, end, status, reason) in [
        (&[] as &[&str], Some("stop"), 143, json!("cancelled")),
        (&["--timeout", "2s"], None, 124, json!("timeout")),
    ] {
        let w = world();
        let done = run(&w, options, || {
            wait_until_asked(&w, 1);
            if let Some(command) = end {
                w.t.execenv([command, KEY]).ok();
            }
        });
        let done = done.status(status);
        assert_eq!(events(&done, "result")[0]["failure_reason"], reason, "{done}");
        w.wait_until_free();
    }
}

#[test]
fn without_the_option_or_for_another_cli_nothing_waits() {
    let w = world();
    let done = w.asked(GOOD, &["-o", "json"]).run().status(1);
    let asked = events(&done, "auth_required");
    assert_eq!(asked.len(), 1, "{done}");
    assert_eq!((&asked[0]["login_url"], &asked[0]["provider"]), (&Value::Null, &json!("claude")));
    assert!(!w.t.tmp.join("asked").exists());
    w.t.execenv(["run", KEY, "--auth-login", "--", "true"])
        .fails(2, &["cannot log command in", "auth_required"]);
    // Three wrong codes are enough.
    let done = run(&w, &[], || {
        for n in 1..=3 {
            wait_until_asked(&w, n);
            send(&w, "wrong").status(0);
        }
    });
    let done = done.status(1);
    assert_eq!(events(&done, "result")[0]["failure_reason"], "agent_error.provider_auth_or_access", "{done}");
}
