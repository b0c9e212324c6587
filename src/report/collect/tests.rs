use super::super::timeline::Lane;
use super::*;

fn moment(second: u32) -> Moment {
    let time = DateTime::parse_from_rfc3339(&format!("2026-06-01T12:00:{second:02}Z")).unwrap();
    Moment { time: Some(time.to_utc()), turn: 1, offset: u64::from(second) * 10 }
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn result<'a>(id: &'a str, output: &'a str, is_error: bool) -> Event<'a> {
    Event::ToolResult { id, tool: "Bash", output: output.into(), is_error: Some(is_error) }
}

fn names(transcript: &Transcript) -> Vec<String> {
    let entries = transcript.entries.iter().chain(&transcript.end);
    entries.map(|entry| serde_json::to_value(entry).unwrap()["type"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_call_and_its_answer_are_one_entry_and_one_mark() {
    let mut collector = Collector::new(moment(0).time);
    let input = raw(r#"{"command":"ls"}"#);
    collector.take(moment(1), &Event::ToolUse { id: "a", tool: "Bash", input: &input });
    collector.take(moment(2), &Event::ToolUse { id: "b", tool: "Bash", input: &input });
    collector.take(moment(5), &result("a", "bad", true));
    collector.take(moment(6), &result("unknown", "late", false));
    let done = collector.finish(moment(10).time);
    assert_eq!(names(&done.transcript), ["tool", "tool", "tool_result"]);
    let What::Tool { output, is_error, answered_at, summary, .. } = &done.transcript.entries[0].what else {
        panic!("{done:?}")
    };
    assert_eq!(output.as_ref().unwrap().text, Claim::new("bad"));
    assert_eq!((*is_error, *answered_at, summary), (true, Some(5000), &Claim::new("ls")));
    let lane = &done.timeline.lanes[0];
    assert_eq!((lane.calls, lane.errors, lane.unanswered, lane.total), (2, 1, 1, 4000 + 8000));
    assert_eq!(done.timeline.length, 10_000);
    assert_eq!(done.timeline.turns.len(), 1);
}

#[test]
fn parts_of_a_text_are_one_entry() {
    let mut collector = Collector::new(None);
    for (text, is_part) in [("a", true), ("b", true), ("c", false), ("d", true)] {
        collector.take(moment(1), &Event::Text { text: text.into(), is_part });
    }
    collector.take(moment(2), &Event::Thinking { text: " ".into() });
    collector.take(moment(2), &Event::Text { text: "e".into(), is_part: false });
    let done = collector.finish(None);
    let texts: Vec<_> = done.transcript.entries.iter().map(|entry| entry.what.clone()).collect();
    let expected = ["abc", "d", "e"].map(|text| What::Text { text: Excerpt::of(text, TEXT) });
    assert_eq!(texts, expected);
}

#[test]
fn without_times_the_places_in_the_log_count() {
    let mut collector = Collector::new(None);
    for offset in [5, 3, 9] {
        let moment = Moment { offset, turn: 1, ..Moment::default() };
        collector.take(moment, &Event::Text { text: "x".into(), is_part: false });
    }
    let done = collector.finish(None);
    let places: Vec<u64> = done.transcript.entries.iter().map(|entry| entry.at).collect();
    assert_eq!((places, done.timeline.length), (vec![5, 5, 9], 9), "never back");
}

#[test]
fn calls_without_answers_are_all_counted() {
    let mut collector = Collector::new(None);
    let input = raw("{}");
    for n in 0..50_000 {
        let (id, tool) = (n.to_string(), format!("tool {n}"));
        for id in [&*id, "same"] {
            let moment = Moment { offset: n, turn: 1, ..Moment::default() };
            collector.take(moment, &Event::ToolUse { id, tool: &tool, input: &input });
        }
    }
    let lanes = collector.finish(None).timeline.lanes;
    let sum = |of: fn(&Lane) -> u64| lanes.iter().map(of).sum::<u64>();
    assert_eq!((sum(|lane| lane.calls), sum(|lane| lane.unanswered)), (100_000, 100_000));
}

#[test]
fn notices_that_matter_are_warnings() {
    let mut collector = Collector::new(None);
    for (level, text) in [(NoticeLevel::Info, "i"), (NoticeLevel::Warning, "w"), (NoticeLevel::Error, "e")] {
        collector.take(Moment::default(), &Event::Notice { level, text });
    }
    assert_eq!(collector.finish(None).warnings, [Claim::new("w"), Claim::new("e")]);
}

#[test]
fn what_a_program_prints_is_one_text_with_its_end() {
    let mut collector = Collector::new(None);
    for _ in 0..1000 {
        collector.take(Moment::default(), &Event::Output(&[b'x'; 1000]));
    }
    collector.take(Moment::default(), &Event::Output(b"last \xff"));
    let done = collector.finish(None);
    let What::Output { text } = &done.transcript.entries[0].what else { panic!() };
    assert_eq!(text.left_out as usize + text.len(), 1_000_006 + 2, "the replaced byte is longer");
    assert!(text.end.visible().ends_with("last \u{fffd}"));
}
