//! `run` on a terminal: a real one, as the kernel makes it.

use crate::support::fake_claude::{FAILURE, INIT, RESULT, SAYS, World};
use crate::support::terminal::{self, what_stays};

const TOOL: &str = r#"print {"type":"assistant","message":{"id":"b","content":[{"type":"tool_use","id":"t","name":"Bash","input":{"command":"ls"}}]}}"#;

/// What a run prints on a terminal of this width. The agent may go on once `until` was printed.
fn on_terminal(w: &World, script: &[&str], arguments: &[&str], columns: u16, until: &str) -> String {
    let _ = std::fs::remove_file(w.t.tmp.join("go"));
    w.script("script", script);
    let mut command = w.t.command(env!("CARGO_BIN_EXE_execenv"));
    command.args(["run", crate::support::KEY, "--agent-bin", "./fake-claude", "--prompt", "go"]);
    command.args(arguments).env("IS_SANDBOX", "1").env("TERM", "xterm");
    terminal::on_terminal(command, columns, &mut |printed| {
        if printed.contains(until) {
            w.t.write("go", "");
        }
    })
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
