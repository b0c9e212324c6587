//! An agent that does what the lines of its script say: `scripted-agent SCRIPT`.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::exit,
    clippy::print_stderr,
    clippy::zombie_processes,
    reason = "a test's program"
)]

use std::io::{BufRead, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

fn main() {
    let script = std::env::args().nth(1).unwrap();
    let text = std::fs::read_to_string(&script).unwrap();
    let mut out = std::fs::File::from(std::io::stdout().as_fd().try_clone_to_owned().unwrap());
    let mut stdin = std::io::stdin().lock();
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "print" => writeln!(out, "{rest}").unwrap(),
            "print-part" => out.write_all(rest.as_bytes()).unwrap(),
            "print-crlf" => write!(out, "{rest}\r\n").unwrap(),
            // One byte a write: every character is split.
            "print-bytes" => {
                for byte in rest.bytes().chain([b'\n']) {
                    out.write_all(&[byte]).unwrap();
                    std::thread::yield_now();
                }
            }
            "error" => eprintln!("{rest}"),
            "read" => {
                let mut line = String::new();
                stdin.read_line(&mut line).unwrap();
                std::fs::write(rest, line).unwrap();
            }
            "expect-eof" => {
                let mut rest = Vec::new();
                stdin.read_to_end(&mut rest).unwrap();
            }
            "sleep-until-file" => {
                while !Path::new(rest).exists() && has_world(&script) {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            // A part of a file that another process writes.
            "sleep-until-said" => {
                let (path, text) = rest.split_once(' ').unwrap();
                let is_said = || std::fs::read(path).is_ok_and(|bytes| memmem(&bytes, text.as_bytes()));
                while !is_said() && has_world(&script) {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            // A command beside the agent's own output. Whether it goes well is its own matter.
            "shell" => {
                let mut command = Command::new("sh");
                command.args(["-c", rest]).stdin(Stdio::null()).stdout(Stdio::null());
                command.status().unwrap();
            }
            // The parent is the guard, and that one's parent is execenv.
            "kill-execenv" => kill(parent_of(parent_of(std::process::id()))),
            "kill-guard-and-execenv" => {
                let guard = parent_of(std::process::id());
                let execenv = parent_of(guard);
                kill(guard);
                kill(execenv);
            }
            "hang" | "never-read" => {
                while has_world(&script) {
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
            "touch" => std::fs::write(rest, "").unwrap(),
            "pid" => std::fs::write(rest, std::process::id().to_string()).unwrap(),
            "write-file" => {
                let (path, text) = rest.split_once(' ').unwrap();
                std::fs::write(path, text).unwrap();
            }
            "env" => {
                let (name, path) = rest.split_once(" > ").unwrap();
                std::fs::write(path, std::env::var(name).unwrap_or_default()).unwrap();
            }
            // An orphan: the one in between ends at once.
            "double-fork" => {
                let script = format!("{rest}.fork");
                std::fs::write(&script, format!("child {rest}\nexit 0")).unwrap();
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.arg(script).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                assert!(command.status().unwrap().success());
            }
            "session" => {
                let session = rustix::process::getsid(None).unwrap();
                std::fs::write(rest, (session == rustix::process::getpid()).to_string()).unwrap();
            }
            "fork-holding-stdout" => child(rest, Stdio::inherit(), false),
            "child" => child(rest, Stdio::null(), false),
            // Without a mark in its environment it is found by descent alone.
            "bare-child" => child(rest, Stdio::null(), true),
            // A child leads no group, so it may.
            "enter-session" => drop(rustix::process::setsid().unwrap()),
            "ignore-term" => {
                let flag = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
                signal_hook::flag::register(signal_hook::consts::SIGTERM, flag).unwrap();
            }
            "exit" => std::process::exit(rest.parse().unwrap()),
            "signal" => {
                let signal = rustix::process::Signal::from_named_raw(rest.parse().unwrap()).unwrap();
                rustix::process::kill_process(rustix::process::getpid(), signal).unwrap();
            }
            "big-line" => {
                write!(out, r#"{{"type":"assistant","message":{{"content":[{{"type":"text","text":""#).unwrap();
                let (mut left, piece) = (rest.parse::<usize>().unwrap(), "ä\\n".repeat(4096));
                while left > 0 {
                    out.write_all(piece.as_bytes()).unwrap();
                    left = left.saturating_sub(piece.len());
                }
                writeln!(out, r#""}}]}}}}"#).unwrap();
            }
            // A line in which one place, `…`, is so many bytes long.
            "long-line" => {
                let (bytes, line) = rest.split_once(' ').unwrap();
                let (before, after) = line.split_once('…').unwrap();
                let piece = "ä\\n".repeat(4096);
                write!(out, "{before}").unwrap();
                for _ in 0..bytes.parse::<usize>().unwrap() / piece.len() {
                    out.write_all(piece.as_bytes()).unwrap();
                }
                writeln!(out, "{after}").unwrap();
            }
            "hopeless-line" => {
                out.write_all(b"[").unwrap();
                for _ in 0..rest.parse::<usize>().unwrap() / 8192 {
                    out.write_all("0,".repeat(4096).as_bytes()).unwrap();
                }
                out.write_all(b"0]\n").unwrap();
            }
            "repeat" => {
                let (times, line) = rest.split_once(' ').unwrap();
                let block = format!("{line}\n").repeat(64);
                for _ in 0..times.parse::<usize>().unwrap() / 64 {
                    out.write_all(block.as_bytes()).unwrap();
                }
            }
            "invalid-utf8" => out.write_all(b"\xff\xfe{\"type\":\"x\"}\n{\"type\":\"assistant\",\"message\":{\"content\":\"a\xffb\"}}\n").unwrap(),
            // The rest of the life without standard output, as a script of its own.
            "close-stdout" => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                panic!("{}", command.arg(rest).stdout(Stdio::null()).exec());
            }
            other => panic!("{other}?"),
        }
    }
}

fn memmem(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|part| part == text)
}

fn parent_of(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// A test that failed takes its folder away, and so its agents end.
fn has_world(script: &str) -> bool {
    Path::new(script).exists()
}

/// Starts this program again with another script.
fn child(script: &str, stdout: Stdio, bare: bool) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(script).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::null());
    if bare {
        command.env_clear();
    }
    drop(command.spawn().unwrap());
}
