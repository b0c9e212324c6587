use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::{KEY, Run, TASK, TestEnv, assert_same, snapshot};

/// `execenv du`, with no folder for temporary files but the test's own.
fn du<'a>(t: &'a TestEnv, arguments: &[&str]) -> Run<'a> {
    let run = t.execenv(["du"].iter().chain(arguments));
    run.var("MULTICA_AGENT_TEMP_BASE", &t.tmp).var("EXECENV_TEST_NOW", "")
}

fn report(t: &TestEnv, arguments: &[&str]) -> Value {
    let all: Vec<&str> = arguments.iter().copied().chain(["-o", "json"]).collect();
    du(t, &all).json()
}

fn fill(t: &TestEnv, path: &str, len: usize) {
    t.write(path, vec![b'x'; len]);
}

fn meta(t: &TestEnv, env: &str, text: &str) -> u64 {
    t.write(format!("{env}/.gc_meta.json"), text);
    text.len() as u64
}

/// Sets a file's or a folder's own time back.
fn age(path: &Path, hours: u64) {
    let then = SystemTime::now() - Duration::from_secs(hours * 3_600);
    fs::File::open(path).unwrap().set_modified(then).unwrap();
}

fn names(rows: &Value, key: &str) -> Vec<String> {
    rows.as_array().unwrap().iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
}

const ISSUE: &str =
    r#"{"kind":"issue","issue_id":"I","workspace_id":"w","completed_at":"2026-01-02T03:04:05Z"}"#;
const CHAT: &str =
    r#"{"kind":"chat","chat_session_id":"C","workspace_id":"w","completed_at":"2026-01-02T03:04:05Z"}"#;

#[test]
fn it_reports_as_upstream_does() {
    let t = TestEnv::new();
    fill(&t, "root/w-1/issue/workdir/src", 1_000);
    fill(&t, "root/w-1/issue/workdir/node_modules/a/b", 4_000);
    let issue = 5_000 + meta(&t, "root/w-1/issue", ISSUE);
    fill(&t, "root/w-1/chat/workdir/src", 500);
    let chat = 500 + meta(&t, "root/w-1/chat", CHAT);
    fill(&t, "root/abcdefgh-ijkl/none/workdir/src", 2_000);
    age(&t.root.join("abcdefgh-ijkl/none"), 2);
    for beside in ["root/.repos/w/repo/x", "root/.skill-cache/v1/x", "root/w-1/.staging-x/x", "root/plain"] {
        fill(&t, beside, 10_000);
    }
    let before = snapshot(&t.tmp);
    let report = report(&t, &[]);
    assert_same(&before, &snapshot(&t.tmp), "du changes nothing");

    assert_eq!(names(&report["tasks"], "task_short"), ["issue", "none", "chat"]);
    assert_eq!(names(&report["tasks"], "kind"), ["issue", "unknown", "chat"]);
    let column = |key: &str| {
        report["tasks"].as_array().unwrap().iter().map(|row| row[key].clone()).collect::<Vec<_>>()
    };
    assert_eq!(column("size_bytes"), [json!(issue), json!(2_000), json!(chat)]);
    assert_eq!(column("artifact_size_bytes"), [json!(4_000), json!(0), json!(0)]);
    assert_eq!(column("parent_status"), [json!(""), json!(""), json!("")]);
    assert_eq!(column("parent_id"), [json!("I"), Value::Null, json!("C")]);
    assert_eq!(names(&report["tasks"], "workspace_short"), ["w1", "abcdefgh", "w1"]);
    assert!(column("age_seconds").iter().all(|age| age.as_u64().unwrap() >= 60), "{report}");
    let none = column("age_seconds")[1].as_u64().unwrap();
    assert!((7_200..7_800).contains(&none), "{none}");

    assert_eq!(names(&report["tasks"], "workspace_id"), ["w", "abcdefgh-ijkl", "w"]);
    assert_eq!(names(&report["workspaces"], "workspace_id"), ["w", "abcdefgh-ijkl"]);
    let first = &report["workspaces"][0];
    assert_eq!((&first["task_count"], &first["size_bytes"]), (&json!(2), &json!(issue + chat)));
    let ratio = first["artifact_ratio"].as_f64().unwrap();
    assert!((ratio - 4_000.0 / (issue + chat) as f64).abs() < 1e-9, "{ratio}");
    assert_eq!(report["workspaces"][1]["artifact_ratio"].as_f64(), Some(0.0));
    assert_eq!((&report["total_task_count"], &report["total_workspace_count"]), (&json!(3), &json!(2)));
    assert_eq!(report["total_size_bytes"], json!(issue + chat + 2_000));
    assert_eq!(report["total_artifact_size_bytes"], json!(4_000));
    assert!(report["total_artifact_ratio"].as_f64().unwrap() > 0.0);
    assert_eq!(report["artifact_patterns"], json!([".next", ".turbo", "node_modules"]));
    assert_eq!(report["managed_artifact_subpaths"], json!(["codex-home/.sandbox-bin"]));
    assert_eq!(report["schema"], 1);
    assert_eq!(report["workspaces_root"], t.root.to_str().unwrap());
    assert_eq!((&report["repo_cache_size_bytes"], &report["repo_cache_count"]), (&json!(10_000), &json!(0)));
}

#[test]
fn git_counts_into_the_size_and_never_into_the_artifacts() {
    let t = TestEnv::new();
    fill(&t, "root/w/a/workdir/.git/objects/x", 9_999);
    fill(&t, "root/w/a/workdir/.git/node_modules/x", 5_555);
    fill(&t, "root/w/a/workdir/file", 100);
    fill(&t, "elsewhere/node_modules/x", 7_000);
    t.link("root/w/b/workdir/node_modules", t.tmp.join("elsewhere/node_modules"));
    t.link("root/w/b/workdir/link", t.tmp.join("elsewhere/node_modules/x"));
    fill(&t, "root/w/b/workdir/file", 100);
    t.link("root/w/linked-task", t.tmp.join("elsewhere"));
    t.link("root/linked-workspace", t.tmp.join("elsewhere"));
    let report = report(&t, &[]);
    let sizes: Vec<_> = report["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| (task["size_bytes"].as_u64().unwrap(), task["artifact_size_bytes"].as_u64().unwrap()))
        .collect();
    assert_eq!(sizes, [(15_654, 0), (100, 0)]);
    // What gc would not take is nothing that can be had back.
    fill(&t, "root/w/b/workdir/.next/x", 30);
    fill(&t, "root/w/b/workdir/dep/.turbo/own/.git", 40);
    fill(&t, "root/w/b/codex-home/.sandbox-bin/helper", 50);
    let task = &self::report(&t, &[])["tasks"][1];
    assert_eq!((&task["size_bytes"], &task["artifact_size_bytes"]), (&json!(220), &json!(80)));
}

#[test]
fn a_missing_root_is_an_empty_report_and_nothing_is_no_ratio() {
    let t = TestEnv::new();
    let empty = report(&t, &[]);
    assert_eq!((&empty["tasks"], &empty["workspaces"]), (&json!([]), &json!([])));
    assert_eq!((&empty["total_task_count"], &empty["total_size_bytes"]), (&json!(0), &json!(0)));
    let shown = du(&t, &[]).ok().shown_stdout;
    assert!(shown.starts_with("[ROOT]\n(no environments)"), "{shown}");
    assert!(du(&t, &["--by-workspace"]).ok().stdout.contains("\n(no workspaces)"));
    fs::create_dir_all(t.root.join("w/empty/workdir")).unwrap();
    fs::create_dir_all(t.root.join("none")).unwrap();
    let report = report(&t, &[]);
    assert_eq!(names(&report["workspaces"], "workspace_id"), ["w"], "a workspace without a task is none");
    for ratio in [&report["total_artifact_ratio"], &report["workspaces"][0]["artifact_ratio"]] {
        assert_eq!(ratio.as_f64(), Some(0.0), "{report}");
    }
    for share in report["shares"].as_object().unwrap().values() {
        assert!(share["fraction"].as_f64().is_some(), "{report}");
    }
    fs::remove_dir_all(&t.root).unwrap();
    t.write("root", "a file");
    du(&t, &[]).fails(1, &["open the workspaces root"]);
}

#[test]
fn patterns_come_from_the_setting() {
    let t = TestEnv::new();
    fill(&t, "root/w/a/workdir/node_modules/x", 10);
    fill(&t, "root/w/a/workdir/target/x", 20);
    for (name, value, patterns, bytes) in [
        (
            "MULTICA_GC_ARTIFACT_PATTERNS",
            "target, node_modules ,target",
            json!(["node_modules", "target"]),
            30,
        ),
        ("EXECENV_GC_ARTIFACT_PATTERNS", "target", json!(["target"]), 20),
        ("EXECENV_GC_ARTIFACT_PATTERNS", "workdir/node_modules,../etc", json!([]), 0),
        ("EXECENV_GC_ARTIFACT_PATTERNS", " ", json!([".next", ".turbo", "node_modules"]), 10),
    ] {
        let report = du(&t, &["-o", "json"]).var(name, value).json();
        assert_eq!(report["artifact_patterns"], patterns, "{name}={value}");
        assert_eq!(report["total_artifact_size_bytes"], bytes, "{name}={value}");
    }
    let refused = du(&t, &[]).var("EXECENV_GC_ARTIFACT_PATTERNS", "target,workdir");
    refused.fails(2, &["`workdir` cannot be an artifact pattern", "hint: "]);
}

#[test]
fn ages_fall_back_to_the_record_and_then_to_the_folder() {
    let t = TestEnv::new();
    let ends_later = ISSUE.replace("2026-01-02", "2999-01-02");
    for (name, text) in [("open", r#"{"issue_id":"I","workspace_id":"w"}"#), ("later", &ends_later)] {
        meta(&t, &format!("root/w/{name}"), text);
        age(&t.root.join("w").join(name).join(".gc_meta.json"), 5);
        age(&t.root.join("w").join(name), 900);
    }
    fs::create_dir_all(t.root.join("w/none/workdir")).unwrap();
    age(&t.root.join("w/none"), 900);
    let report = report(&t, &[]);
    for task in report["tasks"].as_array().unwrap() {
        let hours = if task["task_short"] == "none" { 900 } else { 5 };
        let age = task["age_seconds"].as_u64().unwrap();
        assert!((hours * 3_600..hours * 3_600 + 600).contains(&age), "{task}");
    }
    assert_eq!(report["workspaces"][0]["oldest_age_seconds"].as_u64().unwrap() / 3_600, 900);
    // The clock is the command's.
    let now = du(&t, &["-o", "json"]).var("EXECENV_TEST_NOW", "2026-01-02T04:04:05Z").json();
    assert_eq!(now["generated_at"], "2026-01-02T04:04:05Z");
}

#[test]
fn tables_show_rows_and_sums_of_what_is_cut_off_too() {
    let t = TestEnv::new();
    for (env, len) in [("v/small", 512), ("v/large", 1_536), ("w/tie-b", 700), ("w/tie-a", 700)] {
        fill(&t, &format!("root/{env}/workdir/x"), len);
        age(&t.root.join(env), 76);
    }
    let shown = du(&t, &[]).ok().shown_stdout;
    let paths: Vec<&str> =
        shown.lines().skip(2).map_while(|line| line.split_once(' ').map(|(path, _)| path)).take(4).collect();
    assert_eq!(paths, ["large", "tie-a", "tie-b", "small"], "{shown}");
    let words = |line: usize| shown.lines().nth(line).unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(words(1), ["ENV", "STATUS", "AGE", "SIZE", "ARTIFACTS", "KIND", "WORKSPACE"]);
    assert_eq!(words(2), ["large", "unknown", "3d", "4h", "1.5", "KiB", "0", "B", "-", "v"]);
    assert!(
        shown.contains("\ntotal: 4 environments, 2 workspaces, 3.4 KiB, of which artifacts 0 B (0%)"),
        "{shown}"
    );
    assert_eq!(du(&t, &["--by-task"]).ok().shown_stdout, shown);

    let cut = du(&t, &["--top", "2"]).ok().shown_stdout;
    assert!(cut.contains("\nshown: 2 of 4, 2.2 KiB\ntotal: 4 environments"), "{cut}");
    assert!(!cut.contains("tie-b"));
    let report = report(&t, &["--top", "1"]);
    assert_eq!(
        (names(&report["tasks"], "task_short"), &report["total_task_count"]),
        (vec!["large".to_owned()], &json!(4))
    );
    assert_eq!(report["workspaces"].as_array().unwrap().len(), 2);

    let shown = du(&t, &["--by-workspace"]).ok().shown_stdout;
    let words = |line: usize| shown.lines().nth(line).unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(words(1), ["WORKSPACE", "TASKS", "SIZE", "ARTIFACTS", "ARTIFACT", "%", "OLDEST"]);
    assert_eq!(words(2), ["v", "2", "2.0", "KiB", "0", "B", "0%", "3d", "4h"]);
    du(&t, &["--by-task", "--by-workspace"]).fails(2, &["--by-workspace"]);
    du(&t, &["--top=-1"]).fails(2, &["-1"]);
}

#[test]
fn several_roots_in_order_with_their_sums() {
    let t = TestEnv::new();
    fill(&t, "home/multica_workspaces/w/one/workdir/x", 100);
    fill(&t, "home/multica_workspaces_b/v/two/workdir/x", 300);
    fill(&t, "home/multica_workspaces_b/v/three/workdir/.next/x", 50);
    fs::create_dir_all(t.home.join(".multica/profiles/b")).unwrap();
    fs::create_dir_all(t.home.join(".multica/profiles/no-root")).unwrap();
    let all = report(&t, &["--all-profiles", "--top", "1"]);
    assert_eq!(names(&all["roots"], "profile"), ["default", "b"]);
    let reports: Vec<&Value> = all["roots"].as_array().unwrap().iter().map(|root| &root["report"]).collect();
    assert_eq!(reports[1]["tasks"].as_array().unwrap().len(), 1);
    assert_eq!((&reports[1]["total_task_count"], &reports[1]["total_size_bytes"]), (&json!(2), &json!(350)));
    for (key, expected) in [
        ("total_task_count", 3),
        ("total_workspace_count", 2),
        ("total_size_bytes", 450),
        ("total_artifact_size_bytes", 50),
        ("total_repo_cache_count", 0),
        ("total_repo_cache_size_bytes", 0),
        ("schema", 1),
    ] {
        assert_eq!(all[key], expected, "{key}");
    }
    let shown = du(&t, &["--all-profiles"]).ok().shown_stdout;
    for part in
        ["2 roots\n", "\n[default] [HOME]/multica_workspaces\n", "\n[b] [HOME]/multica_workspaces_b\n"]
    {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(shown.contains("all roots: 3 environments, 2 workspaces, 450 B"), "{shown}");
    du(&t, &["--all-profiles", "--workspaces-root", "x"]).fails(2, &["--all-profiles"]);
    // The first is listed even where it is not.
    fs::remove_dir_all(t.home.join("multica_workspaces")).unwrap();
    let all = report(&t, &["--all-profiles"]);
    assert_eq!(names(&all["roots"], "profile"), ["default", "b"]);
    assert_eq!(all["roots"][0]["report"]["tasks"], json!([]));
}

#[test]
fn other_roots_are_named_by_commands_that_run() {
    let t = TestEnv::new();
    fill(&t, "root/w/mine/workdir/x", 1);
    fill(&t, "home/multica_workspaces/w/one/workdir/x", 1);
    for n in 0..3 {
        fill(&t, &format!("home/multica_workspaces_it's mine/w/task-{n}/workdir/x"), 100);
    }
    fs::create_dir_all(t.home.join("multica_workspaces_empty/w")).unwrap();
    let done = du(&t, &[]).ok();
    let commands: Vec<&str> = done.stdout.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    assert_eq!(commands.len(), 2, "{done}");
    assert!(commands[0].ends_with("# 3 environments") && commands[1].ends_with("# 1 environment"));
    assert!(!done.stdout.contains("multica_workspaces_empty"));
    let ran = t.sh(&format!("{} -o json", commands[0].split("  #").next().unwrap())).json();
    assert_eq!(ran["total_size_bytes"], 300);
    // From a profile's root the default one is named, and a root that was named is the one that was meant.
    let profile = t.home.join("multica_workspaces_it's mine");
    let from_profile = du(&t, &[]).var("EXECENV_WORKSPACES_ROOT", &profile).ok().shown_stdout;
    assert!(from_profile.contains("du --workspaces-root '[HOME]/multica_workspaces'  # 1"), "{from_profile}");
    let named = du(&t, &["--workspaces-root", t.root.to_str().unwrap()]).ok().stdout;
    assert!(!named.contains("other roots"), "{named}");
    for n in 0..9 {
        fill(&t, &format!("home/multica_workspaces_p{n}/w/task/workdir/x"), 1);
    }
    let many = du(&t, &[]).ok().stdout;
    assert_eq!(many.lines().filter(|line| line.starts_with("  execenv du")).count(), 5);
}

#[test]
fn what_lies_beside_the_environments_is_counted_apart() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let trashed = report(&t, &[])["total_size_bytes"].clone();
    t.execenv(["cleanup", "--all", "--trash", env.to_str().unwrap()]).ok();
    fill(&t, "root/w/a/workdir/x", 1_000);
    fill(&t, "root/.repos/w/repo/HEAD", 10);
    fill(&t, "root/.repos/w/repo/objects/x", 90);
    fill(&t, "root/.repos/w/not-bare/HEAD", 5);
    fill(&t, "root/.stores/codex-sessions/a/i/rollout", 50);
    fill(&t, "root/.locks/store-x", 3);
    fill(&t, "root/w/.staging-x/file", 4);
    fill(&t, "multica-task-1/tmp", 30);
    fill(&t, "multica-task-2/tmp", 10);
    fill(&t, "multica-other/tmp", 10);
    t.link("multica-task-link", t.tmp.join("root"));
    fill(&t, "home/.codex/multica-sessions/default/agent/issue/rollout", 60);
    fill(&t, "home/.multica/hermes-state/agent/segment/memory", 70);
    fill(&t, "home/.multica/profiles/p/hermes-sessions/agent/segment/issue/state.db", 80);
    let report = report(&t, &[]);
    assert_eq!((&report["trash_count"], &report["trash_size_bytes"]), (&json!(1), &trashed));
    assert!(trashed.as_u64().unwrap() > 0);
    assert_eq!((&report["repo_cache_count"], &report["repo_cache_size_bytes"]), (&json!(1), &json!(105)));
    assert_eq!(report["total_size_bytes"], 1_000, "what lies beside is in no total");
    let outside: Vec<&Value> = report["outside"].as_array().unwrap().iter().collect();
    let place = |what: &str| {
        outside.iter().find(|place| place["what"] == what).map(|place| {
            let path = Path::new(place["path"].as_str().unwrap()).strip_prefix(&t.tmp).unwrap().to_owned();
            (
                path.to_str().unwrap().to_owned(),
                place["size_bytes"].as_u64().unwrap(),
                place["count"].as_u64().unwrap(),
            )
        })
    };
    let row = |path: &str, bytes: u64, count: u64| Some((path.to_owned(), bytes, count));
    assert_eq!(place("task_temp_dirs"), row("", 40, 2));
    assert_eq!(place("codex_sessions"), row("home/.codex/multica-sessions", 60, 1));
    assert_eq!(place("hermes_state"), row("home/.multica/hermes-state", 70, 1));
    assert_eq!(place("hermes_sessions"), row("home/.multica/profiles/p/hermes-sessions", 80, 1));
    let sum: u64 = outside.iter().map(|place| place["size_bytes"].as_u64().unwrap()).sum();
    let shares = &report["shares"];
    assert_eq!((&shares["outside"]["bytes"], &shares["tasks"]["bytes"]), (&json!(sum), &json!(1_000)));
    let parts = ["tasks", "trash", "repositories", "stores", "other", "outside"];
    assert_eq!((&report["stores_size_bytes"], &report["stores_count"]), (&json!(50), &json!(1)));
    let found = t.sh("find root -type f -printf '%s\\n' | awk '{n += $1} END {print n}'").ok().stdout;
    let below = parts.iter().filter(|part| **part != "outside");
    let below: u64 = below.map(|part| shares[*part]["bytes"].as_u64().unwrap()).sum();
    assert_eq!(below.to_string(), found.trim(), "{shares}");
    let whole: f64 = parts.iter().map(|part| shares[*part]["fraction"].as_f64().unwrap()).sum();
    assert!((whole - 1.0).abs() < 1e-9, "{shares}");
    let shown = du(&t, &[]).ok().shown_stdout;
    for part in [
        "\ntrash: 1 entry, ",
        "\nrepositories: 1 repository, 105 B\n",
        "\nsessions and memories: 1 store, 50 B\n",
        "\noutside: 2 task temp dirs in [TMP], 40 B\n",
        "\naltogether: ",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let elsewhere = t.tmp.join("codex");
    fill(&t, "codex/multica-sessions/default/a/b/x", 1);
    let moved = du(&t, &["-o", "json"]).var("CODEX_HOME", &elsewhere).json();
    assert!(moved["outside"].to_string().contains(elsewhere.to_str().unwrap()));
}

#[test]
fn a_size_in_the_list_is_the_size_here() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK, "--provider", "claude"]);
    fill(&t, "root/default/theirs/workdir/node_modules/x", 12_345);
    fill(&t, "root/default/theirs/workdir/.git/x", 5);
    t.link("root/default/theirs/workdir/link", &t.home);
    let usage = report(&t, &[]);
    let list = t.execenv(["list", "--sizes", "-o", "json"]).json();
    let listed = list["environments"].as_array().unwrap();
    assert_eq!(listed.len(), 2);
    for task in usage["tasks"].as_array().unwrap() {
        let row = listed.iter().find(|row| row["root_dir"] == task["path"]).unwrap();
        assert_eq!(row["bytes"], task["size_bytes"], "{task}");
    }
}

#[test]
fn names_that_would_draw_on_the_terminal_are_shown_harmless() {
    let t = TestEnv::new();
    fill(&t, "root/w/evil\u{1b}[31m\n/workdir/x", 1);
    let done = du(&t, &[]).ok();
    assert!(!done.stdout.contains('\u{1b}') && done.stdout.contains("evil\\u{1b}[31m\\n"), "{done}");
}

#[test]
fn workspaces_are_named_whole_and_a_row_is_an_env() {
    let t = TestEnv::new();
    let ids = ["0a1b2c3d-0000-4000-8000-000000000001", "0a1b2c3d-0000-4000-8000-000000000002"];
    for id in ids {
        t.prepare(["--workspace-id", id, "--task-id", TASK]);
    }
    let text = t.execenv(["du"]).ok().stdout;
    for id in ids {
        let env = format!("{id}/{KEY}");
        assert!(text.contains(&env), "{text}");
        let shown = t.execenv(["show", &env, "-o", "json"]).json();
        assert_eq!(shown["workspace_id"], id, "{shown}");
        t.execenv(["show", &format!("{id}/{}", &KEY[..6])]).ok();
        assert!(t.execenv(["du", "--by-workspace"]).ok().stdout.contains(id));
    }
    t.execenv(["show", KEY]).fails(2, &["names more than one environment", "<workspace>/<key>"]);
    for wrong in
        [format!("{}/{KEY}", &ids[0][..8]), format!("../{KEY}"), format!("/{KEY}"), format!("{}/", ids[0])]
    {
        t.execenv(["show", &wrong]).fails(3, &["no environment"]);
    }
    let first = format!("{}/{KEY}", ids[0]);
    for _ in 0..2 {
        t.execenv(["cleanup", "--all", &first]).ok();
    }
    t.execenv(["show", KEY]).ok();
}

#[test]
fn rows_are_filtered_and_sorted_and_the_totals_are_of_all() {
    let t = TestEnv::new();
    fill(&t, "root/v/small/workdir/x", 100);
    fill(&t, "root/v/old/workdir/node_modules/x", 3_000);
    fill(&t, "root/w/large/workdir/x", 5_000);
    age(&t.root.join("v/old"), 24 * 9);
    for (arguments, expected) in [
        (&["--sort", "size"][..], &["small", "old", "large"][..]),
        (&["--sort", "-artifacts,size"], &["old", "small", "large"]),
        (&["--filter", "size>200"], &["large", "old"]),
        (&["--filter", "age>7d"], &["old"]),
        (&["--filter", "artifacts>0", "--filter", "workspace=w"], &[]),
        (&["--reverse", "--top", "1"], &["small"]),
    ] {
        let report = report(&t, arguments);
        assert_eq!(names(&report["tasks"], "task_short"), expected, "{arguments:?}");
        assert_eq!(report["total_size_bytes"], 8_100, "{arguments:?}");
    }
    let by_workspace = |arguments: &[&str]| names(&report(&t, arguments)["workspaces"], "workspace_id");
    assert_eq!(by_workspace(&["--by-workspace", "--sort", "size"]), ["v", "w"]);
    assert_eq!(by_workspace(&["--by-workspace", "--filter", "age>7d"]), ["v"]);
    let shown = du(&t, &["--filter", "age>7d"]).ok().stdout;
    assert!(shown.contains("\nshown: 1 of 3, 2.9 KiB\ntotal: 3 environments"), "{shown}");
    du(&t, &["--filter", "task=x"])
        .fails(2, &["there is no field `task`", "hint: the fields are key, workspace, "]);
    du(&t, &["--by-workspace", "--sort", "status"])
        .fails(2, &["hint: the fields are workspace, age, size, artifacts"]);
    du(&t, &["--watch"]).fails(2, &["draws on a terminal"]);
}

#[test]
fn the_tree_has_the_parts_of_each_environment_and_its_sizes_add_up() {
    let t = TestEnv::new();
    fill(&t, "root/w/env/workdir/src", 6_000);
    fill(&t, "root/w/env/workdir/node_modules/x", 2_000);
    fill(&t, "root/w/env/output/x", 1_000);
    fill(&t, "root/w/env/codex-home/x", 500);
    fill(&t, "root/w/env/home/x", 100);
    fill(&t, "root/w/env/.gc_meta.json", 400);
    fill(&t, "root/环境\u{1b}[31m/evil/workdir/x", 3_000);
    fill(&t, "root/.trash/x", 7_000);
    let report = report(&t, &["--tree"]);
    let part = |part: &str, size: u64, artifacts: u64| json!({"part": part, "size_bytes": size, "artifact_size_bytes": artifacts});
    let expected = [
        part("workdir", 8_000, 2_000),
        part("output", 1_000, 0),
        part("homes", 600, 0),
        part("other", 400, 0),
    ];
    assert_eq!(report["tasks"][0]["parts"], json!(expected));
    assert!(self::report(&t, &[])["tasks"][0].get("parts").is_none());

    let tree = |locale: &str, arguments: &[&str]| {
        let all: Vec<&str> = ["--tree"].iter().chain(arguments).copied().collect();
        du(&t, &all).var("LANG", locale).ok().shown_stdout
    };
    let shown = tree("C.UTF-8", &[]);
    assert!(!shown.contains('\u{1b}') && shown.contains("├─ 环境\\u{1b}[31m "), "{shown}");
    let line = |name: &str| {
        let line =
            shown.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name}: {shown}"));
        line.split_once(name).unwrap().1.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(shown.starts_with("[ROOT]\n"), "{shown}");
    assert_eq!(line("total"), "19.5 KiB 100% 8.8 KiB ███████████░░░░░░░░░");
    assert_eq!(line("─ env"), "unknown 9.8 KiB 50% 2.0 KiB ████████░░");
    assert_eq!(line("─ workdir"), "7.8 KiB 40% 2.0 KiB ██████░░");
    assert_eq!(line("─ trash (0)"), "6.8 KiB 35% 6.8 KiB ░░░░░░░");
    assert!(shown.contains("\n░ reclaimable: `execenv gc --artifact-ttl D` removes"), "{shown}");
    // The same without characters that the terminal does not have.
    let plain = tree("C", &["--filter", "workspace=w"]);
    assert!(plain.is_ascii() && plain.contains("`- workdir") | plain.contains("|- workdir"), "{plain}");
    assert!(!plain.contains("trash (0)"), "of a part only its own sizes add up: {plain}");
    for n in 0..12 {
        fill(&t, &format!("root/w/more-{n:02}/workdir/x"), 10);
    }
    let shown = tree("C.UTF-8", &[]);
    assert!(shown.contains("└─ 3 more environments"), "{shown}");
    assert!(!tree("C.UTF-8", &["--top", "0"]).contains("more environments"));
    du(&t, &["--tree", "--sort", "size"]).fails(2, &["--tree"]);
}
