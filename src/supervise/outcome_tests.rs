use super::*;
use crate::protocol::AgentResult;

const NOTHING: &Ending = &Ending {
    result: None,
    fallback: String::new(),
    last_text: String::new(),
    last_words: String::new(),
    session_id: None,
    usage: BTreeMap::new(),
    cost_usd: None,
    tool_calls: 0,
    has_background_work: false,
    unreadable: None,
    remarks: Vec::new(),
};

fn facts() -> RunFacts<'static> {
    RunFacts {
        provider: "claude",
        states_result: true,
        ending: NOTHING,
        is_result_first: false,
        cause: None,
        is_killed: false,
        exit: Exit { code: Some(0), signal: None },
        read_error: None,
        write_error: None,
        stderr: "",
        searched: "",
        hides_refusal: false,
        resume: None,
    }
}

fn answer(text: &str) -> AgentResult {
    AgentResult { text: text.to_owned(), ..AgentResult::default() }
}

fn failure(error: &str, reason: Option<FailureReason>) -> AgentResult {
    let failure = AgentFailure { error: error.to_owned(), reason, is_resume_refused: false };
    AgentResult { failure: Some(failure), ..AgentResult::default() }
}

/// An ending that lives as long as the test.
fn ending(ending: Ending) -> &'static Ending {
    Box::leak(Box::new(ending))
}

fn of(result: AgentResult) -> RunFacts<'static> {
    let ending = ending(Ending { result: Some(result), ..Ending::default() });
    RunFacts { ending, is_result_first: true, ..facts() }
}

#[test]
fn status_and_reason_of_every_end() {
    let failed = Exit { code: Some(3), signal: None };
    let dead = Exit { code: None, signal: Some(11) };
    let (timeout, signal) = (Cause::Timeout(Duration::from_secs(1)), Cause::Signal(2));
    let given_up =
        Cause::Dialect(GiveUp { reason: FailureReason::CodexInactivity, error: "no activity".to_owned() });
    let good = || of(answer("answer"));
    let background = Ending { has_background_work: true, ..good().ending.clone() };
    let unreadable = Ending { unreadable: Some("too long".into()), ..good().ending.clone() };
    let overflow = AgentResult { poisoned: Some(FailureReason::ContextOverflow), ..answer("answer") };
    let raw = || RunFacts { states_result: false, ..facts() };
    let cases: Vec<(RunFacts<'_>, RunStatus, Option<&str>)> = vec![
        (good(), RunStatus::Completed, None),
        (
            of(failure("API Error: 429 overloaded", None)),
            RunStatus::Failed,
            Some("agent_error.provider_capacity_or_rate_limit"),
        ),
        (
            RunFacts {
                stderr: "fetched in 543 ms",
                ..of(failure("connection refused by the endpoint", None))
            },
            RunStatus::Failed,
            Some("agent_error.provider_network"),
        ),
        (
            RunFacts { stderr: "HTTP 401", ..of(failure("the request failed", None)) },
            RunStatus::Failed,
            Some("agent_error.provider_auth_or_access"),
        ),
        (
            of(failure("error_max_turns", Some(FailureReason::IterationLimit))),
            RunStatus::Failed,
            Some("iteration_limit"),
        ),
        (of(overflow), RunStatus::Failed, Some("agent_error.context_overflow")),
        (of(answer("I reached the iteration limit.")), RunStatus::Failed, Some("iteration_limit")),
        (facts(), RunStatus::Failed, Some("agent_error.unknown")),
        (raw(), RunStatus::Completed, None),
        (RunFacts { exit: failed, ..raw() }, RunStatus::Failed, Some("agent_error.process_failure")),
        (RunFacts { exit: dead, ..facts() }, RunStatus::Failed, Some("agent_error.process_failure")),
        (RunFacts { exit: failed, ..good() }, RunStatus::Failed, Some("agent_error.process_failure")),
        (
            RunFacts { ending: ending(background), ..good() },
            RunStatus::Failed,
            Some("agent_error.process_failure"),
        ),
        (RunFacts { cause: Some(&timeout), exit: dead, ..facts() }, RunStatus::Timeout, Some("timeout")),
        (
            RunFacts { cause: Some(&given_up), exit: dead, ..facts() },
            RunStatus::Timeout,
            Some("codex_semantic_inactivity"),
        ),
        // The result came first: the limit that ran out afterwards does not matter.
        (RunFacts { cause: Some(&timeout), exit: Exit::default(), ..good() }, RunStatus::Completed, None),
        // It came after the agent had been asked to stop.
        (
            RunFacts { cause: Some(&signal), is_result_first: false, ..good() },
            RunStatus::Interrupted,
            Some("cancelled"),
        ),
        (RunFacts { cause: Some(&signal), is_killed: true, ..facts() }, RunStatus::Killed, Some("cancelled")),
        (RunFacts { cause: Some(&Cause::SinkBroken), ..good() }, RunStatus::Interrupted, Some("cancelled")),
        (RunFacts { cause: Some(&Cause::Overdue), exit: dead, ..good() }, RunStatus::Completed, None),
        (
            RunFacts { ending: ending(unreadable), ..good() },
            RunStatus::Failed,
            Some("agent_error.empty_or_unparseable_output"),
        ),
    ];
    for (n, (facts, status, reason)) in cases.iter().enumerate() {
        let verdict = judge(facts);
        assert_eq!(verdict.status, *status, "case {n}: {verdict:?}");
        assert_eq!(verdict.failure_reason.map(FailureReason::word), *reason, "case {n}: {verdict:?}");
        // Also a run that failed after a good answer has it; a canned message in its place is the error.
        let said = facts.ending.result.as_ref().filter(|result| result.poisoned.is_none());
        let said =
            said.map_or("", |result| result.text.as_str()).replace("I reached the iteration limit.", "");
        assert_eq!(verdict.text, said, "case {n}");
    }
}

#[test]
fn a_run_that_did_not_complete_has_the_last_text_of_the_agent() {
    let talking = |result: Option<AgentResult>| {
        let last_text = "I have changed three files.".to_owned();
        ending(Ending { result, last_text, ..Ending::default() })
    };
    let failed = Exit { code: Some(1), signal: None };
    let timeout = Cause::Timeout(Duration::from_secs(1));
    for (facts, text) in [
        (RunFacts { ending: talking(None), ..facts() }, "I have changed three files."),
        (RunFacts { ending: talking(None), exit: failed, ..facts() }, "I have changed three files."),
        (RunFacts { ending: talking(None), cause: Some(&timeout), ..facts() }, "I have changed three files."),
        (
            RunFacts {
                ending: talking(Some(answer("Done."))),
                is_result_first: true,
                exit: failed,
                ..facts()
            },
            "Done.",
        ),
        (
            RunFacts {
                ending: talking(Some(failure("API Error: 500", None))),
                is_result_first: true,
                ..facts()
            },
            "I have changed three files.",
        ),
        (RunFacts { ending: talking(Some(answer("Done."))), is_result_first: true, ..facts() }, "Done."),
    ] {
        assert_eq!(judge(&facts).text, text, "{facts:?}");
    }
}

#[test]
fn a_refused_resume_is_told_from_a_failed_one() {
    let resumed = RunFacts { resume: Some("s1"), exit: Exit { code: Some(1), signal: None }, ..facts() };
    assert!(!judge(&resumed).resume_refused);
    assert!(
        judge(&RunFacts { stderr: "No conversation found with session ID: s1", ..resumed.clone() })
            .resume_refused
    );
    let session = |id: &str| ending(Ending { session_id: Some(id.to_owned()), ..Ending::default() });
    assert!(judge(&RunFacts { ending: session("s2"), ..resumed.clone() }).resume_refused);
    assert!(!judge(&RunFacts { ending: session("s1"), ..resumed.clone() }).resume_refused);
    let refused = AgentFailure { error: "no".into(), reason: None, is_resume_refused: true };
    let refused = of(AgentResult { failure: Some(refused), ..AgentResult::default() }).ending;
    assert!(judge(&RunFacts { ending: refused, ..resumed }).resume_refused);
}

#[test]
fn a_silent_refusal_is_one_where_nothing_else_explains_the_failure() {
    let silent = RunFacts {
        resume: Some("s1"),
        hides_refusal: true,
        exit: Exit { code: Some(1), signal: None },
        ..facts()
    };
    assert!(judge(&silent).resume_refused);
    assert!(!judge(&RunFacts { resume: None, ..silent.clone() }).resume_refused);
    assert!(
        !judge(&RunFacts { stderr: "HTTP 503", ..silent.clone() }).resume_refused,
        "not the session's fault"
    );
    let named = ending(Ending { session_id: Some("s1".into()), ..Ending::default() });
    assert!(!judge(&RunFacts { ending: named, ..silent }).resume_refused);
}

fn outcome(facts: &RunFacts<'_>, session: Option<&str>, tokens: u64) -> RunOutcome {
    RunOutcome {
        verdict: judge(facts),
        session_id: session.map(str::to_owned),
        usage: BTreeMap::from([("m".to_owned(), Usage { input_tokens: tokens, ..Usage::default() })]),
        cost_usd: Number::from_f64(0.25),
        tool_calls: 0,
        duration: Duration::from_secs(1),
        stderr_tail: String::new(),
        survivors_killed: 0,
    }
}

#[test]
fn two_starts_are_one_run() {
    let failed = RunFacts { exit: Exit { code: Some(7), signal: None }, ..facts() };
    let first = outcome(&failed, None, 1);
    let both = outcome(&of(answer("done")), Some("s2"), 2).after(first.clone());
    assert_eq!((both.verdict.text.as_str(), both.usage["m"].input_tokens), ("done", 3));
    assert_eq!((both.cost_usd, both.duration), (Number::from_f64(0.5), Duration::from_secs(2)));
    let worse = RunFacts { exit: Exit { code: Some(9), signal: None }, ..facts() };
    let both = outcome(&worse, None, 2).after(first);
    assert_eq!(both.verdict.exit.code, Some(7), "the first failure says more");
}

#[test]
fn what_a_plain_agent_printed_last_is_its_error() {
    let words = "API call failed after 3 retries: Connection error.";
    let ending =
        ending(Ending { last_words: words.into(), result: Some(answer(words)), ..Ending::default() });
    let failed = RunFacts { ending, exit: Exit { code: Some(1), signal: None }, ..facts() };
    let verdict = judge(&failed);
    assert_eq!(verdict.failure_reason, Some(FailureReason::Network));
    assert!(verdict.error.unwrap().ends_with(words));
    assert_eq!(judge(&RunFacts { exit: Exit::default(), ..failed }).status, RunStatus::Completed);
}

#[test]
fn what_a_plain_program_prints_says_nothing_of_a_model() {
    let failed = Exit { code: Some(1), signal: None };
    for words in ["connect: Connection refused", "expected 401 unauthorized", "rate limit test failed 429"] {
        let program = RunFacts {
            provider: "command",
            states_result: false,
            exit: failed,
            stderr: words,
            searched: words,
            ..facts()
        };
        assert_eq!(judge(&program).failure_reason, Some(FailureReason::ProcessFailure), "{words}");
        let agent = RunFacts { provider: "claude", ..program };
        assert_ne!(judge(&agent).failure_reason, Some(FailureReason::ProcessFailure), "{words}");
    }
}
