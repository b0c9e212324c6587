//! The bounds of a run: on what the agent uses up, on its logs, on its memory.

use std::fs;

use crate::support::fake_claude::{GOOD, INIT, SAYS, World};
use crate::support::{KEY, TASK};

#[test]
fn a_bound_on_what_an_agent_never_says_is_refused_before_anything_changes() {
    let w = World::with(&["--task-id", TASK, "--provider", "antigravity"]);
    let record = w.meta();
    for (bound, value) in [("--max-cost", "1.5"), ("--max-tokens", "1000"), ("--max-turns", "3")] {
        w.t.execenv(["run", KEY, "--prompt", "go", bound, value]).fails(2, &[bound, "antigravity", "hint: "]);
        w.t.execenv(["run", KEY, bound, value, "--", "true"]).fails(2, &[bound, "true", "hint: "]);
    }
    for (bound, value) in [
        ("--max-cost", "0"),
        ("--max-cost", "x"),
        ("--max-tokens", "0"),
        ("--max-log", "1K"),
        ("--max-memory", "1M"),
    ] {
        w.t.execenv(["run", KEY, bound, value, "--", "true"]).fails(2, &[bound]);
    }
    assert_eq!(record, w.meta());
}

#[test]
fn a_log_with_a_limit_keeps_its_beginning_and_its_end_and_everything_is_read() {
    let w = World::new();
    let script = "seq 200000; seq 200000 >&2; echo last; echo last >&2";
    let done = w.t.execenv(["run", KEY, "--max-log", "64K", "--", "sh", "-c", script]).run().status(0);
    assert!(done.stdout.starts_with("1\n2\n") && done.stdout.ends_with("\n200000\nlast\n"));
    assert_eq!(done.stdout.lines().count(), 200_001);
    for log in ["agent.ndjson", "agent.stderr.log"] {
        assert!(
            done.stderr.contains(&format!("warning: {log} has reached its limit (`--max-log`)")),
            "{log}"
        );
        let text = fs::read_to_string(w.env.join("logs").join(log)).unwrap();
        assert!(text.len() <= 64 << 10 && text.starts_with("1\n2\n") && text.ends_with("\n200000\nlast\n"));
        assert!(text.contains(r#"{"type":"execenv","left_out_bytes":"#), "{log}");
    }
}

#[test]
fn an_agent_cannot_allocate_more_memory_than_it_may() {
    let w = World::new();
    // `tail` keeps in memory what it is to print.
    let script = "head -c 200000000 /dev/zero | tail -c 200000000 >/dev/null";
    w.program(&["sh", "-c", script]).ok();
    let done = w.t.execenv(["run", KEY, "--max-memory", "50M", "--", "sh", "-c", script]).run();
    assert!(done.status != Some(0) && done.stderr.contains("memory"), "{done}");
}

#[test]
fn a_run_ends_when_its_agent_has_used_up_what_it_may() {
    for (bound, value, reason) in
        [("--max-tokens", "5", "token_limit"), ("--max-turns", "1", "iteration_limit")]
    {
        let w = World::new();
        let script = ["pid @/agent", INIT, SAYS, "hang"];
        w.asked(&script, &[bound, value, "--kill-grace", "1s", "-o", "json"]).run().status(1);
        let result = w.result();
        assert_eq!(
            (&result["status"], &result["failure_reason"]),
            (&"failed".into(), &reason.into()),
            "{result}"
        );
        assert!(
            result["error"].as_str().unwrap().contains(bound) && result["usage"]["m"]["input_tokens"] == 3
        );
        w.assert_agent_gone(bound);
    }
    let w = World::new();
    w.asked(GOOD, &["--max-tokens", "6", "--max-turns", "2", "--max-cost", "2.50"]).ok();
    assert!(w.read("args0").contains("--max-budget-usd\n2.5\n"), "Claude Code keeps to it itself");
}
