use serde_json::Value;

use crate::support::{KEY, TestEnv};

const COMMANDS: [&str; 16] = [
    "branch",
    "prepare",
    "reuse",
    "run",
    "cleanup",
    "gc",
    "list",
    "show",
    "verify",
    "trash",
    "config",
    "doctor",
    "diff",
    "checkpoint",
    "restore",
    "clone",
];

#[test]
fn every_command_has_help_with_an_example() {
    let t = TestEnv::new();
    for command in COMMANDS {
        let done = t.execenv([command, "--help"]).ok();
        assert!(done.stdout.contains("Example") && done.stdout.contains("execenv "), "{done}");
        let words = done.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words.matches("[env: EXECENV_OUTPUT]").count(), 1, "a setting is described once: {done}");
    }
    assert!(t.execenv(["--version"]).ok().stdout.starts_with("execenv "));
    t.execenv::<&str>([]).run().status(2);
}

#[test]
fn wrong_usage_is_status_2_with_a_hint_and_in_json_one_object_as_the_last_line() {
    let t = TestEnv::new();
    for arguments in [
        &["prepare", "--nope"][..],
        &["nope"],
        &["cleanup"],
        &["gc", "--ttl", "soon"],
        &["list", "-o", "xml"],
        &["prepare", "-q", "-v"],
    ] {
        t.execenv(arguments).fails(2, &["hint: "]);
        if arguments.contains(&"xml") {
            continue;
        }
        let done = t.execenv(arguments.iter().chain(&["-o", "json"])).run().status(2);
        assert!(done.stdout.is_empty(), "{done}");
        let error: Value = serde_json::from_str(done.stderr.lines().last().unwrap()).unwrap();
        let object = error["error"].as_object().unwrap();
        assert_eq!(object["code"], "usage", "{done}");
        assert!(object["message"].is_string() && object["hint"].is_string() && object["causes"].is_array());
    }
}

#[test]
fn the_json_error_has_the_stable_word_of_each_status() {
    let t = TestEnv::new();
    t.write("bad.json", "{");
    for (arguments, status, code) in [
        (&["show", KEY][..], 3, "no_env"),
        (&["prepare", "--task", "bad.json"], 2, "bad_document"),
        (&["prepare", "--local-dir", "/"], 2, "bad_path"),
        (&["config", "--config", "bad.json"], 2, "bad_config"),
    ] {
        for by_variable in [false, true] {
            let run = t.execenv(arguments.iter().copied().chain((!by_variable).then_some("--output=json")));
            let run = if by_variable { run.var("EXECENV_OUTPUT", "json") } else { run };
            let done = run.run().status(status);
            let error: Value = serde_json::from_str(done.stderr.lines().last().unwrap())
                .unwrap_or_else(|e| panic!("{e}: {done}"));
            assert_eq!(error["error"]["code"], code, "{done}");
        }
    }
}

#[test]
fn the_shell_form_is_for_prepare_and_reuse_only() {
    let t = TestEnv::new();
    for command in ["list", "config", "gc"] {
        let done = t.execenv([command, "-o", "shell"]).run().status(2);
        assert_eq!(done.stdout, REFUSAL, "{done}");
        assert!(done.stderr.contains("prepare and reuse"), "{done}");
    }
}

/// What a shell evaluates when there is no environment for it.
const REFUSAL: &str = "unset EXECENV_ROOT EXECENV_WORKDIR; false\n";

#[test]
fn what_fails_for_an_eval_makes_it_fail_and_forget_the_environment_before() {
    let t = TestEnv::new();
    for (words, status) in [
        (&["prepare", "--local-dir", "nowhere"][..], 2),
        (&["prepare", "--nope"], 2),
        (&["prepare", "--mcp-mode", "loose"], 2),
        (&["reuse", "nothing"], 3),
        (&["reuse"], 2),
    ] {
        for form in [&["-o", "shell"][..], &["-oshell"], &["--output=shell"], &[]] {
            let run = t.execenv(words.iter().chain(form).copied());
            let run = if form.is_empty() { run.var("EXECENV_OUTPUT", "shell") } else { run };
            let done = run.run().status(status);
            assert_eq!(done.stdout, REFUSAL, "{done}");
            assert!(done.stderr.starts_with("error: "), "{done}");
        }
    }
    let script = "EXECENV_ROOT=/old; EXECENV_WORKDIR=/old
        if eval \"$(execenv prepare -o shell --nope 2>&-)\"; then echo went on; fi
        echo \"${EXECENV_ROOT-unset} ${EXECENV_WORKDIR-unset}\"";
    assert_eq!(t.sh(script).ok().stdout, "unset unset\n");
    // What runs in an environment may speak of formats, too.
    let done = t.execenv(["run", "nothing", "--", "x", "-o", "shell"]).run().status(3);
    assert_eq!(done.stdout, "", "{done}");
}

#[test]
fn a_wrong_value_points_to_the_help_of_its_command() {
    let t = TestEnv::new();
    for (words, hint) in [
        (&["gc", "--max-total", "1X"][..], "execenv gc --help"),
        (&["prepare", "--mcp-mode", "loose"], "execenv prepare --help"),
        (&["-q", "reuse", "x", "--codex-sandbox", "none"], "execenv reuse --help"),
        (&["gc", "--max-count", "many"], "expected a whole number such as `20`"),
        (&["nope"], "execenv --help"),
    ] {
        let done = t.execenv(words).fails(2, &[hint]);
        assert!(!done.stderr.contains("invalid digit"), "{done}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let t = TestEnv::new();
    t.sh("execenv man prepare | head -c 10 >/dev/null; execenv list --help | head -c 1 >/dev/null").ok();
}

/// What a command prints on a terminal.
fn on_a_terminal(t: &TestEnv, command: &str, variables: &[(&str, &str)]) -> String {
    let mut run = t.sh(&format!("script -qec 'execenv {command}' /dev/null </dev/null"));
    for (name, value) in variables {
        run = run.var(name, value);
    }
    run.run().stdout
}

#[test]
fn colour_is_one_decision_for_help_failures_and_log() {
    let t = TestEnv::new();
    for command in ["--help", "show nothing", "gc --nope", "gc"] {
        for (variables, option, is_coloured) in [
            (&[("TERM", "xterm")][..], "", true),
            (&[("TERM", "dumb")], "", false),
            (&[("TERM", "xterm"), ("NO_COLOR", "1")], "", false),
            (&[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], "", true),
            (&[("TERM", "dumb")], " --color always", true),
            (&[("TERM", "xterm")], " --color never", false),
            (&[("TERM", "xterm"), ("EXECENV_COLOR", "never")], "", false),
        ] {
            let printed = on_a_terminal(&t, &format!("{command}{option}"), variables);
            assert!(printed.len() > 20, "{command}: {printed:?}");
            let found = printed.contains("\x1b[");
            assert_eq!(found, is_coloured, "{command}{option} {variables:?}: {printed:?}");
        }
        let piped = t.execenv(command.split(' ')).var("TERM", "xterm").run();
        assert!(!piped.stdout.contains('\x1b') && !piped.stderr.contains('\x1b'), "{piped}");
    }
}

#[test]
fn v_tells_the_steps_and_no_secret() {
    let t = TestEnv::new();
    t.write(
        "task.json",
        r#"{"id": "t-1", "provider": "claude", "agent": {"custom_env": {"TOKEN": "sesame"}, "skills": [{"name": "s", "content": "x"}]}}"#,
    );
    for (arguments, told) in [
        (
            &["prepare", "--task", "task.json"][..],
            &[
                "preparing for task t-1 in workspace default, for claude",
                "wrote 2 files and ",
                "reserved until ",
            ][..],
        ),
        (&["reuse", "default/43257", "--task", "task.json"], &["refreshed: wrote 2 files"]),
        (&["run", "ENV", "--", "true"], &["starting ", "/true in "]),
        (&["verify", "ENV"], &["compared "]),
        (&["cleanup", "ENV"], &["removed "]),
        (&["list"], &["workspaces root: "]),
    ] {
        let env = t.execenv(["list", "-q", "-o", "json"]).json()["environments"][0]["root_dir"].clone();
        let env = env.as_str().unwrap_or_default().to_owned();
        let arguments: Vec<String> = arguments
            .iter()
            .map(|word| {
                if *word == "ENV" || word.starts_with("default/") { env.clone() } else { (*word).to_owned() }
            })
            .collect();
        let done = t
            .execenv(
                arguments
                    .iter()
                    .map(String::as_str)
                    .chain(["-v"].into_iter().filter(|_| arguments[0] != "run")),
            )
            .run();
        let done = if arguments[0] == "run" {
            t.execenv(["run", "-v"].into_iter().chain(arguments[1..].iter().map(String::as_str))).run()
        } else {
            done
        };
        for part in told {
            assert!(
                done.stderr.contains(&format!("note: {part}")) || done.stderr.contains(part),
                "{part}: {done}"
            );
        }
        assert!(done.stderr.contains("note: workspaces root: [ROOT]\n"), "{done}");
        assert!(!done.stderr.contains("sesame"), "{done}");
    }
}

#[test]
fn one_decision_on_colour_for_answers_help_and_failures() {
    let t = TestEnv::new();
    let config = |color: &str| t.write(format!("{color}.json"), format!(r#"{{"color": "{color}"}}"#));
    for (color, has_colour) in [("always", true), ("never", false)] {
        let file = config(color).display().to_string();
        for arguments in [
            &["--help"][..],
            &["prepare", "--help"],
            &["trash"],
            &["nope"],
            &["prepare", "--nope"],
            &["show", "nope"],
            &[],
        ] {
            let by_option = t.execenv(["--color", color].iter().chain(arguments)).var("CLICOLOR_FORCE", "1");
            let by_variable = t.execenv(arguments).var("EXECENV_COLOR", color);
            let by_file = t.execenv(["--config", &file].iter().chain(arguments));
            let by_default_file = t.execenv(arguments).var("EXECENV_CONFIG", &file);
            for run in [by_option, by_variable, by_file, by_default_file] {
                let done = run.run();
                let seen = format!("{}{}", done.stdout, done.stderr);
                assert_eq!(seen.contains('\u{1b}'), has_colour, "{color}: {done}");
            }
        }
    }
    let json = t.write("json.json", r#"{"output": "json"}"#).display().to_string();
    let done = t.execenv(["--config", &json, "prepare", "--nope"]).run().status(2);
    assert!(done.stderr.starts_with(r#"{"error":{"code":"usage""#), "{done}");
}
