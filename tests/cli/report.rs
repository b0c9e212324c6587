//! `execenv report`: one run as a page, as Markdown, as JSON and as a summary.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::fake_claude::{FAILURE, GOOD, INIT, RESULT, SAYS, World};
use crate::support::repository::{git, make_repository};
use crate::support::spoken::SPOKEN;
use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};

const CALL: &str = r#"print {"type":"assistant","session_id":"s1","message":{"id":"b","model":"m","content":[{"type":"tool_use","id":"t1","name":"Bash","input":{"command":"make test"}}]}}"#;
const ANSWER: &str = r#"print {"type":"user","session_id":"s1","message":{"content":[{"type":"tool_result","tool_use_id":"t1","content":"2 tests failed","is_error":true}]}}"#;
/// A text that would be markup, and characters that must not reach a page as they are.
const HOSTILE: &str = r#"print {"type":"assistant","session_id":"s1","message":{"id":"c","model":"m","content":[{"type":"text","text":"</pre><script>alert(1)</script><img src=x onerror=alert(1)> \u001b[31m\u202e @who #1 ```\n```"}]}}"#;

fn data(w: &World) -> Value {
    w.t.execenv(["report", KEY, "--json"]).json()
}

fn page(w: &World) -> String {
    w.t.execenv(["report", KEY, "--html", "-"]).ok().stdout
}

/// The transcript in short: `text hällo`, `tool Bash`, …
fn told(report: &Value) -> Vec<String> {
    let entries = report["transcript"]["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| {
            let text = entry["text"]["text"].as_str().or(entry["tool"].as_str()).or(entry["text"].as_str());
            format!("{} {}", entry["type"].as_str().unwrap(), text.unwrap_or_default()).trim_end().to_owned()
        })
        .collect()
}

#[test]
fn a_run_that_completed_in_every_form() {
    let w = World::new();
    w.asked(&["pid @/agent", INIT, SAYS, CALL, ANSWER, RESULT, "expect-eof"], &[]).run().status(0);
    let before = snapshot(&w.t.root);
    let report = data(&w);
    assert_eq!(report["schema"], 1);
    let run = &report["run"];
    assert_eq!(
        (&run["status"], &run["is_over"], &run["exit_code"], &run["text"]["text"]),
        (&json!("completed"), &json!(true), &json!(0), &json!("done"))
    );
    assert_eq!(run["usage"]["m"]["input_tokens"], 3);
    assert_eq!(report["task"]["task_id"], TASK);
    assert_eq!(told(&report), ["session", "text hällo", "tool Bash"]);
    let call = &report["transcript"]["entries"][2];
    assert_eq!((&call["summary"], &call["output"]["text"]), (&json!("make test"), &json!("2 tests failed")));
    assert_eq!(call["is_error"], true);
    let timeline = &report["timeline"];
    assert_eq!(timeline["unit"], "milliseconds");
    let lanes: Vec<_> = timeline["lanes"].as_array().unwrap().iter().map(|lane| &lane["tool"]).collect();
    assert_eq!(lanes, ["text", "Bash"]);
    assert_eq!((&timeline["lanes"][1]["calls"], &timeline["lanes"][1]["errors"]), (&json!(1), &json!(1)));
    let page = page(&w);
    for part in
        ["<!DOCTYPE html>", "Content-Security-Policy", "<svg", "make test", "2 tests failed", "hällo", "✓"]
    {
        assert!(page.contains(part), "{part}");
    }
    let markdown = w.t.execenv(["report", KEY, "--markdown", "-"]).ok().stdout;
    assert!(
        markdown.contains("## ✓ completed: `claude`") && markdown.contains("| Exit status | 0 |"),
        "{markdown}"
    );
    assert!(markdown.contains("- ✕ `Bash` `make test`\n  ```\n  2 tests failed\n"), "{markdown}");
    let text = w.t.execenv(["report", KEY]).ok().stdout;
    assert!(text.contains("ended        completed, status 0\n"), "{text}");
    assert!(text.ends_with(&format!("All of it: `execenv report {KEY} --html report.html`\n")), "{text}");
    assert_same(&before, &snapshot(&w.t.root), "a report");
}

#[test]
fn a_run_that_failed_says_why_in_plain_words() {
    let w = World::new();
    w.asked(&["pid @/agent", INIT, SAYS, "error secret_token=hunter2 is wrong", FAILURE, "exit 1"], &[])
        .run();
    let report = data(&w);
    let run = &report["run"];
    assert_eq!((&run["status"], &run["exit_code"]), (&json!("failed"), &json!(1)));
    let why = run["explanation"].as_str().unwrap();
    assert!(
        why.ends_with('.') && run["failure_reason"].as_str().unwrap().starts_with("agent_error."),
        "{run}"
    );
    assert_eq!(report["stderr"]["text"], "secret_token=<redacted> is wrong\n");
    let text = w.t.execenv(["report", KEY]).ok().stdout;
    assert!(text.contains("ended        failed, status 1\n") && text.contains(why), "{text}");
    assert!(!page(&w).contains("hunter2"));
}

#[test]
fn a_hostile_agent_gets_nothing_but_text_into_a_report() {
    let w = World::new();
    w.asked(&["pid @/agent", INIT, HOSTILE, "invalid-utf8", RESULT, "expect-eof"], &[]).run();
    let page = page(&w);
    assert_eq!(page.matches("<script").count(), 1, "its own");
    assert!(!page.contains("<img") && page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(page.contains("\\u{1b}[31m\\u{202e}"));
    let markdown = w.t.execenv(["report", KEY, "--markdown", "-"]).ok().stdout;
    assert!(!markdown.contains('\u{202e}') && !markdown.contains('\u{1b}'), "{markdown}");
    let text = w.t.execenv(["report", KEY]).ok().stdout;
    assert!(!text.contains('\u{202e}') && !text.contains('\u{1b}'), "{text}");
    let json = w.t.execenv(["report", KEY, "--json"]).ok().stdout;
    assert!(!json.contains('\u{202e}') && json.contains("\\u202e"), "{json}");
}

#[test]
fn every_dialect_gives_a_report() {
    for spoken in SPOKEN {
        let w = spoken.world();
        spoken.asked(&w, &spoken.turn(&[])).run().status(0);
        let report = data(&w);
        assert_eq!(report["run"]["status"], "completed", "{}", spoken.name());
        let told = told(&report);
        assert!(told.iter().any(|entry| entry == "text hällo"), "{}: {told:?}", spoken.name());
        assert!(page(&w).contains("hällo"), "{}", spoken.name());
    }
}

#[test]
fn a_run_that_is_on_is_shown_as_far_as_it_is() {
    let w = World::new();
    let script =
        ["pid @/agent", INIT, SAYS, CALL, "touch @/said", "sleep-until-file @/go", RESULT, "expect-eof"];
    let mut running = w.asked(&script, &[]).start();
    crate::support::process::wait_until("the agent", || w.t.tmp.join("said").exists().then_some(()));
    let report = crate::support::process::wait_until("its log", || {
        Some(data(&w)).filter(|report| told(report).len() == 3)
    });
    assert_eq!((&report["run"]["status"], &report["run"]["is_over"]), (&json!("running"), &json!(false)));
    assert!(report["transcript"]["entries"][2]["output"].is_null(), "{report}");
    assert!(report["warnings"][0].as_str().unwrap().starts_with("The run is on"), "{report}");
    assert_eq!(
        (&report["run"]["text"]["text"], &report["run"]["usage"]["m"]["output_tokens"]),
        (&json!("hällo"), &json!(2))
    );
    assert!(page(&w).contains("The run is not over"));
    w.t.write("go", "");
    assert!(running.wait().unwrap().success());
    assert_eq!(data(&w)["run"]["status"], "completed");
}

#[test]
fn a_run_that_died_is_shown_before_it_is_recovered() {
    let w = World::new();
    let log = format!("sleep-until-said {} hällo", w.env.join("logs/agent.ndjson").display());
    w.asked(&["pid @/agent", INIT, SAYS, &log, "kill-execenv", "hang"], &[]).run();
    w.wait_until_free();
    let report = data(&w);
    assert_eq!((&report["run"]["status"], &report["run"]["is_over"]), (&json!("crashed"), &json!(true)));
    assert!(report["warnings"][0].as_str().unwrap().contains("execenv doctor --fix"), "{report}");
    assert_eq!(told(&report), ["session", "text hällo"]);
}

#[test]
fn a_plain_program_is_shown_with_what_it_printed() {
    let w = World::new();
    w.program(&["sh", "-c", "echo out; echo err >&2; exit 3"]).run().status(3);
    let report = data(&w);
    assert_eq!((&report["run"]["status"], &report["run"]["exit_code"]), (&json!("failed"), &json!(3)));
    assert_eq!(told(&report), ["output out"]);
    assert_eq!(report["stderr"]["text"], "err\n");
    assert!(page(&w).contains("<pre class=\"program\">out\n</pre>"));
}

#[test]
fn the_changes_are_shown_and_after_cleanup_those_of_the_last_checkpoint() {
    let t = TestEnv::new();
    make_repository(&t, &t.tmp.join("source"), &[]);
    let repo = t.tmp.join("source").display().to_string();
    let env = t.prepare(["--task-id", TASK, "--provider", "claude", "--repo", repo.as_str()]);
    let w = World::around(t, env);
    let mut script = GOOD.to_vec();
    script.insert(2, "write-file new.txt <b>new</b>");
    w.asked(&script, &[]).run().status(0);
    let report = data(&w);
    let changes = &report["changes"][0];
    assert_eq!((&changes["files"][0]["path"], &changes["added"]), (&json!("new.txt"), &json!(1)));
    assert!(page(&w).contains("<ins>+&lt;b&gt;new&lt;/b&gt;\n</ins>"));
    w.t.execenv(["checkpoint", KEY, "-m", "a | b"]).run().status(0);
    assert_eq!(data(&w)["checkpoints"][0]["message"], "a | b");
    git(&w.t, &w.env.join("workdir"), &["add", "-A"]);
    w.t.execenv(["cleanup", KEY, "--force"]).run().status(0);
    let report = data(&w);
    assert_eq!(report["task"]["has_work_dir"], false);
    assert_eq!(report["changes"][0]["repository"], "checkpoint 1");
    assert!(report["changes"][0]["patch"].as_str().unwrap().contains("+<b>new</b>"), "{report}");
    assert_eq!((&report["run"]["status"], told(&report).len()), (&json!("completed"), 2));
}

#[test]
fn the_run_before_has_a_report_and_a_new_environment_has_none() {
    let w = World::new();
    for arguments in [vec!["report", KEY], vec!["report", KEY, "--previous", "--json"]] {
        w.t.execenv(&arguments).fails(3, &["has"]);
    }
    w.t.execenv(["report", KEY])
        .fails(3, &["nothing has run in ", &format!("hint: start one: `execenv run {KEY}`")]);
    w.asked(&["pid @/agent", INIT, SAYS, FAILURE, "exit 1"], &[]).run();
    w.asked(GOOD, &[]).run().status(0);
    let report = w.t.execenv(["report", KEY, "--previous", "--json"]).json();
    assert_eq!((&report["previous"], &report["run"]["status"]), (&json!(true), &json!("failed")));
    assert_eq!(told(&report), ["session", "text hällo"]);
    assert_eq!(data(&w)["run"]["status"], "completed");
    // Each form says which run it is, and how to get that one.
    let previous = |form: &[&str]| {
        let arguments = ["report", KEY, "--previous"];
        w.t.execenv(arguments.iter().chain(form)).ok().stdout
    };
    let text = previous(&[]);
    let hint = format!("All of it: `execenv report {KEY} --previous --html report.html`\n");
    assert!(text.contains("run          claude 555555abcdef, the run before the last one\n"), "{text}");
    assert!(text.ends_with(&hint), "{text}");
    let markdown = previous(&["--markdown", "-"]);
    assert!(markdown.contains("This is the run before the last one.\n"), "{markdown}");
    assert!(markdown.contains("`execenv report KEY --previous --html report.html`"), "{markdown}");
    assert!(previous(&["--html", "-"]).contains("(the run before the last one)"));
}

#[test]
fn the_prompt_of_each_run_is_kept_and_shown() {
    let w = World::new();
    let asked = |prompt: &str| w.start(GOOD, &["--prompt", prompt]).run().status(0);
    asked("first <b>words</b>\nand more");
    let kept = w.env.join("logs/prompt.txt");
    assert_eq!(fs::read_to_string(&kept).unwrap(), "first <b>words</b>\nand more");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    let long = format!("second {}END", "é".repeat(20_000));
    asked(&long);
    let report = data(&w);
    let task = &report["task"];
    assert!(task["prompt"]["text"].as_str().unwrap().starts_with("second éé"), "{task}");
    assert!(task["prompt"]["end"].as_str().unwrap().ends_with("éEND"));
    let shown = ["text", "end"].map(|part| task["prompt"][part].as_str().unwrap().len() as u64);
    assert_eq!(task["prompt"]["left_out"].as_u64().unwrap() + shown.iter().sum::<u64>(), long.len() as u64);
    assert_eq!(task["is_prompt_of_document"], false);
    let previous = |form: &[&str]| {
        let arguments = ["report", KEY, "--previous"];
        w.t.execenv(arguments.iter().chain(form)).ok().stdout
    };
    let page = previous(&["--html", "-"]);
    assert!(page.contains("<h1>first &lt;b&gt;words&lt;/b&gt;</h1>") && page.contains("and more"), "{page}");
    assert!(previous(&["--markdown", "-"]).contains("<summary>Prompt</summary>"));
    assert!(previous(&[]).contains("asked        first <b>words</b>\n"));
    // What an agent puts in its place is not read.
    fs::remove_file(&kept).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &kept).unwrap();
    let report = data(&w);
    assert!(report["warnings"][0].as_str().unwrap().starts_with("The prompt of the run is not shown"));
    assert!(!report.to_string().contains("root:x"), "{report}");
}

#[test]
fn a_price_that_can_be_none_takes_little_room() {
    let w = World::new();
    let result = RESULT.replace("\"session_id\"", "\"total_cost_usd\":1e308,\"session_id\"");
    w.asked(&["pid @/agent", INIT, SAYS, &result, "expect-eof"], &[]).run().status(0);
    for form in [vec![], vec!["--html", "-"], vec!["--markdown", "-"]] {
        let shown = w.t.execenv(["report", KEY].into_iter().chain(form)).ok().stdout;
        assert!(shown.contains("$1.0e308") && !shown.contains(&"0".repeat(50)), "{shown}");
    }
    let logs = w.t.execenv(["logs", KEY]).ok().stdout;
    assert!(logs.contains(" · $1.0e308\n"), "{logs}");
}

#[test]
fn a_forged_log_of_any_kind_is_read_to_its_end() {
    const MANY: usize = 20_000;
    let w = World::new();
    w.asked(GOOD, &[]).run().status(0);
    let logs = w.env.join("logs");
    let mut output = String::new();
    for n in 0..MANY {
        let call = CALL.trim_start_matches("print ").replace("Bash", &format!("tool {n}"));
        let call = call.replace("\"t1\"", &format!("\"t{n}\"")).replace("\"b\"", &format!("\"b{n}\""));
        let used = format!("\"model\":\"m{n}\",\"usage\":{{\"output_tokens\":1}}");
        output += &call.replace("\"model\":\"m\"", &used).replace("\"s1\"", &format!("\"s{n}\""));
        output.push('\n');
    }
    fs::write(logs.join("agent.ndjson"), &output).unwrap();
    let line = output.find('\n').unwrap() + 1;
    let run = fs::read_to_string(logs.join("run.log")).unwrap();
    let starts: String =
        (0..MANY).map(|n| format!("2026-06-01T12:00:00Z log from byte {}\n", n * line)).collect();
    let notices: String = (0..MANY).map(|n| format!("2026-06-01T12:00:01Z notice w{n}\n")).collect();
    fs::write(logs.join("run.log"), format!("{run}{starts}{notices}")).unwrap();
    let times: String = (0..MANY)
        .map(|n| format!("s 1780315200000 {}\no 1780315200001 1\ne 1780315200001 1\n", n * line))
        .collect();
    fs::write(logs.join("agent.times"), times).unwrap();
    fs::write(logs.join("agent.stderr.log"), "x".repeat(MANY)).unwrap();
    fs::remove_file(w.env.join("output/result.json")).unwrap();
    let report = data(&w);
    let lanes = report["timeline"]["lanes"].as_array().unwrap();
    let calls: u64 = lanes.iter().map(|lane| lane["calls"].as_u64().unwrap()).sum();
    assert_eq!((lanes.len(), calls), (48, MANY as u64));
    assert!(report["warnings"].as_array().unwrap().len() < 100);
    assert!(report["run"]["usage"].as_object().unwrap().len() <= 50, "{}", report["run"]);
    let events = w.t.execenv(["logs", KEY, "--events"]).ok().stdout;
    assert_eq!(events.lines().filter(|line| line.contains("\"type\":\"tool_use\"")).count(), MANY);
}

#[test]
fn a_file_is_written_whole_and_only_where_one_can_be() {
    let w = World::new();
    w.asked(GOOD, &[]).run().status(0);
    let target = w.t.write("out/report.html", "old");
    w.t.link("out/link", "report.html");
    let done =
        w.t.execenv(["report", KEY, "--html", "out/report.html", "--markdown", "out/link"]).run().status(0);
    assert!(done.stdout.is_empty() && done.stderr.contains("note: wrote "), "{done}");
    assert!(
        fs::read_to_string(&target).unwrap().starts_with("<!DOCTYPE html>"),
        "the link was replaced, not followed"
    );
    assert!(fs::symlink_metadata(w.t.tmp.join("out/link")).unwrap().is_file());
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(w.t.tmp.join("out")).unwrap().count(), 2, "nothing temporary");
    w.t.execenv(["report", KEY, "--html", "out"]).fails(2, &["is a folder"]);
    w.t.execenv(["report", KEY, "--html", "/dev/stdout"])
        .fails(2, &["is no regular file; `-` is standard output"]);
    // Where standard output is a file, such links lead to that; they are the system's all the same.
    w.t.link("out/stream", "/proc/self/fd/1");
    w.t.link("out/further", "stream");
    for name in ["out/stream", "out/further", "/proc/self/fd/1", "/dev/fd/1"] {
        let exe = env!("CARGO_BIN_EXE_execenv");
        let done = w.t.sh(&format!("exec '{exe}' report {KEY} --html {name} > out/printed")).run().status(2);
        assert!(done.stderr.contains("is no regular file; `-` is standard output"), "{name}: {done}");
        assert!(w.t.tmp.join("out/stream").is_symlink() && w.t.tmp.join("out/further").is_symlink());
    }
    w.t.execenv(["report", KEY, "--html", "missing/r.html"]).fails(2, &["its folder cannot be opened"]);
    w.t.execenv(["report", KEY, "--html", "-", "--markdown", "-"])
        .fails(2, &["cannot both go to standard output"]);
    w.t.execenv(["report", KEY, "--json", "--html", "-"]).fails(2, &["cannot both go to standard output"]);
    let inside = w.env.join("workdir/r.html");
    let done = w.t.execenv(["report", KEY, "--html", inside.to_str().unwrap()]).run().status(0);
    assert!(done.stderr.contains("inside the work dir"), "{done}");
}

#[test]
fn a_users_own_link_is_followed_to_a_file_and_an_agents_is_not() {
    let w = World::new();
    w.asked(GOOD, &[]).run().status(0);
    let work_dir = w.env.join("workdir");
    let elsewhere = w.t.tmp.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::create_dir(work_dir.join("docs")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, work_dir.join("lure")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, w.t.tmp.join("mine")).unwrap();
    std::os::unix::fs::symlink(&work_dir, w.t.tmp.join("work")).unwrap();
    let report = |file: &str| w.t.execenv(["report", KEY, "--html", file]);
    let lure = work_dir.join("lure/r.html");
    for file in [lure.to_str().unwrap(), "work/lure/r.html", "work/docs/../lure/r.html"] {
        report(file).fails(2, &["which the agent may have made", "hint: name a file outside"]);
    }
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    for file in ["mine/r.html", "work/docs/r.html", "work/docs/../r.html", "work/../../../../above.html"] {
        report(file).run().status(0);
    }
    assert!(elsewhere.join("r.html").is_file() && work_dir.join("docs/r.html").is_file());
    assert!(work_dir.join("r.html").is_file());
}

#[test]
fn damaged_logs_are_shown_as_far_as_they_go() {
    let w = World::new();
    w.asked(&["pid @/agent", INIT, SAYS, RESULT, "expect-eof"], &[]).run().status(0);
    let log = w.env.join("logs/agent.ndjson");
    let mut bytes = fs::read(&log).unwrap();
    bytes.extend_from_slice(b"\0\xff{\"type\":\n");
    fs::write(&log, bytes).unwrap();
    fs::write(w.env.join("output/result.json"), "{\"type\":").unwrap();
    let report = data(&w);
    assert_eq!(report["run"]["status"], "completed", "the record says so");
    assert!(told(&report).contains(&"text hällo".to_owned()), "{report}");
    fs::remove_file(&log).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &log).unwrap();
    let report = data(&w);
    assert!(report["warnings"].to_string().contains("log"), "{report}");
    assert!(!report.to_string().contains("root:x"), "{report}");
}

#[test]
fn a_long_run_gives_a_report_that_says_what_was_left_out() {
    let w = World::new();
    let repeated = CALL.trim_start_matches("print ");
    let script = ["pid @/agent", INIT, SAYS, &format!("repeat 4992 {repeated}"), RESULT, "expect-eof"];
    w.asked(&script, &[]).run().status(0);
    let report = data(&w);
    let left_out = report["transcript"]["left_out"].as_u64().unwrap();
    let shown = ["entries", "end"].map(|part| report["transcript"][part].as_array().unwrap().len() as u64);
    assert_eq!(left_out + shown.iter().sum::<u64>(), 4994, "session, text, calls");
    let page = page(&w);
    assert!(page.contains(&format!("{left_out} entries were left out here")), "it says so");
    assert!(page.contains(&format!("execenv logs {KEY} --events")));
    assert!(page.len() < 4 << 20, "{}", page.len());
}
