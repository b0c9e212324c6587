use super::*;

fn facts() -> Facts<'static> {
    Facts {
        provider: "claude",
        dialect: Dialect::ClaudeStream,
        terminal: None,
        terminal_first: false,
        fallback: "",
        launched_async: false,
        cause: None,
        killed: false,
        exit: Exit { code: Some(0), signal: None },
        lost_line: None,
        read_error: None,
        write_error: None,
        stderr: "",
        resume: None,
        session_id: None,
    }
}

fn result(error: Option<&str>, text: &str) -> Terminal {
    Terminal { error: error.map(str::to_owned), text: text.to_owned(), ..Terminal::default() }
}

#[test]
fn status_and_reason_of_every_end() {
    let (good, bad) = (result(None, "answer"), result(Some("API Error: 429 overloaded"), ""));
    let turns = Terminal { subtype: "error_max_turns".into(), ..result(Some("error_max_turns"), "") };
    let long = Terminal { terminal_reason: "prompt_too_long".into(), ..good.clone() };
    let poison = result(None, "I reached the iteration limit.");
    let failed = Exit { code: Some(3), signal: None };
    let dead = Exit { code: None, signal: Some(11) };
    let second = Duration::from_secs(1);
    let (timeout, signal) = (Cause::Timeout(second), Cause::Signal(2));
    let of =
        |terminal: &'static Terminal| Facts { terminal: Some(terminal), terminal_first: true, ..facts() };
    let leak = |terminal: Terminal| -> &'static Terminal { Box::leak(Box::new(terminal)) };
    let (good, bad) = (leak(good), leak(bad));
    let cases: Vec<(Facts<'_>, RunStatus, Option<&str>)> = vec![
        (of(good), RunStatus::Completed, None),
        (of(bad), RunStatus::Failed, Some("agent_error.provider_capacity_or_rate_limit")),
        (of(leak(turns)), RunStatus::Failed, Some("iteration_limit")),
        (of(leak(long)), RunStatus::Failed, Some("agent_error.context_overflow")),
        (of(leak(poison)), RunStatus::Failed, Some("iteration_limit")),
        (facts(), RunStatus::Failed, Some("agent_error.unknown")),
        (Facts { dialect: Dialect::Raw, ..facts() }, RunStatus::Completed, None),
        (
            Facts { dialect: Dialect::Raw, exit: failed, ..facts() },
            RunStatus::Failed,
            Some("agent_error.process_failure"),
        ),
        (Facts { exit: dead, ..facts() }, RunStatus::Failed, Some("agent_error.process_failure")),
        (Facts { exit: failed, ..of(good) }, RunStatus::Failed, Some("agent_error.process_failure")),
        (Facts { launched_async: true, ..of(good) }, RunStatus::Failed, Some("agent_error.process_failure")),
        (Facts { cause: Some(&timeout), exit: dead, ..facts() }, RunStatus::Timeout, Some("timeout")),
        // The result came first: the limit that ran out afterwards does not matter.
        (Facts { cause: Some(&timeout), exit: Exit::default(), ..of(good) }, RunStatus::Completed, None),
        // It came after we had asked the agent to stop.
        (
            Facts { cause: Some(&signal), terminal_first: false, ..of(good) },
            RunStatus::Interrupted,
            Some("cancelled"),
        ),
        (Facts { cause: Some(&signal), killed: true, ..facts() }, RunStatus::Killed, Some("cancelled")),
        (Facts { cause: Some(&Cause::SinkBroken), ..of(good) }, RunStatus::Interrupted, Some("cancelled")),
        (Facts { cause: Some(&Cause::Overdue), exit: dead, ..of(good) }, RunStatus::Completed, None),
        (
            Facts { lost_line: Some(99), ..of(good) },
            RunStatus::Failed,
            Some("agent_error.empty_or_unparseable_output"),
        ),
    ];
    for (n, (facts, status, reason)) in cases.iter().enumerate() {
        let verdict = judge(facts);
        assert_eq!(verdict.status, *status, "case {n}: {verdict:?}");
        assert_eq!(verdict.failure_reason.as_deref(), *reason, "case {n}: {verdict:?}");
        assert_eq!(
            verdict.text.is_empty(),
            *status != RunStatus::Completed || facts.dialect == Dialect::Raw,
            "case {n}"
        );
    }
}

#[test]
fn a_refused_resume_is_told_from_a_failed_one() {
    let resumed = Facts { resume: Some("s1"), exit: Exit { code: Some(1), signal: None }, ..facts() };
    assert!(!judge(&resumed).resume_refused);
    assert!(
        judge(&Facts { stderr: "No conversation found with session ID: s1", ..resumed.clone() })
            .resume_refused
    );
    assert!(judge(&Facts { session_id: Some("s2"), ..resumed.clone() }).resume_refused);
    assert!(!judge(&Facts { session_id: Some("s1"), ..resumed }).resume_refused);
}

#[test]
fn exit_statuses() {
    let outcome = |status, code, signal, stopped_by| RunOutcome {
        status,
        exit: Exit { code, signal },
        stopped_by,
        failure_reason: None,
        error: None,
        session_id: None,
        text: String::new(),
        usage: BTreeMap::new(),
        cost_usd: None,
        poisoned: None,
        resume_refused: false,
        tool_calls: 0,
        duration: Duration::ZERO,
        stderr_tail: String::new(),
        survivors_killed: 0,
    };
    let cases = [
        (outcome(RunStatus::Completed, Some(0), None, None), 0),
        (outcome(RunStatus::Completed, None, Some(15), None), 0),
        (outcome(RunStatus::Failed, Some(0), None, None), 1),
        (outcome(RunStatus::Failed, Some(42), None, None), 42),
        (outcome(RunStatus::Failed, None, Some(11), None), 139),
        (outcome(RunStatus::Failed, None, None, None), 1),
        (outcome(RunStatus::Timeout, None, Some(9), None), 124),
        (outcome(RunStatus::Interrupted, Some(0), None, Some(2)), 130),
        (outcome(RunStatus::Interrupted, Some(0), None, Some(13)), 141),
        (outcome(RunStatus::Killed, None, Some(9), Some(15)), 137),
    ];
    for (outcome, status) in cases {
        assert_eq!(exit_status(&outcome), status, "{outcome:?}");
    }
}
