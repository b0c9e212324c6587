//! `execenv run` through the built binary, with an agent that follows a script and speaks Claude's stream.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use crate::support::{Done, KEY, Run, TASK, TestEnv, assert_same, snapshot};
use serde_json::Value;

const INIT: &str = r#"print {"type":"system","subtype":"init","session_id":"s1","model":"m"}"#;
const SAYS: &str = r#"print {"type":"assistant","session_id":"s1","message":{"id":"a","model":"m","content":[{"type":"text","text":"hällo"}],"usage":{"input_tokens":3,"output_tokens":2}}}"#;
const RESULT: &str =
    r#"print {"subtype":"success","is_error":false,"result":"done","type":"result","session_id":"s1"}"#;
const FAILURE: &str =
    r#"print {"type":"result","subtype":"success","is_error":true,"result":"it broke","session_id":"s1"}"#;
const REFUSAL: &str = r#"print {"type":"result","subtype":"error_during_execution","is_error":true,"result":"","errors":["No conversation found with session ID: s1"]}"#;
const GOOD: &[&str] = &["pid @/agent", INIT, SAYS, RESULT, "expect-eof"];

/// A world with one prepared environment and an agent.
struct World {
    t: TestEnv,
    env: PathBuf,
}

impl World {
    fn new() -> World {
        World::with(&["--task-id", TASK, "--provider", "claude"])
    }

    fn local() -> World {
        World::with(&["--task-id", TASK, "--provider", "claude", "--local-dir", "project"])
    }

    fn with(prepare: &[&str]) -> World {
        let t = TestEnv::new();
        let env = t.prepare(prepare.iter().copied());
        World::around(t, env)
    }

    fn around(t: TestEnv, env: PathBuf) -> World {
        let agent = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && {{ echo '2.1.0 (Claude Code)'; exit; }}\ncd {tmp}\n\
             n=$(ls | grep -c '^args')\nfor arg; do printf '%s\\n' \"$arg\"; done > args$n\nenv > env$n\n\
             cd - > cwd\n[ -d \"$TMPDIR\" ] && stat -c '%a' \"$TMPDIR\" > {tmp}/tmpdir-mode\n\
             script={tmp}/script$n\n[ -e $script ] || script={tmp}/script\nexec {scripted} $script\n",
            tmp = t.tmp.display(),
            scripted = scripted_agent().display(),
        );
        let path = t.write("fake-claude", agent);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        World { t, env }
    }

    /// What the agent does; `@` stands for the world's folder.
    fn script(&self, name: &str, lines: &[&str]) {
        self.t.write(name, lines.join("\n").replace('@', self.t.tmp.to_str().unwrap()));
    }

    /// `execenv run` with the agent and these arguments.
    fn start<'a>(&'a self, script: &[&str], arguments: &[&str]) -> Run<'a> {
        self.script("script", script);
        let fixed = ["run", KEY, "--agent-bin", "./fake-claude"];
        self.t.execenv(fixed.iter().chain(arguments)).var("IS_SANDBOX", "1")
    }

    fn asked<'a>(&'a self, script: &[&str], arguments: &[&str]) -> Run<'a> {
        let all: Vec<&str> = ["--prompt", "go"].iter().chain(arguments).copied().collect();
        self.start(script, &all)
    }

    fn program(&self, program: &[&str]) -> Run<'_> {
        self.t.execenv(["run", KEY, "--"].iter().chain(program))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.t.tmp.join(name)).unwrap()
    }

    fn wait_for(&self, name: &str) -> String {
        let path = self.t.tmp.join(name);
        wait_until(name, || fs::read_to_string(&path).ok().filter(|text| !text.is_empty()))
    }

    /// A variable that the agent of the given start had.
    fn variable(&self, start: u32, name: &str) -> Option<String> {
        let text = self.read(&format!("env{start}"));
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.map(str::to_owned)
    }

    fn meta(&self) -> Value {
        serde_json::from_slice(&fs::read(self.env.join(".gc_meta.json")).unwrap()).unwrap()
    }

    fn result(&self) -> Value {
        serde_json::from_slice(&fs::read(self.env.join("output/result.json")).unwrap()).unwrap()
    }

    fn wait_until_free(&self) {
        let lock = fs::File::open(self.env.join(".task_lock")).unwrap();
        wait_until("the lock", || lock.try_lock().ok());
    }

    #[track_caller]
    fn assert_agent_gone(&self, when: &str) {
        if let Ok(pid) = fs::read_to_string(self.t.tmp.join("agent")) {
            // A machine that starts many processes gives the number to another: one of ours has our folder in its
            // environment.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let ours = self.t.tmp.as_os_str().as_encoded_bytes();
            let is_ours = environment.windows(ours.len()).any(|part| part == ours);
            assert!(is_gone(&pid) || !is_ours, "{when}: the agent lives");
        }
    }
}

fn scripted_agent() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples/scripted-agent");
    assert!(path.exists(), "{} is built with the tests", path.display());
    path
}

fn is_gone(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.rsplit(") ").next().unwrap().starts_with('Z'))
}

fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < limit, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn send(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

fn last_event(done: &Done) -> Value {
    serde_json::from_str(done.stdout.lines().last().unwrap_or_else(|| panic!("no event: {done}"))).unwrap()
}

#[test]
fn the_agent_speaks_and_is_recorded() {
    let w = World::new();
    let done = w.asked(&[INIT, "read @/prompt", SAYS, RESULT, "expect-eof"], &[]).ok();
    assert_eq!(done.stdout, "hällo\n");
    assert!(w.read("prompt").contains(r#""text":"go""#));
    let meta = w.meta().to_string();
    assert!(meta.contains(r#""s1""#) && meta.contains(r#""completed""#), "{meta}");
    assert_eq!(w.result()["text"], "done");
    assert_eq!(w.result()["usage"]["m"]["input_tokens"], 3);

    let events = w.asked(GOOD, &["-o", "json"]).ok();
    let kinds: Vec<Value> = events
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].take())
        .collect();
    assert_eq!(kinds, ["session", "text", "usage", "result"]);
    assert_eq!(last_event(&events), w.result());
}

#[test]
fn an_event_is_out_while_the_agent_still_works() {
    for (arguments, expected) in [(&[][..], "hällo\n"), (&["-o", "json"][..], "\"hällo\"}\n")] {
        let w = World::new();
        let mut child = w.asked(&[INIT, SAYS, "sleep-until-file @/go", RESULT], arguments).start();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.ends_with(expected) {
            line.clear();
            assert!(
                std::io::BufRead::read_line(&mut out, &mut line).unwrap() > 0,
                "ended without {expected}"
            );
        }
        w.t.write("go", "");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn every_end_has_its_status() {
    let broke: &[&str] = &["agent_error.unknown", "it broke"];
    type Words<'a> = &'a [&'a str];
    // The script, the arguments, the status, what the reason and the error say.
    let cases: &[(Words<'_>, Words<'_>, i32, Words<'_>)] = &[
        (GOOD, &[], 0, &["null"]),
        (&[INIT, FAILURE, "expect-eof"], &[], 1, broke),
        (&[INIT, FAILURE, "exit 7"], &[], 7, broke),
        (&[INIT, "exit 3"], &[], 3, &["exit status 3"]),
        (&[INIT, "signal 9"], &[], 137, &["signal 9"]),
        (&[INIT, "hang"], &["--timeout", "1s", "--kill-grace", "1s"], 124, &["timeout", "--timeout"]),
        (&[INIT, "hang"], &["--idle-timeout", "1s"], 124, &["idle_watchdog"]),
        (&["sleep-until-file @/no"], &["--cancel-file", "script"], 143, &["cancelled"]),
    ];
    for (script, arguments, status, parts) in cases {
        let w = World::new();
        let all: Vec<&str> = arguments.iter().chain(&["-o", "json"]).copied().collect();
        let done = w.asked(script, &all).run().status(*status);
        let event = last_event(&done);
        assert_eq!(event, w.result(), "{done}");
        assert_eq!(event["exit_code"], *status, "{done}");
        let text = format!("{} {}", event["failure_reason"], event["error"]);
        assert!(parts.iter().all(|part| text.contains(part)), "{parts:?} in {done}");
        w.wait_until_free();
        w.assert_agent_gone("at the end");
        w.asked(GOOD, &[]).ok();
    }
}

#[test]
fn a_start_that_fails_has_its_status() {
    let w = World::new();
    w.start(GOOD, &[]).fails(2, &["there is no prompt", "hint: "]);
    w.asked(GOOD, &["--agent-bin", "./no-such"]).run().status(2);
    let at = |program: &str| {
        w.t.execenv(["run", KEY, "--prompt", "x", "--agent-bin", program]).var("IS_SANDBOX", "1")
    };
    at("./no-such").fails(127, &["no-such"]);
    w.t.write("text", "no program");
    at("./text").fails(126, &["text"]);
    w.program(&["no-such-program"]).fails(127, &["no-such-program"]);
    w.t.write("stub", "no program");
    fs::set_permissions(w.t.tmp.join("stub"), fs::Permissions::from_mode(0o755)).unwrap();
    w.program(&[w.t.tmp.join("stub").to_str().unwrap()]).fails(126, &["stub"]);
    assert_eq!(w.result()["exit_code"], 126);
    w.program(&["sh", "-c", "exit 9"]).run().status(9);
    w.program(&["sh", "-c", "kill -TERM $$"]).run().status(143);
    assert_eq!(w.program(&["sh", "-c", "echo out; exit 0"]).ok().stdout, "out\n");
    fs::remove_dir_all(w.env.join("workdir")).unwrap();
    w.asked(GOOD, &[]).fails(3, &["workdir"]);

    let w = World::with(&["-q", "--task-id", TASK, "--provider", "gemini"]);
    w.asked(GOOD, &[]).fails(2, &["gemini", "hint: ", "-- PROGRAM"]);
    let w = World::with(&["--task-id", TASK]);
    w.asked(GOOD, &[]).fails(2, &["no provider", "hint: ", "-- PROGRAM"]);
}

#[test]
fn a_session_is_resumed_or_replaced() {
    let w = World::new();
    let done = w.asked(GOOD, &["--resume"]).run().status(0);
    assert_eq!(done.stderr, "warning: there is no session to resume; the agent starts a new session\n");
    assert!(!w.read("args0").contains("--resume"));
    w.asked(GOOD, &["--resume"]).ok();
    assert!(w.read("args1").contains("--resume\ns1\n"));
    w.asked(GOOD, &["--resume=other"]).run().status(0);
    assert!(w.read("args2").contains("--resume\nother\n"));

    let w = World::new();
    w.asked(GOOD, &[]).ok();
    w.script("script1", &[REFUSAL, "exit 1"]);
    let fresh: Vec<String> = GOOD.iter().map(|line| line.replace("s1", "s2")).collect();
    let fresh: Vec<&str> = fresh.iter().map(String::as_str).collect();
    let done = w.asked(&fresh, &["--resume"]).run().status(0);
    assert_eq!(done.stderr, "warning: the agent cannot go on with its session; it starts a new one\n");
    assert!(w.read("args1").contains("--resume\ns1\n"));
    assert!(!w.read("args2").contains("--resume"));
    assert!(!w.t.tmp.join("args3").exists(), "one fresh attempt, not more");
    assert!(w.meta().to_string().contains(r#""s2""#));

    let w = World::new();
    w.asked(GOOD, &[]).ok();
    for n in [1, 2] {
        w.script(&format!("script{n}"), &[REFUSAL, "exit 1"]);
    }
    w.asked(GOOD, &["--resume"]).run().status(1);
    assert!(!w.t.tmp.join("args3").exists(), "one fresh attempt, not more");
}

#[test]
fn the_agent_gets_its_variables() {
    let w = World::new();
    w.t.write("vars", "# a remark\nFROM_FILE=file\nBOTH=file\n");
    let arguments = ["--env", "BOTH=flag", "--env", "EMPTY=", "--env-file", "vars"];
    w.asked(GOOD, &arguments).var("INHERITED", "yes").var("MULTICA_TOKEN", "another task's").ok();
    let is = |start, name: &str, value: &str| {
        assert_eq!(w.variable(start, name).as_deref(), Some(value), "{name}")
    };
    is(0, "FROM_FILE", "file");
    is(0, "BOTH", "flag");
    is(0, "EMPTY", "");
    is(0, "INHERITED", "yes");
    is(0, "EXECENV_ROOT", w.env.to_str().unwrap());
    is(0, "EXECENV_WORKDIR", w.env.join("workdir").to_str().unwrap());
    is(0, "EXECENV_TASK_ID", TASK);
    is(0, "EXECENV_PROVIDER", "claude");
    is(0, "EXECENV_ITERATION", "1");
    assert_eq!(w.variable(0, "EXECENV_RUN_ID").unwrap().len(), 36);
    assert_eq!(w.variable(0, "MULTICA_TOKEN"), None);
    assert_eq!(w.variable(0, "EXECENV_TEST_NOW"), None);
    assert_eq!(w.read("cwd").trim_end(), w.env.join("workdir").to_str().unwrap());
    let temporary = w.variable(0, "TMPDIR").unwrap();
    assert_eq!(w.read("tmpdir-mode"), "700\n");
    assert!(!Path::new(&temporary).exists(), "{temporary} is left");

    w.asked(GOOD, &["--clear-env", "--env", "IS_SANDBOX=1", "--env", "MINE=1"]).var("INHERITED", "yes").ok();
    assert_eq!(w.variable(1, "INHERITED"), None);
    is(1, "MINE", "1");
    is(1, "HOME", w.t.home.to_str().unwrap());

    w.asked(GOOD, &["--env", "sesame"]).fails(2, &["`--env` number 1"]);
    let done = w.asked(GOOD, &["--env", "EXECENV_RUN_ID=sesame"]).run().status(0);
    assert_eq!(done.stderr, "warning: variable EXECENV_RUN_ID is left out: it says which run this is\n");
}

#[test]
fn a_long_root_gets_a_short_temporary_folder() {
    let mut t = TestEnv::new();
    t.root = t.tmp.join("a-root-with-a-name-that-is-longer-than-a-socket-may-be");
    let env = t.prepare(["--task-id", TASK, "--provider", "claude"]);
    let w = World::around(t, env);
    w.asked(GOOD, &[]).ok();
    let temporary = w.variable(0, "TMPDIR").unwrap();
    assert!(temporary.starts_with("/tmp/execenv-") && temporary.len() < 60, "{temporary}");
    assert_eq!(w.read("tmpdir-mode"), "700\n");
    assert!(!Path::new(&temporary).exists(), "{temporary} is left");
}

#[test]
fn the_prompt_comes_from_a_file_or_standard_input() {
    let w = World::new();
    let script = ["read @/prompt", INIT, RESULT, "expect-eof"];
    w.start(&script, &["--prompt-file", "-"]).input("from \"stdin\"").ok();
    assert!(w.read("prompt").contains(r#"from \"stdin\""#));
    w.t.write("prompt.md", "from a file");
    w.start(&script, &["--prompt-file", "prompt.md"]).ok();
    assert!(w.read("prompt").contains("from a file"));
    w.start(&script, &["--prompt-file", "no-such"]).fails(2, &["no-such", "hint: "]);
    w.start(&script, &["--prompt-file", "-"]).input(" \n").fails(2, &["there is no prompt"]);
}

#[test]
fn secrets_stay_where_they_are() {
    let t = TestEnv::new();
    t.write(
        "task.json",
        format!(
            r#"{{"id":"{TASK}","workspace_id":"w","provider":"claude","agent":{{"name":"A","custom_env":{{"API_KEY":"sesame-env","HOME":"sesame-home"}},
            "custom_args":["--x","sesame-arg","--resume=sesame-dropped"],"mcp_config":{{"mcpServers":{{"m":{{"command":"c","env":{{"T":"sesame-mcp"}}}}}}}}}}}}"#
        ),
    );
    let env = t.prepare(["-q", "--task", "task.json"]);
    let w = World::around(t, env);
    let done =
        w.asked(&[INIT, "error api_key=sesame-error", "exit 3"], &["-v", "-o", "json"]).run().status(3);
    assert_eq!(w.variable(0, "API_KEY").as_deref(), Some("sesame-env"));
    assert_eq!(w.variable(0, "HOME").as_deref(), w.t.home.to_str());
    assert!(done.stdout.contains("variable HOME of the task is left out"), "{done}");
    assert!(!done.stdout.contains("sesame") && !done.stderr.contains("sesame"), "{done}");
    let arguments = w.read("args0");
    assert!(arguments.contains("sesame-arg"), "the agent's own arguments are its own");
    for part in ["sesame-env", "sesame-mcp", "sesame-dropped"] {
        assert!(!arguments.contains(part), "{part}");
    }
    assert!(arguments.contains("--strict-mcp-config"));
    for (path, text) in snapshot(&w.t.root) {
        let below_launch = path.components().any(|part| part.as_os_str() == "launch");
        if below_launch {
            let private = if text.contains("dir") { "0700" } else { "0600" };
            assert!(text.starts_with(private), "{} is {text}", path.display());
        } else if !path.ends_with("logs/agent.stderr.log") {
            // That log is what the agent itself printed, byte for byte.
            assert!(!text.contains("sesame"), "a secret in {}: {text}", path.display());
        }
    }
    assert!(!w.env.join("launch/mcp.json").exists());
}

#[test]
fn one_run_at_a_time() {
    let w = World::new();
    let child = w.asked(&["pid @/agent", "sleep-until-file @/go", INIT, RESULT], &[]).start();
    w.wait_for("agent");
    w.asked(&["pid @/agent", "sleep-until-file @/go", INIT, RESULT], &[]).fails(4, &["is in use", "hint: "]);
    let cleanup = w.t.execenv(["cleanup", KEY]).run().status(4);
    assert_eq!(
        cleanup.stderr,
        "warning: kept [ROOT]/default/555555abcdef: a live process has it\n\
         error: [ROOT]/default/555555abcdef: a live process has it\n\
         hint: wait for its run to end, then try again\n"
    );
    w.t.execenv(["doctor", "--fix"]).ok();
    w.t.write("go", "");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_polite_end_takes_the_agent_along() {
    use rustix::process::Signal;
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let w = World::new();
        w.script("child", &["enter-session", "ignore-term", "pid @/child.pid", "hang"]);
        let script = ["double-fork @/child", "sleep-until-file @/child.pid", "pid @/agent", INIT, "hang"];
        let child = w.asked(&script, &["-o", "json"]).start();
        w.wait_for("agent");
        let inner = w.wait_for("child.pid");
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        w.assert_agent_gone("after the signal");
        assert!(is_gone(&inner));
        assert_eq!(w.result()["status"], "interrupted");
        w.asked(GOOD, &["--resume"]).run().status(0);
    }
}

fn killed_hard(w: &World) {
    w.script("child", &["enter-session", "ignore-term", "pid @/child.pid", "hang"]);
    let script = [
        "double-fork @/child",
        "sleep-until-file @/child.pid",
        INIT,
        SAYS,
        "ignore-term",
        "pid @/agent",
        "hang",
    ];
    let mut child = w.asked(&script, &["--kill-grace", "1s"]).start();
    w.wait_for("agent");
    // The agent is ahead of its reader: the kill is for a run that has read what was said.
    wait_until("the session", || w.meta()["execenv"]["session"]["id"].as_str().map(str::to_owned));
    child.kill().unwrap();
    child.wait().unwrap();
    w.wait_until_free();
    w.assert_agent_gone("the guard let go of the lock");
    assert!(is_gone(&w.wait_for("child.pid")));
}

#[test]
fn a_killed_run_leaves_no_process_and_the_next_one_says_so() {
    let w = World::new();
    killed_hard(&w);
    let done = w.asked(GOOD, &[]).run().status(0);
    assert_eq!(
        done.stderr,
        "warning: the last run here died; 0 of its processes were still there and are gone\n"
    );
    w.asked(GOOD, &[]).ok();

    let w = World::new();
    killed_hard(&w);
    w.t.execenv(["doctor"]).run().status(1);
    let done = w.t.execenv(["doctor", "--fix"]).ok();
    assert!(done.stdout.contains("crashed_run"), "{done}");
    assert!(w.meta().to_string().contains(r#""crashed""#));
    assert_nothing_temporary(&w, "after doctor");
    w.asked(GOOD, &["--resume"]).ok();
    assert!(w.read("args1").contains("--resume\ns1\n"), "the session outlived the crash");
}

#[test]
fn a_cleanup_follows_every_end() {
    let ends: &[(&[&str], i32)] =
        &[(GOOD, 0), (&[INIT, FAILURE, "exit 7"], 7), (&[INIT, "hang"], 124), (&["signal 9"], 137)];
    for (script, status) in ends {
        let w = World::local();
        fs::write(w.t.project.join("mine"), "mine").unwrap();
        let timeout = if *status == 124 { "1s" } else { "0" };
        w.asked(script, &["--cleanup-after", "--timeout", timeout]).run().status(*status);
        let left: Vec<PathBuf> = w.t.project_now().into_keys().collect();
        assert_eq!(left, [PathBuf::from("mine")]);
    }
    let w = World::local();
    let gone = w.t.tmp.join("no-such");
    w.t.execenv(["run", KEY, "--cleanup-after", "--", gone.to_str().unwrap()]).fails(127, &["no-such"]);
    assert!(w.t.project_now().is_empty(), "{:?}", w.t.project_now());
}

#[test]
fn a_local_folder_is_where_the_agent_works() {
    let w = World::local();
    let before = w.t.project_now();
    w.asked(GOOD, &[]).ok();
    assert_eq!(w.read("cwd").trim_end(), w.t.project.to_str().unwrap());
    assert_same(&before, &w.t.project_now(), "a run leaves nothing of its own in the work dir");
}

/// After a kill or a failure: nobody lives, doctor has it right, and the next run goes through.
fn assert_settled(w: &World, before: &crate::support::Snapshot, when: &str) {
    w.wait_until_free();
    w.assert_agent_gone(when);
    w.t.execenv(["doctor", "--fix"]).run().sane(&[0]);
    let meta = w.meta().to_string();
    assert!(!meta.contains(r#""starting""#) && !meta.contains(r#""running""#), "{when}: {meta}");
    assert_same(before, &w.t.project_now(), when);
    let done = w.asked(GOOD, &[]).run();
    assert!(done.status == Some(0) && done.stderr.is_empty(), "{when}, then again\n{done}");
    assert_eq!(w.result()["status"], "completed", "{when}");
    assert_nothing_temporary(w, when);
    w.t.assert_nothing_half_made(when);
}

fn assert_nothing_temporary(w: &World, when: &str) {
    for name in ["tmp", "launch/mcp.json"] {
        assert!(!w.env.join(name).exists(), "{when}: {name} is left");
    }
}

const MCP: &str = r#"{"id":"11111111-2222-4333-8444-555555abcdef","workspace_id":"w","provider":"claude",
 "agent":{"name":"A","mcp_config":{"mcpServers":{"m":{"command":"c"}}}}}"#;

fn with_servers(local: bool) -> World {
    let t = TestEnv::new();
    t.write("task.json", MCP);
    let local: &[&str] = if local { &["--local-dir", "project"] } else { &[] };
    let env = t.prepare(["--task", "task.json"].iter().chain(local).copied());
    let w = World::around(t, env);
    w.asked(GOOD, &[]).ok();
    w
}

#[test]
fn a_kill_at_any_change_of_a_run_loses_nothing() {
    for local in [false, true] {
        for step in 1.. {
            let w = with_servers(local);
            let before = w.t.project_now();
            fs::remove_file(w.t.tmp.join("agent")).unwrap();
            let run =
                w.asked(GOOD, &["--kill-grace", "1s"]).var("EXECENV_TEST_CRASH_AT", step.to_string()).run();
            if run.status == Some(0) {
                println!("killed: {:3} points of `run`, local: {local}", step - 1);
                assert!(step > 1, "no change was counted: the hook is gone");
                break;
            }
            let when = format!("killed at change {step}, local: {local}");
            assert_eq!(run.signal, Some(9), "{when}\n{run}");
            w.wait_until_free();
            w.t.execenv(["doctor", "--fix"]).run().sane(&[0]);
            assert_nothing_temporary(&w, &when);
            assert_settled(&w, &before, &when);
        }
    }
}

#[test]
fn a_kill_at_any_change_of_a_cleanup_after_gives_the_folder_back() {
    for step in 1.. {
        let w = World::local();
        fs::write(w.t.project.join("mine"), "mine").unwrap();
        let run = w.asked(GOOD, &["--kill-grace", "1s", "--cleanup-after"]);
        let run = run.var("EXECENV_TEST_CRASH_AT", step.to_string()).run();
        if run.status != Some(0) {
            assert_eq!(run.signal, Some(9), "killed at change {step}\n{run}");
            w.wait_until_free();
            w.assert_agent_gone("killed");
            w.t.execenv(["doctor", "--fix"]).run().sane(&[0]);
            w.t.execenv(["cleanup", KEY]).run().sane(&[0]);
        }
        let left: Vec<PathBuf> = w.t.project_now().into_keys().collect();
        assert_eq!(left, [PathBuf::from("mine")], "killed at change {step}");
        assert_nothing_temporary(&w, "cleaned up");
        if run.status == Some(0) {
            println!("killed: {:3} points of `run --cleanup-after`", step - 1);
            return assert!(step > 1, "no change was counted: the hook is gone");
        }
    }
}

#[test]
fn a_failure_at_any_change_of_a_run_is_one_error() {
    for errno in ["ENOSPC", "EACCES", "EIO"] {
        let mut quiet = 0;
        for step in 1.. {
            let w = with_servers(false);
            let before = w.t.project_now();
            fs::remove_file(w.t.tmp.join("agent")).unwrap();
            let fail = format!("{step}:{errno}");
            let run = w.asked(GOOD, &["--kill-grace", "1s"]).var("EXECENV_TEST_FAIL_AT", fail).run();
            let run = run.sane(&[0, 4, 125]);
            let when = format!("{errno} at change {step}\n{run}");
            let errors = run.stderr.lines().filter(|line| line.starts_with("error: ")).count();
            assert!(errors <= 1, "{when}");
            quiet = if run.status == Some(0) { quiet + 1 } else { 0 };
            w.assert_agent_gone(&when);
            assert_settled(&w, &before, &when);
            if quiet == 8 {
                println!("{errno}: {:3} points of `run`", step - quiet);
                assert!(step > quiet, "no change was counted: the hook is gone");
                break;
            }
        }
    }
}
