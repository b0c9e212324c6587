//! What execenv makes of the streams that real agent CLIs printed: `tests/fixtures/streams/` has the recordings, with a
//! file `<cli>.txt` for those of each CLI, which names the provider and the dialect, and says how each recorded process
//! ended and what execenv tells of it.
//! `EXECENV_REGENERATE=1 cargo test --test cli streams` rewrites the latter from the program: read the difference.
//!
//! Every recording that was made of a program is here, but for those of `hermes -z`, which execenv never starts: it ignores
//! `--resume`, and prints errors as answers with status 0.
//!
//! A new recording needs its file and a line `[case] how it ended`:
//!
//! | words | meaning |
//! |---|---|
//! | `exit N`, `died N` | the process's exit status, or the signal that killed it |
//! | `stopped N` | before that, a person sent signal N |
//! | `silent` | it was still running when the recording was cut; the run's limit on silence ends it |
//! | `resumed ID` | that session was to be resumed |
//! | `second` | the second process of a recording that has two |
//!
//! Recordings of both directions have one `{"dir":"<","msg":…}` a line: what the agent said is fed, what it was told is not
//! compared word for word; the requests and answers that this program writes are told as `asks`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use execenv::internals::protocol::{Conversation, Ending, Event, Step};
use execenv::internals::provider::LaunchRequest;
use execenv::internals::supervise::{Cause, Exit, RunFacts, judge};
use execenv::internals::{Tree, all_providers};
use serde_json::{Value, json};

/// How a recorded process ended.
#[derive(Default)]
struct Ended<'a> {
    exit: Exit,
    cause: Option<Cause>,
    resume: Option<&'a str>,
    is_second: bool,
}

impl<'a> Ended<'a> {
    fn parse(words: &'a str) -> Ended<'a> {
        let mut ended = Ended::default();
        for part in words.split(", ") {
            let (word, value) = part.split_once(' ').unwrap_or((part, ""));
            let number = || value.parse().unwrap_or_else(|_| panic!("no number in {words:?}"));
            match word {
                "exit" => ended.exit.code = Some(number()),
                "died" => ended.exit.signal = Some(number()),
                "stopped" => ended.cause = Some(Cause::Signal(number())),
                "silent" => ended.cause = Some(Cause::Idle(Duration::from_secs(1800))),
                "resumed" => ended.resume = Some(value),
                "second" => ended.is_second = true,
                _ => panic!("unknown words: {part:?}"),
            }
        }
        ended
    }
}

/// What a conversation made of one recording.
#[derive(Default)]
struct Replay {
    events: Vec<String>,
    lines: usize,
    working: usize,
    is_turn_over: bool,
    asks_for_login: bool,
    asked: Vec<String>,
}

/// The agent's side of a recording of both directions, of its first or its second process; others are what they are.
fn agents_side(recording: Vec<u8>, is_second: bool) -> Vec<u8> {
    if !recording.starts_with(br#"{"dir":"#) {
        return recording;
    }
    let text = String::from_utf8(recording).unwrap();
    let mut processes = text.split("{\"note\":\"second process\"}\n");
    let process = processes.nth(usize::from(is_second)).expect("such a process");
    let mut said = String::new();
    for line in process.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        if line["dir"] == "<" {
            said += &format!("{}\n", line["msg"]);
        }
    }
    said.into_bytes()
}

/// The methods of requests, and `answer` for answers.
fn methods(frames: &[u8]) -> impl Iterator<Item = String> {
    frames.split(|byte| *byte == b'\n').filter_map(|line| {
        let frame: serde_json::Value = serde_json::from_slice(line).ok()?;
        let method = frame["method"].as_str().map(str::to_owned);
        method.or_else(|| frame.get("id").map(|_| "answer".to_owned()))
    })
}

impl Replay {
    /// Feeds the output in these pieces, and what stood on standard error.
    fn feed<'p>(
        conversation: &mut dyn Conversation,
        pieces: impl Iterator<Item = &'p [u8]>,
        errors: &str,
    ) -> Replay {
        let mut replay = Replay::default();
        for piece in pieces {
            let step = replay.step(|sink, step| conversation.output(piece, sink, step));
            replay.lines += 1;
            replay.working += usize::from(step.is_progress);
        }
        if !errors.is_empty() {
            replay.step(|sink, step| conversation.errors(errors.as_bytes(), sink, step));
        }
        replay.step(|sink, step| conversation.output_ended(sink, step));
        replay
    }

    fn step(
        &mut self,
        act: impl FnOnce(&mut dyn FnMut(Event<'_>) -> std::io::Result<()>, &mut Step) -> std::io::Result<()>,
    ) -> Step {
        let mut step = Step::default();
        let events = &mut self.events;
        let mut sink = |event: Event<'_>| {
            if !matches!(event, Event::AgentErrors(_)) {
                let json = serde_json::to_value(&event)?;
                events.push(json["type"].as_str().unwrap().to_owned());
            }
            Ok(())
        };
        act(&mut sink, &mut step).unwrap();
        self.is_turn_over |= step.is_turn_over;
        self.asks_for_login |= step.login.is_some();
        self.asked.extend(methods(&step.frames));
        step
    }

    /// The events by name, those that follow each other counted.
    fn events(&self) -> String {
        let mut words: Vec<(&str, usize)> = Vec::new();
        for event in &self.events {
            match words.last_mut() {
                Some((last, count)) if last == event => *count += 1,
                _ => words.push((event, 1)),
            }
        }
        let shown = words.iter().map(|(word, count)| match count {
            1 => (*word).to_owned(),
            _ => format!("{word}×{count}"),
        });
        shown.collect::<Vec<_>>().join(" ")
    }
}

fn conversation(provider: &str, dialect: &str, resume: Option<&str>) -> Box<dyn Conversation> {
    let row = all_providers().find(|row| row.name == provider).expect("a provider");
    let dialect = row.dialects.iter().find(|known| known.name == dialect).expect("a dialect of it");
    let folder = tempfile::tempdir().unwrap();
    let env = Tree::open(folder.path()).unwrap();
    let request = LaunchRequest { resume, ..LaunchRequest::example(&env, folder.path()) };
    let mut conversation = (dialect.start)(&request).unwrap().conversation;
    conversation.open();
    conversation
}

/// Judges a recording, as a run does, and says what came of it.
fn outcome(provider: &str, dialect: &str, recording: &Path, ended: &Ended<'_>) -> String {
    let output = fs::read(recording).unwrap_or_else(|error| panic!("{}: {error}", recording.display()));
    let output = agents_side(output, ended.is_second);
    let errors = fs::read_to_string(recording.with_extension("stderr.txt")).unwrap_or_default();
    let mut whole = conversation(provider, dialect, ended.resume);
    let replay = Replay::feed(&mut *whole, output.split_inclusive(|byte| *byte == b'\n'), &errors);
    let ending = whole.end();

    let mut torn = conversation(provider, dialect, ended.resume);
    let pieces = Replay::feed(&mut *torn, output.chunks(7), &errors);
    assert_eq!(pieces.events, replay.events, "{}: in pieces", recording.display());
    assert_eq!(format!("{:?}", torn.end()), format!("{ending:?}"), "{}: in pieces", recording.display());

    let verdict = judge(&RunFacts {
        provider,
        states_result: whole.properties().states_result,
        ending: &ending,
        is_result_first: ended.cause.is_none() && ending.result.is_some(),
        cause: ended.cause.as_ref(),
        is_killed: false,
        exit: ended.exit,
        read_error: None,
        write_error: None,
        hides_refusal: whole.hides_refusal(),
        searched: errors.get(errors.len().saturating_sub(16 << 10)..).unwrap_or_default(),
        stderr: errors.get(errors.len().saturating_sub(2048)..).unwrap_or_default(),
        resume: ended.resume,
    });
    let mut told = String::new();
    let mut say = |name: &str, value: &str| {
        if !value.is_empty() {
            writeln!(told, "  {name:9} {value}").unwrap();
        }
    };
    say("status", verdict.status.word());
    say("reason", verdict.failure_reason.map_or("", |reason| reason.word()));
    say("error", &first_line(verdict.error.as_deref().unwrap_or_default()));
    say("text", &first_line(&verdict.text));
    say("poisoned", verdict.poisoned.map_or("", |reason| reason.word()));
    say("resume", if verdict.resume_refused { "refused" } else { "" });
    say("events", &replay.events());
    say("asks", &replay.asked.join(" "));
    say("tools", &of_some(ending.tool_calls));
    say("tokens", &tokens(&ending));
    say("cost", &ending.cost_usd.as_ref().map_or(String::new(), ToString::to_string));
    say("session", ending.session_id.as_deref().unwrap_or_default());
    say("login", if replay.asks_for_login { "asked for" } else { "" });
    say("work", &format!("in {} of {} lines", replay.working, replay.lines));
    say("turn", if replay.is_turn_over { "over" } else { "" });
    ending.remarks.iter().for_each(|remark| say("remark", remark));
    told
}

fn of_some(count: u64) -> String {
    if count == 0 { String::new() } else { count.to_string() }
}

fn first_line(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    line.chars().take(100).collect()
}

fn tokens(ending: &Ending) -> String {
    let models = ending.usage.iter().map(|(model, usage)| {
        format!(
            "{model}: {} in, {} out, {} read, {} written",
            usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens
        )
    });
    models.collect::<Vec<_>>().join("; ")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/streams")
}

/// The value of a line `name: value` at the head of a CLI's file.
fn head<'a>(file: &'a str, name: &str) -> &'a str {
    let value = file.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("no line `{name}: …` in {file}"))
}

/// The names of files, and the ends of them that are told in a CLI's file.
fn cases(file: &str) -> impl Iterator<Item = (&str, &str)> {
    let heads = file.lines().filter_map(|line| line.strip_prefix('[')?.split_once("] "));
    heads.map(|(case, ended)| (case, ended.trim()))
}

#[test]
fn each_recording_is_told_as_it_was() {
    let mut seen = Vec::new();
    for path in files("txt").filter(|path| !path.to_str().unwrap().ends_with(".stderr.txt")) {
        let file = fs::read_to_string(&path).unwrap();
        let (provider, dialect, prefix) =
            (head(&file, "provider"), head(&file, "dialect"), head(&file, "recordings"));
        let mut told = format!("provider: {provider}\ndialect: {dialect}\nrecordings: {prefix}\n");
        for (case, ended) in cases(&file) {
            let recording = folder().join(format!("{prefix}-{case}.ndjson"));
            let outcome = outcome(provider, dialect, &recording, &Ended::parse(ended));
            write!(told, "\n[{case}] {ended}\n{outcome}").unwrap();
            seen.push(recording);
        }
        if std::env::var("EXECENV_REGENERATE").is_ok() {
            fs::write(&path, &told).unwrap();
        }
        let difference = told.lines().zip(file.lines()).find(|(told, file)| told != file);
        assert!(told == file || std::env::var("EXECENV_REGENERATE").is_ok(), "{path:?}: {difference:#?}");
    }
    let unread: Vec<PathBuf> = files("ndjson").filter(|path| !seen.contains(path)).collect();
    assert!(unread.is_empty(), "recordings without a line `[case] …`: {unread:#?}");
}

/// What a line may become: another type in any place of it.
fn odd_forms(line: &str) -> Vec<String> {
    fn walk(value: &Value, replace: &mut dyn FnMut(&str)) {
        let places: Vec<(String, &Value)> = match value {
            Value::Object(object) => object.iter().map(|(key, item)| (key.clone(), item)).collect(),
            Value::Array(items) => {
                items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect()
            }
            _ => return,
        };
        for (key, item) in places {
            let key = key.replace('~', "~0").replace('/', "~1");
            replace(&format!("/{key}"));
            walk(item, &mut |below| replace(&format!("/{key}{below}")));
        }
    }
    let value: Value = serde_json::from_str(line).unwrap();
    let mut forms = Vec::new();
    walk(&value, &mut |pointer| {
        for odd in [json!(null), json!(-7.5), json!("odd"), json!([["odd"]]), json!({ "odd": {} })] {
            let mut changed = value.clone();
            *changed.pointer_mut(pointer).unwrap() = odd;
            forms.push(changed.to_string());
        }
    });
    forms
}

/// The recordings of a turn with a tool, with their provider and dialect; not those of both directions, of one document, or of text.
fn turns() -> impl Iterator<Item = (String, String, String)> {
    files("txt").filter(|path| !path.to_str().unwrap().ends_with(".stderr.txt")).filter_map(|path| {
        let file = fs::read_to_string(path).unwrap();
        let recording = folder().join(format!("{}-tool.ndjson", head(&file, "recordings")));
        let lines = fs::read_to_string(recording).ok().filter(|lines| {
            lines.lines().any(|line| line.starts_with("{\"") && !line.starts_with("{\"dir\""))
        })?;
        Some((head(&file, "provider").to_owned(), head(&file, "dialect").to_owned(), lines))
    })
}

#[test]
fn no_form_of_a_line_stops_a_conversation() {
    for (provider, dialect, lines) in turns() {
        let mut conversation = conversation(&provider, &dialect, None);
        let mut replay = Replay::default();
        for form in lines.lines().flat_map(odd_forms) {
            replay.step(|sink, step| conversation.output(format!("{form}\n").as_bytes(), sink, step));
        }
        conversation.end();
    }
}

#[test]
fn what_stands_between_the_lines_and_a_missing_newline_change_nothing() {
    for (provider, dialect, lines) in turns() {
        let told = |text: &str| {
            let mut conversation = conversation(&provider, &dialect, None);
            let events = Replay::feed(&mut *conversation, [text.as_bytes()].into_iter(), "").events;
            let ending = Ending { remarks: Vec::new(), ..conversation.end() };
            (events, format!("{ending:?}"))
        };
        let noisy = lines
            .trim_end()
            .replace('\n', "\r\n\n(node:7) Warning: x\n[1,2]\n{\"broken\n{\"type\":\"\u{f6}\"}\n");
        assert_eq!(told(&noisy), told(&lines), "{provider}");
    }
}

fn files(extension: &str) -> impl Iterator<Item = PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().filter(move |path| path.extension().is_some_and(|found| found == extension))
}
