use super::*;

#[test]
fn a_key_goes_with_its_statement_and_nothing_else() {
    for (text, path, expected) in [
        ("a = 1\nb = 2 # c\n", &["b"][..], "a = 1\n"),
        ("# x\na = [\n1, # y\n]\n# z\n", &["a"], "# x\n# z\n"),
        ("a.b = 1\na.c = 2\n", &["a", "b"], "a.c = 2\n"),
        ("a.b = 1\n[t]\nx = 1\n[a.c]\ny = 1\n\n# t\n[u]\n", &["a"], "[t]\nx = 1\n# t\n[u]\n"),
        ("[a]\n# in\nx = 1\n# behind\n\n[a.b]\n[t]\n", &["a"], "# behind\n\n[t]\n"),
        ("[a]\nb.c = 1\nb.d = 2\nx = 3\n", &["a", "b"], "[a]\nx = 3\n"),
        ("a = { b = 1, c = { d = 1, e = 2 } }\n", &["a", "c", "d"], "a = { b = 1, c = { e = 2 } }\n"),
        ("a = 1\n", &["b"], "a = 1\n"),
        ("a = 1\n", &["a", "b"], "a = 1\n"),
        ("[[a]]\nx = 1\n", &["a", "x"], "[[a]]\nx = 1\n"),
        ("[[a]]\nx = 1\n[[a.b]]\n[t]\n[[a]]\ny = '''\n[t]\n'''\n", &["a"], "[t]\n"),
        ("'a b'.\"c\" = 1", &["a b", "c"], ""),
        ("a = 1\r\nb = 2\r\n", &["a"], "b = 2\r\n"),
    ] {
        assert_eq!(remove(text, path).unwrap(), expected, "{text}");
    }
}

#[test]
fn a_key_of_an_inline_table_takes_the_place_of_the_old_one() {
    for (text, expected) in [
        ("t = {}\n", "t = { k = false }\n"),
        ("t = { a = 1 } # c\n", "t = { a = 1, k = false } # c\n"),
        ("t = {a=1}\n", "t = {a=1, k = false }\n"),
        ("t = { k = true, a = 1 }\n", "t = { k = false, a = 1 }\n"),
        ("t = { k =  false }\n", "t = { k =  false }\n"),
        ("t = { k = { x = 1 }, a = 1 }\n", "t = { a = 1, k = false }\n"),
        ("t = { k.x = 1, k.y = 2 }\n", "t = { k = false }\n"),
    ] {
        let once = set_inline(text, "t", "k", false.into()).unwrap();
        assert_eq!(once, expected, "{text}");
        assert_eq!(set_inline(&once, "t", "k", false.into()).unwrap(), once);
    }
}

#[test]
fn a_table_is_told_by_how_it_is_written() {
    for (text, expected) in [
        ("", Form::Dotted),
        ("t.a = 1\n", Form::Dotted),
        ("[t.a]\n", Form::Dotted),
        ("[t.a]\n[t] # c\nx = 1\n", Form::Header(14)),
        ("[ 't' ]", Form::Header(7)),
        ("t = { }\n", Form::Inline),
        ("t = 1\n", Form::Foreign),
        ("[[t]]\n", Form::Foreign),
    ] {
        assert_eq!(form(text, "t").unwrap(), expected, "{text}");
    }
}

#[test]
fn places_count_characters_and_lines() {
    let wrong = |text| parse(text).unwrap_err();
    assert_eq!((wrong("a = 1\né = 1\n").line, wrong("a = 1\né = 1\n").column), (2, 1));
    assert_eq!((wrong("s = \"é\" x\n").line, wrong("s = \"é\" x\n").column), (1, 9));
}

#[test]
fn any_string_reads_back() {
    for text in ["", "a\"b\\c", "\u{0}\u{8}\t\n\u{c}\r\u{1f}\u{7f}\u{85}é𝄞", "'''"] {
        let document = format!("s = {}\n", basic_string(text));
        assert_eq!(parse(&document).unwrap().as_table()["s"].as_str(), Some(text), "{document}");
    }
}
