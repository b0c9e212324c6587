//! `run --autonomous`: turn after turn, until the agent says that it is done or a breaker stops it.

use std::fs;

use serde_json::{Value, json};

use crate::support::Done;
use crate::support::fake_claude::{INIT, World};

/// The lines of a turn that ends with these words.
fn turn(words: &str) -> Vec<String> {
    let says = json!({"type": "assistant", "session_id": "s1", "message": {
        "id": "a", "model": "m", "content": [{"type": "text", "text": words}],
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }});
    let result = json!({"type": "result", "subtype": "success", "is_error": false, "result": "ended",
        "session_id": "s1", "total_cost_usd": 0.25, "usage": {"input_tokens": 3, "output_tokens": 2}});
    [
        INIT.to_owned(),
        "read @/prompt".into(),
        format!("print {says}"),
        format!("print {result}"),
        "expect-eof".into(),
    ]
    .into()
}

/// A gate with these lines.
fn gate(lines: &str) -> String {
    format!("words\n<COMPLETION_GATE>\n{lines}\n</COMPLETION_GATE>")
}

/// Runs an agent whose turns end with these words; the last ones go on for ever.
fn run(w: &World, turns: &[Vec<String>], arguments: &[&str]) -> Done {
    // The agent takes the script of its number: one for each start, the probes of its version aside.
    let starts = w.t.root.parent().unwrap().read_dir().unwrap();
    let before =
        starts.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("args"));
    let first = before.count();
    for (n, lines) in turns.iter().enumerate() {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        w.script(&format!("script{}", first + n), &lines);
    }
    let last: Vec<&str> = turns.last().unwrap().iter().map(String::as_str).collect();
    let words: Vec<&str> = ["--autonomous", "-o", "json"].iter().chain(arguments).copied().collect();
    w.asked(&last, &words).run()
}

fn events(done: &Done, kind: &str) -> Vec<Value> {
    let all = done.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|event| event["type"] == kind).collect()
}

#[test]
fn the_agent_goes_on_in_its_session_until_it_is_ready() {
    let w = World::new();
    let not_yet = turn(&gate("ready: false\nreason: \"two tests fail\"\nprogress: parser"));
    let done =
        run(&w, &[not_yet, turn("no gate"), turn(&gate("ready: true\nreason: all pass"))], &[]).status(0);
    let told: Vec<Value> = events(&done, "iteration");
    let said = |n: usize| (told[n]["n"].clone(), told[n]["ready"].clone(), told[n]["reason"].clone());
    assert_eq!(said(0), (json!(1), json!(false), json!("two tests fail")));
    assert_eq!(said(1), (json!(2), json!(false), Value::Null));
    assert_eq!(said(2), (json!(3), json!(true), json!("all pass")));
    let result = &events(&done, "result")[0];
    assert_eq!((&result["iterations"], &result["status"]), (&json!(3), &json!("completed")));
    // What all turns have used up.
    assert_eq!(result["usage"]["m"]["input_tokens"], 9);
    assert_eq!(result["cost_usd"].as_f64(), Some(0.75));
    assert_eq!(w.variable(0, "EXECENV_ITERATION").as_deref(), Some("1"));
    assert_eq!(w.variable(2, "EXECENV_ITERATION").as_deref(), Some("3"));
    assert!(!w.read("args0").contains("--resume"));
    assert!(w.read("args1").contains("--resume") && w.read("args1").contains("s1"));
    assert!(w.read("prompt").contains("Go on with the task"));
    // All turns are in the log.
    let log = fs::read_to_string(w.env.join("logs/agent.ndjson")).unwrap();
    assert_eq!(log.matches(r#""subtype":"success""#).count(), 3);
}

#[test]
fn the_first_prompt_explains_the_gate() {
    let w = World::new();
    run(&w, &[turn(&gate("ready: true"))], &[]).status(0);
    let prompt = w.read("prompt");
    assert!(prompt.contains("go") && prompt.contains("<COMPLETION_GATE>") && prompt.contains("ready: true"));
}

#[test]
fn the_breaker_is_a_failure_with_its_reason() {
    // What each turn says, the reason, the arguments, the words of the error, and how many turns there are.
    type Case<'a> = (&'a [&'a str], &'a str, &'a [&'a str], &'a str, u32);
    let cases: &[Case<'_>] = &[
        (&["nothing"], "circuit_breaker", &[], "changed nothing", 3),
        (
            &[
                "ready: no\nprogress: 1\nblockers: [\"Test 1 fails\"]",
                "ready: no\nprogress: 2\nblockers: [\"test 22  FAILS\"]",
                "ready: no\nprogress: 3\nblockers: [\"test 3 fails\"]",
                "ready: no\nprogress: 4\nblockers: [\"test 4 fails\"]",
                "ready: no\nprogress: 5\nblockers: [\"test 5 fails\"]",
            ],
            "circuit_breaker",
            &[],
            "the same obstacle",
            5,
        ),
        (
            &["ready: no\nprogress: 1", "ready: no\nprogress: 2"],
            "iteration_limit",
            &["--max-iterations", "2"],
            "--max-iterations",
            2,
        ),
    ];
    for (said, reason, arguments, words, turns) in cases {
        let w = World::new();
        let scripts: Vec<Vec<String>> = said.iter().map(|lines| turn(&gate(lines))).collect();
        let done = run(&w, &scripts, arguments).status(1);
        let result = &events(&done, "result")[0];
        assert_eq!(
            (&result["status"], &result["failure_reason"]),
            (&json!("failed"), &json!(reason)),
            "{done}"
        );
        assert_eq!(result["iterations"], *turns, "{done}");
        assert!(result["error"].as_str().unwrap().contains(words), "{done}");
        // The session stays, and a resumed run goes on counting.
        assert_eq!(result["session_id"], "s1");
        let counted = &w.meta()["execenv"]["run"]["autonomous"];
        assert_eq!(counted["iterations"], *turns);
        let again = run(&w, &[turn(&gate("ready: true"))], &["--resume", "--max-iterations", "50"]).status(0);
        assert_eq!(events(&again, "iteration")[0]["n"], turns + 1, "{again}");
    }
}

#[test]
fn work_that_changes_is_progress() {
    let w = World::new();
    let work = w.env.join("workdir");
    let changes = |n: u32| {
        let mut lines = turn("no gate");
        lines.insert(1, format!("write-file {}/file{n} {n}", work.display()));
        lines
    };
    let turns: Vec<Vec<String>> = (0..5).map(changes).chain([turn(&gate("ready: true"))]).collect();
    let done = run(&w, &turns, &[]).status(0);
    assert_eq!(events(&done, "result")[0]["iterations"], 6, "{done}");
}

#[test]
fn what_ends_a_turn_badly_ends_the_run() {
    let w = World::new();
    let fails = [INIT, "exit 3"].map(str::to_owned).to_vec();
    let done = run(&w, &[turn("no gate"), fails], &[]).status(3);
    assert_eq!(events(&done, "result")[0]["iterations"], 2, "{done}");

    // The time, the price and the tokens are those of all turns.
    let w = World::new();
    let hangs = [INIT, "hang"].map(str::to_owned).to_vec();
    let done = run(&w, &[turn("no gate"), hangs], &["--timeout", "2s", "--kill-grace", "1s"]).status(124);
    let result = &events(&done, "result")[0];
    assert!(result["error"].as_str().unwrap().contains("after 2s"), "{done}");
    assert_eq!(result["failure_reason"], "timeout");
    for (option, reason) in [(["--max-cost", "0.4"], "cost_limit"), (["--max-tokens", "9"], "token_limit")] {
        let w = World::new();
        let done = run(&w, &[turn("one"), turn("two"), turn("three")], &option).status(1);
        let result = &events(&done, "result")[0];
        assert_eq!((&result["failure_reason"], &result["iterations"]), (&json!(reason), &json!(2)), "{done}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let w = World::new();
    w.t.execenv(["run", crate::support::KEY, "--autonomous", "--", "true"])
        .fails(2, &["--autonomous", "hint: "]);
    let asked = |more: &[&str]| w.asked(&["exit 0"], more).run();
    asked(&["--autonomous", "--max-iterations", "51"]).status(2);
    asked(&["--max-iterations", "5"]).status(2);
}
