//! `run` on a terminal: a real one, as the kernel makes it.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::fake_claude::{FAILURE, INIT, RESULT, SAYS, World};

const TOOL: &str = r#"print {"type":"assistant","message":{"id":"b","content":[{"type":"tool_use","id":"t","name":"Bash","input":{"command":"ls"}}]}}"#;

/// What a run prints on a terminal of this width. The agent may go on once `until` was printed.
fn on_terminal(w: &World, script: &[&str], arguments: &[&str], columns: u16, until: &str) -> String {
    let _ = std::fs::remove_file(w.t.tmp.join("go"));
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    tcsetwinsize(&theirs, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    w.script("script", script);
    let mut command = w.t.command(env!("CARGO_BIN_EXE_execenv"));
    command.args(["run", crate::support::KEY, "--agent-bin", "./fake-claude", "--prompt", "go"]);
    command.args(arguments).env("IS_SANDBOX", "1").env("TERM", "xterm");
    let copy = |file: &File| -> Stdio { OwnedFd::from(file.try_clone().unwrap()).into() };
    let mut child = command.stdout(copy(&theirs)).stderr(copy(&theirs)).spawn().unwrap();
    drop((theirs, command));
    let (mut ours, mut printed, mut block) = (File::from(ours), Vec::new(), [0; 4096]);
    // An error once the last of them has closed it.
    while let Ok(length @ 1..) = ours.read(&mut block) {
        printed.extend_from_slice(&block[..length]);
        if String::from_utf8_lossy(&printed).contains(until) {
            w.t.write("go", "");
        }
    }
    child.wait().unwrap();
    String::from_utf8(printed).unwrap()
}

/// The lines that stay on the terminal: what is replaced is gone.
fn what_stays(printed: &str) -> Vec<String> {
    let lines = printed.split("\r\n").map(|line| {
        let last = line.rsplit_once('\r').map_or(line, |(_, last)| last);
        let mut text = String::new();
        let mut rest = last;
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            text.push_str(before);
            rest = after.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, rest)| rest);
        }
        text + rest
    });
    lines.filter(|line| !line.is_empty()).collect()
}

#[test]
fn a_line_shows_how_the_run_goes_and_one_stays_at_its_end() {
    let w = World::new();
    let script = [INIT, SAYS, TOOL, "sleep-until-file @/go", RESULT, "expect-eof"];
    let printed = on_terminal(&w, &script, &[], 60, "s · Bash");
    let stays = what_stays(&printed);
    assert_eq!(stays.len(), 2, "{stays:?} of {printed:?}");
    assert_eq!(stays[0], "hällo");
    assert!(stays[1].starts_with("completed in ") && stays[1].contains(" · log: "), "{stays:?}");
    assert!(stays[1].ends_with("/logs/agent.ndjson"), "{stays:?}");
    // The line is never wider than the terminal.
    let narrow = on_terminal(&w, &script, &[], 8, "s · B…");
    assert!(!narrow.contains("Bash"), "{narrow:?}");

    let stays = what_stays(&on_terminal(&w, &[INIT, FAILURE, "expect-eof"], &[], 60, "s · x"));
    assert!(stays.iter().any(|line| line.starts_with("failed (agent_error.unknown) in ")), "{stays:?}");
    // Nothing of it for a program that reads the output, nor with -q.
    for arguments in [&["-o", "json"][..], &["-q"]] {
        let printed = on_terminal(&w, &[INIT, SAYS, TOOL, RESULT, "expect-eof"], arguments, 60, "s · x");
        assert!(!printed.contains('\u{1b}') && !printed.contains("completed in"), "{printed:?}");
    }
}
