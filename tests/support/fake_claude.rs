//! An environment and an agent that looks like Claude Code: it answers `--version`, notes what it was started with, and
//! speaks the lines of a script.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::Value;

use super::process::{example, is_gone, wait_until, wait_until_free};
use super::{KEY, Run, TASK, TestEnv};

pub const INIT: &str = r#"print {"type":"system","subtype":"init","session_id":"s1","model":"m"}"#;
pub const SAYS: &str = r#"print {"type":"assistant","session_id":"s1","message":{"id":"a","model":"m","content":[{"type":"text","text":"hällo"}],"usage":{"input_tokens":3,"output_tokens":2}}}"#;
pub const RESULT: &str =
    r#"print {"subtype":"success","is_error":false,"result":"done","type":"result","session_id":"s1"}"#;
pub const FAILURE: &str =
    r#"print {"type":"result","subtype":"success","is_error":true,"result":"it broke","session_id":"s1"}"#;
pub const REFUSAL: &str = r#"print {"type":"result","subtype":"error_during_execution","is_error":true,"result":"","errors":["No conversation found with session ID: s1"]}"#;
pub const GOOD: &[&str] = &["pid @/agent", INIT, SAYS, RESULT, "expect-eof"];

/// A world with one prepared environment and an agent.
pub struct World {
    /// Home, root and project.
    pub t: TestEnv,
    /// The env root.
    pub env: PathBuf,
}

impl World {
    pub fn new() -> World {
        World::with(&["--task-id", TASK, "--provider", "claude"])
    }

    pub fn local() -> World {
        World::with(&["--task-id", TASK, "--provider", "claude", "--local-dir", "project"])
    }

    pub fn with(prepare: &[&str]) -> World {
        let t = TestEnv::new();
        let env = t.prepare(prepare.iter().copied());
        World::around(t, env)
    }

    pub fn around(t: TestEnv, env: PathBuf) -> World {
        let agent = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && {{ echo '2.1.0 (Claude Code)'; exit; }}\ncd {tmp}\n\
             n=$(ls | grep -c '^args')\nfor arg; do printf '%s\\n' \"$arg\"; done > args$n\nenv > env$n\n\
             cd - > cwd\n[ -d \"$TMPDIR\" ] && stat -c '%a' \"$TMPDIR\" > {tmp}/tmpdir-mode\n\
             script={tmp}/script$n\n[ -e $script ] || script={tmp}/script\nexec {scripted} $script\n",
            tmp = t.tmp.display(),
            scripted = example("scripted-agent").display(),
        );
        let path = t.write("fake-claude", agent);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        World { t, env }
    }

    /// What the agent does; `@` stands for the world's folder.
    pub fn script(&self, name: &str, lines: &[&str]) {
        self.t.write(name, lines.join("\n").replace('@', self.t.tmp.to_str().unwrap()));
    }

    /// `execenv run` with the agent and these arguments.
    pub fn start<'a>(&'a self, script: &[&str], arguments: &[&str]) -> Run<'a> {
        self.script("script", script);
        let fixed = ["run", KEY, "--agent-bin", "./fake-claude"];
        self.t.execenv(fixed.iter().chain(arguments)).var("IS_SANDBOX", "1")
    }

    pub fn asked<'a>(&'a self, script: &[&str], arguments: &[&str]) -> Run<'a> {
        let all: Vec<&str> = ["--prompt", "go"].iter().chain(arguments).copied().collect();
        self.start(script, &all)
    }

    pub fn program(&self, program: &[&str]) -> Run<'_> {
        self.t.execenv(["run", KEY, "--"].iter().chain(program))
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.t.tmp.join(name)).unwrap()
    }

    pub fn wait_for(&self, name: &str) -> String {
        let path = self.t.tmp.join(name);
        wait_until(name, || fs::read_to_string(&path).ok().filter(|text| !text.is_empty()))
    }

    /// A variable that the agent of the given start had.
    pub fn variable(&self, start: u32, name: &str) -> Option<String> {
        let text = self.read(&format!("env{start}"));
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.map(str::to_owned)
    }

    pub fn meta(&self) -> Value {
        serde_json::from_slice(&fs::read(self.env.join(".gc_meta.json")).unwrap()).unwrap()
    }

    pub fn result(&self) -> Value {
        serde_json::from_slice(&fs::read(self.env.join("output/result.json")).unwrap()).unwrap()
    }

    pub fn wait_until_free(&self) {
        wait_until_free(&self.env.join(".task_lock"));
    }

    #[track_caller]
    pub fn assert_agent_gone(&self, when: &str) {
        if let Ok(pid) = fs::read_to_string(self.t.tmp.join("agent")) {
            // A machine that starts many processes gives the number to another: one of ours has our folder in its
            // environment.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let ours = self.t.tmp.as_os_str().as_encoded_bytes();
            let is_ours = environment.windows(ours.len()).any(|part| part == ours);
            assert!(is_gone(&pid) || !is_ours, "{when}: the agent lives");
        }
    }

    #[track_caller]
    pub fn assert_nothing_temporary(&self, when: &str) {
        for name in ["tmp", "launch/mcp.json"] {
            assert!(!self.env.join(name).exists(), "{when}: {name} is left");
        }
    }
}
