//! The current folder is needed for relative paths only: the usual trap of a script runs after its folder has gone.

use crate::support::{KEY, TASK, TestEnv};

/// Runs a script in a folder that has just been deleted.
fn nowhere(script: &str) -> String {
    format!("mkdir -p nowhere; cd nowhere; rmdir ../nowhere; {script}")
}

#[test]
fn every_command_works_where_the_current_folder_is_gone() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--provider", "claude"]);
    let git =
        "git -C \"$W\" init -q; git -C \"$W\" -c user.name=a -c user.email=a@b commit -q --allow-empty -m x";
    let workdir = env.join("workdir");
    t.sh(git).var("W", &workdir).ok();
    for (command, status) in [
        ("list", 0),
        ("du", 0),
        ("config", 0),
        ("completions bash", 0),
        ("man gc", 0),
        ("trash list", 0),
        ("show 555555abcdef", 0),
        ("show \"$E\"", 0),
        ("show \"$W\"", 0),
        ("verify \"$E\"", 1),
        ("gc --dry-run", 0),
        ("gc --explain 5555", 0),
        ("doctor", 0),
        ("run \"$E\" -- pwd", 0),
        ("reuse 5555 --task-id 11111111-2222-4333-8444-555555abcdef", 0),
        ("prepare --task-id other --instructions \"$H/rules\" --local-dir \"$P\"", 0),
        ("cleanup \"$P\"", 0),
        ("cleanup 5555", 5),
        ("cleanup --force \"$E\"", 0),
        ("trash empty", 0),
        ("demo", 0),
    ] {
        t.write("home/rules", "be brief");
        let run = t.sh(&nowhere(&format!("execenv {command}")));
        let run = run.var("E", &env).var("W", &workdir).var("P", &t.project).var("H", &t.home);
        let done = run.run().status(status);
        assert!(!done.stderr.contains("urrent folder"), "{command}: {done}");
        assert!(!done.stderr.contains("getcwd"), "{command}: {done}");
    }
}

#[test]
fn a_relative_path_names_the_reason() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    for command in [
        "show ./x",
        "show .",
        "cleanup ../x",
        "prepare --local-dir .",
        "prepare --task t.json",
        "prepare --skills s",
        "reuse --work-dir .",
        "run 5555 --cancel-file c -- true",
        "list --workspaces-root w",
        "list --config c.json",
    ] {
        let done = t.sh(&nowhere(&format!("execenv {command}"))).run();
        let says = done.stderr.contains("starts at the current folder: it has been deleted");
        assert!(says && done.stderr.contains("hint: `cd` to a folder that exists"), "{command}: {done}");
    }
    let done = t.sh(&nowhere(&format!("execenv run {KEY} --agent-bin ./a"))).run().status(125);
    assert!(done.stderr.contains("the path `./a` starts at the current folder"), "{done}");
}

#[test]
fn a_helper_program_starts_where_the_current_folder_is_gone() {
    let t = TestEnv::new();
    // As node does: a program that asks for its folder first.
    let claude =
        t.write("bin/claude", "#!/bin/sh\n/bin/pwd -P >/dev/null || exit 9\necho '9.9.9 (Claude Code)'\n");
    t.sh("chmod +x \"$C\"").var("C", &claude).ok();
    let script = nowhere("PATH=\"$B:$PATH\" execenv doctor -o json");
    let done = t.sh(&script).var("B", claude.parent().unwrap()).run();
    assert!(done.stdout.contains("9.9.9"), "{done}");
}
