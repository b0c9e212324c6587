//! Every input has a limit. One that is longer ends with status 2, which names the input and the limit; nothing is cut.

use std::fs::File;
use std::path::PathBuf;

use crate::support::{TASK, TestEnv};

const MIB: u64 = 1 << 20;

/// A file of this length that takes no space on the disk.
fn sparse(t: &TestEnv, name: &str, length: u64) -> PathBuf {
    let path = t.write(name, "");
    File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
    path
}

#[test]
fn a_file_that_is_too_long_is_status_2_and_nothing_is_made() {
    let t = TestEnv::new();
    for (arguments, noun, limit) in [
        (&["prepare", "--task"][..], "task document", 16),
        (&["prepare", "--provider", "claude", "--instructions"], "instructions", 16),
        (&["prepare", "--provider", "claude", "--mcp-config"], "MCP configuration", 16),
        (&["list", "--config"], "configuration", 1),
        (&["gc", "--server", "http://127.0.0.1:9", "--token-file"], "token", 1),
    ] {
        let path = sparse(&t, "long", limit * MIB + 1);
        let run = t.execenv(arguments.iter().copied().chain([path.to_str().unwrap()]));
        run.fails(2, &[noun, "[TMP]/long", &format!("is longer than {limit} MiB")]);
    }
    sparse(&t, "skills/long/SKILL.md", 8 * MIB + 1);
    t.execenv(["prepare", "--skills", "skills"]).fails(2, &["SKILL.md", "is longer than 8 MiB"]);
    sparse(&t, "home/.multica/config.json", MIB + 1);
    t.execenv(["gc", "--server", "multica"]).fails(2, &["login", "config.json", "is longer than 1 MiB"]);
    assert!(!t.root.exists());
}

#[test]
fn an_input_of_a_run_that_is_too_long_is_status_2_and_no_run() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--provider", "claude"]);
    let env = env.to_str().unwrap();
    let path = sparse(&t, "long", 16 * MIB + 1);
    let path = path.to_str().unwrap();
    for (option, noun) in
        [("--prompt-file", "prompt"), ("--system-prompt-file", "system prompt"), ("--env-file", "variables")]
    {
        let mut arguments = vec!["run", env, option, path];
        if option != "--prompt-file" {
            arguments.extend(["--prompt", "hello"]);
        }
        arguments.extend(["--agent-bin", "/bin/true"]);
        t.execenv(&arguments).var("IS_SANDBOX", "1").fails(2, &[noun, "[TMP]/long", "is longer than 16 MiB"]);
    }
    assert!(!t.tmp.join(env).join("logs/run.log").exists());
}

#[test]
fn standard_input_that_is_too_long_is_refused_whole() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--provider", "claude"]);
    let long = "x".repeat(16 << 20);
    let prompt = ["run", env.to_str().unwrap(), "--prompt-file", "-", "--", "wc", "-c"];
    let exact = t.execenv(prompt).input(long.as_bytes()).ok();
    assert_eq!(exact.stdout.trim(), (16 << 20).to_string());
    let parts = ["on standard input", "is longer than 16 MiB"];
    t.execenv(prompt).input(format!("{long}y")).fails(2, &parts);
    t.execenv(["prepare", "--task", "-"]).input(format!("{long}y")).fails(2, &parts);
}

#[test]
fn an_endless_input_ends() {
    let t = TestEnv::new();
    for arguments in [
        &["prepare", "--task", "/dev/zero"][..],
        &["prepare", "--instructions", "/dev/zero"],
        &["list", "--config", "/dev/zero"],
        &["gc", "--server", "http://127.0.0.1:9", "--token-file", "/dev/zero"],
    ] {
        t.execenv(arguments).fails(2, &["/dev/zero", "is longer than"]);
    }
}

/// `+5` means something else to other programs, and is no number here.
#[test]
fn a_number_with_a_sign_is_none() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let env = env.to_str().unwrap();
    for words in [
        &["run", env, "--max-turns", "+5", "--prompt", "x"][..],
        &["run", env, "--max-tokens=+5", "--prompt", "x"],
        &["run", env, "--max-cost", "+5", "--prompt", "x"],
        &["run", env, "--max-concurrent", "+5", "--", "true"],
        &["logs", env, "--last", "+5"],
        &["du", "--top", "+5"],
        &["gc", "--jobs", "+5"],
        &["gc", "--max-count", "+5"],
        &["list", "--watch=+5"],
        &["prepare", "--task", "none.json", "--line", "+5"],
    ] {
        let done = t.execenv(words).fails(2, &["+5"]);
        assert!(!done.stderr.contains("unknown argument"), "{done}");
    }
    t.execenv(["prepare", "--port", "web"])
        .var("EXECENV_PORTS_RANGE", "+2000-+3000")
        .fails(2, &["no range of ports"]);
    t.execenv(["prepare", "--port", "web"])
        .var("EXECENV_PORTS_RANGE", "2000-+3000")
        .fails(2, &["no range of ports"]);
    t.execenv(["run", env, "--max-cost", "$$5", "--prompt", "x"]).fails(2, &["is not a price"]);
}
