//! What execenv makes of what real ACP agents said, and that it says to them what the recorded client said:
//! `tests/fixtures/acp/*.ndjson` has both directions. `told.txt` beside them says what is told of each recorded
//! process; `EXECENV_REGENERATE=1 cargo test --test cli acp_streams` rewrites it from the program: read the difference.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use execenv::internals::protocol::{Conversation, Delivery, Event, Opening, Step};
use execenv::internals::provider::LaunchRequest;
use execenv::internals::{Tree, all_providers};
use serde_json::{Value, json};

/// One recorded process: the session that it resumes, and its lines. `>` is the client's.
struct Recorded {
    resume: Option<String>,
    lines: Vec<Value>,
}

/// A process begins with each `initialize`, and with each later wish to resume: a run resumes once.
fn processes(recording: &str) -> Vec<Recorded> {
    let mut all: Vec<Recorded> = Vec::new();
    let mut greeting: Vec<Value> = Vec::new();
    for line in recording.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let method = line["msg"]["method"].as_str().unwrap_or_default().to_owned();
        if line["dir"] == ">" && method == "initialize" {
            all.push(Recorded { resume: None, lines: Vec::new() });
        }
        let Some(last) = all.last_mut() else { panic!("no initialize") };
        if line["dir"] == ">" && (method == "session/resume" || method == "session/load") {
            let session = line["msg"]["params"]["sessionId"].as_str().unwrap().to_owned();
            if last.lines.len() <= 2 {
                greeting.clone_from(&last.lines);
                last.resume = Some(session);
            } else {
                all.push(Recorded { resume: Some(session), lines: greeting.clone() });
            }
        }
        if line.get("note").is_none() {
            all.last_mut().unwrap().lines.push(line);
        }
    }
    all
}

/// What was said to the agent, as far as it matters.
fn gist(message: &Value) -> String {
    let params = &message["params"];
    match message["method"].as_str() {
        Some(method) => {
            let parts = [&params["sessionId"], &params["prompt"][0]["text"]];
            let parts: Vec<&str> = parts.into_iter().filter_map(Value::as_str).collect();
            format!("{method} {}", parts.join(" "))
        }
        None => {
            let answer = &message["result"]["outcome"]["optionId"];
            format!("answer {} {answer} {}", message["id"], message["error"]["code"])
        }
    }
}

/// Gemini is told a session by an alias first. This is one that it does not know.
const LOADS: [&str; 2] = [
    "session/load  00000000-0000-4000-8000-000000000000",
    "session/load 00000000-0000-4000-8000-000000000000",
];

/// A conversation, and all that came of it.
struct Replay {
    conversation: Box<dyn Conversation>,
    events: Vec<String>,
    sent: Vec<String>,
    closes: bool,
    is_over: bool,
    asks_for_login: bool,
    now: Instant,
}

impl Replay {
    fn new(provider: &str, first: &str, resume: Option<&str>) -> Replay {
        let row = all_providers().find(|row| row.name == provider).expect("a provider");
        let dialect = row.dialects.iter().find(|dialect| dialect.name == "acp").expect("acp");
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let request = LaunchRequest { prompt: first, resume, ..LaunchRequest::example(&env, folder.path()) };
        let mut conversation = (dialect.start)(&request).unwrap().conversation;
        let Opening::Frames(frames) = conversation.open() else { panic!("no frames") };
        let mut replay = Replay {
            conversation,
            events: Vec::new(),
            sent: Vec::new(),
            closes: false,
            is_over: false,
            asks_for_login: false,
            now: Instant::now(),
        };
        replay.note(Step { frames, ..Step::default() });
        replay
    }

    fn note(&mut self, step: Step) {
        for line in String::from_utf8(step.frames).unwrap().lines() {
            self.sent.push(gist(&serde_json::from_str(line).unwrap()));
        }
        self.closes |= step.close_input;
        self.is_over |= step.is_turn_over;
        self.asks_for_login |= step.login.is_some();
        assert_eq!(step.give_up, None);
    }

    fn output(&mut self, line: &str, piece: usize) {
        for bytes in line.as_bytes().chunks(piece) {
            let mut step = Step::default();
            let events = &mut self.events;
            let mut sink = |event: Event<'_>| {
                let json = serde_json::to_value(&event)?;
                let kind = json["type"].as_str().unwrap();
                events.push(match &event {
                    Event::ToolUse { tool, .. } => format!("{kind}:{tool}"),
                    Event::Permission { decision, .. } => format!("{kind}:{}", decision.word()),
                    _ => kind.to_owned(),
                });
                Ok(())
            };
            self.conversation.output(bytes, &mut sink, &mut step).unwrap();
            self.note(step);
        }
    }

    /// The agent says nothing for a while.
    fn pause(&mut self) {
        for _ in 0..8 {
            self.now += Duration::from_millis(50);
            let mut step = Step::default();
            self.conversation.tick(self.now, &mut step);
            self.note(step);
        }
    }

    fn says(&mut self, line: &Value, piece: usize) {
        let mut message = line["msg"].clone();
        if let Some(junk) = line["junk"].as_str() {
            return self.output(junk, piece);
        }
        // A run of its own numbers its requests anew, and settings come between them.
        if message.get("method").is_none() {
            message["id"] = self.requests().into();
        }
        self.output(&format!("{message}\n"), piece);
        while self.sent.last().is_some_and(|sent| sent.starts_with("session/set_config_option")) {
            self.output(&format!("{}\n", json!({ "id": self.requests(), "result": {} })), piece);
        }
    }

    /// How many requests were sent: the number of the last one.
    fn requests(&self) -> usize {
        let is_request = |sent: &&String| !sent.starts_with("answer") && !sent.starts_with("session/cancel");
        self.sent.iter().filter(is_request).count()
    }

    fn play(&mut self, recorded: &Recorded, piece: usize) -> Vec<String> {
        let mut expected = Vec::new();
        let mut prompts = 0;
        for (at, line) in recorded.lines.iter().enumerate() {
            if line["dir"] == "<" {
                self.says(line, piece);
                if line["msg"].get("error").is_some() && self.sent.ends_with(&LOADS.map(str::to_owned)) {
                    self.says(line, piece); // the session by its own id is as unknown as that by its alias
                }
                // Gemini tells a session's history after it has opened it, and then its commands: our client waits.
                if tells_commands(line) {
                    self.pause_if_opening();
                }
                continue;
            }
            let said = gist(&line["msg"]);
            let text = line["msg"]["params"]["prompt"][0]["text"].as_str().unwrap_or_default();
            if said.starts_with("session/cancel") && self.is_prompting() {
                let mut step = Step::default();
                assert!(self.conversation.cancel(&mut step) > Duration::ZERO);
                self.note(step);
            } else if said.starts_with("session/cancel") {
                continue; // after the end of the turn
            } else if said.starts_with("session/prompt") {
                if !recorded.lines[at..].iter().any(tells_commands) {
                    self.pause_if_opening(); // the history is told: the recorded client did not wait either
                }
                prompts += 1;
                if prompts > 1 {
                    let mut step = Step::default();
                    assert_eq!(self.conversation.send(text, &mut step), Delivery::Written);
                    self.note(step);
                }
            }
            expected.push(said);
        }
        self.pause();
        expected
    }

    fn is_prompting(&self) -> bool {
        let mut prompts = self.sent.iter().filter(|sent| sent.starts_with("session/prompt"));
        prompts.next().is_some() && !self.is_over && self.conversation.spent().turns == 0
    }

    fn pause_if_opening(&mut self) {
        if !self.sent.iter().any(|sent| sent.starts_with("session/prompt")) {
            self.pause();
        }
    }

    fn summary(&mut self) -> String {
        let mut step = Step::default();
        self.conversation.output_ended(&mut |_| Ok(()), &mut step).unwrap();
        self.note(step);
        let ending = self.conversation.end();
        let mut events: Vec<(String, usize)> = Vec::new();
        for event in std::mem::take(&mut self.events) {
            match events.last_mut() {
                Some((last, count)) if *last == event => *count += 1,
                _ => events.push((event, 1)),
            }
        }
        let events: Vec<String> = events
            .into_iter()
            .map(|(event, count)| if count == 1 { event } else { format!("{event}×{count}") })
            .collect();
        let mut text = String::new();
        let end = match &ending.result {
            None => "no result".to_owned(),
            Some(result) => match &result.failure {
                None => "completed".to_owned(),
                Some(failure) => {
                    let reason =
                        failure.reason.map(|reason| format!(" ({})", reason.word())).unwrap_or_default();
                    let refused = if failure.is_resume_refused { ", the session is refused" } else { "" };
                    format!("failed{reason}{refused}: {}", failure.error)
                }
            },
        };
        let login = if self.asks_for_login { ", asks for a login" } else { "" };
        let open = if self.closes { "" } else { ", the input stays open" };
        let _ = writeln!(text, "    end: {end}{login}{open}");
        let _ = writeln!(text, "    events: {}", events.join(" "));
        let usage: Vec<String> = ending
            .usage
            .iter()
            .map(|(model, usage)| {
                let (input, output) = (usage.input_tokens, usage.output_tokens);
                format!("{model} {input} in, {output} out, {} cached", usage.cache_read_tokens)
            })
            .collect();
        let session = ending.session_id.as_deref().unwrap_or("none");
        let _ = writeln!(
            text,
            "    session {session}, {} tools, text {:?}, tokens: {}",
            ending.tool_calls,
            ending.fallback,
            usage.join("; ")
        );
        for remark in &ending.remarks {
            let _ = writeln!(text, "    remark: {remark}");
        }
        text
    }
}

fn tells_commands(line: &Value) -> bool {
    line["msg"]["params"]["update"]["sessionUpdate"] == "available_commands_update"
}

fn recordings() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/acp");
    let mut all: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.to_string_lossy().contains("-acp-"));
    all.sort();
    all
}

/// Gemini CLI writes an empty conversation over the one that it loads, under the id by which it is told: so by another one.
#[test]
fn gemini_is_told_its_session_by_an_alias() {
    let open = |replay: &mut Replay| {
        let capable = json!({ "msg": { "result": { "agentCapabilities": { "loadSession": true } } } });
        replay.says(&capable, usize::MAX);
    };
    let prompt = |replay: &mut Replay, answer: Value| {
        replay.says(&answer, usize::MAX);
        replay.pause();
        replay.says(&json!({ "msg": { "result": { "stopReason": "end_turn" } } }), usize::MAX);
        replay.pause();
        replay.conversation.end().session_id
    };
    let opened = || json!({ "msg": { "result": {} } });
    let mut replay = Replay::new("gemini", "say hi", Some("s1"));
    open(&mut replay);
    assert_eq!(prompt(&mut replay, opened()).as_deref(), Some("s1"));
    assert_eq!(replay.sent[1..], ["session/load  s1", "session/prompt  s1 say hi"]);

    // One that finds no session by it is told the id itself.
    for error in [
        json!({ "code": -32602, "message": "Invalid params" }),
        json!({ "code": -32603, "message": "Internal error", "data": { "details": "No previous sessions found" } }),
    ] {
        let mut replay = Replay::new("gemini", "say hi", Some("s1"));
        open(&mut replay);
        replay.says(&json!({ "msg": { "error": error } }), usize::MAX);
        assert_eq!(prompt(&mut replay, opened()).as_deref(), Some("s1"));
        assert_eq!(replay.sent[1..], ["session/load  s1", "session/load s1", "session/prompt s1 say hi"]);
    }
    // Any other error is the end: to load it by its own id would lose it.
    let mut replay = Replay::new("gemini", "say hi", Some("s1"));
    open(&mut replay);
    replay.says(&json!({ "msg": { "error": { "code": -32000, "message": "log in" } } }), usize::MAX);
    assert_eq!(replay.sent[1..], ["session/load  s1"]);
    assert!(replay.is_over);
}

#[test]
fn acp_recordings_in_both_directions() {
    let mut text = String::new();
    let all = recordings();
    assert!(all.len() >= 20, "{}", all.len());
    for path in all {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let cli = name.split('-').next().unwrap();
        // A bridge that is run in another way; what it says is nothing.
        let provider = if cli == "openclaw" { "opencode" } else { cli };
        let _ = writeln!(text, "{name}");
        for recorded in processes(&fs::read_to_string(&path).unwrap()) {
            let prompt = recorded.lines.iter().find(|line| line["msg"]["method"] == "session/prompt");
            let first = prompt.and_then(|line| line["msg"]["params"]["prompt"][0]["text"].as_str());
            let first = first.unwrap_or("say hi");
            let resume = recorded.resume.as_deref();
            let mut replay = Replay::new(provider, first, resume);
            let expected = replay.play(&recorded, usize::MAX);
            let mut sent = replay.sent.clone();
            sent.retain(|sent| !sent.starts_with("session/set_config_option"));
            sent.iter_mut().for_each(|sent| *sent = sent.replace("  ", " ")); // an alias of the session
            sent.dedup();
            if prompt.is_none() {
                // The recording ends before the prompt; where the session was opened all the same, a run goes on.
                sent.truncate(expected.len());
            }
            assert_eq!(sent, expected, "{name}");
            let summary = replay.summary();

            let mut torn = Replay::new(provider, first, resume);
            torn.play(&recorded, 7);
            assert_eq!(torn.summary(), summary, "{name}: in pieces");
            let _ = writeln!(text, "  {}", if resume.is_some() { "resumed" } else { "new" });
            text += &summary;
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/acp/told.txt");
    if std::env::var_os("EXECENV_REGENERATE").is_some() {
        fs::write(&golden, &text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&golden).unwrap_or_default(), "see the top of this file");
}
