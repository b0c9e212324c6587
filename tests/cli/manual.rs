//! The manual pages: their sections, examples that can be pasted, and JSON fields that the answers really have.

use std::collections::BTreeSet;

use clap::CommandFactory;
use execenv::internals::{Cli, man};
use serde_json::Value;

use crate::support::{KEY, TASK, TestEnv};

fn pages() -> Vec<(String, String)> {
    man::pages(Cli::command()).unwrap()
}

fn section<'a>(page: &'a str, name: &str) -> &'a str {
    let heads = [format!(".SH {name}\n"), format!(".SH \"{name}\"\n")];
    let (head, place) = heads.iter().find_map(|head| Some((head, page.find(head.as_str())?))).expect(name);
    let rest = &page[place + head.len()..];
    rest.split("\n.SH ").next().unwrap()
}

#[test]
fn every_page_has_its_sections_and_no_line_that_a_reader_would_refill() {
    for (name, page) in pages() {
        let heads: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix(".SH "))
            .map(|head| head.trim_matches('"'))
            .collect();
        assert!(!heads.contains(&"EXTRA"), "{name}: {heads:?}");
        let last = ["EXIT STATUS", "JSON FIELDS", "EXAMPLES", "FILES", "SEE ALSO"];
        assert!(heads.ends_with(&last), "{name}: {heads:?}");
        let examples = section(&page, "EXAMPLES");
        assert!(examples.starts_with(".EX\n") && examples.trim_end().ends_with(".EE"), "{name}: {examples}");
        assert!(examples.contains("execenv "), "{name}: {examples}");
        // Hyphens that are typed are minus signs; quotes are those of a shell.
        for line in examples.lines().filter(|line| !line.starts_with('.')) {
            let bare = line.replace("\\-", "").replace("\\(aq", "").replace("\\(ga", "");
            assert!(!bare.contains(['-', '\'', '`', '~', '^']), "{name}: {line}");
        }
        assert!(page.lines().all(|line| line.trim_end() == line && !line.is_empty()), "{name}");
        assert!(section(&page, "SEE ALSO").matches("(1)").count() >= 17, "{name}");
        assert!(section(&page, "EXIT STATUS").contains(".TP\n0\ndone\n"), "{name}");
    }
}

#[test]
fn examples_are_those_of_the_help_character_for_character() {
    let mut grammar = Cli::command();
    grammar.build();
    for (name, page) in pages() {
        let words = name.split('-').skip(1);
        let command = words.fold(&grammar, |command, word| command.find_subcommand(word).unwrap());
        let help = command.get_after_help().unwrap().to_string();
        let expected: Vec<&str> = help.lines().skip(1).map(|line| line.strip_prefix("  ").unwrap()).collect();
        let shown: Vec<String> = section(&page, "EXAMPLES")
            .lines()
            .filter(|line| !line.starts_with(".E"))
            .map(|line| {
                let escapes = [
                    ("\\-", "-"),
                    ("\\(aq", "'"),
                    ("\\(ga", "`"),
                    ("\\(ti", "~"),
                    ("\\(ha", "^"),
                    ("\\&", ""),
                    ("\\e", "\\"),
                ];
                escapes.iter().fold(line.to_owned(), |text, (from, to)| text.replace(from, to))
            })
            .collect();
        assert_eq!(shown, expected, "{name}");
    }
}

/// The outermost names that the page of a command lists.
fn listed(name: &str) -> BTreeSet<String> {
    let (_, page) = pages().into_iter().find(|(page, _)| page == &format!("execenv-{name}")).unwrap();
    let terms = section(&page, "JSON FIELDS")
        .lines()
        .filter_map(|line| line.strip_prefix("\\fB")?.strip_suffix("\\fR"));
    let names = terms.flat_map(|term| term.split(", ")).map(|name| name.replace("\\-", "-"));
    names.map(|name| name.split(['.', '[']).next().unwrap().to_owned()).collect()
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_fields_of_every_answer_are_on_its_page() {
    let t = TestEnv::new();
    let commit =
        "git init -q source && git -C source -c user.name=T -c user.email=t@x commit -q --allow-empty -m one";
    t.sh(commit).ok();
    let answers: Vec<(&str, Vec<&str>)> = vec![
        ("prepare", vec!["prepare", "--task-id", TASK]),
        ("reuse", vec!["reuse", KEY]),
        ("checkout", vec!["checkout", KEY, "source"]),
        ("show", vec!["show", KEY]),
        ("verify", vec!["verify", KEY]),
        ("list", vec!["list", "--foreign"]),
        ("du", vec!["du"]),
        ("gc --explain", vec!["gc", "--explain", KEY]),
        ("doctor", vec!["doctor"]),
        ("config", vec!["config"]),
        ("completions", vec!["completions", "bash"]),
        ("man", vec!["man"]),
        ("cleanup", vec!["cleanup", "--all", "--trash", KEY]),
        ("trash list", vec!["trash", "list"]),
        ("trash restore", vec!["trash", "restore", KEY]),
        ("trash empty", vec!["trash", "empty"]),
        ("gc", vec!["gc"]),
    ];
    for (name, words) in answers {
        let done = t.execenv(words.iter().chain(&["-q", "-o", "json"])).run();
        let answer: Value =
            serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"));
        let page = name.split(" --").next().unwrap().replace(' ', "-");
        let listed = listed(&page);
        let missing: Vec<String> = keys(&answer).difference(&listed).cloned().collect();
        // An explanation is one decision, whose fields stand under `decisions[]`.
        if name == "gc --explain" {
            assert!(["due", "damaged"].iter().all(|key| listed.contains(*key) && answer.get(key).is_some()));
            continue;
        }
        assert!(missing.is_empty(), "{name}: not on its page: {missing:?}");
        let optional: &[&str] = match &*page {
            "gc" => &["type", "due", "damaged"],
            "show" => &["path", "bytes", "encoding", "content", "truncated", "failed_start"],
            _ => &[],
        };
        let unknown: Vec<&String> = listed
            .iter()
            .filter(|key| answer.get(key).is_none() && !optional.contains(&key.as_str()))
            .collect();
        assert!(unknown.is_empty(), "{name}: on its page, but not in the answer: {unknown:?}");
    }
}

/// A command with its words, what is done before it, and fields that its page has and this answer has not.
type OfRepository = (&'static str, &'static [&'static str], &'static str, &'static [&'static str]);

#[test]
fn the_fields_of_the_commands_for_a_repository_are_on_their_pages() {
    let t = TestEnv::new();
    let commit =
        "git init -q source && git -C source -c user.name=T -c user.email=t@x commit -q --allow-empty -m one";
    t.sh(commit).ok();
    let env = t.prepare(["--task-id", TASK, "--repo", "source"]);
    let file = ["path", "bytes", "encoding", "content", "truncated"];
    let but_file = listed("show").into_iter().filter(|key| !file.contains(&key.as_str()) && key != "schema");
    let but_file: Vec<&'static str> = but_file.map(|key| &*key.leak()).collect();
    let other = "git checkout -q -b agent/a/0001 && echo x >x && git add x && \
                 git -c user.name=T -c user.email=t@x commit -q -m x && git checkout -q -";
    let commands: [OfRepository; 18] = [
        ("diff", &[], "echo new >new", &[]),
        ("checkpoint", &["-m", "saved"], "", &[]),
        ("show", &["--file", "new"], "", but_file.leak()),
        ("restore", &[], "rm new", &[]),
        ("clone", &["../copy", "--dry-run"], "", &["path", "links"]),
        ("clone", &["copy"], "", &["exists", "empty"]),
        ("branch", &["next"], "", &[]),
        ("merge list", &[], other, &[]),
        ("merge start", &["agent/a/0001"], "", &[]),
        ("merge status", &[], "", &[]),
        ("merge commit", &[], "", &[]),
        ("merge check", &[], "", &[]),
        ("merge skip", &["agent/a/0001", "why"], "", &[]),
        ("merge abort", &[], "", &[]),
        (
            "merge start",
            &["agent/a/0002"],
            "git checkout -q -b agent/a/0002 && echo 2 >x && git add x && \
            git -c user.name=T -c user.email=t@x commit -q -m 2 && git checkout -q - && echo 3 >x && git add x && \
            git -c user.name=T -c user.email=t@x commit -q -m 3",
            &[],
        ),
        ("merge resolve", &["x", "ours"], "", &[]),
        ("merge abort", &[], "", &[]),
        ("cleanup", &["--force"], "", &[]),
    ];
    for (name, more, before, absent) in commands {
        if !before.is_empty() {
            t.sh(&format!("cd {} && {before}", env.join("workdir").display())).run().status(0);
        }
        let words = name.split(' ').chain([KEY]).chain(more.iter().copied()).chain(["-q", "-o", "json"]);
        let done = t.execenv(words).run();
        let answer: Value =
            serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"));
        let mut listed = listed(&name.replace(' ', "-"));
        listed.retain(|key| !absent.contains(&key.as_str()));
        assert_eq!(keys(&answer), listed, "{name}: {done}");
    }
}

#[test]
fn the_fields_of_a_run_are_on_its_page() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    let done = t.execenv(["run", "-o", "json", KEY, "--", "echo", "hello"]).var("SLURM_JOB_ID", "1").ok();
    let listed = listed("run");
    let result: Value = serde_json::from_str(done.stdout.lines().last().unwrap()).unwrap();
    let missing: Vec<String> = keys(&result).difference(&listed).cloned().collect();
    assert!(missing.is_empty(), "not on its page: {missing:?}");
    assert!(listed.iter().all(|key| result.get(key).is_some()), "{listed:?}");
}

#[test]
fn a_page_is_named_as_the_command_is_typed() {
    let t = TestEnv::new();
    let roff = |words: &[&str]| t.execenv(["man"].iter().chain(words)).ok().stdout;
    assert!(roff(&["trash", "restore"]).contains(".TH EXECENV-TRASH-RESTORE 1"));
    assert_eq!(roff(&["trash-restore"]), roff(&["trash", "restore"]));
    assert_eq!(roff(&["execenv-gc"]), roff(&["gc"]));
    assert_eq!(roff(&["gc", "--roff"]), roff(&["gc"]));
    let guide = include_str!("../../man/execenv-guide.7");
    assert_eq!(roff(&["guide"]).trim_end(), guide.trim_end());
    assert_eq!(roff(&["execenv-guide"]), roff(&["guide"]));
    t.execenv(["man", "nope"]).fails(2, &["there is no command `nope`"]);
}

#[test]
fn values_are_completed_and_an_environment_is_described() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    let complete = |words: &[&str], shell: &str| {
        let place = (words.len()).to_string();
        let run = t.execenv(["--", "execenv"].iter().chain(words));
        let run = run.var("EXECENV_COMPLETE", shell).var("_CLAP_COMPLETE_INDEX", &place);
        run.var("_CLAP_COMPLETE_COMP_TYPE", "9").var("_CLAP_IFS", "\n").run().status(0).stdout
    };
    for (words, candidate) in [
        (&["prepare", "--provider", "cl"][..], "claude"),
        (&["prepare", "--mcp-mode", ""], "merge"),
        (&["prepare", "--codex-sandbox", ""], "read-only"),
        (&["prepare", "--platform-cli", ""], "none"),
        (&["prepare", "--workspace-id", ""], "default"),
        (&["gc", "--server", ""], "multica"),
        (&["list", "--output", ""], "json"),
        (&["list", "--color", ""], "never"),
        (&["completions", ""], "zsh"),
        (&["man", "g"], "gc"),
        (&["man", "gu"], "guide"),
        (&["schema", "trash-r"], "trash-restore"),
        (&["show", "5555"], KEY),
    ] {
        let shown = complete(words, "bash");
        assert!(shown.lines().any(|line| line == candidate), "{words:?}: {shown}");
    }
    let shown = complete(&["show", "5555"], "fish");
    assert!(shown.contains("default, prepared, 0s ago"), "{shown}");
}
