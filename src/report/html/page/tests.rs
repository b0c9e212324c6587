use std::collections::BTreeSet;

use super::*;
use crate::report::sample::report;

/// What could make a browser do something.
const HOSTILE: &str = "</pre></style></script><script>document.title='ran'</script><img src=x onerror=alert(1)>\
    <svg onload=alert(1)><a href=\"javascript:alert(1)\">x</a><base href=//evil.test><meta http-equiv=refresh content=0>\
    \"'`--><!-- ]]> \u{1b}]8;;javascript:1\u{7}\u{202e}\u{2066}\u{0}\u{9b}31m &lt;script&gt; \u{fffd}";

/// The tags of a page with their attributes, in order.
fn tags(page: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let tag = &rest[at..];
        let end = tag.find('>').unwrap();
        tags.push(tag[1..end].to_owned());
        rest = &tag[end..];
        // What is in these two is ours, and no markup.
        for (open, close) in [("style", "</style>"), ("script", "</script>")] {
            if tags.last().unwrap() == open {
                rest = &rest[rest.find(close).unwrap()..];
            }
        }
    }
    tags
}

/// The elements and the names of their attributes.
fn shape(page: &str) -> Vec<(String, Vec<String>)> {
    let name = |tag: &str| tag.split([' ', '\n']).next().unwrap().to_owned();
    tags(page)
        .iter()
        .map(|tag| {
            let mut names: Vec<String> = Vec::new();
            let mut outside = String::new();
            for (n, piece) in tag.split('"').enumerate() {
                if n % 2 == 0 {
                    outside.push_str(piece);
                }
            }
            names
                .extend(outside.split_whitespace().skip(1).map(|word| word.trim_end_matches('=').to_owned()));
            (name(tag), names)
        })
        .collect()
}

#[test]
fn no_text_from_outside_adds_an_element_or_an_attribute() {
    let plain = shape(&page(&report("x")));
    assert_eq!(shape(&page(&report(HOSTILE))), plain);
    let all: BTreeSet<&str> = plain.iter().flat_map(|(_, names)| names.iter().map(String::as_str)).collect();
    let active: Vec<_> = all.iter().filter(|name| name.starts_with("on") || **name == "style").collect();
    assert!(active.is_empty(), "{active:?}");
}

#[test]
fn the_page_needs_nothing_else_and_runs_one_script() {
    let page = page(&report(HOSTILE));
    let names: Vec<String> = shape(&page).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.iter().filter(|name| *name == "script").count(), 1);
    for never in ["img", "link", "iframe", "object", "embed", "base", "form", "use", "image", "foreignObject"]
    {
        assert!(!names.iter().any(|name| name == never), "{never}");
    }
    let links: Vec<String> =
        tags(&page).into_iter().filter(|tag| tag.contains("href=") || tag.contains("src=")).collect();
    assert!(!links.is_empty() && links.iter().all(|tag| tag.starts_with("a href=\"#")), "{links:?}");
    assert!(page.contains("default-src 'none'") && !page.contains("unsafe-inline"), "the policy");
    for hidden in ['\u{1b}', '\u{7}', '\u{0}', '\u{9b}', '\u{202e}', '\u{2066}'] {
        assert!(!page.contains(hidden), "{hidden:?}");
    }
    assert!(page.contains("\\u{202e}") && page.contains("\\u{1b}]8;;"));
}

#[test]
fn the_policy_names_the_script_and_the_style_of_the_page() {
    let policy = policy();
    for text in [STYLE, SCRIPT] {
        assert!(policy.contains(&base64::encode(&Sha256::digest(text))), "{policy}");
        assert!(!text.contains("</"), "it would end its element");
    }
    let page = page(&report("x"));
    assert!(
        page.contains(&format!("<style>{STYLE}</style>"))
            && page.contains(&format!("<script>{SCRIPT}</script>"))
    );
}

#[test]
fn each_part_and_each_picture_has_a_name() {
    let page = page(&report("x"));
    for id in ["ending", "task", "timeline", "changes", "transcript", "checkpoints", "about"] {
        assert!(page.contains(&format!("<section id=\"{id}\" aria-labelledby=\"{id}-h\">")), "{id}");
        assert!(
            page.contains(&format!("<h2 id=\"{id}-h\">")) && page.contains(&format!("href=\"#{id}\"")),
            "{id}"
        );
    }
    assert!(page.contains("role=\"img\"") && page.contains("<title id=\"timeline-title\">"));
    let ids: Vec<&str> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "{ids:?}");
}
