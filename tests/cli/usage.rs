use serde_json::Value;

use crate::support::{KEY, TestEnv};

const COMMANDS: [&str; 11] =
    ["prepare", "reuse", "run", "cleanup", "gc", "list", "show", "verify", "trash", "config", "doctor"];

#[test]
fn every_command_has_help_with_an_example() {
    let t = TestEnv::new();
    for command in COMMANDS {
        let done = t.execenv([command, "--help"]).ok();
        assert!(done.stdout.contains("Example") && done.stdout.contains("execenv "), "{done}");
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
        t.execenv([command, "-o", "shell"]).fails(2, &["prepare and reuse"]);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let t = TestEnv::new();
    t.sh("execenv man prepare | head -c 10 >/dev/null; execenv list --help | head -c 1 >/dev/null").ok();
}
