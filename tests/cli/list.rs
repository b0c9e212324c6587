use serde_json::json;

use crate::support::{KEY, TASK, TestEnv};

/// A clean-up changes the status, not how the run ended.
#[test]
fn a_filter_finds_how_a_run_ended_after_a_clean_up() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    t.prepare(["--task-id", "never-run"]);
    t.execenv(["run", KEY, "--", "false"]).run().status(1);
    t.execenv(["cleanup", KEY]).ok();
    let keys = |filter: &str| {
        let listed = t.execenv(["list", "--filter", filter, "-o", "json"]).json();
        let keys = listed["environments"].as_array().unwrap().iter().map(|env| env["task_id"].clone());
        keys.collect::<Vec<_>>()
    };
    assert!(keys("status=failed").is_empty());
    assert_eq!(keys("result=failed,crashed"), [TASK]);
    assert!(keys("result=completed").is_empty());
    assert_eq!(keys("result!=failed"), ["never-run"]);
    assert!(t.execenv(["list"]).ok().stdout.contains("cleaned (failed)"));
    t.execenv(["list", "--filter", "result=cleaned"])
        .fails(2, &["`cleaned` is none of completed, failed, timeout, interrupted, killed, crashed"]);
    t.execenv(["list", "--filter", "outcome=failed"])
        .fails(2, &["the fields are key, task, ", "status, result, "]);
    t.execenv(["list", "--sort", "result"]).ok();
}

#[test]
fn it_shows_every_environment_and_whether_it_lives() {
    let t = TestEnv::new();
    let note = "note: the workspaces root [ROOT] does not exist; the first `execenv prepare` creates it\n";
    assert_eq!(t.execenv(["list"]).ok_saying(note).stdout, "");
    assert_eq!(t.execenv(["list", "-q", "-o", "json"]).json(), json!({"schema": 1, "environments": []}));
    t.execenv(["list", "--workspaces-root", "project"])
        .ok_saying("note: [PROJECT] is no workspaces root: it has no marker file and no environments\n");
    let env = t.prepare(["--task-id", TASK, "--provider", "claude", "-q", "--issue-id", "I"]);
    t.prepare(["--workspace-id", "other"]);
    let lock = std::fs::File::open(env.join(".task_lock")).unwrap();
    lock.lock().unwrap();
    let all = t.execenv(["list", "--sizes", "-o", "json"]).json();
    let rows = all["environments"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let row = &rows[0];
    assert_eq!(
        (&row["key"], &row["task_id"], &row["provider"]),
        (&json!(KEY), &json!(TASK), &json!("claude"))
    );
    assert_eq!(
        (&row["kind"], &row["status"], &row["live"]),
        (&json!("issue"), &json!("prepared"), &json!(true))
    );
    assert!(row["bytes"].as_u64().unwrap() > 0);
    assert_eq!(rows[1]["live"], false);
    let text = t.execenv(["list", "--workspace", "default"]).ok().stdout;
    assert_eq!(text.lines().count(), 2);
    assert!(text.lines().nth(1).unwrap().starts_with(KEY) && text.contains("live"), "{text}");
}

#[test]
fn a_folder_without_a_sign_of_an_environment_is_not_listed() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    t.write("root/default/notes/todo.txt", "mine");
    assert_eq!(t.execenv(["list"]).ok().stdout.lines().count(), 2);
}

#[test]
fn the_workspace_is_shown_where_there_is_more_than_one() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    assert!(t.execenv(["list"]).ok().stdout.starts_with("ENV "));
    t.prepare(["--task-id", TASK, "--workspace-id", "other"]);
    let text = t.execenv(["list"]).ok().stdout;
    let firsts: Vec<_> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let other = format!("other/{KEY}");
    assert_eq!(firsts, ["ENV", &format!("default/{KEY}"), &other], "a key that names two is no name");
    t.execenv(["show", &other]).ok();
    t.execenv(["show", KEY]).fails(2, &["more than one", "hint: give `<workspace>/<key>`, or its path"]);
    t.execenv(["show", TASK]).fails(2, &["more than one", "hint: give `<workspace>/<key>`, or its path"]);
}

const THEIRS: &str =
    r#"{"kind":"issue","issue_id":"I","workspace_id":"w","completed_at":"2026-05-01T00:00:00Z"}"#;

fn rows(t: &TestEnv, arguments: &[&str]) -> Vec<(String, String)> {
    let list = t.execenv(["list", "-q", "-o", "json"].iter().chain(arguments)).json();
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
    list["environments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (text(row, "key"), text(row, "made_by")))
        .collect()
}

fn pair(key: &str, made_by: &str) -> (String, String) {
    (key.to_owned(), made_by.to_owned())
}

#[test]
fn every_row_says_who_made_it() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK, "-q", "--issue-id", "I"]);
    t.write("root/default/theirs/.gc_meta.json", THEIRS);
    t.write("root/default/unfinished/.managed_env.json", "{}");
    t.write("root/default/unfinished/workdir/x", "x");
    t.write("root/default/some/workdir/x", "x");
    t.link("root/default/link", t.root.join("default/theirs"));
    let all = [
        pair(KEY, "execenv"),
        pair("some", "unknown"),
        pair("theirs", "multica"),
        pair("unfinished", "multica"),
    ];
    assert_eq!(rows(&t, &[]), all);
    assert_eq!(rows(&t, &["--foreign"]), all[1..]);
    let text = t.execenv(["list", "--foreign"]).ok().stdout;
    assert!(text.starts_with("MADE BY ") && text.contains("execenv gc --dry-run"), "{text}");
    // Upstream has taken ours over and written its own record: it is still the one that we made.
    t.write(format!("root/default/{KEY}/.gc_meta.json"), THEIRS);
    assert_eq!(rows(&t, &["--foreign"]).len(), 3);
}

#[test]
fn roots_of_upstream_are_found_without_a_root_of_ours() {
    let t = TestEnv::new();
    assert_eq!(t.execenv(["list", "--foreign"]).ok().stdout, "");
    assert_eq!(
        t.execenv(["list", "--foreign", "-o", "json"]).json(),
        json!({"schema": 1, "environments": [], "roots": []})
    );
    t.write("home/multica_workspaces/w/one/.gc_meta.json", THEIRS);
    t.write("home/multica_workspaces/w/notes/todo.txt", "mine");
    t.write("home/multica_workspaces_my team/w/two/.gc_meta.json", THEIRS);
    t.write("home/multica_workspaces_my team/w/two/workdir/x", "12345");
    t.write(
        "home/multica_workspaces_my team/.multica/daemon_task_context.json",
        r#"{"managed_by":"multica-daemon-task"}"#,
    );
    t.write("home/multica_workspaces_empty/x", "");
    assert!(!t.root.exists());
    assert_eq!(rows(&t, &["--foreign"]), [pair("one", "multica"), pair("two", "multica")]);
    assert_eq!(rows(&t, &[]), []);
    let sized = t.execenv(["list", "--foreign", "--sizes", "-o", "json"]).json();
    assert_eq!(sized["environments"][1]["bytes"], THEIRS.len() + 5);
    assert_eq!(
        sized["environments"][1]["root_dir"],
        t.home.join("multica_workspaces_my team/w/two").to_str().unwrap()
    );

    // What it says to type does it: gc judges the root's environments by their own records.
    let done = t.execenv(["list", "--foreign"]).ok();
    let commands: Vec<&str> = done.stdout.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    assert_eq!(commands.len(), 2, "{done}");
    assert!(commands[1].starts_with("execenv gc --workspaces-root '"), "{done}");
    assert_eq!(sized["roots"][1]["collect"], commands[1]);
    for (command, folder) in
        commands.iter().zip(["multica_workspaces/w/one", "multica_workspaces_my team/w/two"])
    {
        // Upstream notes no use but a run's end: the folder's own time counts as well.
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_770_000_000);
        std::fs::File::open(t.home.join(folder)).unwrap().set_modified(long_ago).unwrap();
        let collected = t.sh(&format!("{command} --trash-ttl 0 -o json")).json();
        assert_eq!(
            collected["cleaned"].as_u64().unwrap() + collected["orphaned"].as_u64().unwrap(),
            1,
            "{collected}"
        );
        assert!(!t.home.join(folder).exists());
    }
    assert!(t.home.join("multica_workspaces/w/notes/todo.txt").exists());
    assert_eq!(rows(&t, &["--foreign"]), []);
}

#[test]
fn a_root_that_is_upstreams_and_ours_is_listed_once() {
    let t = TestEnv::new();
    let shared = t.home.join("multica_workspaces");
    t.write("home/multica_workspaces/w/one/.gc_meta.json", THEIRS);
    let list = t.execenv(["list", "--foreign", "-o", "json"]).var("EXECENV_WORKSPACES_ROOT", &shared).json();
    assert_eq!((list["environments"].as_array().unwrap().len(), &list["roots"]), (1, &json!([])));
}

#[test]
fn a_workspace_that_does_not_exist_is_a_warning() {
    let t = TestEnv::new();
    let list = || t.execenv(["list", "--workspace", "nope"]).run().status(0);
    let done = list();
    assert!(done.stderr.starts_with("warning: the workspaces root ") && done.stdout.is_empty(), "{done}");
    t.prepare(["--workspace-id", "a"]);
    let done = list();
    assert!(done.stderr.starts_with("warning: there is no workspace `nope` in "), "{done}");
    t.execenv(["list", "--workspace", "a"]).ok();
}

#[test]
fn an_empty_root_is_said_to_be_empty() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    t.execenv(["cleanup", "--all", KEY]).ok();
    assert_eq!(t.execenv(["list"]).ok_saying("note: no environments in [ROOT]\n").stdout, "");
}

#[test]
fn rows_are_filtered_and_sorted_in_text_and_json() {
    let t = TestEnv::new();
    let at = |time: &'static str, task: &str, provider: &str| {
        t.execenv(["prepare", "-q", "--task-id", task, "--provider", provider])
            .var("EXECENV_TEST_NOW", time)
            .ok();
    };
    at("2026-05-01T00:00:00Z", "Fix-Login", "codex");
    at("2026-05-31T00:00:00Z", "fix-logout", "claude");
    at("2026-06-01T11:00:00Z", "other", "claude");
    let env = t.execenv(["show", "other", "-o", "json"]).json();
    t.write(format!("{}/workdir/big", env["root_dir"].as_str().unwrap()), vec![0; 50_000]);
    for (arguments, expected) in [
        (&["--sort", "age"][..], "other fix-logout Fix-Login"),
        (&["--sort", "-age"], "Fix-Login fix-logout other"),
        (&["--sort=provider,-age"], "fix-logout other Fix-Login"),
        (&["--sort", "task", "--reverse"], "other fix-logout Fix-Login"),
        (&["--sort", "-size", "--filter", "size>40K"], "other"),
        (&["--filter", "task~LOG", "--sort", "task"], "Fix-Login fix-logout"),
        (&["--filter", "task~log", "--filter", "age>7d"], "Fix-Login"),
        (&["--filter", "age<2d", "--filter", "provider=claude,codex", "--sort", "age"], "other fix-logout"),
        (&["--filter", "live=true"], ""),
        (
            &["--filter", "status=prepared", "--filter", "made_by!=multica", "--sort", "task"],
            "Fix-Login fix-logout other",
        ),
        (
            &[
                "--filter",
                "workspace=default",
                "--filter",
                "kind=",
                "--filter",
                "local=false",
                "--sort",
                "task",
            ],
            "Fix-Login fix-logout other",
        ),
        (&["--filter", "key=nothing"], ""),
    ] {
        let json = t.execenv(["list", "-o", "json"].iter().chain(arguments)).json();
        let tasks: Vec<&str> = json["environments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["task_id"].as_str().unwrap())
            .collect();
        assert_eq!(tasks.join(" "), expected, "{arguments:?}");
        let text = t.execenv(["list"].iter().chain(arguments)).ok().stdout;
        let head: Vec<&str> = text.lines().next().unwrap_or_default().split_whitespace().collect();
        let column = head.iter().position(|name| *name == "TASK").unwrap_or_default();
        let has_size = usize::from(head.contains(&"SIZE")); // a size is two words
        let shown = text.lines().skip(1).map(|line| line.split_whitespace().nth(column + has_size).unwrap());
        assert_eq!(shown.collect::<Vec<_>>().join(" "), expected, "{arguments:?}: {text}");
    }
    let all = "hint: the fields are key, task, workspace, provider, kind, status, result, live, local, made_by, age, size\n";
    t.execenv(["list", "--filter", "colour=red"]).fails(2, &["`--filter`: there is no field `colour`", all]);
    t.execenv(["list", "--sort", "-colour"]).fails(2, &["`--sort`: there is no field `colour`", all]);
    t.execenv(["list", "--filter", "age=7d"]).fails(2, &["compared by `<` or `>`", "hint: write `age>7d`"]);
    t.execenv(["list", "--filter", "KEY=a"]).fails(2, &["there is no field `KEY`", all]);
    t.execenv(["list", "--filter", "status=runing"]).fails(2, &["`runing` is none of prepared, starting, "]);
    for arguments in [&["--watch"][..], &["--watch=1", "-o", "json"]] {
        let refused = t.execenv(["list"].iter().chain(arguments)).run().status(2);
        assert!(refused.stderr.contains("draws on a terminal") && refused.stdout.is_empty(), "{refused}");
    }
    t.execenv(["list", "--watch=0"]).fails(2, &["write whole seconds from 1 on"]);
}
