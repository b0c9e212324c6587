//! Runs one agent and prints its events, then its outcome: `run-host FOLDER GUARD AGENT SCRIPT [KEY=VALUE…]`.
//!
//! A process of its own, because a run looks after all children of its process. Keys: `raw`, `acp`, `handshake-ms`,
//! `resume`, `input=none` (of a raw program), `prompt-bytes`, `send` (a message for the agent; its delivery goes to a file), `timeout-ms`, `idle-ms`, `tool-ms`, `grace-ms`, `mute-ms` (after one and two of these the silence is told), `cancel`, `quiet` (events are counted only), `logs` (where
//! both logs go), `refuse` (the start is not recorded).
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a test's program")]

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use execenv::internals::protocol::acp::{Acp, AcpRequest, Profile};
use execenv::internals::protocol::ndjson::Claude;
use execenv::internals::protocol::{Conversation, Event, Permission, Raw};
use execenv::internals::supervise::{
    self, AgentCommand, Guard, Interrupts, Limits, Order, Orders, Reply, Requests, TimesFile,
};

/// One message for the agent, given at once; what became of it goes to a file.
struct OneMessage {
    text: Option<String>,
    delivered: PathBuf,
}

impl Orders for OneMessage {
    fn next(&mut self) -> Option<Order> {
        self.text.take().map(|text| Order::Send { text })
    }

    fn reply(&mut self, reply: Reply) {
        std::fs::write(&self.delivered, format!("{reply:?}")).unwrap();
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let folder = Path::new(&args[1]);
    let options: HashMap<&str, &str> =
        args[5..].iter().map(|arg| arg.split_once('=').unwrap_or((arg, ""))).collect();
    let duration = |key: &str| options.get(key).map(|ms| Duration::from_millis(ms.parse().unwrap()));
    let lock = File::create(folder.join("lock")).unwrap();
    lock.try_lock().unwrap();
    let raw = options.contains_key("raw");
    let prompt = options.get("prompt-bytes").map_or(5, |bytes| bytes.parse().unwrap());
    let prompt = "x".repeat(prompt);
    let log = |name: &str| {
        let place = options.get("logs").map_or_else(|| folder.join(name), Into::into);
        File::create(place).unwrap()
    };
    let refuse = options.contains_key("refuse");
    let is_silent = options.get("input") == Some(&"none");
    let mut conversation: Box<dyn Conversation> = if options.contains_key("acp") {
        let handshake = duration("handshake-ms").unwrap_or(Profile::PLAIN.handshake);
        let resume = options.get("resume").map(|id| (*id).to_owned());
        Box::new(Acp::new(
            AcpRequest { prompt, resume, ..AcpRequest::default() },
            Profile { handshake, ..Profile::PLAIN },
        ))
    } else if raw {
        Box::new(Raw::new((!is_silent).then_some(prompt)))
    } else {
        Box::new(Claude::new(prompt, None, Permission::Allow))
    };
    let command = AgentCommand {
        provider: if raw { "command" } else { "claude" }.into(),
        program: args[3].clone().into(),
        args: args[4].split('\u{1f}').map(Into::into).collect(),
        work_dir: folder.into(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        jail: None,
        run_id: format!("run-{}", std::process::id()),
        limits: Limits {
            total: duration("timeout-ms"),
            idle: duration("idle-ms"),
            tool: duration("tool-ms"),
            mute: Box::leak(
                duration("mute-ms").map(|time| [time, time * 2, time * 3600]).into_iter().flatten().collect(),
            ),
            kill_grace: duration("grace-ms").unwrap_or(Duration::from_secs(10)),
            bounds: Default::default(),
            used: Default::default(),
            since: None,
            log: None,
            memory: None,
        },
        lock: lock.try_clone().unwrap(),
        slots: Vec::new(),
        log: Some(log("agent.ndjson")),
        stderr_log: Some(log("agent.stderr.log")),
        times: Some(TimesFile { file: log("agent.times"), now: "2026-06-01T12:00:00Z".parse().unwrap() }),
        resume: options.get("resume").map(|id| (*id).to_owned()),
    };
    let guard = Guard::start(Path::new(&args[2]), &[]).unwrap();
    let interrupts = Interrupts::install().unwrap();
    let text = options.get("send").map(|text| (*text).to_owned());
    let mut orders = OneMessage { text, delivered: folder.join("delivered") };
    let mut requests =
        Requests::new(&interrupts, options.get("cancel").map(Path::new)).with_orders(&mut orders);
    let quiet = options.contains_key("quiet");
    let mut out = std::io::stdout();
    let mut sink = |event: Event<'_>| match event {
        Event::Output(bytes) if !quiet => out.write_all(bytes),
        Event::Output(_) | Event::Errors(_) | Event::AgentErrors(_) => Ok(()),
        Event::Idle => out.flush(),
        Event::Working(_) => Ok(()),
        _ if quiet => Ok(()),
        event => writeln!(out, "{}", serde_json::to_string(&event).unwrap()),
    };
    let mut started = |started: &supervise::Started| {
        std::fs::write(folder.join("started"), format!("{} {}", started.pid, started.guard_pid)).unwrap();
        if refuse { Err(anyhow::anyhow!("the start is refused")) } else { Ok(()) }
    };
    let outcome =
        match supervise::run(guard, command, conversation.as_mut(), &mut requests, &mut sink, &mut started) {
            Err(error) if refuse => {
                let _ =
                    writeln!(std::io::stdout(), "{}", serde_json::json!({ "error": format!("{error:#}") }));
                return;
            }
            other => other.unwrap(),
        };
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0").trim();
    let mut json = serde_json::to_value(&outcome).unwrap();
    json["exit_status"] = execenv::internals::exit_status_of_agent(&outcome.verdict).into();
    json["peak_kib"] = peak.trim_end_matches(" kB").parse::<u64>().unwrap().into();
    json["text_length"] = outcome.verdict.text.len().into();
    if outcome.verdict.text.len() > 1000 {
        json["text"] = "".into();
    }
    let _ = writeln!(std::io::stdout(), "{json}");
}
