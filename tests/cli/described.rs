//! Agent CLIs that the user describes in the configuration file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{KEY, TASK, TestEnv};

/// A CLI that notes how it was called, reads its prompt and answers.
const PROGRAM: &str = "#!/bin/sh\nprintf '%s\\n' \"$@\" > ../output/called\n\
    [ \"$1\" = run ] || { echo 'mycli 1.2.3'; exit; }\necho \"heard: $(cat)\"\n";

fn world() -> TestEnv {
    let t = TestEnv::new();
    let program = t.write("mycli", PROGRAM);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    t.write(
        "config.json",
        serde_json::json!({ "providers": { "mycli": {
            "program": program,
            "arguments": ["run", ["--model", "{model}"], ["--resume", "{session}"]],
            "brief_file": ".mycli/docs/RULES.md",
            "skills_dir": ".mycli/skills",
        }}})
        .to_string(),
    );
    t
}

#[test]
fn a_described_cli_is_prepared_run_and_cleaned_up_like_any_other() {
    let t = world();
    t.write("skills/one/SKILL.md", "---\nname: one\ndescription: d\n---\nbody\n");
    let config = ["--config", "config.json"];
    let prepare =
        ["prepare", "--task-id", TASK, "--provider", "mycli", "--local-dir", "project", "--skills", "skills"];
    let prepared = t.execenv(config.iter().chain(&prepare)).ok();
    assert_eq!(prepared.stderr, "");
    assert!(
        t.project.join(".mycli/docs/RULES.md").exists()
            && t.project.join(".mycli/skills/one/SKILL.md").exists()
    );

    let run = |arguments: &[&str]| {
        t.execenv(config.iter().chain(&["run", KEY, "--prompt", "say hi"]).chain(arguments))
    };
    let env = t.root.join("default").join(KEY);
    let called = t.project.join("../output/called");
    fs::create_dir_all(called.parent().unwrap()).unwrap();
    assert_eq!(run(&["--model", "m1"]).ok().stdout, "heard: say hi\n");
    assert_eq!(fs::read_to_string(&called).unwrap(), "run\n--model\nm1\n");
    run(&["--resume=s1"]).ok();
    assert_eq!(fs::read_to_string(&called).unwrap(), "run\n--resume\ns1\n");
    assert!(env.join("output/result.json").exists());

    // The description may be gone by then: the record knows what was put where.
    t.execenv(["cleanup", KEY]).ok();
    assert!(!t.project.join(".mycli").exists());
}

#[test]
fn a_wrong_description_names_itself() {
    let t = TestEnv::new();
    t.write("config.json", r#"{"providers":{"mycli":{"program":"x","arguments":[],"dialect":"morse"}}}"#);
    t.execenv(["--config", "config.json", "list"])
        .fails(2, &["`providers.mycli.dialect`: it must be one of"]);
}

#[test]
fn a_nul_byte_in_a_prompt_that_becomes_an_argument_is_wrong_usage() {
    let t = world();
    let text = fs::read_to_string(t.tmp.join("config.json")).unwrap();
    t.write("config.json", text.replace(r#"["run","#, r#"["run","{prompt}","#));
    let config = ["--config", "config.json"];
    t.execenv(config.iter().chain(&["prepare", "--task-id", TASK, "--provider", "mycli"])).ok();
    t.write("prompt", "one\0two");
    let run = ["run", KEY, "--prompt-file", "prompt"];
    t.execenv(config.iter().chain(&run)).fails(2, &["the prompt has a NUL byte", "tr -d"]);
    assert_eq!(t.execenv(["show", KEY, "-o", "json"]).json()["status"], "prepared");
}
