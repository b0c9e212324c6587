use super::*;
use proptest::prelude::*;

fn block(body: &str) -> String {
    format!("{BEGIN}\n{body}\n{END}\n")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn injected(original: &str, brief: &str) -> String {
    String::from_utf8(inject(Some(original.as_bytes()), brief).bytes).unwrap()
}

fn rewrite(text: impl AsRef<[u8]>) -> Excised {
    Excised::Rewrite(text.as_ref().to_vec())
}

/// What a clean-up leaves: `None` if the file is removed.
fn cleaned(file: &[u8]) -> Option<Vec<u8>> {
    match excise(file) {
        Excised::NoBlock => Some(file.to_vec()),
        Excised::Delete => None,
        Excised::Rewrite(bytes) => Some(bytes),
    }
}

#[test]
fn a_missing_file_is_the_block() {
    let file = inject(None, "brief\n\n\n");
    assert_eq!(text(&file.bytes), block("brief"));
    assert_eq!(file.dropped, None);
    assert_eq!(excise(&file.bytes), Excised::Delete);
}

#[test]
fn the_block_follows_the_users_text_and_two_line_feeds() {
    for seed in ["", "rules", "rules\n", "rules\n\n", "rules\n\n\n\n", "   \n", "a\r\nb\r\n"] {
        let once = injected(seed, "one");
        assert_eq!(once, format!("{seed}\n\n{}", block("one")));
        let twice = injected(&once, "two");
        assert_eq!(twice, format!("{seed}\n\n{}", block("two")));
        for file in [once, twice] {
            assert_eq!(excise(file.as_bytes()), rewrite(seed), "{seed:?}");
            assert_eq!(excise_recorded(file.as_bytes(), Some(seed.as_bytes())), rewrite(seed), "{seed:?}");
        }
    }
}

#[test]
fn a_block_between_text_is_replaced_where_it_stands() {
    let file = format!("above\n{}below\n", block("old"));
    assert_eq!(injected(&file, "new"), format!("above\n{}below\n", block("new")));
    assert_eq!(excise(file.as_bytes()), rewrite("above\nbelow\n"));
}

#[test]
fn injecting_again_leaves_one_block() {
    let mut file = "rules".to_owned();
    for _ in 0..5 {
        file = injected(&file, "brief");
    }
    assert_eq!(file, format!("rules\n\n{}", block("brief")));
}

#[test]
fn a_lone_end_line_is_left_alone() {
    let seed = format!("a\n{END}\nb\n");
    let once = injected(&seed, "brief");
    assert_eq!(once, format!("{seed}\n\n{}", block("brief")));
    assert_eq!(injected(&once, "brief"), once);
    assert_eq!(excise(once.as_bytes()), rewrite(seed));
}

#[test]
fn an_incomplete_block_is_replaced_and_reported() {
    let file = format!("above\n{BEGIN}\nleft over");
    let result = inject(Some(file.as_bytes()), "brief");
    assert_eq!(text(&result.bytes), format!("above\n{}", block("brief")));
    assert_eq!(result.dropped, Some(6..file.len()));
    assert_eq!(half_block(file.as_bytes()), Some(6..file.len()));
    assert_eq!(excise(file.as_bytes()), rewrite("above\n"));
    // With the original at hand it is restored: it may have been the user's own text.
    assert_eq!(excise_recorded(&result.bytes, Some(file.as_bytes())), rewrite(&file));
}

#[test]
fn no_block_is_no_change() {
    let inline = format!("see `{BEGIN}` and `{END}`\n {BEGIN}\n{BEGIN} x\n{END}\n");
    for file in ["", "rules\n", END, &inline] {
        assert_eq!(locate(file.as_bytes()), None);
        assert_eq!(excise(file.as_bytes()), Excised::NoBlock);
        assert_eq!(excise_recorded(file.as_bytes(), None), Excised::NoBlock);
        assert_eq!(excise_recorded(file.as_bytes(), Some(b"x")), Excised::NoBlock);
    }
}

#[test]
fn every_complete_block_is_removed() {
    let both = format!("a\n\n{}\n\n{}z", block("one"), block("two"));
    assert_eq!(excise(both.as_bytes()), rewrite("a\nz"));
    let adjacent = format!("{}{}", block("one"), block("two"));
    assert_eq!(excise(adjacent.as_bytes()), Excised::Delete);
    let then_half = format!("a\n\n{}b\n{BEGIN}\nc", block("one"));
    assert_eq!(excise(then_half.as_bytes()), rewrite("a\nb\n"));
    assert_eq!(half_block(then_half.as_bytes()), Some(then_half.len() - BEGIN.len() - 2..then_half.len()));
    // The user's two line feeds before the first separator stay.
    let own = format!("a\n\n\n\n{}{}", block("one"), block("two"));
    assert_eq!(excise(own.as_bytes()), rewrite("a\n\n"));
}

#[test]
fn a_begin_line_inside_a_block_makes_it_suspect() {
    let file = format!("{BEGIN}\nmine\n{}", block("brief"));
    assert!(!locate(file.as_bytes()).unwrap().complete);
    assert_eq!(inject(Some(file.as_bytes()), "new").dropped, Some(0..file.len()));
}

#[test]
fn line_ends_that_an_editor_changed_are_tolerated() {
    let file = injected("rules\n", "brief").replace('\n', "\r\n");
    assert!(locate(file.as_bytes()).unwrap().complete);
    assert_eq!(excise(file.as_bytes()), rewrite("rules\r\n"));
    assert_eq!(excise(file.trim_end_matches('\n').as_bytes()), rewrite("rules\r\n"));
}

#[test]
fn the_original_decides_who_wrote_the_line_feeds_before_the_block() {
    let b = block("brief");
    let mine = format!("{END}\n");
    let table = [
        // The file was made by us; the agent wrote above, below, or both.
        (None, format!("note\n\n{b}"), rewrite("note\n\n")),
        (None, format!("\n\n{b}"), rewrite("\n\n")),
        (None, format!("{b}below"), rewrite("below")),
        (None, format!("note\n\n{b}below"), rewrite("note\n\nbelow")),
        (None, b.clone(), Excised::Delete),
        (None, format!("{b}\n\n{b}"), Excised::Delete),
        // It was the user's.
        (Some(""), format!("\n\n{b}"), rewrite("")),
        (Some("mine"), format!("mine\n\n{b}"), rewrite("mine")),
        (Some("mine"), format!("mine\n\n{b}below"), rewrite("mine\nbelow")),
        (Some("mine\n"), format!("mine\n\n\nnote\n\n{b}"), rewrite("mine\nnote\n\n")),
        (Some("mine\n"), format!("mine\n\n\nnote\n{b}"), rewrite("mine\nnote\n")),
        (Some("mine"), format!("mine\n\nnote\n\n{b}"), rewrite("mine\n\nnote")),
        (Some("mine"), format!("top\nmine\n\n{b}"), rewrite("top\nmine")),
        (Some("mine"), format!("other\n{b}"), rewrite("other\n")),
        (Some("mine"), b.clone(), rewrite("")),
        (Some("mine"), format!("mine\n\n{b}\n\n{b}"), rewrite("mine")),
        (Some(&mine), format!("{mine}\n\n{b}"), rewrite(&mine)),
        (Some("mine"), "other".to_owned(), Excised::NoBlock),
    ];
    for (original, current, expected) in table {
        let result = excise_recorded(current.as_bytes(), original.map(str::as_bytes));
        assert_eq!(result, expected, "original {original:?}, current {current:?}");
    }
}

#[test]
fn an_older_block_in_the_original_is_removed_too() {
    let original = format!("mine\n\n{}", block("old"));
    let current = injected(&original, "new");
    assert_eq!(excise_recorded(current.as_bytes(), Some(original.as_bytes())), rewrite("mine"));
}

#[test]
fn a_brief_cannot_hold_a_marker() {
    let brief = format!("a\n{END}\n{BEGIN}\nx {END} y\n{BEGIN}{BEGIN}");
    let safe = defuse(&brief);
    assert!(!safe.contains(BEGIN) && !safe.contains(END));
    assert_eq!(defuse(&safe), safe);
    let file = injected("rules", &brief);
    assert_eq!(excise(file.as_bytes()), rewrite("rules"));
}

#[test]
fn a_large_file_full_of_markers_takes_no_time() {
    let file = format!("{BEGIN}\n").repeat(100_000) + &format!("{END}\n").repeat(100_000);
    assert!(matches!(excise(file.as_bytes()), Excised::Rewrite(_)));
    let blocks = block("x").repeat(50_000);
    assert_eq!(excise(blocks.as_bytes()), Excised::Delete);
}

/// Any bytes, many of them built from pieces that look like execenv's, but no begin line: that is D15's exception.
fn users_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..8),
        3 => prop::sample::select(vec!["\n", "\n\n", "\r\n", " ", "text", "\r"]).prop_map(Vec::from),
        2 => Just(END.as_bytes().to_vec()),
        2 => Just(format!("`{BEGIN}`").into_bytes()),
        1 => Just(format!("{BEGIN} ").into_bytes()),
        1 => Just(BEGIN.as_bytes()[..20].to_vec()),
    ];
    prop::collection::vec(piece, 0..12)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("a begin line of its own", |bytes| locate(bytes).is_none())
}

proptest! {
    #[test]
    fn any_file_is_restored_to_the_byte(
        original in prop::option::of(users_bytes()),
        briefs in prop::collection::vec("(x|\n|\r|<!--|-->| BEGIN | END )*", 1..4),
    ) {
        let mut file = original.clone();
        for brief in &briefs {
            let result = inject(file.as_deref(), brief);
            prop_assert_eq!(result.dropped, None);
            file = Some(result.bytes);
        }
        let file = file.unwrap();
        prop_assert_eq!(&cleaned(&file), &original);
        let recorded = match excise_recorded(&file, original.as_deref()) {
            Excised::NoBlock => Some(file.clone()),
            Excised::Delete => None,
            Excised::Rewrite(bytes) => Some(bytes),
        };
        prop_assert_eq!(recorded, original);
    }

    #[test]
    fn what_an_agent_adds_is_kept(
        original in prop::option::of(users_bytes()),
        above in users_bytes(),
        below in users_bytes(),
    ) {
        let file = inject(original.as_deref(), "brief").bytes;
        let at = locate(&file).unwrap().range;
        let mut edited = above.clone();
        // Text put in front must end its line, else a begin marker at the start of the file no longer fills a line.
        edited.push(b'\n');
        edited.extend_from_slice(&file);
        edited.extend_from_slice(&below);
        prop_assume!(locate(&edited).is_some_and(|found| found.range.len() == at.len()));
        prop_assume!(half_block(&edited).is_none());
        // Text on top that repeats the whole original and the separator cannot be distinguished from them.
        let repeated = original.as_deref().is_some_and(|own| edited.starts_with(&[own, SEPARATOR].concat()));
        prop_assume!(!repeated);
        let mut expected = [&above[..], b"\n", original.as_deref().unwrap_or_default()].concat();
        append(&mut expected, &below);
        prop_assert_eq!(excise_recorded(&edited, original.as_deref()), Excised::Rewrite(expected));
    }
}

#[test]
fn text_added_below_does_not_continue_the_last_line() {
    for (original, below, expected) in [
        ("mine", "edit\n", "mine\nedit\n"),
        ("mine", "\nedit\n", "mine\nedit\n"),
        ("mine", "", "mine"),
        ("mine\n", "edit\n", "mine\nedit\n"),
        ("", "edit\n", "edit\n"),
    ] {
        let mut current = inject(Some(original.as_bytes()), "brief").bytes;
        current.extend_from_slice(below.as_bytes());
        let expected = Excised::Rewrite(expected.into());
        assert_eq!(excise_recorded(&current, Some(original.as_bytes())), expected, "{original:?} {below:?}");
        assert_eq!(excise(&current), expected, "{original:?} {below:?}");
    }
}

/// Bytes that [`excise`] removes although execenv may not have written them: the first block without an end line.
fn half_block(content: &[u8]) -> Option<Range<usize>> {
    let mut from = 0;
    loop {
        let found = locate(&content[from..])?;
        let range = from + found.range.start..from + found.range.end;
        if !found.complete {
            return Some(range);
        }
        from = range.end;
    }
}
