//! `execenv logs`: what a run has printed, for a person and for a program, of runs that are over and of one that is on.

use std::fs;
use std::io::{BufRead, BufReader, Read as _};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Child;

use serde_json::Value;

use crate::support::fake_claude::{FAILURE, GOOD, INIT, RESULT, SAYS, World};
use crate::support::process::wait_until;
use crate::support::spoken::SPOKEN;
use crate::support::{KEY, Run};

const TOOL: &str = r#"print {"type":"assistant","message":{"id":"b","model":"m","content":[{"type":"tool_use","id":"t","name":"Bash","input":{"description":"List","command":"ls -la"}}]}}"#;
const ANSWER: &str = r#"print {"type":"user","session_id":"s1","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"1\n2\n3\n4\n5\n6\n7"}]}}"#;

/// Texts beside the file are in the time zone of the person.
fn logs<'a>(w: &'a World, arguments: &[&str]) -> Run<'a> {
    w.t.execenv(["logs", KEY].iter().chain(arguments)).var("TZ", "UTC")
}

fn text(w: &World, arguments: &[&str]) -> String {
    logs(w, arguments).ok().stdout
}

fn events(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

fn log(w: &World, name: &str) -> PathBuf {
    w.env.join("logs").join(name)
}

#[test]
fn a_transcript_has_what_a_person_wants_to_know() {
    let w = World::new();
    w.asked(&[INIT, SAYS, TOOL, ANSWER, RESULT, "expect-eof"], &[]).ok();
    let printed = text(&w, &[]);
    let lines: Vec<&str> = printed.lines().collect();
    let at = |line: &str| {
        let (time, rest) = line.split_at(10);
        assert!(time.starts_with("12:00:0") && time.ends_with("  "), "{line}");
        rest.to_owned()
    };
    assert_eq!(lines[0], "run of claude (stream-json), began 2026-06-01 12:00:00 +00:00");
    let known: Vec<String> = lines[1..6].iter().map(|line| at(line)).collect();
    assert_eq!(known, ["prompt  go", "session s1, model m", "hällo", "Bash  ls -la", "  1"]);
    assert_eq!(
        lines[6..11],
        ["2", "3", "4", "5", "… 2 more lines"].map(|line| format!("            {line}"))
    );
    assert_eq!(at(lines[11]), "tokens  m: 3 in, 2 out");
    assert!(lines[12].starts_with("completed in 0s · 5 tokens") && lines.len() == 13, "{printed}");
    assert_eq!(text(&w, &["-n", "2"]), format!("{}\n{}\n", lines[11], lines[12]));
    assert_eq!(text(&w, &["-n", "0"]), "");
    // `-f` of a run that is over prints it.
    assert_eq!(text(&w, &["-f"]), printed);
}

/// Where a message in parts is cut depends on how it was read: the parts become one.
fn joined(events: Vec<Value>) -> Vec<Value> {
    let mut joined: Vec<Value> = Vec::new();
    for event in events {
        match joined.last_mut() {
            Some(last) if last["partial"] == true && event["partial"] == true => {
                let text = |event: &Value| event["text"].as_str().unwrap().to_owned();
                last["text"] = Value::String(text(last) + &text(&event));
            }
            _ => joined.push(event),
        }
    }
    joined
}

/// What a run printed for a program is printed once more.
#[test]
fn the_events_are_those_of_the_run_in_each_dialect() {
    for spoken in SPOKEN {
        let w = spoken.world();
        let script = spoken.turn(&[format!("print {}", spoken.works.replace('…', "some text"))]);
        let run = spoken.asked_with(&w, &script, &["-o", "json"]).run();
        let without_time = |stdout: &str| {
            let mut events = events(stdout);
            for event in &mut events {
                assert!(event["time"].is_string(), "{}: {event}", spoken.name());
                event.as_object_mut().unwrap().remove("time");
            }
            joined(events)
        };
        let (of_run, of_logs) = (without_time(&run.stdout), without_time(&text(&w, &["--events"])));
        assert!(of_run.len() > 1, "{}", spoken.name());
        assert_eq!(of_logs, of_run, "{}", spoken.name());
        assert_eq!(without_time(&text(&w, &["-o", "json"])), of_run);
    }
}

#[test]
fn a_program_is_printed_as_text_and_its_logs_as_they_are() {
    let w = World::new();
    let script = "printf 'a\\tb\\033[31mred\\r\\n'; printf 'no end'; echo err >&2; exit 3";
    w.program(&["sh", "-c", script]).run().status(3);
    let printed = text(&w, &[]);
    for line in ["a\tbred", "err", "no end", "failed (agent_error.process_failure) in 0s"] {
        assert!(printed.lines().any(|printed| printed == line), "{line}: {printed}");
    }
    assert_eq!(text(&w, &["--raw"]), "a\tb\u{1b}[31mred\r\nno end");
    assert_eq!(text(&w, &["--raw", "-n", "1"]), "no end");
    assert_eq!(text(&w, &["--stderr"]), "err\n");
    let run_log = text(&w, &["--run"]);
    assert!(run_log.contains(" of command in ") && run_log.contains(" end failed status 3 "), "{run_log}");
    logs(&w, &["--raw", "--events"]).fails(2, &["--raw"]);
    logs(&w, &["--raw", "--since", "1m"]).fails(2, &["--since"]);
    logs(&w, &["--since", "x"]).fails(2, &["neither a duration", "nor a time"]);
}

#[test]
fn the_run_before_is_kept_as_a_whole() {
    let w = World::new();
    logs(&w, &[]).fails(3, &["nothing has run", "hint: `execenv run 555555abcdef --prompt TEXT`"]);
    w.asked(GOOD, &[]).ok();
    logs(&w, &["--previous"]).fails(3, &["no run before", "hint: "]);
    let first = (text(&w, &[]), text(&w, &["--events"]));
    w.program(&["echo", "second"]).run().status(0);
    assert!(text(&w, &[]).starts_with("second\n"));
    assert_eq!((text(&w, &["--previous"]), text(&w, &["--previous", "--events"])), first);
    // A third run puts the second one in its place.
    w.program(&["echo", "third"]).run().status(0);
    assert!(text(&w, &["--previous"]).starts_with("second\n"));
    let names: Vec<_> = fs::read_dir(log(&w, "")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 5, "{names:?}");

    // A release before kept each log beside the one of the next run, and no times.
    let w = World::new();
    w.program(&["echo", "now"]).run().status(0);
    fs::write(log(&w, "agent.ndjson.previous"), INIT.strip_prefix("print ").unwrap()).unwrap();
    fs::write(log(&w, "run.log.previous"), "2026-05-01T00:00:00Z run r of claude in /w\n").unwrap();
    let printed = text(&w, &["--previous"]);
    assert!(
        printed.contains("\n          session s1, model m\n") && printed.contains("has died"),
        "{printed}"
    );
    let event = &events(&text(&w, &["--previous", "--events"]))[0];
    assert!(event["time"].is_null() && event["schema"] == 1, "{event}");
    logs(&w, &["--previous", "--since", "1m", "--events"])
        .ok_saying("note: when a part of this was printed is not known, so `--since` has kept it\n");
    w.program(&["echo", "next"]).run().status(0);
    assert!(!log(&w, "agent.ndjson.previous").exists());
}

#[test]
fn since_leaves_out_what_is_older() {
    let w = World::new();
    w.asked(GOOD, &[]).ok();
    let later = |words: &[&str]| logs(&w, words).var("EXECENV_TEST_NOW", "2026-06-01T13:00:00Z").ok().stdout;
    assert!(later(&["--since", "2h"]).contains("hällo"));
    assert!(!later(&["--since", "10m"]).contains("hällo"));
    assert!(later(&["--since", "2026-06-01T14:00:00+02:00"]).contains("hällo"));
    let left = events(&later(&["--since", "10m", "--events"]));
    assert_eq!(left.iter().map(|event| event["type"].as_str().unwrap()).collect::<Vec<_>>(), ["result"]);
}

/// Reads what `logs -f` prints, until it has said this.
fn read_until(reader: &mut impl BufRead, said: &str) -> String {
    let mut printed = String::new();
    while !printed.contains(said) {
        let length = reader.read_line(&mut printed).unwrap();
        assert!(length > 0, "no {said:?} in {printed:?}");
    }
    printed
}

fn followed(w: &World, arguments: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = logs(w, &[&["-f"], arguments].concat()).start();
    let reader = BufReader::new(child.stdout.take().unwrap());
    (child, reader)
}

#[test]
fn a_run_that_is_on_is_followed_to_its_end() {
    let w = World::new();
    let script =
        [INIT, "pid @/agent", "sleep-until-file @/go", SAYS, "sleep-until-file @/end", RESULT, "expect-eof"];
    let mut run = w.asked(&script, &[]).start();
    w.wait_for("agent");
    let (mut child, mut reader) = followed(&w, &[]);
    read_until(&mut reader, "session s1");
    // Without `-f` it ends, and says that there may be more.
    logs(&w, &[]).ok_saying("note: the run is on; `-f` follows it\n");
    assert_eq!(text(&w, &["-n", "1", "--events", "-q"]).lines().count(), 1);
    let (mut last, mut last_reader) = followed(&w, &["-n", "1", "--events"]);
    read_until(&mut last_reader, "\"session\"");
    w.t.write("go", "");
    read_until(&mut reader, "hällo");
    read_until(&mut last_reader, "hällo");
    assert!(child.try_wait().unwrap().is_none() && last.try_wait().unwrap().is_none());
    w.t.write("end", "");
    let printed = read_until(&mut reader, "completed in");
    assert!(printed.contains("tokens  m: 3 in"), "{printed}");
    read_until(&mut last_reader, "\"result\"");
    for child in [&mut child, &mut last] {
        assert!(child.wait().unwrap().success());
    }
    assert!(run.wait().unwrap().success());
}

#[test]
fn a_follower_that_is_stopped_or_has_no_reader_ends_and_the_run_goes_on() {
    let w = World::new();
    let script = [INIT, "pid @/agent", "sleep-until-file @/go", RESULT, "expect-eof"];
    let mut run = w.asked(&script, &[]).start();
    w.wait_for("agent");
    for form in [&["--raw"][..], &["--events"], &[]] {
        let (mut child, mut reader) = followed(&w, form);
        read_until(&mut reader, "s1");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{form:?}");

        let (mut child, mut reader) = followed(&w, form);
        read_until(&mut reader, "s1");
        drop(reader);
        assert!(child.wait().unwrap().success(), "{form:?}");
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "", "{form:?}");
    }
    w.t.write("go", "");
    assert!(run.wait().unwrap().success());
}

#[test]
fn all_turns_of_a_run_are_followed() {
    let w = World::new();
    let gate = |ready| {
        format!(
            r#"print {{"subtype":"success","is_error":false,"result":"<COMPLETION_GATE>{{\"ready\": {ready}, \"reason\": \"because\"}}</COMPLETION_GATE>","type":"result","session_id":"s1"}}"#
        )
    };
    w.script("script0", &[INIT, "pid @/agent", "sleep-until-file @/go", SAYS, &gate(false), "expect-eof"]);
    w.script("script1", &[INIT, SAYS, &gate(true), "expect-eof"]);
    let mut run = w.asked(&[], &["--autonomous"]).start();
    w.wait_for("agent");
    let (mut child, mut reader) = followed(&w, &["--events"]);
    read_until(&mut reader, "\"session\"");
    w.t.write("go", "");
    let printed = read_until(&mut reader, "\"type\":\"result\"");
    assert_eq!(printed.matches("\"iteration\"").count(), 2, "{printed}");
    assert!(printed.matches("hällo").count() >= 2, "{printed}");
    assert!(child.wait().unwrap().success() && run.wait().unwrap().success());
    let printed = text(&w, &[]);
    assert!(printed.contains("turn 1 ended, the agent is not done: because"), "{printed}");
    assert!(printed.contains("  turn 2\n"), "{printed}");
}

#[test]
fn a_log_that_is_shortened_is_told_and_followed() {
    let w = World::new();
    let script = [
        INIT,
        "pid @/agent",
        "sleep-until-file @/go",
        "repeat 40000 {\"type\":\"x\"}",
        SAYS,
        "sleep-until-file @/end",
        RESULT,
        "expect-eof",
    ];
    let mut run = w.asked(&script, &["--max-log", "64K"]).start();
    w.wait_for("agent");
    let (mut child, mut reader) = followed(&w, &[]);
    read_until(&mut reader, "session s1");
    let (mut raw, mut raw_reader) = followed(&w, &["--raw"]);
    read_until(&mut raw_reader, "s1");
    w.t.write("go", "");
    read_until(&mut reader, "hällo");
    read_until(&mut raw_reader, "hällo");
    w.t.write("end", "");
    read_until(&mut reader, "completed in");
    assert!(child.wait().unwrap().success() && raw.wait().unwrap().success());
    assert!(run.wait().unwrap().success());
    let printed = text(&w, &[]);
    assert!(printed.contains("bytes of the agent's output are not in the log (`--max-log`)"), "{printed}");
    assert!(printed.contains("session s1") && printed.contains("hällo"), "{printed}");
}

#[test]
fn a_run_that_died_is_printed_as_far_as_it_came() {
    let w = World::new();
    let end = format!("sleep-until-said {} hällo", log(&w, "agent.ndjson").display());
    w.asked(&[INIT, SAYS, &end, "kill-execenv", "hang"], &[]).run();
    w.wait_until_free();
    let printed = text(&w, &["-f"]);
    assert!(printed.contains("hällo") && printed.contains("the run has died"), "{printed}");
    w.t.execenv(["doctor", "--fix"]).run();
    let printed = text(&w, &[]);
    assert!(printed.contains("hällo") && printed.contains("\ncrashed (crashed)"), "{printed}");
}

#[test]
fn nothing_that_an_agent_printed_reaches_the_terminal() {
    let w = World::new();
    let hostile = r#"print {"type":"assistant","message":{"id":"h","model":"m\u001b]0;x\u0007","content":[{"type":"text","text":"\u001b[2Ja\u202eb\u009b31m\rc"},{"type":"thinking","thinking":"\u001b[8mt"},{"type":"tool_use","id":"u","name":"\u001b[31mBash","input":{"command":"\u001b[2Jls\u0007"}}]}}"#;
    let answer = r#"print {"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"u","content":"\u001b]52;c;x\u0007\u0008out"}]}}"#;
    w.asked(&[INIT, hostile, answer, "invalid-utf8", "error \u{1b}[31mred", FAILURE, "expect-eof"], &[])
        .run();
    for form in [&[][..], &["--events"]] {
        let printed = text(&w, form);
        let bad = |c: &char| c.is_control() && !"\n\t".contains(*c) || ('\u{202a}'..='\u{202e}').contains(c);
        assert_eq!(printed.chars().filter(bad).collect::<Vec<_>>(), [], "{printed:?}");
        assert!(printed.contains("ls"), "{printed}");
    }
    assert!(text(&w, &["--stderr"]).contains('\u{1b}'), "not a terminal: as it is");
}

#[test]
fn what_stands_in_the_place_of_a_log_is_neither_read_nor_waited_for() {
    for name in ["agent.ndjson", "run.log", "agent.stderr.log"] {
        let w = World::new();
        w.asked(GOOD, &[]).ok();
        let path = log(&w, name);
        let secret = w.t.write("secret", "a secret\n");
        for replace in 0..2 {
            fs::remove_file(&path).unwrap();
            if replace == 0 {
                symlink(&secret, &path).unwrap();
            } else {
                let mode = rustix::fs::Mode::from_raw_mode(0o600);
                rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
            }
            let done = logs(&w, &[]).fails(1, &["cannot read the log", name, "hint: "]);
            assert!(!done.stderr.contains("a secret"), "{done}");
        }
    }
    // Without the times, only they are missing.
    let w = World::new();
    w.asked(GOOD, &[]).ok();
    fs::remove_file(log(&w, "agent.times")).unwrap();
    symlink("/etc/passwd", log(&w, "agent.times")).unwrap();
    assert!(text(&w, &[]).contains("\n          hällo\n"));
}

#[test]
fn a_line_of_fifty_megabytes_is_printed_short() {
    let w = World::new();
    w.asked(&[INIT, "big-line 50000000", RESULT, "expect-eof"], &[]).run();
    let printed = text(&w, &[]);
    assert!(printed.len() < 4 << 20 && printed.contains("session s1"), "{}", printed.len());
    assert!(fs::metadata(log(&w, "agent.ndjson")).unwrap().len() > 50_000_000);
    let last = text(&w, &["--raw", "-n", "1"]);
    assert!(last.starts_with('{') && last.ends_with("}\n"), "{last}");
}

#[test]
fn the_last_entries_are_those_at_the_end_of_all() {
    let w = World::new();
    w.asked(GOOD, &[]).ok();
    let line = |script: &str| script.strip_prefix("print ").unwrap().to_owned() + "\n";
    let answer = line(ANSWER).replace("1\\n2\\n3\\n4\\n5\\n6\\n7", "ok");
    let turn = [line(INIT), line(&SAYS.replace("hällo", "a line")), line(TOOL), answer].concat().repeat(500);
    // Lines that give no entry, so that a few of the last ones are not enough.
    let silent = "{\"type\":\"stream_event\"}\n".repeat(5000);
    let calls = line(TOOL).repeat(30);
    for (said, starts) in [
        (turn.clone(), 1),
        (turn.repeat(2), 2),
        (turn.clone() + &silent, 1),
        (turn.clone() + &silent + &calls, 1),
    ] {
        fs::write(log(&w, "agent.ndjson"), &said).unwrap();
        let starts = (0..starts).map(|n| format!("2026-06-01T12:00:00Z log from byte {}\n", n * turn.len()));
        let run = format!("2026-06-01T12:00:00Z run r of claude in /w\n{}", starts.collect::<String>());
        fs::write(log(&w, "run.log"), run).unwrap();
        for form in [&["-f"][..], &["--events"]] {
            let all = text(&w, form);
            let all: Vec<&str> = all.lines().collect();
            for last in [0, 1, 2, 5, 30, 31, 100, 700] {
                let count = last.to_string();
                let printed = text(&w, &[form, &["-n", &count]].concat());
                assert_eq!(
                    printed.lines().collect::<Vec<_>>(),
                    all[all.len() - last..],
                    "{form:?} -n {last}"
                );
            }
        }
    }
}

#[test]
fn a_message_without_end_is_printed_whole_and_its_end_as_one_of_the_last_entries() {
    const PARTS: usize = 5000;
    let w = World::new();
    w.program(&["echo", "now"]).run().status(0);
    let content = "ä".repeat(500);
    let part =
        format!("{{\"type\":\"message\",\"role\":\"assistant\",\"content\":\"{content}\",\"delta\":true}}\n");
    fs::write(log(&w, "agent.ndjson.previous"), part.repeat(PARTS)).unwrap();
    fs::write(log(&w, "run.log.previous"), "2026-05-01T00:00:00Z run r of gemini in /w\n").unwrap();
    let printed = text(&w, &["--previous"]);
    assert_eq!(printed.matches('ä').count(), 500 * PARTS);
    assert_eq!(printed.lines().filter(|line| line.contains('ä')).count(), 1);
    let last = text(&w, &["--previous", "-n", "3"]);
    let kept = last.matches('ä').count() * 2;
    assert!((1 << 20..3 << 20).contains(&kept), "{kept} bytes of {}", last.len());
}

#[test]
fn of_a_run_that_has_just_begun_there_is_nothing_yet() {
    let w = World::new();
    let mut run =
        w.program(&["sh", "-c", "echo > started; until [ -e go ]; do sleep 0.02; done; echo said"]).start();
    wait_until("the program", || w.env.join("workdir/started").exists().then_some(()));
    let (mut child, mut reader) = followed(&w, &["--raw"]);
    fs::write(w.env.join("workdir/go"), "").unwrap();
    read_until(&mut reader, "said");
    assert!(child.wait().unwrap().success() && run.wait().unwrap().success());
}
