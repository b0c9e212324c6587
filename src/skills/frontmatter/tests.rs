use super::*;
use proptest::prelude::*;

fn named(content: &str) -> String {
    normalise(content, "slug", "from the record")
}

fn is_hidden(content: &str) -> bool {
    notes(content).hidden
}

fn mended_keys(content: &str) -> Option<Vec<String>> {
    notes(content).mended
}

#[test]
fn the_block_is_found_by_its_delimiters() {
    for (content, yaml, body) in [
        ("---\nname: x\n---\nbody", "name: x", "body"),
        ("---\nname: x\n---", "name: x", ""),
        ("---\r\nname: x\r\n---\r\nbody\r\n", "name: x\r", "body\r\n"),
        ("---\nname: x\n---\r", "name: x", ""),
        ("---\nx\n----\n--- a\n---\nb", "x\n----\n--- a", "b"),
        ("---\n---\nb", "", "b"),
        ("---\n\n---\nb", "", "b"),
        ("--- \nname: x\n---\t\nb", "name: x", "b"),
    ] {
        assert_eq!(split(content), Split { yaml, body, found: true }, "{content:?}");
    }
    for content in [
        "",
        "x",
        "---",
        "---\n",
        "---\nname: x\n",
        "\n---\na: b\n---\n",
        "\u{feff}---\na: b\n---\n",
        " ---\n---\n",
        "----\n---\n",
    ] {
        assert_eq!(split(content), Split { yaml: "", body: content, found: false }, "{content:?}");
    }
}

#[test]
fn the_name_becomes_the_slug_and_all_else_stays() {
    for (before, after) in [
        // plain and quoted names, any place
        ("name: x\na: 1", "name: slug\na: 1"),
        ("a: 1\nname: x", "a: 1\nname: slug"),
        ("a: 1\n\"name\": x\nb: 2", "a: 1\nname: slug\nb: 2"),
        ("'name': x", "name: slug"),
        ("name:\na: 1", "name: slug\na: 1"),
        ("name: \"x\"", "name: slug"),
        // values of more than one line
        ("name: |\n  x\n  # y\n\n  z\na: 1", "name: slug\na: 1"),
        ("name: >-\n  x\n  y\na: 1", "name: slug\na: 1"),
        ("name: x\n  y\n  z\na: 1", "name: slug\na: 1"),
        ("name: \"x\n  y\"\na: 1", "name: slug\na: 1"),
        ("name: [a,\n  b]\na: 1", "name: slug\na: 1"),
        ("name: {a: 1,\n  b: 2}\na: 1", "name: slug\na: 1"),
        ("name:\n  x\na: 1", "name: slug\na: 1"),
        ("name:\n  - x\n  - y\na: 1", "name: slug\na: 1"),
        ("a: 1\nname: |\n  x\n  y", "a: 1\nname: slug"),
        // comments and blank lines after it
        ("name: x\n\n# about a\na: 1", "name: slug\n\n# about a\na: 1"),
        ("name: x\n# end\n\n", "name: slug\n# end\n\n"),
        ("name: |\n  x\n\n# c\na: 1", "name: slug\n\n# c\na: 1"),
        ("# first\nname: x # why\na: 1", "# first\nname: slug\na: 1"),
        // CRLF
        ("name: x\r\na: 1\r", "name: slug\r\na: 1\r"),
        ("a: 1\r\nname: x\r", "a: 1\r\nname: slug\r"),
        ("name: |\r\n  x\r\n  y\r\na: 1\r", "name: slug\r\na: 1\r"),
        // no name at the top
        ("description: d", "name: slug\ndescription: d"),
        ("metadata:\n  name: x", "name: slug\nmetadata:\n  name: x"),
        ("# only a comment", "name: slug\n# only a comment"),
        ("a: &x 1\nb: *x\nname: y", "a: &x 1\nb: *x\nname: slug"),
        ("a: ü\nname: x\nb: ü", "a: ü\nname: slug\nb: ü"),
        // invalid, no name
        ("description: bad: value", "name: slug\ndescription: \"bad: value\""),
        ("a:\n  name: x: y", "name: slug\na:\n  name: \"x: y\""),
    ] {
        let expected = format!("---\n{after}\n---\n\nbody\n---\nmore");
        assert_eq!(named(&format!("---\n{before}\n---\n\nbody\n---\nmore")), expected, "{before:?}");
    }
}

#[test]
fn a_block_that_cannot_be_kept_is_made_new() {
    const NEW: &str = "---\nname: slug\ndescription: \"from the record\"\n---\n\n";
    for (content, body) in [
        ("body\n", "body\n"),
        ("", ""),
        ("---\nname: x\nno end", "---\nname: x\nno end"),
        ("---\nno end", "---\nno end"),
    ] {
        assert_eq!(named(content), format!("{NEW}{body}"), "{content:?}");
    }
    assert_eq!(named("---\n---\nbody"), "---\nname: slug\n---\nbody");
    assert_eq!(normalise("b", "s", " \n"), "---\nname: s\n---\n\nb");
}

#[test]
fn a_description_is_one_quoted_line() {
    let text = normalise("b", "s", "  a \"b\"\r\n\\c\nd\re ");
    assert_eq!(text, "---\nname: s\ndescription: \"a \\\"b\\\" \\\\c d e\"\n---\n\nb");
    assert_eq!(read_name_description(&text), ("s".into(), "a \"b\" \\c d e".into()));
    for bare in ["null", "true", "[x]", "2020-01-01"] {
        assert_eq!(read_name_description(&normalise("b", "s", bare)).1, bare);
    }
}

#[test]
fn a_slug_that_reads_as_a_number_is_quoted() {
    assert_eq!(normalise("b", "123", ""), "---\nname: \"123\"\n---\n\nb");
    assert_eq!(normalise("---\nname: x\n---\n", "true", ""), "---\nname: \"true\"\n---\n");
}

#[test]
fn what_was_aliased_to_the_name_keeps_its_value() {
    for yaml in [
        "name: &a \"true\"\ndisable-model-invocation: *a",
        "name: &a true\nx: {y: [*a, *a]}\ndisable-model-invocation: *a",
        "x: &a \"no\"\nname: &a \"true\"\ndisable-model-invocation: *a",
        "name: [&a \"true\", 1]\ndisable-model-invocation: *a",
        "{name: x, disable-model-invocation: true}",
        "  name: x\n  disable-model-invocation: true",
        "? name\n: x\n? disable-model-invocation\n: true",
        "? [a, b]\n: c\nname: &a true\ndisable-model-invocation: *a",
        "n: &n name\n*n : x\ndisable-model-invocation: true",
    ] {
        let text = named(&format!("---\n{yaml}\n---\nbody"));
        assert!(is_hidden(&text), "{yaml:?} became {text:?}");
        assert_eq!(read_name_description(&text).0, "slug", "{yaml:?} became {text:?}");
        assert!(text.ends_with("---\nbody") && !text.contains("*a"), "{text:?}");
    }
}

#[test]
fn hidden_means_true_in_a_block_that_parses() {
    for (yaml, hidden) in [
        ("disable-model-invocation: true", true),
        ("disable-model-invocation: \" TRUE \"", true),
        ("disable-model-invocation: 'True'", true),
        ("disable-model-invocation: false", false),
        ("disable-model-invocation: yes", false),
        ("disable-model-invocation: [true]", false),
        ("user-invocable: false", false),
        ("metadata:\n  disable-model-invocation: true", false),
        ("disable-model-invocation: true\nx: a: b", true),
        ("x: a: b\nmetadata:\n  disable-model-invocation: true", false),
        ("x: *x*\ndisable-model-invocation:true", true),
        ("  x: a: b\n  \"disable-model-invocation\" : TRUE # why\r", true),
        ("disable-model-invocation: true\ndisable-model-invocation: false", true),
        ("y: &y true\nx: a: b\ndisable-model-invocation: *y", true),
        ("{x: [, disable-model-invocation: true}", true),
    ] {
        assert_eq!(is_hidden(&format!("---\n{yaml}\n---\n")), hidden, "{yaml}");
    }
    assert!(!is_hidden("disable-model-invocation: true"));
}

#[test]
fn name_and_description_are_read() {
    for (content, name, description) in [
        ("---\nname: a\ndescription: b c\n---\n", "a", "b c"),
        ("---\nname: \"a\"\ndescription: 'b'\n---\n", "a", "b"),
        ("---\ndescription: |\n  a\n  b\n---\n", "", "a\nb"),
        ("---\ndescription: |-\n  a\n---\n", "", "a"),
        ("---\ndescription: >\n  a\n  b\n---\n", "", "a b"),
        ("---\r\nname: a\r\ndescription: b\r\n---\r\n", "a", "b"),
        ("---\nname: a\n---\nx\n---\nname: b\n---\n", "a", ""),
        ("---\nname: a\n---- x", "a", ""),
        ("---\nname: 123\ndescription: true\n---\n", "123", "true"),
        ("---\nname: a\ndescription: [x, 1, true]\n---\n", "a", "[\"x\",1,true]"),
        ("---\nname: {b: 1, a: null}\ndescription: d\n---\n", "{\"b\":1,\"a\":null}", "d"),
        ("---\nname: \"  a \"\n---\n", "a", ""),
        ("---\nname: ~\ndescription: d\n---\n", "", "d"),
        ("body", "", ""),
        ("---\nname: a\n", "", ""),
        ("---\nname: a: b\n---\n", "a: b", ""),
        ("\u{feff}---\nname: a\ndescription: [x] [y]\n---\n", "a", "[x] [y]"),
        ("\n---\nname: a\n---\n", "", ""),
    ] {
        assert_eq!(read_name_description(content), (name.into(), description.into()), "{content:?}");
    }
}

#[test]
fn hostile_blocks_end_soon() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for n in 1..30 {
        laughs += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", "));
    }
    let many = |text: &str| text.repeat(60_000 / text.len());
    for yaml in [
        laughs.clone() + "description: *a29\nname: *a29",
        format!(
            "name: &n [{}]\n{}",
            laughs.replace(": ", " : ").replace('\n', ", ").trim_end_matches(", "),
            "x: *a29"
        ),
        "name: &a [*a]\nb: *a".into(),
        "name: &a {b: *a}\nb: *a".into(),
        format!("name: &a {}\n{}", "x".repeat(30_000), "".to_owned() + "b: [" + &"*a, ".repeat(5_000) + "]"),
        "name: ".to_owned() + &many("["),
        "name: ".to_owned() + &many("{a: "),
        "name: ".to_owned() + &many("- "),
        "name:\n".to_owned() + &(1..300).map(|n| " ".repeat(n) + "a:\n").collect::<String>(),
        "name: ".to_owned() + &many("&a "),
        "name: ".to_owned() + &many("? "),
        "name: \"".to_owned() + &many("x\n"),
        "name: ".to_owned() + &many("!a "),
        "name: ".to_owned() + &many("a: "),
        "name: x\n".to_owned() + &many("# c\n"),
        "name: [".to_owned() + &many("a, "),
        "name: x\n".to_owned() + &"x".repeat(10 << 20),
        "name: x\n".to_owned() + &"\n".repeat(10 << 20),
        "name: x\n%YAML 9.9\n%TAG ! x\n*unknown".into(),
    ] {
        let content = format!("---\n{yaml}\n---\nbody");
        let text = named(&content);
        assert!(text.ends_with("---\nbody") || text.ends_with("---\n\nbody"));
        assert_eq!(named(&text), text, "again");
        is_hidden(&content);
        read_name_description(&content);
    }
    let large = "---\n".to_owned() + &"- x\n".repeat(2 << 20);
    assert!(named(&large).ends_with(&large));
}

#[test]
fn a_block_that_is_no_yaml_is_read_by_its_lines() {
    for (before, after, keys) in [
        ("name: x\ndescription: a: b", "name: slug\ndescription: \"a: b\"", "description"),
        ("argument-hint: [x] [y]\nname: x", "argument-hint: \"[x] [y]\"\nname: slug", "argument-hint"),
        ("description: *x* is\n  bold", "name: slug\ndescription: \"*x* is bold\"", "description"),
        ("description: \"a \"b\" c\"", "name: slug\ndescription: \"a \\\"b\\\" c\"", "description"),
        ("description: @me, `you`", "name: slug\ndescription: \"@me, `you`\"", "description"),
        ("description: a\nname: x\ndescription: b", "description: b\nname: slug", "description"),
        ("tools:\n\t- a\n\t- b", "name: slug\ntools:\n  - a\n  - b", "tools"),
        (
            "name: x: y\nmetadata:\n  a: b: c\n  d: 1",
            "name: slug\nmetadata:\n  a: \"b: c\"\n  d: 1",
            "name,metadata",
        ),
        ("b: {a: 1, a: 2}\nname: x", "b: \"{a: 1, a: 2}\"\nname: slug", "b"),
        ("b: \0\nname: x", "b: \"\\u0000\"\nname: slug", "b"),
        ("hello\nname: x\nb: c: d # e\r", "# hello\nname: slug\nb: \"c: d # e\"\r", "b"),
        ("user-invocable: false\nx: a: b", "name: slug\nuser-invocable: false\nx: \"a: b\"", "x"),
    ] {
        let content = format!("\u{feff}---\n{before}\n---\nbody");
        assert_eq!(named(&content), format!("---\n{after}\n---\nbody"), "{before:?}");
        assert_eq!(mended_keys(&content).unwrap().join(","), keys, "{before:?}");
    }
    assert_eq!(mended_keys("---\nname: x\n---\n"), None);
    assert_eq!(mended_keys("body"), None);
}

#[test]
fn a_line_that_starts_with_the_delimiter_does_not_end_the_block_for_any_reader() {
    for (before, after) in [
        ("a: 1\n---x: 1\nname: x\n", "a: 1\n\"---x\": 1\nname: slug"),
        ("? \"\n---\"\n: 1", "name: slug\n\" ---\": 1"),
        ("---x: 1\nname: x", "\"---x\": 1\nname: slug"),
    ] {
        let text = named(&format!("---\n{before}\n---\nbody"));
        assert_eq!(text, format!("---\n{after}\n---\nbody"), "{before:?}");
        assert_eq!(read_name_description(&text).0, "slug");
    }
}

fn yaml_like() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "name",
        "a",
        ": ",
        ":",
        "\n",
        "\r\n",
        "  ",
        "- ",
        "? ",
        "&a ",
        "*a",
        "!t ",
        "\"",
        "'",
        "|",
        ">",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "#",
        " # c",
        "---",
        "...",
        "x: 1\n",
        "name: x\n",
        "ü",
        "\t",
        "\r",
        "true",
        "%",
        "~",
        "<<",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

#[test]
fn a_block_whose_last_line_has_no_end_is_read() {
    // The parser's marks lie behind the text here.
    for yaml in ["--- # cx: 1\n%ü", "%", "--- %a", "a: |", "a: |\n  b"] {
        let text = named(&format!("---\n{yaml}\n---\nbody"));
        assert!(text.ends_with("body"), "{text}");
        _ = Document::parse(yaml);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4000, ..ProptestConfig::default() })]
    #[test]
    fn any_block_keeps_its_body_and_valid_ones_get_the_name(yaml in yaml_like()) {
        let content = format!("---\n{yaml}\n---\nbody");
        let text = named(&content);
        let parts = split(&content);
        prop_assert!(text.ends_with(parts.body));
        if Document::parse(parts.yaml).is_some() {
            let after = Document::parse(split(&text).yaml);
            prop_assert!(after.is_some(), "{:?} became {:?}", content, text);
            let has_name = matches!(
                &after.unwrap().value("name").unwrap().kind,
                Kind::Scalar { text, .. } if text == "slug"
            );
            prop_assert!(has_name);
            prop_assert_eq!(is_hidden(&content), is_hidden(&text));
        }
    }

    #[test]
    fn what_is_written_is_yaml_and_a_flag_that_hides_is_never_lost(
        lines in prop::collection::vec(yaml_like(), 0..4), at in 0_usize..4, flag in prop::sample::select(vec![
            "disable-model-invocation: true", "disable-model-invocation: \"True\"", "disable-model-invocation:  'true' ",
        ])
    ) {
        let mut lines = lines;
        lines.insert(at.min(lines.len()), flag.to_owned());
        let content = format!("---\n{}\n---\nbody", lines.join("\n"));
        let (block, text) = (split(&content).yaml, named(&content));
        let after = Document::parse(split(&text).yaml);
        prop_assert!(after.is_some(), "{:?} became {:?}", content, text);
        prop_assert_eq!(read_name_description(&text).0, "slug", "{:?} became {:?}", content, text);
        prop_assert_eq!(is_hidden(&content), is_hidden(&text), "{:?} became {:?}", content, text);
        // YAML may have the line inside a text or a comment; a block that is none is read by its lines.
        let is_line = block.split('\n').any(|line| line == flag);
        if is_line && Document::parse(block).is_none() {
            prop_assert!(is_hidden(&text), "{:?} became {:?}", content, text);
        }
    }
}
