use super::*;

#[test]
fn a_span_holds_what_is_in_it() {
    for (text, expected) in [
        ("plain", "`plain`"),
        ("a`b", "``a`b``"),
        ("``", "``` `` ```"),
        ("`x", "`` `x ``"),
        ("a\n\n# b | c", "`a # b ¦ c`"),
        ("@who #1 <img src=x>", "`@who #1 <img src=x>`"),
        ("", "-"),
        ("\u{202e}x", "`\\u{202e}x`"),
    ] {
        assert_eq!(span(&Claim::new(text)), expected, "{text:?}");
    }
}

#[test]
fn a_fence_holds_what_is_in_it() {
    for (text, expected) in [
        ("a\n", "```x\na\n```\n"),
        ("```\n@x\n```", "````x\n```\n@x\n```\n````\n"),
        ("`````", "``````x\n`````\n``````\n"),
    ] {
        assert_eq!(fence(&Excerpt::of(text, ANSWER), "x"), expected, "{text:?}");
    }
    let cut = fence(&Excerpt::of(&"x".repeat(9_000), ANSWER), "");
    assert!(cut.contains("\n[… 1000 B left out …]\n"), "{cut}");
}

#[test]
fn a_shorter_text_counts_all_that_is_gone() {
    let text = Excerpt::of(&"y".repeat(30_000), Most { head: 10_000, tail: 10_000 });
    let less = shorter(&text, ANSWER);
    assert_eq!(less.len() as u64 + less.left_out, 30_000);
    assert_eq!(shorter(&less, ANSWER), less);
}

/// The text outside of fences and spans, as CommonMark finds them.
fn outside_code(text: &str) -> String {
    let mut outside = String::new();
    let mut fence: Option<usize> = None;
    for line in text.lines() {
        let ticks = line.trim_start().len() - line.trim_start().trim_start_matches('`').len();
        let is_bare = line.trim().chars().all(|c| c == '`');
        match fence {
            Some(open) if ticks >= open && is_bare => fence = None,
            Some(_) => {}
            None if ticks >= 3 && !line.trim_start()[ticks..].contains('`') => fence = Some(ticks),
            None => {
                let mut rest = line;
                while let Some(at) = rest.find('`') {
                    outside.push_str(&rest[..at]);
                    let ticks = rest[at..].len() - rest[at..].trim_start_matches('`').len();
                    let inner = &rest[at + ticks..];
                    let close = inner.char_indices().map(|(at, _)| at).find(|end| {
                        let run = inner[*end..].len() - inner[*end..].trim_start_matches('`').len();
                        run == ticks && !inner[..*end].ends_with('`')
                    });
                    let close = close.unwrap_or_else(|| panic!("an open span: {line}"));
                    rest = &inner[close + ticks..];
                }
                outside.push_str(rest);
                outside.push('\n');
            }
        }
    }
    assert_eq!(fence, None, "an open fence");
    outside
}

#[test]
fn nothing_from_outside_stands_outside_of_code() {
    use crate::report::sample::report;
    let plain = outside_code(&markdown(&report("x")));
    for hostile in [
        "a`b``c```\n```\n# @who #1\n~~~\n<img src=x>\n</details>\n![](http://x.test)\n`",
        "| | |\n|-|-|\n````\n@x",
        "`````` `` `",
    ] {
        let outside = outside_code(&markdown(&report(hostile)));
        assert_eq!(outside, plain, "{hostile}");
    }
}

#[test]
fn a_report_is_never_too_long() {
    let text = "word `word` <b>\n".repeat(60_000);
    let made = markdown(&crate::report::sample::report(&text));
    assert!(made.len() <= MOST, "{}", made.len());
    assert!(made.ends_with("</sub>\n") && made.contains("## ✕ failed"), "{made}");
}
