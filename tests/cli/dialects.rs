//! Whatever an agent's process does to its stream: each dialect, through the built binary, with a script that plays the CLI.
//! The same with very long lines and very many events is in `tests/soak/dialects.rs`.

use serde_json::Value;

use crate::support::fake_claude::World;
use crate::support::spoken::{Form, SPOKEN, Spoken};

/// Each dialect in a world of its own.
fn each(test: impl Fn(&Spoken, &World)) {
    for spoken in SPOKEN {
        test(spoken, &spoken.world());
    }
}

#[track_caller]
fn assert_answered(spoken: &Spoken, w: &World, script: &[String]) {
    let done = spoken.asked(w, script).run();
    assert_eq!(done.status, Some(0), "{} {script:?}\n{done}", spoken.name());
    let result = w.result();
    assert_eq!((&result["status"], &result["text"]), (&"completed".into(), &"hällo".into()), "{script:?}");
    if !spoken.session.is_empty() {
        assert_eq!(result["session_id"], spoken.session, "{}", spoken.name());
    }
}

#[test]
fn an_answer_comes_byte_by_byte_and_the_last_line_has_no_end() {
    each(|spoken, w| {
        let mut turn = spoken.turn(&[]);
        let answer = turn.iter_mut().find(|line| line.contains('ä')).unwrap();
        *answer = answer.replacen("print ", "print-bytes ", 1);
        let last = turn.last_mut().unwrap();
        *last = last.replacen("print ", "print-part ", 1);
        assert_answered(spoken, w, &turn);
    });
}

#[test]
fn what_is_no_line_of_the_dialect_and_much_that_is_change_nothing() {
    const NOISE: [&str; 7] = [
        "print (node:7) Warning: x",
        "print ",
        "print [1,2]",
        r#"print {"broken"#,
        "print-crlf ",
        r#"print {"type":"ö","method":"ö","kind":"ö","role":"ö"}"#,
        "invalid-utf8",
    ];
    each(|spoken, w| {
        // A document stands alone at the end of a log, and all of a text is the answer.
        let noise = match spoken.form {
            Form::Lines | Form::Rpc => &NOISE[..],
            Form::Document => &NOISE[..4],
            Form::Text => return,
        };
        let mut between: Vec<String> = noise.iter().map(|line| (*line).to_owned()).collect();
        between.push(format!("repeat 2048 {}", spoken.works.replace('…', "x")));
        between.push(format!("long-line 2000000 {}", spoken.works));
        between.extend_from_within(..noise.len());
        let turn = spoken.turn(&between);
        let crlf: Vec<String> = turn.iter().map(|line| line.replacen("print ", "print-crlf ", 1)).collect();
        assert_answered(spoken, w, &crlf);
    });
}

#[test]
fn an_agent_that_dies_in_the_middle_of_a_line_has_failed() {
    each(|spoken, w| {
        let (half, _) = spoken.says.split_once('ä').unwrap();
        let mut script: Vec<String> = spoken.begin.iter().map(|line| (*line).to_owned()).collect();
        script.extend([format!("print-part {half}"), "signal 9".to_owned()]);
        let done = spoken.asked(w, &script).run();
        assert_eq!(done.status, Some(137), "{}\n{done}", spoken.name());
        let result = w.result();
        assert_eq!(result["status"], "failed", "{}", spoken.name());
        assert!(result["error"].as_str().unwrap().contains("signal 9"), "{}: {result}", spoken.name());
        if !spoken.session.is_empty() {
            assert_eq!(result["session_id"], spoken.session, "{}", spoken.name());
        }
    });
}

/// QwenPaw says that it has resumed a session which it does not store.
#[test]
fn a_session_that_qwenpaw_does_not_keep_is_resumed_with_a_warning() {
    let qwenpaw =
        Spoken { provider: "qwenpaw", ..*SPOKEN.iter().find(|spoken| spoken.provider == "kiro").unwrap() };
    let w = qwenpaw.world();
    let resumable = r#"print {"jsonrpc":"2.0","id":1,"result":{"agentCapabilities":{"sessionCapabilities":{"resume":{}}}}}"#;
    let mut turn = qwenpaw.turn(&[]);
    resumable.clone_into(&mut turn[1]);
    for (arguments, warns) in [
        (&["--resume=s", "--agent-arg=--runtime-provider", "--agent-arg=openai-env"][..], true),
        (&["--resume=s", "--agent-arg=--runtime-provider=openai-env"], true),
        (&["--agent-arg=--runtime-provider", "--agent-arg=openai-env"], false),
        (&["--resume=s"], false),
    ] {
        let done = qwenpaw.asked_with(&w, &turn, arguments).run().status(0);
        assert_eq!(done.stderr.contains("keeps no conversation"), warns, "{arguments:?}\n{done}");
    }
}

#[test]
fn requests_and_answers_that_nobody_expects_are_answered_or_ignored() {
    let rpc = || SPOKEN.iter().filter(|spoken| spoken.form == Form::Rpc);
    assert_eq!(rpc().count(), 2);
    for spoken in rpc() {
        let w = spoken.world();
        let version = if spoken.provider == "codex" { "" } else { r#""jsonrpc":"2.0","# };
        let mut asks = Vec::new();
        // Answers to requests that are answered already, or were never made; and each kind of id.
        for odd in [
            r#""id":1,"result":{}"#,
            r#""id":2,"error":{"code":-1,"message":"late"}"#,
            r#""id":99,"result":null"#,
        ] {
            asks.push(format!("print {{{version}{odd}}}"));
        }
        let ids = ["7", "\"ä\"", "1.5", "18446744073709551615", "{\"a\":[1]}"];
        for (number, id) in ids.iter().enumerate() {
            let params = ["{}", "[]", "7", "null", "\"x\""][number];
            asks.push(format!(r#"print {{{version}"id":{id},"method":"made/up","params":{params}}}"#));
            asks.push(format!("read @/answer{number}"));
        }
        assert_answered(spoken, &w, &spoken.turn(&asks));
        for (number, id) in ids.iter().enumerate() {
            let answer: Value = serde_json::from_str(&w.read(&format!("answer{number}"))).unwrap();
            let id: Value = serde_json::from_str(id).unwrap();
            assert_eq!(
                (&answer["id"], &answer["error"]["code"]),
                (&id, &(-32601).into()),
                "{}",
                spoken.name()
            );
        }
    }
}
