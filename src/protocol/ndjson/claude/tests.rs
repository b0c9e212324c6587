use super::*;
use crate::protocol::{Event, TOOL_OUTPUT};

/// What a conversation of these lines makes: its end, its events, and what follows.
fn read(lines: &[&str]) -> (Ending, Vec<String>, Step) {
    let mut conversation = Claude::new("hi".into(), Some("asked".into()), Permission::Allow);
    let (mut events, mut step) = (Vec::new(), Step::default());
    let mut sink = |event: Event<'_>| {
        events.push(serde_json::to_string(&event).unwrap());
        Ok(())
    };
    for line in lines {
        let line = line.replace('\n', " ") + "\n";
        conversation.output(line.as_bytes(), &mut sink, &mut step).unwrap();
    }
    (conversation.end(), events, step)
}

const INIT: &str = r#"{"type":"system","subtype":"init","session_id":"s1","model":"m"}"#;

#[test]
fn a_turn_with_a_tool() {
    let (ending, events, step) = read(&[
        INIT,
        r#"{"type":"assistant","session_id":"s1","message":{"id":"a1","model":"m","content":[
            {"type":"thinking","thinking":"hm"},{"type":"text","text":"a\nb"},
            {"type":"tool_use","id":"t1","name":"Bash","input":{"command":"ls"}}],"usage":{"input_tokens":3,"output_tokens":1}}}"#,
        r#"{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"x"}],"is_error":false}]}}"#,
        r#"{"type":"assistant","message":{"id":"a2","content":[{"type":"text","text":"done"}],"usage":{"input_tokens":4,"output_tokens":2}}}"#,
        r#"{"total_cost_usd":0.0100,"is_error":false,"subtype":"success","result":"all done","type":"result","session_id":"s1"}"#,
    ]);
    assert_eq!(
        events,
        [
            r#"{"type":"session","session_id":"s1","model":"m"}"#,
            r#"{"type":"thinking","text":"hm"}"#,
            r#"{"type":"text","text":"a\nb"}"#,
            r#"{"type":"tool_use","id":"t1","tool":"Bash","input":{"command":"ls"}}"#,
            r#"{"type":"tool_result","id":"t1","tool":"Bash","output":"x","is_error":false}"#,
            r#"{"type":"text","text":"done"}"#,
        ]
    );
    let result = ending.result.unwrap();
    assert_eq!((result.failure, result.text.as_str()), (None, "all done"));
    assert_eq!(ending.cost_usd.unwrap().to_string(), "0.0100");
    assert_eq!(ending.fallback, "done");
    assert_eq!(ending.usage["m"].input_tokens, 7);
    assert!(step.is_progress && step.is_turn_over && step.close_input);
}

#[test]
fn usage_is_stated_by_model_or_at_the_top_or_summed_once_a_message() {
    let message = r#"{"type":"assistant","message":{"id":"a1","content":[],"usage":{"output_tokens":5}}}"#;
    let cases = [
        (
            r#"{"type":"result","usage":{"input_tokens":9},"modelUsage":{"x":{"inputTokens":2,"cacheReadInputTokens":1},"z":{}}}"#,
            "x",
            2,
        ),
        (r#"{"type":"result","usage":{"input_tokens":9},"modelUsage":{}}"#, "asked", 9),
        (r#"{"type":"result"}"#, "asked", 0),
    ];
    for (result, model, input) in cases {
        let usage = read(&[message, message, result]).0.usage;
        assert_eq!(usage.keys().collect::<Vec<_>>(), [model], "{result}");
        assert_eq!(usage[model].input_tokens, input);
        if input == 0 {
            assert_eq!(usage[model].output_tokens, 5, "the same message came twice");
        }
    }
}

#[test]
fn errors_of_the_result_line() {
    let cases = [
        (r#"{"type":"result","is_error":true,"result":"boom"}"#, Some("boom")),
        (r#"{"type":"result","is_error":true,"errors":["a",{"message":"b"}]}"#, Some("a; b")),
        (r#"{"type":"result","subtype":"error_max_turns","is_error":false}"#, Some("error_max_turns")),
        (r#"{"type":"result","subtype":"success","is_error":false,"result":"x"}"#, None),
    ];
    for (line, error) in cases {
        let failure = read(&[line]).0.result.unwrap().failure;
        assert_eq!(failure.map(|failure| failure.error).as_deref(), error, "{line}");
    }
}

#[test]
fn requests_are_allowed_and_kept_in_the_foreground() {
    let (_, _, step) = read(&[
        r#"{"type":"control_request","request_id":"r1","request":{"subtype":"can_use_tool","tool_name":"Bash","input":{"command":"x","run_in_background":true}}}"#,
        r#"{"type":"control_request","request_id":"r2","request":{"subtype":"initialize"}}"#,
    ]);
    assert_eq!(
        String::from_utf8(step.frames).unwrap().lines().collect::<Vec<_>>(),
        [
            r#"{"type":"control_response","response":{"subtype":"success","request_id":"r1","response":{"behavior":"allow","updatedInput":{"command":"x","run_in_background":false}}}}"#,
            r#"{"type":"control_response","response":{"subtype":"success","request_id":"r2","response":{}}}"#,
        ]
    );
}

#[test]
fn background_launches_are_seen_in_every_wrapping_and_not_in_quotes() {
    let cases = [
        (r#"{"status":"async_launched"}"#, true),
        (r#"[{"type":"text","text":"{\"status\":\"async_launched\"}"}]"#, true),
        (r#""{\"content\":[{\"status\":\"async_launched\"}]}""#, true),
        (r#""the word async_launched in a text""#, false),
        (r#"{"status":"done","note":"async_launched"}"#, false),
    ];
    for (content, launched) in cases {
        let line = format!(
            r#"{{"type":"user","message":{{"content":[{{"type":"tool_result","tool_use_id":"t","content":{content}}}]}}}}"#
        );
        assert_eq!(read(&[&line]).0.has_background_work, launched, "{content}");
    }
}

#[test]
fn the_fallback_is_the_last_message_without_tools() {
    let text = r#"{"type":"assistant","message":{"content":[{"type":"text","text":"one"}]}}"#;
    let cases = [
        (r#"{"type":"assistant","message":{"content":[{"type":"thinking","thinking":"x"}]}}"#, "one"),
        (
            r#"{"type":"assistant","parent_tool_use_id":"t","message":{"content":[{"type":"text","text":"sub"}]}}"#,
            "one",
        ),
        (
            r#"{"type":"assistant","message":{"content":[{"type":"tool_use","id":"t","name":"n","input":{}}]}}"#,
            "",
        ),
        (r#"{"type":"assistant","message":{"content":[{"type":"novelty"}]}}"#, ""),
        (r#"{"type":"assistant","message":{"content":[7]}}"#, ""),
        (r#"{"type":"assistant","message":"odd"}"#, ""),
        (r#"{"type":"assistant","message":{"content":"two"}}"#, "two"),
    ];
    for (next, want) in cases {
        assert_eq!(read(&[text, next]).0.fallback, want, "{next}");
    }
}

#[test]
fn noise_is_counted_and_named_harmlessly() {
    let (ending, events, _) =
        read(&["hello", "", r#"{"type":"ne\u001bw[ui]"}"#, r#"{"type":"newui"}"#, "[1]", "\u{fffd}{"]);
    assert_eq!(
        ending.remarks,
        [
            "3 lines of output are not JSON; they are in the log only",
            "skipped output of unknown types: newui (2)"
        ]
    );
    assert!(events.is_empty());
}

#[test]
fn long_tool_output_is_cut_for_the_event() {
    let line = format!(
        r#"{{"type":"user","message":{{"content":[{{"type":"tool_result","tool_use_id":"t","content":"{}"}}]}}}}"#,
        "ä".repeat(8000)
    );
    let (_, events, _) = read(&[&line]);
    assert!(events[0].len() < TOOL_OUTPUT + 200 && events[0].len() > TOOL_OUTPUT);
}

#[test]
fn a_message_is_written_while_the_turn_lasts() {
    let mut conversation = Claude::new("hi".into(), None, Permission::Allow);
    let mut step = Step::default();
    assert_eq!(conversation.send("more", &mut step), Delivery::Written);
    assert_eq!(step.frames, user_frame("more"));
    let mut sink = |_: Event<'_>| Ok(());
    conversation.output(b"{\"type\":\"result\"}\n", &mut sink, &mut step).unwrap();
    assert_eq!(conversation.send("late", &mut step), Delivery::TooLate);
}

#[test]
fn a_tool_is_open_from_its_call_to_its_result() {
    let mut conversation = Claude::new("hi".into(), None, Permission::Allow);
    for (line, is_open) in [
        (
            r#"{"type":"assistant","message":{"content":[{"type":"tool_use","id":"t","name":"n","input":{}}]}}"#,
            true,
        ),
        (r#"{"type":"assistant","message":{"content":"working"}}"#, true),
        (
            r#"{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t","content":"x"}]}}"#,
            false,
        ),
    ] {
        let line = format!("{line}\n");
        conversation.output(line.as_bytes(), &mut |_| Ok(()), &mut Step::default()).unwrap();
        assert_eq!(conversation.has_open_tool(), is_open, "{line}");
    }
}

#[test]
fn the_last_text_stays_when_a_tool_follows_and_is_no_error_of_the_cli() {
    let text = r#"{"type":"assistant","message":{"content":[{"type":"text","text":"half done"}]}}"#;
    for next in [
        r#"{"type":"assistant","message":{"content":[{"type":"tool_use","id":"t","name":"n","input":{}}]}}"#,
        r#"{"type":"assistant","is_api_error_message":true,"message":{"model":"<synthetic>","content":[{"type":"text","text":"API Error: 500"}]}}"#,
        r#"{"type":"assistant","parent_tool_use_id":"t","message":{"content":[{"type":"text","text":"sub"}]}}"#,
    ] {
        assert_eq!(read(&[text, next]).0.last_text, "half done", "{next}");
    }
}
