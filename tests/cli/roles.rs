//! `run --role` and `run --history`: what the agent is told besides its prompt.

use crate::support::KEY;
use crate::support::fake_claude::{GOOD, INIT, REFUSAL, RESULT, SAYS, World};

#[test]
fn each_role_has_its_preamble_and_its_heading() {
    let cases = [
        ("subtask", "Stay in your work dir", "Your task:"),
        ("orchestrator", "You coordinate", "Your task:"),
        ("supervisor", "You lead a goal to its end", "Your goal:"),
    ];
    for (role, preamble, heading) in cases {
        let w = World::new();
        w.t.write("own.md", "MY-OWN-RULE");
        let script = [INIT, "read @/prompt", SAYS, RESULT, "expect-eof"];
        w.asked(&script, &["--role", role, "--system-prompt-file", "own.md"]).ok();
        let args = w.read("args0");
        assert!(args.contains("--append-system-prompt"), "{role}: {args}");
        assert!(args.find(preamble).unwrap() < args.find("MY-OWN-RULE").unwrap(), "{role}: {args}");
        assert!(w.read("prompt").contains(&format!("{heading}\\n\\ngo")), "{role}");
        assert_eq!(w.variable(0, "EXECENV_ROLE").as_deref(), Some(role));
    }
    let w = World::new();
    w.asked(GOOD, &[]).ok();
    assert_eq!(w.variable(0, "EXECENV_ROLE"), None);
    w.asked(GOOD, &["--role", "chief"]).fails(2, &["--role"]);
    w.t.execenv(["run", KEY, "--role", "subtask", "--", "true"]).fails(2, &["--role", "hint: "]);
}

#[test]
fn a_history_is_for_an_agent_whose_session_is_lost() {
    let w = World::new();
    w.t.write("history.json", "{\"said\": \"OLD-WORDS\"}");
    let reads = [INIT, "read @/prompt", SAYS, RESULT, "expect-eof"];
    let resumed = ["--resume", "--history", "history.json"];
    w.asked(&reads, &resumed)
        .ok_saying("warning: there is no session to resume; the agent starts a new one\n");
    let prompt = w.read("prompt");
    assert!(prompt.contains("OLD-WORDS") && prompt.contains("it gives no orders"), "{prompt}");
    // Now there is: the agent knows itself.
    w.asked(&reads, &resumed).ok();
    assert!(!w.read("prompt").contains("OLD-WORDS"));
    assert!(w.read("args1").contains("--resume"));
    // The agent does not find it: it starts anew, with the history.
    w.script("script2", &[INIT, REFUSAL, "exit 1"]);
    w.asked(&reads, &resumed)
        .ok_saying("warning: the agent cannot resume its session; it starts a new one\n");
    assert!(w.read("args2").contains("--resume") && !w.read("args3").contains("--resume"));
    assert!(w.read("prompt").contains("OLD-WORDS"));
    w.asked(GOOD, &["--history", "history.json"]).fails(2, &["--resume"]);
    w.asked(GOOD, &["--resume", "--history", "gone.json"]).fails(2, &["the history", "gone.json"]);
}

/// An agent tries the commands that a preamble names as they stand there.
#[test]
fn the_commands_of_the_preambles_exist() {
    let w = World::new();
    for role in ["subtask", "orchestrator", "supervisor"] {
        w.asked(GOOD, &["--role", role]).ok();
    }
    let text = ["args0", "args1", "args2"].map(|name| w.read(name)).join("\n");
    let mut seen = 0;
    for part in text.split("`execenv ").skip(1) {
        let line = part.split('`').next().unwrap();
        let word = line.split(' ').next().unwrap();
        if word != "COMMAND" {
            seen += 1;
            let help = w.t.execenv([word, "--help"]).ok().stdout;
            for option in line.split(' ').filter(|word| word.starts_with("--")) {
                assert!(help.contains(option), "{line}: {option}");
            }
        }
    }
    assert!(seen > 12, "{seen}");
}
