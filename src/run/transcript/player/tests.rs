use std::fs;
use std::path::Path;

use super::*;
use crate::environment::Own;
use crate::run::logs::Which;
use crate::sys::tree::Tree;

const SESSION: &str = r#"{"type":"system","subtype":"init","session_id":"s1","model":"m"}"#;
const RESULT: &str =
    r#"{"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"s1"}"#;

fn says(text: &str) -> String {
    format!(
        r#"{{"type":"assistant","session_id":"s1","message":{{"id":"{text}","model":"m","content":[{{"type":"text","text":"{text}"}}],"usage":{{"input_tokens":3,"output_tokens":2}}}}}}"#
    )
}

/// What is told of an env root with these logs: seconds, turn, offset, and the event.
fn told(logs: &[(&str, &str)]) -> (Vec<String>, Heard) {
    let tmp = tempfile::tempdir().unwrap();
    write(tmp.path(), logs);
    let env = Tree::open(tmp.path()).unwrap();
    let mut own = Own::default();
    own.provider = "claude".into();
    let recorded = Recorded::of(&env, &own, Which::Last, false).unwrap().unwrap();
    let mut told = Vec::new();
    let heard = replay(&recorded, &mut |at, event| {
        told.push(line(at, &event));
        Ok(())
    });
    (told, heard.unwrap())
}

#[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
fn write(root: &Path, logs: &[(&str, &str)]) {
    fs::create_dir(root.join("logs")).unwrap();
    for (name, text) in logs {
        fs::write(root.join("logs").join(name), text).unwrap();
    }
}

fn line(at: At, event: &Event<'_>) -> String {
    let time = at.time.map_or("-".to_owned(), |time| (time.timestamp_millis() - 1000).to_string());
    let what = match event {
        Event::Text { text, .. } => format!("text {}", text.decode()),
        Event::Notice { text, .. } => format!("notice {text}"),
        Event::Errors(bytes) | Event::AgentErrors(bytes) => {
            format!("errors {}", String::from_utf8_lossy(bytes).trim_end())
        }
        Event::Output(bytes) => format!("output {}", String::from_utf8_lossy(bytes).trim_end()),
        Event::Usage { usage } => {
            format!("usage {}", usage.values().map(|usage| usage.all()).sum::<u64>())
        }
        other => serde_json::to_value(other).unwrap()["type"].as_str().unwrap().to_owned(),
    };
    format!("{time} {} {what}", at.turn)
}

#[test]
fn what_the_agent_printed_and_what_the_run_noted_come_in_their_order() {
    let first = format!("{SESSION}\n{}\n", says("a"));
    let second = format!("{}\n{RESULT}\n", says("b"));
    let starts = first.len();
    let story = format!(
        "1970-01-01T00:00:01Z run r1 of claude in /w\n1970-01-01T00:00:01Z dialect stream-json\n\
         1970-01-01T00:00:01Z notice before\n1970-01-01T00:00:01Z log from byte 0\n\
         1970-01-01T00:00:01.015Z heartbeat abc here -\n1970-01-01T00:00:01.030Z iteration 1 open not yet\n\
         1970-01-01T00:00:01.030Z log from byte {starts}\n1970-01-01T00:00:01.090Z info after\n\
         1970-01-01T00:00:01.100Z end completed status 0 reason -\n"
    );
    let times = format!(
        "s 1000 0\no 1010 {}\ne 1012 4\no 1020 {starts}\ns 1030 {starts}\no 1040 {}\n",
        SESSION.len() + 1,
        second.len(),
    );
    let (told, heard) = told(&[
        ("run.log", &story),
        ("agent.ndjson", &format!("{first}{second}")),
        ("agent.times", &times),
        ("agent.stderr.log", "one\ntwo\n"),
    ]);
    assert_eq!(
        told,
        [
            "0 0 notice before",
            "10 1 session",
            "12 1 errors one",
            "15 1 heartbeat",
            "20 1 text a",
            "20 1 usage 5",
            "30 1 iteration",
            "40 2 session",
            "40 2 text b",
            "40 2 errors two",
            "40 2 usage 5",
            "90 2 notice after",
        ]
    );
    assert_eq!(heard.turns, 2);
    let outcome = heard.outcome.unwrap();
    assert_eq!((outcome.verdict.text.as_str(), outcome.usage["m"].all()), ("done", 10));
}

#[test]
fn without_times_nothing_is_guessed() {
    let log = format!("{SESSION}\n{}\n", says("a"));
    let (told, _) = told(&[("agent.ndjson", &log), ("agent.stderr.log", "one\n")]);
    assert_eq!(told, ["- 1 session", "- 1 text a", "- 1 errors one", "- 1 usage 5"]);
}

#[test]
fn a_program_is_told_as_it_printed() {
    let story = "1970-01-01T00:00:01Z run r1 of command in /w\n1970-01-01T00:00:01Z log from byte 0\n";
    let times = "s 1000 0\no 1001 2\ne 1002 2\no 1003 4\n";
    let (told, _) = told(&[
        ("run.log", story),
        ("agent.ndjson", "a\nb\n"),
        ("agent.stderr.log", "x\n"),
        ("agent.times", times),
    ]);
    assert_eq!(told, ["1 1 output a", "2 1 errors x", "3 1 output b"]);
}

#[test]
fn a_log_that_was_shortened_has_times_where_they_are_still_true() {
    let gap = format!("{{\"type\":\"execenv\",\"left_out_bytes\":{:<20}}}\n", 1000);
    let (begin, end) = (format!("{}\n", says("a")), format!("{}\n", says("b")));
    let printed = begin.len() + 1000 + end.len();
    // The second start is not at its place any more.
    let story = "1970-01-01T00:00:01Z run r1 of claude in /w\n1970-01-01T00:00:01Z log from byte 0\n\
                 1970-01-01T00:00:02Z log from byte 999999\n";
    let times =
        format!("s 1000 0\no 1001 {}\no 1002 {}\no 1003 {printed}\n", begin.len(), begin.len() + 1000);
    let (told, _) =
        told(&[("run.log", story), ("agent.ndjson", &format!("{begin}{gap}{end}")), ("agent.times", &times)]);
    let left_out = "1 1 notice 1000 bytes of the agent's output are not in the log (`--max-log`)";
    assert_eq!(told, ["1 1 session", "1 1 text a", left_out, "3 1 text b", "3 1 usage 10"]);
}
